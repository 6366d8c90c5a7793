/*
 * perform.c - what a durable commit allows: attempts start and end; and then executions are let go.
 */
#include "creeld/perform.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "creeld/spares.h"
#include "creeld/subexec.h"

void perform_start(struct daemon *d, struct live *l, uint32_t action)
{
	vec_push(&l->queued, action);
	if (!l->queuing) {
		l->queuing = true;
		vec_push(&d->queue, l->slot);
	}
}

/* A stopping execution starts nothing of what was committed ahead; what runs is ended if it must be. */
static void stop_attempts(struct daemon *d, struct live *l)
{
	size_t k, to = l->queued_at;

	for (k = l->queued_at; k < l->queued.n; k++) {
		uint32_t i = l->queued.v[k];

		if (i == l->exec->compensating) {
			l->queued.v[to++] = i;
			continue;
		}
		live_input(d, l, INPUT_WITHDRAWN, i)->attempt = l->exec->a[i].attempt;
	}
	l->queued.n = to;
	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].live == l && core_must_end(l->exec, d->running.v[k].action))
			child_end(d, &d->running.v[k]);
}

static void perform_events(struct daemon *d, struct live *l, const struct events *events)
{
	size_t k;

	for (k = 0; k < events->n; k++) {
		uint32_t i = events->v[k].action;

		if (events->v[k].type == EV_ACTION_REQUESTED && l->exec->a[i].phase == PH_RUNNING &&
		    !l->plan->actions[i].no_supervisor && !ready_started(d, l, i))
			perform_start(d, l, i);
		if (events->v[k].type == EV_ACTION_REQUESTED && l->exec->a[i].phase == PH_RUNNING && l->exec->a[i].child)
			subexec_start(d, l, i);
	}
	if (exec_stopping(l->exec))
		stop_attempts(d, l);
	subexec_follow(d, l);
}

static void let_go(struct daemon *d, struct live *l)
{
	enum { MANY = 200 }; /* actions, whose memory is worth giving back */
	bool large = l->plan->n >= MANY;

	/* What a part came to is its parent's to judge. */
	if (!subexec_ended(d, l) && l->exec->outcome != OUTCOME_COMPLETED)
		d->any_failed = true;
	log_info("execution %s \"%s\" %s", l->exec->id, l->plan->name, exec_status(l->exec));
	live_remove(d, l);
	if (large)
		malloc_trim(0);
}

/* A flush of the whole file system takes the lines of all earlier jobs with it; the one at an end its own, too. */
static void note_told(struct daemon *d, const struct flush_job *j)
{
	size_t k;

	d->jobs++;
	if (j->wide)
		d->told_on_disk = d->jobs;
	for (k = 0; k < j->states.n; k++)
		if (j->states.v[k].final)
			d->told_on_disk = d->jobs + 1;
	for (k = 0; k < j->admissions.n; k++) {
		j->admissions.v[k].live->events_seq = 1;
		j->admissions.v[k].live->told_in = d->jobs;
	}
	for (k = 0; k < j->commits.n; k++) {
		j->commits.v[k].live->events_seq = j->commits.v[k].seq;
		j->commits.v[k].live->told_in = d->jobs;
	}
}

void perform(struct daemon *d, struct flush_job *j)
{
	size_t k;

	if (j->performed)
		return;
	j->performed = true;
	for (k = 0; k < j->admissions.n; k++)
		perform_events(d, j->admissions.v[k].live, &j->admissions.v[k].events);
	for (k = 0; k < j->commits.n; k++)
		perform_events(d, j->commits.v[k].live, &j->commits.v[k].events);
}

void perform_ends(struct daemon *d, const struct flush_job *j)
{
	VEC(struct live *) over = {0};
	size_t k;

	note_told(d, j);
	for (k = 0; k < j->states.n; k++)
		if (j->states.v[k].final)
			vec_push(&over, j->states.v[k].live);
	for (k = 0; k < over.n; k++)
		let_go(d, over.v[k]);
	vec_free(&over);
}
