#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/schema_impl.h"

/* jansson iterates over non-const objects only; nothing here writes. */
static json_t *iterable(const json_t *object)
{
	return (json_t *)(uintptr_t)object;
}

static struct at member(const struct at *up, void *iter)
{
	return (struct at){up, json_object_iter_key(iter), json_object_iter_key_len(iter), 0, up->depth + 1};
}

static struct at element(const struct at *up, size_t i)
{
	return (struct at){up, NULL, 0, i, up->depth + 1};
}

static bool check_size(struct run *r, const struct node *n, const struct at *at, size_t size, size_t min,
		       size_t max, const char *one, const char *many)
{
	if (size < min)
		return size == 0
			   ? schema_report(r, n, at, "must not be empty")
			   : schema_report(r, n, at, "must have at least %zu %s, not %zu", min, many, size);
	if (size > max)
		return schema_report(r, n, at, "must have at most %zu %s, not %zu", max,
				     max == 1 ? one : many, size);
	return true;
}

/* --- objects --- */

static bool check_dependent(struct run *r, const struct node *n, const struct dependent *d, const json_t *v,
			    const struct at *at, struct seen *seen)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < d->n; i++)
		if (!json_object_get(v, d->required[i]))
			HOLDS(schema_report_missing(r, n, at, d->required[i], d->name));
	if (d->node)
		HOLDS(schema_node_check(r, d->node, v, at, seen));
	return ok;
}

/* propertyNames: the name is checked as if it were a value; what is found is said of the name. */
static bool check_name(struct run *r, const struct node *names, const struct at *at)
{
	json_t *name = json_stringn_nocheck(at->key, at->key_len);
	const char *outer = r->naming;
	bool ok;

	if (!name)
		return schema_stop(r, at, "cannot be checked: no memory");
	r->naming = at->key;
	ok = schema_node_check(r, names, name, at, NULL);
	r->naming = outer;
	json_decref(name);
	return ok;
}

/* properties, patternProperties, additionalProperties for one member. */
static bool check_member(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			 struct seen *seen, size_t place)
{
	const struct object_rules *k = n->object;
	uint32_t known = k->properties.n ? map_get_n(&k->index, at->key, at->key_len) : MAP_NONE;
	bool ok = true, claimed = known != MAP_NONE;
	size_t i;

	if (claimed)
		HOLDS(schema_node_check(r, k->properties.v[known], v, at, NULL));
	for (i = 0; i < k->n_patterns; i++) {
		if (schema_run_match(r, &k->patterns[i].name, at, at->key, at->key_len) != REGEX_YES)
			continue;
		claimed = true;
		HOLDS(schema_node_check(r, k->patterns[i].node, v, at, NULL));
	}
	if (!claimed && k->additional) {
		claimed = true;
		if (k->additional->never)
			HOLDS(schema_report_unknown(r, n, at));
		else
			HOLDS(schema_node_check(r, k->additional, v, at, NULL));
	}
	if (claimed)
		schema_seen_mark(seen, place);
	return ok;
}

bool schema_object_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			 struct seen *seen)
{
	const struct object_rules *k = n->object;
	bool looks_inside = k->properties.n || k->n_patterns || k->additional || k->property_names;
	bool ok = true;
	size_t i;
	void *m;

	HOLDS(check_size(r, n, at, json_object_size(v), k->min, k->max, "property", "properties"));
	for (i = 0; i < k->n_required; i++)
		if (!json_object_get(v, k->required[i]))
			HOLDS(schema_report_missing(r, n, at, k->required[i], NULL));
	for (i = 0; i < k->n_dependents; i++)
		if (json_object_get(v, k->dependents[i].name))
			HOLDS(check_dependent(r, n, &k->dependents[i], v, at, seen));
	if (!looks_inside)
		return ok;
	m = json_object_iter(iterable(v));
	for (i = 0; m && !r->stop.message; m = json_object_iter_next(iterable(v), m), i++) {
		struct at below = member(at, m);

		HOLDS(check_member(r, n, json_object_iter_value(m), &below, seen, i));
		if (k->property_names)
			HOLDS(check_name(r, k->property_names, &below));
	}
	return ok;
}

bool schema_object_rest(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			struct seen *seen)
{
	const struct node *rest = n->object->unevaluated;
	bool ok = true;
	void *m = json_object_iter(iterable(v));
	size_t i;

	for (i = 0; m && !r->stop.message; m = json_object_iter_next(iterable(v), m), i++) {
		struct at below = member(at, m);

		if (schema_seen_has(seen, i))
			continue;
		if (rest->never)
			HOLDS(schema_report_unknown(r, n, &below));
		else
			HOLDS(schema_node_check(r, rest, json_object_iter_value(m), &below, NULL));
	}
	schema_seen_all(seen);
	return ok;
}

