/*
 * final.c - what must hold when all is done: every drop is accounted for, every execution has ended, and what the
 * journals say is what really happened.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "store/verify.h"
#include "tests/sim/checks.h"

/* ---- is all done? ---- */

static bool is_empty(const char *dir)
{
	const struct node *n = tree_at(SPOOL "/%s", dir);
	size_t k;

	for (k = 0; n && k < n->names.n; k++)
		if (n->names.v[k].name[0] != '.' && strcmp(n->names.v[k].name, "by") != 0)
			return false;
	return true;
}

/* The first thing that is not done. */
const char *what_is_left(void)
{
	static const char *const dirs[] = {"inbox", "active", "confirm", "control", "results"};
	static char text[300];
	size_t d, k;

	for (d = 0; d < sizeof dirs / sizeof *dirs; d++) {
		const struct node *n = tree_at(SPOOL "/%s", dirs[d]);

		for (k = 0; k < n->names.n; k++)
			if (n->names.v[k].name[0] != '.' && strcmp(n->names.v[k].name, "by") != 0) {
				snprintf(text, sizeof text, "%s/%.200s", dirs[d], n->names.v[k].name);
				return text;
			}
	}
	return procs_any() ? "a process" : "nothing";
}

bool all_is_done(void)
{
	return W->mono - W->calm_since > 30 * SECOND && is_empty("inbox") && is_empty("active") && is_empty("confirm") &&
	       is_empty("control") && is_empty("results") && !procs_any();
}

/* ---- drops ---- */

static char wanted[64];
static unsigned found;

static void find_plan(const char *id, struct node *dir)
{
	(void)id;
	found += holds_text(tree_child(dir, "plan.json"), wanted);
}

static unsigned executions_of(unsigned tag)
{
	snprintf(wanted, sizeof wanted, "\"name\": \"p-%u\"", tag);
	found = 0;
	each_execution(find_plan);
	return found;
}

/* p-1 is no p-12. */
static bool speaks_of(const struct node *file, unsigned tag)
{
	static const char after[] = "\n \"";
	char text[32];
	size_t k;

	for (k = 0; after[k]; k++) {
		snprintf(text, sizeof text, "p-%u%c", tag, after[k]);
		if (holds_text(file, text))
			return true;
	}
	return false;
}

static unsigned refusals_of(unsigned tag)
{
	const struct node *rejected = tree_at(SPOOL "/rejected");
	unsigned n = 0;
	size_t k;

	for (k = 0; k < rejected->names.n; k++)
		n += !strstr(rejected->names.v[k].name, ".error.json") && speaks_of(rejected->names.v[k].node, tag);
	return n;
}

/* Anywhere below a directory? */
static bool stands_below(const struct node *dir, const char *text)
{
	size_t k;

	if (dir->kind != DIR_NODE)
		return holds_text(dir, text);
	for (k = 0; k < dir->names.n; k++)
		if (dir->names.v[k].node->kind != LINK_NODE && stands_below(dir->names.v[k].node, text))
			return true;
	return false;
}

static void check_drop(const struct drop *d)
{
	unsigned runs, refused;
	char text[32];

	switch (d->kind) {
	case DROP_PLAN:
	case DROP_BAD_PLAN:
		runs = executions_of(d->tag);
		refused = refusals_of(d->tag);
		if (runs > 1)
			broke("plan p-%u, dropped once, has %u executions", d->tag, runs);
		if (runs > 0 && refused > 0)
			broke("plan p-%u was refused and runs", d->tag);
		if (runs + refused == 0)
			broke("plan p-%u was dropped, and there is neither an execution nor a refusal", d->tag);
		/* Where a power cut leaves a moved file under both names, it has two links, and is refused. */
		if (d->kind == DROP_PLAN && runs == 0 && W->injected == 0 && (W->model == ORDERED || W->deaths[DEATH_POWER] == 0))
			broke("plan p-%u is good, and was refused", d->tag);
		if (d->kind == DROP_BAD_PLAN && runs > 0)
			broke("plan p-%u is bad, and was run", d->tag);
		break;
	case DROP_DECISION:
	case DROP_ORDER:
		snprintf(text, sizeof text, "d-%u.", d->tag);
		if (!stands_below(tree_at(SPOOL), text))
			broke("%s d-%u was dropped, and nothing is left of it", d->kind == DROP_ORDER ? "order" : "decision", d->tag);
		break;
	}
}

/* ---- journals and what really happened ---- */

struct told { /* of one attempt */
	bool requested, completed, failed, lost, skipped;
};

static void check_attempt(const char *id, const struct plan *p, uint32_t i, uint32_t number, const struct told *t)
{
	const struct attempt_truth *truth = NULL;
	const char *action = p->actions[i].id;
	size_t k;

	for (k = 0; k < W->nattempts; k++)
		if (W->attempts[k].number == number && strcmp(W->attempts[k].id, id) == 0 &&
		    strcmp(W->attempts[k].action, action) == 0)
			truth = &W->attempts[k];
	if (p->actions[i].no_supervisor)
		return;
	if (t->completed && !(truth && truth->succeeded))
		broke("attempt %u of \"%s\" of %s counts as completed, and %s", number, action, id,
		      !truth || !truth->ran ? "it never ran" : truth->ended ? "it failed" : "its end is unknown");
	if (truth && truth->ran && !truth->ended && !t->lost && !t->skipped)
		broke("the end of attempt %u of \"%s\" of %s is unknown, and nothing says so", number, action, id);
}

