#include "creeld/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/apis.h"
#include "creeld/breakers.h"
#include "creeld/deadlock.h"
#include "creeld/http_pool.h"
#include "creeld/intake.h"
#include "creeld/lock.h"
#include "creeld/notify.h"
#include "creeld/problem.h"
#include "creeld/spares.h"
#include "creeld/survivors.h"
#include "creeld/typed.h"
#include "store/catalog_http.h"
#include "store/write.h"

enum { EXIT_CONFIG = 64, EXIT_LOCKED = 75, EXIT_SPOOL = 100, EXIT_SYSTEM = 111 };
enum { WAIT_MOST_MS = 5000, WAIT_ADOPTED_MS = 50, WAIT_LATER_MS = 100 };
enum { LOAD_TRIES = 6 };

/* ---- waiting ---- */

static int watch_fd(struct daemon *d, int fd, struct err *e)
{
	struct epoll_event want = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &want) < 0 ? err_sys(e, errno, "cannot wait for a descriptor") : 0;
}

static bool has_unknown_adopted(const struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].adopted && d->running.v[k].pidfd < 0)
			return true;
	return false;
}

static int min_ms(int a, msec b)
{
	return b < 0 ? 0 : b < a ? (int)b : a;
}

/* How long nothing has to be done, in milliseconds.  Never long: a clock that was set must be noticed. */
static int patience(struct daemon *d)
{
	msec mono = clock_mono(), at;
	int ms = WAIT_MOST_MS;

	if (d->job && d->job_retry)
		ms = min_ms(ms, d->job_retry - mono);
	if (d->dispatch_retry)
		ms = min_ms(ms, d->dispatch_retry - mono);
	if (d->gc_due && !d->gc)
		ms = min_ms(ms, d->gc_due - mono);
	if (has_unknown_adopted(d))
		ms = min_ms(ms, WAIT_ADOPTED_MS);
	at = spares_patience(d);
	if (at >= 0)
		ms = min_ms(ms, at);
	at = health_patience(d);
	if (at >= 0)
		ms = min_ms(ms, at);
	if (d->job)
		return ms; /* no turn before it is done */
	if (d->unloaded.n > 0)
		ms = min_ms(ms, d->unloaded_at - mono);
	if (d->claims.n > 0)
		ms = min_ms(ms, claims_next(d) - mono);
	at = deadlock_patience(d);
	if (at >= 0)
		ms = min_ms(ms, at);
	ms = min_ms(ms, d->last_scan + d->config.rescan - mono);
	if (!turn_held(d) && (d->more_in_inbox || d->dirty.n + d->slow.n > 0 || d->scan))
		return 0;
	if (json_object_size(d->later) > 0)
		ms = min_ms(ms, d->last_look + WAIT_LATER_MS - mono);
	if (d->again_at)
		ms = min_ms(ms, d->again_at - mono);
	at = turn_deadline(d);
	return at ? min_ms(ms, at - clock_wall()) : ms;
}

static void take_signals(struct daemon *d)
{
	struct signalfd_siginfo info;

	while (read(d->signals, &info, sizeof info) == (ssize_t)sizeof info)
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			d->stop = true;
			break;
		case SIGHUP:
			d->reload = true;
			break;
		default:
			break; /* SIGCHLD: children_reap looks at all of them */
		}
}

static void wait_for_news(struct daemon *d)
{
	struct epoll_event got[64];
	uint64_t count;
	int n = epoll_wait(d->epoll, got, 64, patience(d)), k;

	for (k = 0; k < n; k++) {
		int fd = got[k].data.fd;

		if (fd == d->signals)
			take_signals(d);
		else if (fd == d->watch_event)
			while (read(fd, &count, sizeof count) > 0)
				continue;
		else if (fd == d->flush_event)
			flusher_done(d);
		else
			child_speaks(d, fd);
	}
}

/* Drops that were not whole yet are looked at again soon. */
static void look_again(struct daemon *d)
{
	msec now = clock_mono();

	bool due = d->again_at && now >= d->again_at;

	if (!due && (json_object_size(d->later) == 0 || now < d->last_look + WAIT_LATER_MS))
		return;
	if (due)
		d->again_at = 0;
	d->last_look = now;
	d->scan |= 1u << SPOOL_INBOX | 1u << SPOOL_CONFIRM | 1u << SPOOL_CONFIRM_BY | 1u << SPOOL_CONTROL;
}

/* ---- configuration ---- */

static void log_to(const struct daemon *d, const struct settings *s)
{
	log_open("creeld", s->verbose ? LOG_LEVEL_DEBUG : (enum log_level)d->config.log_level);
}

static void reload(struct daemon *d, const struct settings *s)
{
	struct config fresh;
	struct err e;

	d->reload = false;
	if (config_load(&fresh, d->config_file, &e) < 0) {
		log_error("%s; the configuration stays as it was", e.text);
		config_free(&fresh);
		return;
	}
	if (s->max_concurrency)
		fresh.max_concurrency = s->max_concurrency;
	fresh.drain = d->config.drain;
	/* Executions hold the old environment by a borrowed pointer: give them the new one first. */
	for (size_t k = 0; k < d->lives.n; k++)
		if (d->lives.v[k]) {
			d->lives.v[k]->exec->env = fresh.env;
			d->lives.v[k]->exec->output_cap = (size_t)fresh.output_cap;
		}
	config_free(&d->config);
	d->config = fresh;
	log_to(d, s);
	retention_plan(d, false);
	log_info("configuration read again");
}

