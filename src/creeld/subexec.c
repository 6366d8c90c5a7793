#include "creeld/subexec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/plan_load.h"
#include "core/context.h"
#include "creeld/intake.h"
#include "creeld/secrets.h"
#include "model/error.h"
#include "store/journal.h"

enum { BEGIN_AGAIN_MS = 200 };
enum { BATCH = 128 }; /* children admitted in one turn: many of them must not keep the others waiting */

static struct action_state *state_of(const struct sub *s)
{
	return &s->parent->exec->a[s->action];
}

static const char *id_of(const struct sub *s)
{
	return state_of(s)->child;
}

/* Is this still the attempt that runs? */
static bool is_current(const struct sub *s)
{
	const struct action_state *a = state_of(s);

	return a->phase == PH_RUNNING && a->attempt == s->attempt && a->child &&
	       s->parent->exec->outcome == OUTCOME_NONE;
}

static void take_out(struct daemon *d, size_t k)
{
	memmove(d->subs.v + k, d->subs.v + k + 1, (d->subs.n - k - 1) * sizeof *d->subs.v);
	d->subs.n--;
}

static json_t *parent_data(const struct sub *s)
{
	return json_pack("{s:s, s:s, s:I}", "execution", s->parent->exec->id, "action",
			 s->parent->plan->actions[s->action].id, "attempt", (json_int_t)s->attempt);
}

/* ---- orders to a child ---- */

static void order(struct daemon *d, const struct sub *s, struct live *child, const char *verb, uint32_t action,
		  const char *why)
{
	const struct exec *x = s->parent->exec;
	struct input *in = live_input(d, child, INPUT_ORDER, action);
	const char *user;

	in->verb = xstrdup(verb);
	in->comment = xasprintf("\"%s\" of %s %s", s->parent->plan->actions[s->action].id, x->id, why);
	in->parent = parent_data(s);
	/* Who asked for it asked for it in the whole tree. */
	if (x->cancelling || strcmp(verb, "cancel") != 0)
		in->by = json_incref(x->by);
	user = json_string_value(json_object_get(in->by, "user"));
	in->user = xstrdup_opt(user);
}

static msec time_is_over_at(const struct sub *s)
{
	const struct action *pa = &s->parent->plan->actions[s->action];
	const struct action_state *a = state_of(s);
	msec one = pa->timeout ? a->started + pa->timeout : 0;
	msec all = pa->total_timeout ? a->first_started + pa->total_timeout : 0;

	return one && (!all || one < all) ? one : all;
}

static void follow(struct daemon *d, struct sub *s)
{
	const struct exec *x = s->parent->exec, *c = s->child->exec;

	if (core_must_end(x, s->action)) {
		if (!s->told_to_end)
			order(d, s, s->child, "cancel", NO_ACTION, "was ended");
		s->told_to_end = true;
	} else if (x->paused && !c->paused) {
		order(d, s, s->child, "pause", NO_ACTION, "is paused");
	} else if (!x->paused && c->paused_above) {
		order(d, s, s->child, "resume", NO_ACTION, "goes on");
	}
}

void subexec_follow(struct daemon *d, struct live *l)
{
	size_t k;

	if (l->exec->children == 0)
		return;
	for (k = 0; k < d->subs.n; k++)
		if (d->subs.v[k].parent == l && d->subs.v[k].child)
			follow(d, &d->subs.v[k]);
}

msec subexec_deadline(const struct daemon *d)
{
	msec first = 0;
	size_t k;

	for (k = 0; k < d->subs.n; k++) {
		msec at = d->subs.v[k].child && !d->subs.v[k].told_to_end ? time_is_over_at(&d->subs.v[k]) : 0;

		if (d->subs.v[k].again)
			at = clock_wall() + d->subs.v[k].again - clock_mono();
		if (at && (!first || at < first))
			first = at;
	}
	return first;
}

/* ---- what a child came to ---- */

static struct input *result(struct daemon *d, const struct sub *s)
{
	struct input *in = live_input(d, s->parent, INPUT_RESULT, s->action);

	in->attempt = s->attempt;
	in->report.result = (struct attempt_result){
	    .outcome = ATTEMPT_RETURNED, .started = state_of(s)->started, .finished = clock_wall()};
	return in;
}

/* It cannot be run, or nothing is known of it: the attempt fails with this error (taken over). */
static void deliver_error(struct daemon *d, const struct sub *s, json_t *error)
{
	struct input *in = result(d, s);

	in->report.error = in->report.result.error = error;
}

