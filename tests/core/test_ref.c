/*
 * References: TMPL ({{trigger.x}}, {{steps.id.output.x}}), S0's ${id.output.path}, EDGE-1 (types are kept).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/ref.h"

/* What r says, in a fixed notation: ROOT[:ID.FIELD] and the steps. */
static char *spelled(const struct ref *r)
{
	static const char *const root[] = {"action",  "env",     "inputs",   "vars",
					   "trigger", "secrets", "execution"};
	static const char *const field[] = {"output", "status", "error", "attempts"};
	struct buf b = BUF_INIT;
	size_t i;

	buf_puts(&b, r->prev ? "prev-" : "");
	buf_puts(&b, root[r->root]);
	if (r->root == REF_ACTION)
		buf_printf(&b, ":%s.%s", r->action, field[r->field]);
	for (i = 0; i < r->nsteps; i++) {
		if (r->step[i].name)
			buf_printf(&b, "/%s", r->step[i].name);
		else
			buf_printf(&b, "#%zu", r->step[i].index);
	}
	return buf_steal(&b);
}

static void valid_paths(void **state)
{
	static const struct {
		const char *path, *means;
	} cases[] = {
	    {"fetch.output", "action:fetch.output"},
	    {"fetch.output.items[0].name", "action:fetch.output/items#0/name"},
	    {"steps.fetch.output.a", "action:fetch.output/a"},
	    {"steps.env.output", "action:env.output"},
	    {"steps.steps.status", "action:steps.status"},
	    {"prev.fetch.status", "prev-action:fetch.status"},
	    {"build-linux.attempts", "action:build-linux.attempts"},
	    {"1.output.x", "action:1.output/x"},
	    {"a.error.category", "action:a.error/category"},
	    {"a.output[0][12]", "action:a.output#0#12"},
	    {"a.output[\"two words\"]['x']", "action:a.output/two words/x"},
	    {"a.output[\"a\\\"b\\\\c\"]", "action:a.output/a\"b\\c"},
	    {"a.output[\"\"]", "action:a.output/"},
	    {"a.output[\"naïve ]}\"].x", "action:a.output/naïve ]}/x"},
	    {"a.output.0", "action:a.output/0"},
	    {"steps[\"odd id\"].output", "action:odd id.output"},
	    {"a[\"output\"].x", "action:a.output/x"},
	    {"env.HOME", "env/HOME"},
	    {"env[\"A.B\"]", "env/A.B"},
	    {"inputs.day", "inputs/day"},
	    {"inputs.days[1].name", "inputs/days#1/name"},
	    {"vars.x", "vars/x"},
	    {"trigger.filePath", "trigger/filePath"},
	    {"secrets.token", "secrets/token"},
	    {"execution.id", "execution/id"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *why = "";
		struct ref r;

		if (!ref_parse(cases[i].path, strlen(cases[i].path), &r, &why, NULL))
			fail_msg("%s: %s", cases[i].path, why);
		AUTO_FREE char *got = spelled(&r);
		assert_string_equal(got, cases[i].means);
		assert_string_equal(r.text, cases[i].path);
		ref_free(&r);
	}
}

static void invalid_paths(void **state)
{
	static const struct {
		const char *path;
		size_t at;
		const char *why;
	} cases[] = {
	    {"", 0, "a reference is missing"},
	    {"fetch", 5, "\"fetch\" is not a reference: a field must follow, such as fetch.output"},
	    {"steps.fetch", 11,
	     "\"steps.fetch\" is not a reference: a field must follow, such as steps.fetch.output"},
	    {"steps", 5, "an action's id must follow \"steps\", such as steps.fetch.output"},
	    {"prev[0].status", 4, "an action's id must follow \"prev\", such as prev.fetch.output"},
	    {"env", 3, "\"env\" is not a reference: a name must follow, such as env.HOME"},
	    {"env[0]", 3, "env has names, not positions"},
	    {"env.A.b", 6, "what is in env is text: nothing can follow it"},
	    {"fetch.outputs", 6, "\"outputs\" is not a field of an action; did you mean \"output\"?"},
	    {"fetch.stauts", 6, "\"stauts\" is not a field of an action; did you mean \"status\"?"},
	    {"fetch.result", 6,
	     "\"result\" is not a field of an action; those are output, status, error and attempts"},
	    {"input.day", 0,
	     "\"day\" is not a field of an action; did you mean \"inputs\" instead of \"input\"?"},
	    {"step.fetch.output", 0,
	     "\"fetch\" is not a field of an action; did you mean \"steps\" instead of \"step\"?"},
	    {"fetch[0]", 5, "an action has the fields output, status, error and attempts, not positions"},
	    {"a.status.x", 9, "status is a word: nothing can follow it"},
	    {"a.attempts[0]", 10, "attempts is a number: nothing can follow it"},
	    {".a.output", 0, "a reference starts with a name"},
	    {"a..output", 2, "a name is missing after \".\""},
	    {"a.output.", 9, "a name is missing after \".\""},
	    {"a.output.[0]", 9, "a name is missing after \".\""},
	    {"a.output[", 8, "\"[\" is not closed"},
	    {"a.output[0", 8, "\"[\" is not closed"},
	    {"a.output[\"x\"", 8, "\"[\" is not closed"},
	    {"a.output[\"x", 9, "the quote is not closed"},
	    {"a.output[]", 9, "an index or a quoted name is missing in \"[]\""},
	    {"a.output[-1]", 9, "an index counts from 0"},
	    {"a.output[9999999999]", 9, "the index is too large"},
	    {"a.output[x]", 9, "in brackets stands an index such as [0] or a quoted name such as [\"x\"]"},
	    {"a.output['\\n']", 10, "after \"\\\" a quote or another \"\\\" must follow"},
	    {"a b.output", 1,
	     "a blank cannot stand inside a reference; write [\"…\"] around a name that has one"},
	    {"a.output. x", 9,
	     "a blank cannot stand inside a reference; write [\"…\"] around a name that has one"},
	    {"a.output$", 8, "\"$\" cannot stand in a reference"},
	    {"a.öutput", 2, "\"ö\" cannot stand in a reference"},
	    {"a.output\x01", 8, "a byte that no reference can have"},
	    {"a.output[\"\n\"]", 10, "a byte that no reference can have"},
	    {"a.output[\"\xff\"]", 10, "a byte that no reference can have"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *why = "";
		struct ref r;
		size_t at = 0;

		if (ref_parse(cases[i].path, strlen(cases[i].path), &r, &why, &at))
			fail_msg("%s is taken", cases[i].path);
		if (strcmp(why, cases[i].why) != 0 || at != cases[i].at)
			fail_msg("%s: at %zu %s", cases[i].path, at, why);
		assert_null(r.text);
	}
}

static void path_limits(void **state)
{
	AUTO_BUF struct buf b = BUF_INIT;
	const char *why;
	struct ref r;
	size_t i;

	(void)state;
	buf_puts(&b, "steps.a.output");
	for (i = 0; i < REF_STEPS_MAX; i++)
		buf_puts(&b, ".x");
	assert_true(ref_parse(b.p, b.len, &r, &why, NULL));
	assert_int_equal(r.nsteps, REF_STEPS_MAX);
	ref_free(&r);
	buf_puts(&b, ".x");
	assert_false(ref_parse(b.p, b.len, &r, &why, NULL));
	assert_string_equal(why, "more than 32 steps");
	buf_reset(&b);
	buf_puts(&b, "inputs.x");
	for (i = 0; i < REF_STEPS_MAX; i++)
		buf_puts(&b, "[1]");
	assert_false(ref_parse(b.p, b.len, &r, &why, NULL));
	assert_string_equal(why, "more than 32 steps");
	buf_reset(&b);
	buf_puts(&b, "vars.");
	while (b.len < REF_TEXT_MAX)
		buf_putc(&b, 'x');
	assert_true(ref_parse(b.p, b.len, &r, &why, NULL));
	ref_free(&r);
	buf_putc(&b, 'x');
	assert_false(ref_parse(b.p, b.len, &r, &why, NULL));
	assert_string_equal(why, "a reference is longer than 1024 bytes");
}

static void whole(void **state)
{
	static const char *const yes[] = {"${a.output.x}", "{{a.output.x}}", "${ a.output.x }",
					  "{{ a.output.x\n}}"};
	static const char *const no[] = {"a.output.x",
					 "${a.output.x} ",
					 "x${a.output.x}",
					 "${a.output.x}${b.output}",
					 "$${a.output.x}",
					 "${HOME}",
					 "",
					 "{{a}}"};
	const char *why = NULL;
	struct ref r;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_true(ref_parse_whole(yes[i], strlen(yes[i]), &r, &why));
		assert_string_equal(r.text, "a.output.x");
		ref_free(&r);
	}
	for (i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(ref_parse_whole(no[i], strlen(no[i]), &r, &why));
	assert_string_equal(why, "\"a\" is not a reference: a field must follow, such as a.output");
}

/* What the tests know: actions "a" and "b", inputs, env and trigger. */
static json_t *world(void)
{
	json_t *w = json_loads("{\"a\":{\"n\":42,\"r\":0.1,\"t\":\"text\",\"yes\":true,\"no\":false,\"nil\":"
			       "null,\"list\":[1,\"two\",{\"x\":3}],"
			       "\"object\":{\"k\":\"v\\n\\\"\",\"f\":2.5},\"odd\":\"${a.output.t}\","
			       "\"empty\":\"\",\"two words\":7,\"number\":\"7\"},"
			       "\"env\":{\"HOME\":\"/home/"
			       "x\"},\"inputs\":{\"day\":\"Monday\"},\"trigger\":{\"filePath\":\"/f\"}}",
			       0, NULL);

	assert_non_null(w);
	return w;
}

static json_t *lookup(void *ctx, const struct ref *r, struct err *e)
{
	json_t *w = ctx, *v = NULL;

	assert_non_null(e);
	assert_int_equal(e->code, 0);
	if (r->root == REF_ACTION && strcmp(r->action, "broken") == 0) {
		err_set(e, EIO, "the output cannot be read");
		return NULL;
	}
	if (r->root == REF_ACTION && r->field == REF_OUTPUT && strcmp(r->action, "a") == 0)
		v = ref_walk(r, json_object_get(w, "a"));
	else if (r->root == REF_ENV)
		v = ref_walk(r, json_object_get(w, "env"));
	else if (r->root == REF_INPUTS)
		v = ref_walk(r, json_object_get(w, "inputs"));
	else if (r->root == REF_TRIGGER)
		v = ref_walk(r, json_object_get(w, "trigger"));
	if (!v && r->root == REF_ACTION && strcmp(r->action, "a") == 0)
		err_set(e, ENOENT, "a has the outputs \"n\", \"t\"");
	return json_incref(v);
}

/* EDGE-1: whoever takes a value gets it with its type, so a mismatch is seen and not pasted over. */
static void expansion(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    /* A reference that is all there is keeps the type. */
	    {"\"${a.output.n}\"", "42"},
	    {"\"{{a.output.n}}\"", "42"},
	    {"\"{{ steps.a.output.n }}\"", "42"},
	    {"\"${ a.output.yes }\"", "true"},
	    {"\"${a.output.nil}\"", "null"},
	    {"\"${a.output.list}\"", "[1,\"two\",{\"x\":3}]"},
	    {"\"${a.output.object}\"", "{\"k\":\"v\\n\\\"\",\"f\":2.5}"},
	    {"\"${a.output.list[2].x}\"", "3"},
	    {"\"${a.output['two words']}\"", "7"},
	    {"\"${a.output.number}\"", "\"7\""},
	    /* Inside text. */
	    {"\"n=${a.output.n}\"", "\"n=42\""},
	    {"\"${a.output.n} \"", "\"42 \""},
	    {"\"${a.output.n}${a.output.n}\"", "\"4242\""},
	    {"\"{{a.output.t}}-${a.output.yes}-{{a.output.no}}\"", "\"text-true-false\""},
	    {"\"[${a.output.nil}${a.output.empty}]\"", "\"[]\""},
	    {"\"r ${a.output.r}\"", "\"r 0.1\""},
	    {"\"l ${a.output.list}\"", "\"l [1,\\\"two\\\",{\\\"x\\\":3}]\""},
	    {"\"o ${a.output.object}\"", "\"o {\\\"k\\\":\\\"v\\\\n\\\\\\\"\\\",\\\"f\\\":2.5}\""},
	    {"\"Code review for {{trigger.filePath}}:\\n\\n{{steps.a.output.t}}\"",
	     "\"Code review for /f:\\n\\ntext\""},
	    {"\"{{a.output.t}}}\"", "\"text}\""},
	    {"\"{${a.output.t}}\"", "\"{text}\""},
	    /* Once: a value that looks like a reference is only text. */
	    {"\"${a.output.odd}\"", "\"${a.output.t}\""},
	    {"\"x${a.output.odd}\"", "\"x${a.output.t}\""},
	    /* What a shell's is left to it. */
	    {"\"${HOME}\"", "\"${HOME}\""},
	    {"\"$HOME ${HOME:-/x.y} ${#a.b} ${x[@]} ${x%.c} ${!a.b} $(a.b) $a.b\"",
	     "\"$HOME ${HOME:-/x.y} ${#a.b} ${x[@]} ${x%.c} ${!a.b} $(a.b) $a.b\""},
	    {"\"${m[\\\"$k\\\"]} ${} ${ } ${\\\"a.b\\\"}\"", "\"${m[\\\"$k\\\"]} ${} ${ } ${\\\"a.b\\\"}\""},
	    {"\"$ { {a.b}} } }} ${a.output\"", "\"$ { {a.b}} } }} ${a.output\""},
	    {"\"${x${a.output.n}}\"", "\"${x42}\""},
	    {"\"\"", "\"\""},
	    /* Escapes, and only where there is something to escape. */
	    {"\"$${a.output.n}\"", "\"${a.output.n}\""},
	    {"\"\\\\${a.output.n}\"", "\"${a.output.n}\""},
	    {"\"\\\\{{a.output.n}}\"", "\"{{a.output.n}}\""},
	    {"\"\\\\{{.Names}} \\\\{{\"", "\"{{.Names}} {{\""},
	    {"\"$$${a.output.n}\"", "\"$42\""},
	    {"\"$$$${a.output.n}\"", "\"$${a.output.n}\""},
	    {"\"\\\\\\\\{{a.output.n}}\"", "\"\\\\42\""},
	    {"\"\\\\\\\\\\\\{{a.output.n}}\"", "\"\\\\{{a.output.n}}\""},
	    {"\"$${HOME} \\\\${HOME} \\\\\\\\n $$\"", "\"$${HOME} \\\\${HOME} \\\\\\\\n $$\""},
	    {"\"$${{ a.output.n }} \\\\${{ x }}\"", "\"${{ a.output.n }} ${{ x }}\""},
	    {"\"$\\\\{{a.output.n}}\"", "\"${{a.output.n}}\""},
	    {"\"${a.output.n}$${a.output.n}\"", "\"42${a.output.n}\""},
	    /* Everywhere in a value, but not in names. */
	    {"{\"x\":[\"${a.output.n}\",{\"${a.output.n}\":\"{{inputs.day}}\"}],\"y\":null,\"z\":1.5}",
	     "{\"x\":[42,{\"${a.output.n}\":\"Monday\"}],\"y\":null,\"z\":1.5}"},
	    {"true", "true"},
	};
	json_t *w = world();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *in = json_loads(cases[i].in, JSON_DECODE_ANY, NULL), *out;
		struct err e;

		assert_non_null(in);
		out = ref_expand(in, lookup, w, &e);
		if (!out)
			fail_msg("%s: %s", cases[i].in, e.text);
		AUTO_FREE char *got = json_dumps(out, JSON_ENCODE_ANY | JSON_COMPACT);
		assert_string_equal(got, cases[i].out);
		json_decref(in);
		json_decref(out);
	}
	json_decref(w);
}