/* ---- draining ---- */

/* All that it does is wait for executions of its own, which are looked at themselves. */
static bool waits_for_children(const struct exec *x)
{
	return x->children > 0 && x->count[PH_RUNNING] == x->waiting && x->count[PH_READY] + x->count[PH_BACKOFF] == 0;
}

static bool only_people_can_go_on(const struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->lives.n; k++) {
		const struct live *l = d->lives.v[k];

		if (l && !l->exec->paused && !waits_for_children(l->exec) &&
		    strcmp(exec_status(l->exec), "paused_for_confirmation") != 0)
			return false;
		if (l && (l->exec->count[PH_RUNNING] > l->exec->waiting || l->dirty || l->inputs.n > 0))
			return false;
	}
	return true;
}

static void name_waiting(const struct daemon *d)
{
	size_t k, n;

	for (k = 0; k < d->lives.n; k++) {
		const struct live *l = d->lives.v[k];

		if (!l)
			continue;
		if (l->exec->paused)
			log_warn("execution %s \"%s\" is paused: creel resume %s", l->exec->id, l->plan->name, l->exec->id);
		for (n = 0; n < l->exec->asked.n; n++)
			if (!l->exec->asked.v[n].responded)
				log_warn("execution %s \"%s\": \"%s\" waits for a decision: creel approve %s %s", l->exec->id,
					 l->plan->name, l->plan->actions[l->exec->asked.v[n].action].id, l->exec->id,
					 l->plan->actions[l->exec->asked.v[n].action].id);
	}
}

/* What stays where it is because nobody can do anything with it. */
static bool something_is_stuck(const struct daemon *d)
{
	const char *name;
	json_t *v;
	size_t k;

	json_object_foreach(d->stuck, name, v)
		log_warn("\"%s\" cannot be moved out of the inbox and is left there", name);
	for (k = 0; k < d->unloaded.n; k++)
		log_warn("execution %s cannot be loaded and is left as it is", d->unloaded.v[k]);
	return json_object_size(d->stuck) + d->unloaded.n > 0;
}

/* With --drain: the exit status when there is nothing left to do, else -1. */
static int drained(const struct daemon *d)
{
	if (!d->config.drain || d->job || d->more_in_inbox || d->dirty.n + d->slow.n > 0 || d->running.n > 0 ||
	    !intake_is_empty((struct daemon *)d))
		return -1;
	if (d->unloaded.n > 0 && d->unloaded_tries < LOAD_TRIES)
		return -1;
	if (d->n_lives == 0)
		return something_is_stuck(d) || d->any_failed ? 1 : 0;
	if (!only_people_can_go_on(d))
		return -1;
	name_waiting(d);
	return 2;
}

/* ---- from start to stop ---- */

/* A daemon that was killed may have left commits that no flush has reached yet; nothing may follow from them before. */
static int flush_first(struct daemon *d)
{
	struct pollfd fd = {d->signals, POLLIN, 0};
	bool told = false;
	struct err e;

	while (spool_sync(&d->spool, &e) < 0) {
		if (!told) {
			log_error("%s; nothing starts, trying again every second", e.text);
			problem_tell(d, e.text);
		}
		told = true;
		if (poll(&fd, 1, 1000) > 0)
			take_signals(d);
		if (d->stop)
			return -1;
	}
	problem_clear(d);
	return 0;
}

/* Attempts of before a power cut that could not be looked at so far: that it was before must not be forgotten. */
static bool has_unjudged(const struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->running.n; k++)
		if (d->rebooted && d->running.v[k].before)
			return true;
	return false;
}

static int serve(struct daemon *d, const struct settings *s)
{
	int status;

	for (;;) {
		wait_for_news(d);
		if (d->stop)
			break;
		if (d->reload)
			reload(d, s);
		children_reap(d);
		children_check_adopted(d);
		flusher_retry(d);
		look_again(d);
		if (!d->job)
			clock_look(d);
		retention_run(d);
		dispatch(d);
		if (!d->job)
			recover_again(d);
		turn(d);
		dispatch(d);
		health_run(d);
		if (!d->job && d->dirty.n == 0 && d->unloaded.n == 0 && !has_unjudged(d))
			lock_settle(d);
		status = drained(d);
		if (status >= 0)
			return status;
		spares_keep(d);
	}
	log_info("stopping; %zu actions go on without the daemon", d->running.n);
	return 0;
}

