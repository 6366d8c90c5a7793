/*
 * Requests from templates (S0-DEF): what a value becomes in each place, and what it may not be there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actions/http/request.h"
#include "actions/http/url.h"
#include "base/mem.h"

static json_t *inputs(void)
{
	json_t *o = json_loads("{\"id\": \"x/y\", \"plain\": \"abc\", \"n\": 3, \"big\": 9007199254740993, \"f\": 1.5, \"yes\": true,"
			       "\"none\": null, \"empty\": \"\", \"dots\": \"..\", \"dot\": \".\", \"list\": [\"a b\", 2],"
			       "\"object\": {\"k\": [1]}, \"utf\": \"p\\u00e4 ss\", \"crlf\": \"a\\r\\nX-Evil: 1\", \"tab\": \"a\\tb\","
			       "\"marks\": \"a&b=c?d#e%f+g\", \"quote\": \"say \\\"hi\\\"\\\\\", \"host\": \"eu-1.example\","
			       "\"evil\": \"evil.example/\", \"price\": 19.99, \"at\": \"u@evil\", \"xml\": \"<a&'b\\\">\"}",
			       0, NULL);

	assert_non_null(o);
	return o;
}

static void urls(void **state)
{
	static const struct {
		const char *template, *query, *want; /* want begins with !: refused, and the message has this in it */
	} rows[] = {
	    {"https://h/v1/items", NULL, "https://h/v1/items"},
	    {"https://h", NULL, "https://h/"},
	    {"https://h/{plain}", NULL, "https://h/abc"},
	    {"https://h/{id}/z", NULL, "https://h/x%2Fy/z"},
	    {"https://h/a{n}b{f}c{yes}", NULL, "https://h/a3b1.5ctrue"},
	    {"https://h/?p={price}", NULL, "https://h/?p=19.99"},
	    {"https://h/{big}", NULL, "https://h/9007199254740993"},
	    {"https://h/{utf}", NULL, "https://h/p%C3%A4%20ss"},
	    {"https://h/{marks}", NULL, "https://h/a%26b%3Dc%3Fd%23e%25f%2Bg"},
	    {"https://h/{quote}", NULL, "https://h/say%20%22hi%22%5C"},
	    {"https://h/{crlf}", NULL, "https://h/a%0D%0AX-Evil%3A%201"},
	    {"https://h/p\xc3\xa4 th/%41|", NULL, "https://h/p%C3%A4%20th/%41%7C"},
	    {"https://h/{not a name}/{}", NULL, "https://h/%7Bnot%20a%20name%7D/%7B%7D"},
	    {"https://h/a#{id}", NULL, "https://h/a"},
	    {"HTTPS://H.Example:443/a", NULL, "https://h.example/a"},
	    /* the query, as it is written */
	    {"https://h/?q={id}&r={marks}", NULL, "https://h/?q=x%2Fy&r=a%26b%3Dc%3Fd%23e%25f%2Bg"},
	    {"https://h/?q=pre-{n}-post", NULL, "https://h/?q=pre-3-post"},
	    {"https://h/?a=1&q={none}&b=2", NULL, "https://h/?a=1&b=2"},
	    {"https://h/?q={absent}", NULL, "https://h/"},
	    {"https://h/?q={empty}", NULL, "https://h/?q="},
	    {"https://h/?q={list}", NULL, "https://h/?q=a%20b&q=2"},
	    {"https://h/?flag&{plain}=1", NULL, "https://h/?flag&abc=1"},
	    {"https://h/?q={dots}", NULL, "https://h/?q=.."},
	    /* and from the record */
	    {"https://h/", "{\"q\": \"{id}\", \"n\": 5, \"a b\": \"{yes}\"}", "https://h/?q=x%2Fy&n=5&a%20b=true"},
	    {"https://h/?a=1", "{\"q\": \"{list}\", \"z\": \"{none}\"}", "https://h/?a=1&q=a%20b&q=2"},
	    {"https://h/", "{\"q\": \"x {plain}\"}", "https://h/?q=x%20abc"},
	    /* the host */
	    {"https://{host}/a", NULL, "https://eu-1.example/a"},
	    {"https://{host}:8{n}/a", NULL, "https://eu-1.example:83/a"},
	    /* refused */
	    {"https://h/{absent}", NULL, "!there is no input \"absent\""},
	    {"https://h/{none}", NULL, "!there is no input \"none\""},
	    {"https://h/{empty}", NULL, "!empty, which would ask for something else"},
	    {"https://h/{empty}/x", NULL, "!empty, which would ask for something else"},
	    {"https://h/{dots}/x", NULL, "!would lead to another path"},
	    {"https://h/{dot}/x", NULL, "!would lead to another path"},
	    {"https://h/{dots};v=1/x", NULL, "!would lead to another path"},
	    {"https://h/.{empty}./x", NULL, "!would ask for something else"},
	    {"https://h/{object}", NULL, "!is an object, which cannot stand there"},
	    {"https://h/{list}", NULL, "!is a list, which cannot stand there"},
	    {"https://h/?q=a{list}", NULL, "!is a list, which cannot stand there"},
	    {"https://h/?q=a{absent}", NULL, "!there is no input \"absent\""},
	    {"https://h/", "{\"q\": \"{object}\"}", "!is an object, which cannot stand there"},
	    {"https://h/", "{\"q\": [1]}", "!the value of \"q\" is no text"},
	    {"https://{evil}/a", NULL, "!cannot stand in the host's name"},
	    {"https://{at}/a", NULL, "!cannot stand in the host's name"},
	    {"https://a.{empty}/a", NULL, "!is empty, and stands in the host's name"},
	    {"{plain}://h/", NULL, "!the URL must begin with https:// or http://"},
	    {"ftp://h/", NULL, "!the URL is neither http nor https"},
	    {"file:///etc/passwd", NULL, "!the URL must begin with https:// or http:// and a host"},
	    {"https://u:p@h/", NULL, "!user and password stand in the URL"},
	    {"https:///a", NULL, "!the URL must begin with https:// or http:// and a host"},
	    {"/a", NULL, "!the URL must begin with https:// or http://"},
	};
	json_t *given = inputs();
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		json_t *query = rows[k].query ? json_loads(rows[k].query, 0, NULL) : NULL;
		struct template_values values = {given, json_object()};
		struct err e = {0};
		char *url = url_from_template(rows[k].template, query, &values, &e);

		if (*rows[k].want == '!') {
			if (url || !strstr(e.text, rows[k].want + 1))
				fail_msg("%s gives %s: %s", rows[k].template, url ? url : "nothing", e.text);
		} else if (!url || strcmp(url, rows[k].want) != 0) {
			fail_msg("%s gives %s: %s", rows[k].template, url ? url : "nothing", e.text);
		}
		free(url);
		json_decref(values.used);
		json_decref(query);
	}
	json_decref(given);
}

