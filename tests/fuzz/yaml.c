/*
 * YAML as plans, decisions and the configuration are read.  What is accepted is a value that JSON can hold, and
 * every node of it has a place; what is refused is refused with a place and a reason.
 */
#include <jansson.h>

#include "base/mem.h"
#include "codec/source.h"
#include "tests/fuzz/fuzz.h"

static void check_refusal(const struct source *s, const struct diags *errors)
{
	size_t k;

	MUST(errors->n > 0, "a refusal without a reason");
	MUST(!s->root && !s->marks, "a refusal that left something");
	for (k = 0; k < errors->n; k++)
		MUST(errors->v[k].message[0] && errors->v[k].line > 0 && errors->v[k].column > 0,
		     "a finding without a place: %s", errors->v[k].message);
}

static void check_places(const struct source *s, const json_t *v, const char *pointer, int depth)
{
	int line = 0, column = 0;
	const char *key;
	json_t *item;
	size_t k;

	MUST(source_place(s, pointer, false, &line, &column) && line > 0 && column > 0, "no place for %s", pointer);
	if (depth > 8)
		return;
	json_array_foreach((json_t *)v, k, item) {
		AUTO_FREE char *below = xasprintf("%s/%zu", pointer, k);

		check_places(s, item, below, depth + 1);
	}
	json_object_foreach((json_t *)v, key, item) {
		AUTO_FREE char *below = xasprintf("%s/%s", pointer, key);

		if (!strpbrk(key, "~/"))
			check_places(s, item, below, depth + 1);
	}
}

/* The value as JSON is read as the same value. */
static void check_as_json(const json_t *root)
{
	AUTO_FREE char *text = json_dumps(root, JSON_ENCODE_ANY);
	struct diags errors = DIAGS_INIT;
	struct source again = {0};

	MUST(text, "a value that JSON cannot hold");
	MUST(source_parse(SOURCE_JSON, text, strlen(text), &source_plan_limits, &again, &errors), "%s: %s",
	     errors.v[0].message, text);
	MUST(json_equal(root, again.root), "another value: %s", text);
	source_free(&again);
	diags_free(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct source_limits *limits = size > 0 && data[0] == '#' ? &source_small_limits : &source_plan_limits;
	struct diags errors = DIAGS_INIT;
	struct source s = {0};

	if (!source_parse(SOURCE_YAML, (const char *)data, size, limits, &s, &errors)) {
		check_refusal(&s, &errors);
	} else {
		MUST(errors.n == 0, "accepted with findings: %s", errors.v[0].message);
		if (s.root) {
			check_places(&s, s.root, "", 0);
			check_as_json(s.root);
		}
		source_free(&s);
	}
	diags_free(&errors);
	return 0;
}