static int open_kernel_things(struct daemon *d, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, errno, "cannot block signals");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN); /* a lease that we hold for a moment may be broken by a writer */
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->epoll < 0 || d->signals < 0)
		return err_sys(e, errno, "cannot make an epoll or signal descriptor");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, errno, "cannot become a subreaper");
	if (getrandom(&d->random, sizeof d->random, 0) < 0)
		return err_sys(e, errno, "cannot get random bytes");
	if (spares_open(d, e) < 0 || flusher_start(d, e) < 0 || watch_start(d, e) < 0)
		return -1;
	if (watch_fd(d, d->signals, e) < 0 || watch_fd(d, d->watch_event, e) < 0 || watch_fd(d, d->flush_event, e) < 0)
		return -1;
	return 0;
}

/* As many descriptors as we may have: running attempts take some each.  And no core: secrets pass through our memory (1
 * rather than 0, because 0 does not keep a program that core_pattern names from getting one).  What runs gets the
 * limits that we were started with; see spec.c. */
static void adjust_limits(struct daemon *d)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		d->soft_nofile = limit.rlim_cur;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			log_warn("cannot raise the limit of descriptors: %s", strerror(errno));
	}
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		d->soft_core = limit.rlim_cur;
		limit.rlim_cur = limit.rlim_max < 1 ? limit.rlim_max : 1;
		if (setrlimit(RLIMIT_CORE, &limit) < 0)
			log_warn("cannot forbid core files: %s", strerror(errno));
	}
}

static const char *find_spool(const struct settings *s, const struct config *c)
{
	const char *from_env = getenv("CREEL_SPOOL");

	if (s->spool)
		return s->spool;
	if (from_env && *from_env)
		return from_env;
	return spool_is("spool") || !c->spool ? "spool" : c->spool;
}

static int set_up(struct daemon *d, const struct settings *s)
{
	struct err e = {0};

	d->since = clock_wall();
	if (config_load(&d->config, s->config_file, &e) < 0) {
		log_error("%s", e.text);
		return EXIT_CONFIG;
	}
	d->config_file = s->config_file;
	d->config.drain = s->drain;
	if (s->max_concurrency)
		d->config.max_concurrency = s->max_concurrency;
	log_to(d, s);
	if (spool_open(&d->spool, find_spool(s, &d->config), &e) < 0 || spool_check_safe(&d->spool, &e) < 0) {
		log_error("%s", e.text);
		return EXIT_SPOOL;
	}
	if (lock_take(d, &e) < 0) {
		log_error("%s", e.text);
		return e.code == EWOULDBLOCK ? EXIT_LOCKED : EXIT_SYSTEM;
	}
	survivors_look_around(d);
	adjust_limits(d);
	d->catalog = http_catalog_new(d->spool.fd[SPOOL_ROOT]);
	if (breakers_load(d, &e) < 0 || apis_load(d, &e) < 0 || open_kernel_things(d, &e) < 0) {
		log_error("%s", e.text);
		return EXIT_SYSTEM;
	}
	if (flush_first(d) < 0)
		return EXIT_SYSTEM;
	if (recover(d, &e) < 0) {
		log_error("%s", e.text);
		return EXIT_SYSTEM;
	}
	/* Nothing of an earlier boot is left to be judged: what starts from here on is of this one. */
	if (d->n_lives == 0 && d->unloaded.n == 0)
		lock_settle(d);
	return 0;
}

static void tear_down(struct daemon *d)
{
	size_t k;

	flusher_finish(d);
	spares_dismiss(d);
	http_pool_close(d);
	for (k = 0; k < d->lives.n; k++)
		if (d->lives.v[k])
			live_remove(d, d->lives.v[k]);
	vec_free(&d->lives);
	vec_free(&d->dirty);
	vec_free(&d->slow);
	vec_free(&d->ready);
	vec_free(&d->queue);
	vec_free(&d->stale);
	vec_free(&d->parked);
	vec_free(&d->free_slots);
	limits_clear(d);
	breakers_free(d);
	health_stop(d);
	apis_free(d);
	typed_free(d);
	http_catalog_free(d->catalog);
	vec_free(&d->running);
	vec_free(&d->ready_children);
	vec_free(&d->lingering);
	for (k = 0; k < d->unloaded.n; k++)
		free(d->unloaded.v[k]);
	vec_free(&d->unloaded);
	for (k = 0; k < d->claims.n; k++)
		free(d->claims.v[k].name);
	vec_free(&d->claims);
	vec_free(&d->subs);
	map_free(&d->by_id);
	heap_free(&d->timers);
	json_decref(d->later);
	json_decref(d->personal);
	json_decref(d->stuck);
	json_decref(d->told);
	config_free(&d->config);
	spool_close(&d->spool);
}

int daemon_run(const struct settings *s)
{
	struct daemon d = {.epoll = -1, .signals = -1, .lock_fd = -1, .later = json_object(), .personal = json_object(),
			   .stuck = json_object(), .told = json_object()};
	int status = set_up(&d, s);

	if (status == 0) {
		log_info("creeld " CREEL_VERSION " serves %s, at most %u actions at once", d.spool.path,
			 d.config.max_concurrency);
		retention_plan(&d, true);
		notify_ready();
		status = serve(&d, s);
		notify_stopping();
	}
	tear_down(&d);
	return status;
}
