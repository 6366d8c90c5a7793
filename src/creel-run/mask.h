/*
 * mask.h - secrets that the action was given are kept out of what it leaves behind.
 *
 * The specification names their values (secret=); each occurrence in stdout, stderr and the files `output` and
 * `error` becomes ***, also where it comes in pieces, and where two occurrences overlap.  This guards against
 * accidents.  An action that wants to give a secret away can: reversed, encoded, through the network.
 *
 * Bytes are held back only while they may be the beginning of a secret, so that whoever follows stdout sees
 * each line when it is written.
 */
#ifndef CREEL_RUN_MASK_H
#define CREEL_RUN_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	MASK_SHORTEST = 4,           /* shorter ones would blot out ordinary text; *** is never longer than what it hides */
	MASK_FILE_MAX = 256 << 20    /* bytes of a file that is looked through */
};

/* What is hidden. */
struct mask_set {
	char **values; /* borrowed; NULL: nothing */
	size_t n;
	bool first[256]; /* is this the first byte of one? */
};

/* One run of bytes as it passes. */
struct mask {
	const struct mask_set *set;
	struct buf held; /* may be the beginning of a secret, or is still covered by one */
	size_t covered;  /* bytes from here on that belong to an occurrence that was replaced */
	uint64_t hits;
};

void mask_set_init(struct mask_set *set, char **values);

/* The next n bytes; what can be shown of them, and of what was held, is appended to out.  With last nothing is held
 * any longer. */
void mask_feed(struct mask *m, const char *p, size_t n, bool last, struct buf *out);
void mask_free(struct mask *m);

/* Replace in a regular file, in place: it only gets shorter, so a full disk is no obstacle.  A file that is not there
 * is fine.  One that cannot be worked through is removed: -1, and *e says why. */
int mask_file(const struct mask_set *set, int dir, const char *name, struct err *e);

#endif
