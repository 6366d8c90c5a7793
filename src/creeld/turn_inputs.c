/*
 * turn_inputs.c - what arrived for one execution since its last turn: decisions, orders, and what became of attempts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "creeld/apis.h"
#include "creeld/breakers.h"
#include "creeld/flush.h"
#include "creeld/requests.h"
#include "creeld/secrets.h"
#include "creeld/typed.h"
#include "model/error.h"

/* Where an obeyed file is kept, below the execution. */
static void keep_file(struct daemon *d, struct live *l, const struct input *in, struct flush_job *j)
{
	char dir[SPOOL_PATH_MAX];
	struct flush_file f = {.keep = true}; /* an order that is repeated changes nothing, and its commit has no number */

	/* Files below confirm/by/USER are that person's: read and remembered, never moved. */
	if (in->dir == SPOOL_CONFIRM_BY)
		return;
	f.from = xasprintf("%s/%s", spool_dir_name(in->dir), in->file);
	if (in->kind == INPUT_DECISION) {
		spool_confirm_path(l->exec->id, l->plan->actions[in->action].id, l->exec->a[in->action].asked, dir);
		f.to = xasprintf("%s/%s", dir, in->verb);
		if (in->typed) { /* what was typed in is not kept: that it was is */
			vec_push(&j->files, (struct flush_file){.to = f.to, .text = xstrdup("{\"input\":\"***\"}")});
			f.to = NULL;
		}
	} else {
		spool_execution_path(l->exec->id, dir);
		f.to = xasprintf("%s/control/%08u-%s", dir, l->seq + 1, in->file + UUID_TEXT);
	}
	(void)d;
	vec_push(&j->files, f);
}

/* What a parent execution passes on to its parts. */
static void take_order(struct live *l, struct turn *t, struct input *in)
{
	struct err e = {0};

	in->request = (struct request){.verb = in->verb, .action = in->action, .by = in->by, .user = in->user,
				       .reason = in->comment, .parent = in->parent};
	if (core_control(l->exec, t, &in->request, &e) < 0)
		log_debug("execution %s does not obey its parent: %s: %s", l->exec->id, in->verb, e.text);
}

/* A value that a person types in answers the request for one, and nothing else. */
static int check_typed(struct live *l, const struct input *in, struct err *e)
{
	const struct asked *open = exec_open_request(l->exec, in->action);
	bool wanted = open && strcmp(open->kind, "input") == 0;

	if (wanted && !in->typed && strcmp(in->verb, "approve") == 0)
		return err_set(e, EINVAL, "it does not hold what is asked for: creel approve asks for it and writes the file");
	if (!in->typed)
		return 0;
	if (open && !wanted)
		return err_set(e, EINVAL, "nobody asked for a value here");
	if (in->dir == SPOOL_CONFIRM_BY)
		return err_set(e, EINVAL, "a value that is typed in must not stay on the disk: remove the file, and drop it in confirm/");
	if (strlen(in->typed) < SECRET_MIN)
		return err_set(e, EINVAL, "the value has less than %d bytes: it could not be masked in what is recorded", SECRET_MIN);
	return 0;
}

static int take_decision(struct daemon *d, struct live *l, struct turn *t, struct input *in, struct err *e)
{
	if (check_typed(l, in, e) < 0 || core_decision(l->exec, t, &in->request, e) < 0)
		return -1;
	if (in->typed && strcmp(in->verb, "approve") == 0)
		typed_put(d, l->exec, in->action, in->typed);
	return 0;
}

static void take_request(struct daemon *d, struct live *l, struct turn *t, struct input *in, struct flush_job *j)
{
	const struct confirmation *c = in->action == NO_ACTION ? NULL : l->plan->actions[in->action].confirmation;
	struct err e = {0};
	int r;

	in->request.verb = in->verb;
	in->request.action = in->action;
	in->request.by = in->by;
	in->request.user = in->user;
	in->request.reason = in->comment;
	in->request.inputs = in->inputs;
	in->request.file = in->mark;
	in->request.copied = d->restored;
	if (in->inputs && in->action != NO_ACTION && plan_child(l->plan, in->action) &&
	    json_object_get(in->inputs, "plan"))
		r = err_set(&e, EINVAL, "the plan that \"%s\" runs was pinned when its own plan was admitted",
			    l->plan->actions[in->action].id);
	/* In a directory that several may write to, a file can be moved in by somebody who does not own it. */
	else if (in->kind == INPUT_DECISION && c && in->dir != SPOOL_CONFIRM_BY && !in->typed &&
	    (c->napprovers > 0 || c->quorum > 1 || c->no_self_approval))
		r = err_set(&e, EPERM, "this decision counts only from confirm/by/%s/: use creel approve or creel reject",
			    in->user);
	else if (in->kind == INPUT_DECISION && in->number && in->number != l->exec->a[in->action].asked)
		r = err_set(&e, EINVAL, "it cites request %u of \"%s\", and the latest is %u: look at it and decide anew",
			    in->number, l->plan->actions[in->action].id, l->exec->a[in->action].asked);
	else if (in->kind == INPUT_DECISION)
		r = take_decision(d, l, t, in, &e);
	else
		r = core_control(l->exec, t, &in->request, &e);
	if (r == 0) {
		if (in->kind == INPUT_DECISION)
			requests_answered(l, in, j);
		keep_file(d, l, in, j);
		return;
	}
	if (in->dir == SPOOL_CONFIRM_BY)
		requests_refuse_personal(d, in, e.text);
	else if (in->typed)
		drop_reject_typed(d, d->spool.fd[in->dir], in->file,
				  drop_report(in->file, "validation_failed", e.text, NULL, in->uid));
	else
		drop_reject(d, d->spool.fd[in->dir], in->file, in->file,
			    drop_report(in->file, "validation_failed", e.text, NULL, in->uid));
}

