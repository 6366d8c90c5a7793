/*
 * attend_say.c - what a watcher says: events as lines, what people are asked, and the last word.
 */
#include <string.h>

#include "creel/attend_impl.h"
#include "creel/describe.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"

static bool plain(const struct session *s)
{
	return !s->term.tty && !s->o->quiet;
}

/* The start of a line about one of several executions. */
static void put_whose(struct buf *b, const struct session *s, const struct attendee *a)
{
	if (s->n > 1)
		buf_printf(b, "%s  ", id_short(a->id));
}

void attend_say_event(struct session *s, const struct attendee *a, const json_t *event)
{
	AUTO_BUF struct buf b = BUF_INIT;

	if (!plain(s) || !s->showing)
		return;
	put_whose(&b, s, a);
	describe(&b, &s->term, event);
	buf_putc(&b, '\n');
	put_out(&b, stderr);
}

/* How to answer what an execution asks. */
void attend_say_requests(struct session *s, const struct attendee *a)
{
	AUTO_BUF struct buf b = BUF_INIT;
	json_t *requests = execution_requests(s->c, a->id), *r;
	size_t k;

	json_array_foreach(requests, k, r) {
		json_t *commands = json_object_get(r, "commands"), *choice;
		size_t i;

		put_whose(&b, s, a);
		put_tone(&b, &s->term, TONE_WARN, "waits for you: ");
		put_safe(&b, json_text_or_empty(r, "title"));
		buf_putc(&b, '\n');
		json_array_foreach(json_object_get(r, "choices"), i, choice) {
			const char *command = json_text(commands, json_string_value(choice) ? json_string_value(choice) : "");

			if (!command)
				continue;
			buf_puts(&b, "  ");
			put_safe(&b, command);
			buf_putc(&b, '\n');
		}
	}
	json_decref(requests);
	put_out(&b, stderr);
}

static void say_failures(struct buf *b, const struct attendee *a)
{
	const struct progress *p = &a->progress;
	uint32_t i, said = 0;

	for (i = 0; i < p->n && said < 5; i++) {
		const struct step *step = &p->steps[i];

		if (step->status != STEP_FAILED)
			continue;
		buf_puts(b, "  ");
		put_safe(b, step->id);
		buf_printf(b, ": %s\n", step->note ? step->note : "failed");
		if (step->attempt) {
			buf_printf(b, "    creel log %s ", id_short(a->id));
			put_safe(b, step->id);
			buf_puts(b, "   shows what it wrote\n");
		}
		said++;
	}
	if (p->count[STEP_FAILED] > said)
		buf_printf(b, "  … and %u more failed\n", p->count[STEP_FAILED] - said);
}

/* Most often an execution's error is that of an action, which is listed anyway. */
static bool is_a_steps(const struct progress *p, const char *error)
{
	uint32_t i;

	for (i = 0; i < p->n; i++)
		if (p->steps[i].status == STEP_FAILED && p->steps[i].note && strcmp(p->steps[i].note, error) == 0)
			return true;
	return false;
}

/* One last word about an execution, unless all is well and the block on the screen says so. */
void attend_say_result(struct session *s, const struct attendee *a)
{
	AUTO_BUF struct buf b = BUF_INIT;
	const struct progress *p = &a->progress;
	const char *result = a->result ? a->result : "running";

	if (s->o->quiet && a->status == EXIT_DONE)
		return;
	if (strcmp(result, "waiting") == 0) {
		if (!a->asked)
			attend_say_requests(s, a);
		return;
	}
	if (a->status == EXIT_DONE && s->term.tty)
		return;
	put_whose(&b, s, a);
	put_tone(&b, &s->term, tone_of_status(result), a->result ? result : "not over yet");
	buf_puts(&b, ": ");
	put_safe(&b, p->name ? p->name : "");
	if (p->started && p->ended >= p->started) {
		buf_puts(&b, ", after ");
		put_duration(&b, p->ended - p->started);
	}
	buf_putc(&b, '\n');
	if (a->status != EXIT_DONE && p->error && !is_a_steps(p, p->error))
		buf_printf(&b, "  %s\n", p->error);
	if (a->status == EXIT_NO)
		say_failures(&b, a);
	if (!a->result)
		buf_printf(&b, "  it goes on; \"creel wait %s\" waits again\n", id_short(a->id));
	put_out(&b, stderr);
}
