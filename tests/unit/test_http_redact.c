/*
 * Secrets are hidden in every spelling in which they come back (S0-TRACE).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actions/http/redact.h"
#include "actions/http/url.h"

static const struct {
	const char *secret, *text, *want;
} rows[] = {
    {"hunter22", "nothing here", "nothing here"},
    {"hunter22", "hunter22", "***"},
    {"hunter22", "<hunter22>hunter22hunter22<", "<***>******<"},
    {"hunter22", "hunter2", "hunter2"},
    {"abc", "abc abc", "abc abc"}, /* too short to be hidden */
    {"aaaa", "aaaaaa", "***"},
    /* percent-encoded: either case, all that may stay as it is, + for a blank */
    {"a b/c?d&e", "x=a%20b%2Fc%3Fd%26e;", "x=***;"},
    {"a b/c?d&e", "x=a%20b%2fc%3fd%26e;", "x=***;"},
    {"a b/c?d&e", "x=a+b%2Fc%3Fd%26e;", "x=***;"},
    {"a b/c?d&e", "x=a%20b/c?d&e;", "x=***;"},
    {"a b/c?d&e", "x=a%20b/c%3Fd%26e;", "x=***;"},
    {"p@ss:w", "p%40ss%3Aw p@ss:w p%40ss%3aw", "*** *** ***"},
    {"p\xc3\xa4ss", "p%C3%A4ss p%c3%a4ss", "*** ***"},
    /* JSON text */
    {"a\"b\\c/d", "{\"x\":\"a\\\"b\\\\c/d\"}", "{\"x\":\"***\"}"},
    {"a\"b\\c/d", "{\"x\":\"a\\\"b\\\\c\\/d\"}", "{\"x\":\"***\"}"},
    {"p\xc3\xa4ss", "p\\u00e4ss p\\u00E4ss", "*** ***"},
    {"key\xf0\x9f\x94\x91s", "key\\ud83d\\udd11s", "***"},
    {"a<b>&c", "a\\u003cb\\u003e\\u0026c", "***"},
    {"line1\nline2", "line1\\nline2 line1\nline2 line1%0Aline2", "*** *** ***"},
    /* HTML */
    {"a<b>&\"c", "a&lt;b&gt;&amp;&quot;c", "***"},
    {"it's&so", "it&#39;s&amp;so it&#x27;s&amp;so", "*** ***"},
    /* base64: alone, and at each place in a longer text */
    {"hunter22", "aHVudGVyMjI=", "***="},
    {"hunter22", "aHVudGVyMjI", "***"},
    {"secret-of-mine", "c2VjcmV0LW9mLW1pbmU=", "***="},             /* secret-of-mine */
    {"secret-of-mine", "dXNlcjpzZWNyZXQtb2YtbWluZQ==", "dXNlcjp***Q=="}, /* user:secret-of-mine */
    {"secret-of-mine", "YWI6c2VjcmV0LW9mLW1pbmU6eHk=", "YWI6***6eHk="},   /* ab:secret-of-mine:xy */
    {"secret-of-mine", "YTpzZWNyZXQtb2YtbWluZQ==", "YTp***Q=="},         /* a:secret-of-mine */
    {"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", "//79/Pv6+fg=", "***="},
    {"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", "__79_Pv6-fg", "***"},
};

static void spellings(void **state)
{
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct redact r = {0};
		char *shown;

		redact_add(&r, rows[k].secret, strlen(rows[k].secret));
		shown = redact_string(&r, rows[k].text, strlen(rows[k].text));
		assert_string_equal(shown, rows[k].want);
		assert_int_equal(redact_found(&r, rows[k].text, strlen(rows[k].text)), strcmp(rows[k].text, rows[k].want) != 0);
		free(shown);
		redact_free(&r);
	}
}

/* However the bytes are cut into pieces. */
static void streams(void **state)
{
	size_t k, first, second;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		size_t n = strlen(rows[k].text);
		struct redact r = {0};

		redact_add(&r, rows[k].secret, strlen(rows[k].secret));
		for (first = 0; first <= n; first++)
			for (second = first; second <= n; second++) {
				struct redact_stream s = {.secrets = &r};
				AUTO_BUF struct buf out = BUF_INIT;

				redact_feed(&s, rows[k].text, first, false, &out);
				redact_feed(&s, rows[k].text + first, second - first, false, &out);
				redact_feed(&s, rows[k].text + second, n - second, true, &out);
				assert_string_equal(buf_str(&out), rows[k].want);
				redact_stream_free(&s);
			}
		redact_free(&r);
	}
}

/* A cut shows no beginning of a secret. */
static void cuts(void **state)
{
	static const char text[] = "abcd hunter22 efgh";
	struct redact r = {0};
	size_t stop;

	(void)state;
	redact_add(&r, "hunter22", 8);
	for (stop = 0; stop <= sizeof text; stop++) {
		AUTO_BUF struct buf out = BUF_INIT;

		redact_text(&r, text, sizeof text - 1, stop, &out);
		assert_null(strstr(buf_str(&out), "hu"));
	}
	redact_free(&r);
}

static void values(void **state)
{
	json_t *v = json_loads("{\"a\": [\"x hunter22\", 1, true, null], \"hunter22\": {\"b\": \"aHVudGVyMjI=\"}}", 0, NULL), *shown;
	json_t *secrets = json_loads("{\"s\": {\"token\": \"hunter22\", \"n\": 5}, \"l\": [\"tok\"]}", 0, NULL);
	struct redact r = {0};
	char *text;

	(void)state;
	redact_add_all(&r, secrets);
	shown = redact_json(&r, v);
	text = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"***\":{\"b\":\"***=\"},\"a\":[\"x ***\",1,true,null]}");
	free(text);
	json_decref(shown);
	json_decref(v);
	json_decref(secrets);
	redact_free(&r);
}

static void urls(void **state)
{
	static const struct {
		const char *url, *want;
	} cases[] = {
	    {"https://h/a?b=c", "https://h/a?b=c"},
	    {"https://u:p@h/a", "https://***@h/a"},
	    {"https://u@h:1/a@b?x=@", "https://***@h:1/a@b?x=@"},
	    {"https://h/a?token=abc&x=1", "https://h/a?token=***&x=1"},
	    {"https://h/a?x=1&API_KEY=abc", "https://h/a?x=1&API_KEY=***"},
	    {"https://h/a?sig=1&code=2&Signature=3&keys=4", "https://h/a?sig=***&code=***&Signature=***&keys=4"},
	    {"https://h/hunter22?q=hunter22", "https://h/***?q=***"},
	    {"/relative?password=x", "/relative?password=***"},
	    {"https://h/a?b&token", "https://h/a?b&token"},
	};
	struct redact r = {0};
	size_t k;

	(void)state;
	redact_add(&r, "hunter22", 8);
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		char *shown = url_show(cases[k].url, &r);

		assert_string_equal(shown, cases[k].want);
		free(shown);
	}
	redact_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spellings), cmocka_unit_test(streams), cmocka_unit_test(cuts),
	    cmocka_unit_test(values),    cmocka_unit_test(urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
