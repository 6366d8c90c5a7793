/*
 * JSON as plans are read, compared with jansson: what we accept it accepts, as the same value; what it accepts and
 * we do not is beyond our limits.
 */
#include <jansson.h>

#include "base/mem.h"
#include "codec/source.h"
#include "tests/fuzz/fuzz.h"

static size_t depth_of(const json_t *v)
{
	size_t deepest = 0, k, n;
	const char *key;
	json_t *item;

	if (!json_is_array(v) && !json_is_object(v))
		return 0;
	json_array_foreach((json_t *)v, k, item)
		deepest = (n = depth_of(item)) > deepest ? n : deepest;
	json_object_foreach((json_t *)v, key, item)
		deepest = (n = depth_of(item)) > deepest ? n : deepest;
	return deepest + 1;
}

static size_t longest_key(const json_t *v)
{
	size_t longest = 0, k, n;
	const char *key;
	json_t *item;

	json_array_foreach((json_t *)v, k, item)
		longest = (n = longest_key(item)) > longest ? n : longest;
	json_object_foreach((json_t *)v, key, item) {
		longest = strlen(key) > longest ? strlen(key) : longest;
		longest = (n = longest_key(item)) > longest ? n : longest;
	}
	return longest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diags errors = DIAGS_INIT;
	struct source s = {0};
	json_error_t where;
	json_t *theirs;
	size_t skip = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	theirs = json_loadb((const char *)data + skip, size - skip, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (source_parse(SOURCE_JSON, (const char *)data, size, &source_plan_limits, &s, &errors)) {
		if (s.root) {
			MUST(theirs, "jansson does not take it: %s", where.text);
			MUST(json_equal(s.root, theirs), "another value");
		}
		source_free(&s);
	} else {
		MUST(errors.n > 0 && errors.v[0].message[0] && errors.v[0].line > 0, "a refusal without a reason or place");
		/* To jansson a NUL after the value is its end. */
		if (theirs && !memchr(data, 0, size) && depth_of(theirs) <= source_plan_limits.depth &&
		    longest_key(theirs) <= SOURCE_KEY_MAX)
			MUST(0, "jansson takes it: %s", errors.v[0].message);
	}
	json_decref(theirs);
	diags_free(&errors);
	return 0;
}
