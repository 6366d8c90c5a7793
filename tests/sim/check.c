/*
 * check.c - what must hold while the daemon lives and dies.
 *
 * What anybody could see of a commit (a line in events/, a state.json that reflects it) is a promise: from then on it
 * is there, byte for byte, whatever happens.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/commit.h"
#include "store/journal.h"
#include "store/state_file.h"
#include "tests/sim/checks.h"

/* ---- executions ---- */

void each_execution(void (*visit)(const char *id, struct node *dir))
{
	struct node *executions = tree_at(SPOOL "/executions");
	size_t d, k;

	for (d = 0; executions && d < executions->names.n; d++) {
		const struct node *day = executions->names.v[d].node;

		for (k = 0; day->kind == DIR_NODE && k < day->names.n; k++)
			if (uuid_is_v7(day->names.v[k].name))
				visit(day->names.v[k].name, day->names.v[k].node);
	}
}

struct node *execution_dir(const char *id)
{
	char path[SPOOL_PATH_MAX];

	spool_execution_path(id, path);
	return tree_at(SPOOL "/%s", path);
}

struct node *commit_file(struct node *execution, uint32_t seq)
{
	struct node *journal = execution ? tree_child(execution, "journal") : NULL;
	char name[32];

	snprintf(name, sizeof name, "%08u.json", seq);
	return journal ? tree_child(journal, name) : NULL;
}

bool holds_text(const struct node *file, const char *text)
{
	return file && file->kind == FILE_NODE && file->data.n > 0 &&
	       memmem(file->data.p, file->data.n, text, strlen(text)) != NULL;
}

/* ---- promises ---- */

static void promise(const char *id, uint32_t seq, const char *by)
{
	struct node *dir = execution_dir(id), *file;
	struct promise *p;
	uint32_t from = 1;
	size_t k;

	for (k = 0; k < W->npromises; k++)
		if (strcmp(W->promises[k].id, id) == 0 && W->promises[k].seq >= from)
			from = W->promises[k].seq + 1;
	for (; from <= seq; from++) {
		file = commit_file(dir, from);
		if (!file)
			broke("%s shows commit %u of %s, which does not exist", by, from, id);
		W->promises = arena_grow(W->promises, &W->promises_cap, W->npromises, sizeof *W->promises);
		p = &W->promises[W->npromises++];
		*p = (struct promise){.seq = from};
		strcpy(p->id, id);
		sha256_tagged(file->data.p, file->data.n, p->digest);
	}
}

static void see_state(const char *id, struct node *dir)
{
	struct node *state = tree_child(dir, "state.json");
	const char *at;

	/* Not flushed but at the end: after a power cut it may be anything, and nobody was promised what it says. */
	if (state && state->data.n > 0 && state->data.p[state->data.n - 1] == '\n' &&
	    (at = memmem(state->data.p, state->data.n, ",\"seq\":", 7)))
		promise(id, (uint32_t)strtoul(at + 7, NULL, 10), "state.json");
}

static void see_events(const struct node *file)
{
	const char *at = file->data.p, *end = at + file->data.n;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *id, *seq;

		if (!newline)
			return;
		id = memmem(at, (size_t)(newline - at), ",\"execution\":\"", 14);
		seq = memmem(at, (size_t)(newline - at), "\",\"seq\":", 8);
		if (id && seq && id + 14 + 36 == seq) {
			char name[UUID_TEXT] = "";

			memcpy(name, id + 14, 36);
			promise(name, (uint32_t)strtoul(seq + 8, NULL, 10), "events/");
		}
		at = newline + 1;
	}
}

void check_witness(void)
{
	struct node *events = tree_at(SPOOL "/events");
	size_t k;

	each_execution(see_state);
	for (k = 0; events && k < events->names.n; k++)
		if (events->names.v[k].node->data.n > 0)
			see_events(events->names.v[k].node);
}

static void check_promises(void)
{
	char digest[SHA256_TAGGED];
	size_t k;

	for (k = 0; k < W->npromises; k++) {
		const struct promise *p = &W->promises[k];
		struct node *file = commit_file(execution_dir(p->id), p->seq);

		if (!file)
			broke("commit %u of %s was acknowledged, and is lost", p->seq, p->id);
		sha256_tagged(file->data.n ? file->data.p : "", file->data.n, digest);
		if (strcmp(digest, p->digest) != 0)
			broke("commit %u of %s was acknowledged, and has other bytes now", p->seq, p->id);
	}
}

/* Does the journal know this attempt? */
static bool journal_knows(const struct attempt_truth *t)
{
	struct node *dir = execution_dir(t->id), *journal = dir ? tree_child(dir, "journal") : NULL;
	size_t k;

	for (k = 0; journal && k < journal->names.n; k++)
		if (holds_text(journal->names.v[k].node, t->token))
			return true;
	return false;
}

