#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "creel/common.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/show_text.h"

enum { USUALLY = 20 };

struct listing {
	struct cli *c;
	bool active, finished, all, json;
	const char *status; /* or NULL */
	uint64_t most;      /* 0: no limit */
	struct term term;
	uint64_t shown;
	bool more; /* there are further ones */
};

/* What is shown of one execution. */
struct row {
	char id[UUID_TEXT];
	bool active;
	json_t *state; /* NULL: not written yet, or unreadable */
	const char *status;
};

static const char *status_of(struct cli *c, const struct row *r)
{
	const char *status = json_text(r->state, "status");

	if (id_is_quarantined(c, r->id))
		return "quarantined";
	if (!status) /* accepted a moment ago */
		return "initializing";
	return status;
}

/* Milliseconds from start to end, or to now; -1 if it has not started. */
static msec took(const struct row *r)
{
	const char *start = json_text(r->state, "startedAt"), *end = json_text(r->state, "completedAt");
	msec from, to;

	if (!start || !clock_parse(start, &from))
		return -1;
	if (!end || !clock_parse(end, &to))
		to = clock_wall();
	return to > from ? to - from : 0;
}

static json_t *row_json(const struct listing *l, const struct row *r)
{
	json_t *m = json_object_get(r->state, "metrics");
	char path[SPOOL_PATH_MAX];
	json_t *o;

	spool_execution_path(r->id, path);
	o = json_pack("{s:s, s:s?, s:s, s:b, s:b, s:s?, s:s?, s:I, s:{s:I, s:I, s:I, s:I}}", "id", r->id, "name",
		      json_text(r->state, "name"), "status", r->status, "active", r->active, "paused",
		      json_is_true(json_object_get(r->state, "paused")), "startedAt", json_text(r->state, "startedAt"),
		      "completedAt", json_text(r->state, "completedAt"), "durationMs", (json_int_t)took(r), "actions",
		      "total", (json_int_t)json_number(m, "totalActions"), "completed",
		      (json_int_t)json_number(m, "completedActions"), "failed", (json_int_t)json_number(m, "failedActions"),
		      "skipped", (json_int_t)json_number(m, "skippedActions"));
	json_object_set_new(o, "path", json_sprintf("%s/%s", l->c->spool.path, path));
	return o;
}

static void print_json(const struct listing *l, const struct row *r)
{
	json_t *o = row_json(l, r);

	fputs(l->shown ? ",\n" : "[\n", stdout);
	json_dumpf(o, stdout, JSON_COMPACT | (l->term.tty ? JSON_ENSURE_ASCII : 0));
	json_decref(o);
}

static const char *short_status(const struct row *r)
{
	if (strcmp(r->status, "paused_for_confirmation") == 0)
		return "asking";
	if (strcmp(r->status, "initializing") == 0)
		return "pending";
	if (strcmp(r->status, "running") == 0 && json_is_true(json_object_get(r->state, "paused")))
		return "paused";
	return r->status;
}

static void print_row(const struct listing *l, const struct row *r)
{
	json_t *m = json_object_get(r->state, "metrics");
	AUTO_BUF struct buf b = BUF_INIT;
	AUTO_BUF struct buf cell = BUF_INIT;
	const char *status = short_status(r);
	msec ms = took(r);

	if (l->shown == 0)
		printf("%-*s  %-11s  %11s  %-19s  %12s  NAME\n", ID_SHORT, "ID", "STATUS", "DONE", "STARTED (UTC)", "TOOK");
	buf_printf(&b, "%s  ", id_short(r->id));
	put_tone(&b, &l->term, tone_of_status(status), status);
	buf_printf(&b, "%*s", 13 - (int)strlen(status), "");
	buf_printf(&cell, "%lld/%lld", json_number(m, "completedActions") + json_number(m, "skippedActions"),
		   json_number(m, "totalActions"));
	buf_printf(&b, "%11s  ", buf_str(&cell));
	buf_reset(&cell);
	put_time(&cell, json_text(r->state, "startedAt"));
	buf_printf(&b, "%-19s  ", buf_str(&cell));
	buf_reset(&cell);
	if (ms >= 0)
		put_duration(&cell, ms);
	buf_printf(&b, "%12s  ", buf_str(&cell));
	buf_reset(&cell);
	put_safe(&cell, json_text_or_empty(r->state, "name"));
	if (l->term.tty && l->term.columns > 86)
		put_clipped(&b, buf_str(&cell), l->term.columns - 76);
	else
		buf_puts(&b, buf_str(&cell));
	buf_putc(&b, '\n');
	put_out(&b, stdout);
}

