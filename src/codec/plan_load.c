#include "codec/plan_load.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "codec/pinned_load.h"
#include "model/error.h"

/* Above this many actions nobody gets a "did you mean": the search would cost more than it helps. */
enum { SUGGEST_MAX = 5000 };

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static char *text_copy(const json_t *o, const char *key)
{
	return xstrdup_opt(text(o, key));
}

static char **texts(const json_t *array, size_t *n)
{
	char **v;
	size_t i;

	*n = json_array_size(array);
	if (*n == 0)
		return NULL;
	v = xcalloc(*n, sizeof *v);
	for (i = 0; i < *n; i++)
		v[i] = xstrdup(json_string_value(json_array_get(array, i)) ? json_string_value(json_array_get(array, i)) : "");
	return v;
}

/* ---- names of other actions ---- */

static void unknown(const struct plan *p, const char *pointer, const char *id, struct diags *errors)
{
	const char **ids;
	const char *near = NULL;
	uint32_t i;

	if (p->n <= SUGGEST_MAX) {
		ids = xcalloc(p->n, sizeof *ids);
		for (i = 0; i < p->n; i++)
			ids[i] = p->actions[i].id;
		near = text_nearest(id, ids, p->n);
		free(ids);
	}
	diag_add(errors, pointer, near ? xasprintf("did you mean \"%s\"?", near) : xstrdup("name an action of this plan"),
		 "there is no action \"%s\"", id);
}

static uint32_t resolve(const struct plan *p, const char *id, uint32_t self, const char *role, struct diags *errors,
			const char *pointer_format, uint32_t a, uint32_t b)
{
	AUTO_FREE char *pointer = NULL;
	uint32_t i;

	if (!id)
		return NO_ACTION;
	i = plan_find(p, id);
	if (i != NO_ACTION && i != self)
		return i;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	pointer = xasprintf(pointer_format, a, b);
#pragma GCC diagnostic pop
	if (i == NO_ACTION)
		unknown(p, pointer, id, errors);
	else
		diag_add(errors, pointer, xstrdup("name another action, or leave it out"), "\"%s\" cannot be its own %s", id,
			 role);
	return NO_ACTION;
}

static void load_dependencies(struct plan *p, const json_t *actions, struct diags *errors)
{
	size_t total = 0;
	uint32_t i, *next;

	for (i = 0; i < p->n; i++)
		total += json_array_size(json_object_get(json_array_get(actions, i), "dependencies"));
	if (total > PLAN_EDGES_MAX) {
		diag_add(errors, "/actions", NULL, "a plan has at most %d dependencies in all, this one has %zu",
			 PLAN_EDGES_MAX, total);
		total = 0;
		actions = NULL;
	}
	p->edges = next = xcalloc(2 * total, sizeof *next);
	for (i = 0; i < p->n; i++) {
		json_t *deps = json_object_get(json_array_get(actions, i), "dependencies"), *dep;
		struct action *a = &p->actions[i];
		size_t k;

		a->deps = next;
		json_array_foreach(deps, k, dep) {
			uint32_t d = resolve(p, json_string_value(dep), i, "dependency", errors,
					     "/actions/%u/dependencies/%u", i, (uint32_t)k);
			uint32_t seen;

			for (seen = 0; d != NO_ACTION && seen < a->ndeps && a->ndeps < 64; seen++)
				if (a->deps[seen] == d)
					d = NO_ACTION; /* named twice means the same as once */
			if (d != NO_ACTION) {
				a->deps[a->ndeps++] = d;
				next++;
			}
		}
	}
}

/* ---- members of an action ---- */

static void load_inputs(const struct plan *p, struct action *a, const json_t *from)
{
	json_t *inputs = json_copy(json_object_get(from, "inputs"));

	json_object_update(inputs, json_object_get(from, "typedInputs"));
	pinned_use(p, a, inputs);
	a->inputs = inputs ? json_dumps(inputs, JSON_COMPACT) : NULL;
	if (!a->inputs)
		a->inputs = xstrdup("{}");
	json_decref(inputs);
}

