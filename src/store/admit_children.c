/*
 * admit_children.c - plan.run at admission: the plan that is named or held is found, judged and pinned.
 *
 * What runs later is what was judged now: the child's canonical plan stands in the action as childPlan, and a change
 * of the catalog in between changes nothing.  The plan itself moves out of the inputs, because the references in it
 * are its own.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/admit_impl.h"

bool plan_name_is(const char *s)
{
	size_t n;

	if (!*s || *s == '-' || *s == '.')
		return false;
	for (n = 0; s[n]; n++)
		if (n >= 64 || !((s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= 'a' && s[n] <= 'z') ||
				 (s[n] >= '0' && s[n] <= '9') || strchr("_.-", s[n])))
			return false;
	return true;
}

/* ---- what a child may be ---- */

static bool deep_enough(const struct judge *j, const char *at, struct diags *errors)
{
	if (j->depth < PLAN_DEPTH_MAX)
		return true;
	diag_add(errors, at, xstrdup("let fewer plans run one another"),
		 "plans run one another more than %d deep here", PLAN_DEPTH_MAX);
	return false;
}

static bool runs_itself(const struct judge *j, const char *name, const char *at, struct diags *errors)
{
	const struct judge *k;

	for (k = j; k; k = k->above)
		if (k->name && strcmp(k->name, name) == 0) {
			diag_add(errors, at, xstrdup("a plan cannot be part of itself: use loop: to repeat actions"),
				 "the plan \"%s\" would run itself", name);
			return true;
		}
	return false;
}

static void unknown(const struct judge *j, const char *name, const char *at, struct diags *errors)
{
	json_t *names = j->catalog->names(j->catalog->ctx), *v;
	const char **list = xcalloc(json_array_size(names) + 1, sizeof *list), *near;
	size_t k;

	json_array_foreach(names, k, v)
		list[k] = json_string_value(v);
	near = text_nearest(name, list, json_array_size(names));
	diag_add(errors, at,
		 near ? xasprintf("did you mean \"%s\"?", near) : xasprintf("put it there as catalog/plans/%s.yaml", name),
		 "there is no plan \"%s\" in catalog/plans", name);
	free(list);
	json_decref(names);
}

/* Inputs are given by name: what the child does not have would be lost. */
static void check_given(const json_t *child, const json_t *given, const char *at, struct diags *errors)
{
	json_t *has = json_object_get(child, "inputs"), *v;
	const char *key, **list = xcalloc(json_object_size(has) + 1, sizeof *list), *other;
	size_t n = 0;

	json_object_foreach(has, other, v)
		list[n++] = other;
	json_object_foreach((json_t *)given, key, v) {
		AUTO_FREE char *pointer = xasprintf("%s/%s", at, key);
		const char *near;
		struct diag *d;

		if (json_object_get(has, key))
			continue;
		near = text_nearest(key, list, n);
		d = diag_add(errors, pointer,
			     near ? xasprintf("did you mean \"%s\"?", near) : xstrdup("add it under inputs: of that plan"),
			     "the plan has no input \"%s\"", key);
		if (d)
			d->at_key = 1;
	}
	free(list);
}

/* ---- pinning ---- */

/* The canonical plan becomes childPlan, and the input that held it only says its name. */
static void pin(json_t *action, json_t *child, const char *name)
{
	json_t *inputs = json_object_get(action, "inputs"), *typed = json_object_get(action, "typedInputs");
	const char *own = json_string_value(json_object_get(child, "name"));

	json_object_set(action, "childPlan", child);
	json_object_del(typed, "plan");
	if (typed && json_object_size(typed) == 0)
		json_object_del(action, "typedInputs");
	if (!name) /* a name that looks like a reference must not become one */
		json_object_set_new(inputs, "plan", json_string(own && !strpbrk(own, "${") ? own : "inline"));
}

/* What an action holds while its plan runs, that plan must not want: it would wait for itself. */
static void check_wants(const json_t *plan, const json_t *action, const char *pointer, struct diags *errors)
{
	json_t *holds = json_object_get(action, "resources"), *queue = json_object_get(action, "queue"), *a, *r, *h;
	size_t k, n, m;

	json_array_foreach(json_object_get(plan, "actions"), k, a) {
		const char *id = json_string_value(json_object_get(a, "id"));

		json_array_foreach(json_object_get(a, "resources"), n, r)
			json_array_foreach(holds, m, h) {
				AUTO_FREE char *at = xasprintf("%s/resources/%zu", pointer, m);

				if (json_equal(r, h))
					diag_add(errors, at, xstrdup("take it out here: the actions of that plan take it one by one"),
						 "it holds the lock \"%s\" while its plan runs, and \"%s\" in there waits for it",
						 json_string_value(h), id);
			}
		if (queue && json_equal(queue, json_object_get(a, "queue"))) {
			AUTO_FREE char *at = xasprintf("%s/queue", pointer);

			diag_add(errors, at, xstrdup("use one queue for plans and another one for what they do"),
				 "it takes a place in the queue \"%s\" while its plan runs, and \"%s\" in there waits for one",
				 json_string_value(queue), id);
		}
		check_wants(json_object_get(a, "childPlan"), action, pointer, errors);
	}
}

