/*
 * The simulation: seeds, lives, deaths.
 *
 *	sim [-v] --seed N		one seed; -v: with a trace of every call
 *	sim --seeds A-B [--keep-going]	all of these, to the fifth that breaks or to the end
 *	sim --seconds S [--from A]	as many as there is time for
 *	sim --mutants [--seeds A-B] [NAME...]	each mutant, or these, must be noticed
 *
 * Each seed: a spool is made, people drop plans and answer, the daemon lives and dies several times, and then one that
 * nothing disturbs must bring everything to its end.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/uuid.h"
#include "codec/schema.h"
#include "creeld/loop.h"
#include "store/spool.h"
#include "tests/sim/sim.h"

enum { EXIT_BROKEN = 3, EXIT_DIED = 4 };

static const char config[] = "rescan_sec: 5\nqueues: {narrow: {concurrency: 1}}\n"
			     "breakers: {tool: {failures: 2, window_sec: 60, open_sec: 5}}\n";

pid_t __real_waitpid(pid_t pid, int *status, int flags);
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __real_memfd_create(const char *name, unsigned flags);
off_t __real_lseek(int fd, off_t at, int whence);
ssize_t __real_pread(int fd, void *p, size_t n, off_t at);
int __real_close(int fd);

/* ---- the world ---- */

static void new_boot(void)
{
	W->boot++;
	snprintf(W->boot_id, sizeof W->boot_id, "%08x-0000-4000-8000-%012llx", (unsigned)below(UINT32_MAX),
		 (unsigned long long)W->boot);
	W->mono = between(SECOND, 60 * SECOND);
	W->next_pid = 300;
}

static void make_spool(void)
{
	struct err e = {0};

	tree_make();
	if (spool_create(SPOOL, NULL, &e) < 0)
		broke("the spool cannot be made: %s", e.text);
	tree_put(W->root, "creel.yaml", config, strlen(config), 0644);
	disk_flush_all();
}

static void make_world(uint64_t seed, const char *mutant_name, bool loud)
{
	world_reset(seed);
	W->loud = loud;
	W->mutant = mutant_name;
	/* In one world of eight midnight is near. */
	W->wall = (1767323045LL + (int64_t)below(1000000)) * SECOND;
	if (one_in(8))
		W->wall += 86400 * SECOND - W->wall % (86400 * SECOND) - between(SECOND, 20 * SECOND);
	W->model = one_in(2) ? ORDERED : WEAK;
	W->people_wake = W->stops_at = NEVER;
	new_boot();
	make_spool();
	people_start();
}

/* ---- one life ---- */

static void plan_faults(void)
{
	static const int storms[] = {28 /* ENOSPC */, 122 /* EDQUOT */, 5 /* EIO */, 24 /* EMFILE */, 12 /* ENOMEM */};

	W->faults = (struct faults){0};
	if (one_in(3))
		W->faults.one_in = 20 + below(300);
	if (one_in(6))
		W->faults.flush_one_in = 2 + below(20);
	if (one_in(5)) {
		W->faults.storm = storms[below(5)];
		W->faults.from = below(1500);
		W->faults.to = W->faults.from + 20 + below(600);
	}
}

static void plan_death(void)
{
	static const enum death deaths[] = {DEATH_POWER, DEATH_POWER, DEATH_POWER, DEATH_KILL, DEATH_KILL, DEATH_KILL_ALL};

	W->death = deaths[below(6)];
	W->stops_at = NEVER;
	W->dies_at = one_in(4) ? 1 + below(200) : one_in(3) ? 1 + below(4000) : 1 + below(1200);
	W->aim = AIM_NOWHERE;
	if (W->aimed && !one_in(4)) {
		W->aim = one_in(3) ? AIM_EXECUTION : AIM_COMMIT;
		W->aim_after = 1 + below(W->aim == AIM_COMMIT ? 8 : 2);
		W->aim_calls = below(8);
	}
	if (one_in(10)) { /* stopped, as for an upgrade */
		W->death = DEATH_NONE;
		W->dies_at = 0;
		W->stops_at = W->mono + between(0, 20 * SECOND);
	}
}

static void live(uint32_t slots) __attribute__((noreturn));
static void live(uint32_t slots)
{
	struct settings s = {.spool = SPOOL, .config_file = "/creel.yaml", .max_concurrency = slots, .verbose = W->loud};

	life_begin();
	_exit(daemon_run(&s));
}

/* What a daemon said before it crashed. */
static void show_end(int log)
{
	char text[4000];
	off_t size = __real_lseek(log, 0, SEEK_END);
	ssize_t n = __real_pread(log, text, sizeof text - 1, size > (off_t)sizeof text ? size - (off_t)sizeof text + 1 : 0);

	if (n > 0)
		fprintf(stderr, "%.*s\n", (int)n, text);
}

