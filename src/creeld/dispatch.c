/*
 * dispatch.c - committed attempts get supervisors as slots become free; executions take turns.
 */
#include "creeld/daemon.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/error.h"

enum { RETRY_MS = 1000 };

static void cannot_be_made(struct daemon *d, struct live *l, uint32_t i, const char *why)
{
	struct input *in = live_input(d, l, INPUT_RESULT, i);
	msec now = clock_wall();

	in->attempt = l->exec->a[i].attempt;
	in->report.error = error_new(ERROR_VALIDATION_FAILED, false, "the attempt cannot be made: %s", why);
	in->report.result = (struct attempt_result){
	    .outcome = ATTEMPT_FAILED, .started = now, .finished = now, .error = in->report.error};
}

/* The next attempt of l; false if the machine cannot start one now. */
static bool start_next(struct daemon *d, struct live *l)
{
	uint32_t i = l->queued.v[l->queued_at];
	struct err e = {0};

	if (l->exec->a[i].phase == PH_RUNNING && child_start(d, l, i, &e) < 0) {
		if (e.code == EBADMSG) {
			cannot_be_made(d, l, i, e.text);
		} else {
			log_error("cannot start a supervisor: %s; trying again in 1 s", e.text);
			d->dispatch_retry = clock_mono() + RETRY_MS;
			return false;
		}
	}
	l->queued_at++;
	if (l->queued_at == l->queued.n)
		l->queued_at = l->queued.n = 0;
	return true;
}

void dispatch(struct daemon *d)
{
	if (d->dispatch_retry && clock_mono() < d->dispatch_retry)
		return;
	d->dispatch_retry = 0;
	while (d->running.n < d->config.max_concurrency && d->queue.n > 0) {
		struct live *l = d->lives.v[d->queue.v[0]];

		memmove(d->queue.v, d->queue.v + 1, (d->queue.n - 1) * sizeof *d->queue.v);
		d->queue.n--;
		l->queuing = false;
		if (l->queued_at < l->queued.n && !start_next(d, l)) {
			l->queuing = true;
			vec_push(&d->queue, l->slot);
			return;
		}
		if (l->queued_at < l->queued.n) {
			l->queuing = true;
			vec_push(&d->queue, l->slot);
		}
	}
}
