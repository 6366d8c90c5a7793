/*
 * decide.c - attempts: how they start, how they end, and what a failure does.
 */
#include "core/decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/context.h"
#include "core/decide_impl.h"
#include "model/error.h"

void emit(struct exec *x, struct turn *t, enum event_type type, uint32_t action, uint32_t attempt, json_t *data)
{
	struct event ev = {type, action, attempt, t->now, data};
	struct err e;

	vec_push(t->out, ev);
	if (exec_apply(x, &ev, &e) < 0) {
		fprintf(stderr, "creel: bug: the core decided what cannot be: %s\n", e.text);
		abort();
	}
}

/* splitmix64: small, and good enough for jitter and tokens that only have to differ. */
uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

json_t *time_json(msec wall)
{
	char text[CLOCK_TEXT];

	clock_format(wall, text);
	return json_string(text);
}

msec core_backoff(const struct retry_policy *p, uint32_t failures, uint64_t *random)
{
	double delay = (double)p->initial_delay;
	uint32_t i;

	for (i = 1; i < failures && delay < (double)p->max_delay; i++)
		delay *= p->multiplier;
	if (delay > (double)p->max_delay)
		delay = (double)p->max_delay;
	if (p->jitter && delay >= 1)
		delay = (double)(next_random(random) % ((uint64_t)delay + 1));
	return (msec)delay;
}

void core_begin(struct exec *x, struct turn *t, json_t *accepted)
{
	emit(x, t, EV_EXECUTION_ACCEPTED, NO_ACTION, 0, accepted);
	emit(x, t, EV_EXECUTION_STARTED, NO_ACTION, 0, NULL);
}

/* An API may say of an error how the waits after it grow (errorMappings). */
static msec backoff_after(const struct retry_policy *p, uint32_t failures, const json_t *error, uint64_t *random)
{
	const char *strategy = json_string_value(json_object_get(json_object_get(error, "context"), "backoffStrategy"));
	struct retry_policy own = *p;

	if (strategy && strcmp(strategy, "exponential") == 0 && own.multiplier < 2)
		own.multiplier = 2;
	if (strategy && strcmp(strategy, "linear") == 0) {
		own.initial_delay *= failures;
		own.multiplier = 1;
	}
	return core_backoff(&own, failures, random);
}

/* What a server demands is not capped by the policy's longest wait, but by the operator's. */
static msec wait_for_server(const struct turn *t, msec not_before, msec otherwise)
{
	msec most = t->now + t->retry_after_most;

	if (!t->retry_after_most || not_before <= most)
		return not_before;
	return most > otherwise ? most : otherwise;
}

/* When may it be tried again: the time, or 0 if it may not. */
static msec retry_time(struct exec *x, struct turn *t, uint32_t i, const json_t *error, const json_t *more)
{
	const struct action *pa = &x->plan->actions[i];
	const struct action_state *a = &x->a[i];
	const char *after = json_string_value(json_object_get(error, "retryAfter"));
	/* EX_TEMPFAIL says so whatever the action's own error says. */
	bool temporary = json_integer_value(json_object_get(more, "exitCode")) == 75;
	msec when, not_before;

	/* Undoing goes on after a stop; nothing else is tried again then. */
	if ((exec_stopping(x) && i != x->compensating) || a->budget_used >= (uint32_t)pa->retry.max_attempts)
		return 0;
	if (!temporary && (!(pa->retry.categories & (1u << error_category_of(error))) ||
			   json_is_false(json_object_get(error, "retryable"))))
		return 0;
	when = t->now + backoff_after(&pa->retry, a->budget_used, error, &t->random);
	if (after && clock_parse(after, &not_before) && not_before > when)
		when = wait_for_server(t, not_before, when);
	if (pa->total_timeout && when >= a->first_started + pa->total_timeout)
		return 0;
	if (x->plan->timeout && when >= x->timed_from + x->plan->timeout)
		return 0;
	return when;
}

