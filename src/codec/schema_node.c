#include <stdlib.h>

#include "codec/schema_impl.h"

/* --- references that lead back to where they are, for the same value --- */

enum { WALK_NEW, WALK_OPEN, WALK_DONE };

static const struct node *walk(const struct node *n, unsigned depth);

static const struct node *walk_all(const struct nodes *list, unsigned depth)
{
	const struct node *culprit = NULL;
	size_t i;

	for (i = 0; i < list->n && !culprit; i++)
		culprit = walk(list->v[i], depth);
	return culprit;
}

static const struct node *walk_logic(const struct logic *k, unsigned depth)
{
	const struct node *const single[] = {k->not_this, k->if_this, k->then_this, k->else_this};
	const struct nodes singles = {(const struct node **)(uintptr_t)single, 4};
	const struct node *culprit = walk_all(&k->all_of, depth);

	if (!culprit)
		culprit = walk_all(&k->any_of, depth);
	if (!culprit)
		culprit = walk_all(&k->one_of, depth);
	return culprit ? culprit : walk_all(&singles, depth);
}

/* Along all that is applied to the same value.  A chain that is too long for a check ends here too. */
static const struct node *walk(const struct node *n, unsigned depth)
{
	const struct node *culprit;
	size_t i;

	if (!n || n->walk == WALK_DONE)
		return NULL;
	if (n->walk == WALK_OPEN || depth == SCHEMA_DEPTH_MAX / 2)
		return n;
	((struct node *)(uintptr_t)n)->walk = WALK_OPEN; /* nobody else has it yet */
	culprit = walk(n->ref, depth + 1);
	if (!culprit && n->logic)
		culprit = walk_logic(n->logic, depth + 1);
	for (i = 0; !culprit && n->object && i < n->object->n_dependents; i++)
		culprit = walk(n->object->dependents[i].node, depth + 1);
	((struct node *)(uintptr_t)n)->walk = WALK_DONE;
	return culprit;
}

const struct node *schema_endless(const struct node *n)
{
	return walk(n, 0);
}

/* --- the end --- */

static void regex_free(struct regex *r)
{
	pcre2_code_free(r->code);
}

static void object_free(struct object_rules *o)
{
	size_t i;

	for (i = 0; i < o->n_patterns; i++)
		regex_free(&o->patterns[i].name);
	for (i = 0; i < o->n_dependents; i++)
		free(o->dependents[i].required);
	map_free(&o->index);
	free(o->required);
	free(o->names);
	free(o->properties.v);
	free(o->patterns);
	free(o->dependents);
	free(o);
}

static void node_free(struct node *n)
{
	if (n->string)
		regex_free(&n->string->pattern);
	if (n->array)
		free(n->array->prefix.v);
	if (n->object)
		object_free(n->object);
	if (n->logic) {
		free(n->logic->all_of.v);
		free(n->logic->any_of.v);
		free(n->logic->one_of.v);
	}
	free(n->number);
	free(n->string);
	free(n->array);
	free(n->logic);
	free(n->pointer);
	free(n);
}

void schema_free(struct schema *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->nodes.n; i++)
		node_free(s->nodes.v[i]);
	for (i = 0; i < s->resources.n; i++) {
		free(s->resources.v[i]->uri);
		free(s->resources.v[i]->pointer);
		map_free(&s->resources.v[i]->dynamic);
		free(s->resources.v[i]);
	}
	for (i = 0; i < s->documents.n; i++)
		free(s->documents.v[i].uri);
	vec_free(&s->nodes);
	vec_free(&s->resources);
	vec_free(&s->documents);
	pcre2_match_context_free(s->limits);
	json_decref(s->root);
	free(s);
}