/* -1 and *e: it cannot be told now. */
static int deliver(struct daemon *d, const struct sub *s, struct exec *c, struct err *e)
{
	msec over = time_is_over_at(s);
	struct attempt_report report = {0};
	struct input *in;

	if (subexec_report(c, (size_t)d->config.output_cap, &report, e) < 0)
		return -1;
	in = result(d, s);
	report.result.outcome = in->report.result.outcome;
	report.result.started = in->report.result.started;
	if (c->outcome == OUTCOME_CANCELLED && over && c->ended_at >= over && !exec_stopping(s->parent->exec))
		report.result.outcome = ATTEMPT_TIMEOUT;
	in->report = report;
	return 0;
}

/* It cannot be told now what there is: looked at again. */
static void begin_later(struct sub *s, const struct err *e)
{
	s->again = clock_mono() + BEGIN_AGAIN_MS;
	if (!s->told)
		log_warn("execution %s, which \"%s\" of %s runs, cannot be looked at: %s; trying again", id_of(s),
			 s->parent->plan->actions[s->action].id, s->parent->exec->id, e->text);
	s->told = true;
}

bool subexec_ended(struct daemon *d, struct live *l)
{
	struct err e;
	size_t k;

	if (!l->exec->parent)
		return false;
	for (k = 0; k < d->subs.n; k++)
		if (d->subs.v[k].child == l) {
			if (is_current(&d->subs.v[k]) && deliver(d, &d->subs.v[k], l->exec, &e) < 0) {
				d->subs.v[k].child = NULL;
				begin_later(&d->subs.v[k], &e);
			} else {
				take_out(d, k);
			}
			return true;
		}
	return false;
}

static void withdraw(struct daemon *d, const struct sub *s)
{
	live_input(d, s->parent, INPUT_WITHDRAWN, s->action)->attempt = s->attempt;
}

/* ---- a new child ---- */

/* The inputs that the child starts with: its own, and over them those it is given.  NULL: *error says why not. */
static json_t *inputs_below(const char *child_plan, const json_t *given)
{
	json_t *plan = json_loads(child_plan, 0, NULL);
	json_t *inputs = json_copy(json_object_get(plan, "inputs"));

	json_decref(plan);
	if (!inputs)
		inputs = json_object();
	json_object_update(inputs, (json_t *)given);
	return inputs;
}

/* What the attempt starts with: as it was decided, or made again after a restart. */
static json_t *resolved(const struct sub *s, json_t **error)
{
	struct action_state *a = state_of(s);
	json_t *inputs = a->resolved;

	a->resolved = NULL;
	return inputs ? inputs : context_inputs(s->parent->exec, s->action, error);
}

static json_t *no_secrets(const struct exec *x, const json_t *inputs)
{
	AUTO_FREE char *text = json_dumps(inputs, JSON_COMPACT);
	json_t *error;

	if (!x->nonce[0] || !text || !strstr(text, x->nonce))
		return NULL;
	error = error_new(ERROR_VALIDATION_FAILED, false, "a secret cannot be handed to a plan: it would be written down");
	error_set_code(error, "secret");
	error_set_suggestion(error, "let the plan that is run name the secret itself, under env: of an action");
	return error;
}

static void admit_child(struct daemon *d, struct sub *s, json_t *inputs, msec now, struct flush_job *j)
{
	const struct plan *p = s->parent->plan;
	json_t *root = json_loads(plan_child(p, s->action), 0, NULL), *parent = parent_data(s);
	const char *name = json_string_value(json_object_get(inputs, "plan"));
	struct err e;
	json_t *below = inputs_below(plan_child(p, s->action), json_object_get(inputs, "inputs"));
	json_t *by = p->submitted_by ? json_incref(p->submitted_by) : person_of(getuid(), &e);
	struct diags found = DIAGS_INIT;
	struct admitted a = {.canonical = root};
	struct buf text = BUF_INIT;
	char *bytes;

	if (!by) /* nobody's name decides anything here */
		by = json_pack("{s:I}", "uid", (json_int_t)getuid());
	if (json_object_size(below) > 0)
		json_object_set(root, "inputs", below);
	json_object_set(root, "submittedBy", by);
	a.plan = plan_load(root, &found);
	bytes = json_dumps(root, JSON_INDENT(2));
	buf_puts(&text, bytes);
	free(bytes);
	intake_admit(d, &(struct intake_plan){.id = id_of(s), .ext = "json", .name = name ? name : "inline",
					     .text = &text, .plan = &a, .by = by, .parent = parent, .now = now}, j);
	s->child = live_find(d, id_of(s));
	json_decref(root);
	json_decref(parent);
	json_decref(below);
	json_decref(by);
	diags_free(&found);
}

