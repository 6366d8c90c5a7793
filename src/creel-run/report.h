/*
 * report.h - what became of the attempt: result.json, and its announcement in results/.
 */
#ifndef CREEL_RUN_REPORT_H
#define CREEL_RUN_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "creel-run/capture.h"
#include "creel-run/spec.h"

enum outcome {
	OUTCOME_EXITED,
	OUTCOME_SIGNALLED,
	OUTCOME_TIMEOUT,
	OUTCOME_TERMINATED,     /* the supervisor was told to end it */
	OUTCOME_NOT_EXECUTABLE, /* the action never started, and its specification is why */
	OUTCOME_FAILED,         /* the supervisor could not do its work */
	OUTCOME_COUNT
};

struct result {
	enum outcome outcome;
	struct buf reason; /* empty when the outcome says all */
	bool started;      /* status means something */
	int passing;       /* FAILED before it was started: an errno value that may be another one soon; or 0 */
	int status;        /* of the main process, as from waitpid */
	msec started_wall, finished_wall;
	msec duration;     /* by the monotonic clock */
	long long user_us, system_us; /* of all that was reaped */
	long max_rss;                 /* KiB, of the largest */
	struct capture out, err;
	size_t killed;     /* descendants that had to be killed */
};

void report_free(struct result *r);

/* The text of result.json.  Looks at the files that the action may have left in dir. */
void report_write(const struct result *r, const struct spec *s, int dir, struct buf *b);

/* Publish it in dir. */
int report_publish(const struct buf *text, int dir, struct err *e);

/* Announce it in results/, unless the parent is still there to see the supervisor end.  Only after it was
 * published. */
int report_announce(const struct spec *s, int dir, struct err *e);

#endif
