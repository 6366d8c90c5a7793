/*
 * again.h - what a flush of the whole file system failed on is given to the kernel once more.
 */
#ifndef CREEL_STORE_AGAIN_H
#define CREEL_STORE_AGAIN_H

#include "store/spool.h"

/* A syncfs of the spool's file system failed.  From any thread. */
void again_needed(void);

/* Before the next one: if one failed, make dirty again what may have been waiting, of all that is active.  -1 and *e: not
 * now; it is still needed. */
int again(const struct spool *s, struct err *e);

/* The same of this execution alone, and now: when it is found and nothing says that its last flush went well. */
int again_execution(const struct spool *s, const char *id, struct err *e);

#endif
