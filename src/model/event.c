#include "model/event.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[EV_COUNT] = {
    [EV_EXECUTION_ACCEPTED] = "execution.accepted",
    [EV_PLAN_REJECTED] = "plan.rejected",
    [EV_EXECUTION_STARTED] = "execution.started",
    [EV_ACTION_REQUESTED] = "action.execute.requested",
    [EV_ACTION_COMPLETED] = "action.completed",
    [EV_ACTION_FAILED] = "action.failed",
    [EV_ACTION_SKIPPED] = "action.skipped",
    [EV_ACTION_RETRY_SCHEDULED] = "action.retry.scheduled",
    [EV_ACTION_REARMED] = "action.rearmed",
    [EV_ACTION_ADOPTED] = "action.adopted",
    [EV_ACTION_LOST] = "action.lost",
    [EV_CONFIRMATION_REQUESTED] = "user.confirmation.requested",
    [EV_CONFIRMATION_RECEIVED] = "user.confirmation.received",
    [EV_EXECUTION_PAUSED] = "execution.paused",
    [EV_EXECUTION_RESUMED] = "execution.resumed",
    [EV_CANCEL_REQUESTED] = "execution.cancel.requested",
    [EV_OUTCOME_VALIDATED] = "outcome.validated",
    [EV_EXECUTION_COMPLETED] = "execution.completed",
    [EV_EXECUTION_FAILED] = "execution.failed",
    [EV_EXECUTION_CANCELLED] = "execution.cancelled",
    [EV_EXECUTION_REOPENED] = "execution.reopened",
    [EV_EXECUTION_QUARANTINED] = "execution.quarantined",
    [EV_EXECUTION_REMOVED] = "execution.removed",
    [EV_EXECUTION_IMPORTED] = "execution.imported",
};

const char *event_name(enum event_type t)
{
	return names[t];
}

int event_parse(const char *name)
{
	int i;

	for (i = 0; i < EV_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

size_t events_count(const struct events *e, enum event_type t)
{
	size_t k, n = 0;

	for (k = 0; k < e->n; k++)
		n += e->v[k].type == t;
	return n;
}

void events_clear(struct events *e)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		json_decref(e->v[i].data);
	e->n = 0;
}

void events_free(struct events *e)
{
	events_clear(e);
	free(e->v);
	*e = (struct events)EVENTS_INIT;
}
