/*
 * attend.h - staying with executions until they are over, showing what happens.
 *
 * The source is each execution's journal: commits appear there one by one, and nothing else is believed, except
 * that only state.json can tell that all that is left waits for people.  On a terminal there is one line for each
 * action, redrawn in place; else one line for each event.  All of it goes to stderr: stdout is for answers.
 */
#ifndef CREEL_CREEL_ATTEND_H
#define CREEL_CREEL_ATTEND_H

#include <sys/stat.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "creel/progress.h"
#include "creel/verb.h"

struct attendee {
	char id[UUID_TEXT];
	struct progress progress;
	uint32_t seq;       /* commits read */
	bool over;          /* and `status` says how */
	int status;         /* an exit status */
	bool asked;         /* what it waits for was said */
	/* of the state.json that was read last: whether all that is left waits for people */
	ino_t state_ino;
	struct timespec state_time;
	long long state_seq;
	bool state_waits;
	const char *result; /* completed, failed, cancelled, quarantined, waiting, damaged; NULL: not over */
};

struct attend_options {
	bool through;  /* go on waiting when it waits for people */
	bool history;  /* show what happened before, too */
	bool quiet;    /* show nothing but what went wrong */
	msec timeout;  /* 0: none */
};

/* Wait for all of them; the exit status for them together: the worst, failures before what is still open. */
int attend(struct cli *c, struct attendee *a, size_t n, const struct attend_options *o);

struct attendee *attendees_new(size_t n);
void attendees_free(struct attendee *a, size_t n);
/* An array of {execution, name, status}: for --json. */
json_t *attendees_json(const struct attendee *a, size_t n);

#endif
