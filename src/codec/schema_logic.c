#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/schema_impl.h"

/* --- which branch's complaint is worth telling --- */

struct branch {
	struct findings found;
	bool in; /* still thought of */
};

struct branches {
	struct branch *v;
	size_t n;
	const struct at *at;
};

/* What speaks against a branch as a whole, rather than against something in it; NULL if nothing does. */
typedef const struct finding *(*objection)(const struct branch *b, const struct at *at);

static const struct finding *find(const struct branch *b, enum finding_kind kind, unsigned depth, bool single)
{
	size_t i;

	for (i = 0; i < b->found.list.n; i++) {
		const struct finding *f = &b->found.list.v[i];

		if (f->kind == kind && f->depth == depth && (f->single || !single))
			return f;
	}
	return NULL;
}

/* The value is of another type altogether. */
static const struct finding *wrong_type(const struct branch *b, const struct at *at)
{
	return find(b, FINDING_TYPE, at->depth, false);
}

/* The value is not the one, or one of the few, that the branch stands for. */
static const struct finding *wrong_value(const struct branch *b, const struct at *at)
{
	return find(b, FINDING_CHOICE, at->depth, false);
}

/* A member that must have one certain value, "type": "shell" say, has another. */
static const struct finding *wrong_member(const struct branch *b, const struct at *at)
{
	return find(b, FINDING_CHOICE, at->depth + 1, true);
}

/* The branch asks for a member and nothing else is wrong. */
static const struct finding *only_missing(const struct branch *b, const struct at *at)
{
	return b->found.list.n == 1 ? find(b, FINDING_MISSING, at->depth, false) : NULL;
}

static size_t count_in(const struct branches *all)
{
	size_t i, n = 0;

	for (i = 0; i < all->n; i++)
		n += all->v[i].in;
	return n;
}

/* If the objection holds against all branches, and it is about one place, tell it once for all. */
static bool tell_common(struct run *r, const struct branches *all, objection against)
{
	const struct finding **of = xreallocarray(NULL, all->n, sizeof *of);
	size_t i, n = 0;
	bool common = true;

	for (i = 0; i < all->n && common; i++) {
		if (!all->v[i].in)
			continue;
		of[n] = against(&all->v[i], all->at);
		common = of[n] && strcmp(of[n]->pointer, of[0]->pointer) == 0;
		n++;
	}
	if (common && n > 0)
		schema_report_merged(r, of, n);
	free(of);
	return common && n > 0;
}

/* Think no more of the branches with the objection, unless that leaves none. */
static void drop(struct branches *all, objection against)
{
	size_t i, left = 0;

	for (i = 0; i < all->n; i++)
		left += all->v[i].in && !against(&all->v[i], all->at);
	for (i = 0; i < all->n && left > 0; i++)
		all->v[i].in = all->v[i].in && !against(&all->v[i], all->at);
}

static void move(struct run *r, struct finding *f)
{
	if (r->found->list.n == DIAG_MAX) {
		r->found->more++;
		return;
	}
	vec_push(&r->found->list, *f);
	*f = (struct finding){0};
}

static bool misses(const struct branch *b, const char *name, const struct at *at)
{
	size_t i;

	for (i = 0; i < b->found.list.n; i++) {
		const struct finding *f = &b->found.list.v[i];

		if (f->kind == FINDING_MISSING && f->depth == at->depth && strcmp(f->name, name) == 0)
			return true;
	}
	return false;
}

/* Members that every branch asks for in vain. */
static bool tell_missing_everywhere(struct run *r, struct branches *all)
{
	size_t first = 0, i, j;
	bool told = false;

	while (!all->v[first].in)
		first++;
	for (i = 0; i < all->v[first].found.list.n; i++) {
		struct finding *f = &all->v[first].found.list.v[i];
		bool everywhere = f->kind == FINDING_MISSING && f->depth == all->at->depth;

		for (j = first + 1; everywhere && j < all->n; j++)
			everywhere = !all->v[j].in || misses(&all->v[j], f->name, all->at);
		if (everywhere) {
			move(r, f);
			told = true;
		}
	}
	return told;
}

static unsigned deepest(const struct branch *b)
{
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < b->found.list.n; i++)
		if (b->found.list.v[i].depth > depth)
			depth = b->found.list.v[i].depth;
	return depth;
}

/* The branch that came nearest: the fewest findings, and of those the deepest. */
static struct branch *nearest(struct branches *all)
{
	struct branch *best = NULL;
	size_t i;

	for (i = 0; i < all->n; i++) {
		struct branch *b = &all->v[i];
		size_t n = b->found.list.n + b->found.more,
		       least = best ? best->found.list.n + best->found.more : 0;

		if (b->in && (!best || n < least || (n == least && deepest(b) > deepest(best))))
			best = b;
	}
	return best;
}

static void tell(struct run *r, const struct node *n, struct branches *all)
{
	struct branch *b;
	size_t i;

	if (tell_common(r, all, wrong_type))
		return;
	drop(all, wrong_type);
	if (count_in(all) > 1) {
		if (tell_common(r, all, wrong_value) || tell_common(r, all, wrong_member))
			return;
		drop(all, wrong_member);
	}
	if (count_in(all) > 1) {
		if (tell_missing_everywhere(r, all) || tell_common(r, all, only_missing))
			return;
		if (n->message) {
			schema_report_message(r, n->message, all->at);
			return;
		}
	}
	b = nearest(all);
	for (i = 0; i < b->found.list.n; i++)
		move(r, &b->found.list.v[i]);
	r->found->more += b->found.more;
}

