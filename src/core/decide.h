/*
 * decide.h - the core: what follows from what happened.
 *
 * Pure: no file, no clock, no environment.  Each call takes an execution and a turn, decides, appends the events to
 * turn->out and folds them into the execution at once.  The caller writes the events as one commit, and performs
 * their effects only when the commit is durable:
 *
 *   action.execute.requested      start the attempt
 *   user.confirmation.requested   publish the request
 *   anything that answers one     take the request away
 *   core_must_end(x, action)      end the attempt that runs
 *   execution.completed …         finish: state.json, events/, active/
 *
 *   core_result(x, t, …); core_timers(x, t); core_advance(x, t); while (room && core_start(x, t)) …; core_finish(x, t);
 */
#ifndef CREEL_CORE_DECIDE_H
#define CREEL_CORE_DECIDE_H

#include "core/exec.h"

struct turn {
	msec now; /* wall clock */
	uint64_t random; /* state of the generator of tokens and jitter; any value */
	struct events *out;
	/* Are these resolved inputs right for this action's definition? NULL, or a new error detail. */
	json_t *(*check_inputs)(const struct action *a, const json_t *inputs);
	/* The id of the execution that this start of a plan.run action runs: a new one, or the one that its last
	 * attempt ran.  May be NULL: then none is run. */
	void (*child)(void *ctx, const struct exec *x, uint32_t action, const json_t *inputs, char id[UUID_TEXT]);
	/* Must a person type something in before this action can start?  May be NULL: never. */
	bool (*typed_missing)(void *ctx, const struct exec *x, uint32_t action);
	msec retry_after_most; /* how long an error may make an action wait (retryAfter); 0: as long as it says */
	void *ctx;
};

enum attempt_outcome {
	ATTEMPT_EXITED,
	ATTEMPT_SIGNALLED,
	ATTEMPT_TIMEOUT,
	ATTEMPT_TERMINATED, /* ended on request */
	ATTEMPT_NOT_EXECUTABLE,
	ATTEMPT_FAILED,   /* the supervisor could not do its work */
	ATTEMPT_RETURNED, /* its sub-execution ended: well, or as the error says */
	ATTEMPT_WITHDRAWN /* never handed to a supervisor */
};

/* How an attempt ended, as its supervisor reported it. */
struct attempt_result {
	enum attempt_outcome outcome;
	int status;         /* exit code or signal number */
	const char *reason; /* a sentence, or NULL */
	msec started, finished;
	json_t *error;  /* borrowed: an error detail that the action wrote, or one about its output; or NULL */
	json_t *output; /* borrowed: its outputs, an object; NULL if there are none */
	json_t *more;   /* borrowed: members for the event as they are (outputLocation, stdout, stderr, …) */
};

/* What a person wants, from confirm/ or control/. */
struct request {
	const char *verb;   /* approve reject retry skip cancel pause resume (continue and abort are translated) */
	uint32_t action;    /* or NO_ACTION */
	json_t *by;         /* borrowed: {uid, user} */
	const char *user;   /* its user */
	const char *reason; /* or comment; or NULL */
	json_t *inputs;     /* borrowed: changed inputs, or NULL */
	msec changed;       /* when the file was last changed */
	msec published;     /* when the file of the request that it answers was: by the same clock; 0: not known */
	json_t *file;       /* borrowed: {name, inode, ctime, mtime} of a control file; or NULL */
	bool copied;        /* its inode and ctime say nothing: the spool was copied */
	json_t *parent;     /* borrowed: {execution, action, attempt} that passes this on to its sub-execution; or NULL */
};

/* execution.accepted with data (taken over), and execution.started. */
void core_begin(struct exec *x, struct turn *t, json_t *accepted);

void core_result(struct exec *x, struct turn *t, uint32_t action, const struct attempt_result *r);
void core_lost(struct exec *x, struct turn *t, uint32_t action, const char *reason);
/* It was committed to and can be handed to no supervisor as it is: it goes back to where it may start, whatever onLost
 * says, because nothing of it happened. */
void core_unstarted(struct exec *x, struct turn *t, uint32_t action, const char *reason);
void core_adopted(struct exec *x, struct turn *t, uint32_t action);

/* A decision about a request.  0, or -1 and *e is the sentence for rejected/.  */
int core_decision(struct exec *x, struct turn *t, const struct request *r, struct err *e);
/* A control file.  The same. */
int core_control(struct exec *x, struct turn *t, const struct request *r, struct err *e);

/* Everything whose time has come. */
void core_timers(struct exec *x, struct turn *t);
/* The clock was set back, in the last `ago` ms; or may have been while nobody looked (ago < 0).  What is waited for
 * lasts no longer than was decided, and open requests can be answered from then on. */
void core_clock_back(struct exec *x, msec now, msec ago);
/* The next time at which core_timers has something to do, or 0. */
msec core_deadline(struct exec *x);

/* Settle what follows from what has settled: conditions, skips, confirmations, compensations. */
void core_advance(struct exec *x, struct turn *t);
/* Was something left for the next turn, because this one has spent its time on patterns? */
bool core_has_more(const struct exec *x);
/* Is there an action that could start now (limits aside)? Its index, or NO_ACTION. */
uint32_t core_next(struct exec *x);
/* Set aside the action that core_next names, because something outside the execution has no room for it; and put all
 * that were set aside back in line. */
void core_park(struct exec *x, bool person); /* person: it waits for what somebody answers about another action */
void core_unpark(struct exec *x);
/* Start the action that core_next names: true if an attempt was committed to, false if it failed or was skipped
 * instead. */
bool core_start(struct exec *x, struct turn *t);
/* What a person is asked who has to type a value in for this action; the caller frees both. */
void core_prompt(const struct action *a, char **title, char **message);
/* An action that is ready cannot be started: it fails with this error (taken over). */
void core_refuse(struct exec *x, struct turn *t, uint32_t action, json_t *error);
/* End the execution if nothing is open. */
void core_finish(struct exec *x, struct turn *t);

/* Should the attempt of this action, if one runs, be ended? */
bool core_must_end(const struct exec *x, uint32_t action);

/* The next attempt's number or the milliseconds to wait before it: capped exponential backoff, full jitter if the
 * policy says so.  failures counts from 1. */
msec core_backoff(const struct retry_policy *p, uint32_t failures, uint64_t *random);

#endif
