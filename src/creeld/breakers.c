#include "creeld/breakers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/breaker.h"
#include "model/error.h"

enum { FILE_MAX = 64 * 1024 };
enum { FAILURES = 5, WINDOW_MS = 60 * 1000, OPEN_MS = 30 * 1000 }; /* of a breaker that is not configured */

static const char refused[] = "breaker_open";

struct tool {
	char *name;
	struct breaker b;
	json_t *last_error; /* {category, message, at, execution, action}, or NULL */
	char execution[UUID_TEXT]; /* HALF_OPEN: which attempt is the probe */
	char *action;
	uint32_t attempt;
	bool changed; /* since it was written */
};

struct breakers {
	struct map index; /* name -> place in tools */
	VEC(struct tool *) tools;
	msec checked;     /* time of the last turn */
	bool told;        /* that they cannot be written */
};

static struct breaker_rule rule_of(const struct daemon *d, const char *name)
{
	const json_t *c = json_object_get(d->config.breakers, name), *v;
	struct breaker_rule r = {FAILURES, WINDOW_MS, OPEN_MS};

	if ((v = json_object_get(c, "failures")))
		r.failures = (uint32_t)json_integer_value(v);
	if ((v = json_object_get(c, "window_sec")))
		r.window = (msec)(json_number_value(v) * 1000);
	if ((v = json_object_get(c, "open_sec")))
		r.open = (msec)(json_number_value(v) * 1000);
	return r;
}

static struct tool *find(const struct daemon *d, const char *name)
{
	uint32_t k = name ? map_get(&d->breakers->index, name) : MAP_NONE;

	return k == MAP_NONE ? NULL : d->breakers->tools.v[k];
}

static struct tool *add(struct daemon *d, const char *name)
{
	struct tool *t = xcalloc(1, sizeof *t);

	t->name = xstrdup(name);
	map_put(&d->breakers->index, t->name, (uint32_t)d->breakers->tools.n);
	vec_push(&d->breakers->tools, t);
	return t;
}

/* The breaker of an action, if it was ever needed.  What runs without a process of its own has none: its parts do. */
static struct tool *tool_of(const struct daemon *d, const struct exec *x, uint32_t i)
{
	const struct action *a = &x->plan->actions[i];

	return a->no_supervisor ? NULL : find(d, a->breaker);
}

static bool is_probe(const struct tool *t, const struct exec *x, uint32_t i, uint32_t attempt)
{
	return t->b.state == BREAKER_HALF_OPEN && t->attempt == attempt && strcmp(t->execution, x->id) == 0 &&
	       t->action && strcmp(t->action, x->plan->actions[i].id) == 0;
}

/* ---- asking ---- */

bool breakers_hold(const struct daemon *d, const struct exec *x, uint32_t i, msec now)
{
	const struct tool *t = tool_of(d, x, i);

	if (!t || !breaker_holds(&t->b, now))
		return false;
	return x->a[i].phase != PH_RUNNING || !is_probe(t, x, i, x->a[i].attempt);
}

static bool failed_input(const struct live *l, const struct input *in, const char *name)
{
	const struct attempt_result *r = &in->report.result;
	const char *of = in->action == NO_ACTION ? NULL : l->plan->actions[in->action].breaker;

	return in->kind == INPUT_RESULT && of && strcmp(of, name) == 0 &&
	       (r->outcome != ATTEMPT_EXITED || r->status != 0 || r->error);
}

bool breakers_unsettled(const struct daemon *d, const struct exec *x, uint32_t i)
{
	const char *name = x->plan->actions[i].breaker;
	size_t k, n;

	for (k = 0; name && k < d->dirty.n; k++) {
		const struct live *l = d->lives.v[d->dirty.v[k]];

		for (n = 0; n < l->inputs.n; n++)
			if (failed_input(l, &l->inputs.v[n], name))
				return true;
	}
	return false;
}

json_t *breakers_refusal(const struct daemon *d, const struct exec *x, uint32_t i)
{
	const struct tool *t = tool_of(d, x, i);
	const char *last = t ? json_string_value(json_object_get(t->last_error, "message")) : NULL;
	char when[CLOCK_TEXT];
	json_t *error;

	error = error_new(ERROR_API_UNEXPECTED_STATUS, true, "not run: the breaker \"%s\" is open%s%s",
			  x->plan->actions[i].breaker, last ? "; the last failure: " : "", last ? last : "");
	error_set_code(error, refused);
	error_set_suggestion(error, "find out what is wrong with the tool; creel status shows when it is tried again");
	if (t && t->b.state == BREAKER_OPEN) {
		clock_format(t->b.probe_at, when);
		json_object_set_new(error, "retryAfter", json_string(when));
	}
	return error;
}

/* ---- what happened ---- */

