/*
 * exec.h - one execution: the fold of its journal over its plan.
 *
 * exec_apply() is the only function that changes what the journal determines; it is called for each event when the
 * core decides it and again, in the same order, when a journal is read back, so both ways lead to the same state.
 * What the journal does not hold (READY, the work list, the ready heap) is derived and re-derived.
 *
 * An action's phases, and the S0 status that each one shows:
 *
 *   BLOCKED    pending    a dependency is not settled, or (standby) nobody called for it
 *   READY      pending    may start when there is room; never in the journal
 *   CONFIRM    pending    a person must approve the start
 *   RUNNING    running    an attempt was committed to; it may still wait for a slot
 *   BACKOFF    pending    the last attempt failed, the next one has a time
 *   ASKING     pending    failed or lost, and a person says what now
 *   STANDIN    failed     its alternative was called for and has not settled
 *   COMPLETED  completed  settled
 *   FAILED     failed     settled
 *   SKIPPED    skipped    settled
 *
 * Invariants, checked by exec_check():
 *   deps_left of an action is the number of its dependencies that are not settled, in every phase;
 *   count[p] is the number of actions in phase p, and they add up to n;
 *   an action is settled exactly in the phases COMPLETED, FAILED and SKIPPED;
 *   nothing leaves BLOCKED while deps_left > 0, except by a skip, or a standby whose only open dependency is the
 *   primary that called it; what is under way when a dependency is armed again is let finish (overtaken), and so is
 *   a compensation, which waits for nothing;
 *   a finished execution has no open action.
 */
#ifndef CREEL_CORE_EXEC_H
#define CREEL_CORE_EXEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "model/event.h"
#include "model/plan.h"

enum phase {
	PH_BLOCKED,
	PH_READY,
	PH_CONFIRM,
	PH_RUNNING,
	PH_BACKOFF,
	PH_ASKING,
	PH_STANDIN,
	PH_COMPLETED,
	PH_FAILED,
	PH_SKIPPED,
	PH_COUNT
};

/* What a settled action means to those that depend on it. */
enum settled {
	SETTLED_NOT,
	SETTLED_OK,      /* completed, or something stands in, or its failure is continued over */
	SETTLED_SKIPPED, /* dependents are skipped unless they join branches */
	SETTLED_BLOCKS   /* failed, or skipped for a dependency's failure: dependents are skipped */
};

/* What stands in for the outputs of a failed action. */
enum stand_in { STAND_IN_NONE, STAND_IN_FALLBACK, STAND_IN_ALTERNATIVE };

enum { TOKEN_TEXT = 33 };

/* Why an action is armed again whose outputs were lost: it is the same iteration, with the same idempotency key. */
#define REARM_OUTPUT_LOST "output_lost"

struct action_state {
	uint8_t phase;        /* enum phase */
	uint8_t settled;      /* enum settled */
	uint8_t stand_in;     /* enum stand_in */
	uint8_t lost;         /* reruns of lost attempts so far */
	bool called;          /* standby: somebody called for it */
	bool approved;        /* its confirmation was given */
	bool made_again;      /* its outputs were lost after it had completed, and it has not settled since */
	uint8_t unstarted;    /* RUNNING: counted by the shell: supervisors that ended before the attempt had started */
	bool compensated;     /* its compensation was called for */
	bool overtaken;       /* under way when something it depends on was armed again: it is let finish */
	uint32_t deps_left;   /* dependencies not settled */
	uint32_t callers_left; /* standby: primaries not settled */
	uint32_t attempt;     /* number of the last attempt, 0 before the first */
	uint32_t budget_used; /* attempts counted against the retry policy */
	uint32_t asked;       /* number of confirmation requests so far */
	uint32_t iteration;   /* times re-armed */
	uint32_t order;       /* when it completed, relative to the others */
	/* forEach: its instances stand at first_instance and after. */
	uint32_t first_instance, instances;
	uint32_t instances_left; /* not settled */
	uint32_t unreleased;     /* BLOCKED */
	bool afresh;             /* a loop came round: items that completed are done again */
	msec first_started;   /* of the first attempt of this iteration */
	msec started;         /* of the last attempt */
	msec ended;
	msec deadline;        /* BACKOFF: not before; CONFIRM, ASKING: answer by; 0: none */
	msec delay;           /* BACKOFF: what was to be waited when that was decided */
	char token[TOKEN_TEXT]; /* of the last attempt */
	json_t *record;       /* data of the last completed, failed or skipped event; or NULL */
	json_t *inputs;       /* inputs changed by a person, merged over the plan's; or NULL */
	char *child;          /* plan.run: the execution that its last attempt ran; or NULL */
	json_t *loaded;       /* derived: its outputs, if they stand in a file only and somebody asked; or NULL */
	json_t *resolved;     /* derived: what the last attempt starts with, until the shell took it; or NULL */
	char *trace;          /* derived: what its attempts sent, as state.json has it; or NULL */
	uint32_t traced;      /* the last attempt that is in it */
};