/* ---- a child that was there before ---- */

/* What stopped it: these are tried again, and with them what did not run because of them. */
static bool is_to_blame(const struct exec *c, uint32_t i)
{
	const struct action *pa = &c->plan->actions[i];
	const struct action_state *a = &c->a[i];

	return !pa->standby && a->phase == PH_FAILED && a->stand_in == STAND_IN_NONE &&
	       (a->settled == SETTLED_BLOCKS || pa->critical);
}

/* Nothing failed and it was stopped all the same: one that was kept from running opens it again. */
static bool was_kept_from_running(const struct exec *c, uint32_t i)
{
	const char *cause = json_string_value(json_object_get(c->a[i].record, "cause"));

	return !c->plan->actions[i].standby && c->a[i].phase == PH_SKIPPED && cause && strcmp(cause, "condition") != 0 &&
	       strcmp(cause, "skipped_by_hand") != 0 && strcmp(cause, "not_needed") != 0;
}

static uint32_t next_where(const struct exec *c, uint32_t from, bool (*holds)(const struct exec *, uint32_t))
{
	while (from < c->plan->planned && !holds(c, from))
		from++;
	return from < c->plan->planned ? from : NO_ACTION;
}

static bool can_be_reopened(const struct exec *c)
{
	return next_where(c, 0, is_to_blame) != NO_ACTION || next_where(c, 0, was_kept_from_running) != NO_ACTION;
}

static void reopen(struct daemon *d, struct sub *s)
{
	struct err e = {0};
	struct live *l = recover_finished(d, id_of(s), &e);
	uint32_t i;

	if (!l && err_is_passing(e.code)) {
		begin_later(s, &e);
		return;
	}
	if (!l) {
		deliver_error(d, s, error_new(ERROR_STATE_INCONSISTENT, false, "its execution %s cannot be opened again: %s",
					      id_of(s), e.text));
		return;
	}
	i = next_where(l->exec, 0, is_to_blame);
	if (i == NO_ACTION)
		order(d, s, l, "retry", next_where(l->exec, 0, was_kept_from_running), "is tried again");
	for (; i != NO_ACTION; i = next_where(l->exec, i + 1, is_to_blame))
		order(d, s, l, "retry", i, "is tried again");
	s->child = l;
}

/* Did it end for this attempt, or is it left from an earlier one? */
static bool ended_for(const struct sub *s, const struct exec *c)
{
	return c->outcome == OUTCOME_COMPLETED || !can_be_reopened(c) ||
	       (!c->by_hand && json_integer_value(json_object_get(c->parent, "attempt")) == (json_int_t)s->attempt);
}

static bool same_inputs(const struct exec *x, uint32_t action, const json_t *inputs, const struct plan *before)
{
	json_t *now = inputs_below(plan_child(x->plan, action), json_object_get(inputs, "inputs"));
	json_t *none = json_object();
	bool same = json_equal(now, before->inputs ? before->inputs : none);

	json_decref(now);
	json_decref(none);
	return same;
}

/* May the execution that the last attempt ran be taken up again? */
static bool goes_on(struct daemon *d, const struct exec *x, uint32_t action, const json_t *inputs)
{
	const struct live *l = live_find(d, x->a[action].child);
	struct loaded loaded;
	struct err e;
	bool good;

	if (l) /* a person opened it again in the meantime */
		return same_inputs(x, action, inputs, l->plan);
	if (journal_load(&d->spool, x->a[action].child, true, &loaded, &e) < 0)
		/* What it did must not be done again because it cannot be read at the moment. */
		return err_is_passing(e.code) && !x->a[action].inputs;
	good = loaded.exec->outcome == OUTCOME_COMPLETED ? loaded.exec->by_hand : can_be_reopened(loaded.exec);
	good = good && loaded.exec->outcome != OUTCOME_NONE && same_inputs(x, action, inputs, loaded.plan);
	loaded_free(&loaded);
	return good;
}

void subexec_choose(void *ctx, const struct exec *x, uint32_t action, const json_t *inputs, char id[UUID_TEXT])
{
	if (x->a[action].child && goes_on(ctx, x, action, inputs))
		strcpy(id, x->a[action].child);
	else
		uuid_v7(clock_wall(), id);
}

