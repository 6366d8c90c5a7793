#include "creel/describe.h"

#include <string.h>

#include "creel/json.h"
#include "creel/show_text.h"
#include "model/event.h"

void describe_error(struct buf *b, const json_t *error)
{
	const char *message = json_text(error, "message"), *code = json_text(error, "code");

	put_safe(b, message && *message ? message : "no reason is recorded");
	if (code && !(message && strstr(message, code))) {
		buf_puts(b, " (");
		put_safe(b, code);
		buf_putc(b, ')');
	}
}

/* " by ana: because" */
static void put_who(struct buf *b, const json_t *event)
{
	const char *user = json_text(json_object_get(event, "by"), "user");
	const char *reason = json_text(event, "reason");

	if (!reason)
		reason = json_text(event, "comment");
	if (user) {
		buf_puts(b, " by ");
		put_safe(b, user);
	}
	if (reason && *reason) {
		buf_puts(b, ": ");
		put_safe(b, reason);
	}
}

static void put_member(struct buf *b, const char *before, const json_t *event, const char *key)
{
	const char *text = json_text(event, key);

	if (!text || !*text)
		return;
	buf_puts(b, before);
	put_safe(b, text);
}

/* "(exit 3, 1.2 s)" */
static void put_end(struct buf *b, const json_t *event)
{
	const char *separator = " (";

	if (json_object_get(event, "exitCode")) {
		buf_printf(b, "%sexit %lld", separator, json_number(event, "exitCode"));
		separator = ", ";
	} else if (json_object_get(event, "signal")) {
		buf_printf(b, "%ssignal %lld", separator, json_number(event, "signal"));
		separator = ", ";
	}
	if (json_object_get(event, "durationMs")) {
		buf_puts(b, separator);
		put_duration(b, json_number(event, "durationMs"));
		separator = ", ";
	}
	if (*separator == ',')
		buf_putc(b, ')');
}

static void put_then(struct buf *b, const char *then)
{
	static const char *const words[][2] = {
	    {"alternative", "its alternative takes over"},
	    {"fallback", "its fallback value stands in"},
	    {"continue", "the rest goes on"},
	    {"skip_dependents", "what depends on it is skipped"},
	    {"abort", "the execution stops"},
	    {"rerun", "it runs again"},
	    {"fail", "that counts as a failure"},
	};
	size_t k;

	for (k = 0; then && k < sizeof words / sizeof *words; k++)
		if (strcmp(words[k][0], then) == 0)
			buf_printf(b, "; %s", words[k][1]);
}

static void put_failed(struct buf *b, const struct term *t, const json_t *event)
{
	put_tone(b, t, TONE_BAD, "failed");
	put_end(b, event);
	buf_puts(b, ": ");
	describe_error(b, json_object_get(event, "error"));
	put_then(b, json_text(event, "then"));
}

static void put_requested(struct buf *b, const struct term *t, const json_t *event)
{
	json_t *choice;
	size_t k;

	put_tone(b, t, TONE_WARN, "waits for a decision");
	put_member(b, ": ", event, "title");
	buf_puts(b, " (");
	json_array_foreach(json_object_get(event, "choices"), k, choice) {
		buf_puts(b, k ? ", " : "");
		if (json_is_string(choice))
			put_safe(b, json_string_value(choice));
	}
	buf_putc(b, ')');
	if (json_text(event, "deadline")) {
		buf_puts(b, " until ");
		put_time(b, json_text(event, "deadline"));
	}
}

static void put_received(struct buf *b, const struct term *t, const json_t *event)
{
	if (json_is_true(json_object_get(event, "timedOut"))) {
		put_tone(b, t, TONE_WARN, "nobody answered in time: rejected");
		return;
	}
	buf_puts(b, "decided: ");
	put_tone(b, t, json_is_true(json_object_get(event, "confirmed")) ? TONE_GOOD : TONE_WARN,
		 json_text_or_empty(event, "decision"));
	put_who(b, event);
	if (json_is_false(json_object_get(event, "final")))
		buf_puts(b, "; more approvals are needed");
}