static void expansion_fails(void **state)
{
	static const struct {
		const char *in;
		int code;
		const char *why;
	} cases[] = {
	    {"\"${a.output.x}\"", ENOENT,
	     "reference ${a.output.x} has no value: a has the outputs \"n\", \"t\""},
	    {"{\"p/q\":[0,\"-{{ a.output.x }}-\"]}", ENOENT,
	     "/p~1q/1: reference ${a.output.x} has no value: a has the outputs \"n\", \"t\""},
	    {"\"{{b.output}}\"", ENOENT, "reference ${b.output} has no value"},
	    {"\"{{broken.output}}\"", EIO, "reference ${broken.output}: the output cannot be read"},
	    {"\"x {{ }}\"", EBADMSG, "{{ }} is not a reference: nothing stands between {{ and }}"},
	    {"[\"{{a b}}\"]", EBADMSG,
	     "/0: {{a b}} is not a reference: a blank cannot stand inside a reference; write [\"…\"] around "
	     "a name that has one"},
	    {"\"${{ a.output.n }}\"", EBADMSG,
	     "${{ a.output.n }} is not a reference: write ${path} or {{path}}, not ${{path}}"},
	};
	json_t *w = world();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *in = json_loads(cases[i].in, JSON_DECODE_ANY, NULL);
		struct err e;

		assert_null(ref_expand(in, lookup, w, &e));
		assert_string_equal(e.text, cases[i].why);
		assert_int_equal(e.code, cases[i].code);
		assert_null(ref_expand(in, lookup, w, NULL));
		json_decref(in);
	}
	json_decref(w);
}

