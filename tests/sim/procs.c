/*
 * procs.c - supervisors and what they run: the file protocol of creel-run (creel-run/main.c), one call a step, so that
 * everything else can happen in between; and /proc, where the daemon looks for processes.
 *
 * Here it is known what really became of an attempt, and two things must never happen: that one attempt runs twice, and
 * that two attempts of one action run at once.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/sim.h"

enum { PROCS = sizeof W->procs / sizeof *W->procs };

enum step {
	STEP_WAIT, STEP_PARENT, STEP_DIR, STEP_LOCK_FILE, STEP_LOCK, STEP_LOOK, STEP_REQUEST, STEP_GO, STEP_EXEC, STEP_RUN, STEP_WRITE,
	STEP_PUBLISH, STEP_ANNOUNCE, STEP_UNLOCK, STEP_DONE
};

static const char *const step_names[] = {
    "takes its orders", "makes the action's directory", "makes the attempt's directory", "opens lock", "takes the lock",
    "looks", "writes request.json", "waits for the word", "runs the action", "sees it end", "writes .result.json.tmp",
    "publishes result.json", "announces", "lets the lock go", "says that it is done"};

/* How an action ends by itself. */
enum ending { ENDS_WELL, ENDS_WITH_OUTPUT, ENDS_BADLY, ENDS_TEMPORARILY, ENDS_BY_SIGNAL };

struct proc *procs_find(pid_t pid)
{
	int k;

	for (k = 0; k < PROCS; k++)
		if (W->procs[k].state != PROC_FREE && W->procs[k].pid == pid)
			return &W->procs[k];
	return NULL;
}

static struct proc *new_proc(pid_t parent)
{
	int k;

	for (k = 0; k < PROCS && W->procs[k].state != PROC_FREE; k++)
		continue;
	if (k == PROCS)
		return NULL;
	W->procs[k] = (struct proc){.state = PROC_LIVES, .pid = ++W->next_pid, .parent = parent, .wake = NEVER, .ends = NEVER,
				    .start = (uint64_t)(W->mono / (10 * MS)), .holder = ++W->next_holder};
	W->procs[k].session = W->procs[k].pid;
	return &W->procs[k];
}

/* ---- what really became of it ---- */

struct attempt_truth *attempt_truth(const char *id, const char *action, uint32_t number)
{
	struct attempt_truth *t;
	size_t k;

	for (k = 0; k < W->nattempts; k++) {
		t = &W->attempts[k];
		if (t->number == number && strcmp(t->id, id) == 0 && strcmp(t->action, action) == 0)
			return t;
	}
	W->attempts = arena_grow(W->attempts, &W->attempts_cap, W->nattempts, sizeof *W->attempts);
	t = &W->attempts[W->nattempts++];
	*t = (struct attempt_truth){.number = number};
	snprintf(t->id, sizeof t->id, "%s", id);
	snprintf(t->action, sizeof t->action, "%s", action);
	return t;
}

static struct attempt_truth *truth_of(const struct proc *p)
{
	return &W->attempts[p->attempt];
}

static void begins_to_run(struct proc *p)
{
	struct attempt_truth *t = attempt_truth(p->id, p->action, p->number);
	int k;

	p->attempt = (uint32_t)(t - W->attempts);
	if (t->ran++)
		broke("attempt %u of \"%s\" of %s runs for the second time", t->number, t->action, t->id);
	snprintf(t->token, sizeof t->token, "%s", p->token);
	for (k = 0; k < PROCS; k++) {
		const struct proc *o = &W->procs[k];

		if (o->state == PROC_LIVES && !o->supervisor && strcmp(truth_of(o)->id, t->id) == 0 &&
		    strcmp(truth_of(o)->action, t->action) == 0)
			broke("attempt %u of \"%s\" of %s runs while attempt %u still does (process %d)", t->number, t->action,
			      t->id, truth_of(o)->number, o->pid);
	}
	W->ran++;
}

/* ---- birth and death ---- */

