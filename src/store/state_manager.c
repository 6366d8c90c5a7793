#include "store/state_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/commit.h"
#include "codec/definitions.h"
#include "core/decide.h"
#include "model/error.h"
#include "store/admit.h"
#include "store/catalog_http.h"
#include "store/catalog_plans.h"
#include "store/hold.h"
#include "store/journal.h"
#include "store/state_file.h"
#include "store/write.h"

/* ---- the lock that the daemon holds ---- */

static int lock(const struct spool *s, struct err *e)
{
	int fd = openat(s->fd[SPOOL_ROOT], "creeld.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return err_sys(e, errno, "cannot open creeld.lock");
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return err_set(e, EWOULDBLOCK, "a daemon serves %s and owns its executions: drop files for it, or stop it first",
		       s->path);
}

/* ---- one change ---- */

static struct turn turn_now(struct events *out)
{
	msec now = clock_wall();

	return (struct turn){.now = now, .random = (uint64_t)now * 2654435761u + (uint64_t)getpid(), .out = out,
			     .check_inputs = definition_check_inputs};
}

static int publish_state(const struct spool *s, const struct loaded *l, const char *day, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct state_marks marks = {l->seq, l->events_seq};
	bool over = l->exec->outcome != OUTCOME_NONE;

	state_encode(&text, s, l->exec, &marks);
	if (state_publish(s, l->exec->id, text.p, text.len, true, e) < 0)
		return -1;
	if (over && events_sync(s, day, e) < 0)
		return -1;
	return over ? active_remove(s, l->exec->id, e) : 0;
}

/* Write the events as the next commit, and what follows from it. */
static int commit(const struct spool *s, struct loaded *l, struct events *events, msec now, struct err *e)
{
	struct commit c = {.seq = l->seq + 1, .at = now, .events = *events};
	AUTO_BUF struct buf text = BUF_INIT, lines = BUF_INIT;
	char day[CLOCK_TEXT];

	if (events->n == 0)
		return 0;
	strcpy(c.prev, l->prev);
	commit_encode(&text, l->plan, &c);
	commit_event_lines(&lines, l->plan, l->exec->id, &c);
	if (commit_write(s, l->exec->id, c.seq, text.p, text.len, e) < 0)
		return -1;
	l->seq = c.seq;
	clock_format(now, day);
	day[10] = '\0';
	if (events_append(s, day, lines.p, lines.len, e) < 0)
		return -1;
	return publish_state(s, l, day, e);
}

static int find_action(const struct loaded *l, const char *action, uint32_t *i, struct err *e)
{
	*i = plan_find(l->plan, action);
	return *i == NO_ACTION ? err_set(e, ENOENT, "execution %s has no action \"%s\"", l->exec->id, action) : 0;
}

static int begin(struct exec *x, struct turn *t, uint32_t i, struct err *e)
{
	core_advance(x, t);
	if (x->a[i].phase != PH_READY)
		return err_set(e, EBUSY, "\"%s\" cannot start now: it is %s%s", x->plan->actions[i].id,
			       phase_status(x->a[i].phase),
			       x->a[i].deps_left ? ", and its dependencies are not settled" : "");
	/* core_start takes the first in line; this one is asked for by name. */
	x->ready.n = 0;
	heap_push(&x->ready, 0, i);
	if (!core_start(x, t))
		return err_set(e, EINVAL, "\"%s\" failed before it could start: see its state", x->plan->actions[i].id);
	return 0;
}

static json_t *no_output(void)
{
	char sum[SHA256_HEX];

	sha256_hex("{}", 2, sum);
	return json_pack("{s:{s:s, s:s, s:i, s:s, s:s, s:{}}}", "outputLocation", "provider", "local", "path",
			 "empty.json", "size", 2, "checksum", sum, "contentType", "application/json", "metadata");
}

static void end_attempt(struct exec *x, struct turn *t, uint32_t i, json_t *error, json_t *output)
{
	json_t *more = error ? NULL : no_output();
	struct attempt_result r = {.outcome = error ? ATTEMPT_FAILED : ATTEMPT_EXITED,
				   .started = x->a[i].started,
				   .finished = t->now,
				   .error = error,
				   .output = output,
				   .more = more};

	core_result(x, t, i, &r);
	json_decref(more);
}

typedef int (*change)(struct exec *x, struct turn *t, uint32_t i, const void *what, struct err *e);

static int change_held(const struct spool *s, const char *id, const char *action, change how, const void *what,
		       struct err *e)
{
	struct events out = EVENTS_INIT;
	struct turn t = turn_now(&out);
	struct loaded l;
	uint32_t i;
	bool over;
	int r;

	if (journal_load(s, id, false, &l, e) < 0)
		return -1;
	over = l.exec->outcome != OUTCOME_NONE;
	r = find_action(&l, action, &i, e);
	if (r == 0)
		r = how(l.exec, &t, i, what, e);
	if (r == 0) {
		core_advance(l.exec, &t);
		core_finish(l.exec, &t);
		/* One that is opened again is active before the commit that says so. */
		if (over && out.n > 0)
			r = active_link(s, id, e);
	}
	if (r == 0)
		r = commit(s, &l, &out, t.now, e);
	events_free(&out);
	loaded_free(&l);
	return r;
}

static int change_locked(const struct spool *s, const char *id, const char *action, change how, const void *what,
			 struct err *e)
{
	int held = hold_shared(s, id, e), r;

	if (held < 0)
		return -1;
	r = change_held(s, id, action, how, what, e);
	close(held);
	return r;
}

static int change_one(const struct spool *s, const char *id, const char *action, change how, const void *what,
		      struct err *e)
{
	int fd = lock(s, e), r;

	if (fd < 0)
		return -1;
	r = change_locked(s, id, action, how, what, e);
	close(fd);
	return r;
}

/* ---- updateActionStatus ---- */

static int ask(struct exec *x, struct turn *t, uint32_t i, const char *verb, const char *reason, struct err *e)
{
	struct request r = {.verb = verb, .action = i, .reason = reason, .changed = t->now};

	return core_control(x, t, &r, e);
}

static int set_status(struct exec *x, struct turn *t, uint32_t i, const void *what, struct err *e)
{
	const char *status = what;
	bool completed = strcmp(status, "completed") == 0;
	json_t *error = NULL;

	if (strcmp(status, "running") == 0)
		return begin(x, t, i, e);
	if (strcmp(status, "skipped") == 0)
		return ask(x, t, i, "skip", NULL, e);
	if (strcmp(status, "pending") == 0)
		return ask(x, t, i, "retry", NULL, e);
	if (!completed && strcmp(status, "failed") != 0)
		return err_set(e, EINVAL, "\"%s\" is no status: pending, running, completed, failed or skipped", status);
	if (x->a[i].phase != PH_RUNNING && begin(x, t, i, e) < 0)
		return -1;
	if (!completed) {
		error = error_new(ERROR_STATE_INCONSISTENT, false, "set to failed by hand");
		error_set_code(error, "status");
	}
	end_attempt(x, t, i, error, NULL);
	json_decref(error);
	return 0;
}

int state_update_status(const struct spool *s, const char *id, const char *action, const char *status, struct err *e)
{
	return change_one(s, id, action, set_status, status, e);
}

/* ---- recordActionResult ---- */

static int set_result(struct exec *x, struct turn *t, uint32_t i, const void *what, struct err *e)
{
	const json_t *result = what;
	const char *status = json_string_value(json_object_get(result, "status"));
	json_t *error = json_object_get(result, "error"), *output = json_object_get(result, "output");
	const char *category = json_string_value(json_object_get(error, "category"));

	if (status && strcmp(status, "skipped") == 0)
		return ask(x, t, i, "skip", json_string_value(json_object_get(result, "reason")), e);
	if (!status || (strcmp(status, "success") != 0 && strcmp(status, "failure") != 0))
		return err_set(e, EINVAL, "a result has a \"status\": success, failure or skipped");
	if (strcmp(status, "failure") == 0 && (!category || error_category_parse(category) < 0 ||
					       !json_is_string(json_object_get(error, "message"))))
		return err_set(e, EINVAL, "a failure has an \"error\" with a category of S0 and a message");
	if (output && !json_is_object(output))
		return err_set(e, EINVAL, "\"output\" is an object");
	if (x->a[i].phase != PH_RUNNING && begin(x, t, i, e) < 0)
		return -1;
	end_attempt(x, t, i, strcmp(status, "failure") == 0 ? error : NULL, output);
	return 0;
}

int state_record_result(const struct spool *s, const char *id, const char *action, const json_t *result,
			struct err *e)
{
	return change_one(s, id, action, set_result, result, e);
}

/* ---- initializeState ---- */

static void fill(struct admission *a, struct admitted *plan, const char *id, const char *name, const char *text,
		 size_t n, struct events *events, msec now)
{
	const char *dot = strrchr(name, '.');
	struct commit c = {.seq = 1, .at = now, .events = *events};
	struct buf bytes = BUF_INIT;

	strcpy(a->id, id);
	a->ext = xstrdup(dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".yml") == 0) ? dot + 1 : "yaml");
	a->source = xstrndup(text, n);
	a->source_n = n;
	a->plan = json_dumps(plan->canonical, JSON_INDENT(2));
	a->plan_n = strlen(a->plan);
	sha256_tagged(a->plan, a->plan_n, c.prev);
	commit_encode(&bytes, plan->plan, &c);
	a->commit_n = bytes.len;
	a->commit = buf_steal(&bytes);
}

