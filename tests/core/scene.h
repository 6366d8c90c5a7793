/*
 * scene.h - one execution in a test's hands: a plan from text, a clock that stands still, results on demand.
 *
 * Plans are written with the macros A (an action that runs "x") and D (an action whose text is given in full); they
 * go through the same admission as a dropped file.  scene_turn() does what the daemon does in a turn, limits aside:
 * timers, advance, starts, advance, finish.  Every event since the beginning stays in s.log.
 */
#ifndef CREEL_TESTS_CORE_SCENE_H
#define CREEL_TESTS_CORE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/decide.h"
#include "store/admit.h"

#define UNUSED __attribute__((unused))

/* One line each of the plan's actions. */
#define A(id, more) "- {id: " id ", actionDefinitionId: command, inputs: {command: x}, " more "}\n"
#define D(id, more) "- {id: " id ", actionDefinitionId: command, " more "}\n"
#define PLAN(head, actions) "name: t\n" head "actions:\n" actions

enum { NOON = 1000000 };

struct scene {
	struct admitted admitted;
	struct plan *p;
	struct exec *x;
	struct events log;
	struct turn t;
	json_t *by;
	char text[2000]; /* what the last question was answered with */
};

static UNUSED struct plan *plan_of(const char *text, struct admitted *out)
{
	struct diags errors = DIAGS_INIT;
	json_t *by = json_pack("{s:i, s:s}", "uid", 1000, "user", "sam");
	bool good = admit_plan("t.yaml", text, strlen(text), by, NOON, out, &errors);

	if (!good)
		fail_msg("the plan is refused: %d:%d %s\n%s", errors.v[0].line, errors.v[0].column, errors.v[0].message, text);
	json_decref(by);
	diags_free(&errors);
	return out->plan;
}

static UNUSED void scene_turn(struct scene *s)
{
	core_timers(s->x, &s->t);
	core_advance(s->x, &s->t);
	while (core_next(s->x) != NO_ACTION &&
	       (!s->p->max_concurrency || s->x->count[PH_RUNNING] < s->p->max_concurrency)) {
		core_start(s->x, &s->t);
		core_advance(s->x, &s->t);
	}
	core_finish(s->x, &s->t);
	if (exec_check(s->x, &(struct err){0}) < 0) {
		struct err e;

		exec_check(s->x, &e);
		fail_msg("%s", e.text);
	}
}

static UNUSED void scene_open(struct scene *s, const char *text)
{
	memset(s, 0, sizeof *s);
	s->p = plan_of(text, &s->admitted);
	s->x = exec_new(s->p, "01890000-0000-7000-8000-000000000001");
	s->t = (struct turn){.now = NOON, .random = 1, .out = &s->log};
	core_begin(s->x, &s->t, json_object());
	scene_turn(s);
}

static UNUSED void scene_close(struct scene *s)
{
	exec_free(s->x);
	events_free(&s->log);
	admitted_free(&s->admitted);
	json_decref(s->by);
}

static UNUSED uint32_t at(const struct scene *s, const char *id)
{
	uint32_t i = plan_find(s->p, id);

	assert_int_not_equal(i, NO_ACTION);
	return i;
}

static UNUSED struct action_state *state_of(const struct scene *s, const char *id)
{
	return &s->x->a[at(s, id)];
}

/* ---- what happens ---- */

static UNUSED void later(struct scene *s, msec ms)
{
	s->t.now += ms;
	scene_turn(s);
}

static UNUSED void ends(struct scene *s, const char *id, struct attempt_result r)
{
	if (state_of(s, id)->phase != PH_RUNNING)
		fail_msg("\"%s\" does not run: it is %s", id, phase_name(state_of(s, id)->phase));
	r.started = state_of(s, id)->started;
	r.finished = s->t.now;
	core_result(s->x, &s->t, at(s, id), &r);
	scene_turn(s);
}

/* It exits with this status. */
static UNUSED void exits(struct scene *s, const char *id, int status)
{
	ends(s, id, (struct attempt_result){.outcome = ATTEMPT_EXITED, .status = status});
}

/* It completes with these outputs (JSON). */
static UNUSED void gives(struct scene *s, const char *id, const char *output)
{
	json_t *o = json_loads(output, 0, NULL);

	assert_non_null(o);
	ends(s, id, (struct attempt_result){.outcome = ATTEMPT_EXITED, .output = o});
	json_decref(o);
}

