/*
 * event.h - what happened: the atoms of the journal.
 *
 * An event has a type, mostly an action, sometimes an attempt, and further members that its type defines
 * (schemas/event.schema.json), kept as JSON.  The state of an execution is the fold of its events in order;
 * effects follow from events; nothing else changes a state.
 */
#ifndef CREEL_MODEL_EVENT_H
#define CREEL_MODEL_EVENT_H

#include <jansson.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/vec.h"
#include "model/plan.h"

enum event_type {
	EV_EXECUTION_ACCEPTED,
	EV_PLAN_REJECTED,
	EV_EXECUTION_STARTED,
	EV_ACTION_REQUESTED, /* action.execute.requested */
	EV_ACTION_COMPLETED,
	EV_ACTION_FAILED,
	EV_ACTION_SKIPPED,
	EV_ACTION_RETRY_SCHEDULED,
	EV_ACTION_REARMED,
	EV_ACTION_ADOPTED,
	EV_ACTION_LOST,
	EV_CONFIRMATION_REQUESTED, /* user.confirmation.requested */
	EV_CONFIRMATION_RECEIVED,  /* user.confirmation.received */
	EV_EXECUTION_PAUSED,
	EV_EXECUTION_RESUMED,
	EV_CANCEL_REQUESTED, /* execution.cancel.requested */
	EV_OUTCOME_VALIDATED,
	EV_EXECUTION_COMPLETED,
	EV_EXECUTION_FAILED,
	EV_EXECUTION_CANCELLED,
	EV_EXECUTION_REOPENED,
	EV_EXECUTION_QUARANTINED,
	EV_EXECUTION_REMOVED,  /* in events/ alone, as the one after it */
	EV_EXECUTION_IMPORTED,
	EV_COUNT
};

struct event {
	enum event_type type;
	uint32_t action;  /* index, or NO_ACTION */
	uint32_t attempt; /* 0: does not apply */
	msec at;          /* wall clock */
	json_t *data;     /* object with the type's further members, or NULL; owned */
};

struct events {
	struct event *v;
	size_t n, cap;
};

#define EVENTS_INIT {NULL, 0, 0}

const char *event_name(enum event_type t);
/* The type of that name, or -1. */
int event_parse(const char *name);

/* How many of them are of this type. */
size_t events_count(const struct events *e, enum event_type t);
void events_clear(struct events *e); /* drops the events, keeps the memory */
void events_free(struct events *e);

#endif
