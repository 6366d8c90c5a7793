#include "model/plan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

uint32_t plan_find(const struct plan *p, const char *id)
{
	return map_get(&p->index, id); /* MAP_NONE is NO_ACTION */
}

static void link_dependents(struct plan *p)
{
	uint32_t i, k, total = 0;
	uint32_t *next;

	for (i = 0; i < p->n; i++)
		for (k = 0; k < p->actions[i].ndeps; k++)
			p->actions[p->actions[i].deps[k]].ndependents++;
	for (i = 0; i < p->n; i++)
		total += p->actions[i].ndeps;
	next = p->edges + total; /* the loader made room for both directions */
	for (i = 0; i < p->n; i++) {
		p->actions[i].dependents = next;
		next += p->actions[i].ndependents;
		p->actions[i].ndependents = 0;
	}
	for (i = 0; i < p->n; i++)
		for (k = 0; k < p->actions[i].ndeps; k++) {
			struct action *d = &p->actions[p->actions[i].deps[k]];

			d->dependents[d->ndependents++] = i;
		}
}

static void link_primaries(struct plan *p)
{
	uint32_t i, total = 0;
	uint32_t *next;

	for (i = 0; i < p->n; i++) {
		if (p->actions[i].compensate != NO_ACTION)
			p->actions[p->actions[i].compensate].standby = true;
		if (p->actions[i].alternative == NO_ACTION)
			continue;
		p->actions[p->actions[i].alternative].standby = true;
		p->actions[p->actions[i].alternative].nprimaries++;
		total++;
	}
	p->primaries = next = xcalloc(total, sizeof *next);
	for (i = 0; i < p->n; i++) {
		p->actions[i].primaries = next;
		next += p->actions[i].nprimaries;
		p->actions[i].nprimaries = 0;
	}
	for (i = 0; i < p->n; i++)
		if (p->actions[i].alternative != NO_ACTION) {
			struct action *a = &p->actions[p->actions[i].alternative];

			a->primaries[a->nprimaries++] = i;
		}
}

void plan_link(struct plan *p)
{
	link_dependents(p);
	link_primaries(p);
}

static void free_strings(char **v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

static void free_action(struct action *a)
{
	free(a->id);
	free(a->definition);
	free(a->inputs);
	free(a->fallback);
	free(a->queue);
	free(a->breaker);
	free_strings(a->resources, a->nresources);
	free_strings(a->provides, a->nprovides);
	free_strings(a->consumes, a->nconsumes);
	if (a->conditions) {
		free(a->conditions->if_ref);
		free(a->conditions->when);
		free_strings(a->conditions->skip_if, a->conditions->nskip_if);
		free(a->conditions);
	}
	if (a->confirmation) {
		free(a->confirmation->title);
		free(a->confirmation->message);
		free_strings(a->confirmation->approvers, a->confirmation->napprovers);
		free(a->confirmation);
	}
	if (a->loop) {
		free(a->loop->until);
		free(a->loop);
	}
	if (a->for_each) {
		free(a->for_each->items);
		free(a->for_each);
	}
	free(a->item);
	free(a->child_plan);
}

static void free_pinned(struct plan *p)
{
	size_t k;

	for (k = 0; k < p->npinned; k++) {
		free(p->pinned[k].id);
		free(p->pinned[k].host);
		json_decref(p->pinned[k].definition);
	}
	for (k = 0; k < p->napis; k++) {
		free(p->apis[k].id);
		json_decref(p->apis[k].entry);
	}
	map_free(&p->pinned_index);
	free(p->pinned);
	free(p->apis);
}

void plan_free(struct plan *p)
{
	uint32_t i;
	size_t v;

	if (!p)
		return;
	for (i = 0; i < p->n; i++)
		free_action(&p->actions[i]);
	for (v = 0; v < p->nvalidations; v++) {
		free(p->validations[v].name);
		free(p->validations[v].reference);
		free(p->validations[v].op);
		free(p->validations[v].value);
	}
	free(p->validations);
	free_pinned(p);
	free(p->actions);
	free(p->edges);
	free(p->primaries);
	map_free(&p->index);
	map_free(&p->providers);
	free(p->key);
	free(p->name);
	free(p->description);
	free(p->version);
	json_decref(p->env);
	json_decref(p->inputs);
	json_decref(p->submitted_by);
	free(p);
}

const char *plan_child(const struct plan *p, uint32_t i)
{
	const struct action *a = &p->actions[i];

	return a->instance_of == NO_ACTION ? a->child_plan : p->actions[a->instance_of].child_plan;
}

uint32_t plan_provider(const struct plan *p, const char *name)
{
	return map_get(&p->providers, name);
}

static char **copy_strings(char **v, size_t n)
{
	char **copy = n ? xcalloc(n, sizeof *copy) : NULL;
	size_t k;

	for (k = 0; k < n; k++)
		copy[k] = xstrdup(v[k]);
	return copy;
}

uint32_t plan_add_instance(struct plan *p, uint32_t of, uint32_t number, char *item)
{
	const struct action *parent;
	struct action *a;

	/* Grown by doubling, from the planned size. */
	if (p->n == p->capacity) {
		p->capacity = p->n * 2;
		p->actions = xreallocarray(p->actions, p->capacity, sizeof *p->actions);
	}
	parent = &p->actions[of];
	a = &p->actions[p->n];
	*a = (struct action){
	    .id = xasprintf("%s.%u", parent->id, number),
	    .definition = xstrdup(parent->definition),
	    .pinned = parent->pinned,
	    .api = parent->api,
	    .http = parent->http,
	    .unsafe = parent->unsafe,
	    .inputs = xstrdup(parent->inputs),
	    .alternative = NO_ACTION,
	    .compensate = NO_ACTION,
	    .instance_of = of,
	    .no_supervisor = parent->child_plan != NULL,
	    .item = item,
	    .retry = parent->retry,
	    .timeout = parent->timeout,
	    .total_timeout = parent->total_timeout,
	    .on_failure = ON_FAILURE_CONTINUE, /* what a failed item means is the parent's to say */
	    .on_lost = parent->on_lost,
	    .priority = parent->priority,
	    .queue = xstrdup_opt(parent->queue),
	    .breaker = xstrdup_opt(parent->breaker),
	    .breaker_fails = parent->breaker_fails,
	    .resources = copy_strings(parent->resources, parent->nresources),
	    .nresources = parent->nresources,
	    .consumes = copy_strings(parent->consumes, parent->nconsumes),
	    .nconsumes = parent->nconsumes,
	};
	map_put(&p->index, a->id, p->n);
	return p->n++;
}

bool action_id_is(const char *s)
{
	size_t i;

	for (i = 0; s[i]; i++) {
		unsigned char c = (unsigned char)s[i];

		if (i == ACTION_ID_MAX || !(isalnum(c) || c == '_' || (c == '-' && i > 0)) || c > 0x7f)
			return false;
	}
	return i > 0;
}

bool instance_id_is(const char *s)
{
	const char *dot = strchr(s, '.');
	char id[ACTION_ID_MAX + 1];
	size_t n = dot ? (size_t)(dot - s) : 0, k;

	if (!dot)
		return action_id_is(s);
	if (n > ACTION_ID_MAX)
		return false;
	memcpy(id, s, n);
	id[n] = '\0';
	for (k = 1; dot[k]; k++)
		if (dot[k] < '0' || dot[k] > '9' || k > 6)
			return false;
	return k > 1 && action_id_is(id);
}