static void key_value(struct proc *p, const char *text)
{
	const char *value = strchr(text, '=');
	size_t n = value ? (size_t)(value - text) : 0;

	if (!value++)
		return;
	if (n == 3 && memcmp(text, "dir", n) == 0)
		snprintf(p->dir, sizeof p->dir, "%s", value);
	else if (n == 4 && memcmp(text, "link", n) == 0)
		snprintf(p->link, sizeof p->link, "%s", value);
	else if (n == 6 && memcmp(text, "parent", n) == 0)
		p->told_parent = atoi(value);
	else if (n == 9 && memcmp(text, "execution", n) == 0)
		snprintf(p->id, sizeof p->id, "%s", value);
	else if (n == 6 && memcmp(text, "action", n) == 0)
		snprintf(p->action, sizeof p->action, "%s", value);
	else if (n == 7 && memcmp(text, "attempt", n) == 0)
		p->number = (uint32_t)strtoul(value, NULL, 10);
	else if (n == 5 && memcmp(text, "token", n) == 0)
		snprintf(p->token, sizeof p->token, "%s", value);
	else if (n == 10 && memcmp(text, "timeout_ms", n) == 0 && atoll(value) > 0)
		p->ends = atoll(value) * MS; /* from its start; see run() */
}

int procs_spawn(struct memory *spec, struct channel *words, pid_t *pid)
{
	struct proc *p = new_proc(W->daemon);

	if (!p)
		return -EAGAIN;
	p->supervisor = true;
	p->spec = spec;
	p->words = words;
	p->words->run_there = true;
	*pid = p->pid;
	say("    supervisor %d is there", p->pid);
	procs_words(words); /* what was said before it was there */
	return 0;
}

void procs_words(struct channel *c)
{
	int k;

	for (k = 0; k < PROCS; k++) {
		struct proc *p = &W->procs[k];

		if (p->state == PROC_LIVES && p->words == c && (p->step == STEP_WAIT || p->step == STEP_GO) && p->wake == NEVER &&
		    (c->n > 0 || !c->daemon_there))
			p->wake = W->mono + between(MS / 50, 3 * MS);
	}
}

/* The next word; 0: there will be none; -1: not yet. */
static int next_word(struct proc *p, struct bytes *word)
{
	struct channel *c = p->words;
	unsigned k;

	*word = (struct bytes){0};
	if (c->n > 0) {
		*word = c->words[0];
		for (k = 1; k < c->n; k++)
			c->words[k - 1] = c->words[k];
		c->words[--c->n] = (struct bytes){0};
		return word->p[0];
	}
	return !c->daemon_there || p->asked_to_end ? 0 : -1;
}

static void unlock(struct proc *p)
{
	if (p->lock && p->lock->lock == p->holder)
		p->lock->lock = 0;
	p->lock = NULL;
}

static void dies(struct proc *p, int status)
{
	struct proc *main;
	int k;

	unlock(p);
	if (p->words)
		p->words->run_there = false;
	p->state = p->parent == W->daemon && W->daemon ? PROC_ZOMBIE : PROC_FREE;
	p->status = status;
	p->wake = NEVER;
	W->child_ended |= p->state == PROC_ZOMBIE;
	if (p->supervisor && (main = procs_find(p->main)))
		main->wake = main->ends; /* it goes on alone */
	/* The daemon is a subreaper. */
	for (k = 0; k < PROCS; k++)
		if (W->procs[k].state != PROC_FREE && W->procs[k].parent == p->pid)
			W->procs[k].parent = W->daemon ? W->daemon : 1;
}

int procs_kill(pid_t pid, int sig)
{
	struct proc *p = procs_find(pid);

	if (!p)
		return -ESRCH;
	if (p->state != PROC_LIVES || sig == 0)
		return 0;
	if (sig == SIGKILL) {
		say("%s %d is killed", p->supervisor ? "supervisor" : "action", p->pid);
		dies(p, SIGKILL);
	} else if (p->supervisor) {
		p->asked_to_end = true;
		if (p->step == STEP_RUN || p->wake == NEVER)
			p->wake = W->mono + between(MS / 10, 3 * MS);
	}
	return 0;
}