/* ---- starting ---- */

static bool must_not_start(const struct sub *s)
{
	return exec_stopping(s->parent->exec) && s->action != s->parent->exec->compensating;
}

/* Outputs that it needs cannot be read: what becomes of that is decided where it starts.  error is taken over. */
static void unstarted(struct daemon *d, const struct sub *s, json_t *error)
{
	struct input *in = live_input(d, s->parent, INPUT_UNSTARTED, s->action);

	in->attempt = s->attempt;
	in->reason = xstrdup_opt(json_string_value(json_object_get(error, "message")));
	json_decref(error);
}

static void begin_new(struct daemon *d, struct sub *s, msec now, struct flush_job *j)
{
	json_t *error = NULL, *inputs;

	if (must_not_start(s)) {
		withdraw(d, s);
		return;
	}
	s->parent->exec->unread = NO_ACTION;
	inputs = resolved(s, &error);
	if (!inputs && s->parent->exec->unread != NO_ACTION) {
		unstarted(d, s, error);
		return;
	}
	if (inputs)
		error = no_secrets(s->parent->exec, inputs);
	if (error)
		deliver_error(d, s, error);
	else
		admit_child(d, s, inputs, now, j);
	json_decref(inputs);
}

static void begin_again(struct daemon *d, struct sub *s)
{
	struct loaded loaded;
	struct err e = {0};
	json_t *error;
	int r;

	if (recover_waits(d, id_of(s))) {
		err_set(&e, EAGAIN, "it is not loaded yet");
		begin_later(s, &e);
		return;
	}
	r = journal_load(&d->spool, id_of(s), true, &loaded, &e);
	if (r < 0 && err_is_passing(e.code)) {
		begin_later(s, &e);
		return;
	}
	if (r < 0) {
		error = error_new(ERROR_STATE_INCONSISTENT, false, "its execution %s cannot be read: %s", id_of(s), e.text);
		error_set_code(error, "child:lost");
		error_set_context(error, "execution", id_of(s));
		deliver_error(d, s, error);
		return;
	}
	live_loads(d, loaded.exec);
	if (ended_for(s, loaded.exec)) {
		if (deliver(d, s, loaded.exec, &e) < 0)
			begin_later(s, &e);
	} else if (must_not_start(s)) {
		withdraw(d, s);
	} else {
		reopen(d, s);
	}
	loaded_free(&loaded);
}

/* Find the child, or make it.  false: nothing is to be waited for any more. */
static bool begin(struct daemon *d, struct sub *s, msec now, struct flush_job *j)
{
	char path[SPOOL_PATH_MAX];
	struct err e;
	int there;

	if (!is_current(s))
		return false;
	s->again = 0;
	spool_execution_path(id_of(s), path);
	s->child = live_find(d, id_of(s));
	there = s->child ? 1 : fs_there(d->spool.fd[SPOOL_ROOT], path, &e);
	if (s->child)
		follow(d, s);
	else if (there < 0)
		begin_later(s, &e);
	else if (there > 0)
		begin_again(d, s);
	else
		begin_new(d, s, now, j);
	return s->child || s->again;
}

void subexec_start(struct daemon *d, struct live *parent, uint32_t action)
{
	struct sub s = {.parent = parent, .action = action, .attempt = parent->exec->a[action].attempt};

	vec_push(&d->subs, s);
	live_dirty(d, parent); /* there must be a turn */
}

static void end_late(struct daemon *d, struct sub *s, msec now)
{
	msec over = time_is_over_at(s);

	if (!over || over > now || s->told_to_end)
		return;
	s->told_to_end = true;
	order(d, s, s->child, "cancel", NO_ACTION, "has used up its time");
}

void subexec_turn(struct daemon *d, msec now, struct flush_job *j)
{
	unsigned begun = 0;
	size_t k = 0;

	while (k < d->subs.n) {
		struct sub s = d->subs.v[k]; /* a copy: what it starts may add others */

		if (s.child) {
			end_late(d, &s, now);
		} else if (s.parent->exec->paused && !exec_stopping(s.parent->exec)) {
			k++; /* until it is resumed */
			continue;
		} else if (s.again > clock_mono()) {
			k++;
			continue;
		} else if (begun++ == BATCH) {
			live_dirty(d, s.parent);
			return;
		} else if (!begin(d, &s, now, j)) {
			take_out(d, k);
			continue;
		}
		d->subs.v[k++] = s;
	}
}
