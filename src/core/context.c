#include "core/context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/expr.h"
#include "model/error.h"

/* Those that stand in a file only.  What is loaded is no part of what the execution is. */
static json_t *loaded_output(const struct exec *x, uint32_t i)
{
	struct exec *own = (struct exec *)x;
	struct action_state *a = &own->a[i];

	if (a->loaded || !x->load || !json_is_true(json_object_get(a->record, "outputInFile")))
		return a->loaded;
	if (x->unread != NO_ACTION)
		return NULL; /* nothing comes of this question any more */
	a->loaded = x->load(x->load_ctx, x, i, &own->why_unread);
	if (a->loaded) {
		vec_push(&own->loaded, i);
		own->unread_since = 0;
	} else {
		own->unread = i;
	}
	return a->loaded;
}

json_t *context_output(const struct exec *x, uint32_t i)
{
	/* The chain of alternatives has no cycle; n bounds the walk all the same. */
	uint32_t steps;

	for (steps = 0; steps <= x->plan->n; steps++) {
		const struct action_state *a = &x->a[i];

		if (a->phase == PH_COMPLETED && json_object_get(a->record, "output"))
			return json_object_get(a->record, "output");
		if (a->phase == PH_COMPLETED)
			return loaded_output(x, i);
		if (a->stand_in == STAND_IN_FALLBACK)
			return json_object_get(a->record, "fallback");
		if (a->stand_in != STAND_IN_ALTERNATIVE)
			return NULL;
		i = x->plan->actions[i].alternative;
	}
	return NULL;
}

static json_t *action_status(const struct exec *x, const struct ref *r, uint32_t i)
{
	enum phase p = x->a[i].phase;

	if (!r->prev)
		return json_string(phase_status(p));
	switch (p) {
	case PH_COMPLETED:
		return json_string("success");
	case PH_FAILED:
	case PH_STANDIN:
		return json_string("failed");
	case PH_SKIPPED:
		return json_string("skipped");
	default:
		return NULL;
	}
}

static json_t *walk(const struct ref *r, json_t *value)
{
	return json_incref(ref_walk(r, value));
}

static json_t *action_value(const struct exec *x, const struct ref *r)
{
	uint32_t i = plan_find(x->plan, r->action);

	if (i == NO_ACTION)
		return NULL;
	if (exec_made_again(x, i)) {
		struct exec *own = (struct exec *)x;

		own->unread = i;
		err_set(&own->why_unread, EAGAIN, "it is done again, because its outputs were lost");
		return NULL;
	}
	switch (r->field) {
	case REF_OUTPUT:
		return walk(r, context_output(x, i));
	case REF_STATUS:
		return action_status(x, r, i);
	case REF_ERROR:
		return walk(r, json_object_get(x->a[i].record, "error"));
	case REF_ATTEMPTS:
		return json_integer(x->a[i].attempt);
	}
	return NULL;
}

static json_t *execution_value(const struct exec *x, const struct ref *r)
{
	char when[CLOCK_TEXT];
	const char *name = r->nsteps == 1 ? r->step[0].name : NULL;

	if (!name)
		return NULL;
	if (strcmp(name, "id") == 0)
		return json_string(x->id);
	if (strcmp(name, "planId") == 0)
		return json_string(x->plan->id);
	if (strcmp(name, "name") == 0)
		return json_string(x->plan->name);
	if (strcmp(name, "planKey") == 0)
		return x->plan->key ? json_string(x->plan->key) : NULL;
	if (strcmp(name, "startedAt") == 0) {
		clock_format(x->started_at, when);
		return json_string(when);
	}
	return NULL;
}

/* vars.item and vars.index, for an instance of a forEach action. */
static json_t *item_value(const struct exec *x, const struct ref *r)
{
	const struct action *pa = x->subject == NO_ACTION ? NULL : &x->plan->actions[x->subject];
	struct ref rest = *r;
	json_t *item, *value;

	if (!pa || !pa->item || r->nsteps == 0 || !r->step[0].name)
		return NULL;
	if (strcmp(r->step[0].name, "index") == 0)
		return json_integer(atoll(strrchr(pa->id, '.') + 1));
	if (strcmp(r->step[0].name, "item") != 0)
		return NULL;
	item = json_loads(pa->item, JSON_DECODE_ANY, NULL);
	rest.step++;
	rest.nsteps--;
	value = json_incref(ref_walk(&rest, item));
	json_decref(item);
	return value;
}