pid_t procs_wait(pid_t pid, int *status)
{
	bool any = false;
	int k;

	for (k = 0; k < PROCS; k++) {
		struct proc *p = &W->procs[k];

		if (p->state == PROC_FREE || p->parent != W->daemon || (pid > 0 && p->pid != pid))
			continue;
		any = true;
		if (p->state == PROC_ZOMBIE) {
			if (status)
				*status = p->status;
			p->state = PROC_FREE;
			return p->pid;
		}
	}
	return any ? 0 : -ECHILD;
}

bool procs_child_ended(void)
{
	int k;

	for (k = 0; k < PROCS; k++)
		if (W->procs[k].state == PROC_ZOMBIE && W->procs[k].parent == W->daemon)
			return true;
	return false;
}

void procs_daemon_died(void)
{
	int k;

	for (k = 0; k < PROCS; k++) {
		if (W->procs[k].state == PROC_LIVES && W->procs[k].words) {
			W->procs[k].words->daemon_there = false;
			procs_words(W->procs[k].words);
		}
		if (W->procs[k].parent != W->daemon)
			continue;
		W->procs[k].parent = 1;
		if (W->procs[k].state == PROC_ZOMBIE)
			W->procs[k].state = PROC_FREE;
	}
	W->daemon = 0;
}

void procs_kill_some(void)
{
	int k;

	for (k = 0; k < PROCS; k++)
		if (W->procs[k].state == PROC_LIVES && one_in(W->procs[k].supervisor ? 2 : 3))
			procs_kill(W->procs[k].pid, SIGKILL);
}

void procs_power_cut(void)
{
	memset(W->procs, 0, sizeof W->procs);
	W->next_pid = 300;
}

bool procs_any(void)
{
	int k;

	for (k = 0; k < PROCS; k++)
		if (W->procs[k].state == PROC_LIVES)
			return true;
	return false;
}

/* ---- the steps ---- */

static enum ending draw_ending(void)
{
	uint32_t d = below(20);

	return d < 8 ? ENDS_WELL : d < 13 ? ENDS_WITH_OUTPUT : d < 17 ? ENDS_BADLY : d < 19 ? ENDS_TEMPORARILY : ENDS_BY_SIGNAL;
}

static void run(struct proc *p)
{
	int64_t limit = p->ends, takes = one_in(4) ? between(MS, 40 * SECOND) : between(MS / 2, SECOND / 2);
	struct proc *main;
	char line[300];

	begins_to_run(p);
	main = new_proc(p->pid);
	if (!main)
		broke("there are too many processes");
	main->attempt = p->attempt;
	p->main = main->pid;
	snprintf(line, sizeof line, "pid=%d sid=%d start=%llu boot=%s dev=1 ino=%u\n", main->pid, main->session,
		 (unsigned long long)main->start, W->boot_id, p->lock->ino);
	tree_write(p->lock, 0, line, strlen(line));
	p->timed_out = limit < takes;
	p->ends = main->ends = W->mono + (p->timed_out ? limit : takes);
	p->wake = p->asked_to_end ? p->wake : p->ends;
}

