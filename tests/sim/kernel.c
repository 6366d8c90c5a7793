/*
 * kernel.c - time, threads, and what can happen at any call: it fails, it takes long, another thread goes on, the
 * world goes on, the daemon dies.
 *
 * The daemon's threads are real, but one at a time runs: whoever holds the baton.  It changes hands at calls alone, as
 * the dice say.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __real_pthread_cond_broadcast(pthread_cond_t *c);
int __real_pthread_detach(pthread_t t);

enum { THREADS = 6, MUTEXES = 8, CALLS_MOST = 100000 };

static struct thread {
	bool used, ended;
	bool (*until)(void *ctx); /* NULL: it can go on */
	void *ctx;
	int64_t deadline;
	pthread_cond_t go;
	void *(*run)(void *);
	void *arg;
} threads[THREADS];

static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static int holder;
static __thread int self;

/* Mutexes of the daemon, and who has them. */
static struct {
	pthread_mutex_t *mutex;
	int owner;
} held[MUTEXES];

static bool live;
static int quiet;

bool sim_live(void)
{
	return live && !quiet;
}

void quiet_begin(void)
{
	quiet++;
}

void quiet_end(void)
{
	quiet--;
}

void life_begin(void)
{
	live = true;
	quiet = 0;
	memset(held, 0, sizeof held);
	threads[0] = (struct thread){.used = true, .go = PTHREAD_COND_INITIALIZER};
	__real_pthread_mutex_lock(&baton);
}

/* ---- time ---- */

int64_t world_next(void)
{
	int64_t at = W->people_wake;
	size_t k;

	for (k = 0; k < sizeof W->procs / sizeof *W->procs; k++)
		if (W->procs[k].state == PROC_LIVES && W->procs[k].wake < at)
			at = W->procs[k].wake;
	return at;
}

static void pass(int64_t until)
{
	if (until > W->mono) {
		W->wall += until - W->mono;
		W->mono = until;
	}
}

void world_until(int64_t mono)
{
	while (world_next() <= mono) {
		int64_t at = world_next();
		size_t k;

		pass(at);
		if (W->people_wake <= at) {
			people_step();
			continue;
		}
		for (k = 0; W->procs[k].state != PROC_LIVES || W->procs[k].wake > at; k++)
			continue;
		procs_step(&W->procs[k]);
	}
	pass(mono);
}

/* ---- threads ---- */

static bool can_go_on(int k)
{
	const struct thread *t = &threads[k];

	return t->used && !t->ended && (!t->until || W->mono >= t->deadline || t->until(t->ctx));
}

/* Another thread that can go on, or -1. */
static int another(void)
{
	int k, first = (int)below(THREADS);

	for (k = 0; k < THREADS; k++)
		if ((first + k) % THREADS != self && can_go_on((first + k) % THREADS))
			return (first + k) % THREADS;
	return -1;
}

static void hand_to(int k)
{
	holder = k;
	pthread_cond_signal(&threads[k].go);
	while (holder != self)
		__real_pthread_cond_wait(&threads[self].go, &baton);
}

/* Nobody can go on: the next thing that happens by itself. */
static void wait_for_the_world(void)
{
	int64_t at = world_next();
	int k;

	for (k = 0; k < THREADS; k++)
		if (threads[k].used && !threads[k].ended && threads[k].deadline < at)
			at = threads[k].deadline;
	if (at > W->stops_at && W->mono < W->stops_at)
		at = W->stops_at;
	if (at == NEVER)
		broke("every thread of the daemon waits, and nothing will happen");
	world_until(at);
}

void threads_block(bool (*until)(void *ctx), void *ctx, int64_t deadline)
{
	struct thread *t = &threads[self];

	t->until = until;
	t->ctx = ctx;
	t->deadline = deadline;
	while (W->mono < deadline && !until(ctx)) {
		int k = another();

		if (k >= 0)
			hand_to(k);
		else
			wait_for_the_world();
	}
	t->until = NULL;
	t->deadline = NEVER;
}

static void *begin_thread(void *arg)
{
	self = (int)(intptr_t)arg;
	__real_pthread_mutex_lock(&baton);
	while (holder != self)
		__real_pthread_cond_wait(&threads[self].go, &baton);
	threads[self].run(threads[self].arg);
	threads[self].ended = true;
	holder = another(); /* main is always there */
	if (holder < 0)
		holder = 0;
	pthread_cond_signal(&threads[holder].go);
	__real_pthread_mutex_unlock(&baton);
	return NULL;
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg)
{
	int k, e;

	if (!live)
		return __real_pthread_create(t, a, run, arg);
	e = enter(CALL_PROC, "pthread_create", "");
	if (e)
		return e;
	for (k = 0; k < THREADS && threads[k].used; k++)
		continue;
	if (k == THREADS)
		broke("the daemon has more threads than the simulation");
	threads[k] = (struct thread){.used = true, .run = run, .arg = arg, .deadline = NEVER, .go = PTHREAD_COND_INITIALIZER};
	return __real_pthread_create(t, a, begin_thread, (void *)(intptr_t)k);
}

int __wrap_pthread_detach(pthread_t t)
{
	return __real_pthread_detach(t);
}

/* ---- mutexes and conditions ---- */

