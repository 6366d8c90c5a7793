/*
 * plan.h - a plan in memory: what plan.json says, as arrays indexed by number.
 *
 * Inside the engine an action is its index; ids appear only at the edges (files, messages).  A plan is built once
 * (codec/plan_load.h), never changed, and freed with its execution.  Values that are needed only when an action
 * starts are kept as JSON text: a waiting action costs its text and one struct.
 */
#ifndef CREEL_MODEL_PLAN_H
#define CREEL_MODEL_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/uuid.h"
#include "model/pinned.h"

#define NO_ACTION UINT32_MAX

enum on_failure { ON_FAILURE_ABORT, ON_FAILURE_SKIP_DEPENDENTS, ON_FAILURE_CONTINUE, ON_FAILURE_ASK };
enum on_lost { ON_LOST_RERUN, ON_LOST_FAIL, ON_LOST_ASK };
enum on_abort { ON_ABORT_DRAIN, ON_ABORT_TERMINATE };

enum {
	ACTION_ID_MAX = 64,
	PLAN_ACTIONS_MAX = 50000,
	PLAN_EDGES_MAX = 1000000,
	FOR_EACH_MAX = 10000, /* items of one forEach */
	RETRY_ATTEMPTS_MAX = 10,
	LOST_RERUNS_MAX = 3 /* reruns of lost attempts that are not counted against maxAttempts */
};

struct retry_policy {
	int max_attempts; /* with the first; 1 to RETRY_ATTEMPTS_MAX */
	msec initial_delay;
	msec max_delay;
	double multiplier;
	uint32_t categories; /* bit per enum error_category that is retried */
	bool jitter;
};

struct confirmation {
	char *title;
	char *message;
	msec timeout; /* 0: waits for ever */
	char **approvers;
	size_t napprovers;
	int quorum; /* approvals needed; at least 1 */
	bool no_self_approval;
};

/* The conditions of an action; most actions have none. */
struct conditions {
	char *if_ref; /* S0 condition.if, as an expression */
	bool else_fail;
	char *when;
	char **skip_if;
	size_t nskip_if;
};

/* loop {until, backTo, maxIterations}: after the action completes and `until` is false, backTo is re-armed. */
struct loop {
	char *until;
	uint32_t back_to;
	int max_iterations;
};

/* forEach: one instance of the action for each item of a list that is known when the action's turn comes. */
struct for_each {
	char *items;    /* JSON: a list, or a text that is one reference to a list */
	uint32_t width; /* instances that may be under way at once; 0: no limit of its own */
};

struct action {
	char *id;
	char *definition;
	const struct pinned *pinned;  /* what that is, where it comes from the catalog; else NULL */
	const struct pinned_api *api; /* of the HTTP requests that it makes; or NULL */
	bool http;                    /* an HTTP action: creel-http runs it */
	bool unsafe;                  /* and what it does must not be done twice unawares */
	char *inputs; /* JSON object, typed */

	uint32_t *deps; /* indexes; into the plan's edge array */
	uint32_t ndeps;
	uint32_t *dependents;
	uint32_t ndependents;

	uint32_t alternative; /* index or NO_ACTION */
	uint32_t *primaries;  /* whose alternative this is; owned by the plan */
	uint32_t nprimaries;
	uint32_t compensate;  /* index of the action that undoes this one, or NO_ACTION */
	bool standby;         /* runs only when called for: an alternative or a compensation */
	char *fallback;       /* JSON object, typed; or NULL */

	struct conditions *conditions;     /* or NULL */
	struct confirmation *confirmation; /* or NULL */
	struct loop *loop;                 /* or NULL */
	struct for_each *for_each;         /* or NULL */
	bool no_supervisor;                /* runs without a process of its own: it waits for others */
	char *child_plan;                  /* plan.run: the plan that it runs, as canonical JSON; or NULL */
	uint32_t instance_of;              /* the forEach action that this is an instance of, or NO_ACTION */
	char *item;                        /* its item, as JSON; or NULL */

	struct retry_policy retry;
	msec timeout;       /* of one attempt; 0: none */
	msec total_timeout; /* of all attempts with the waits between; 0: none */
	enum on_failure on_failure;
	enum on_lost on_lost;
	bool critical;
	int priority; /* greater goes first */

	char *queue; /* or NULL */
	char *breaker; /* circuit breaker of the tool that it uses; or NULL */
	bool breaker_fails; /* while that is open it fails, rather than wait */
	char **resources; /* locks held across executions while an attempt runs */
	size_t nresources;
	char **provides; /* outputs that it promises by name */
	size_t nprovides;
	char **consumes; /* outputs, provided upstream, that it finds in its environment */
	size_t nconsumes;
};

struct validation {
	char *name;
	char *reference; /* the path inside ${…} */
	char *op;        /* exists, equals, contains, matches */
	char *value;     /* or NULL */
};

struct plan {
	char id[UUID_TEXT];
	char *key; /* planKey: what the author called it; or NULL */
	char *name;
	char *description;
	char *version; /* or NULL */

	struct action *actions;
	uint32_t n;       /* instances of forEach actions follow the actions that were planned */
	uint32_t planned, capacity;
	struct map index; /* id -> index */
	struct map providers; /* what is provided -> by which action first */
	uint32_t *edges;  /* deps and dependents of all actions */
	uint32_t *primaries;

	struct validation *validations;
	size_t nvalidations;

	struct pinned *pinned;
	size_t npinned;
	struct map pinned_index; /* id -> place in pinned */
	struct pinned_api *apis;
	size_t napis;

	json_t *env;    /* object of strings, or NULL */
	json_t *inputs; /* object, or NULL */

	uint32_t max_concurrency; /* 0: no limit of its own */
	msec timeout;             /* of the execution; 0: none */
	enum on_abort on_abort;
	int priority;
	json_t *submitted_by; /* {uid, user}, or NULL */
	bool incomplete;      /* loaded with findings: some names lead nowhere; never run */
};

/* Index of the action with this id, or NO_ACTION. */
uint32_t plan_find(const struct plan *p, const char *id);
/* Fill deps' inverse, and the primaries of alternatives; called once when actions and deps are complete. */
void plan_link(struct plan *p);
void plan_free(struct plan *p);

/* Add an instance of action `of` for an item (JSON, taken over): named OF.NUMBER, without dependencies, with the
 * same attempts policy.  Pointers to actions are invalid afterwards; indexes are not. */
uint32_t plan_add_instance(struct plan *p, uint32_t of, uint32_t number, char *item);

/* The plan that action i runs as a sub-execution (an instance of forEach: what its parent names), or NULL. */
const char *plan_child(const struct plan *p, uint32_t i);

/* Which action provides name, or NO_ACTION. */
uint32_t plan_provider(const struct plan *p, const char *name);

/* Is s an action id ([A-Za-z0-9_][A-Za-z0-9_-]{0,63})? */
bool action_id_is(const char *s);
/* The same, or the id of an instance: ID.NUMBER. */
bool instance_id_is(const char *s);

#endif