static void step(struct daemon *d, struct tool *t, enum breaker_event event, msec now)
{
	const struct breaker_rule rule = rule_of(d, t->name);
	enum breaker_state before = t->b.state;
	const char *last = json_string_value(json_object_get(t->last_error, "message"));

	if (!breaker_step(&t->b, &rule, event, now))
		return;
	t->changed = true;
	if (t->b.state == before)
		return;
	if (t->b.state == BREAKER_OPEN)
		log_warn("breaker %s is open: %s", t->name,
			 event == BREAKER_PROBE_GONE ? "its probe ended without a result" : last ? last : "it fails");
	else
		log_info("breaker %s is %s", t->name, t->b.state == BREAKER_CLOSED ? "closed" : "tried: a probe starts");
}

void breakers_started(struct daemon *d, const struct exec *x, uint32_t i, msec now)
{
	struct tool *t = tool_of(d, x, i);

	if (!t || !breaker_due(&t->b, now))
		return;
	strcpy(t->execution, x->id);
	free(t->action);
	t->action = xstrdup(x->plan->actions[i].id);
	t->attempt = x->a[i].attempt;
	step(d, t, BREAKER_PROBE, now);
}

static void remember(struct tool *t, const struct exec *x, uint32_t i, const json_t *error, msec now)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	char when[CLOCK_TEXT];

	clock_format(now, when);
	json_decref(t->last_error);
	t->last_error = json_pack("{s:s, s:s, s:s, s:s, s:s}", "category", error_category_name(error_category_of(error)),
				  "message", message ? message : "", "at", when, "execution", x->id, "action",
				  x->plan->actions[i].id);
}

/* Does this failure say something about the tool? */
static bool counts(const json_t *error)
{
	enum error_category c = error_category_of(error);

	return c != ERROR_VALIDATION_FAILED && c != ERROR_USER_CANCELLED;
}

/* An API that refuses a request, or says that there are too many, is there. */
static bool answered(const struct exec *x, uint32_t i, const json_t *error)
{
	enum error_category c = error ? error_category_of(error) : ERROR_CATEGORY_COUNT;
	json_t *status = json_object_get(error, "statusCode");

	if (!x->plan->actions[i].http || !error)
		return false;
	return c == ERROR_RATE_LIMIT_BURST || c == ERROR_RATE_LIMIT_DAILY ||
	       (json_is_integer(status) && json_integer_value(status) < 500);
}

void breakers_result(struct daemon *d, const struct exec *x, uint32_t i, uint32_t attempt,
		     const struct events *events, size_t from, msec now)
{
	const char *name = x->plan->actions[i].no_supervisor ? NULL : x->plan->actions[i].breaker;
	struct tool *t = find(d, name);
	json_t *error = NULL;
	const char *code;
	bool probe, over = false, success = false;
	size_t k;

	for (k = from; name && k < events->n; k++) {
		if (events->v[k].action != i || events->v[k].attempt != attempt)
			continue;
		success = success || events->v[k].type == EV_ACTION_COMPLETED;
		if (events->v[k].type == EV_ACTION_FAILED && !error)
			error = json_object_get(events->v[k].data, "error");
		over = over || success || events->v[k].type == EV_ACTION_FAILED || events->v[k].type == EV_ACTION_SKIPPED;
	}
	code = json_string_value(json_object_get(error, "code"));
	if (!over || (code && strcmp(code, refused) == 0))
		return;
	probe = t && is_probe(t, x, i, attempt);
	if (success || answered(x, i, error)) {
		if (t)
			step(d, t, probe ? BREAKER_PROBE_SUCCESS : BREAKER_SUCCESS, now);
	} else if (error && counts(error)) {
		t = t ? t : add(d, name);
		if (probe || t->b.state == BREAKER_CLOSED)
			remember(t, x, i, error, now);
		step(d, t, probe ? BREAKER_PROBE_FAILURE : BREAKER_FAILURE, now);
	} else if (probe) {
		step(d, t, BREAKER_PROBE_GONE, now);
	}
}

static bool probe_runs(struct daemon *d, const struct tool *t)
{
	const struct live *l = live_find(d, t->execution);
	uint32_t i = l && t->action ? plan_find(l->plan, t->action) : NO_ACTION;

	return i != NO_ACTION && l->exec->a[i].phase == PH_RUNNING && l->exec->a[i].attempt == t->attempt;
}

void breakers_check(struct daemon *d, msec now)
{
	size_t k;

	d->breakers->checked = now;
	for (k = 0; k < d->breakers->tools.n; k++) {
		struct tool *t = d->breakers->tools.v[k];

		if (t->b.state == BREAKER_HALF_OPEN && !probe_runs(d, t))
			step(d, t, BREAKER_PROBE_GONE, now);
	}
}

/* One that is due already was looked at in the last turn; whoever it held could go. */
msec breakers_deadline(const struct daemon *d)
{
	msec at = 0;
	size_t k;

	for (k = 0; k < d->breakers->tools.n; k++) {
		const struct breaker *b = &d->breakers->tools.v[k]->b;

		if (b->state == BREAKER_OPEN && b->probe_at > d->breakers->checked && (!at || b->probe_at < at))
			at = b->probe_at;
	}
	return at;
}

/* ---- files ---- */

static void set_time(json_t *o, const char *key, msec at)
{
	char text[CLOCK_TEXT];

	clock_format(at, text);
	json_object_set_new(o, key, json_string(text));
}

