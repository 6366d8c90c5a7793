/*
 * check_refs.c - does every reference name something that will be known by then?
 *
 * A reference to an action must lead upstream: through dependencies, from an alternative to its primaries, from a
 * compensation to what it undoes.  Most references are to a direct dependency; the others are looked for backwards
 * through the graph, under a budget of steps for the whole plan.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "core/check.h"
#include "core/expr.h"
#include "core/ref.h"

enum { STEPS_MAX = 100 * 1000 * 1000, SUGGEST_MAX = 5000 };

struct checker {
	const struct plan *p;
	struct diags *errors;
	uint32_t self;       /* the action that is looked at, or NO_ACTION for the plan's own references */
	const char *pointer; /* of the text that is looked at */
	bool secrets;        /* may secrets stand here? */
	uint32_t *mark;      /* generation in which each action was found upstream of `marked` */
	uint32_t generation;
	uint32_t marked; /* the action whose upstream is marked, or NO_ACTION */
	long steps;
};

static void mark(struct checker *c, uint32_t i, uint32_t *queue, uint32_t *n)
{
	c->steps++;
	if (c->mark[i] == c->generation)
		return;
	c->mark[i] = c->generation;
	queue[(*n)++] = i;
}

static void mark_upstream(struct checker *c)
{
	uint32_t *queue = xcalloc(c->p->n, sizeof *queue);
	uint32_t n = 0, at, i, k;

	c->generation++;
	c->marked = c->self;
	queue[n++] = c->self;
	for (at = 0; at < n; at++) {
		const struct action *a = &c->p->actions[queue[at]];

		for (k = 0; k < a->ndeps; k++)
			mark(c, a->deps[k], queue, &n);
		for (k = 0; k < a->nprimaries; k++)
			mark(c, a->primaries[k], queue, &n);
		if (a->standby && a->nprimaries == 0)
			for (i = 0; i < c->p->n; i++)
				if (c->p->actions[i].compensate == queue[at])
					mark(c, i, queue, &n);
	}
	free(queue);
}

static bool upstream(struct checker *c, uint32_t of)
{
	const struct action *a = &c->p->actions[c->self];
	uint32_t k;

	for (k = 0; k < a->ndeps; k++)
		if (a->deps[k] == of)
			return true;
	if (c->steps > STEPS_MAX)
		return true;
	if (c->marked != c->self)
		mark_upstream(c);
	return c->mark[of] == c->generation;
}

static void unknown_action(struct checker *c, const struct ref *r)
{
	const char *near = NULL;
	const char **ids;
	uint32_t i;

	if (c->p->n <= SUGGEST_MAX) {
		ids = xcalloc(c->p->n, sizeof *ids);
		for (i = 0; i < c->p->n; i++)
			ids[i] = c->p->actions[i].id;
		near = text_nearest(r->action, ids, c->p->n);
		free(ids);
	}
	diag_add(c->errors, c->pointer,
		 near ? xasprintf("did you mean \"%s\"?", near) : xstrdup("name an action that this one depends on"),
		 "the reference \"%s\" names an action that is not there: \"%s\"", r->text, r->action);
}

static void check_named(struct checker *c, const struct ref *r, const json_t *names, const char *what)
{
	const char *first = r->nsteps > 0 ? r->step[0].name : NULL;

	if (first && json_object_get(names, first))
		return;
	diag_add(c->errors, c->pointer, xasprintf("add it under %s: of the plan", what),
		 "the reference \"%s\" names nothing that the plan's %s has", r->text, what);
}

static void check_ref(struct checker *c, const struct ref *r)
{
	static const char *const facts[] = {"id", "planId", "planKey", "name", "startedAt"};
	const char *first = r->nsteps > 0 ? r->step[0].name : NULL;
	uint32_t of;
	size_t k;

	switch (r->root) {
	case REF_ACTION:
		of = plan_find(c->p, r->action);
		if (of == NO_ACTION)
			unknown_action(c, r);
		else if (c->self != NO_ACTION && of != c->self && !c->p->incomplete && !upstream(c, of))
			diag_add(c->errors, c->pointer,
				 xasprintf("add \"%s\" to the dependencies of \"%s\"", r->action,
					   c->p->actions[c->self].id),
				 "the reference \"%s\" is not upstream: \"%s\" may not have run by then", r->text, r->action);
		else if (c->self != NO_ACTION && of == c->self && !c->p->actions[of].loop) /* until may look at its own */
			diag_add(c->errors, c->pointer, NULL, "the reference \"%s\" is to the action itself", r->text);
		break;
	case REF_INPUTS:
		check_named(c, r, c->p->inputs, "inputs");
		break;
	case REF_EXECUTION:
		for (k = 0; first && k < sizeof facts / sizeof *facts; k++)
			if (strcmp(first, facts[k]) == 0)
				return;
		diag_add(c->errors, c->pointer, xstrdup("execution has id, planId, planKey, name and startedAt"),
			 "the reference \"%s\" names nothing that is known of an execution", r->text);
		break;
	case REF_SECRETS:
		if (!c->secrets)
			diag_add(c->errors, c->pointer, xstrdup("put it under env: of the action and read the variable"),
				 "the secret \"%s\" would become visible here", r->text);
		break;
	case REF_VARS:
		if (c->self != NO_ACTION && c->p->actions[c->self].for_each && first &&
		    (strcmp(first, "item") == 0 || strcmp(first, "index") == 0))
			break;
		/* fall through */
	case REF_TRIGGER:
		diag_add(c->errors, c->pointer, xstrdup("use inputs. instead"),
			 "the reference \"%s\" has no meaning in this plan: nothing triggers it and it has no variables",
			 r->text);
		break;
	case REF_ENV: /* also what the configuration names: known only when it runs */
		break;
	}
}

