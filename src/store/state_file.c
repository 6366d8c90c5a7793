#include "store/state_file.h"

#include <string.h>

#include "base/mem.h"
#include "store/trace.h"

static int append(const char *bytes, size_t n, void *b)
{
	buf_put(b, bytes, n);
	return 0;
}

static void put_json(struct buf *b, const json_t *value)
{
	json_dump_callback(value, append, b, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void put_text(struct buf *b, const char *s)
{
	buf_json_string(b, s, strlen(s));
}

static void put_time(struct buf *b, const char *key, msec at)
{
	char text[CLOCK_TEXT];

	if (!at)
		return;
	clock_format(at, text);
	buf_printf(b, ",\"%s\":\"%s\"", key, text);
}

/* S0 wants every output as text: what is not text stands as JSON text. */
static void put_outputs(struct buf *b, const json_t *output)
{
	const char *key, *separator = "";
	json_t *v;

	buf_putc(b, '{');
	json_object_foreach((json_t *)output, key, v) {
		buf_puts(b, separator);
		separator = ",";
		put_text(b, key);
		buf_putc(b, ':');
		if (json_is_string(v)) {
			buf_json_string(b, json_string_value(v), json_string_length(v));
		} else {
			AUTO_FREE char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

			put_text(b, text ? text : "");
		}
	}
	buf_putc(b, '}');
}

static void put_member(struct buf *b, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (!v)
		return;
	buf_putc(b, ',');
	put_text(b, key);
	buf_putc(b, ':');
	put_json(b, v);
}

static void put_result(struct buf *b, const struct action_state *a)
{
	json_t *v;

	switch ((enum phase)a->phase) {
	case PH_COMPLETED:
		buf_puts(b, ",\"result\":{\"status\":\"success\",\"output\":");
		put_outputs(b, json_object_get(a->record, "output"));
		put_member(b, a->record, "outputInFile");
		put_member(b, a->record, "outputLocation");
		buf_putc(b, '}');
		break;
	case PH_FAILED:
	case PH_STANDIN:
		buf_puts(b, ",\"result\":{\"status\":\"failure\"");
		put_member(b, a->record, "error");
		if ((v = json_object_get(a->record, "partialOutput"))) {
			buf_puts(b, ",\"partialOutput\":");
			put_outputs(b, v);
		} else if (json_object_get(a->record, "outputInFile")) {
			put_member(b, a->record, "outputInFile");
			put_member(b, a->record, "outputLocation");
		}
		buf_putc(b, '}');
		break;
	case PH_SKIPPED:
		buf_puts(b, ",\"result\":{\"status\":\"skipped\"");
		put_member(b, a->record, "reason");
		put_member(b, a->record, "cause");
		buf_putc(b, '}');
		break;
	default:
		if ((v = json_object_get(a->record, "error"))) {
			buf_puts(b, ",\"lastError\":");
			put_json(b, v);
		}
		break;
	}
}

/* When it ran, by its supervisor's clock where it told; else by the journal's. */
static void put_times(struct buf *b, const struct action_state *a, bool over)
{
	json_t *ran = json_object_get(a->record, "durationMs");

	if (ran && over) {
		put_member(b, a->record, "startedAt");
		put_member(b, a->record, "completedAt");
		buf_printf(b, ",\"duration\":%lld", (long long)json_integer_value(ran));
		return;
	}
	if (a->attempt)
		put_time(b, "startedAt", a->started);
	if (over)
		put_time(b, "completedAt", a->ended);
	if (over && a->attempt)
		buf_printf(b, ",\"duration\":%lld", (long long)(a->ended > a->started ? a->ended - a->started : 0));
}

static void put_action(struct buf *b, int dir, const char *path, const struct exec *x, uint32_t i)
{
	const struct action *pa = &x->plan->actions[i];
	const struct action_state *a = &x->a[i];
	bool over = a->settled != SETTLED_NOT;

	put_text(b, pa->id);
	buf_puts(b, ":{\"actionId\":");
	put_text(b, pa->id);
	buf_printf(b, ",\"status\":\"%s\"", phase_status(a->phase));
	put_times(b, a, over);
	buf_printf(b, ",\"attempts\":%u", a->attempt);
	put_result(b, a);
	put_member(b, a->record, "exitCode");
	put_member(b, a->record, "signal");
	if (a->phase == PH_BACKOFF)
		put_time(b, "nextAttemptAt", a->deadline);
	if (a->phase == PH_CONFIRM || a->phase == PH_ASKING)
		buf_puts(b, ",\"waitingFor\":\"decision\"");
	if (a->child)
		buf_printf(b, ",\"childExecution\":\"%s\"", a->child);
	if (a->iteration)
		buf_printf(b, ",\"iteration\":%u", a->iteration);
	if (a->inputs) {
		buf_puts(b, ",\"changedInputs\":");
		put_json(b, a->inputs);
	}
	if (a->stand_in == STAND_IN_FALLBACK)
		buf_puts(b, ",\"standIn\":\"fallbackValue\"");
	if (a->stand_in == STAND_IN_ALTERNATIVE) {
		buf_puts(b, ",\"standIn\":");
		put_text(b, x->plan->actions[pa->alternative].id);
	}
	buf_puts(b, ",\"httpTrace\":");
	buf_puts(b, trace_of(dir, path, x, i));
	buf_putc(b, '}');
}

static void put_confirmation(struct buf *b, const struct exec *x, const struct asked *r)
{
	buf_puts(b, "{\"actionId\":");
	put_text(b, x->plan->actions[r->action].id);
	put_time(b, "requestedAt", r->requested);
	put_time(b, "respondedAt", r->responded);
	if (r->responded)
		buf_printf(b, ",\"confirmed\":%s", r->confirmed ? "true" : "false");
	if (r->decision)
		buf_printf(b, ",\"decision\":\"%s\"", r->decision);
	if (r->user) {
		buf_puts(b, ",\"userId\":");
		put_text(b, r->user);
	}
	buf_printf(b, ",\"number\":%u,\"kind\":\"%s\"", r->number, r->kind);
	put_time(b, "deadline", r->deadline);
	buf_putc(b, '}');
}

static void put_metrics(struct buf *b, const struct exec *x)
{
	buf_printf(b, "\"metrics\":{\"totalActions\":%u,\"completedActions\":%u,\"failedActions\":%u,\"skippedActions\":%u",
		   x->plan->n, x->count[PH_COMPLETED], x->count[PH_FAILED] + x->count[PH_STANDIN],
		   x->count[PH_SKIPPED]);
	if (x->ended_at)
		buf_printf(b, ",\"totalDuration\":%lld",
			   (long long)(x->ended_at > x->started_at ? x->ended_at - x->started_at : 0));
	buf_putc(b, '}');
}

static void encode(struct buf *b, int dir, const char *path, const struct exec *x, const struct state_marks *marks)
{
	uint32_t i;
	size_t k;

	buf_printf(b, "{\"id\":\"%s\",\"planId\":\"%s\",\"name\":", x->id, x->plan->id);
	put_text(b, x->plan->name);
	if (x->plan->key) {
		buf_puts(b, ",\"planKey\":");
		put_text(b, x->plan->key);
	}
	buf_printf(b, ",\"seq\":%u,\"eventsSeq\":%u,\n\"status\":\"%s\"", marks->seq, marks->events_seq, exec_status(x));
	if (x->paused)
		buf_puts(b, ",\"paused\":true");
	put_time(b, "startedAt", x->started_at ? x->started_at : x->accepted_at);
	put_time(b, "completedAt", x->ended_at);
	if (x->plan->submitted_by) {
		buf_puts(b, ",\"submittedBy\":");
		put_json(b, x->plan->submitted_by);
	}
	buf_puts(b, ",\n\"actionStates\":{\n");
	for (i = 0; i < x->plan->n; i++) {
		put_action(b, dir, path, x, i);
		buf_puts(b, i + 1 < x->plan->n ? ",\n" : "\n");
	}
	buf_puts(b, "},\n\"confirmations\":[");
	for (k = 0; k < x->asked.n; k++) {
		buf_puts(b, k ? ",\n" : "");
		put_confirmation(b, x, &x->asked.v[k]);
	}
	buf_puts(b, "],\n");
	if (x->error) {
		buf_puts(b, "\"error\":");
		put_json(b, x->error);
		buf_puts(b, ",\n");
	}
	put_metrics(b, x);
	buf_puts(b, "}\n");
}

void state_encode(struct buf *b, const struct spool *s, const struct exec *x, const struct state_marks *marks)
{
	char path[SPOOL_PATH_MAX];

	spool_execution_path(x->id, path);
	encode(b, s->fd[SPOOL_ROOT], path, x, marks);
}

void state_encode_at(struct buf *b, int dir, const struct exec *x, const struct state_marks *marks)
{
	encode(b, dir, ".", x, marks);
}
