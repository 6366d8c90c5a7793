#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "creel/common.h"
#include "creel/describe.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/show_text.h"
#include "creel/tree.h"

enum { VALUE_SHOWN = 200, OUTPUTS_SHOWN = 20 };

struct view {
	struct cli *c;
	const char *id;
	struct term term;
	json_t *state, *plan, *requests;
	int id_columns;
};

static void put_label(struct buf *b, const struct view *v, const char *label)
{
	buf_puts(b, tone_on(&v->term, TONE_DIM));
	buf_printf(b, "%-10s ", label);
	buf_puts(b, tone_off(&v->term));
}

static void put_text_line(struct buf *b, const struct view *v, const char *label, const char *text)
{
	if (!text || !*text)
		return;
	put_label(b, v, label);
	put_safe(b, text);
	buf_putc(b, '\n');
}

/* ---- the execution ---- */

static void put_times(struct buf *b, const struct view *v)
{
	const char *start = json_text(v->state, "startedAt"), *end = json_text(v->state, "completedAt");
	msec from, to;

	put_label(b, v, "started");
	put_time(b, start);
	buf_puts(b, " UTC, ");
	put_ago(b, start);
	buf_putc(b, '\n');
	if (!start || !clock_parse(start, &from))
		return;
	put_label(b, v, end ? "took" : "so far");
	put_duration(b, (end && clock_parse(end, &to) ? to : clock_wall()) - from);
	buf_putc(b, '\n');
}

static void put_counts(struct buf *b, const struct view *v)
{
	json_t *m = json_object_get(v->state, "metrics");
	static const char *const keys[][2] = {
	    {"completedActions", "completed"}, {"failedActions", "failed"}, {"skippedActions", "skipped"}};
	size_t k;

	put_label(b, v, "actions");
	buf_printf(b, "%lld", json_number(m, "totalActions"));
	for (k = 0; k < COUNT(keys); k++)
		if (json_number(m, keys[k][0]) > 0)
			buf_printf(b, ", %lld %s", json_number(m, keys[k][0]), keys[k][1]);
	buf_putc(b, '\n');
}

static void put_head(struct buf *b, const struct view *v)
{
	const char *status = json_text_or_empty(v->state, "status");
	AUTO_FREE char *path = execution_path(v->c, v->id);

	put_label(b, v, "execution");
	put_tone(b, &v->term, TONE_BOLD, v->id);
	buf_putc(b, '\n');
	put_text_line(b, v, "name", json_text(v->state, "name"));
	put_text_line(b, v, "plan", json_text(v->state, "planKey") ? json_text(v->state, "planKey")
								   : json_text(v->state, "planId"));
	put_label(b, v, "status");
	if (id_is_quarantined(v->c, v->id))
		status = "quarantined";
	put_tone(b, &v->term, tone_of_status(status), status);
	if (json_is_true(json_object_get(v->state, "paused")))
		put_tone(b, &v->term, TONE_WARN, " (paused by hand; \"creel resume\" lets it go on)");
	buf_putc(b, '\n');
	put_text_line(b, v, "submitted", json_text(json_object_get(v->state, "submittedBy"), "user"));
	put_times(b, v);
	put_counts(b, v);
	if (json_object_get(v->state, "error")) {
		put_label(b, v, "error");
		buf_puts(b, tone_on(&v->term, TONE_BAD));
		describe_error(b, json_object_get(v->state, "error"));
		buf_puts(b, tone_off(&v->term));
		buf_putc(b, '\n');
		put_text_line(b, v, "hint", json_text(json_object_get(v->state, "error"), "suggestion"));
	}
	put_text_line(b, v, "directory", path);
}

/* ---- its actions ---- */

static void put_continued(struct buf *b, const char *label)
{
	buf_printf(b, "      %s ", label);
}

static void put_outputs(struct buf *b, const struct view *v, const json_t *output)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)output, key, value) {
		AUTO_BUF struct buf text = BUF_INIT;

		if (n++ == OUTPUTS_SHOWN) {
			put_continued(b, "…");
			buf_printf(b, "and %zu more outputs\n", json_object_size(output) - OUTPUTS_SHOWN);
			break;
		}
		put_continued(b, "");
		buf_puts(b, tone_on(&v->term, TONE_DIM));
		put_safe(b, key);
		buf_puts(b, tone_off(&v->term));
		buf_puts(b, " = ");
		json_put_value(&text, value);
		put_clipped(b, buf_str(&text), VALUE_SHOWN);
		buf_putc(b, '\n');
	}
}