/* Did an attempt of an HTTP action run, so that it may have sent something? */
static bool ran(const struct attempt_result *r)
{
	return r->outcome == ATTEMPT_EXITED || r->outcome == ATTEMPT_SIGNALLED || r->outcome == ATTEMPT_TIMEOUT ||
	       r->outcome == ATTEMPT_TERMINATED;
}

static void http_ended(struct daemon *d, struct live *l, const struct input *in, msec now)
{
	const struct action *pa = &l->plan->actions[in->action];
	const json_t *error = in->report.result.error;
	enum error_category c = error ? error_category_of(error) : ERROR_CATEGORY_COUNT;

	if (!pa->http)
		return;
	apis_ended(d, l->exec, in->action, in->attempt, error,
		   ran(&in->report.result) ? in->report.result.finished : NOT_SENT, now);
	if (pa->pinned && pa->pinned->typed && (c == ERROR_AUTH_INVALID || c == ERROR_AUTH_EXPIRED))
		typed_forget(d, l->exec, in->action);
}

static void take_input(struct daemon *d, struct live *l, struct turn *t, struct input *in, struct flush_job *j)
{
	struct action_state *a = in->action == NO_ACTION ? NULL : &l->exec->a[in->action];
	size_t before = t->out->n;

	if (in->kind == INPUT_DECISION || in->kind == INPUT_CONTROL) {
		take_request(d, l, t, in, j);
		return;
	}
	if (in->kind == INPUT_ORDER) {
		take_order(l, t, in);
		return;
	}
	/* About an attempt: it must still be the one that runs. */
	if (!a || a->phase != PH_RUNNING || a->attempt != in->attempt || l->exec->outcome != OUTCOME_NONE)
		return;
	switch (in->kind) {
	case INPUT_RESULT:
		core_result(l->exec, t, in->action, &in->report.result);
		http_ended(d, l, in, t->now);
		breakers_result(d, l->exec, in->action, in->attempt, t->out, before, t->now);
		break;
	case INPUT_WITHDRAWN:
		core_result(l->exec, t, in->action, &(struct attempt_result){.outcome = ATTEMPT_WITHDRAWN});
		apis_ended(d, l->exec, in->action, in->attempt, NULL, NOT_SENT, t->now);
		break;
	case INPUT_LOST:
		apis_ended(d, l->exec, in->action, in->attempt, NULL, t->now, t->now);
		core_lost(l->exec, t, in->action, in->reason);
		break;
	case INPUT_UNSTARTED:
		apis_ended(d, l->exec, in->action, in->attempt, NULL, NOT_SENT, t->now);
		core_unstarted(l->exec, t, in->action, in->reason);
		break;
	case INPUT_ADOPTED:
		core_adopted(l->exec, t, in->action);
		break;
	default:
		break;
	}
}

static bool is_reject(const struct input *in)
{
	return in->kind == INPUT_DECISION && strcmp(in->verb, "reject") == 0;
}

/* Decisions of one turn are contrary without an order: reject wins. */
void turn_take_inputs(struct daemon *d, struct live *l, struct turn *t, struct flush_job *j)
{
	size_t k;

	for (k = 0; k < l->inputs.n; k++)
		if (is_reject(&l->inputs.v[k]))
			take_input(d, l, t, &l->inputs.v[k], j);
	for (k = 0; k < l->inputs.n; k++)
		if (!is_reject(&l->inputs.v[k]))
			take_input(d, l, t, &l->inputs.v[k], j);
	for (k = 0; k < l->inputs.n; k++)
		input_free(&l->inputs.v[k]);
	l->inputs.n = 0;
}
