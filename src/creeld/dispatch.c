/*
 * dispatch.c - committed attempts get supervisors as slots become free; executions take turns.
 *
 * An attempt whose breaker opened after it was committed to stays in the queue, and others pass it; or it fails here,
 * if the plan wants that.
 */
#include "creeld/breakers.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "creeld/apis.h"
#include "creeld/spares.h"
#include "model/error.h"

enum { RETRY_MS = 1000 };

/* The attempt ends without having run.  error is taken over. */
static void refuse(struct daemon *d, struct live *l, uint32_t i, json_t *error)
{
	struct input *in = live_input(d, l, INPUT_RESULT, i);
	msec now = clock_wall();

	in->attempt = l->exec->a[i].attempt;
	in->report.error = error;
	in->report.result = (struct attempt_result){
	    .outcome = ATTEMPT_FAILED, .started = now, .finished = now, .error = in->report.error};
}

/* Somebody has to be asked again: the attempt goes back to where that is done. */
static void unstarted(struct daemon *d, struct live *l, uint32_t i, const char *why)
{
	struct input *in = live_input(d, l, INPUT_UNSTARTED, i);

	in->attempt = l->exec->a[i].attempt;
	in->reason = xstrdup(why);
}

static json_t *no_credentials(const char *why)
{
	json_t *error = error_new(ERROR_AUTH_INVALID, false, "the request cannot prove who sends it: %s", why);

	error_set_code(error, "credentials");
	error_set_suggestion(error, "set what the definition names under authentication, and retry");
	return error;
}

bool dispatch_may(struct daemon *d, const struct live *l, uint32_t i, msec now)
{
	return !breakers_unsettled(d, l->exec, i) && !breakers_hold(d, l->exec, i, now) &&
	       !apis_unsettled(d, l->exec, i) && !apis_hold(d, l->exec, i, now);
}

/* Put the first attempt of l that need not wait for a breaker first; false if there is none. */
static bool choose(struct daemon *d, struct live *l, msec now)
{
	size_t k;
	uint32_t i;

	for (k = l->queued_at; k < l->queued.n; k++) {
		i = l->queued.v[k];
		if (l->exec->a[i].phase == PH_RUNNING &&
		    (breakers_unsettled(d, l->exec, i) || apis_unsettled(d, l->exec, i) || apis_hold(d, l->exec, i, now) ||
		     (!l->plan->actions[i].breaker_fails && breakers_hold(d, l->exec, i, now))))
			continue;
		memmove(l->queued.v + l->queued_at + 1, l->queued.v + l->queued_at,
			(k - l->queued_at) * sizeof *l->queued.v);
		l->queued.v[l->queued_at] = i;
		return true;
	}
	return false;
}

static bool hand_out(struct daemon *d, struct live *l, uint32_t i, msec now)
{
	struct err e = {0};

	if (breakers_hold(d, l->exec, i, now)) {
		refuse(d, l, i, breakers_refusal(d, l->exec, i));
		return true;
	}
	if (child_start(d, l, i, &e) == 0) {
		breakers_started(d, l->exec, i, now);
		spares_expect(d, l);
		return true;
	}
	if (e.code == EBADMSG) {
		refuse(d, l, i, error_new(ERROR_VALIDATION_FAILED, false, "the attempt cannot be made: %s", e.text));
		return true;
	}
	if (e.code == EKEYREJECTED) {
		refuse(d, l, i, no_credentials(e.text));
		return true;
	}
	if (e.code == ENOKEY || e.code == ENODATA) { /* outputs that it needs: what becomes of that is decided at its start */
		unstarted(d, l, i, e.text);
		return true;
	}
	log_error("cannot start a supervisor: %s; trying again in 1 s", e.text);
	d->dispatch_retry = clock_mono() + RETRY_MS;
	return false;
}

/* The next attempt of l; false if the machine cannot start one now. */
static bool start_next(struct daemon *d, struct live *l, msec now)
{
	uint32_t i = l->queued.v[l->queued_at];

	if (l->exec->a[i].phase == PH_RUNNING && !hand_out(d, l, i, now))
		return false;
	l->queued_at++;
	if (l->queued_at == l->queued.n)
		l->queued_at = l->queued.n = 0;
	return true;
}

void dispatch(struct daemon *d)
{
	msec now = clock_wall();
	size_t passed = 0;

	if (d->problem[0]) /* a supervisor could not write either: what it runs would fail for nothing */
		return;
	if (d->dispatch_retry && clock_mono() < d->dispatch_retry)
		return;
	d->dispatch_retry = 0;
	/* Until a whole round found nobody who may start. */
	while (d->running.n + d->ready_children.n < d->config.max_concurrency && passed < d->queue.n) {
		struct live *l = d->lives.v[d->queue.v[0]];

		memmove(d->queue.v, d->queue.v + 1, (d->queue.n - 1) * sizeof *d->queue.v);
		d->queue.n--;
		l->queuing = false;
		if (l->queued_at < l->queued.n && !choose(d, l, now)) {
			passed++;
		} else if (l->queued_at < l->queued.n) {
			passed = 0;
			if (!start_next(d, l, now)) {
				l->queuing = true;
				vec_push(&d->queue, l->slot);
				return;
			}
		}
		if (l->queued_at < l->queued.n) {
			l->queuing = true;
			vec_push(&d->queue, l->slot);
		}
	}
}