/* No branch holds: run them again, each with a list of its own. */
static bool explain(struct run *r, const struct node *n, const struct nodes *list, const json_t *v,
		    const struct at *at, struct seen *seen)
{
	struct branches all = {NULL, list->n, at};
	struct findings *outer = r->found;
	size_t i;

	if (!outer || r->stop.message)
		return false;
	if (outer->list.n == DIAG_MAX) {
		outer->more++;
		return false;
	}
	all.v = xcalloc(list->n, sizeof *all.v);
	for (i = 0; i < list->n; i++) {
		all.v[i].in = true;
		r->found = &all.v[i].found;
		/* With its marks: a member that a failing branch knows is not unknown. */
		schema_node_check(r, list->v[i], v, at, seen);
	}
	r->found = outer;
	if (!r->stop.message)
		tell(r, n, &all);
	for (i = 0; i < list->n; i++)
		schema_findings_free(&all.v[i].found);
	free(all.v);
	return false;
}

/* --- the keywords --- */

/* Only yes or no; what was looked at counts only if the answer is yes. */
static bool holds(struct run *r, const struct node *n, const json_t *v, const struct at *at,
		  struct seen *seen)
{
	struct findings *found = r->found;
	struct seen mine;
	bool ok;

	r->found = NULL;
	if (seen)
		schema_seen_init(&mine, seen->n);
	ok = schema_node_check(r, n, v, at, seen ? &mine : NULL);
	if (seen) {
		if (ok)
			schema_seen_merge(seen, &mine);
		schema_seen_free(&mine);
	}
	r->found = found;
	return ok;
}

static bool check_any_of(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			 struct seen *seen)
{
	const struct nodes *list = &n->logic->any_of;
	bool any = false;
	size_t i;

	/* All that hold add to what was looked at; if nobody asks, the first will do. */
	for (i = 0; i < list->n && (!any || seen); i++)
		any = holds(r, list->v[i], v, at, seen) || any;
	return any || explain(r, n, list, v, at, seen);
}

/* The one property that a schema of nothing but "required" asks for, or NULL. */
static const char *sole_requirement(const struct node *n)
{
	return n->object && n->object->n_required == 1 && json_object_size(n->json) == 1
		   ? n->object->required[0]
		   : NULL;
}

static bool too_many(struct run *r, const struct node *n, const struct node **held, size_t count,
		     const struct at *at)
{
	AUTO_BUF struct buf text = BUF_INIT;
	const char **names;
	size_t i;

	if (!r->found)
		return false;
	names = xreallocarray(NULL, count, sizeof *names);
	for (i = 0; i < count && (names[i] = sole_requirement(held[i])); i++)
		;
	if (i == count) {
		schema_show_names(&text, names, count, "and");
		schema_report(r, n, at, "%s exclude each other", buf_str(&text));
	} else if (n->message) {
		schema_report_message(r, n->message, at);
	} else {
		schema_report(r, n, at, "fits more than one of the forms that exclude each other");
	}
	free(names);
	return false;
}

static bool check_one_of(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			 struct seen *seen)
{
	const struct nodes *list = &n->logic->one_of;
	const struct node *held[8];
	size_t i, count = 0;

	for (i = 0; i < list->n && count < 8 && (count < 2 || r->found); i++)
		if (holds(r, list->v[i], v, at, seen))
			held[count++] = list->v[i];
	if (count == 0)
		return explain(r, n, list, v, at, seen);
	return count == 1 || too_many(r, n, held, count, at);
}

static bool forbidden(struct run *r, const struct node *n, const json_t *v, const struct at *at)
{
	const struct node *not_this = n->logic->not_this;
	AUTO_BUF struct buf text = BUF_INIT;

	if (!r->found)
		return false;
	if (n->message || not_this->message)
		return schema_report_message(r, n->message ? n->message : not_this->message, at);
	if (json_object_size(not_this->json) == 1 && not_this->object && not_this->object->n_required) {
		const struct object_rules *k = not_this->object;

		schema_show_names(&text, k->required, k->n_required, "and");
		return schema_report(r, n, at,
				     k->n_required == 1 ? "property %s is not allowed here"
							: "%s exclude each other",
				     buf_str(&text));
	}
	schema_show(&text, v);
	if (json_is_object(v) || json_is_array(v))
		return schema_report(r, n, at, "is of a form that is not allowed here");
	return schema_report(r, n, at, "must not be %s", buf_str(&text));
}

static bool check_condition(struct run *r, const struct logic *k, const json_t *v, const struct at *at,
			    struct seen *seen)
{
	const struct node *next;

	if (!k->then_this && !k->else_this && !seen)
		return true;
	next = holds(r, k->if_this, v, at, seen) ? k->then_this : k->else_this;
	return !next || schema_node_check(r, next, v, at, seen);
}

bool schema_logic_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			struct seen *seen)
{
	const struct logic *k = n->logic;
	bool ok = true;
	size_t i;

	for (i = 0; i < k->all_of.n; i++)
		HOLDS(schema_node_check(r, k->all_of.v[i], v, at, seen));
	if (k->any_of.n)
		HOLDS(check_any_of(r, n, v, at, seen));
	if (k->one_of.n)
		HOLDS(check_one_of(r, n, v, at, seen));
	if (k->not_this && holds(r, k->not_this, v, at, NULL))
		HOLDS(forbidden(r, n, v, at));
	if (k->if_this)
		HOLDS(check_condition(r, k, v, at, seen));
	return ok;
}