/* --- arrays --- */

struct hashed {
	uint64_t hash;
	size_t index;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static bool repeats(struct run *r, const struct node *n, const json_t *v, const struct at *at, size_t first,
		    size_t again)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct at below = element(at, again);

	if (!r->found)
		return false;
	schema_show(&text, json_array_get(v, first));
	return schema_report(r, n, &below, "repeats element %zu of the list, %s", first + 1, buf_str(&text));
}

/* Equal elements have equal hashes: only neighbours after sorting need be compared, so that a long list is no
 * trouble, and the hash is keyed, so that no list can be made of elements whose hashes are all the same. */
static bool check_unique(struct run *r, const struct node *n, const json_t *v, const struct at *at)
{
	size_t size = json_array_size(v), i, j, first = 0, again = SIZE_MAX;
	struct hashed *all;
	bool deep = false;

	if (size < 2)
		return true;
	all = xreallocarray(NULL, size, sizeof *all);
	for (i = 0; i < size; i++)
		all[i] = (struct hashed){schema_hash(json_array_get(v, i), SCHEMA_DEPTH_MAX, &deep), i};
	qsort(all, size, sizeof *all, by_hash);
	for (i = 0; i < size && !deep; i++) {
		for (j = i + 1; j < size && all[j].hash == all[i].hash; j++) {
			if (all[j].index >= again)
				break; /* one that comes earlier is known */
			if (!schema_equal(json_array_get(v, all[i].index), json_array_get(v, all[j].index)))
				continue;
			first = all[i].index;
			again = all[j].index;
			break;
		}
	}
	free(all);
	if (deep)
		return schema_stop(r, at, "is nested too deeply to be checked");
	return again == SIZE_MAX || repeats(r, n, v, at, first, again);
}

static bool check_contains(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			   struct seen *seen)
{
	const struct array_rules *k = n->array;
	struct findings *found = r->found;
	size_t i, count = 0;

	r->found = NULL;
	for (i = 0; i < json_array_size(v); i++) {
		struct at below = element(at, i);

		if (schema_node_check(r, k->contains, json_array_get(v, i), &below, NULL)) {
			count++;
			schema_seen_mark(seen, i);
		}
	}
	r->found = found;
	if (count < k->min_contains || count > k->max_contains) {
		const char *side = count < k->min_contains ? "least" : "most";
		size_t limit = count < k->min_contains ? k->min_contains : k->max_contains;

		if (n->message)
			return schema_report_message(r, n->message, at);
		return schema_report(r, n, at, "must have at %s %zu element%s of the wanted kind, not %zu",
				     side, limit, limit == 1 ? "" : "s", count);
	}
	return true;
}

bool schema_array_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			struct seen *seen)
{
	const struct array_rules *k = n->array;
	size_t size = json_array_size(v), i;
	bool ok = true;

	HOLDS(check_size(r, n, at, size, k->min, k->max, "element", "elements"));
	for (i = 0; i < size && i < k->prefix.n; i++) {
		struct at below = element(at, i);

		HOLDS(schema_node_check(r, k->prefix.v[i], json_array_get(v, i), &below, NULL));
		schema_seen_mark(seen, i);
	}
	if (k->items && k->items->never && size > i) {
		HOLDS(check_size(r, n, at, size, 0, k->prefix.n, "element", "elements"));
	} else if (k->items) {
		for (; i < size && !r->stop.message; i++) {
			struct at below = element(at, i);

			HOLDS(schema_node_check(r, k->items, json_array_get(v, i), &below, NULL));
		}
	}
	if (k->items)
		schema_seen_all(seen);
	if (k->unique)
		HOLDS(check_unique(r, n, v, at));
	if (k->contains)
		HOLDS(check_contains(r, n, v, at, seen));
	return ok;
}

bool schema_array_rest(struct run *r, const struct node *n, const json_t *v, const struct at *at,
		       struct seen *seen)
{
	const struct node *rest = n->array->unevaluated;
	bool ok = true;
	size_t i;

	for (i = 0; i < json_array_size(v) && !r->stop.message; i++) {
		struct at below = element(at, i);

		if (!schema_seen_has(seen, i))
			HOLDS(schema_node_check(r, rest, json_array_get(v, i), &below, NULL));
	}
	schema_seen_all(seen);
	return ok;
}