/* Outputs that are too large for the journal. */
static void put_output_file(struct buf *b, const json_t *result)
{
	const json_t *where = json_object_get(result, "outputLocation");

	if (!json_is_true(json_object_get(result, "outputInFile")))
		return;
	put_continued(b, "");
	buf_puts(b, "outputs in ");
	put_safe(b, json_text_or_empty(where, "path"));
	buf_printf(b, " (%lld bytes)\n", json_number(where, "size"));
}

static void put_why(struct buf *b, const struct view *v, const json_t *s)
{
	json_t *result = json_object_get(s, "result"), *error = json_object_get(result, "error");
	const char *suggestion;

	if (!error)
		error = json_object_get(s, "lastError");
	if (error) {
		put_continued(b, "");
		buf_puts(b, tone_on(&v->term, TONE_BAD));
		describe_error(b, error);
		buf_puts(b, tone_off(&v->term));
		buf_putc(b, '\n');
		suggestion = json_text(error, "suggestion");
		if (suggestion && *suggestion) {
			put_continued(b, "");
			put_safe(b, suggestion);
			buf_putc(b, '\n');
		}
	}
	if (json_text(result, "reason")) {
		put_continued(b, "");
		put_safe(b, json_text(result, "reason"));
		buf_putc(b, '\n');
	}
	if (json_text(s, "nextAttemptAt")) {
		put_continued(b, "tried again");
		put_ago(b, json_text(s, "nextAttemptAt"));
		buf_putc(b, '\n');
	}
	if (json_text(s, "standIn")) {
		put_continued(b, "in its place:");
		put_safe(b, json_text(s, "standIn"));
		buf_putc(b, '\n');
	}
}

/* What people decided about an action, and what they changed. */
static void put_decisions(struct buf *b, const struct view *v, const char *action, const json_t *s)
{
	json_t *changed = json_object_get(s, "changedInputs"), *value, *c;
	const char *key;
	size_t k;

	json_array_foreach(json_object_get(v->state, "confirmations"), k, c) {
		if (strcmp(json_text_or_empty(c, "actionId"), action) != 0 || !json_text(c, "decision"))
			continue;
		put_continued(b, "decided:");
		put_safe(b, json_text(c, "decision"));
		buf_puts(b, json_text(c, "userId") ? " by " : ", because nobody answered in time");
		put_safe(b, json_text_or_empty(c, "userId"));
		buf_putc(b, '\n');
	}
	json_object_foreach(changed, key, value) {
		AUTO_BUF struct buf text = BUF_INIT;

		put_continued(b, "input changed:");
		put_safe(b, key);
		buf_puts(b, " = ");
		json_put_value(&text, value);
		put_clipped(b, buf_str(&text), VALUE_SHOWN);
		buf_putc(b, '\n');
	}
}

static void put_request(struct buf *b, const struct view *v, const char *action)
{
	json_t *r, *choice;
	size_t k, i;

	json_array_foreach(v->requests, k, r) {
		if (strcmp(json_text_or_empty(r, "action"), action) != 0)
			continue;
		put_continued(b, "");
		put_tone(b, &v->term, TONE_WARN, json_text_or_empty(r, "title"));
		if (json_text(r, "deadline")) {
			buf_puts(b, ", answer ");
			put_ago(b, json_text(r, "deadline"));
		}
		buf_putc(b, '\n');
		json_array_foreach(json_object_get(r, "choices"), i, choice) {
			const char *verb = json_string_value(choice);
			const char *command = verb ? json_text(json_object_get(r, "commands"), verb) : NULL;

			if (!command)
				continue;
			put_continued(b, "  ");
			put_safe(b, command);
			buf_putc(b, '\n');
		}
	}
}

