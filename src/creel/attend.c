#include "creel/attend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "creel/attend_impl.h"
#include "creel/common.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"

enum { DAEMON_LOOK_MS = 2000, END_GRACE_MS = 10000 };

struct attendee *attendees_new(size_t n)
{
	return xcalloc(n ? n : 1, sizeof(struct attendee));
}

void attendees_free(struct attendee *a, size_t n)
{
	size_t k;

	for (k = 0; k < n; k++)
		progress_free(&a[k].progress);
	free(a);
}

json_t *attendees_json(const struct attendee *a, size_t n)
{
	json_t *list = json_array();
	size_t k;

	for (k = 0; k < n; k++)
		json_array_append_new(list, json_pack("{s:s, s:s?, s:s}", "execution", a[k].id, "name", a[k].progress.name,
						      "status", a[k].result ? a[k].result : "running"));
	return list;
}

/* ---- reading ---- */

static void set_over(struct attendee *a, int status, const char *result)
{
	a->over = true;
	a->status = status;
	a->result = result;
}

/* New commits, all that are there. */
static void read_commits(struct session *s, struct attendee *a)
{
	struct err e = {0};
	json_t *commit, *event;
	size_t k;

	while ((commit = execution_next_commit(s->c, a->id, &a->seq, &e))) {
		msec at = 0;

		clock_parse(json_text_or_empty(commit, "at"), &at);
		json_array_foreach(json_object_get(commit, "events"), k, event) {
			progress_apply(&a->progress, event, at);
			attend_say_event(s, a, event);
		}
		json_decref(commit);
	}
	if (e.code) {
		complain("%s", e.text);
		set_over(a, e.code == EBADMSG ? EXIT_NO : EXIT_UNABLE, "damaged");
	}
}

/* The daemon writes state.json, then takes active/ID away: after that readers of state.json see the end. */
static void await_end(struct session *s, struct attendee *a)
{
	msec give_up = clock_mono() + END_GRACE_MS;

	while (id_is_active(s->c, a->id) && clock_mono() < give_up) {
		watch_wait(&s->watch, WATCH_POLL_MS / 4);
		read_commits(s, a);
		if (!a->progress.outcome)
			return; /* opened again meanwhile */
	}
	if (strcmp(a->progress.outcome, "completed") == 0)
		set_over(a, EXIT_DONE, "completed");
	else
		set_over(a, EXIT_NO, a->progress.outcome);
}

