/*
 * flush.c - the flusher: a thread that runs one job at a time, so that other people's dirty pages delay no deadline.
 */
#include "creeld/flush.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/gone.h"
#include "creeld/perform.h"
#include "creeld/problem.h"
#include "creeld/spares.h"
#include "creeld/writeback.h"

enum { RETRY_MS = 1000 };

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	const struct spool *spool;
	struct flush_job *job; /* to do */
	bool busy;
	int answer; /* what flush_run returned */
	int event;
} flusher = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void say_go(const struct flush_go *go)
{
	/* One that is gone is missed when it is reaped. */
	if (send(go->fd, &go->word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("a supervisor left before its attempt could start");
}

static void tell_loop(void)
{
	uint64_t one = 1;

	if (write(flusher.event, &one, sizeof one) < 0) {
		/* an eventfd that is full has already been written to */
	}
}

/* Attempts are handed to supervisors while the job is being flushed; whoever comes last says go. */
static void flush_durable(struct flush_job *j)
{
	bool tell;
	size_t k;

	pthread_mutex_lock(&flusher.mutex);
	for (k = 0; k < j->go.n; k++)
		say_go(&j->go.v[k]);
	j->go.n = 0;
	j->durable = true;
	tell = j->awaited;
	pthread_mutex_unlock(&flusher.mutex);
	if (tell)
		tell_loop();
}

void flush_go_when_durable(struct flush_job *j, struct flush_go go)
{
	pthread_mutex_lock(&flusher.mutex);
	if (j->durable)
		say_go(&go);
	else
		vec_push(&j->go, go);
	pthread_mutex_unlock(&flusher.mutex);
}

static void *run(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&flusher.mutex);
	for (;;) {
		while (!flusher.job)
			pthread_cond_wait(&flusher.wake, &flusher.mutex);
		pthread_mutex_unlock(&flusher.mutex);
		flusher.answer = flush_run(flusher.spool, flusher.job, flush_durable);
		if (flusher.answer == 0)
			writeback_count(flusher.job);
		pthread_mutex_lock(&flusher.mutex);
		flusher.job = NULL;
		flusher.busy = false;
		pthread_cond_broadcast(&flusher.wake);
		tell_loop();
	}
	return NULL;
}

int flusher_start(struct daemon *d, struct err *e)
{
	pthread_t thread;
	int r;

	d->flush_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->flush_event < 0)
		return err_sys(e, errno, "cannot make an eventfd");
	problem_reserve(d);
	flusher.spool = &d->spool;
	flusher.event = d->flush_event;
	writeback_start(&d->spool);
	if ((r = pthread_create(&thread, NULL, run, NULL)) == 0 && (r = pthread_detach(thread)) == 0 &&
	    (r = pthread_create(&thread, NULL, flush_second_thread, NULL)) == 0)
		r = pthread_detach(thread);
	return r ? err_sys(e, r, "cannot start the flusher") : 0;
}

struct flush_job *flush_job_new(void)
{
	return xcalloc(1, sizeof(struct flush_job));
}

bool flush_job_is_empty(const struct flush_job *j)
{
	return j->commits.n + j->admissions.n + j->files.n + j->states.n == 0 && j->events.len + j->looked.len == 0;
}

void flush_set_day(struct flush_job *j, msec at)
{
	char when[CLOCK_TEXT];

	if (j->day[0])
		return;
	clock_format(at, when);
	memcpy(j->day, when, 10);
}

static void hand_over(struct daemon *d)
{
	d->job_retry = 0;
	pthread_mutex_lock(&flusher.mutex);
	flusher.job = d->job;
	flusher.busy = true;
	pthread_cond_broadcast(&flusher.wake);
	pthread_mutex_unlock(&flusher.mutex);
}

/* Is there more to start than supervisors are ready for, and more to be written than a few lines?  Slots that become free
 * meanwhile must not wait for that. */
static bool has_news_early(const struct daemon *d, const struct flush_job *j)
{
	size_t k, starts = 0;

	if (j->admissions.n + j->states.n + j->files.n == 0)
		return false;
	for (k = 0; k < j->admissions.n; k++)
		starts += events_count(&j->admissions.v[k].events, EV_ACTION_REQUESTED);
	for (k = 0; k < j->commits.n; k++)
		starts += events_count(&j->commits.v[k].events, EV_ACTION_REQUESTED);
	return starts > d->ready_children.n;
}