static void load_fallback(struct action *a, const json_t *handling)
{
	json_t *value = json_copy(json_object_get(handling, "fallbackValue"));

	if (!value)
		return;
	json_object_update(value, json_object_get(handling, "typedFallback"));
	a->fallback = json_dumps(value, JSON_COMPACT);
	json_decref(value);
}

static void load_retry(struct action *a, const json_t *policy)
{
	json_t *categories = json_object_get(policy, "retryableErrors"), *c;
	size_t k;

	a->retry = (struct retry_policy){.max_attempts = 1, .multiplier = 1};
	if (!policy)
		return;
	a->retry.max_attempts = (int)json_integer_value(json_object_get(policy, "maxAttempts"));
	a->retry.initial_delay = json_integer_value(json_object_get(policy, "initialDelay"));
	a->retry.max_delay = json_integer_value(json_object_get(policy, "maxDelay"));
	a->retry.multiplier = json_number_value(json_object_get(policy, "backoffMultiplier"));
	a->retry.jitter = json_is_true(json_object_get(policy, "jitter"));
	json_array_foreach(categories, k, c) {
		int category = json_is_string(c) ? error_category_parse(json_string_value(c)) : -1;

		if (category >= 0)
			a->retry.categories |= 1u << category;
	}
}

/* The action's own policy, or its definition's. */
static const json_t *retry_of(const struct action *a, const json_t *from)
{
	const json_t *own = json_object_get(from, "retryPolicy");

	return own || !a->pinned ? own : json_object_get(a->pinned->definition, "retryPolicy");
}

/* The path inside "${…}". */
static char *inner(const char *reference)
{
	size_t n = reference ? strlen(reference) : 0;

	if (!reference)
		return xstrdup("");

	return n > 3 ? xstrndup(reference + 2, n - 3) : xstrdup(reference);
}

static void load_conditions(struct action *a, const json_t *from)
{
	json_t *condition = json_object_get(from, "condition");
	const char *if_ref = text(condition, "if"), *otherwise = text(condition, "else");
	json_t *skip_if = json_object_get(from, "skipIf");

	if (!condition && !json_object_get(from, "when") && json_array_size(skip_if) == 0)
		return;
	a->conditions = xcalloc(1, sizeof *a->conditions);
	a->conditions->if_ref = if_ref ? inner(if_ref) : NULL;
	a->conditions->else_fail = otherwise && strcmp(otherwise, "fail") == 0;
	a->conditions->when = text_copy(from, "when");
	a->conditions->skip_if = texts(skip_if, &a->conditions->nskip_if);
}

static void load_confirmation(struct action *a, const json_t *c)
{
	if (!json_is_true(json_object_get(c, "required")))
		return;
	a->confirmation = xcalloc(1, sizeof *a->confirmation);
	a->confirmation->title = text_copy(c, "title");
	a->confirmation->message = text_copy(c, "message");
	a->confirmation->timeout = json_integer_value(json_object_get(c, "timeout"));
	a->confirmation->approvers = texts(json_object_get(c, "approvers"), &a->confirmation->napprovers);
	a->confirmation->quorum = (int)json_integer_value(json_object_get(c, "quorum"));
	if (a->confirmation->quorum < 1)
		a->confirmation->quorum = 1;
	a->confirmation->no_self_approval = json_is_true(json_object_get(c, "noSelfApproval"));
}

static enum on_failure policy_of(const json_t *from)
{
	const char *s = text(from, "onFailure");

	if (s && strcmp(s, "skip_dependents") == 0)
		return ON_FAILURE_SKIP_DEPENDENTS;
	if (s && strcmp(s, "ask") == 0)
		return ON_FAILURE_ASK;
	if ((s && strcmp(s, "continue") == 0) ||
	    (!s && json_is_true(json_object_get(json_object_get(from, "errorHandling"), "continueOnFailure"))))
		return ON_FAILURE_CONTINUE;
	return ON_FAILURE_ABORT;
}

/* An HTTP request that may have had an effect is not repeated unless somebody said that it may be. */
static enum on_lost lost_of(const struct action *a, const json_t *from)
{
	const char *s = text(from, "onLost");