/* One request to a person, for state.json and for recognising answers. */
struct asked {
	uint32_t action;
	uint32_t number;
	msec requested, responded; /* responded 0: open */
	msec since;                /* derived: answers count from here, where `requested` is by a clock that was ahead; or 0 */
	msec heard;                /* when the last answer was folded, that towards a quorum too; 0: none yet */
	msec deadline;             /* 0: none */
	bool confirmed;
	uint32_t approvals; /* towards a quorum */
	char *kind;         /* confirm, input, lost, failed */
	char *decision;     /* what was decided; NULL: nothing yet */
	char *user;         /* who answered last; NULL: nobody */
	json_t *approved_by; /* array of user names, towards a quorum; or NULL */
};

/* Somebody waits for outputs: until `at`, or (0) until what makes them again has settled. */
struct unread_wait {
	uint32_t action; /* NO_ACTION: the end of the execution */
	msec at;
};

enum outcome { OUTCOME_NONE, OUTCOME_COMPLETED, OUTCOME_FAILED, OUTCOME_CANCELLED };

struct exec {
	char id[UUID_TEXT];
	struct plan *plan;      /* borrowed; grows by the instances of forEach actions */
	struct action_state *a; /* plan->n of them */
	uint32_t capacity;      /* of a */

	uint32_t count[PH_COUNT];
	uint32_t dormant;   /* standbys that are BLOCKED and not called */
	uint32_t waiting;   /* RUNNING without a supervisor: they wait for others and take no slot */
	uint32_t children;  /* those among them that wait for an execution of their own */
	uint32_t completed; /* source of action_state.order */

	bool started;
	bool paused;
	bool aborting;   /* a failure stopped it: nothing new starts */
	bool cancelling; /* a person stopped it */
	bool terminate;  /* and what runs is ended rather than let finish */
	bool expired;    /* the plan's own timeout passed */
	bool outcome_failed; /* an expected outcome does not hold */
	uint32_t cause;    /* the action behind aborting or cancelling, or NO_ACTION */
	uint32_t compensating; /* the compensation that runs, or NO_ACTION */
	enum outcome outcome; /* not NONE: finished */
	msec accepted_at, started_at, ended_at;
	msec timed_from; /* the plan's timeout counts from its start, or from when it was opened again */
	json_t *error; /* what stopped it; or NULL */
	json_t *parent; /* {execution, action, attempt} that runs it as a part of another; or NULL */
	bool by_hand;   /* reopened since by a person, not by its parent */
	bool paused_above; /* paused because its parent was */
	json_t *by;     /* who asked for the last cancel, pause or resume, {uid, user}; or NULL */

	VEC(struct asked) asked;
	json_t *obeyed;  /* the control files that the last commit with any obeyed; or NULL */
	msec obeyed_at;  /* its time */