static json_t *encode(const struct tool *t)
{
	json_t *o = json_object(), *recent = json_array();
	char when[CLOCK_TEXT];
	uint32_t k;

	json_object_set_new(o, "name", json_string(t->name));
	json_object_set_new(o, "state", json_string(breaker_state_name(t->b.state)));
	json_object_set_new(o, "failures", json_integer(t->b.nfailed));
	for (k = 0; k < t->b.nfailed; k++) {
		clock_format(t->b.failed[k], when);
		json_array_append_new(recent, json_string(when));
	}
	json_object_set_new(o, "failedAt", recent);
	if (t->b.state != BREAKER_CLOSED) {
		set_time(o, "openedAt", t->b.opened_at);
		set_time(o, "probeAt", t->b.probe_at);
	}
	if (t->b.state == BREAKER_HALF_OPEN)
		json_object_set_new(o, "probe", json_pack("{s:s, s:s, s:I}", "execution", t->execution, "action", t->action,
							  "attempt", (json_int_t)t->attempt));
	if (t->last_error)
		json_object_set(o, "lastError", t->last_error);
	return o;
}

static int save(const struct daemon *d, const struct tool *t, struct err *e)
{
	AUTO_FREE char *file = xasprintf("%s.json", t->name), *text = NULL;
	json_t *o = encode(t);

	text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	/* Not flushed: what a power cut takes of it is only a breaker that closes too early. */
	return fs_publish(d->spool.fd[SPOOL_BREAKERS], file, text, strlen(text), 0, e);
}

void breakers_save(struct daemon *d)
{
	struct err e = {0};
	bool failed = false;
	size_t k;

	for (k = 0; k < d->breakers->tools.n; k++) {
		struct tool *t = d->breakers->tools.v[k];

		if (t->changed && save(d, t, &e) == 0)
			t->changed = false;
		failed = failed || t->changed;
	}
	if (failed && !d->breakers->told)
		log_error("the state of breakers cannot be written: %s", e.text);
	d->breakers->told = failed;
}

static bool get_time(const json_t *o, const char *key, msec *at)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text && clock_parse(text, at);
}

/* false: it says nothing that can be used. */
static bool decode(struct tool *t, json_t *o)
{
	const char *state = json_string_value(json_object_get(o, "state"));
	json_t *recent = json_object_get(o, "failedAt"), *probe = json_object_get(o, "probe"), *v;
	const char *execution = json_string_value(json_object_get(probe, "execution"));
	int s = state ? breaker_state_parse(state) : -1;
	msec at;
	size_t k;

	if (s < 0)
		return false;
	if (s != BREAKER_CLOSED && !(get_time(o, "openedAt", &t->b.opened_at) && get_time(o, "probeAt", &t->b.probe_at)))
		return false;
	json_array_foreach(recent, k, v)
		if (t->b.nfailed < BREAKER_FAILURES_MAX - 1 && json_is_string(v) && clock_parse(json_string_value(v), &at))
			t->b.failed[t->b.nfailed++] = at;
	if (execution && uuid_is_v7(execution))
		strcpy(t->execution, execution);
	t->action = xstrdup_opt(json_string_value(json_object_get(probe, "action")));
	t->attempt = (uint32_t)json_integer_value(json_object_get(probe, "attempt"));
	t->last_error = json_incref(json_object_get(o, "lastError"));
	t->b.state = (enum breaker_state)s;
	return true;
}

static int load_one(void *daemon, int dir, const char *file, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_FREE char *name = NULL;
	struct daemon *d = daemon;
	json_t *o = NULL;
	struct tool *t;

	if (!text_ends_with(file, ".json"))
		return 0;
	name = xstrndup(file, strlen(file) - strlen(".json"));
	if (!action_id_is(name))
		return 0;
	if (fs_read(dir, file, FILE_MAX, &text, e) == 0)
		o = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	else if (err_is_passing(e->code))
		return -1;
	t = add(d, name);
	if (!decode(t, o)) {
		log_warn("breakers/%s cannot be used%s%s; the breaker counts as closed", file, e->text[0] ? ": " : "", e->text);
		t->b = (struct breaker){.state = BREAKER_CLOSED};
		t->changed = true;
	}
	json_decref(o);
	return 0;
}

int breakers_load(struct daemon *d, struct err *e)
{
	d->breakers = xcalloc(1, sizeof *d->breakers);
	/* What cannot be read now is not closed: a tool that is to be left alone would be called. */
	return fs_each(d->spool.fd[SPOOL_BREAKERS], ".", load_one, d, e) < 0 ? err_prefix(e, "cannot read breakers/") : 0;
}

void breakers_free(struct daemon *d)
{
	size_t k;

	if (!d->breakers)
		return;
	for (k = 0; k < d->breakers->tools.n; k++) {
		struct tool *t = d->breakers->tools.v[k];

		json_decref(t->last_error);
		free(t->action);
		free(t->name);
		free(t);
	}
	vec_free(&d->breakers->tools);
	map_free(&d->breakers->index);
	free(d->breakers);
	d->breakers = NULL;
}
