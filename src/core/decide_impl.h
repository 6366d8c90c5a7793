/*
 * decide_impl.h - shared by the files of the core's decisions; nobody else includes it.
 */
#ifndef CREEL_CORE_DECIDE_IMPL_H
#define CREEL_CORE_DECIDE_IMPL_H

#include "core/decide.h"

/* Append an event and fold it.  data is taken over.  An event that cannot be folded is our bug: it aborts, before
 * anything was written, naming the event. */
void emit(struct exec *x, struct turn *t, enum event_type type, uint32_t action, uint32_t attempt, json_t *data);

/* An action failed: decide what follows (retries first if retry) and emit it.  error and more (members for the
 * event, or NULL) are taken over. */
void fail_action(struct exec *x, struct turn *t, uint32_t action, json_t *error, json_t *more, bool retry);
void skip_action(struct exec *x, struct turn *t, uint32_t action, const char *cause, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Ask a person; kind is confirm, input, lost or failed. */
void ask_person(struct exec *x, struct turn *t, uint32_t action, const char *kind, const char *title,
		const char *message, msec timeout);

/* Put an action, and what depends on it, back to pending.  keep: what completed downstream stays. */
void rearm(struct exec *x, struct turn *t, uint32_t action, bool keep, const char *reason, json_t *by, json_t *inputs);
/* The same for it alone. */
void rearm_one(struct exec *x, struct turn *t, uint32_t action, const char *reason, json_t *by, json_t *inputs);

/* for_each.c: start an action that is a list of instances; release instances and end it when they have ended. */
void for_each_start(struct exec *x, struct turn *t, uint32_t action);
void for_each_step(struct exec *x, struct turn *t, uint32_t action);

uint64_t next_random(uint64_t *state);
json_t *time_json(msec wall);

/* unread.c: was what action i (NO_ACTION: the end of the execution) asked for last not there because outputs could not be
 * read?  Then what follows is decided, and what was found without them counts for nothing. */
bool unread_stops(struct exec *x, struct turn *t, uint32_t i);
/* Let those ask again whose time has come. */
void unread_again(struct exec *x, struct turn *t);
/* Is there somebody who waits and does not count as open: the end of the execution, or a compensation? */
bool unread_is_waited_for(const struct exec *x);
/* When somebody asks again, or 0. */
msec unread_deadline(const struct exec *x);
void unread_clock_back(struct exec *x, msec now);

#endif
