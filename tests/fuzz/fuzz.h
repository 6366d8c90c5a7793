/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is one file that defines LLVMFuzzerTestOneInput: it hands its input to the code under test as the programs
 * do, and checks what must hold of whatever comes out.  A property that does not hold aborts, as a crash does.  Each
 * target is linked twice: with libFuzzer (make fuzz) and with replay.c, which runs it over the files of its corpus
 * (make check-fuzz, a part of make check).
 */
#ifndef CREEL_TESTS_FUZZ_FUZZ_H
#define CREEL_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED __attribute__((unused))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* This must hold, whatever the input is. */
#define MUST(condition, ...)                                                                                           \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: this must hold: %s\n  ", __FILE__, __LINE__, #condition);              \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fputc('\n', stderr);                                                                           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* An input of several parts: they stand between lines that are %% alone.  The next part, from *at on; false if
 * there is none. */
static UNUSED int fuzz_part(const uint8_t *data, size_t size, size_t *at, const char **part, size_t *n)
{
	const char *text = (const char *)data;
	size_t end;

	if (*at > size)
		return 0;
	*part = text + *at;
	for (end = *at; end < size; end++)
		if ((end == *at || text[end - 1] == '\n') && size - end >= 2 && memcmp(text + end, "%%", 2) == 0 &&
		    (end + 2 == size || text[end + 2] == '\n'))
			break;
	*n = end - *at;
	*at = end < size ? end + 3 : size + 1;
	return 1;
}

#endif
