/*
 * people.c - those who drop plans, answer questions and give orders.  What they drop is flushed by them, as `creel`
 * does, and bears a tag: at the end everybody's drop must be accounted for.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/spool.h"
#include "tests/sim/sim.h"

enum { ORDERS_MOST = 12 };

void people_start(void)
{
	W->people_wake = W->mono + between(MS, SECOND);
	W->plans_left = 1 + below(4);
}

void people_tell(unsigned dir)
{
	if (one_in(4) || W->nnews >= sizeof W->news / sizeof *W->news)
		return; /* a hint that gets lost */
	W->news[W->nnews++] = dir;
}

static unsigned note(enum drop_kind kind)
{
	W->drops = arena_grow(W->drops, &W->drops_cap, W->ndrops, sizeof *W->drops);
	W->drops[W->ndrops] = (struct drop){.kind = kind, .tag = (unsigned)W->ndrops};
	return (unsigned)W->ndrops++;
}

/* Written, flushed, renamed, flushed. */
static void drop(enum spool_dir where, const char *name, const char *text)
{
	struct node *dir = tree_at(SPOOL "/%s", spool_dir_name(where)), *file;

	if (!dir || tree_child(dir, name))
		return;
	file = tree_put(dir, name, text, strlen(text), 0644);
	if (!file)
		return;
	disk_flush_file(file);
	disk_flush_dir(dir);
	say("somebody drops %s/%s: %.20s", spool_dir_name(where), name, text);
	people_tell(where);
}

static void drop_plan(void)
{
	enum drop_kind kind;
	const char *ext;
	char name[64], *text;
	bool good;

	text = plan_text((unsigned)W->ndrops, &good, &ext);
	kind = good ? DROP_PLAN : DROP_BAD_PLAN;
	snprintf(name, sizeof name, "drop-%u.%s", note(kind), ext);
	drop(SPOOL_INBOX, name, text);
	W->plans_left--;
}

/* ---- answers ---- */

static bool is_there(enum spool_dir where, const char *name)
{
	return tree_at(SPOOL "/%s/%s", spool_dir_name(where), name) != NULL;
}

static const char *random_verb(const json_t *request)
{
	json_t *choices = json_object_get(request, "choices");
	size_t n = json_array_size(choices);

	if (n == 0)
		return "approve";
	if (!W->calm && one_in(20))
		return "continue";
	/* Most often yes. */
	return json_string_value(json_array_get(choices, one_in(3) ? below((uint32_t)n) : 0));
}

static void answer(const struct node *file)
{
	json_t *request = json_loadb(file->data.p, file->data.n, 0, NULL);
	const char *id = json_string_value(json_object_get(request, "execution"));
	const char *action = json_string_value(json_object_get(request, "action"));
	char name[200], text[100];
	const char *verb;

	if (id && action) {
		verb = random_verb(request);
		snprintf(name, sizeof name, "%s.%s.%s", id, action, verb);
		if (!is_there(SPOOL_CONFIRM, name)) {
			snprintf(text, sizeof text, "comment: d-%u.\n%s", note(DROP_DECISION), one_in(8) ? "number: 1\n" : "");
			drop(SPOOL_CONFIRM, name, text);
		}
	}
	json_decref(request);
}

static void answer_some(void)
{
	struct node *confirm = tree_at(SPOOL "/confirm");
	size_t k;

	for (k = 0; k < confirm->names.n; k++) {
		const char *name = confirm->names.v[k].name;

		if (name[0] != '.' && strstr(name, ".request.json") && (W->calm || one_in(2))) {
			answer(confirm->names.v[k].node);
			return;
		}
	}
}

/* ---- orders ---- */

static struct node *random_child(const struct node *dir, const char **name)
{
	size_t k;

	if (!dir || dir->kind != DIR_NODE || dir->names.n == 0)
		return NULL;
	k = below((uint32_t)dir->names.n);
	*name = dir->names.v[k].name;
	return dir->names.v[k].node;
}

static void order(const char *verb)
{
	const char *day, *id = NULL, *action;
	struct node *execution = random_child(random_child(tree_at(SPOOL "/executions"), &day), &id), *at;
	char name[200], text[100];

	if (!execution || !id || !uuid_is_v7(id))
		return;
	snprintf(name, sizeof name, "%s.%s", id, verb);
	if (strcmp(verb, "retry") == 0 || strcmp(verb, "skip") == 0) {
		at = tree_child(execution, "actions");
		if (!random_child(at, &action))
			return;
		snprintf(name, sizeof name, "%s.%s.%s", id, action, verb);
	}
	if (is_there(SPOOL_CONTROL, name))
		return;
	snprintf(text, sizeof text, "reason: d-%u.\n", note(DROP_ORDER));
	drop(SPOOL_CONTROL, name, text);
}

/* What is paused must go on. */
static void resume_paused(void)
{
	struct node *active = tree_at(SPOOL "/active"), *state;
	char name[100], text[100];
	size_t k;

	for (k = 0; k < active->names.n; k++) {
		const char *id = active->names.v[k].name;
		struct place at;

		if (tree_walk(active, id, 0, &at) < 0 || !at.node || !(state = tree_child(at.node, "state.json")) ||
		    !memmem(state->data.p, state->data.n, "\"paused\":true", 13))
			continue;
		snprintf(name, sizeof name, "%s.resume", id);
		if (is_there(SPOOL_CONTROL, name))
			continue;
		snprintf(text, sizeof text, "reason: d-%u.\n", note(DROP_ORDER));
		drop(SPOOL_CONTROL, name, text);
	}
}

void people_step(void)
{
	static const char *const verbs[] = {"pause", "resume", "retry", "retry", "skip", "cancel"};

	W->people_wake = W->mono + between(20 * MS, W->calm ? 30 * SECOND : 3 * SECOND);
	answer_some();
	if (W->calm) {
		resume_paused();
		return;
	}
	if (W->plans_left > 0 && one_in(2))
		drop_plan();
	else if (W->ndrops < 40 && one_in(6))
		order(verbs[below(one_in(4) ? 6 : 5)]);
}
