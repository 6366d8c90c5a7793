/*
 * drop.h - putting a file where the daemon looks, whole from the first moment.
 */
#ifndef CREEL_CREEL_DROP_H
#define CREEL_CREEL_DROP_H

#include <stddef.h>

#include "base/err.h"
#include "creel/verb.h"

/* Write n bytes to a dotted temporary in directory dir, flush it, and rename it to name, which replaces a file of
 * that name unless fresh is set (then EEXIST).  Mode 0644 whatever the umask: the daemon may be another user, and
 * who may enter the directory is the directory's business. */
int drop_file(int dir, const char *name, const void *p, size_t n, bool fresh, struct err *e);

/* The name of the user that runs this program, or the uid in digits; owned by the caller. */
char *user_name(void);

#endif
