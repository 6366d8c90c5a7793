/*
 * drop.h - putting a file where the daemon looks, whole from the first moment.
 */
#ifndef CREEL_CREEL_DROP_H
#define CREEL_CREEL_DROP_H

#include <stddef.h>

#include "base/err.h"
#include "creel/verb.h"

enum {
	DROP_FRESH = 1,  /* replace no file of that name: EEXIST */
	DROP_SECRET = 2, /* mode 0640 and not flushed: it should be gone before it gets to the disk */
};

/* Write n bytes to a dotted temporary in directory dir, flush it, and rename it to name, which replaces a file of
 * that name.  Mode 0644 whatever the umask: the daemon may be another user, and who may enter the directory is the
 * directory's business. */
int drop_file(int dir, const char *name, const void *p, size_t n, unsigned flags, struct err *e);

/* The name of the user that runs this program, or the uid in digits; owned by the caller. */
char *user_name(void);

#endif