/* What the journal tells of one attempt, from its request on. */
static struct told told_of(const struct events *all, uint32_t i, uint32_t number)
{
	struct told t = {0};
	size_t k;

	for (k = 0; k < all->n; k++) {
		const struct event *ev = &all->v[k];

		if (ev->action != i)
			continue;
		if (ev->type == EV_ACTION_REQUESTED && ev->attempt == number)
			t.requested = true;
		if (!t.requested)
			continue;
		t.completed |= ev->type == EV_ACTION_COMPLETED && ev->attempt == number;
		t.failed |= ev->type == EV_ACTION_FAILED && ev->attempt == number;
		t.lost |= ev->type == EV_ACTION_LOST && ev->attempt == number;
		t.skipped |= ev->type == EV_ACTION_SKIPPED;
	}
	return t;
}

/* What completed is not done again, unless it was armed again. */
static void check_repetitions(const char *id, const struct plan *p, const struct events *all)
{
	bool *done = calloc(p->n, sizeof *done);
	size_t k;

	for (k = 0; k < all->n; k++) {
		const struct event *ev = &all->v[k];

		if (ev->action == NO_ACTION || ev->action >= p->n)
			continue;
		if (ev->type == EV_ACTION_REQUESTED && done[ev->action])
			broke("\"%s\" of %s completed and is started again", p->actions[ev->action].id, id);
		if (ev->type == EV_ACTION_COMPLETED)
			done[ev->action] = true;
		if (ev->type == EV_ACTION_REARMED)
			done[ev->action] = false;
	}
	free(done);
}

struct gather {
	struct exec *x; /* folded again, for the instances that events name */
	struct events all;
	const char *id;
};

static int fold(void *ctx, const struct commit *c, const struct event *ev, struct err *e)
{
	struct gather *g = ctx;

	(void)c;
	return ev ? exec_apply(g->x, ev, e) : 0;
}

static bool told_in_events(const char *id, uint32_t seq, size_t n)
{
	const struct node *events = tree_at(SPOOL "/events");
	char line[100];
	size_t k;

	snprintf(line, sizeof line, ",\"execution\":\"%s\",\"seq\":%u,\"n\":%zu,", id, seq, n);
	for (k = 0; k < events->names.n; k++)
		if (holds_text(events->names.v[k].node, line))
			return true;
	line[strlen(line) - 1] = '}';
	for (k = 0; k < events->names.n; k++)
		if (holds_text(events->names.v[k].node, line))
			return true;
	return false;
}

static void gather_commit(void *ctx, const char *text, size_t n, uint32_t seq)
{
	struct gather *g = ctx;
	struct commit c;
	struct err e = {0};
	size_t k;

	if (commit_decode(text, n, g->x->plan, &c, fold, g, &e) < 0)
		broke("commit %u of %s cannot be read: %s", seq, g->id, e.text);
	for (k = 0; k < c.events.n; k++) {
		if (!told_in_events(g->id, seq, k))
			broke("event %zu of commit %u of %s is missing in events/", k, seq, g->id);
		vec_push(&g->all, c.events.v[k]);
	}
	free(c.events.v);
}

static void check_history(const char *id, struct loaded *l)
{
	struct gather g = {.id = id};
	struct loaded fresh;
	struct err e = {0};
	uint32_t i, number;

	if (journal_load(check_spool(), id, true, &fresh, &e) < 0)
		broke("execution %s cannot be read: %s", id, e.text);
	/* Names of instances are known to the plan as it is at the end; it is folded anew all the same. */
	exec_free(fresh.exec);
	fresh.exec = exec_new(fresh.plan, id);
	g.x = fresh.exec;
	if (journal_each(check_spool(), id, fresh.plan, 1, gather_commit, &g, &e) < 0)
		broke("the journal of %s cannot be read: %s", id, e.text);
	check_repetitions(id, l->plan, &g.all);
	for (i = 0; i < l->plan->n; i++)
		for (number = 1; number <= l->exec->a[i].attempt; number++) {
			struct told t = told_of(&g.all, i, number);

			if (t.requested)
				check_attempt(id, l->plan, i, number, &t);
		}
	events_free(&g.all);
	loaded_free(&fresh);
}

static void check_ended(const char *id, struct node *dir)
{
	struct loaded l;
	struct err e = {0};

	if (journal_load(check_spool(), id, true, &l, &e) < 0)
		broke("execution %s cannot be read: %s", id, e.text);
	if (exec_check(l.exec, &e) < 0)
		broke("execution %s: %s", id, e.text);
	if (l.exec->outcome == OUTCOME_NONE)
		broke("execution %s has not ended, and is not active", id);
	check_state(id, &l, dir);
	check_history(id, &l);
	loaded_free(&l);
	W->executions++;
}

static void see(void *ctx, const struct verify_finding *f)
{
	(void)ctx;
	/* A supervisor was made ready for an attempt, and the commit that starts it never was durable. */
	if (!f->damage && strcmp(f->what, "it was made ready for an attempt that never began") == 0)
		return;
	broke("verify says of %s: %s", f->path, f->what);
}

void check_final(void)
{
	struct verify_how how = {.outputs = true};
	struct verify_counts counts;
	struct err e = {0};
	size_t k;

	check_witness();
	check_image();
	if (!is_empty("quarantine"))
		broke("something is in quarantine, and nothing was damaged");
	for (k = 0; k < W->ndrops; k++)
		check_drop(&W->drops[k]);
	each_execution(check_ended);
	if (verify(check_spool(), NULL, &how, see, NULL, &counts, &e) < 0)
		broke("verify fails: %s", e.text);
	check_spool_close();
}