static void put_result(struct proc *p, bool lies)
{
	struct attempt_truth *t = truth_of(p);
	enum ending ending = draw_ending();
	char at[CLOCK_TEXT], text[1200], end[200], sized[40] = "";
	static const char out_lines[] = "n=3\nflag=true\nword=yes\n", out_json[] = "{\"n\": 1, \"list\": [1, 2, 3], \"flag\": false}";
	struct node *file;
	bool output = false, own_error = false;
	size_t size = 0;

	clock_format(W->wall / MS, at);
	t->ended = true;
	if (p->asked_to_end || p->timed_out) {
		snprintf(end, sizeof end, "\"outcome\":\"%s\",\"signal\":15,\"reason\":\"it was ended\"",
			 p->timed_out ? "timeout" : "terminated");
	} else if (ending == ENDS_BY_SIGNAL) {
		snprintf(end, sizeof end, "\"outcome\":\"signalled\",\"signal\":9");
	} else {
		int status = ending == ENDS_BADLY ? 1 + (int)below(3) : ending == ENDS_TEMPORARILY ? 75 : 0;

		t->succeeded = status == 0;
		if (lies)
			status = 0;
		output = ending == ENDS_WITH_OUTPUT;
		own_error = ending == ENDS_BADLY && one_in(3);
		snprintf(end, sizeof end, "\"outcome\":\"exited\",\"exitCode\":%d", status);
	}
	if (output) {
		const char *words = one_in(2) ? out_lines : out_json;

		size = strlen(words);
		tree_put(p->at, "output", words, size, 0644);
	}
	if (own_error) {
		static const char error[] = "{\"category\":\"network_timeout\",\"message\":\"nobody answers\",\"retryable\":true}";

		tree_put(p->at, "error", error, strlen(error), 0644);
	}
	if (output)
		snprintf(sized, sizeof sized, ",\"output\":{\"size\":%zu}", size);
	snprintf(text, sizeof text,
		 "{\"execution\":\"%s\",\"action\":\"%s\",\"attempt\":%u,\"token\":\"%s\",%s,\"startedAt\":\"%s\",\"finishedAt\":\"%s\","
		 "\"durationMs\":5%s%s,\"killed\":0}\n",
		 t->id, t->action, t->number, t->token, end, at, at, sized, own_error ? ",\"error\":true" : "");
	if (tree_create(p->at, ".result.json.tmp", FILE_NODE, 0644, &file) == 0)
		tree_write(file, 0, text, strlen(text));
}

static void end_main(struct proc *p)
{
	struct proc *main = procs_find(p->main);

	if (main)
		main->state = PROC_FREE;
	p->asked_to_end = p->asked_to_end && W->mono < p->ends;
	p->timed_out = p->timed_out && !p->asked_to_end;
	p->main = 0;
}

static void make_dir(struct proc *p, bool parent)
{
	struct place at;
	char path[256];
	struct node *made;

	snprintf(path, sizeof path, "%s", p->dir);
	if (parent)
		*strrchr(path, '/') = '\0';
	if (tree_walk(W->root, path, 0, &at) < 0 || (!at.node && tree_create(at.dir, at.name, DIR_NODE, 0755, &made) < 0)) {
		dies(p, 111 << 8);
		return;
	}
	if (!parent)
		p->at = tree_at("%s", p->dir);
}

static void open_lock(struct proc *p)
{
	p->lock = tree_child(p->at, "lock");
	if (!p->lock)
		tree_create(p->at, "lock", FILE_NODE, 0644, &p->lock);
}

static void take_lock(struct proc *p)
{
	if (p->lock->lock && !mutant("locks-exclude-nobody"))
		dies(p, 2 << 8);
	else
		p->lock->lock = p->holder;
}

static void look(struct proc *p)
{
	if (tree_child(p->at, "void") || tree_child(p->at, "result.json") || p->lock->data.n > 0 ||
	    tree_child(p->at, "lock") != p->lock) {
		say("supervisor %d: the attempt is over", p->pid);
		dies(p, 3 << 8);
	}
}

/* P: all but the action, and then wait for the word; R: all of it. */
static void take_orders(struct proc *p)
{
	struct bytes word, *spec = &word;
	size_t at = 1;
	int w = next_word(p, &word);

	if (w < 0) {
		p->step = STEP_WAIT;
		p->wake = NEVER;
		return;
	}
	if (w == 0) {
		dies(p, 0);
		return;
	}
	if (w != 'P' && w != 'R')
		broke("a supervisor that waits for orders is told %c", w);
	if (word.n == 1) {
		spec = &p->spec->text;
		at = 0;
	}
	p->waits = w == 'P';
	p->ends = NEVER;
	p->asked_to_end = p->timed_out = false;
	for (; at < spec->n; at += strlen(spec->p + at) + 1)
		key_value(p, spec->p + at);
	say("supervisor %d has attempt %u of %s of %s (%c)", p->pid, p->number, p->action, p->id, w);
	bytes_cut(&p->spec->text, 0); /* wiped */
	bytes_free(&word);
}

