#include "creel/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "creel/describe.h"
#include "creel/json.h"
#include "creel/show_text.h"
#include "model/event.h"

const char *step_word(enum step_status s)
{
	static const char *const words[STEP_COUNT] = {
	    [STEP_WAITING] = "pending",  [STEP_RUNNING] = "running",	 [STEP_BACKOFF] = "retrying",
	    [STEP_ASKING] = "asking",    [STEP_COMPLETED] = "completed", [STEP_FAILED] = "failed",
	    [STEP_SKIPPED] = "skipped",
	};

	return words[s];
}

static struct step *add_step(struct progress *p, const char *id)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->steps = xreallocarray(p->steps, p->cap, sizeof *p->steps);
	}
	p->steps[p->n] = (struct step){.id = xstrdup(id)};
	p->count[STEP_WAITING]++;
	map_put(&p->index, p->steps[p->n].id, p->n);
	return &p->steps[p->n++];
}

void progress_init(struct progress *p, const json_t *plan)
{
	json_t *actions = json_object_get(plan, "actions"), *a;
	size_t k;

	*p = (struct progress){.name = xstrdup(json_text_or_empty(plan, "name")), .index = MAP_INIT};
	json_array_foreach(actions, k, a) {
		const char *id = json_text(a, "id");

		if (id && map_get(&p->index, id) == MAP_NONE)
			add_step(p, id);
	}
}

void progress_free(struct progress *p)
{
	uint32_t i;

	for (i = 0; i < p->n; i++) {
		free(p->steps[i].id);
		free(p->steps[i].note);
	}
	free(p->steps);
	free(p->name);
	free(p->error);
	map_free(&p->index);
	*p = (struct progress){0};
}

static void set_note(struct step *s, const char *text)
{
	free(s->note);
	s->note = text && *text ? xstrdup(text) : NULL;
}

/* Notes are kept escaped, ready to be shown. */
static void set_raw_note(struct step *s, const char *text)
{
	AUTO_BUF struct buf b = BUF_INIT;

	if (text)
		put_safe(&b, text);
	set_note(s, buf_str(&b));
}

static void set_status(struct progress *p, struct step *s, enum step_status status)
{
	p->count[s->status]--;
	s->status = status;
	p->count[status]++;
	if (status == STEP_WAITING || status == STEP_RUNNING || status == STEP_COMPLETED)
		set_note(s, NULL);
}

static msec time_of(const json_t *event, const char *key, msec otherwise)
{
	const char *text = json_text(event, key);
	msec at;

	return text && clock_parse(text, &at) ? at : otherwise;
}

static char *error_text(const json_t *event)
{
	struct buf b = BUF_INIT;

	describe_error(&b, json_object_get(event, "error"));
	return buf_steal(&b);
}

static void failed(struct progress *p, struct step *s, const json_t *event, msec at)
{
	AUTO_FREE char *text = error_text(event);
	const char *then = json_text_or_empty(event, "then");

	s->started = time_of(event, "startedAt", s->started);
	s->ended = time_of(event, "completedAt", at);
	set_status(p, s, strcmp(then, "retry") == 0 ? STEP_BACKOFF : strcmp(then, "ask") == 0 ? STEP_ASKING : STEP_FAILED);
	set_note(s, text);
}

static void lost(struct progress *p, struct step *s, const json_t *event, msec at)
{
	const char *then = json_text_or_empty(event, "then");

	s->ended = at;
	set_status(p, s, strcmp(then, "fail") == 0 ? STEP_FAILED : strcmp(then, "ask") == 0 ? STEP_ASKING : STEP_BACKOFF);
	set_note(s, "the attempt was lost");
}

static void apply_step(struct progress *p, struct step *s, const json_t *event, int type, msec at)
{
	switch (type) {
	case EV_ACTION_REQUESTED:
		set_status(p, s, STEP_RUNNING);
		s->attempt = json_number(event, "attempt");
		s->started = at;
		s->ended = 0;
		break;
	case EV_ACTION_COMPLETED:
		set_status(p, s, STEP_COMPLETED);
		s->started = time_of(event, "startedAt", s->started);
		s->ended = time_of(event, "completedAt", at);
		break;
	case EV_ACTION_FAILED:
		failed(p, s, event, at);
		break;
	case EV_ACTION_SKIPPED:
		set_status(p, s, STEP_SKIPPED);
		set_raw_note(s, json_text(event, "reason"));
		s->ended = at;
		break;
	case EV_ACTION_RETRY_SCHEDULED:
		set_status(p, s, STEP_BACKOFF);
		s->next = time_of(event, "notBefore", 0);
		break;
	case EV_ACTION_REARMED:
		set_status(p, s, STEP_WAITING);
		s->started = s->ended = 0;
		break;
	case EV_ACTION_LOST:
		lost(p, s, event, at);
		break;
	case EV_CONFIRMATION_REQUESTED:
		set_status(p, s, STEP_ASKING);
		set_raw_note(s, json_text(event, "title"));
		break;
	case EV_CONFIRMATION_RECEIVED:
		if (!json_is_false(json_object_get(event, "final")))
			set_status(p, s, STEP_WAITING);
		break;
	default:
		break;
	}
}

static void over(struct progress *p, const json_t *event, const char *outcome, msec at)
{
	p->outcome = outcome;
	p->ended = at;
	free(p->error);
	p->error = json_object_get(event, "error") ? error_text(event) : NULL;
}

void progress_apply(struct progress *p, const json_t *event, msec at)
{
	const char *action = json_text(event, "action");
	int type = event_parse(json_text_or_empty(event, "type"));
	uint32_t i;

	at = time_of(event, "at", at);
	switch (type) {
	case EV_EXECUTION_ACCEPTED:
		free(p->name);
		p->name = xstrdup(json_text_or_empty(event, "name"));
		p->started = at;
		break;
	case EV_EXECUTION_STARTED:
		p->started = at;
		break;
	case EV_EXECUTION_PAUSED:
	case EV_EXECUTION_RESUMED:
		p->paused = type == EV_EXECUTION_PAUSED;
		break;
	case EV_CANCEL_REQUESTED:
		p->stopping = true;
		break;
	case EV_EXECUTION_COMPLETED:
		over(p, event, "completed", at);
		break;
	case EV_EXECUTION_FAILED:
		over(p, event, "failed", at);
		break;
	case EV_EXECUTION_CANCELLED:
		over(p, event, "cancelled", at);
		break;
	case EV_EXECUTION_REOPENED:
		p->outcome = NULL;
		p->ended = 0;
		free(p->error);
		p->error = NULL;
		p->stopping = p->paused = false;
		return;
	default:
		break;
	}
	if (!action)
		return;
	i = map_get(&p->index, action);
	apply_step(p, i == MAP_NONE ? add_step(p, action) : &p->steps[i], event, type, at);
}