static bool can_call_alternative(const struct exec *x, uint32_t i)
{
	uint32_t alternative = x->plan->actions[i].alternative;

	return alternative != NO_ACTION && !exec_stopping(x) && x->a[i].stand_in == STAND_IN_NONE;
}

static const char *failure_step(struct exec *x, uint32_t i)
{
	if (x->plan->actions[i].on_failure == ON_FAILURE_ASK && !exec_stopping(x) && x->a[i].phase != PH_ASKING)
		return "ask";
	if (can_call_alternative(x, i))
		return "alternative";
	return exec_failure_step(x, i);
}

void fail_action(struct exec *x, struct turn *t, uint32_t i, json_t *error, json_t *more, bool retry)
{
	const struct action *pa = &x->plan->actions[i];
	json_t *data = more ? more : json_object();
	msec when = retry ? retry_time(x, t, i, error, more) : 0;
	const char *then = when ? "retry" : failure_step(x, i);
	AUTO_FREE char *message = xstrdup(json_string_value(json_object_get(error, "message")));
	uint32_t attempt = x->a[i].attempt;

	json_object_set_new(data, "error", error);
	json_object_set_new(data, "then", json_string(then));
	if (strcmp(then, "fallback") == 0 || (strcmp(then, "alternative") == 0 && pa->fallback))
		json_object_set_new(data, "fallback", json_loads(pa->fallback, 0, NULL));
	emit(x, t, EV_ACTION_FAILED, i, attempt, data);
	if (when) {
		data = json_object();
		json_object_set_new(data, "nextAttempt", json_integer(attempt + 1));
		json_object_set_new(data, "delayMs", json_integer(when - t->now));
		json_object_set_new(data, "notBefore", time_json(when));
		emit(x, t, EV_ACTION_RETRY_SCHEDULED, i, attempt, data);
	} else if (strcmp(then, "ask") == 0) {
		AUTO_FREE char *title = xasprintf("%s failed", pa->id);

		ask_person(x, t, i, "failed", title, message, 0);
	}
}

void skip_action(struct exec *x, struct turn *t, uint32_t i, const char *cause, const char *fmt, ...)
{
	AUTO_BUF struct buf reason = BUF_INIT;
	json_t *data = json_object();
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&reason, fmt, ap);
	va_end(ap);
	json_object_set_new(data, "reason", json_string(buf_str(&reason)));
	json_object_set_new(data, "cause", json_string(cause));
	emit(x, t, EV_ACTION_SKIPPED, i, x->a[i].attempt, data);
}

/* Nobody knows whether it had its effect.  Where it must not have it twice, it is not tried again. */
static json_t *unknown_outcome(const struct exec *x, uint32_t i, json_t *error)
{
	if (!x->plan->actions[i].unsafe)
		return error;
	json_object_set_new(error, "retryable", json_false());
	error_set_context(error, "outcome", "unknown");
	error_set_suggestion(error, "find out whether the request had its effect before it is sent again");
	return error;
}

static json_t *exit_error(const struct attempt_result *r)
{
	char code[32];
	json_t *error;

	snprintf(code, sizeof code, "exit:%d", r->status);
	error = error_new(ERROR_API_UNEXPECTED_STATUS, true, "exited with status %d%s", r->status,
			  r->status == 75    ? " (temporary failure)"
			  : r->status == 126 ? " (a shell found a command that it could not execute)"
			  : r->status == 127 ? " (a shell did not find a command)"
					     : "");
	error_set_code(error, code);
	return error;
}