static void check_attempts(void)
{
	size_t k;

	for (k = 0; k < W->nattempts; k++)
		if (W->attempts[k].ran && !journal_knows(&W->attempts[k]))
			broke("attempt %u of \"%s\" of %s was started, and the journal does not know it", W->attempts[k].number,
			      W->attempts[k].action, W->attempts[k].id);
}

/* Up to which commit has anybody seen it? */
static uint32_t seen_upto(const char *id)
{
	uint32_t seq = 0;
	size_t k;

	for (k = 0; k < W->npromises; k++)
		if (strcmp(W->promises[k].id, id) == 0 && W->promises[k].seq > seq)
			seq = W->promises[k].seq;
	return seq;
}

/* What people are asked, and events/ tell of, can be read until it was answered: by whom the daemon's death leaves alone, too. */
static void check_requests(const char *id, struct node *dir)
{
	struct loaded l;
	struct err e;
	uint32_t i;

	(void)dir;
	if (!tree_at(SPOOL "/active/%s", id) || journal_load(check_spool(), id, true, &l, &e) < 0)
		return;
	for (i = 0; i < l.plan->n && l.seq <= seen_upto(id) && !l.torn; i++) {
		char path[SPOOL_PATH_MAX];
		const struct node *file;
		json_t *request;

		if (!l.exec->a[i].asked || (l.exec->a[i].phase != PH_CONFIRM && l.exec->a[i].phase != PH_ASKING))
			continue;
		spool_request_path(id, l.plan->actions[i].id, path);
		file = tree_at(SPOOL "/%s", path);
		request = file && file->data.n > 0 ? json_loadb(file->data.p, file->data.n, 0, NULL) : NULL;
		if (!request)
			broke("%s was there for people to see, and is %s", path, file ? "not whole" : "gone");
		json_decref(request);
	}
	loaded_free(&l);
}

/* The daemon is dead: what it leaves. */
void check_left(void)
{
	check_image();
	each_execution(check_requests);
	check_spool_close();
}

void check_image(void)
{
	check_promises();
	check_attempts();
}

/* ---- an execution, and its state ---- */

/* What the journal does not hold is derived. */
static bool derive(struct exec *x)
{
	struct events out = EVENTS_INIT;
	struct turn t = {.now = W->wall / MS, .random = 1, .out = &out};
	bool nothing_new;

	if (x->outcome == OUTCOME_NONE) {
		core_timers(x, &t);
		core_advance(x, &t);
	}
	nothing_new = out.n == 0;
	events_free(&out);
	return nothing_new;
}

/* state.json is exact whenever an execution waits or has ended. */
void check_state(const char *id, const struct loaded *l, const struct node *dir)
{
	const struct node *file = tree_child(dir, "state.json");
	struct state_marks marks = {l->seq, l->events_seq};
	AUTO_BUF struct buf text = BUF_INIT;
	size_t k;

	if (!file)
		broke("%s has no state.json", id);
	state_encode(&text, check_spool(), l->exec, &marks);
	W->states++;
	if (text.len == file->data.n && memcmp(text.p, file->data.p, text.len) == 0)
		return;
	for (k = 0; k < text.len && k < file->data.n && text.p[k] == file->data.p[k]; k++)
		continue;
	k = k > 60 ? k - 60 : 0;
	broke("state.json of %s is not what its journal says: \"%.150s\" instead of \"%.150s\"", id,
	      file->data.n > k ? file->data.p + k : "", text.p + k);
}

static struct spool *spool;

struct spool *check_spool(void)
{
	static struct spool s;
	struct err e = {0};

	if (!spool) {
		if (spool_open(&s, SPOOL, &e) < 0)
			broke("the spool cannot be opened: %s", e.text);
		spool = &s;
	}
	return spool;
}

void check_spool_close(void)
{
	if (spool)
		spool_close(spool);
	spool = NULL;
}

static void check_one(const char *id, struct node *dir)
{
	bool active = tree_at(SPOOL "/active/%s", id) != NULL;
	struct loaded l;
	struct err e = {0};

	if (journal_load(check_spool(), id, true, &l, &e) < 0) {
		if (W->failed_calls > 0) /* one that could not be loaded may have a torn commit still */
			return;
		broke("execution %s cannot be read: %s", id, e.text);
	}
	if (exec_check(l.exec, &e) < 0)
		broke("execution %s: %s", id, e.text);
	/* With faults a job may hang in the middle; one that is paused may have actions that could start. */
	if (W->failed_calls == 0 && derive(l.exec) && !l.exec->paused &&
	    (!active || l.exec->count[PH_RUNNING] - l.exec->waiting + l.exec->count[PH_READY] == 0))
		check_state(id, &l, dir);
	loaded_free(&l);
}

void check_idle(void)
{
	struct node *quarantine = tree_at(SPOOL "/quarantine");

	if (quarantine && quarantine->names.n > 0)
		broke("%s is in quarantine, and nothing was damaged", quarantine->names.v[0].name);
	check_image();
	check_witness();
	each_execution(check_one);
	check_spool_close();
}