/* Events that are about an action; its id stands before. */
static bool put_action(struct buf *b, const struct term *t, const json_t *event, int type)
{
	switch (type) {
	case EV_ACTION_REQUESTED:
		buf_printf(b, "starts (attempt %lld)", json_number(event, "attempt"));
		put_member(b, ", to undo ", event, "compensates");
		return true;
	case EV_ACTION_COMPLETED:
		put_tone(b, t, TONE_GOOD, "completed");
		put_end(b, event);
		return true;
	case EV_ACTION_FAILED:
		put_failed(b, t, event);
		return true;
	case EV_ACTION_SKIPPED:
		put_tone(b, t, TONE_DIM, "skipped");
		put_member(b, ": ", event, "reason");
		return true;
	case EV_ACTION_RETRY_SCHEDULED:
		buf_printf(b, "attempt %lld follows in ", json_number(event, "nextAttempt"));
		put_duration(b, json_number(event, "delayMs"));
		return true;
	case EV_ACTION_REARMED:
		buf_printf(b, "armed again (%lld)", json_number(event, "iteration"));
		put_who(b, event);
		return true;
	case EV_ACTION_ADOPTED:
		buf_printf(b, "attempt %lld goes on under a new daemon", json_number(event, "attempt"));
		return true;
	case EV_ACTION_LOST:
		put_tone(b, t, TONE_BAD, "lost");
		buf_printf(b, " (attempt %lld)", json_number(event, "attempt"));
		put_member(b, ": ", event, "reason");
		put_then(b, json_text(event, "then"));
		return true;
	case EV_CONFIRMATION_REQUESTED:
		put_requested(b, t, event);
		return true;
	case EV_CONFIRMATION_RECEIVED:
		put_received(b, t, event);
		return true;
	default:
		return false;
	}
}

static void put_accepted(struct buf *b, const json_t *event)
{
	buf_puts(b, "accepted as \"");
	put_safe(b, json_text_or_empty(event, "name"));
	buf_puts(b, "\" (");
	put_count(b, json_number(event, "actions"), "action", "actions");
	buf_putc(b, ')');
	put_member(b, " from ", json_object_get(event, "source"), "file");
	put_who(b, event);
}

static void put_outcome(struct buf *b, const struct term *t, const json_t *event)
{
	bool holds = json_is_true(json_object_get(event, "holds"));

	buf_puts(b, "expected outcome");
	put_member(b, " ", event, "name");
	buf_puts(b, ": ");
	put_tone(b, t, holds ? TONE_GOOD : TONE_BAD, holds ? "holds" : "does not hold");
	if (holds)
		return;
	put_member(b, " (", event, "reference");
	put_member(b, " ", event, "operator");
	put_member(b, " ", event, "value");
	if (json_object_get(event, "actual")) {
		buf_puts(b, "; it is ");
		json_put_value(b, json_object_get(event, "actual"));
	}
	buf_puts(b, json_text(event, "reference") ? ")" : "");
}

static void put_over(struct buf *b, const struct term *t, const json_t *event, const char *status)
{
	json_t *took = json_object_get(json_object_get(event, "metrics"), "totalDuration");

	put_tone(b, t, tone_of_status(status), status);
	if (took) {
		buf_puts(b, " after ");
		put_duration(b, json_integer_value(took));
	}
	if (json_object_get(event, "error")) {
		buf_puts(b, ": ");
		describe_error(b, json_object_get(event, "error"));
	}
}

static bool put_execution(struct buf *b, const struct term *t, const json_t *event, int type)
{
	switch (type) {
	case EV_EXECUTION_ACCEPTED:
		put_accepted(b, event);
		return true;
	case EV_EXECUTION_STARTED:
		buf_puts(b, "started");
		return true;
	case EV_EXECUTION_PAUSED:
		put_tone(b, t, TONE_WARN, "paused");
		put_who(b, event);
		return true;
	case EV_EXECUTION_RESUMED:
		buf_puts(b, "resumed");
		put_who(b, event);
		return true;
	case EV_CANCEL_REQUESTED:
		put_tone(b, t, TONE_WARN, "asked to stop");
		put_who(b, event);
		return true;
	case EV_OUTCOME_VALIDATED:
		put_outcome(b, t, event);
		return true;
	case EV_EXECUTION_COMPLETED:
		put_over(b, t, event, "completed");
		return true;
	case EV_EXECUTION_FAILED:
		put_over(b, t, event, "failed");
		return true;
	case EV_EXECUTION_CANCELLED:
		put_over(b, t, event, "cancelled");
		return true;
	case EV_EXECUTION_REOPENED:
		buf_puts(b, "opened again");
		put_member(b, ", from ", event, "action");
		put_who(b, event);
		return true;
	case EV_EXECUTION_QUARANTINED:
		put_tone(b, t, TONE_BAD, "quarantined");
		put_who(b, event);
		return true;
	case EV_EXECUTION_REMOVED:
		buf_puts(b, "removed");
		put_member(b, ", kept in ", event, "archive");
		put_who(b, event);
		return true;
	case EV_EXECUTION_IMPORTED:
		buf_puts(b, "imported");
		put_member(b, " from ", event, "file");
		put_who(b, event);
		return true;
	default:
		return false;
	}
}

void describe(struct buf *b, const struct term *t, const json_t *event)
{
	const char *name = json_text_or_empty(event, "type"), *action = json_text(event, "action");
	int type = event_parse(name);

	if (put_execution(b, t, event, type))
		return;
	if (action) {
		put_tone(b, t, TONE_BOLD, action);
		buf_puts(b, ": ");
	}
	if (!put_action(b, t, event, type))
		put_safe(b, name); /* of a later version */
}