/* The copy is the caller's: changing it changes nothing else. */
static void expansion_copies(void **state)
{
	json_t *w = world(), *in = json_pack("{s:s}", "x", "${a.output.list}"),
	       *out = ref_expand(in, lookup, w, NULL);

	(void)state;
	json_array_clear(json_object_get(out, "x"));
	assert_int_equal(json_array_size(json_object_get(json_object_get(w, "a"), "list")), 3);
	json_decref(out);
	json_decref(in);
	json_decref(w);
}

static json_t *big_lookup(void *ctx, const struct ref *r, struct err *e)
{
	(void)r;
	(void)e;
	return json_incref(ctx);
}

static json_t *nested(size_t depth, json_t *inner)
{
	while (depth-- > 0)
		inner = json_pack("[o]", inner);
	return inner;
}

static void expansion_bounded(void **state)
{
	AUTO_FREE char *mib = malloc(1024 * 1024);
	json_t *big, *in = json_array(), *out, *deep;
	struct err e;
	int i;

	(void)state;
	memset(mib, 'x', 1024 * 1024);
	big = json_stringn(mib, 1024 * 1024);
	for (i = 0; i < 16; i++)
		json_array_append_new(in, json_string(i % 2 ? "${a.output}" : "{{a.output}}${a.error}"));
	assert_null(ref_expand(in, big_lookup, big, &e)); /* 24 MiB */
	assert_int_equal(e.code, EFBIG);
	assert_string_equal(e.text, "/10: with its references replaced, the value is larger than 16 MiB");
	json_array_clear(in);
	for (i = 0; i < 16; i++)
		json_array_append_new(in, json_string("${a.output}"));
	out = ref_expand(in, big_lookup, big, &e);
	assert_non_null(out);
	json_decref(out);
	json_decref(big);
	json_decref(in);

	in = nested(REF_DEPTH, json_string("${a.output}"));
	deep = json_integer(1);
	out = ref_expand(in, big_lookup, deep, &e);
	assert_non_null(out);
	json_decref(out);
	deep = nested(1, deep);
	assert_null(ref_expand(in, big_lookup, deep, &e));
	assert_non_null(strstr(e.text, "the value is nested deeper than 64"));
	in = nested(1, in);
	json_decref(deep);
	deep = json_integer(1);
	assert_null(ref_expand(in, big_lookup, deep, &e));
	assert_non_null(strstr(e.text, "the value is nested deeper than 64"));
	json_decref(in);
	json_decref(deep);

	in = json_string("x ${a.output}");
	deep = nested(REF_DEPTH + 1, json_integer(1));
	assert_null(ref_expand(in, big_lookup, deep, &e));
	assert_string_equal(e.text, "the value is nested deeper than 64");
	json_decref(deep);
	json_decref(in);
}