static void run_life(void)
{
	uint32_t slots = 1 + below(4);
	int status = 0, log = W->loud ? -1 : __real_memfd_create("log", 0);
	pid_t pid;

	W->life++;
	W->lives++;
	W->calls = W->failed_calls = 0;
	W->term_sent = W->recovered = W->finished = W->child_ended = false;
	W->nnews = 0;
	W->daemon = ++W->next_pid;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (log >= 0)
			dup2(log, STDERR_FILENO);
		live(slots);
	}
	if (pid < 0 || __real_waitpid(pid, &status, 0) != pid)
		broke("fork fails");
	if (W->broken[0] || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BROKEN))
		_exit(EXIT_BROKEN);
	if (WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 1)) {
		if (log >= 0)
			show_end(log);
		broke("the daemon crashed: %s %d", WIFSIGNALED(status) ? "signal" : "exit",
		      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	if (log >= 0)
		__real_close(log);
	if (WEXITSTATUS(status) != EXIT_DIED)
		W->death = DEATH_NONE;
	if (WEXITSTATUS(status) != EXIT_DIED && WEXITSTATUS(status) != 0 && W->failed_calls == 0)
		broke("the daemon left with status %d, and no call had failed", WEXITSTATUS(status));
	W->deaths[W->death]++;
}

static void release_locks(struct node *n)
{
	size_t k;

	for (k = 0; n->lock && k < sizeof W->procs / sizeof *W->procs; k++)
		if (W->procs[k].state == PROC_LIVES && W->procs[k].holder == n->lock)
			break;
	if (n->lock && k == sizeof W->procs / sizeof *W->procs)
		n->lock = 0;
	for (k = 0; n->kind == DIR_NODE && k < n->names.n; k++)
		release_locks(n->names.v[k].node);
}

/* What lies under a temporary name after a crash may be anything, and longer than what comes in its place. */
static void spoil_temporaries(struct node *n)
{
	static const char more[] = "what a crash left here; ";
	size_t k, len, times;

	for (k = 0; n->kind == DIR_NODE && k < n->names.n; k++) {
		const char *name = n->names.v[k].name;
		struct node *file = n->names.v[k].node;

		len = strlen(name);
		if (file->kind == FILE_NODE && file->nlink == 1 && len > 4 && strcmp(name + len - 4, ".tmp") == 0 &&
		    strcmp(name, ".result.json.tmp") != 0) /* a supervisor's, which may be writing it */
			for (times = 0; times < 400; times++)
				tree_write(file, file->data.n, more, strlen(more));
		spoil_temporaries(file);
	}
}

/* The daemon is gone; in what state is what it leaves? */
static void aftermath(void)
{
	procs_daemon_died();
	release_locks(W->root);
	check_witness();
	if (W->death == DEATH_POWER) {
		disk_power_cut();
		procs_power_cut();
		new_boot();
		W->wall += between(SECOND, 100 * SECOND);
	} else if (W->death == DEATH_KILL_ALL) {
		procs_kill_some();
	}
	if (one_in(10)) /* somebody sets the clock */
		W->wall += between(-5 * SECOND, 3600 * SECOND);
	W->people_wake = W->mono + between(0, 5 * SECOND);
	check_left();
	spoil_temporaries(W->root);
	if (one_in(2))
		world_until(W->mono + between(0, 30 * SECOND));
}

static void simulate(void)
{
	unsigned lives = 1 + below(8);

	while (lives-- > 0) {
		plan_faults();
		plan_death();
		run_life();
		aftermath();
	}
	W->faults = (struct faults){0};
	W->aim = AIM_NOWHERE;
	W->dies_at = 0;
	W->stops_at = NEVER;
	W->calm = true;
	W->calm_since = W->mono;
	run_life();
	if (!W->finished)
		broke("the last daemon stopped before all was done");
	procs_daemon_died();
	check_final();
}

/* ---- seeds ---- */

struct totals {
	uint64_t seeds, calls, lives, deaths[4], injected, executions, ran, states, broken;
};

/* true: all is well. */
static bool run_seed(uint64_t seed, const char *mutant_name, bool loud, struct totals *sum)
{
	int status = 0;
	pid_t pid;
	int k;

	make_world(seed, mutant_name, loud);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		simulate();
		_exit(0);
	}
	if (pid < 0 || __real_waitpid(pid, &status, 0) != pid)
		return false;
	if (!W->broken[0] && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		snprintf(W->broken, sizeof W->broken, "the simulation itself ended with status %d", status);
	sum->seeds++;
	sum->calls += W->all_calls;
	sum->lives += W->lives;
	sum->injected += W->injected;
	sum->executions += W->executions;
	sum->ran += W->ran;
	sum->states += W->states;
	for (k = 0; k < 4; k++)
		sum->deaths[k] += W->deaths[k];
	sum->broken += W->broken[0] != '\0';
	return !W->broken[0];
}

static void tell_broken(uint64_t seed, const char *program)
{
	printf("sim: seed %llu, life %u, %s model: %s\n     replay it: %s --seed %llu -v\n", (unsigned long long)seed, W->life,
	       W->model == ORDERED ? "ordered" : "weak", W->broken, program, (unsigned long long)seed);
	fflush(stdout);
}

static double now(void)
{
	struct timespec ts;

	__real_clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void tell_totals(const struct totals *t, double took)
{
	printf("sim: %llu seeds, %llu lives, %llu calls, %llu killed, %llu all killed, %llu power cuts, %llu calls failed, "
	       "%llu attempts, %llu executions, %llu states compared, %llu broken, %.1f s\n",
	       (unsigned long long)t->seeds, (unsigned long long)t->lives, (unsigned long long)t->calls,
	       (unsigned long long)t->deaths[DEATH_KILL], (unsigned long long)t->deaths[DEATH_KILL_ALL],
	       (unsigned long long)t->deaths[DEATH_POWER], (unsigned long long)t->injected, (unsigned long long)t->ran,
	       (unsigned long long)t->executions, (unsigned long long)t->states, (unsigned long long)t->broken, took);
}

struct options {
	uint64_t from, to;
	double seconds;
	bool loud, mutants, keep_going;
	const char *mutant, *program;
};

static int run_seeds(const struct options *o)
{
	struct totals sum = {0};
	double began = now();
	uint64_t seed;

	for (seed = o->from; seed <= o->to && (o->seconds <= 0 || now() - began < o->seconds); seed++)
		if (!run_seed(seed, o->mutant, o->loud, &sum)) {
			tell_broken(seed, o->program);
			if (sum.broken >= 5 && !o->keep_going)
				break;
		}
	tell_totals(&sum, now() - began);
	return sum.broken ? 1 : 0;
}

/* For mutants.c: is this seed well? */
static bool run_mutant(uint64_t seed, const char *name)
{
	struct totals sum = {0};

	return run_seed(seed, name, false, &sum);
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [-v] --seed N | --seeds A-B | --seconds S [--from A] | --mutants [NAME...] | --mutant NAME\n");
	return 64;
}

/* Compiled once here, and not in every life. */
static void warm_up(void)
{
	static const char *const names[] = {"plan", "step-plan", "decision", "control", "config", "inputs-command",
					    "inputs-shell-run", "inputs-plan-run"};
	size_t k;

	for (k = 0; k < sizeof names / sizeof *names; k++)
		schema_builtin(names[k]);
}

static const struct option options[] = {
    {"seed", required_argument, NULL, 's'},   {"seeds", required_argument, NULL, 'r'},  {"from", required_argument, NULL, 'f'},
    {"seconds", required_argument, NULL, 't'}, {"mutants", no_argument, NULL, 'M'},     {"mutant", required_argument, NULL, 'm'},
    {"verbose", no_argument, NULL, 'v'},      {"keep-going", no_argument, NULL, 'k'},   {NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	struct options o = {.from = 1, .to = 50, .program = argv[0]};
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1)
		switch (c) {
		case 's':
			o.from = o.to = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			o.from = o.to = strtoull(optarg, &end, 10);
			if (*end == '-')
				o.to = strtoull(end + 1, NULL, 10);
			break;
		case 'f':
			o.from = strtoull(optarg, NULL, 10);
			o.to = UINT64_MAX - 1;
			break;
		case 't':
			o.seconds = strtod(optarg, NULL);
			if (o.to == 50)
				o.to = UINT64_MAX - 1;
			break;
		case 'M':
			o.mutants = true;
			break;
		case 'k':
			o.keep_going = true;
			break;
		case 'm':
			o.mutant = optarg;
			break;
		case 'v':
			o.loud = true;
			break;
		default:
			return usage();
		}
	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("HOME", "/", 1);
	unsetenv("JOURNAL_STREAM");
	unsetenv("NOTIFY_SOCKET");
	json_object_seed(1);
	world_map();
	warm_up();
	return o.mutants ? mutants_run(o.from, o.to, argv + optind, run_mutant) : run_seeds(&o);
}
