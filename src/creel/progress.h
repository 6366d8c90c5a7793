/*
 * progress.h - what a watcher shows of an execution, folded from its journal's events.
 *
 * A view, not the truth: it never decides whether an execution waits for people (state.json does), and it knows
 * nothing of what could run next.
 */
#ifndef CREEL_CREEL_PROGRESS_H
#define CREEL_CREEL_PROGRESS_H

#include <jansson.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/map.h"

enum step_status { STEP_WAITING, STEP_RUNNING, STEP_BACKOFF, STEP_ASKING, STEP_FAILED, STEP_COMPLETED, STEP_SKIPPED,
		   STEP_COUNT };

struct step {
	char *id;
	enum step_status status;
	long long attempt;
	msec started, ended; /* of the last attempt; 0: not yet */
	msec next;           /* BACKOFF: when it is tried again */
	char *note;          /* why, what is asked; escaped; or NULL */
};

struct progress {
	char *name;
	struct step *steps;
	uint32_t n, cap;
	struct map index;
	uint32_t count[STEP_COUNT];
	msec started, ended;
	bool paused, stopping;
	const char *outcome; /* completed, failed, cancelled; NULL: not over */
	char *error;         /* escaped; or NULL */
};

/* Take the actions from plan.json's value, which may be NULL: then they appear as events name them. */
void progress_init(struct progress *p, const json_t *plan);
/* Fold one event; at is its commit's time unless it has its own. */
void progress_apply(struct progress *p, const json_t *event, msec at);
void progress_free(struct progress *p);

/* "waiting", "running", … */
const char *step_word(enum step_status s);

#endif
