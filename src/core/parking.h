/*
 * parking.h - an API that said "too much" is left alone by everybody for a while.
 *
 *	          limited: by a status, a header, a body; or nothing is left until a reset
 *	   OPEN  ──────────────────────────────────────────────────────────────────→  PARKED ←──┐ limited again: longer
 *	     ↑                                                                           ↓       │ (or until the reset)
 *	     │ the probe got through                        `until` has come, one probe starts   │
 *	     └─────────────────────────────────────────  PROBING  ─────────────────────→─────────┘ or vanishes: due at once
 *
 * The probe is an attempt, or the API's health check where it has one.  What else was under way when it was parked may
 * make it longer, never shorter.  How long: as the API asks for, and by its backoff strategy, which counts how often in
 * a row it said so; never longer than its maxDelay.
 *
 * Pure: whoever owns one says what happened and when.
 */
#ifndef CREEL_CORE_PARKING_H
#define CREEL_CORE_PARKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/pinned.h"

enum park_state { PARK_OPEN, PARK_PARKED, PARK_PROBING, PARK_STATES };

enum park_event {
	PARK_LIMITED,       /* said by an attempt that was no probe */
	PARK_PROBE,         /* the probe starts */
	PARK_PROBE_PASSED,
	PARK_PROBE_LIMITED, /* or an unhealthy answer */
	PARK_PROBE_GONE,    /* it ended and said nothing about the API */
	PARK_EVENTS
};

struct parking {
	enum park_state state;
	msec since, until; /* PARKED, PROBING */
	uint32_t times;    /* in a row that it was parked */
};

/* Fold one event.  reset is when the API says that there is room again (0: it did not say).  Did anything change? */
bool parking_step(struct parking *p, const struct park_rule *rule, enum park_event event, msec reset, msec now);

/* Parked, and the time for a probe has come (or the clock was set back behind the beginning)? */
bool parking_due(const struct parking *p, msec now);
/* May nothing be sent now? */
bool parking_holds(const struct parking *p, msec now);

const char *park_state_name(enum park_state s);
/* The state of that name, or -1. */
int park_state_parse(const char *name);

#endif
