/*
 * order_verbs.c - what the verbs that give orders have in common: from the command line to the file to drop.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "creel/ask.h"
#include "creel/common.h"
#include "creel/describe.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/order.h"

/* Why there is nothing to order in an execution that is over; true after complaining. */
static bool is_over(struct cli *c, const char *id)
{
	json_t *state;
	struct err e;
	const char *status;

	if (id_is_active(c, id))
		return false;
	state = execution_state(c, id, &e);
	status = json_text(state, "status");
	if (id_is_quarantined(c, id))
		complain("execution %s is quarantined: quarantine/%s.reason.json says why", id, id);
	else
		complain("execution %s is over%s%s", id, status ? ": it is " : "", status ? status : "");
	json_decref(state);
	return true;
}

int order_executions(const struct verb *v, struct cli *c, int argc, char **argv)
{
	struct order_options o = {0};
	const struct opt opts[] = {
	    {"reason", 'r', OPT_TEXT, &o.comment}, {"comment", 0, OPT_TEXT, &o.comment}, {"json", 0, OPT_FLAG, &o.json}};
	struct order order = {.c = c, .verb = v->name, .where = SPOOL_CONTROL};
	int status, worst = EXIT_DONE, k;
	char id[UUID_TEXT];

	if (!options(c, v, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(v, "which execution? \"creel ls --active\" lists them");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	order.content = order_content(v, &o, false, 0, &status);
	if (status != EXIT_DONE)
		return status;
	order.json = o.json;
	order.id = id;
	for (k = 0; k < argc; k++) {
		status = id_resolve(c, argv[k], id);
		if (status == EXIT_DONE)
			status = is_over(c, id) ? EXIT_NO : order_give(&order);
		if (status > worst)
			worst = status;
	}
	json_decref(order.content);
	return worst;
}

/* ---- actions ---- */

struct target {
	const struct verb *v;
	struct cli *c;
	char id[UUID_TEXT];
	const char *action;
	json_t *requests; /* open ones of this execution */
	json_t *request;  /* the one to answer; borrowed; NULL: an order, not an answer */
	char *found;      /* an action's name that was found rather than given; owned */
};

static bool allows(const json_t *request, const char *verb)
{
	json_t *choice;
	size_t k;

	json_array_foreach(json_object_get(request, "choices"), k, choice)
		if (json_is_string(choice) && strcmp(json_string_value(choice), verb) == 0)
			return true;
	return false;
}

/* retry and skip are also orders, to actions that nobody is asked about. */
static bool is_order_too(const struct target *t)
{
	return t->v == &verb_retry || t->v == &verb_skip;
}

static void list_requests(const struct target *t)
{
	json_t *r;
	size_t k;

	json_array_foreach(t->requests, k, r)
		note("  %s: %s%s", json_text_or_empty(r, "action"), json_text_or_empty(r, "title"),
		     allows(r, t->v->name) ? "" : " (with other choices)");
}

/* Nothing can be answered: why. */
static int nothing_waits(const struct target *t, const char *action)
{
	json_t *state, *one;
	struct err e;

	if (is_over(t->c, t->id))
		return EXIT_NO;
	state = execution_state(t->c, t->id, &e);
	one = action ? json_object_get(json_object_get(state, "actionStates"), action) : NULL;
	if (action && one)
		complain("\"%s\" does not wait for a decision: it is %s", action, json_text_or_empty(one, "status"));
	else if (action)
		complain("execution %s has no action \"%s\"", t->id, action);
	else
		complain("nothing in execution %s waits for a decision", t->id);
	if (json_array_size(t->requests) > 0) {
		note("these do:");
		list_requests(t);
	}
	json_decref(state);
	return EXIT_NO;
}

static int other_choices(const struct target *t, const json_t *request)
{
	AUTO_BUF struct buf b = BUF_INIT;
	json_t *choice;
	size_t k;

	json_array_foreach(json_object_get(request, "choices"), k, choice)
		buf_printf(&b, "%s%s", k ? ", " : "", json_is_string(choice) ? json_string_value(choice) : "?");
	complain("\"%s\" waits, but \"%s\" is not a choice: %s", json_text_or_empty(request, "action"), t->v->name,
		 buf_str(&b));
	return EXIT_NO;
}

static int take_named(struct target *t)
{
	json_t *r;
	size_t k;

	if (!execution_action_name_is(t->action)) {
		complain("\"%s\" is not the name of an action", t->action);
		return EXIT_NO;
	}
	json_array_foreach(t->requests, k, r) {
		if (strcmp(json_text_or_empty(r, "action"), t->action) != 0)
			continue;
		if (!allows(r, t->v->name))
			return other_choices(t, r);
		t->request = r;
		return EXIT_DONE;
	}
	return is_order_too(t) ? EXIT_DONE : nothing_waits(t, t->action);
}

/* The only action that failed, for retry: what else could be meant? */
static int take_failed(struct target *t)
{
	struct err e;
	json_t *state = execution_state(t->c, t->id, &e), *one;
	const char *key, *found = NULL;
	size_t n = 0;

	json_object_foreach(json_object_get(state, "actionStates"), key, one)
		if (strcmp(json_text_or_empty(one, "status"), "failed") == 0) {
			found = key;
			n++;
		}
	if (n == 1 && execution_action_name_is(found)) {
		t->action = t->found = xstrdup(found);
		json_decref(state);
		return EXIT_DONE;
	}
	if (n == 0)
		complain("no action of %s failed; name the one to retry", t->id);
	else
		complain("%zu actions of %s failed; say which to retry:", n, t->id);
	json_object_foreach(json_object_get(state, "actionStates"), key, one)
		if (strcmp(json_text_or_empty(one, "status"), "failed") == 0)
			note("  %s", key);
	json_decref(state);
	return EXIT_NO;
}

static int take_only(struct target *t)
{
	json_t *r;
	size_t k, n = 0;

	json_array_foreach(t->requests, k, r)
		if (allows(r, t->v->name)) {
			t->request = r;
			n++;
		}
	if (n == 1) {
		t->action = json_text(t->request, "action");
		return EXIT_DONE;
	}
	t->request = NULL;
	if (n > 1) {
		complain("%zu actions of %s wait for a decision; say which:", n, t->id);
		list_requests(t);
		return EXIT_NO;
	}
	if (t->v == &verb_retry)
		return take_failed(t);
	if (t->v == &verb_skip)
		return usage(t->v, "which action?");
	return nothing_waits(t, NULL);
}

/* A decision with named approvers, or one that needs several people, counts only from a directory that its author
 * alone can write to. */
static enum spool_dir place_of(const struct target *t)
{
	if (!t->request)
		return SPOOL_CONTROL;
	if (json_array_size(json_object_get(t->request, "approvers")) > 0 || json_number(t->request, "quorum") > 1)
		return SPOOL_CONFIRM_BY;
	return SPOOL_CONFIRM;
}

/* A request for a value is approved with it. */
static int add_typed(const struct target *t, const struct order_options *o, struct order *order)
{
	bool asked = t->request && strcmp(json_text_or_empty(t->request, "kind"), "input") == 0;
	struct buf value = BUF_INIT;

	if (t->v != &verb_approve || !asked)
		return o->typed ? usage(t->v, "no value is asked for: --input wants NAME=VALUE") : EXIT_DONE;
	if (ask_value(json_text_or_empty(t->request, "message"), &value) < 0) {
		ask_wipe(&value);
		return EXIT_NO;
	}
	if (!order->content)
		order->content = json_object();
	json_object_set_new(order->content, "input", json_stringn(value.p, value.len));
	order->secret = true;
	ask_wipe(&value);
	return EXIT_DONE;
}

static int give(struct target *t, const struct order_options *o)
{
	struct order order = {.c = t->c, .verb = t->v->name, .id = t->id, .action = t->action, .json = o->json};
	int status;

	order.where = place_of(t);
	if (t->v == &verb_skip && !t->request && is_over(t->c, t->id))
		return EXIT_NO;
	if (t->v == &verb_skip && !t->request && o->inputs.n > 0)
		return usage(t->v, "what is skipped needs no inputs");
	order.content = order_content(t->v, o, t->request != NULL, json_number(t->request, "number"), &status);
	if (status == EXIT_DONE)
		status = add_typed(t, o, &order);
	if (status == EXIT_DONE)
		status = order_give(&order);
	json_decref(order.content);
	return status;
}

/* --input at the end, or before another option: the value that a request asks for.  It is taken out of the arguments. */
static bool take_bare_input(int *argc, char **argv)
{
	int from, to = 1;
	bool found = false;

	for (from = 1; from < *argc; from++) {
		bool bare = strcmp(argv[from], "--input") == 0 && (from + 1 == *argc || argv[from + 1][0] == '-');

		found = found || bare;
		if (!bare)
			argv[to++] = argv[from];
	}
	argv[to] = NULL;
	*argc = to;
	return found;
}

int order_action(const struct verb *v, struct cli *c, int argc, char **argv)
{
	struct order_options o = {0};
	const struct opt opts[] = {{"comment", 'm', OPT_TEXT, &o.comment},
				   {"reason", 'r', OPT_TEXT, &o.comment},
				   {"input", 'i', OPT_LIST, &o.inputs},
				   {"json", 0, OPT_FLAG, &o.json}};
	struct target t = {.v = v, .c = c};
	int status;

	o.typed = take_bare_input(&argc, argv);
	if (!options(c, v, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(v, "which execution? \"creel pending\" lists what waits");
	if (argc > 2)
		return usage(v, "one action at a time");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if ((status = id_resolve(c, argv[0], t.id)) != EXIT_DONE)
		return status;
	t.requests = execution_requests(c, t.id);
	if (!t.requests)
		return EXIT_UNABLE;
	t.action = argc == 2 ? argv[1] : NULL;
	status = t.action ? take_named(&t) : take_only(&t);
	if (status == EXIT_DONE)
		status = give(&t, &o);
	json_decref(t.requests);
	free(t.found);
	vec_free(&o.inputs);
	return status;
}
