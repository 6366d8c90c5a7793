/*
 * unread.c - outputs that stand in a file only and could not be read when somebody asked for them.
 *
 *   not now (no descriptors, the device fails)   who asks waits, and asks again after a while
 *   they are being made again                    who asks waits until that is settled
 *   larger than what is loaded                   who asks fails
 *   gone, or others than the journal speaks of   their attempt is lost: what onLost says, and who asks waits
 */
#include <errno.h>

#include "base/mem.h"
#include "core/context.h"
#include "core/decide_impl.h"
#include "model/error.h"

enum { AGAIN_FIRST_MS = 1000, AGAIN_MOST_MS = 60 * 1000, GIVE_UP_MS = 60 * 1000 };

/* ---- waiting ---- */

/* At least as long again as it has gone on, within bounds. */
static msec again_at(struct exec *x, msec now)
{
	msec so_far;

	if (!x->unread_since)
		x->unread_since = now;
	so_far = now - x->unread_since;
	return now + (so_far < AGAIN_FIRST_MS ? AGAIN_FIRST_MS : so_far < AGAIN_MOST_MS ? so_far : AGAIN_MOST_MS);
}

/* at: when to ask again; 0: when what is made again has settled. */
static void wait_for(struct exec *x, uint32_t i, msec at)
{
	struct unread_wait w = {i, at};
	size_t k;

	/* Then it counts as nothing that could run now.  Instances and compensations have no conditions to go back to. */
	if (i != NO_ACTION && x->a[i].phase == PH_READY && x->plan->actions[i].instance_of == NO_ACTION &&
	    i != x->compensating)
		exec_set_phase(x, i, PH_BLOCKED);
	for (k = 0; k < x->unread_waits.n; k++)
		if (x->unread_waits.v[k].action == i) {
			x->unread_waits.v[k] = w;
			return;
		}
	vec_push(&x->unread_waits, w);
}

static void ask_again(struct exec *x, uint32_t i)
{
	if (i == NO_ACTION)
		return; /* the end of the execution is looked at in every turn */
	if (x->a[i].phase == PH_READY)
		heap_push(&x->ready, exec_rank(x, i), i);
	else
		vec_push(&x->work, i);
}

void unread_again(struct exec *x, struct turn *t)
{
	size_t from, to = 0;

	for (from = 0; from < x->unread_waits.n; from++) {
		struct unread_wait w = x->unread_waits.v[from];

		if (w.at ? w.at <= t->now : x->made_again)
			ask_again(x, w.action);
		else
			x->unread_waits.v[to++] = w;
	}
	x->unread_waits.n = to;
	x->made_again = false;
}

bool unread_is_waited_for(const struct exec *x)
{
	size_t k;

	for (k = 0; k < x->unread_waits.n; k++) {
		uint32_t i = x->unread_waits.v[k].action;

		if (i == NO_ACTION || x->a[i].phase == PH_BLOCKED)
			return true;
	}
	return false;
}

msec unread_deadline(const struct exec *x)
{
	msec first = 0;
	size_t k;

	for (k = 0; k < x->unread_waits.n; k++)
		if (x->unread_waits.v[k].at && (!first || x->unread_waits.v[k].at < first))
			first = x->unread_waits.v[k].at;
	return first;
}

void unread_clock_back(struct exec *x, msec now)
{
	size_t k;

	if (x->unread_since > now)
		x->unread_since = now;
	for (k = 0; k < x->unread_waits.n; k++)
		if (x->unread_waits.v[k].at > now + AGAIN_MOST_MS)
			x->unread_waits.v[k].at = now + AGAIN_MOST_MS;
}

/* ---- lost ---- */

static json_t *lost_error(const struct exec *x, uint32_t of)
{
	json_t *error = error_new(ERROR_STATE_INCONSISTENT, false, "the outputs of \"%s\" are lost: %s",
				  x->plan->actions[of].id, x->why_unread.text);

	error_set_code(error, "output_lost");
	error_set_suggestion(error, "put the file back from a copy and retry, or let the action be done again");
	return error;
}