struct seen {
	struct buf refs, bad;
	size_t n;
};

static void on_ref(void *ctx, const char *pointer, const struct ref *r)
{
	struct seen *s = ctx;

	buf_printf(&s->refs, "%s=%s\n", pointer, r->text);
}

static void on_bad(void *ctx, const char *pointer, const char *text, const char *why)
{
	struct seen *s = ctx;

	s->n++;
	buf_printf(&s->bad, "%s=%s: %s\n", pointer, text, why);
}

static void scanning(void **state)
{
	struct seen s = {BUF_INIT, BUF_INIT, 0};
	json_t *v =
	    json_loads("{\"a/b\":[\"${x.output} {{ y.status }}\",\"${HOME} ${A:-x.y} \\\\{{z.output}}\"],"
		       "\"c~\":{\"d\":\"{{ }} ${a..b} {{.Names}} ${arr[0]} {{x\"}}",
		       0, NULL);

	(void)state;
	ref_scan(v, "/inputs", on_ref, on_bad, &s);
	assert_string_equal(buf_str(&s.refs), "/inputs/a~1b/0=x.output\n/inputs/a~1b/0=y.status\n");
	assert_string_equal(
	    buf_str(&s.bad),
	    "/inputs/c~0/d={{ }}: nothing stands between {{ and }} (write \\{{…}} if it is meant as text)\n"
	    "/inputs/c~0/d=${a..b}: a name is missing after \".\" (write $${…} if it is meant as text)\n"
	    "/inputs/c~0/d={{.Names}}: a reference starts with a name (write \\{{…}} if it is meant as "
	    "text)\n"
	    "/inputs/c~0/d=${arr[0]}: an action has the fields output, status, error and attempts, not "
	    "positions "
	    "(write $${…} if it is meant as text)\n"
	    "/inputs/c~0/d={{: \"{{\" is not closed by \"}}\" (write \\{{…}} if it is meant as text)\n");
	ref_scan(v, "", NULL, NULL, NULL);
	ref_scan(NULL, "", on_ref, on_bad, NULL);
	json_decref(v);
	buf_reset(&s.bad);
	v = nested(REF_DEPTH + 1, json_string("${a.output}"));
	ref_scan(v, "", on_ref, on_bad, &s);
	assert_non_null(strstr(buf_str(&s.bad), "values are nested too deep here"));
	json_decref(v);
	buf_free(&s.refs);
	buf_free(&s.bad);
}