static int place(const struct spool *s, struct admission *a, const struct plan *plan, struct events *events,
		 msec now, struct err *e)
{
	AUTO_BUF struct buf lines = BUF_INIT;
	struct commit c = {.seq = 1, .at = now, .events = *events};
	char day[CLOCK_TEXT];

	if (admission_write(s, a, e) < 0 || spool_sync(s, e) < 0 || admission_place(s, a, e) < 0 ||
	    spool_sync(s, e) < 0)
		return -1;
	commit_event_lines(&lines, plan, a->id, &c);
	clock_format(now, day);
	day[10] = '\0';
	if (events_append(s, day, lines.p, lines.len, e) < 0)
		return -1;
	return admission_forget(s, a, e);
}

static int initialize_locked(const struct spool *s, const char *name, const char *text, size_t n,
			     struct diags *findings, char id[UUID_TEXT], struct err *e)
{
	struct admission files = {0};
	struct events out = EVENTS_INIT;
	struct turn t = turn_now(&out);
	struct plan_catalog catalog = catalog_plans(s);
	struct admitted plan;
	struct exec *x;
	bool right;
	int r;

	catalog.http = http_catalog_new(s->fd[SPOOL_ROOT]);
	right = admit_plan_in(&catalog, name, text, n, NULL, t.now, &plan, findings);
	http_catalog_free(catalog.http);
	if (!right)
		return err_set(e, EINVAL, "%s is not a plan that can run", name);
	uuid_v7(t.now, id);
	x = exec_new(plan.plan, id);
	core_begin(x, &t, json_pack("{s:s, s:s, s:i}", "planId", plan.plan->id, "name", plan.plan->name, "actions",
				    (int)plan.plan->n));
	fill(&files, &plan, id, name, text, n, &out, t.now);
	r = place(s, &files, plan.plan, &out, t.now, e);
	admission_free(&files);
	exec_free(x);
	events_free(&out);
	admitted_free(&plan);
	return r;
}