static bool is_free(void *mutex)
{
	int k;

	for (k = 0; k < MUTEXES; k++)
		if (held[k].mutex == mutex)
			return false;
	return true;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	int k;

	if (!live)
		return __real_pthread_mutex_lock(m);
	threads_block(is_free, m, NEVER);
	for (k = 0; held[k].mutex; k++)
		if (k == MUTEXES - 1)
			broke("the daemon holds more mutexes than the simulation knows");
	held[k].mutex = m;
	held[k].owner = self;
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	int k;

	if (!live)
		return __real_pthread_mutex_unlock(m);
	for (k = 0; k < MUTEXES; k++)
		if (held[k].mutex == m && held[k].owner == self) {
			held[k].mutex = NULL;
			return 0;
		}
	broke("a mutex is unlocked that this thread does not hold");
}

struct waiting {
	pthread_cond_t *cond;
	bool woken;
};

static struct waiting *waiting[THREADS];

static bool is_woken(void *w)
{
	return ((struct waiting *)w)->woken;
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	struct waiting w = {c, false};

	if (!live)
		return __real_pthread_cond_wait(c, m);
	waiting[self] = &w;
	__wrap_pthread_mutex_unlock(m);
	threads_block(is_woken, &w, NEVER);
	waiting[self] = NULL;
	return __wrap_pthread_mutex_lock(m);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
	int k;

	if (!live)
		return __real_pthread_cond_broadcast(c);
	for (k = 0; k < THREADS; k++)
		if (waiting[k] && waiting[k]->cond == c)
			waiting[k]->woken = true;
	return 0;
}

/* ---- at every call ---- */

void daemon_dies(void)
{
	say("the daemon dies (%s)", W->death == DEATH_POWER ? "power cut" : W->death == DEATH_KILL_ALL ? "all are killed" : "killed");
	_exit(4);
}

static const struct {
	unsigned kinds;
	int code;
	const char *name;
} errors[] = {
    {CALL_READ | CALL_WRITE | CALL_LOOK | CALL_FLUSH | CALL_MAKE | CALL_REMOVE | CALL_FD, EIO, "EIO"},
    {CALL_WRITE | CALL_MAKE | CALL_FLUSH, ENOSPC, "ENOSPC"},
    {CALL_WRITE | CALL_MAKE | CALL_FLUSH, EDQUOT, "EDQUOT"},
    {CALL_FD, EMFILE, "EMFILE"},
    {CALL_FD, ENFILE, "ENFILE"},
    {CALL_READ | CALL_LOOK | CALL_MAKE | CALL_FD | CALL_PROC | CALL_REMOVE, ENOMEM, "ENOMEM"},
    {CALL_READ | CALL_WRITE | CALL_WAIT | CALL_FD, EINTR, "EINTR"},
    {CALL_PROC, EAGAIN, "EAGAIN"},
};

enum { ERRORS = sizeof errors / sizeof *errors };

static int fault(unsigned kind)
{
	const struct faults *f = &W->faults;
	int k;

	if (kind & CALL_NEVER)
		return 0;
	if (f->storm && W->calls >= f->from && W->calls < f->to && !(kind & CALL_WAIT))
		for (k = 0; k < ERRORS; k++)
			if (errors[k].code == f->storm && (errors[k].kinds & kind) && !one_in(8))
				return f->storm;
	if ((kind & CALL_FLUSH) && one_in(f->flush_one_in))
		return EIO;
	if (!one_in(f->one_in))
		return 0;
	k = (int)below(ERRORS);
	return errors[k].kinds & kind ? errors[k].code : 0;
}

bool threads_all_wait(void)
{
	return another() < 0;
}

static const char *error_name(int code)
{
	int k;

	for (k = 0; k < ERRORS; k++)
		if (errors[k].code == code)
			return errors[k].name;
	return "?";
}

int enter(unsigned kind, const char *what, const char *path)
{
	int e, k, before = errno;

	if (!sim_live())
		return 0;
	W->all_calls++;
	if (W->calls++ == CALLS_MOST)
		broke("one life of the daemon has made %d calls, and there is no end of them", CALLS_MOST);
	pass(W->mono + between(MS / 1000, MS / 30) + (one_in(kind & CALL_FLUSH ? 5 : 400) ? between(MS, 200 * MS) : 0));
	world_until(W->mono);
	say("%s%s %s", self ? "  flusher " : "", what, path);
	if (W->dies_at && W->calls >= W->dies_at && !(kind & CALL_WRITE))
		daemon_dies();
	k = one_in(6) ? another() : -1;
	if (k >= 0)
		hand_to(k);
	e = fault(kind);
	if (e) {
		W->failed_calls++;
		W->injected++;
		say("    fails: %s", error_name(e));
	}
	errno = before; /* whatever the world did meanwhile */
	return e;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t t = id == CLOCK_REALTIME ? W->wall : W->mono;

	*ts = (struct timespec){t / SECOND, t % SECOND};
	return 0;
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

int __wrap_nanosleep(const struct timespec *ts, struct timespec *left)
{
	(void)left;
	if (sim_live())
		threads_block(never, NULL, W->mono + ts->tv_sec * SECOND + ts->tv_nsec);
	return 0;
}

ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
	size_t k;

	(void)flags;
	for (k = 0; k < n; k++)
		((unsigned char *)p)[k] = (unsigned char)dice64();
	return (ssize_t)n;
}
