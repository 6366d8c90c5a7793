/*
 * Expressions: compiled, and evaluated over values of every kind.  What is refused is refused with a column.
 */
#include <jansson.h>

#include "base/mem.h"
#include "core/expr.h"
#include "tests/fuzz/fuzz.h"

/* The reference's own text says what its value is. */
static json_t *lookup(void *ctx, const struct ref *r, struct err *e)
{
	unsigned char last = (unsigned char)r->text[strlen(r->text) - 1];

	(void)ctx;
	switch (last % 9) {
	case 0:
		return NULL;
	case 1:
		return json_null();
	case 2:
		return json_string("1e3");
	case 3:
		return json_string("some text\nwith lines \xc3\xa9");
	case 4:
		return json_real(0.5);
	case 5:
		return json_pack("[s,i,b,n]", "a", 1, 1);
	case 6:
		return json_pack("{s:s}", "a", "b");
	case 7:
		e->code = 5;
		strcpy(e->text, "it cannot be told");
		return NULL;
	default:
		return json_boolean(last & 1);
	}
}

static void see(void *ctx, const struct ref *r)
{
	struct ref again;

	++*(size_t *)ctx;
	MUST(ref_parse(r->text, strlen(r->text), &again, NULL, NULL), "a reference that is none: %s", r->text);
	ref_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size), *why = NULL, *impossible = NULL;
	struct expr *x = expr_compile(text, &why);
	json_t *value = NULL;
	struct err e = {0};
	size_t refs = 0;

	if (!x) {
		MUST(why && why[0], "a refusal without a reason: %s", text);
		return 0;
	}
	MUST(!why, "accepted with a reason against it: %s", why);
	MUST(strlen(text) <= EXPR_TEXT_MAX, "accepted beyond the limit");
	expr_refs(x, see, &refs);
	impossible = expr_impossible(x);
	if (expr_eval(x, lookup, NULL, &value, &e) == 0) {
		int truth = expr_truth(value);

		MUST(value && truth >= -1 && truth <= 1, "no value");
		json_decref(value);
	} else {
		MUST(e.code && e.text[0], "a failure without a reason: %s", text);
	}
	expr_free(x);
	return 0;
}