/* ---- whole requests ---- */

/* "Name: value\n…\n\nbody", without what is always there. */
static char *shown(const struct request *r)
{
	static const char *const always[] = {"Accept", "User-Agent", "Accept-Encoding", NULL};
	struct buf b = BUF_INIT;
	size_t i, k;

	for (i = 0; i < r->headers.n; i++) {
		for (k = 0; always[k]; k++)
			if (strcmp(r->headers.v[i].name, always[k]) == 0)
				break;
		if (!always[k])
			buf_printf(&b, "%s: %s\n", r->headers.v[i].name, r->headers.v[i].value);
	}
	buf_printf(&b, "%s%s", r->has_body ? "|" : "", buf_str(&r->body));
	return buf_steal(&b);
}

static void requests(void **state)
{
	static const struct {
		const char *method, *endpoint, *more, *want;
	} rows[] = {
	    /* headers */
	    {"GET", "\"headers\": {\"X-A\": \"v{n} {plain}\", \"X-B\": \"{list}\", \"X-C\": \"{none}\"}", "",
	     "X-A: v3 abc\nX-B: a b, 2\n"},
	    {"GET", "\"headers\": {\"X-A\": \"{utf}{tab}\"}", "", "X-A: p\xc3\xa4 ssa\tb\n"},
	    {"GET", "\"headers\": {\"X-A\": \"{crlf}\"}", "", "!header X-A: input \"crlf\" has a control character"},
	    {"GET", "\"headers\": {\"X-A\": \"a\\nb\"}", "", "!must be text without control characters"},
	    {"GET", "\"headers\": {\"X A\": \"b\"}", "", "!cannot be the name of a header"},
	    {"GET", "\"headers\": {\"X-A\\r\\nX-B\": \"b\"}", "", "!cannot be the name of a header"},
	    {"GET", "\"headers\": {\"host\": \"b\"}", "", "!is set by creel and cannot be given"},
	    {"GET", "\"headers\": {\"Content-Length\": \"5\"}", "", "!is set by creel and cannot be given"},
	    {"GET", "\"headers\": {\"X-A\": \"a{none}\"}", "", "!header X-A: there is no input \"none\""},
	    {"GET", "\"headers\": {\"X-A\": \"{object}\"}", "", "!is an object, which cannot stand there"},
	    /* the rest of the inputs is the body, where there is one */
	    {"POST", "\"headers\": {}", "", "Content-Type: application/json\n|{\"a\":\"x\",\"b\":2}"},
	    {"PATCH", "\"headers\": {\"X-A\": \"{a}\"}", "", "X-A: x\nContent-Type: application/json\n|{\"b\":2}"},
	    {"PUT", "\"headers\": {\"X-A\": \"{a}{b}\"}", "", "X-A: x2\n"},
	    {"PUT", "\"headers\": {\"X-A\": \"{a}{b}\"}", "\"inputSchema\": {\"a\": \"string\", \"c\": \"string?\"}",
	     "X-A: x2\nContent-Type: application/json\n|{}"},
	    {"PUT", "\"headers\": {\"X-A\": \"{a}{b}\"}", "\"inputSchema\": {\"a\": \"string\", \"b\": \"integer\"}", "X-A: x2\n"},
	    {"DELETE", "\"headers\": {}", "", ""},
	    {"POST", "\"body\": {\"p\": \"{price}\", \"l\": [0.1, 1e300, 3.0, 1e-7]}", "", "Content-Type: application/json\n|{\"p\":19.99,\"l\":[0.1,1e+300,3.0,1e-07]}"},
	    {"POST", "\"body\": \"{\\\"p\\\": {price}}\"", "", "Content-Type: application/json\n|{\"p\": 19.99}"},
	    {"HEAD", "\"headers\": {}", "\"KEY\": 1", ""},
	    {"GET", "\"headers\": {}", "", ""},
	    {"POST", "\"headers\": {\"Content-Type\": \"application/x-www-form-urlencoded\"}", "",
	     "Content-Type: application/x-www-form-urlencoded\n|a=x&b=2"},
	    /* a body of its own */
	    {"DELETE", "\"body\": {\"why\": \"{a}\"}", "", "Content-Type: application/json\n|{\"why\":\"x\"}"},
	    {"POST", "\"body\": {\"n\": \"{b}\", \"t\": \"is {b}\", \"o\": {\"l\": [\"{list}\", \"{none}\", 1, null]}, \"z\": \"{none}\"}",
	     "", "Content-Type: application/json\n|{\"n\":2,\"t\":\"is 2\",\"o\":{\"l\":[[\"a b\",2],1,null]}}"},
	    {"POST", "\"body\": {\"t\": \"is {none}\"}", "", "!body: there is no input \"none\""},
	    {"POST", "\"body\": \"{a}\"", "", "Content-Type: text/plain; charset=utf-8\n|x"},
	    {"POST", "\"body\": \"{object}\"", "", "Content-Type: application/json\n|{\"k\":[1]}"},
	    {"POST", "\"body\": \"{none}\"", "", ""},
	    {"POST", "\"body\": \"{\\\"q\\\": \\\"{quote}\\\", \\\"n\\\": {b}, \\\"o\\\": {object}}\"", "",
	     "Content-Type: application/json\n|{\"q\": \"say \\\"hi\\\"\\\\\", \"n\": 2, \"o\": {\"k\":[1]}}"},
	    {"POST", "\"body\": \"a={marks}&b={utf}\", \"headers\": {\"content-type\": \"application/x-www-form-urlencoded\"}", "",
	     "content-type: application/x-www-form-urlencoded\n|a=a%26b%3Dc%3Fd%23e%25f%2Bg&b=p%C3%A4+ss"},
	    {"POST", "\"body\": \"<x>{xml}</x>\", \"headers\": {\"Content-Type\": \"text/xml\"}", "",
	     "Content-Type: text/xml\n|<x>&lt;a&amp;&apos;b&quot;&gt;</x>"},
	    {"POST", "\"body\": \"hi {a}\", \"headers\": {\"Content-Type\": \"text/plain\"}", "",
	     "Content-Type: text/plain\n|hi x"},
	    {"POST", "\"body\": {\"a\": \"{list}\", \"u\": \"{utf}\"}, \"headers\": {\"Content-Type\": \"application/x-www-form-urlencoded\"}",
	     "", "Content-Type: application/x-www-form-urlencoded\n|a=a+b&a=2&u=p%C3%A4+ss"},
	    {"POST", "\"body\": {\"a\": \"{object}\"}, \"headers\": {\"Content-Type\": \"application/x-www-form-urlencoded\"}", "",
	     "!body: input \"a\" is an object"},
	    /* the key that every attempt has */
	    {"POST", "\"body\": \"{none}\"", "\"KEY\": 1", "Idempotency-Key: k-1\n"},
	    {"DELETE", "\"headers\": {}", "\"KEY\": 1, \"idempotencyKeyHeader\": \"X-Once\"", "X-Once: k-1\n"},
	    {"GET", "\"headers\": {}", "\"KEY\": 1", ""},
	    {"DELETE", "\"headers\": {}", "\"KEY\": 1, \"idempotencyKeyHeader\": false", ""},
	    {"DELETE", "\"headers\": {\"idempotency-key\": \"own\"}", "\"KEY\": 1", "idempotency-key: own\n"},
	};
	json_t *given = inputs(), *two = json_pack("{s:s, s:i}", "a", "x", "b", 2);
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *text = xasprintf("{\"execution\": \"e\", \"http\": {\"definition\": {\"id\": \"d\", %s%s"
						 "\"endpoint\": {\"url\": \"https://h/\", \"method\": \"%s\", %s}}}}",
						 rows[k].more, *rows[k].more ? ", " : "", rows[k].method, rows[k].endpoint);
		AUTO_FREE char *is = NULL;
		json_t *request = json_loads(text, 0, NULL), *in = json_copy(two);
		struct err e = {0};
		struct request r;
		struct job j;

		if (!request)
			fail_msg("%s", text);
		if (strstr(rows[k].endpoint, "{list}") || strstr(rows[k].endpoint, "{utf}") || strstr(rows[k].endpoint, "{n}") ||
		    strstr(rows[k].endpoint, "{crlf}") || strstr(rows[k].endpoint, "{object}") ||
		    strstr(rows[k].endpoint, "{quote}") || strstr(rows[k].endpoint, "{price}") || strstr(rows[k].endpoint, "{xml}"))
			json_object_update_missing(in, given);
		json_object_set_new(request, "inputs", in);
		if (strstr(rows[k].more, "KEY"))
			json_object_set_new(request, "idempotencyKey", json_string("k-1"));
		assert_int_equal(job_read(&j, request, NULL, &e), 0);
		if (request_make(&r, &j, &e) < 0) {
			if (*rows[k].want != '!' || !strstr(e.text, rows[k].want + 1))
				fail_msg("%s: %s", rows[k].endpoint, e.text);
		} else {
			is = shown(&r);
			if (strcmp(is, rows[k].want) != 0)
				fail_msg("%s gives\n%s", rows[k].endpoint, is);
			request_free(&r);
		}
		job_free(&j);
	}
	json_decref(given);
	json_decref(two);
}