	/* Derived. */
	struct heap ready;  /* READY actions by priority, then plan order */
	VEC(uint32_t) parked; /* READY actions that were taken off the heap because a lock or queue was full */
	VEC(uint32_t) awaiting; /* those of them that wait for an answer to another action's request */
	struct heap timers; /* deadlines of actions, lazily deleted */
	VEC(uint32_t) work; /* actions to evaluate; stale entries are dropped */
	VEC(uint32_t) settled; /* alternatives whose primaries go on; empty between events */
	json_t *env;        /* the configuration's environment, borrowed; for references */
	/* Outputs that stand in a file only (event member outputInFile).  A new value; NULL and *e: E2BIG they are larger
	 * than what is loaded, see unread_is_lost, else they cannot be read now.  May be NULL. */
	json_t *(*load)(void *ctx, const struct exec *x, uint32_t i, struct err *e);
	void *load_ctx;
	VEC(uint32_t) loaded; /* whose outputs are in memory */
	uint32_t unread;      /* whose outputs could not be read when somebody asked last, or NO_ACTION; see unread.c */
	struct err why_unread;
	msec unread_since;    /* since when that has been so, or 0 */
	bool made_again;      /* an action that was made again has settled */
	VEC(struct unread_wait) unread_waits;
	size_t output_cap;    /* bytes that the outputs of all items of a forEach may have together; 0: no limit */
	int64_t *steps;     /* on patterns, in this turn, of all executions; borrowed; or NULL: nobody counts */
	uint32_t subject;   /* whose references are looked up, for vars.item; or NO_ACTION */
	char nonce[TOKEN_TEXT]; /* marks secrets in resolved inputs; see core/context.h */
};

struct exec *exec_new(struct plan *plan, const char *id);
void exec_free(struct exec *x);

/* Fold one event.  -1 and *e: the event cannot follow from the state; nothing was changed. */
int exec_apply(struct exec *x, const struct event *ev, struct err *e);

/* Does the event say which control file it came from?  Then that file is not obeyed again. */
void exec_note_obeyed(struct exec *x, const struct event *ev);

/* Change the phase of action i, and every count that follows from it. */
void exec_set_phase(struct exec *x, uint32_t i, enum phase p);
/* Make or reset the instances of forEach action i for these items. */
void exec_expand(struct exec *x, uint32_t i, const json_t *items);

/* The index of instance `number` of forEach action parent, or NO_ACTION. */
uint32_t exec_instance(const struct exec *x, uint32_t parent, uint32_t number);

/* Every invariant above; -1 and *e names the first that does not hold.  Linear in the plan. */
int exec_check(const struct exec *x, struct err *e);

/* Actions that must still settle before the execution can end. */
uint32_t exec_open(const struct exec *x);
/* READY actions that can start only when a person has answered about another one. */
uint32_t exec_awaiting(const struct exec *x);
/* The S0 words. */
const char *exec_status(const struct exec *x);
const char *phase_status(enum phase p);
const char *phase_name(enum phase p);

/* The place of action i in the line of those that are ready: less goes first. */
static inline int64_t exec_rank(const struct exec *x, uint32_t i)
{
	return (int64_t)-x->plan->actions[i].priority * UINT32_MAX + i;
}

/* Dependencies that are not settled, those aside whose alternative this is and that called for it. */
uint32_t exec_blockers(const struct exec *x, uint32_t i);

/* Forget outputs that were loaded: before long waits. */
void exec_unload(struct exec *x);

/* Does this code say that outputs are gone, or others than the journal speaks of?  What cannot be told is not lost: nothing
 * is done again because somebody changed a mode. */
bool unread_is_lost(int code);

/* Is it under way again because its outputs were lost?  Whoever asks for something of it waits. */
static inline bool exec_made_again(const struct exec *x, uint32_t i)
{
	return x->a[i].made_again && x->a[i].phase < PH_STANDIN;
}

/* The next attempt of action i runs a new sub-execution. */
void exec_forget_child(struct exec *x, uint32_t i);

/* Nothing new may start, except compensations. */
static inline bool exec_stopping(const struct exec *x)
{
	return x->aborting || x->cancelling;
}

/* What follows when action i failed for good and no alternative can stand in: fallback, continue,
 * skip_dependents, abort, or stop (the execution is stopping anyway). */
const char *exec_failure_step(const struct exec *x, uint32_t i);

/* Is the failure of i somebody else's to handle: the primary's that called it, or the compensated action's? */
static inline bool exec_answers_to_caller(const struct exec *x, uint32_t i)
{
	return x->plan->actions[i].standby && x->a[i].called;
}

/* The latest request to a person about an action that is still open, or NULL. */
struct asked *exec_open_request(struct exec *x, uint32_t action);

#endif
