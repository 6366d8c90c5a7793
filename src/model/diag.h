/*
 * diag.h - what is wrong with something that a person wrote: every finding, with its place.
 *
 * A finding carries an RFC 6901 JSON pointer; whoever has the source text turns pointers into lines and columns
 * (codec/source.h).  Readers of a rejected file want all findings at once, so checks go on after the first; after
 * DIAG_MAX the rest is only counted.
 */
#ifndef CREEL_MODEL_DIAG_H
#define CREEL_MODEL_DIAG_H

#include <stddef.h>

enum { DIAG_MAX = 100 };

struct diag {
	char *pointer;    /* "" for the whole document; owned */
	char *message;    /* what is wrong; owned */
	char *suggestion; /* what to do, or NULL; owned */
	int line, column; /* from 1; 0 where unknown */
	int at_key;       /* the place is the member's name, not its value */
};

struct diags {
	struct diag *v;
	size_t n, cap;
	size_t more; /* findings beyond DIAG_MAX */
};

#define DIAGS_INIT {NULL, 0, 0, 0}

/* Record a finding; pointer is copied.  suggestion (may be NULL) becomes the list's: it is freed with it.
 * The returned finding may be refined by the caller until the next one is added; NULL if it was only counted. */
struct diag *diag_add(struct diags *d, const char *pointer, char *suggestion, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Put findings in the order of the source: by line, column, then as found. */
void diags_sort(struct diags *d);
void diags_free(struct diags *d);

#endif