	if (!s && a->unsafe)
		return ON_LOST_ASK;
	return s && strcmp(s, "fail") == 0 ? ON_LOST_FAIL : s && strcmp(s, "ask") == 0 ? ON_LOST_ASK : ON_LOST_RERUN;
}

static void load_loop(struct plan *p, uint32_t i, const json_t *loop, struct diags *errors)
{
	uint32_t back;

	if (!loop)
		return;
	/* An action may loop on itself. */
	back = resolve(p, text(loop, "backTo"), NO_ACTION, "loop", errors, "/actions/%u/loop/backTo", i, 0);
	p->actions[i].loop = xcalloc(1, sizeof *p->actions[i].loop);
	p->actions[i].loop->until = text_copy(loop, "until");
	p->actions[i].loop->back_to = json_object_get(loop, "backTo") ? back : i;
	p->actions[i].loop->max_iterations = (int)json_integer_value(json_object_get(loop, "maxIterations"));
}

static void load_for_each(struct action *a, const json_t *each)
{
	json_t *items = json_is_object(each) ? json_object_get(each, "items") : (json_t *)each;

	if (!items)
		return;
	a->for_each = xcalloc(1, sizeof *a->for_each);
	a->for_each->items = json_dumps(items, JSON_COMPACT | JSON_ENCODE_ANY);
	a->for_each->width = (uint32_t)json_integer_value(json_object_get(each, "width"));
	a->no_supervisor = true;
}

static void load_child_plan(struct action *a, const json_t *from)
{
	json_t *child = json_object_get(from, "childPlan");

	if (!child)
		return;
	a->child_plan = json_dumps(child, JSON_COMPACT);
	a->no_supervisor = true;
}

/* Of an API that has no breaker of another name: its id, as far as that can be the name of one. */
static char *breaker_of(const struct pinned_api *api)
{
	char *name = xstrndup(api->id, ACTION_ID_MAX), *c;

	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-')
			*c = '_';
	return name;
}

/* A name, or {name, onOpen}. */
static void load_breaker(struct action *a, const json_t *breaker)
{
	const char *on_open = text(breaker, "onOpen");

	a->breaker = json_is_object(breaker) ? text_copy(breaker, "name") : xstrdup_opt(json_string_value(breaker));
	a->breaker_fails = on_open && strcmp(on_open, "fail") == 0;
	if (!a->breaker && a->api)
		a->breaker = breaker_of(a->api);
}

static void load_action(struct plan *p, uint32_t i, const json_t *from, struct diags *errors)
{
	json_t *handling = json_object_get(from, "errorHandling");
	struct action *a = &p->actions[i];
	size_t k;

	a->definition = xstrdup(text(from, "actionDefinitionId") ? text(from, "actionDefinitionId") : "");
	load_inputs(p, a, from);
	load_child_plan(a, from);
	load_fallback(a, handling);
	load_retry(a, retry_of(a, from));
	load_conditions(a, from);
	load_confirmation(a, json_object_get(from, "userConfirmation"));
	a->alternative = resolve(p, text(handling, "alternativeActionId"), i, "alternative", errors,
				 "/actions/%u/errorHandling/alternativeActionId", i, 0);
	a->compensate = resolve(p, text(from, "compensate"), i, "compensation", errors, "/actions/%u/compensate", i, 0);
	load_loop(p, i, json_object_get(from, "loop"), errors);
	load_for_each(a, json_object_get(from, "forEach"));
	a->timeout = json_integer_value(json_object_get(from, "timeoutMs"));
	a->total_timeout = json_integer_value(json_object_get(from, "totalTimeoutMs"));
	a->on_failure = policy_of(from);
	a->on_lost = lost_of(a, from);
	a->critical = json_is_true(json_object_get(from, "critical"));
	a->priority = (int)json_integer_value(json_object_get(from, "priority"));
	a->queue = text_copy(from, "queue");
	load_breaker(a, json_object_get(from, "breaker"));
	a->resources = texts(json_object_get(from, "resources"), &a->nresources);
	a->provides = texts(json_object_get(from, "provides"), &a->nprovides);
	a->consumes = texts(json_object_get(from, "consumes"), &a->nconsumes);
	a->instance_of = NO_ACTION;
	for (k = 0; k < a->nprovides; k++)
		if (map_get(&p->providers, a->provides[k]) == MAP_NONE)
			map_put(&p->providers, a->provides[k], i);
}

