#include "creeld/requests.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/context.h"
#include "creeld/secrets.h"

static json_t *commands(const struct exec *x, const char *action, const json_t *choices, bool typed)
{
	json_t *o = json_object(), *c;
	size_t k;

	json_array_foreach(choices, k, c) {
		const char *verb = json_string_value(c);

		json_object_set_new(o, verb, json_sprintf("creel %s %s %s", verb, x->id, action));
	}
	if (typed)
		json_object_set_new(o, "byHand", json_sprintf("write {\"input\": \"…\"} to a file and move it to confirm/%s.%s.approve",
							      x->id, action));
	else
		json_object_set_new(o, "byHand", json_sprintf("touch confirm/%s.%s.%s", x->id, action,
							      json_string_value(json_array_get(choices, 0))));
	return o;
}

static json_t *choices_of(const char *kind)
{
	if (strcmp(kind, "lost") == 0)
		return json_pack("[s,s,s]", "retry", "skip", "reject");
	if (strcmp(kind, "failed") == 0)
		return json_pack("[s,s,s,s]", "retry", "skip", "approve", "reject");
	return json_pack("[s,s]", "approve", "reject");
}

static json_t *time_text(msec at)
{
	char text[CLOCK_TEXT];

	clock_format(at, text);
	return json_string(text);
}

static void set_who(json_t *o, const struct confirmation *c)
{
	json_t *list;
	size_t k;

	if (!c)
		return;
	if (c->napprovers > 0) {
		list = json_array();
		for (k = 0; k < c->napprovers; k++)
			json_array_append_new(list, json_string(c->approvers[k]));
		json_object_set_new(o, "approvers", list);
	}
	if (c->quorum > 1)
		json_object_set_new(o, "quorum", json_integer(c->quorum));
	if (c->no_self_approval)
		json_object_set_new(o, "noSelfApproval", json_true());
}

char *requests_text(struct live *l, uint32_t i)
{
	const struct action *pa = &l->plan->actions[i];
	struct asked *a = exec_open_request(l->exec, i);
	json_t *o, *inputs, *error = NULL, *choices;
	char *text, *shown;
	bool typed = a && strcmp(a->kind, "input") == 0;

	if (!a)
		return NULL;
	o = json_object();
	choices = choices_of(a->kind);
	json_object_set_new(o, "execution", json_string(l->exec->id));
	json_object_set_new(o, "action", json_string(pa->id));
	json_object_set_new(o, "number", json_integer(a->number));
	json_object_set_new(o, "kind", json_string(a->kind));
	if (strcmp(a->kind, "confirm") == 0 && pa->confirmation) {
		json_object_set_new(o, "title", json_string(pa->confirmation->title));
		json_object_set_new(o, "message", json_string(pa->confirmation->message));
	} else if (typed) {
		AUTO_FREE char *title = NULL, *message = NULL;

		core_prompt(pa, &title, &message);
		json_object_set_new(o, "title", json_string(title));
		json_object_set_new(o, "message", json_string(message));
	} else {
		json_t *e = json_object_get(l->exec->a[i].record, "error");
		json_t *message = json_object_get(e, "message");

		json_object_set_new(o, "title", json_sprintf("%s %s", pa->id, strcmp(a->kind, "lost") == 0 ? "was lost" : "failed"));
		json_object_set_new(o, "message", message ? json_incref(message) : json_string("see creel show"));
	}
	json_object_set_new(o, "plan", json_pack("{s:s, s:s, s:s}", "id", l->plan->id, "name", l->plan->name,
						 "checksum", l->plan_digest));
	inputs = context_inputs(l->exec, i, &error);
	json_object_set_new(o, "what", json_pack("{s:s, s:o}", "actionDefinitionId", pa->definition, "inputs",
						 inputs ? inputs : json_loads(pa->inputs, 0, NULL)));
	json_decref(error);
	json_object_set_new(o, "requestedAt", time_text(a->requested));
	if (a->deadline)
		json_object_set_new(o, "deadline", time_text(a->deadline));
	json_object_set_new(o, "commands", commands(l->exec, pa->id, choices, typed));
	json_object_set_new(o, "choices", choices);
	if (!typed)
		set_who(o, pa->confirmation);
	text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	if (!text)
		return xstrdup("{}");
	shown = secrets_hide(l->exec, text);
	free(text);
	return shown;
}

static void take_away(struct live *l, uint32_t i, struct flush_job *j)
{
	char from[SPOOL_PATH_MAX], dir[SPOOL_PATH_MAX];
	const char *action = l->plan->actions[i].id;
	struct flush_file f = {0};

	spool_request_path(l->exec->id, action, from);
	spool_confirm_path(l->exec->id, action, l->exec->a[i].asked, dir);
	f.from = xstrdup(from);
	f.to = xasprintf("%s/request.json", dir);
	vec_push(&j->files, f);
}

void requests_changed(struct live *l, const struct events *events, struct flush_job *j)
{
	char path[SPOOL_PATH_MAX];
	size_t k;

	for (k = 0; k < events->n; k++) {
		uint32_t i = events->v[k].action;
		bool open;

		if (i == NO_ACTION || l->exec->a[i].asked == 0)
			continue;
		open = exec_open_request(l->exec, i) != NULL;
		if (events->v[k].type == EV_CONFIRMATION_REQUESTED && open) {
			struct flush_file f = {.text = requests_text(l, i), .flush = true};

			spool_request_path(l->exec->id, l->plan->actions[i].id, path);
			f.to = xstrdup(path);
			vec_push(&j->files, f);
		} else if (!open && (events->v[k].type == EV_CONFIRMATION_RECEIVED ||
				     events->v[k].type == EV_ACTION_SKIPPED || events->v[k].type == EV_ACTION_REARMED)) {
			take_away(l, i, j);
		}
	}
}

void requests_answered(struct live *l, const struct input *in, struct flush_job *j)
{
	char dir[SPOOL_PATH_MAX], when[CLOCK_TEXT];
	struct flush_file f = {.flush = true};
	json_t *o = json_object();

	clock_format(in->request.changed, when);
	json_object_set_new(o, "decision", json_string(in->verb));
	if (in->by)
		json_object_set(o, "by", in->by);
	if (in->comment)
		json_object_set_new(o, "comment", json_string(in->comment));
	json_object_set_new(o, "at", json_string(when));
	json_object_set_new(o, "plan", json_string(l->plan_digest));
	json_object_set_new(o, "number", json_integer(l->exec->a[in->action].asked));
	spool_confirm_path(l->exec->id, l->plan->actions[in->action].id, l->exec->a[in->action].asked, dir);
	f.text = json_dumps(o, JSON_COMPACT);
	f.to = xasprintf("%s/decided.json", dir);
	json_decref(o);
	vec_push(&j->files, f);
}

void requests_refuse_personal(struct daemon *d, const struct input *in, const char *why)
{
	drop_reject(d, -1, NULL, in->file, drop_report(in->file, "validation_failed", why, NULL, in->uid));
}
