/*
 * attempt.h - the attempt's directory, and the right to work in it.
 */
#ifndef CREEL_RUN_ATTEMPT_H
#define CREEL_RUN_ATTEMPT_H

#include "base/err.h"
#include "creel-run/spec.h"

enum attempt_open {
	ATTEMPT_OURS,
	ATTEMPT_HELD,  /* somebody else holds the lock */
	ATTEMPT_OVER,  /* void, finished, or started before; *e says which */
	ATTEMPT_FAILED /* *e says why */
};

struct attempt {
	int dir;
	int lock;        /* open, and locked until attempt_close */
	unsigned long long device, inode; /* of the lock file */
	char place[160]; /* the part of the lock's line that does not depend on the action's process */
};

/* Make what is missing of the directory, take the lock, and see that nothing was done there before. */
/* attempt_close() is due in every case. */
enum attempt_open attempt_open(struct attempt *a, const struct spec *s, struct err *e);

/* What `lock` says of the machine and of itself: boot id, and the device and inode of the lock file. */
int attempt_place(struct attempt *a, const struct spec *s, struct err *e);

/* Let go of the directory and the lock. */
void attempt_close(struct attempt *a);

/* request.json, if the specification has one. */
int attempt_write_request(const struct attempt *a, const struct spec *s, struct err *e);

#endif
