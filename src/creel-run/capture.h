/*
 * capture.h - one output stream of the action: a pipe, and the file that what comes through it is kept in.
 *
 * The file is made when the first byte arrives.  It holds at most `cap` bytes of the stream; what comes after is
 * read and dropped, so that the action never blocks, and a mark at the end says how much there was in all.
 *
 * Secrets are masked before the cap is applied, so nothing is cut inside one, and `stored` counts what is in the
 * file, which may be less than what was written though nothing is missing.
 *
 * The supervisor keeps the writing end open.  So an action that closes its output or ends wakes nobody (SIGCHLD
 * does), and the stream is over when no process is left and the pipe is empty, not at an end-of-file that a
 * process outside the action might hold back for ever.
 */
#ifndef CREEL_RUN_CAPTURE_H
#define CREEL_RUN_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "creel-run/mask.h"

struct capture {
	const char *name; /* of the file */
	uint64_t cap;
	int in, out;      /* the pipe: reading end, writing end */
	int file;         /* -1: not made */
	uint64_t size;    /* bytes that came */
	uint64_t stored;  /* bytes in the file, without the mark */
	bool cut;         /* something that came is not in the file */
	struct mask mask;
	struct err problem; /* why storing stopped early */
};

int capture_open(struct capture *c, const char *name, uint64_t cap, const struct mask_set *secrets, struct err *e);
/* Take what is there; call it only when poll says that there is something.  false: the pipe cannot be read. */
bool capture_take(struct capture *c, int dir);
/* Take what is left in both pipes, and put the marks where something was cut. */
void capture_finish(struct capture *out, struct capture *err, int dir);
/* Let go of the descriptors; of a zeroed one, or one that could not be opened, too. */
void capture_close(struct capture *c);
/* Is part of the stream not in the file? */
bool capture_truncated(const struct capture *c);

#endif