static void user_agents(void **state)
{
	static const struct {
		const char *http, *headers, *want;
	} rows[] = {
	    {"", "", "creel-http/" CREEL_VERSION},
	    {"\"userAgent\": \"configured\",", "", "configured"},
	    {"\"userAgent\": \"configured\", \"api\": {\"quirks\": {\"requiresUserAgent\": \"api\"}},", "", "api"},
	    {"\"api\": {\"quirks\": {\"requiresUserAgent\": \"api\"}},", "\"user-agent\": \"own\"", "own"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *text = xasprintf("{\"http\": {%s \"definition\": {\"id\": \"d\", \"endpoint\": {\"url\": \"https://h/\","
						 "\"method\": \"GET\", \"headers\": {%s}}}}}", rows[k].http, rows[k].headers);
		struct err e = {0};
		struct request r;
		struct job j;

		assert_int_equal(job_read(&j, json_loads(text, 0, NULL), NULL, &e), 0);
		assert_int_equal(request_make(&r, &j, &e), 0);
		assert_string_equal(headers_get(&r.headers, "User-Agent"), rows[k].want);
		request_free(&r);
		job_free(&j);
	}
}

static void redirects_resolve(void **state)
{
	static const struct {
		const char *base, *location, *want; /* NULL: refused */
	} rows[] = {
	    {"https://h/a/b?q", "c", "https://h/a/c"},
	    {"https://h/a/b?q", "/c?x=1#f", "https://h/c?x=1"},
	    {"https://h/a/b?q", "?x", "https://h/a/b?x"},
	    {"https://h/a/b", "//other/c", "https://other/c"},
	    {"https://h/a/b", "http://h/c", "http://h/c"},
	    {"https://h/a/b", "https://u:p@h/c", "https://h/c"},
	    {"https://h/a/b", "../../../c", "https://h/c"},
	    {"https://h/a/b", "/c d", "https://h/c%20d"},
	    {"https://h/a/b", "file:///etc/passwd", NULL},
	    {"https://h/a/b", "gopher://h/c", NULL},
	    {"https://h/a/b", "javascript:alert(1)", NULL},
	    {"https://h/a/b", "https://h:99999/c", NULL},
	    {"https://h/a/b", "https://h:0/c", NULL},
	    {"https://h/a/b", "https://h:80x/c", NULL},
	    {"https://h:1/a/b", "", "https://h:1/a/b"},
	    {"https://h/a/b?q=1", "#f", "https://h/a/b?q=1"},
	    {"https://h", "c", "https://h/c"},
	    {"https://h/a/b/", "./c/../d/.", "https://h/a/b/d/"},
	    {"https://h/a/b/", "..", "https://h/a/"},
	    {"https://h/a/b", "/..//x", "https://h//x"},
	    {"https://h/a/b", "/a//../b", "https://h/a/b"},
	    {"https://h/a/b", "c:d", NULL},
	    {"https://h/a/b", "./c:d", "https://h/a/c:d"},
	    {"https://h/a/b", "http:c", NULL},
	    {"https://h/a/b", "https:///c", NULL},
	    {"https://h/a/b", "https://", NULL},
	    {"https://h/a/b", "\\\\evil/x", "https://h/a/%5C%5Cevil/x"},
	    {"https://h/a/b", "https://h\\@evil/x", "https://evil/x"},
	    {"https://h/a/b", "https://h%2eevil/x", NULL},
	    {"https://h/a/b", "https://b\303\274cher/x", NULL},
	    {"https://h/a/b", "https://[::1]:8080/x", "https://[::1]:8080/x"},
	    {"https://h/a/b", "https://[::1]x/x", NULL},
	    {"https://h/a/b", "https://[1.2.3.4]/x", NULL},
	    {"https://h/a/b", "https://[fe80::1%25eth0]/x", NULL},
	    {"https://h/a/b", "HTTP://OTHER:80/X", "http://other/X"},
	    {"https://h/a/b", "/p\303\244th?q=\303\244 b", "https://h/p%C3%A4th?q=%C3%A4%20b"},
	    {"https://h/a/b", "/x\ty", NULL},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct err e = {0};
		char *url = url_resolve(rows[k].base, rows[k].location, &e);

		if (!rows[k].want ? url != NULL : !url || strcmp(url, rows[k].want) != 0)
			fail_msg("%s from %s gives %s: %s", rows[k].location, rows[k].base, url ? url : "nothing", e.text);
		free(url);
	}
}

static void origins(void **state)
{
	(void)state;
	assert_true(url_same_origin("https://h/a", "https://H:443/b"));
	assert_true(url_same_origin("http://h/a", "http://h:80/b"));
	assert_false(url_same_origin("http://h/a", "https://h/a"));
	assert_false(url_same_origin("https://h/a", "https://h:444/a"));
	assert_false(url_same_origin("https://h/a", "https://h.evil/a"));
	assert_false(url_same_origin("nonsense", "nonsense"));
	assert_true(url_same_origin("https://[::1]/a", "https://[::1]:443/b"));
	assert_false(url_same_origin("https://[::1]:1/a", "https://[::1]/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(urls),    cmocka_unit_test(requests), cmocka_unit_test(user_agents),
	    cmocka_unit_test(redirects_resolve), cmocka_unit_test(origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
