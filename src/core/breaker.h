/*
 * breaker.h - circuit breakers: a tool that keeps failing is left alone for a while (STEP-BREAK).
 *
 *	             failure: as many in a row, within the window, as the rule says
 *	   CLOSED  ───────────────────────────────────────────────────────────────────→  OPEN
 *	     ↑                                                                           ↓   ↑
 *	     │ the probe succeeds                     probe_at has come, one attempt starts   │ the probe fails (wait anew)
 *	     └─────────────────────────────────────  HALF_OPEN  ────────────────────────→────┘ or vanishes (due at once)
 *
 * Attempts of actions that name the breaker may start while it is closed.  In the other states they are held, but
 * for one, the probe.  Results of attempts that had started before it opened change nothing then.  Pure: whoever
 * owns a breaker says what happened and when.
 */
#ifndef CREEL_CORE_BREAKER_H
#define CREEL_CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum { BREAKER_FAILURES_MAX = 100 };

struct breaker_rule {
	uint32_t failures; /* in a row; 1 to BREAKER_FAILURES_MAX */
	msec window;       /* all of them within it */
	msec open;         /* how long before a probe */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATES };

enum breaker_event {
	BREAKER_SUCCESS, /* of an attempt that was no probe */
	BREAKER_FAILURE,
	BREAKER_PROBE, /* the probe starts */
	BREAKER_PROBE_SUCCESS,
	BREAKER_PROBE_FAILURE,
	BREAKER_PROBE_GONE, /* it ended and said nothing about the tool: cancelled, lost */
	BREAKER_EVENTS
};

struct breaker {
	enum breaker_state state;
	msec failed[BREAKER_FAILURES_MAX]; /* CLOSED: when, oldest first */
	uint32_t nfailed;
	msec opened_at, probe_at; /* OPEN, HALF_OPEN */
};

/* Fold one event.  Did it change anything? */
bool breaker_step(struct breaker *b, const struct breaker_rule *rule, enum breaker_event event, msec now);

/* Open, and the time for a probe has come (or the clock was set back behind its opening)? */
bool breaker_due(const struct breaker *b, msec now);
/* May nothing start now? */
bool breaker_holds(const struct breaker *b, msec now);

const char *breaker_state_name(enum breaker_state s);
/* The state of that name, or -1. */
int breaker_state_parse(const char *name);

#endif