static void wait_for_go(struct proc *p)
{
	struct bytes word;
	int w;

	if (!p->waits)
		return;
	w = next_word(p, &word);
	if (w < 0) {
		p->step = STEP_GO;
		p->wake = NEVER;
	} else if (w == 'G') {
		bytes_free(&word);
	} else {
		dies(p, 0);
	}
}

static void is_done(struct proc *p)
{
	if (!p->words->daemon_there) {
		dies(p, 0);
		return;
	}
	p->words->done++;
	p->step = STEP_WAIT;
	p->wake = NEVER;
	procs_words(p->words);
}

static void publish(struct proc *p)
{
	struct place from = {.dir = p->at, .name = ".result.json.tmp"}, to = {.dir = p->at, .name = "result.json"};

	from.node = tree_child(p->at, from.name);
	to.node = tree_child(p->at, to.name);
	tree_rename(&from, &to, false);
}

/* A mutant's: nobody saw the action end, and a result says that all went well. */
static void leave_success(struct proc *p)
{
	struct attempt_truth truth = *truth_of(p);

	put_result(p, true);
	*truth_of(p) = truth;
	publish(p);
}

static void announce(struct proc *p)
{
	struct node *results = tree_at(SPOOL "/results"), *result = tree_child(p->at, "result.json");

	if (p->parent != p->told_parent && results && result)
		tree_link(result, results, p->link);
}

void procs_step(struct proc *p)
{
	if (!p->supervisor) { /* an action whose supervisor is gone comes to its end */
		dies(p, 0);
		return;
	}
	if (p->step != STEP_WAIT)
		say("supervisor %d (%s.%u) %s", p->pid, p->action, p->number, step_names[p->step]);
	if (!W->calm && one_in(150)) {
		say("supervisor %d is killed by somebody", p->pid);
		if (p->step == STEP_RUN && mutant("unknown-is-success"))
			leave_success(p);
		dies(p, SIGKILL);
		return;
	}
	/* Some stand still for a while: another daemon may come in between. */
	p->wake = W->mono + (one_in(60) ? between(0, 3 * SECOND) : between(MS / 50, 2 * MS));
	switch ((enum step)p->step++) {
	case STEP_WAIT:
		take_orders(p);
		break;
	case STEP_PARENT:
	case STEP_DIR:
		make_dir(p, p->step - 1 == STEP_PARENT);
		break;
	case STEP_LOCK_FILE:
		open_lock(p);
		break;
	case STEP_LOCK:
		take_lock(p);
		break;
	case STEP_LOOK:
		look(p);
		break;
	case STEP_REQUEST:
		tree_put(p->at, "request.json", "{}", 2, 0644);
		break;
	case STEP_GO:
		wait_for_go(p);
		break;
	case STEP_EXEC:
		run(p);
		break;
	case STEP_RUN:
		end_main(p);
		break;
	case STEP_WRITE:
		put_result(p, mutant("failures-are-successes"));
		break;
	case STEP_PUBLISH:
		publish(p);
		break;
	case STEP_ANNOUNCE:
		announce(p);
		break;
	case STEP_UNLOCK:
		unlock(p);
		break;
	case STEP_DONE:
		is_done(p);
		break;
	}
}

/* ---- /proc ---- */

int procs_file(const char *path, struct bytes *out)
{
	char text[400] = "", name[20] = "";
	struct proc *p;
	int pid, n;

	if (strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) {
		snprintf(text, sizeof text, "%s\n", W->boot_id);
	} else if (sscanf(path, "/proc/%d/%19s", &pid, name) == 2 && (p = procs_find(pid))) {
		if (strcmp(name, "stat") == 0)
			snprintf(text, sizeof text, "%d (%s) S %d %d %d 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 %llu 1000\n", pid,
				 p->supervisor ? "creel-run" : "sh", p->parent, p->session, p->session,
				 (unsigned long long)p->start);
		else if (strcmp(name, "comm") == 0)
			snprintf(text, sizeof text, "%s\n", p->supervisor ? "creel-run" : "sh");
	}
	n = (int)strlen(text);
	if (n == 0)
		return -ENOENT;
	bytes_put(out, 0, text, (size_t)n);
	return 0;
}