/* Texts made to be slow: each is 4 MiB and must be read in time linear in that. */
static void hostile_text(void **state)
{
	static const char *const units[] = {"{{", "${", "${a.", "${\"", "${'${\"",  "$",
					    "\\", "}}", "{{a",  "{{}}", "${a.b[\"", "\\\\{{x.output}}"};
	enum { SIZE = 4 * 1024 * 1024 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof units / sizeof *units; i++) {
		struct seen s = {BUF_INIT, BUF_INIT, 0};
		AUTO_BUF struct buf b = BUF_INIT;
		json_t *v, *out;

		while (b.len < SIZE)
			buf_puts(&b, units[i]);
		v = json_stringn(b.p, b.len);
		ref_scan(v, "", NULL, on_bad, &s);
		assert_true(s.n <= REF_BAD_MAX);
		out = ref_expand(v, big_lookup, v, NULL);
		json_decref(out);
		json_decref(v);
		buf_free(&s.bad);
	}
}

/* Anything at all: no crash, no leak (under ASan), and what comes out is text. */
static void random_text(void **state)
{
	static const char *const tokens[] = {
	    "${", "{{", "}}", "}", "$", "\\",       "a", ".output", "steps.", "prev.",      "[",     "]", "0",
	    "\"", "'",  " ",  ".", "x", "env.HOME", "é", "-",       "\n",     "a.output.n", "inputs"};
	uint64_t seed = 0x9e3779b97f4a7c15u;
	json_t *w = world();
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		AUTO_BUF struct buf b = BUF_INIT;
		json_t *v, *out;
		struct err e;
		struct ref r;
		int n;

		for (n = (int)(seed >> 60) + 1; n > 0; n--) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			buf_puts(&b, tokens[(seed >> 32) % (sizeof tokens / sizeof *tokens)]);
		}
		v = json_stringn(b.p, b.len);
		out = ref_expand(v, lookup, w, &e);
		if (!out)
			assert_true(e.code != 0 && e.text[0] && text_is_utf8(e.text, strlen(e.text)));
		json_decref(out);
		ref_scan(v, "", NULL, NULL, NULL);
		if (ref_parse(b.p, b.len, &r, NULL, NULL))
			ref_free(&r);
		json_decref(v);
	}
	json_decref(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(valid_paths),      cmocka_unit_test(invalid_paths),
	    cmocka_unit_test(path_limits),      cmocka_unit_test(whole),
	    cmocka_unit_test(expansion),        cmocka_unit_test(expansion_fails),
	    cmocka_unit_test(expansion_copies), cmocka_unit_test(expansion_bounded),
	    cmocka_unit_test(scanning),         cmocka_unit_test(hostile_text),
	    cmocka_unit_test(random_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