static void put_action(struct buf *b, const struct view *v, const char *id, const json_t *s)
{
	const char *status = json_text_or_empty(s, "status");
	const char *shown = json_text(s, "waitingFor") ? "asking" : json_text(s, "nextAttemptAt") ? "retrying" : status;
	AUTO_BUF struct buf escaped = BUF_INIT;
	AUTO_BUF struct buf took = BUF_INIT;

	put_safe(&escaped, id);
	buf_puts(b, "  ");
	put_padded(b, buf_str(&escaped), v->id_columns);
	buf_puts(b, "  ");
	put_tone(b, &v->term, tone_of_status(shown), shown);
	buf_printf(b, "%*s", 11 - (int)strlen(shown), "");
	if (json_object_get(s, "duration"))
		put_duration(&took, json_number(s, "duration"));
	buf_printf(b, "%12s", buf_str(&took));
	if (json_number(s, "attempts") > 1)
		buf_printf(b, "  %lld attempts", json_number(s, "attempts"));
	if (json_number(s, "iteration") > 0)
		buf_printf(b, "  armed again %lld times", json_number(s, "iteration"));
	if (json_object_get(s, "exitCode"))
		buf_printf(b, "  exit %lld", json_number(s, "exitCode"));
	buf_putc(b, '\n');
	put_why(b, v, s);
	put_decisions(b, v, id, s);
	put_outputs(b, v, json_object_get(json_object_get(s, "result"), "output"));
	put_output_file(b, json_object_get(s, "result"));
	put_request(b, v, id);
}

static void measure(struct view *v)
{
	json_t *states = json_object_get(v->state, "actionStates"), *s;
	const char *key;

	v->id_columns = 8;
	json_object_foreach(states, key, s) {
		int n = (int)strlen(key);

		(void)s;
		if (n > v->id_columns)
			v->id_columns = n < 40 ? n : 40;
	}
}

/* In the plan's order; those that the plan does not name (instances) after them. */
static void put_actions(struct buf *b, struct view *v)
{
	json_t *states = json_object_get(v->state, "actionStates"), *actions = json_object_get(v->plan, "actions");
	json_t *a, *s, *done = json_object();
	const char *key;
	size_t k;

	measure(v);
	json_array_foreach(actions, k, a) {
		const char *id = json_text(a, "id");

		if (!id || !(s = json_object_get(states, id)))
			continue;
		put_action(b, v, id, s);
		put_out(b, stdout);
		json_object_set_new(done, id, json_true());
	}
	json_object_foreach(states, key, s)
		if (!json_object_get(done, key))
			put_action(b, v, key, s);
	json_decref(done);
}

static int show(struct view *v)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct err e;

	v->plan = execution_plan(v->c, v->id, &e);
	v->requests = id_is_active(v->c, v->id) ? execution_requests(v->c, v->id) : NULL;
	term_look(STDOUT_FILENO, &v->term);
	put_head(&b, v);
	buf_putc(&b, '\n');
	put_actions(&b, v);
	put_out(&b, stdout);
	json_decref(v->plan);
	json_decref(v->requests);
	return EXIT_DONE;
}

static int run(struct cli *c, int argc, char **argv)
{
	bool json = false, tree = false;
	const struct opt opts[] = {{"json", 0, OPT_FLAG, &json}, {"tree", 0, OPT_FLAG, &tree}};
	char id[UUID_TEXT];
	struct view v = {.c = c, .id = id};
	struct err e;
	int status;

	if (!options(c, &verb_show, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc != 1)
		return usage(&verb_show, argc ? "one execution at a time" : "which execution? \"creel ls\" lists them");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if ((status = id_resolve(c, argv[0], id)) != EXIT_DONE)
		return status;
	v.state = execution_state(c, id, &e);
	if (!v.state) {
		complain("%s", e.text);
		if (id_is_quarantined(c, id))
			note("it is quarantined: quarantine/%s.reason.json says why", id);
		else
			note("\"creel log %s\" reads its journal instead", id_short(id));
		return EXIT_UNABLE;
	}
	if (json)
		json_print(v.state);
	else if (tree)
		tree_print(c, id, v.state);
	else
		status = show(&v);
	json_decref(v.state);
	return status;
}

const struct verb verb_show = {
    "show",
    "[--json | --tree] ID",
    "show one execution and its actions\n"
    "\n"
    "Each action with its status, time, attempts, error and outputs; where a person\n"
    "must decide, the commands that do. What is shown is state.json, which may lag a\n"
    "little while many things happen.\n"
    "\n"
    "  --json  print state.json (schema execution-state)\n"
    "  --tree  one line for each action, with the executions that they run below them\n",
    run,
};