/* Why an action's value is not there, in words that say where to look. */
static void explain(const struct exec *x, const struct ref *r, struct err *e)
{
	uint32_t i = r->root == REF_ACTION ? plan_find(x->plan, r->action) : NO_ACTION;
	AUTO_BUF struct buf names = BUF_INIT;
	json_t *output, *value;
	const char *key;

	if (x->unread != NO_ACTION) {
		err_set(e, x->why_unread.code, "the outputs of \"%s\": %s", x->plan->actions[x->unread].id, x->why_unread.text);
		return;
	}
	if (i == NO_ACTION || r->field != REF_OUTPUT)
		return;
	output = context_output(x, i);
	if (!output && x->a[i].phase != PH_COMPLETED) {
		err_set(e, ENOENT, "\"%s\" is %s and has no output", r->action, phase_status(x->a[i].phase));
		return;
	}
	json_object_foreach(output, key, value)
		if (names.len < 200)
			buf_printf(&names, "%s\"%s\"", names.len ? ", " : "", key);
	err_set(e, ENOENT, names.len ? "\"%s\" has the outputs %s" : "\"%s\" has no outputs%s", r->action,
		buf_str(&names));
}

json_t *context_lookup(void *exec, const struct ref *r, struct err *e)
{
	const struct exec *x = exec;
	json_t *value;

	switch (r->root) {
	case REF_ACTION:
		value = action_value(x, r);
		if (!value)
			explain(x, r, e);
		return value;
	case REF_ENV:
		value = walk(r, x->plan->env);
		return value ? value : walk(r, x->env);
	case REF_INPUTS:
		return walk(r, x->plan->inputs);
	case REF_EXECUTION:
		return execution_value(x, r);
	case REF_SECRETS:
		/* Only a mark: the value is put in when the attempt starts and is never seen here.  The nonce
		 * keeps an action's output from posing as a mark. */
		if (r->nsteps != 1 || !r->step[0].name || !x->nonce[0])
			return NULL;
		return json_sprintf("\x01%s:%s\x02", x->nonce, r->step[0].name);
	case REF_VARS:
		return item_value(x, r);
	case REF_TRIGGER:
		break;
	}
	return NULL;
}

json_t *context_inputs(struct exec *x, uint32_t i, json_t **error)
{
	json_t *plain = json_loads(x->plan->actions[i].inputs, 0, NULL);
	struct err e = {0};
	json_t *out;

	if (plain && x->plan->actions[i].instance_of != NO_ACTION)
		json_object_update(plain, x->a[x->plan->actions[i].instance_of].inputs);
	if (plain && x->a[i].inputs)
		json_object_update(plain, x->a[i].inputs);
	x->subject = i;
	x->unread = NO_ACTION;
	out = plain ? ref_expand(plain, context_lookup, x, &e) : NULL;
	x->subject = NO_ACTION;
	json_decref(plain);
	if (!out) {
		*error = error_new(ERROR_VALIDATION_FAILED, false, "the inputs cannot be made: %s", e.text);
		error_set_code(*error, "reference");
		error_set_suggestion(*error, "look at the outputs of the action that the reference names: creel show");
	}
	return out;
}

int context_condition(struct exec *x, const char *text, json_t **error)
{
	AUTO_FREE char *why = NULL;
	struct expr *expression = expr_compile(text, &why);
	json_t *value = NULL;
	struct err e = {0};
	int truth = -1;

	x->unread = NO_ACTION;
	if (!expression) {
		*error = error_new(ERROR_VALIDATION_FAILED, false, "condition \"%s\": %s", text, why);
	} else if (expr_eval_counted(expression, context_lookup, x, &value, x->steps, &e) < 0) {
		*error = error_new(ERROR_VALIDATION_FAILED, false, "condition \"%s\": %s", text, e.text);
	} else {
		truth = expr_truth(value);
		if (truth < 0) {
			AUTO_FREE char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

			*error = error_new(ERROR_VALIDATION_FAILED, false,
					   "condition \"%s\" is %.200s, which is neither true nor false", text,
					   shown ? shown : "?");
			error_set_suggestion(*error, "compare it with something: ==, contains, matches or exists");
		}
	}
	if (truth < 0)
		error_set_code(*error, "condition");
	json_decref(value);
	expr_free(expression);
	return truth;
}

void context_idempotency_key(const struct exec *x, uint32_t i, char *out, size_t size)
{
	if (x->a[i].iteration)
		snprintf(out, size, "%s.%s#%u", x->id, x->plan->actions[i].id, x->a[i].iteration);
	else
		snprintf(out, size, "%s.%s", x->id, x->plan->actions[i].id);
}