static void on_ref(void *ctx, const char *pointer, const struct ref *r)
{
	struct checker *c = ctx;
	bool http = c->self != NO_ACTION && c->p->actions[c->self].http;

	c->pointer = pointer;
	/* The executor of HTTP actions gets secrets in memory only, wherever they stand in its inputs. */
	c->secrets = strstr(pointer, "/env/") || (http && strstr(pointer, "/inputs/"));
	check_ref(c, r);
}

static void on_bad(void *ctx, const char *pointer, const char *text, const char *why)
{
	struct checker *c = ctx;

	diag_add(c->errors, pointer, NULL, "\"%.100s\" is not a reference: %s", text, why);
}

static void on_expression_ref(void *ctx, const struct ref *r)
{
	check_ref(ctx, r);
}

static void check_expression(struct checker *c, const char *text, const char *pointer)
{
	AUTO_FREE char *why = NULL, *impossible = NULL;
	struct expr *e;

	if (!text)
		return;
	e = expr_compile(text, &why);
	if (!e) {
		diag_add(c->errors, pointer, NULL, "the expression cannot be read: %s", why);
		return;
	}
	c->pointer = pointer;
	c->secrets = false;
	expr_refs(e, on_expression_ref, c);
	impossible = expr_impossible(e);
	if (impossible)
		diag_add(c->errors, pointer, NULL, "%s", impossible);
	expr_free(e);
}

static void check_conditions(struct checker *c, const struct action *a)
{
	AUTO_FREE char *if_pointer = xasprintf("/actions/%u/condition/if", c->self);
	AUTO_FREE char *when_pointer = xasprintf("/actions/%u/when", c->self);
	size_t k;

	if (a->loop) {
		AUTO_FREE char *pointer = xasprintf("/actions/%u/loop/until", c->self);

		check_expression(c, a->loop->until, pointer);
	}
	if (!a->conditions)
		return;
	check_expression(c, a->conditions->if_ref, if_pointer);
	check_expression(c, a->conditions->when, when_pointer);
	for (k = 0; k < a->conditions->nskip_if; k++) {
		AUTO_FREE char *pointer = xasprintf("/actions/%u/skipIf/%zu", c->self, k);

		check_expression(c, a->conditions->skip_if[k], pointer);
	}
}

/* STEP-RES: what is consumed is provided, by one action, and that one runs before. */
static void check_consumes(struct checker *c, const struct action *a)
{
	size_t k;

	for (k = 0; k < a->nconsumes; k++) {
		AUTO_FREE char *pointer = xasprintf("/actions/%u/consumes/%zu", c->self, k);
		uint32_t provider = plan_provider(c->p, a->consumes[k]);

		if (provider == NO_ACTION)
			diag_add(c->errors, pointer, xstrdup("add it to provides: of the action that puts it out"),
				 "nothing provides \"%s\"", a->consumes[k]);
		else if (provider == c->self || (!c->p->incomplete && !upstream(c, provider)))
			diag_add(c->errors, pointer,
				 xasprintf("add \"%s\" to the dependencies of \"%s\"", c->p->actions[provider].id, a->id),
				 "\"%s\" is provided by \"%s\", which may not have run by then", a->consumes[k],
				 c->p->actions[provider].id);
	}
	for (k = 0; k < a->nprovides; k++) {
		AUTO_FREE char *pointer = xasprintf("/actions/%u/provides/%zu", c->self, k);
		uint32_t first = plan_provider(c->p, a->provides[k]);

		if (first != c->self)
			diag_add(c->errors, pointer, xstrdup("give one of them another name"),
				 "\"%s\" is provided by \"%s\" already", a->provides[k], c->p->actions[first].id);
	}
}

static void check_validations(struct checker *c)
{
	size_t k;

	c->self = NO_ACTION;
	for (k = 0; k < c->p->nvalidations; k++) {
		AUTO_FREE char *pointer = xasprintf("/expectedOutcome/validations/%zu/reference", k);
		const char *why = NULL, *text = c->p->validations[k].reference;
		struct ref r;
		size_t at;

		c->pointer = pointer;
		c->secrets = false;
		if (!*text) /* left out, which the schema complains of */
			continue;
		if (!ref_parse(text, strlen(text), &r, &why, &at)) {
			on_bad(c, pointer, text, why);
			continue;
		}
		check_ref(c, &r);
		ref_free(&r);
	}
}

void plan_check_references(const struct plan *p, struct diags *errors)
{
	struct checker c = {.p = p, .errors = errors, .marked = NO_ACTION};
	uint32_t i;

	c.mark = xcalloc(p->n, sizeof *c.mark);
	for (i = 0; i < p->n; i++) {
		const struct action *a = &p->actions[i];

		c.self = i;
		/* Most inputs hold no reference: look before parsing. */
		if (strstr(a->inputs, "${") || strstr(a->inputs, "{{")) {
			AUTO_FREE char *base = xasprintf("/actions/%u/inputs", i);
			json_t *inputs = json_loads(a->inputs, 0, NULL);

			ref_scan(inputs, base, on_ref, on_bad, &c);
			json_decref(inputs);
		}
		if (a->for_each && strstr(a->for_each->items, "{")) {
			AUTO_FREE char *base = xasprintf("/actions/%u/forEach", i);
			json_t *items = json_loads(a->for_each->items, JSON_DECODE_ANY, NULL);

			ref_scan(items, base, on_ref, on_bad, &c);
			json_decref(items);
		}
		check_conditions(&c, a);
		check_consumes(&c, a);
	}
	check_validations(&c);
	if (c.steps > STEPS_MAX)
		diag_add(errors, "/actions", xstrdup("refer to direct dependencies"),
			 "the references of this plan lead through too much of its graph to be checked");
	free(c.mark);
}