/* The error of an attempt that did not succeed; NULL if it did. */
static json_t *attempt_error(const struct exec *x, uint32_t i, const struct attempt_result *r)
{
	char code[32];
	json_t *error;

	if (r->error && !(r->outcome == ATTEMPT_TERMINATED || r->outcome == ATTEMPT_TIMEOUT))
		return json_incref(r->error);
	switch (r->outcome) {
	case ATTEMPT_EXITED:
		return r->status == 0 ? NULL : unknown_outcome(x, i, exit_error(r));
	case ATTEMPT_SIGNALLED:
		snprintf(code, sizeof code, "signal:%d", r->status);
		error = error_new(ERROR_API_UNEXPECTED_STATUS, true, "ended by signal %d (%s)", r->status,
				  strsignal(r->status));
		error_set_code(error, code);
		return unknown_outcome(x, i, error);
	case ATTEMPT_TIMEOUT:
		error = error_new(ERROR_NETWORK_TIMEOUT, true, "did not finish within %lld ms and was ended",
				  (long long)x->plan->actions[i].timeout);
		error_set_code(error, "timeout");
		error_set_suggestion(error, "give it a longer timeoutMs, or find out what it waited for");
		return unknown_outcome(x, i, error);
	case ATTEMPT_TERMINATED:
		error = error_new(ERROR_USER_CANCELLED, false, "ended on request%s%s", r->reason ? ": " : "",
				  r->reason ? r->reason : "");
		error_set_code(error, "cancelled");
		return error;
	case ATTEMPT_NOT_EXECUTABLE:
		error = error_new(ERROR_VALIDATION_FAILED, false, "%s",
				  r->reason ? r->reason : "the program cannot be executed");
		error_set_code(error, "not_executable");
		error_set_suggestion(error, "check the command, its permissions, PATH and cwd as the daemon's user sees them");
		return error;
	case ATTEMPT_RETURNED:
		return NULL;
	case ATTEMPT_FAILED:
	case ATTEMPT_WITHDRAWN:
		break;
	}
	error = error_new(ERROR_STATE_INCONSISTENT, true, "the attempt could not be supervised: %s",
			  r->reason ? r->reason : "no reason was given");
	error_set_code(error, "supervisor");
	return error;
}

/* An expected loop goes round again, or has gone round too often: decided before its completion is recorded, with
 * the outputs already visible to the expression. */
static int loop_ends(struct exec *x, uint32_t i, json_t *data, json_t **error)
{
	const struct loop *loop = x->plan->actions[i].loop;
	struct action_state *a = &x->a[i];
	uint8_t phase = a->phase;
	json_t *record = a->record;
	int done;

	a->phase = PH_COMPLETED;
	a->record = data;
	done = context_condition(x, loop->until, error);
	a->phase = phase;
	a->record = record;
	if (done >= 0 && x->unread != NO_ACTION) {
		*error = error_new(ERROR_STATE_INCONSISTENT, false, "the loop's condition needs the outputs of \"%s\": %s",
				   x->plan->actions[x->unread].id, x->why_unread.text);
		error_set_code(*error, "loop");
		return -1;
	}
	if (done == 0 && a->iteration + 1 >= (uint32_t)loop->max_iterations) {
		*error = error_new(ERROR_VALIDATION_FAILED, false, "the loop did not reach \"%s\" in %d iterations",
				   loop->until, loop->max_iterations);
		error_set_code(*error, "loop");
		return -1;
	}
	return done;
}

/* An action that promised an output and left none has not done its work. */
static json_t *broken_promise(const struct exec *x, uint32_t i, const json_t *output)
{
	const struct action *pa = &x->plan->actions[i];
	json_t *error;
	size_t k;

	for (k = 0; k < pa->nprovides; k++) {
		if (json_object_get(output, pa->provides[k]))
			continue;
		error = error_new(ERROR_VALIDATION_FAILED, false, "it provides \"%s\", and its outputs have none",
				  pa->provides[k]);
		error_set_code(error, "not_provided");
		error_set_suggestion(error, "write the value to $CREEL_OUTPUT, or take the name out of provides:");
		return error;
	}
	return NULL;
}

static void complete(struct exec *x, struct turn *t, uint32_t i, json_t *data)
{
	const struct loop *loop = x->plan->actions[i].loop;
	json_t *error = NULL;
	int ends = 1;

	if (loop && !exec_stopping(x))
		ends = loop_ends(x, i, data, &error);
	if (ends < 0) {
		fail_action(x, t, i, error, data, false);
		return;
	}
	emit(x, t, EV_ACTION_COMPLETED, i, x->a[i].attempt, data);
	if (ends == 0)
		rearm(x, t, loop->back_to, false, "loop", NULL, NULL);
}