/* It fails with the error that it wrote itself (JSON). */
static UNUSED void blames(struct scene *s, const char *id, const char *error)
{
	json_t *o = json_loads(error, 0, NULL);

	assert_non_null(o);
	ends(s, id, (struct attempt_result){.outcome = ATTEMPT_EXITED, .status = 1, .error = o});
	json_decref(o);
}

static UNUSED void vanishes(struct scene *s, const char *id)
{
	core_lost(s->x, &s->t, at(s, id), "its supervisor is gone");
	scene_turn(s);
}

static UNUSED struct request request_by(struct scene *s, const char *id, const char *verb, const char *user)
{
	struct request r = {.verb = verb, .action = id ? at(s, id) : NO_ACTION, .user = user, .changed = s->t.now};

	json_decref(s->by);
	s->by = json_object();
	json_object_set_new(s->by, "uid", json_integer(1001));
	if (user)
		json_object_set_new(s->by, "user", json_string(user));
	r.by = s->by;
	return r;
}

static const char *answer(struct scene *s, int r, struct err *e)
{
	if (r == 0)
		scene_turn(s);
	snprintf(s->text, sizeof s->text, "%s", r == 0 ? "ok" : e->text);
	return s->text;
}

/* Decide or order; "ok", or the reason why not. */
static UNUSED const char *decides_about(struct scene *s, const struct request *r)
{
	struct err e = {0};

	return answer(s, core_decision(s->x, &s->t, r, &e), &e);
}

static UNUSED const char *decides(struct scene *s, const char *user, const char *verb, const char *id)
{
	struct request r = request_by(s, id, verb, user);

	return decides_about(s, &r);
}

static UNUSED const char *orders(struct scene *s, const char *verb, const char *id)
{
	struct request r = request_by(s, id, verb, "raj");
	struct err e = {0};

	return answer(s, core_control(s->x, &s->t, &r, &e), &e);
}

/* ---- what can be seen ---- */

/* "a=completed b=skipped : completed" */
static UNUSED const char *seen(struct scene *s)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < s->p->n && n < sizeof s->text; i++)
		n += (size_t)snprintf(s->text + n, sizeof s->text - n, "%s=%s ", s->p->actions[i].id,
				      phase_status(s->x->a[i].phase));
	if (n < sizeof s->text)
		snprintf(s->text + n, sizeof s->text - n, ": %s", exec_status(s->x));
	return s->text;
}

#define expect_seen(s, want) assert_string_equal(seen(s), want)
#define expect_ok(text) assert_string_equal(text, "ok")
#define expect_phase(s, id, p) assert_string_equal(phase_name(state_of(s, id)->phase), phase_name(p))

/* The last event of this type about the action (NULL: any), or NULL. */
static UNUSED const struct event *last_event(const struct scene *s, enum event_type type, const char *id)
{
	size_t k;

	for (k = s->log.n; k-- > 0;)
		if (s->log.v[k].type == type && (!id || s->log.v[k].action == at(s, id)))
			return &s->log.v[k];
	return NULL;
}

static UNUSED size_t count_events(const struct scene *s, enum event_type type, const char *id)
{
	size_t k, n = 0;

	for (k = 0; k < s->log.n; k++)
		n += s->log.v[k].type == type && (!id || s->log.v[k].action == at(s, id));
	return n;
}

/* A text member of the last such event, by path ("error.code"); "" if there is none. */
static UNUSED const char *said(const struct scene *s, enum event_type type, const char *id, const char *path)
{
	const struct event *ev = last_event(s, type, id);
	const json_t *v = ev ? ev->data : NULL;
	char part[64];
	const char *p = path;

	while (v && *p) {
		size_t n = strcspn(p, ".");

		snprintf(part, sizeof part, "%.*s", (int)n, p);
		v = json_object_get(v, part);
		p += n + (p[n] == '.');
	}
	return json_is_string(v) ? json_string_value(v) : json_is_true(v) ? "true" : json_is_false(v) ? "false" : "";
}

#define expect_said(s, type, id, path, want) assert_string_equal(said(s, type, id, path), want)

/* What the running attempt was started with, as JSON. */
static UNUSED const char *started_with(struct scene *s, const char *id)
{
	char *text = json_dumps(state_of(s, id)->resolved, JSON_COMPACT | JSON_SORT_KEYS);

	snprintf(s->text, sizeof s->text, "%s", text ? text : "nothing");
	free(text);
	return s->text;
}

#endif
