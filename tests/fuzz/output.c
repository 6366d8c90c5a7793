/*
 * What an action leaves in $CREEL_OUTPUT, and times and ids as they stand in files.
 */
#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"
#include "codec/output.h"
#include "tests/fuzz/fuzz.h"

static void check_output(const json_t *out)
{
	AUTO_FREE char *text = json_dumps(out, JSON_COMPACT);
	struct err e = {0};
	json_t *again;

	MUST(json_is_object(out), "no object");
	MUST(text, "outputs that JSON cannot hold");
	again = output_parse(text, strlen(text), &e);
	MUST(again && json_equal(out, again), "as JSON they are others: %s: %s", e.text, text);
	json_decref(again);
}

static void check_words(const char *word)
{
	char shown[CLOCK_TEXT];
	msec at, again;
	uint64_t number;

	if (clock_parse(word, &at)) {
		clock_format(at, shown);
		MUST(clock_parse(shown, &again), "a time that is none: %s", shown);
		if (at >= 0 && at < 253402300799999)
			MUST(at == again, "%s becomes %s", word, shown);
	}
	if (uuid_is_v7(word))
		MUST(strlen(word) == UUID_TEXT - 1 && uuid_v7_time(word) >= 0, "an id that is none: %s", word);
	if (text_to_u64(word, &number))
		MUST(word[0] >= '0' && word[0] <= '9', "a number that is none: %s", word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *word = xstrndup((const char *)data, size);
	struct err e = {0};
	json_t *out = output_parse((const char *)data, size, &e);

	if (out)
		check_output(out);
	else
		MUST(e.code && e.text[0], "a refusal without a reason");
	json_decref(out);
	check_words(word);
	return 0;
}