void core_result(struct exec *x, struct turn *t, uint32_t i, const struct attempt_result *r)
{
	json_t *data, *error;

	if (x->a[i].phase != PH_RUNNING)
		return;
	if (r->outcome == ATTEMPT_WITHDRAWN) {
		skip_action(x, t, i, "cancelled", "the execution was stopped before it started");
		return;
	}
	data = json_object();
	json_object_set_new(data, "startedAt", time_json(r->started));
	json_object_set_new(data, "completedAt", time_json(r->finished));
	json_object_set_new(data, "durationMs",
			    json_integer(r->finished > r->started ? r->finished - r->started : 0));
	if (r->outcome == ATTEMPT_EXITED)
		json_object_set_new(data, "exitCode", json_integer(r->status));
	if (r->outcome == ATTEMPT_SIGNALLED)
		json_object_set_new(data, "signal", json_integer(r->status));
	if (r->more)
		json_object_update(data, r->more);
	error = attempt_error(x, i, r);
	if (!error)
		error = broken_promise(x, i, r->output);
	if (!error) {
		if (r->output)
			json_object_set(data, "output", r->output);
		complete(x, t, i, data);
		return;
	}
	if (r->output)
		json_object_set(data, "partialOutput", r->output);
	fail_action(x, t, i, error, data, true);
}

void core_lost(struct exec *x, struct turn *t, uint32_t i, const char *reason)
{
	const struct action *pa = &x->plan->actions[i];
	struct action_state *a = &x->a[i];
	json_t *data = json_object();
	enum on_lost then = pa->on_lost;
	json_t *error;

	if (then == ON_LOST_RERUN && a->lost >= LOST_RERUNS_MAX)
		then = ON_LOST_FAIL;
	if (exec_stopping(x))
		then = ON_LOST_FAIL;
	error = error_new(ERROR_STATE_INCONSISTENT, false, "attempt %u was lost: %s", a->attempt, reason);
	error_set_code(error, "lost");
	error_set_suggestion(error, "find out whether its effect happened before it is done again");
	json_object_set_new(data, "reason", json_string(reason));
	json_object_set(data, "error", error);
	json_object_set_new(data, "then",
			    json_string(then == ON_LOST_RERUN ? "rerun" : then == ON_LOST_ASK ? "ask" : "fail"));
	emit(x, t, EV_ACTION_LOST, i, a->attempt, data);
	if (then == ON_LOST_ASK) {
		AUTO_FREE char *title = xasprintf("%s was lost", pa->id);

		ask_person(x, t, i, "lost", title, json_string_value(json_object_get(error, "message")), 0);
	}
	if (then == ON_LOST_FAIL)
		fail_action(x, t, i, error, NULL, false);
	else
		json_decref(error);
}

void core_unstarted(struct exec *x, struct turn *t, uint32_t i, const char *reason)
{
	json_t *data = json_object();
	json_t *error = error_new(ERROR_STATE_INCONSISTENT, false, "attempt %u did not start: %s", x->a[i].attempt, reason);

	if (exec_stopping(x)) {
		json_decref(data);
		json_decref(error);
		skip_action(x, t, i, "cancelled", "the execution was stopped before it started");
		return;
	}
	error_set_code(error, "unstarted");
	json_object_set_new(data, "reason", json_string(reason));
	json_object_set_new(data, "error", error);
	json_object_set_new(data, "then", json_string("rerun"));
	emit(x, t, EV_ACTION_LOST, i, x->a[i].attempt, data);
}

void core_adopted(struct exec *x, struct turn *t, uint32_t i)
{
	emit(x, t, EV_ACTION_ADOPTED, i, x->a[i].attempt, NULL);
}

bool core_must_end(const struct exec *x, uint32_t i)
{
	return x->terminate && exec_stopping(x) && x->a[i].phase == PH_RUNNING && i != x->compensating;
}
