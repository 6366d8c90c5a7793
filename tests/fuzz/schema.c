/*
 * JSON Schema: {"schema": …, "value": …}.  Any schema compiles or is refused with a reason; any value is judged the same
 * with and without findings, and findings are there exactly where it does not fit.
 */
#include <jansson.h>

#include "base/mem.h"
#include "codec/schema.h"
#include "tests/fuzz/fuzz.h"

static const char *raw(void *ctx, const char *pointer)
{
	(void)ctx;
	return strlen(pointer) % 2 ? "1.10" : NULL;
}

static void judge(const struct schema *s, json_t *value)
{
	struct diags found = DIAGS_INIT;
	bool fits = schema_check(s, value, "", &found);
	json_t *copy;

	MUST(fits == (found.n == 0), "%s with %zu findings", fits ? "fits" : "does not fit", found.n);
	MUST(fits == schema_check(s, value, "", NULL), "another verdict without findings");
	diags_free(&found);
	copy = json_deep_copy(value);
	schema_text_fields(s, copy, raw, NULL);
	json_decref(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *schema = json_object_get(root, "schema"), *value = json_object_get(root, "value");
	struct diags errors = DIAGS_INIT;
	struct schema *s;

	if (schema) {
		s = schema_compile(schema, NULL, NULL, &errors);
		MUST(!s == (errors.n > 0), "compiled with findings, or refused without");
		if (s && value)
			judge(s, value);
		schema_free(s);
	}
	diags_free(&errors);
	json_decref(root);
	return 0;
}
