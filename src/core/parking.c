#include "core/parking.h"

#include <string.h>

static const char *const names[PARK_STATES] = {
    [PARK_OPEN] = "open",
    [PARK_PARKED] = "parked",
    [PARK_PROBING] = "probing",
};

const char *park_state_name(enum park_state s)
{
	return names[s];
}

int park_state_parse(const char *name)
{
	int s;

	for (s = 0; s < PARK_STATES; s++)
		if (strcmp(names[s], name) == 0)
			return s;
	return -1;
}

static msec at_most(msec a, msec b)
{
	return a < b ? a : b;
}

/* By the strategy alone, the n-th time in a row. */
static msec backoff(const struct park_rule *rule, uint32_t n)
{
	msec wait = rule->initial;

	switch (rule->type) {
	case PARK_EXPONENTIAL:
		for (; n > 1 && wait < rule->most; n--)
			wait *= 2;
		break;
	case PARK_LINEAR:
		wait = n > 0 && rule->initial > rule->most / n ? rule->most : rule->initial * (n ? n : 1);
		break;
	case PARK_RESPECT_RESET:
	case PARK_TYPES:
		break;
	}
	return at_most(wait, rule->most);
}

static msec until(const struct park_rule *rule, uint32_t n, msec reset, msec now)
{
	msec own = now + backoff(rule, n), asked = reset > now ? at_most(reset, now + rule->most) : 0;

	if (rule->type == PARK_RESPECT_RESET && asked)
		return asked;
	return asked > own ? asked : own;
}

static void park(struct parking *p, const struct park_rule *rule, msec reset, msec now)
{
	p->state = PARK_PARKED;
	p->times += p->times < UINT32_MAX;
	p->since = now;
	p->until = until(rule, p->times, reset, now);
}

/* From what was sent before it was parked. */
static bool extend(struct parking *p, const struct park_rule *rule, msec reset, msec now)
{
	msec later = until(rule, p->times, reset, now);

	if (later <= p->until)
		return false;
	p->until = later;
	return true;
}

bool parking_step(struct parking *p, const struct park_rule *rule, enum park_event event, msec reset, msec now)
{
	if (event == PARK_LIMITED && p->state == PARK_PARKED)
		return extend(p, rule, reset, now);
	if (event == PARK_LIMITED && p->state == PARK_OPEN) {
		park(p, rule, reset, now);
		return true;
	}
	if (event == PARK_PROBE && parking_due(p, now)) {
		p->state = PARK_PROBING;
		return true;
	}
	if (p->state != PARK_PROBING)
		return false;
	switch (event) {
	case PARK_PROBE_PASSED:
		*p = (struct parking){.state = PARK_OPEN};
		return true;
	case PARK_PROBE_LIMITED:
		park(p, rule, reset, now);
		return true;
	case PARK_PROBE_GONE:
		p->state = PARK_PARKED;
		p->until = now;
		return true;
	default:
		return false;
	}
}

bool parking_due(const struct parking *p, msec now)
{
	return p->state == PARK_PARKED && (now >= p->until || now < p->since);
}

bool parking_holds(const struct parking *p, msec now)
{
	return p->state == PARK_PROBING || (p->state == PARK_PARKED && !parking_due(p, now));
}
