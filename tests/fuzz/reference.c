/*
 * References in text: ${…} and {{…}}, found, parsed and replaced.
 *
 * Whatever the search finds malformed the replacement refuses, and nothing else; text without references comes out as
 * it went in, escapes aside.
 */
#include <errno.h>
#include <jansson.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/ref.h"
#include "tests/fuzz/fuzz.h"

struct found {
	size_t good, bad;
};

static json_t *lookup(void *ctx, const struct ref *r, struct err *e)
{
	(void)ctx;
	(void)e;
	switch (r->text[strlen(r->text) - 1] % 6) {
	case 0:
		return NULL;
	case 1:
		return json_null();
	case 2:
		return json_integer(42);
	case 3:
		return json_pack("{s:[s]}", "k", "${a.output.x}");
	default:
		return json_string("${not.again}");
	}
}

static void good(void *ctx, const char *pointer, const struct ref *r)
{
	struct ref again;

	((struct found *)ctx)->good++;
	MUST(pointer[0] == '#', "a pointer without its base: %s", pointer);
	MUST(ref_parse(r->text, strlen(r->text), &again, NULL, NULL), "a reference that is none: %s", r->text);
	MUST(again.root == r->root && again.nsteps == r->nsteps && again.prev == r->prev, "another reference: %s", r->text);
	ref_free(&again);
}

static void bad(void *ctx, const char *pointer, const char *text, const char *why)
{
	(void)pointer;
	(void)text;
	((struct found *)ctx)->bad++;
	MUST(why && why[0], "no reason");
}

static void search_and_replace(const json_t *value)
{
	struct found found = {0};
	struct err e = {0};
	json_t *made;

	ref_scan(value, "#", good, bad, &found);
	made = ref_expand(value, lookup, NULL, &e);
	if (!made)
		MUST(e.code && e.text[0], "a failure without a reason");
	if (found.bad)
		MUST(!made, "what is malformed was replaced");
	if (!found.bad && !made)
		MUST(found.good > 0, "no reference, and it failed: %s", e.text);
	if (!found.bad && !found.good && json_is_string(value) && !strpbrk(json_string_value(value), "\\$"))
		MUST(json_equal(value, made), "text without references changed");
	json_decref(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *why = NULL;
	json_t *value;
	struct ref r;
	size_t at = 0;

	if (ref_parse(text, size, &r, &why, &at))
		ref_free(&r);
	else
		MUST(why && at <= size, "a refusal without a reason or a place");
	if (ref_parse_whole(text, size, &r, &why))
		ref_free(&r);
	value = text_is_utf8(text, size) && !memchr(text, 0, size) ? json_stringn(text, size) : NULL;
	if (value)
		search_and_replace(value);
	json_decref(value);
	value = json_loadb(text, size, 0, NULL);
	if (value)
		search_and_replace(value);
	json_decref(value);
	return 0;
}
