#include "creel/tree.h"

#include <string.h>
#include <unistd.h>

#include "creel/describe.h"
#include "creel/execution.h"
#include "creel/json.h"
#include "creel/show_text.h"
#include "store/admit.h"

struct tree {
	struct cli *c;
	struct term term;
	struct buf out;
};

static void put_execution(struct tree *t, const char *id, const json_t *state, int depth);

static void put_status(struct tree *t, const json_t *o)
{
	const char *status = json_text_or_empty(o, "status");

	put_tone(&t->out, &t->term, tone_of_status(status), status);
	if (json_is_true(json_object_get(o, "paused")))
		put_tone(&t->out, &t->term, TONE_WARN, " (paused)");
}

/* What a state.json names is checked before it becomes a path. */
static void put_child(struct tree *t, const char *id, int depth)
{
	json_t *state;
	struct err e = {0};

	if (!uuid_is_v7(id) || depth > PLAN_DEPTH_MAX)
		return;
	state = execution_state(t->c, id, &e);
	if (state) {
		put_execution(t, id, state, depth);
	} else {
		buf_printf(&t->out, "%*s%s  ", depth * 4, "", id);
		put_safe(&t->out, e.text);
		buf_putc(&t->out, '\n');
	}
	json_decref(state);
}

static void put_action(struct tree *t, const char *name, const json_t *s, int depth)
{
	json_t *error = json_object_get(json_object_get(s, "result"), "error");
	const char *child = json_text(s, "childExecution");

	buf_printf(&t->out, "%*s", depth * 4 + 2, "");
	put_safe(&t->out, name);
	buf_puts(&t->out, "  ");
	put_status(t, s);
	if (error && !child) { /* a child says it itself, below */
		buf_puts(&t->out, "  ");
		describe_error(&t->out, error);
	}
	buf_putc(&t->out, '\n');
	if (child)
		put_child(t, child, depth + 1);
}

static void put_execution(struct tree *t, const char *id, const json_t *state, int depth)
{
	const char *key;
	json_t *s;

	buf_printf(&t->out, "%*s%s  ", depth * 4, "", id);
	put_tone(&t->out, &t->term, TONE_BOLD, json_text_or_empty(state, "name"));
	buf_puts(&t->out, "  ");
	put_status(t, state);
	buf_putc(&t->out, '\n');
	json_object_foreach(json_object_get(state, "actionStates"), key, s)
		put_action(t, key, s, depth);
	put_out(&t->out, stdout);
}

void tree_print(struct cli *c, const char *id, const json_t *state)
{
	struct tree t = {.c = c, .out = BUF_INIT};

	term_look(STDOUT_FILENO, &t.term);
	put_execution(&t, id, state, 0);
	buf_free(&t.out);
}