/* An action for which this alternative stands in, or NO_ACTION. */
static uint32_t stands_in_for(const struct exec *x, uint32_t alternative)
{
	const struct action *pa = &x->plan->actions[alternative];
	uint32_t k;

	for (k = 0; k < pa->nprimaries; k++)
		if (x->a[pa->primaries[k]].settled && x->a[pa->primaries[k]].stand_in == STAND_IN_ALTERNATIVE)
			return pa->primaries[k];
	return NO_ACTION;
}

/* An alternative runs only when called for: the action that it stands in for is done again, and may call for it.
 * What has settled behind them stays as it is.  The action that everything begins with. */
static uint32_t put_back(struct exec *x, struct turn *t, uint32_t of)
{
	uint32_t i = of, first, above;

	while ((above = stands_in_for(x, i)) != NO_ACTION)
		i = above;
	for (first = i; i != NO_ACTION && x->a[i].settled; i = x->plan->actions[i].alternative)
		rearm_one(x, t, i, REARM_OUTPUT_LOST, NULL, NULL);
	return first;
}

static void ask_what_now(struct exec *x, struct turn *t, uint32_t i, json_t *error)
{
	AUTO_FREE char *title = xasprintf("the outputs of %s were lost", x->plan->actions[i].id);
	json_t *data = json_object();

	json_object_set(data, "error", error);
	json_object_set_new(data, "then", json_string("ask"));
	emit(x, t, EV_ACTION_FAILED, i, x->a[i].attempt, data);
	ask_person(x, t, i, "lost", title, json_string_value(json_object_get(error, "message")), 0);
}

static void lost(struct exec *x, struct turn *t, uint32_t i, uint32_t of)
{
	enum on_lost then = x->plan->actions[of].on_lost;
	json_t *error = lost_error(x, of), *data;
	uint32_t first;

	/* Nothing is done again while the execution stops: a compensation cannot have what it needs. */
	if (exec_stopping(x) && i != NO_ACTION) {
		fail_action(x, t, i, error, NULL, false);
		return;
	}
	if (then == ON_LOST_RERUN && x->a[of].lost >= LOST_RERUNS_MAX)
		then = ON_LOST_FAIL;
	data = json_object();
	json_object_set_new(data, "reason", json_sprintf("its outputs are lost: %s", x->why_unread.text));
	json_object_set(data, "error", error);
	json_object_set_new(data, "then",
			    json_string(then == ON_LOST_RERUN ? "rerun" : then == ON_LOST_ASK ? "ask" : "fail"));
	emit(x, t, EV_ACTION_LOST, of, x->a[of].attempt, data);
	first = put_back(x, t, of);
	if (i != NO_ACTION)
		wait_for(x, i, 0);
	if (then == ON_LOST_ASK)
		ask_what_now(x, t, first, error);
	if (then == ON_LOST_FAIL)
		fail_action(x, t, first, error, NULL, false);
	else
		json_decref(error);
}

static json_t *too_large(const struct exec *x, uint32_t of)
{
	json_t *error = error_new(ERROR_VALIDATION_FAILED, false, "the outputs of \"%s\" cannot be loaded: %s",
				  x->plan->actions[of].id, x->why_unread.text);

	error_set_code(error, "output_too_large");
	error_set_suggestion(error, "raise output_cap, or let it leave a file and put out its path");
	return error;
}

/* A device that does not give them back for so long will not. */
static bool is_beyond_reading(const struct exec *x, msec now)
{
	return x->why_unread.code == EIO && x->unread_since && now - x->unread_since >= GIVE_UP_MS;
}

bool unread_is_lost(int code)
{
	return code == ENOENT || code == ENODATA || code == ENOTDIR || code == ELOOP || code == EBADMSG;
}

bool unread_stops(struct exec *x, struct turn *t, uint32_t i)
{
	uint32_t of = x->unread;

	if (of == NO_ACTION)
		return false;
	x->unread = NO_ACTION;
	if (exec_made_again(x, of)) {
		wait_for(x, i, 0);
	} else if (x->why_unread.code == E2BIG) {
		if (i == NO_ACTION)
			return false; /* an expected outcome: what cannot be looked at does not hold */
		fail_action(x, t, i, too_large(x, of), NULL, false);
	} else if (!unread_is_lost(x->why_unread.code) && !is_beyond_reading(x, t->now)) {
		wait_for(x, i, again_at(x, t->now));
	} else {
		x->unread_since = 0;
		lost(x, t, i, of);
	}
	return true;
}