static void await_durable(struct daemon *d, struct flush_job *j)
{
	bool durable;

	pthread_mutex_lock(&flusher.mutex);
	j->awaited = true;
	durable = j->durable;
	pthread_mutex_unlock(&flusher.mutex);
	if (durable)
		perform(d, j);
}

void flush_submit(struct daemon *d, struct flush_job *j)
{
	d->job = j;
	hand_over(d);
	ready_prepare(d, j);
	if (has_news_early(d, j))
		await_durable(d, j);
}

void flusher_retry(struct daemon *d)
{
	if (d->job && d->job_retry && clock_mono() >= d->job_retry)
		hand_over(d);
}

static void job_free(struct flush_job *j)
{
	size_t k;

	for (k = 0; k < j->commits.n; k++) {
		free(j->commits.v[k].text);
		events_free(&j->commits.v[k].events);
	}
	for (k = 0; k < j->admissions.n; k++) {
		admission_free(&j->admissions.v[k].files);
		events_free(&j->admissions.v[k].events);
	}
	for (k = 0; k < j->early.n; k++) {
		free(j->early.v[k].to);
		free(j->early.v[k].text);
	}
	vec_free(&j->early);
	for (k = 0; k < j->files.n; k++) {
		free(j->files.v[k].from);
		free(j->files.v[k].to);
		free(j->files.v[k].text);
	}
	for (k = 0; k < j->states.n; k++)
		free(j->states.v[k].text);
	vec_free(&j->commits);
	vec_free(&j->admissions);
	vec_free(&j->files);
	vec_free(&j->states);
	vec_free(&j->go);
	buf_free(&j->events);
	buf_free(&j->looked);
	free(j);
}

/* Operators find the reason in three places: the log, problem.json (creel status), and events/ once it can be
 * written again. */
static void job_failed(struct daemon *d)
{
	const char *why = d->job->error.text;

	if (gone_take_out(d)) {
		hand_over(d); /* at once, without them */
		return;
	}
	if (strcmp(d->problem, why) != 0)
		log_error("cannot write to the spool: %s; nothing new starts, what runs goes on, trying again every second", why);
	problem_tell(d, why);
	snprintf(d->problem, sizeof d->problem, "%s", why);
	d->job_retry = clock_mono() + RETRY_MS;
}

static bool admitted_much(const struct flush_job *j)
{
	enum { LARGE = 256 * 1024 };
	size_t k, n = 0;

	for (k = 0; k < j->admissions.n; k++)
		n += j->admissions.v[k].files.plan_n;
	return n >= LARGE;
}

static void job_succeeded(struct daemon *d)
{
	struct flush_job *j = d->job;
	bool large;

	if (d->problem[0]) {
		log_warn("the spool can be written again (it was: %s); going on", d->problem);
		problem_clear(d);
		d->problem[0] = '\0';
	}
	d->job = NULL;
	if (j->commits.n > 0)
		d->flush_us += (j->took_us - d->flush_us) / 4;
	perform(d, j);
	perform_ends(d, j);
	large = admitted_much(j);
	job_free(j);
	if (large) /* reading a plan takes several times the memory of what stays */
		malloc_trim(0);
}

void flusher_done(struct daemon *d)
{
	bool busy, durable;
	uint64_t n;

	if (read(d->flush_event, &n, sizeof n) < 0 || !d->job)
		return;
	pthread_mutex_lock(&flusher.mutex);
	busy = flusher.busy;
	durable = d->job->durable;
	pthread_mutex_unlock(&flusher.mutex);
	if (busy && durable)
		perform(d, d->job);
	if (busy)
		return;
	if (flusher.answer < 0)
		job_failed(d);
	else
		job_succeeded(d);
}

void flusher_finish(struct daemon *d)
{
	if (!d->job)
		return;
	pthread_mutex_lock(&flusher.mutex);
	while (flusher.busy)
		pthread_cond_wait(&flusher.wake, &flusher.mutex);
	pthread_mutex_unlock(&flusher.mutex);
	/* Its effects are left to the next daemon, which finds them in the journal. */
	job_free(d->job);
	d->job = NULL;
}
