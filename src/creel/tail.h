/*
 * tail.h - what is appended to events/ from now on.
 *
 *   struct tail t;
 *   tail_open(&t, c);                                       before dropping a file
 *   … drop …
 *   while ((event = tail_next(&t, file_name)) == NULL) …    after: nothing can be missed
 *
 * Only whole lines that contain the wanted text are parsed, so a busy spool costs little.
 */
#ifndef CREEL_CREEL_TAIL_H
#define CREEL_CREEL_TAIL_H

#include <jansson.h>
#include <sys/types.h>

#include "base/buf.h"
#include "creel/verb.h"
#include "creel/watch.h"

struct tail {
	int dir, fd; /* events/, and the day's file; -1 */
	char day[11];
	struct buf rest; /* bytes read and not yet handed out */
	size_t at;       /* of rest: where the next line begins */
	struct watch watch;
};

/* -1: events/ cannot be read (nothing is said); tail_next then finds nothing. */
int tail_open(struct tail *t, struct cli *c);
/* The next event whose line contains `wanted`; NULL if there is none yet.  A new reference. */
json_t *tail_next(struct tail *t, const char *wanted);
/* Wait until something is appended, at most ms. */
void tail_wait(struct tail *t, msec ms);
void tail_close(struct tail *t);

#endif