/* ---- the plan ---- */

static void load_ids(struct plan *p, const json_t *actions, struct diags *errors)
{
	uint32_t i;

	for (i = 0; i < p->n; i++) {
		const char *id = text(json_array_get(actions, i), "id");
		uint32_t first;

		p->actions[i].id = xstrdup(id ? id : "");
		p->actions[i].alternative = p->actions[i].compensate = NO_ACTION;
		if (!action_id_is(p->actions[i].id)) { /* only a plan.json that was damaged has one: ids become paths */
			AUTO_FREE char *pointer = xasprintf("/actions/%u/id", i);

			diag_add(errors, pointer, NULL, "this is no id of an action");
		}
		first = map_get(&p->index, p->actions[i].id);
		if (first == MAP_NONE) {
			map_put(&p->index, p->actions[i].id, i);
		} else {
			AUTO_FREE char *pointer = xasprintf("/actions/%u/id", i);

			diag_add(errors, pointer, xstrdup("give each action an id of its own"),
				 "the id \"%s\" is given twice; action %u has it first", p->actions[i].id, first + 1);
		}
	}
}

static void load_validations(struct plan *p, const json_t *list)
{
	size_t i;
	json_t *v;

	p->nvalidations = json_array_size(list);
	p->validations = xcalloc(p->nvalidations, sizeof *p->validations);
	json_array_foreach(list, i, v) {
		p->validations[i].name = text_copy(v, "name");
		p->validations[i].reference = inner(text(v, "reference"));
		p->validations[i].op = text_copy(v, "operator");
		p->validations[i].value = text_copy(v, "value");
	}
}

static void load_head(struct plan *p, const json_t *from)
{
	const char *id = text(from, "id"), *on_abort = text(from, "onAbort");

	if (id && uuid_is(id))
		strcpy(p->id, id);
	p->key = text_copy(from, "planKey");
	p->name = xstrdup(text(from, "name") ? text(from, "name") : "");
	p->description = text_copy(from, "description");
	p->version = text_copy(from, "version");
	p->env = json_incref(json_object_get(from, "env"));
	p->inputs = json_incref(json_object_get(from, "inputs"));
	p->submitted_by = json_incref(json_object_get(from, "submittedBy"));
	p->max_concurrency = (uint32_t)json_integer_value(json_object_get(from, "maxConcurrency"));
	p->timeout = json_integer_value(json_object_get(from, "timeoutMs"));
	p->on_abort = on_abort && strcmp(on_abort, "terminate") == 0 ? ON_ABORT_TERMINATE : ON_ABORT_DRAIN;
	p->priority = (int)json_integer_value(json_object_get(from, "priority"));
}

struct plan *plan_load(const json_t *canonical, struct diags *errors)
{
	json_t *actions = json_object_get(canonical, "actions");
	size_t before = errors->n, n = json_array_size(actions);
	struct plan *p;
	uint32_t i;

	if (n > PLAN_ACTIONS_MAX) {
		diag_add(errors, "/actions", xstrdup("split it into several plans"),
			 "a plan has at most %d actions, this one has %zu", PLAN_ACTIONS_MAX, n);
		return NULL;
	}
	p = xcalloc(1, sizeof *p);
	p->n = p->planned = p->capacity = (uint32_t)n;
	p->actions = xcalloc(n, sizeof *p->actions);
	load_head(p, canonical);
	load_ids(p, actions, errors);
	load_dependencies(p, actions, errors);
	pinned_load(p, canonical);
	for (i = 0; i < p->n; i++)
		load_action(p, i, json_array_get(actions, i), errors);
	load_validations(p, json_object_get(json_object_get(canonical, "expectedOutcome"), "validations"));
	p->incomplete = errors->n > before;
	plan_link(p);
	return p;
}
