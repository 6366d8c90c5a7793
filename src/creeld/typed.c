#include "creeld/typed.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct typed_item {
	char execution[UUID_TEXT];
	char *definition;
	char *value;
};

static bool is_for(const struct typed_item *t, const struct exec *x, uint32_t i)
{
	return strcmp(t->execution, x->id) == 0 && strcmp(t->definition, x->plan->actions[i].definition) == 0;
}

const char *typed_value(const struct daemon *d, const struct exec *x, uint32_t i)
{
	size_t k;

	for (k = 0; k < d->typed.n; k++)
		if (is_for(d->typed.v[k], x, i))
			return d->typed.v[k]->value;
	return NULL;
}

bool typed_missing(void *daemon, const struct exec *x, uint32_t i)
{
	return x->plan->actions[i].pinned && x->plan->actions[i].pinned->typed && !typed_value(daemon, x, i);
}

bool typed_is_asked(const struct daemon *d, const struct exec *x, uint32_t i)
{
	size_t k;

	if (!typed_missing((void *)d, x, i))
		return false;
	for (k = 0; k < x->asked.n; k++) {
		const struct asked *r = &x->asked.v[k];

		if (!r->responded && strcmp(r->kind, "input") == 0 && r->action != i &&
		    strcmp(x->plan->actions[r->action].definition, x->plan->actions[i].definition) == 0)
			return true;
	}
	return false;
}

static void drop(struct daemon *d, size_t k)
{
	struct typed_item *t = d->typed.v[k];

	explicit_bzero(t->value, strlen(t->value));
	free(t->value);
	free(t->definition);
	free(t);
	d->typed.v[k] = d->typed.v[--d->typed.n];
}

void typed_forget(struct daemon *d, const struct exec *x, uint32_t i)
{
	size_t k;

	for (k = d->typed.n; k-- > 0;)
		if (is_for(d->typed.v[k], x, i))
			drop(d, k);
}

void typed_put(struct daemon *d, const struct exec *x, uint32_t i, const char *value)
{
	struct typed_item *t = xcalloc(1, sizeof *t);

	typed_forget(d, x, i);
	strcpy(t->execution, x->id);
	t->definition = xstrdup(x->plan->actions[i].definition);
	t->value = xstrdup(value);
	vec_push(&d->typed, t);
}

void typed_forget_execution(struct daemon *d, const char *id)
{
	size_t k;

	for (k = d->typed.n; k-- > 0;)
		if (strcmp(d->typed.v[k]->execution, id) == 0)
			drop(d, k);
}

void typed_free(struct daemon *d)
{
	while (d->typed.n > 0)
		drop(d, d->typed.n - 1);
	vec_free(&d->typed);
}