static void judge_child(struct judge *j, json_t *root, json_t *action, const char *pointer, struct diags *found,
			struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/inputs/inputs", pointer);
	json_t *given = json_object_get(json_object_get(action, "typedInputs"), "inputs");
	struct admitted child = {NULL, NULL};

	admit_root(j, root, &child, found);
	if (child.canonical && found->n == 0) {
		check_given(child.canonical, given, at, errors);
		check_wants(child.canonical, action, pointer, errors);
		pin(action, child.canonical, j->name);
	}
	admitted_free(&child);
}

static void held(struct judge *above, json_t *root, json_t *action, const char *pointer, struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/inputs/plan", pointer);
	struct judge j = *above;
	struct diags found = DIAGS_INIT;
	size_t k;

	j.above = above;
	j.name = NULL;
	j.depth++;
	j.prefix = xasprintf("%s%s", above->prefix, at);
	judge_child(&j, root, action, pointer, &found, errors);
	free(j.prefix);
	for (k = 0; k < found.n; k++) {
		AUTO_FREE char *place = xasprintf("%s%s", at, found.v[k].pointer);
		struct diag *d = diag_add(errors, place, xstrdup_opt(found.v[k].suggestion), "%s", found.v[k].message);

		if (d)
			d->at_key = found.v[k].at_key;
	}
	diags_free(&found);
}

/* Findings about a file of the catalog: the place in it stands in the message, the finding's own place is where the
 * file is named. */
static void retell(const char *file, struct diags *found, const char *at, struct diags *errors)
{
	size_t k;

	for (k = 0; k < found->n; k++) {
		const struct diag *f = &found->v[k];

		diag_add(errors, at, xstrdup_opt(f->suggestion), "%s:%d:%d: %s", file, f->line, f->column, f->message);
	}
	errors->more += found->more;
}

static void judge_text(struct judge *j, const char *file, const struct buf *text, json_t *action, const char *pointer,
		       struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/inputs/plan", pointer);
	char none[] = "";
	struct diags found = DIAGS_INIT;
	struct source source = {0};

	if (source_parse(source_form_of(file), buf_str(text), text->len, &source_plan_limits, &source, &found)) {
		j->source = &source;
		j->prefix = none;
		judge_child(j, source.root, action, pointer, &found, errors);
		source_place_all(&source, &found);
		source_free(&source);
	}
	retell(file, &found, at, errors);
	diags_free(&found);
}

static void named(struct judge *above, const char *name, json_t *action, const char *pointer, struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/inputs/plan", pointer), *file = NULL;
	AUTO_BUF struct buf text = BUF_INIT;
	struct judge j = *above;
	struct err e = {0};
	int r;

	if (!plan_name_is(name)) {
		diag_add(errors, at, xstrdup("name a file of catalog/plans, without its ending: letters, digits, _ . and -"),
			 "\"%.100s\" cannot be the name of a plan", name);
		return;
	}
	if (!above->catalog || runs_itself(above, name, at, errors))
		return;
	r = above->catalog->read(above->catalog, name, &text, &file, &e);
	if (r == 0)
		unknown(above, name, at, errors);
	else if (r < 0)
		diag_add(errors, at, NULL, "the plan \"%s\" cannot be read: %s", name, e.text);
	else if ((above->budget->bytes += text.len) > PINNED_BYTES_MAX)
		diag_add(errors, at, xstrdup("let plans run fewer others"),
			 "the plans that run one another from here are more than %d MiB", PINNED_BYTES_MAX / (1024 * 1024));
	if (r <= 0 || above->budget->bytes > PINNED_BYTES_MAX)
		return;
	j.above = above;
	j.name = name;
	j.depth++;
	judge_text(&j, file, &text, action, pointer, errors);
}

void admit_child(struct judge *j, json_t *action, const char *pointer, struct diags *errors)
{
	AUTO_FREE char *at = xasprintf("%s/inputs/plan", pointer);
	json_t *plan = json_object_get(json_object_get(action, "typedInputs"), "plan");

	if (!plan)
		plan = json_object_get(json_object_get(action, "inputs"), "plan");
	if (!plan || !deep_enough(j, at, errors))
		return;
	if (json_is_object(plan)) {
		json_incref(plan); /* pinning takes it out of the inputs */
		held(j, plan, action, pointer, errors);
		json_decref(plan);
	} else if (json_is_string(plan)) {
		named(j, json_string_value(plan), action, pointer, errors);
	}
}