int state_initialize(const struct spool *s, const char *name, const char *plan, size_t n, json_t **state,
		     struct diags *findings, struct err *e)
{
	char id[UUID_TEXT];
	int fd = lock(s, e), r;

	*state = NULL;
	if (fd < 0)
		return -1;
	r = initialize_locked(s, name, plan, n, findings, id, e);
	close(fd);
	if (r < 0)
		return -1;
	*state = state_full(s, id, e);
	return *state ? 0 : -1;
}

/* ---- reading ---- */

json_t *state_available(const struct spool *s, const char *id, struct err *e)
{
	struct events out = EVENTS_INIT;
	struct turn t = turn_now(&out);
	struct loaded l;
	json_t *list;
	uint32_t i;

	if (journal_load(s, id, true, &l, e) < 0)
		return NULL;
	/* What the core would decide next is decided on this copy and thrown away. */
	core_timers(l.exec, &t);
	core_advance(l.exec, &t);
	list = json_array();
	for (i = 0; i < l.plan->n; i++)
		if (l.exec->a[i].phase == PH_READY && !l.exec->paused)
			json_array_append_new(list, json_string(l.plan->actions[i].id));
	events_free(&out);
	loaded_free(&l);
	return list;
}

json_t *state_full(const struct spool *s, const char *id, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct state_marks marks;
	struct loaded l;
	json_t *state;

	if (journal_load(s, id, true, &l, e) < 0)
		return NULL;
	marks = (struct state_marks){l.seq, l.events_seq};
	state_encode(&text, s, l.exec, &marks);
	state = json_loadb(text.p, text.len, 0, NULL);
	loaded_free(&l);
	if (!state)
		err_set(e, EBADMSG, "the state cannot be shown");
	return state;
}

json_t *state_result(const struct spool *s, const char *id, const char *action, struct err *e)
{
	json_t *state = state_full(s, id, e), *one, *result;

	if (!state)
		return NULL;
	one = json_object_get(json_object_get(state, "actionStates"), action);
	result = json_object_get(one, "result");
	if (!one)
		err_set(e, ENOENT, "execution %s has no action \"%s\"", id, action);
	else
		result = result ? json_incref(result) : json_null();
	json_decref(state);
	return one ? result : NULL;
}