static bool wanted(const struct listing *l, const struct row *r)
{
	if (!l->status)
		return true;
	return strcmp(l->status, r->status) == 0 || strcmp(l->status, short_status(r)) == 0;
}

/* false: enough */
static bool take(struct listing *l, const char *id, bool active)
{
	struct row r = {.active = active};
	struct err e;

	memcpy(r.id, id, UUID_TEXT);
	r.state = execution_state(l->c, id, &e);
	r.status = status_of(l->c, &r);
	if (wanted(l, &r)) {
		if (l->most && l->shown == l->most) {
			l->more = true;
		} else {
			if (l->json)
				print_json(l, &r);
			else
				print_row(l, &r);
			l->shown++;
		}
	}
	json_decref(r.state);
	return !l->more;
}

static int list_active(struct listing *l)
{
	struct id_list ids;
	size_t k;

	if (id_list_dir(l->c, SPOOL_ACTIVE, &ids) < 0)
		return EXIT_UNABLE;
	for (k = 0; k < ids.n && take(l, ids.v[k], true); k++)
		;
	id_list_free(&ids);
	return EXIT_DONE;
}

static int list_days(struct listing *l)
{
	char id[UUID_TEXT];
	struct id_walk w;

	if (id_walk_open(&w, l->c) < 0)
		return EXIT_UNABLE;
	while (id_walk_next(&w, id)) {
		bool active = id_is_active(l->c, id);

		if (active && l->finished)
			continue;
		if (!take(l, id, active))
			break;
	}
	id_walk_close(&w);
	return EXIT_DONE;
}

static int list(struct listing *l)
{
	int status;

	term_look(STDOUT_FILENO, &l->term);
	status = l->active ? list_active(l) : list_days(l);
	if (l->json)
		puts(l->shown ? "\n]" : "[]");
	else if (l->shown == 0 && status == EXIT_DONE)
		note(l->status || l->active || l->finished ? "no such execution"
							   : "no execution yet: \"creel submit FILE\" makes one");
	else if (l->more)
		note("there are more: -n NUMBER, or --all");
	return status;
}

static int check_status(const char *status)
{
	static const char *const known[] = {"initializing", "pending", "running", "paused_for_confirmation", "completed",
					    "failed", "cancelled", "asking", "paused", "quarantined"};
	const char *near;
	size_t k;

	for (k = 0; k < COUNT(known); k++)
		if (strcmp(known[k], status) == 0)
			return EXIT_DONE;
	near = text_nearest(status, known, COUNT(known));
	if (near)
		return usage(&verb_ls, "there is no status \"%s\"; did you mean \"%s\"?", status, near);
	return usage(&verb_ls, "there is no status \"%s\"", status);
}

static int run(struct cli *c, int argc, char **argv)
{
	struct listing l = {.c = c, .most = USUALLY};
	const struct opt opts[] = {{"active", 'a', OPT_FLAG, &l.active},     {"finished", 'f', OPT_FLAG, &l.finished},
				   {"status", 's', OPT_TEXT, &l.status},     {"all", 0, OPT_FLAG, &l.all},
				   {"number", 'n', OPT_NUMBER, &l.most},     {"json", 0, OPT_FLAG, &l.json}};
	int status;

	if (!options(c, &verb_ls, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc > 0)
		return usage(&verb_ls, "it lists executions; \"creel show %s\" shows one", argv[0]);
	if (l.active && l.finished)
		return usage(&verb_ls, "--active and --finished exclude each other");
	if (l.status && (status = check_status(l.status)) != EXIT_DONE)
		return status;
	if (l.all)
		l.most = 0;
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	return list(&l);
}

const struct verb verb_ls = {
    "ls",
    "[--active | --finished] [--status STATUS] [-n NUMBER | --all] [--json]",
    "list executions, newest first\n"
    "\n"
    "  -a, --active       only those that are not over\n"
    "  -f, --finished     only those that are\n"
    "  -s, --status S     only those that are pending (initializing), running,\n"
    "                     paused, paused_for_confirmation (or asking), completed,\n"
    "                     failed, cancelled or quarantined\n"
    "  -n, --number N     at most N (20); --all: without limit\n"
    "  --json             an array of {id, name, status, active, paused, startedAt,\n"
    "                     completedAt, durationMs, actions: {total, completed,\n"
    "                     failed, skipped}, path}\n"
    "\n"
    "The ID is the end of the execution's id; every verb takes it.  DONE counts\n"
    "completed and skipped actions.\n",
    run,
};
