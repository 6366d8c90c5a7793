#include "core/breaker.h"

#include <string.h>

static const char *const names[BREAKER_STATES] = {
    [BREAKER_CLOSED] = "closed",
    [BREAKER_OPEN] = "open",
    [BREAKER_HALF_OPEN] = "half_open",
};

const char *breaker_state_name(enum breaker_state s)
{
	return names[s];
}

int breaker_state_parse(const char *name)
{
	int s;

	for (s = 0; s < BREAKER_STATES; s++)
		if (strcmp(names[s], name) == 0)
			return s;
	return -1;
}

static void open_until(struct breaker *b, msec now, msec wait)
{
	b->state = BREAKER_OPEN;
	b->nfailed = 0;
	b->opened_at = now;
	b->probe_at = now + wait;
}

/* Forget failures outside the window; those of the future are from a clock that was set back. */
static void forget(struct breaker *b, msec window, msec now)
{
	uint32_t from, to = 0;

	for (from = 0; from < b->nfailed; from++)
		if (b->failed[from] > now - window && b->failed[from] <= now)
			b->failed[to++] = b->failed[from];
	b->nfailed = to;
}

static bool step_closed(struct breaker *b, const struct breaker_rule *rule, enum breaker_event event, msec now)
{
	bool had = b->nfailed > 0;

	if (event == BREAKER_SUCCESS) {
		b->nfailed = 0;
		return had;
	}
	if (event != BREAKER_FAILURE)
		return false;
	forget(b, rule->window, now);
	if (b->nfailed + 1 >= rule->failures || b->nfailed + 1 >= BREAKER_FAILURES_MAX)
		open_until(b, now, rule->open);
	else
		b->failed[b->nfailed++] = now;
	return true;
}

static bool step_half_open(struct breaker *b, const struct breaker_rule *rule, enum breaker_event event, msec now)
{
	switch (event) {
	case BREAKER_PROBE_SUCCESS:
		*b = (struct breaker){.state = BREAKER_CLOSED};
		return true;
	case BREAKER_PROBE_FAILURE:
		open_until(b, now, rule->open);
		return true;
	case BREAKER_PROBE_GONE:
		b->state = BREAKER_OPEN;
		b->probe_at = now;
		return true;
	default:
		return false;
	}
}

bool breaker_step(struct breaker *b, const struct breaker_rule *rule, enum breaker_event event, msec now)
{
	switch (b->state) {
	case BREAKER_CLOSED:
		return step_closed(b, rule, event, now);
	case BREAKER_OPEN:
		if (event != BREAKER_PROBE || !breaker_due(b, now))
			return false;
		b->state = BREAKER_HALF_OPEN;
		return true;
	case BREAKER_HALF_OPEN:
		return step_half_open(b, rule, event, now);
	case BREAKER_STATES:
		break;
	}
	return false;
}

bool breaker_due(const struct breaker *b, msec now)
{
	return b->state == BREAKER_OPEN && (now >= b->probe_at || now < b->opened_at);
}

bool breaker_holds(const struct breaker *b, msec now)
{
	return b->state == BREAKER_HALF_OPEN || (b->state == BREAKER_OPEN && !breaker_due(b, now));
}