/* state.json, if it was replaced since the last look: with many actions it is large. */
static void look_at_state(struct session *s, struct attendee *a)
{
	char dir[SPOOL_PATH_MAX];
	AUTO_FREE char *path = NULL;
	struct stat st;
	json_t *state;
	struct err e;

	spool_execution_path(a->id, dir);
	path = xasprintf("%s/state.json", dir);
	if (fstatat(s->c->spool.fd[SPOOL_ROOT], path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (st.st_ino == a->state_ino && st.st_mtim.tv_sec == a->state_time.tv_sec &&
	     st.st_mtim.tv_nsec == a->state_time.tv_nsec))
		return;
	state = execution_state(s->c, a->id, &e);
	if (!state)
		return;
	a->state_ino = st.st_ino;
	a->state_time = st.st_mtim;
	a->state_seq = json_number(state, "seq");
	a->state_waits = strcmp(json_text_or_empty(state, "status"), "paused_for_confirmation") == 0;
	json_decref(state);
}

/* All that is left waits for people; only the daemon's own fold can tell. */
static bool waits_for_people(struct session *s, struct attendee *a)
{
	if (a->progress.count[STEP_ASKING] == 0)
		return false;
	look_at_state(s, a);
	return a->state_waits && a->state_seq >= (long long)a->seq;
}

static void look_at(struct session *s, struct attendee *a)
{
	read_commits(s, a);
	if (a->over)
		return;
	if (id_is_quarantined(s->c, a->id)) {
		complain("execution %s is quarantined: its records do not add up; see quarantine/%s.reason.json", a->id,
			 a->id);
		set_over(a, EXIT_NO, "quarantined");
		return;
	}
	if (a->progress.outcome) {
		await_end(s, a);
		return;
	}
	if (!waits_for_people(s, a)) {
		a->asked = false;
		return;
	}
	if (!s->o->through) {
		set_over(a, EXIT_OPEN, "waiting");
	} else if (!a->asked) {
		if (!s->term.tty)
			attend_say_requests(s, a);
		a->asked = true;
	}
}

static bool look_at_all(struct session *s)
{
	bool all = true;
	size_t k;

	for (k = 0; k < s->n; k++) {
		if (!s->a[k].over)
			look_at(s, &s->a[k]);
		all = all && s->a[k].over;
	}
	return all;
}

/* ---- waiting ---- */

/* Once when it is seen to be gone, once when it is back. */
static void look_at_daemon(struct session *s)
{
	struct daemon_info d;

	if (clock_mono() < s->next_look)
		return;
	s->next_look = clock_mono() + DAEMON_LOOK_MS;
	daemon_look(s->c, &d);
	if (d.unknown || s->daemon_gone == !d.runs)
		return;
	s->daemon_gone = !d.runs;
	if (s->term.tty && !s->o->quiet)
		return; /* a line of the block says so */
	if (d.runs)
		note("the daemon is back");
	else
		note("no daemon is running on this spool: nothing new starts until \"creeld --spool %s\" does",
		     s->c->spool.path);
}

static void draw(struct session *s)
{
	AUTO_BUF struct buf remark = BUF_INIT;

	if (!s->term.tty || s->o->quiet)
		return;
	if (s->daemon_gone) {
		buf_puts(&remark, "no daemon is running: start it with \"creeld --spool ");
		put_safe(&remark, s->c->spool.path);
		buf_puts(&remark, "\"");
	}
	live_draw(&s->live, s->a, s->n, buf_str(&remark));
}

static void watch_them(struct session *s)
{
	AUTO_FREE char *active = xasprintf("%s/active", s->c->spool.path);
	size_t k;

	watch_open(&s->watch);
	watch_add(&s->watch, active);
	for (k = 0; k < s->n; k++) {
		AUTO_FREE char *dir = execution_path(s->c, s->a[k].id);
		AUTO_FREE char *journal = xasprintf("%s/journal", dir);

		watch_add(&s->watch, journal);
		watch_add(&s->watch, dir); /* state.json */
	}
}

static void load_plans(struct session *s)
{
	size_t k;

	for (k = 0; k < s->n; k++) {
		struct err e;
		json_t *plan = execution_plan(s->c, s->a[k].id, &e);

		progress_init(&s->a[k].progress, plan);
		json_decref(plan);
	}
}

static int status_of_all(const struct session *s)
{
	/* what is worse than what */
	static const int order[] = {[EXIT_DONE] = 0, [EXIT_OPEN] = 1, [EXIT_NO] = 2, [EXIT_UNABLE] = 3};
	int status = EXIT_DONE;
	size_t k;

	for (k = 0; k < s->n; k++)
		if (order[s->a[k].status] > order[status])
			status = s->a[k].status;
	return status;
}

int attend(struct cli *c, struct attendee *a, size_t n, const struct attend_options *o)
{
	struct session s = {.c = c, .a = a, .n = n, .o = o, .showing = o->history};
	msec give_up = o->timeout ? clock_mono() + o->timeout : 0, left = WATCH_POLL_MS;
	size_t k;

	term_look(STDERR_FILENO, &s.term);
	load_plans(&s);
	watch_them(&s);
	while (!look_at_all(&s)) {
		s.showing = true;
		look_at_daemon(&s);
		draw(&s);
		if (give_up)
			left = give_up - clock_mono();
		if (left <= 0)
			break;
		watch_wait(&s.watch, left < WATCH_POLL_MS ? left : WATCH_POLL_MS);
	}
	for (k = 0; k < n; k++)
		if (!a[k].over)
			a[k].status = EXIT_OPEN;
	draw(&s);
	live_end(&s.live);
	for (k = 0; k < n; k++)
		attend_say_result(&s, &a[k]);
	watch_close(&s.watch);
	return status_of_all(&s);
}
