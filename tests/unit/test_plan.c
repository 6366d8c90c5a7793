/*
 * From what people write to a plan in memory: the forms, their defaults, the canonical plan, the graph.
 * S0-SCHEMA, ORCH-002, STEP-PLAN, STEP-FAIL, STEP-EXEC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/normalize.h"
#include "codec/plan_load.h"
#include "model/error.h"
#include "store/admit.h"

enum { NOW = 1000 };

static struct admitted admitted(const char *text)
{
	struct diags errors = DIAGS_INIT;
	struct admitted a;

	if (!admit_plan("p.yaml", text, strlen(text), NULL, NOW, &a, &errors))
		fail_msg("%d:%d %s\n%s", errors.v[0].line, errors.v[0].column, errors.v[0].message, text);
	diags_free(&errors);
	return a;
}

/* A member by pointer, as JSON; "nothing" if it is not there. */
static char *member(const json_t *v, const char *pointer)
{
	char *text;

	while (v && *pointer == '/') {
		size_t n = strcspn(++pointer, "/");
		char *name = xstrndup(pointer, n);

		v = json_is_array(v) ? json_array_get(v, strtoul(name, NULL, 10)) : json_object_get(v, name);
		free(name);
		pointer += n;
	}
	text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	return text ? text : xstrdup("nothing");
}

static void expect_member(const json_t *v, const char *pointer, const char *want)
{
	char *text = member(v, pointer);

	if (strcmp(text, want) != 0)
		fail_msg("%s is %s, not %s", pointer, text, want);
	free(text);
}

static void forms_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum plan_form form;
	} cases[] = {
	    {"{\"actions\": []}", PLAN_FORM_ACTIONS},
	    {"{\"steps\": [], \"plan_id\": \"x\"}", PLAN_FORM_STEPS},
	    {"{\"steps\": [], \"globals\": {}}", PLAN_FORM_STEPS},
	    {"{\"steps\": [{\"command\": \"x\"}]}", PLAN_FORM_STEPS},
	    {"{\"steps\": [{\"step_def\": {}}]}", PLAN_FORM_STEPS},
	    {"{\"steps\": [], \"triggers\": []}", PLAN_FORM_WORKFLOW},
	    {"{\"steps\": [{\"type\": \"action\"}]}", PLAN_FORM_WORKFLOW},
	    {"{\"steps\": [], \"plan_id\": \"x\", \"triggers\": []}", PLAN_FORM_NONE},
	    {"{\"steps\": [{\"command\": \"x\", \"action\": \"y\"}]}", PLAN_FORM_NONE},
	    {"{\"steps\": [], \"actions\": []}", PLAN_FORM_NONE},
	    {"{\"name\": \"x\"}", PLAN_FORM_NONE},
	    {"{}", PLAN_FORM_NONE},
	    {"[]", PLAN_FORM_NONE},
	    {"\"x\"", PLAN_FORM_NONE},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		json_t *root = json_loads(cases[k].text, JSON_DECODE_ANY, NULL);
		struct diags errors = DIAGS_INIT;

		if (plan_form_of(root, &errors) != cases[k].form)
			fail_msg("%s", cases[k].text);
		assert_int_equal(errors.n, cases[k].form == PLAN_FORM_NONE);
		diags_free(&errors);
		json_decref(root);
	}
}

#define ONE(more) "name: n\nactions:\n- {id: a, actionDefinitionId: command, inputs: {command: x}, " more "}\n"

static void form_1_gets_its_defaults(void **state)
{
	struct admitted a = admitted(ONE("")), b = admitted(ONE(""));
	const char *id = json_string_value(json_object_get(a.canonical, "id"));

	(void)state;
	assert_true(uuid_is(id));
	assert_int_equal(id[14], '5'); /* it follows from the name: the same each time */
	assert_string_equal(id, b.plan->id);
	expect_member(a.canonical, "/name", "\"n\"");
	expect_member(a.canonical, "/description", "\"n\"");
	expect_member(a.canonical, "/intent", "{\"confidence\":1,\"interpreted\":\"n\",\"original\":\"n\"}");
	expect_member(a.canonical, "/expectedOutcome/validations", "[]");
	expect_member(a.canonical, "/metadata", "{\"createdAt\":\"1970-01-01T00:00:01.000Z\",\"estimatedDuration\":0,\"tags\":[]}");
	expect_member(a.canonical, "/actions/0/dependencies", "[]");
	expect_member(a.canonical, "/actions/0/errorHandling", "{\"continueOnFailure\":false}");
	expect_member(a.canonical, "/planKey", "nothing");
	expect_member(a.canonical, "/sourceForm", "\"actions\"");
	admitted_free(&a);
	admitted_free(&b);
}

/* Design section 9: an id that is no UUID becomes one and is kept as planKey. */
static void ids_become_uuids(void **state)
{
	struct admitted a = admitted("id: nightly\n" ONE("")), b = admitted("id: nightly\n" ONE("priority: 1"));
	struct admitted c = admitted("id: 01890000-0000-7000-8000-00000000000a\n" ONE(""));
	char uuid[UUID_TEXT];

	(void)state;
	uuid_v5("nightly", 7, uuid);
	assert_string_equal(a.plan->id, uuid);
	assert_string_equal(a.plan->key, "nightly");
	assert_string_equal(b.plan->id, uuid);
	assert_string_equal(c.plan->id, "01890000-0000-7000-8000-00000000000a");
	assert_null(c.plan->key);
	admitted_free(&a);
	admitted_free(&b);
	admitted_free(&c);
}

/* What S0 wants as text is text; the typed value stands beside it and is what the action gets. */
static void types_are_kept(void **state)
{
	struct admitted a = admitted("name: n\nactions:\n- {id: a, actionDefinitionId: command, inputs: {command: x, args: [1, two], env: {N: '3'}}, "
				     "errorHandling: {continueOnFailure: false, fallbackValue: {s: text, n: 7, l: [1]}}}\n");
	json_t *inputs = json_loads(a.plan->actions[0].inputs, 0, NULL), *fallback = json_loads(a.plan->actions[0].fallback, 0, NULL);

	(void)state;
	expect_member(a.canonical, "/actions/0/inputs/args", "\"[1,\\\"two\\\"]\"");
	expect_member(a.canonical, "/actions/0/typedInputs/args", "[1,\"two\"]");
	expect_member(a.canonical, "/actions/0/errorHandling/fallbackValue", "{\"l\":\"[1]\",\"n\":\"7\",\"s\":\"text\"}");
	expect_member(a.canonical, "/actions/0/errorHandling/typedFallback", "{\"l\":[1],\"n\":7}");
	expect_member(inputs, "", "{\"args\":[1,\"two\"],\"command\":\"x\",\"env\":{\"N\":\"3\"}}");
	expect_member(fallback, "", "{\"l\":[1],\"n\":7,\"s\":\"text\"}");
	json_decref(inputs);
	json_decref(fallback);
	admitted_free(&a);
}

/* A canonical plan is a plan: dropped in again it is the same one. */
static void normalising_twice_is_normalising_once(void **state)
{
	struct admitted a = admitted("id: key\nname: n\nmaxConcurrency: 2\nenv: {A: b}\ninputs: {deep: [1]}\nx-mine: {y: 1}\nactions:\n"
				     "- {id: a, actionDefinitionId: command, inputs: {command: x, args: [1]}, x-other: 2,"
				     " retryPolicy: {maxAttempts: 2, initialDelay: 1, maxDelay: 2, backoffMultiplier: 1.5, retryableErrors: [network_timeout], jitter: true},"
				     " userConfirmation: {required: true, title: t, message: m, timeout: 5, approvers: [ana], quorum: 1, noSelfApproval: true},"
				     " errorHandling: {continueOnFailure: true, fallbackValue: {n: 7}}}\n");
	char *text = json_dumps(a.canonical, 0);
	struct diags errors = DIAGS_INIT;
	struct admitted b;

	(void)state;
	if (!admit_plan("p.json", text, strlen(text), NULL, NOW + 5, &b, &errors))
		fail_msg("%s: %s", errors.v[0].pointer, errors.v[0].message);
	expect_member(a.canonical, "/x-mine", "{\"y\":1}");
	expect_member(a.canonical, "/actions/0/x-other", "2");
	{
		char *one = member(a.canonical, ""), *two = member(b.canonical, "");

		assert_string_equal(one, two);
		free(one);
		free(two);
	}
	free(text);
	admitted_free(&a);
	admitted_free(&b);
}

static void an_action_in_memory(void **state)
{
	struct admitted a = admitted("name: n\ntimeoutMs: 9\nonAbort: terminate\nmaxConcurrency: 3\npriority: 4\nactions:\n"
				     "- {id: a, actionDefinitionId: command, inputs: {command: x}, timeoutMs: 5, totalTimeoutMs: 6, onLost: ask, "
				     "critical: true, priority: -2, queue: q, resources: [r1, r2], when: 'true', skipIf: ['false', 'env.NO == 1'],"
				     " retryPolicy: {maxAttempts: 4, initialDelay: 10, maxDelay: 20, backoffMultiplier: 1.5, retryableErrors: [network_timeout, auth_expired], jitter: true},"
				     " userConfirmation: {required: true, title: t, message: m, timeout: 7, approvers: [ana, raj], quorum: 2, noSelfApproval: true}}\n"
				     "- {id: b, actionDefinitionId: command, inputs: {command: x}, userConfirmation: {required: false, title: t, message: m}}\n");
	const struct action *x = &a.plan->actions[0];

	(void)state;
	assert_int_equal(a.plan->timeout, 9);
	assert_int_equal(a.plan->on_abort, ON_ABORT_TERMINATE);
	assert_int_equal(a.plan->max_concurrency, 3);
	assert_int_equal(a.plan->priority, 4);
	assert_int_equal(x->timeout, 5);
	assert_int_equal(x->total_timeout, 6);
	assert_int_equal(x->on_lost, ON_LOST_ASK);
	assert_true(x->critical);
	assert_int_equal(x->priority, -2);
	assert_string_equal(x->queue, "q");
	assert_int_equal(x->nresources, 2);
	assert_string_equal(x->conditions->when, "true");
	assert_int_equal(x->conditions->nskip_if, 2);
	assert_int_equal(x->retry.max_attempts, 4);
	assert_int_equal(x->retry.initial_delay, 10);
	assert_int_equal(x->retry.max_delay, 20);
	assert_true(x->retry.multiplier == 1.5 && x->retry.jitter);
	assert_int_equal(x->retry.categories, 1u << ERROR_NETWORK_TIMEOUT | 1u << ERROR_AUTH_EXPIRED);
	assert_int_equal(x->confirmation->timeout, 7);
	assert_int_equal(x->confirmation->napprovers, 2);
	assert_int_equal(x->confirmation->quorum, 2);
	assert_true(x->confirmation->no_self_approval);
	assert_null(a.plan->actions[1].confirmation); /* not required */
	assert_null(a.plan->actions[1].conditions);
	assert_int_equal(a.plan->actions[1].retry.max_attempts, 1);
	assert_int_equal(a.plan->actions[1].on_lost, ON_LOST_RERUN);
	admitted_free(&a);
}

/* ORCH-002 */
static void the_graph_is_linked_both_ways(void **state)
{
	struct admitted a = admitted("name: n\nactions:\n"
				     "- {id: d, actionDefinitionId: command, inputs: {command: x}, dependencies: [a, b, a]}\n"
				     "- {id: b, actionDefinitionId: command, inputs: {command: x}, errorHandling: {continueOnFailure: false, alternativeActionId: v}}\n"
				     "- {id: a, actionDefinitionId: command, inputs: {command: x}, compensate: u, errorHandling: {continueOnFailure: false, alternativeActionId: v}}\n"
				     "- {id: v, actionDefinitionId: command, inputs: {command: x}}\n"
				     "- {id: u, actionDefinitionId: command, inputs: {command: x}}\n");
	const struct plan *p = a.plan;
	uint32_t ia = plan_find(p, "a"), ib = plan_find(p, "b"), id = plan_find(p, "d"), iv = plan_find(p, "v"), iu = plan_find(p, "u");

	(void)state;
	assert_int_equal(plan_find(p, "zzz"), NO_ACTION);
	assert_int_equal(p->actions[id].ndeps, 2); /* named twice means the same as once */
	assert_int_equal(p->actions[id].deps[0], ia);
	assert_int_equal(p->actions[id].deps[1], ib);
	assert_int_equal(p->actions[ia].ndependents, 1);
	assert_int_equal(p->actions[ib].ndependents, 1);
	assert_int_equal(p->actions[ib].dependents[0], id);
	assert_int_equal(p->actions[iv].nprimaries, 2);
	assert_true(p->actions[iv].standby && p->actions[iu].standby && !p->actions[ia].standby);
	assert_int_equal(p->actions[ia].alternative, iv);
	assert_int_equal(p->actions[ia].compensate, iu);
	assert_int_equal(p->actions[ib].compensate, NO_ACTION);
	admitted_free(&a);
}

static void failure_policies_are_read(void **state)
{
	static const struct {
		const char *text;
		enum on_failure policy;
	} cases[] = {
	    {"critical: false", ON_FAILURE_ABORT},
	    {"onFailure: abort", ON_FAILURE_ABORT},
	    {"onFailure: continue", ON_FAILURE_CONTINUE},
	    {"onFailure: skip_dependents", ON_FAILURE_SKIP_DEPENDENTS},
	    {"onFailure: ask", ON_FAILURE_ASK},
	    {"errorHandling: {continueOnFailure: true}", ON_FAILURE_CONTINUE},
	    {"errorHandling: {continueOnFailure: false}", ON_FAILURE_ABORT},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		AUTO_FREE char *text = xasprintf("name: n\nactions:\n- {id: a, actionDefinitionId: command, inputs: {command: x}, %s}\n", cases[k].text);
		struct admitted a = admitted(text);

		assert_int_equal(a.plan->actions[0].on_failure, cases[k].policy);
		admitted_free(&a);
	}
}

/* STEP-PLAN: seconds become ms, names their S0 names. */
static void form_2_is_normalised(void **state)
{
	struct admitted a = admitted("plan_id: safe-merge\nversion: 1.0\ndescription: d\n"
				     "globals: {max_concurrency: 2, default_timeout_sec: 30, max_step_duration_sec: 100, env: {A: '1'}}\n"
				     "steps:\n"
				     "- {id: one, command: 'true', args: [a, 2], cwd: /tmp, env: {B: c}, retries: 2, retry_delay_sec: 0.5, timeout_sec: 200}\n"
				     "- {id: two, command: x, depends_on: [one], on_failure: fallback_step, fallback_step: three, condition: \"prev.one.status == 'success'\", skip_if: ['env.SKIP == \"1\"'], critical: true}\n"
				     "- {id: three, step_def: {type: shell, script: echo hi}, on_failure: skip_dependents}\n");
	const struct action *one = &a.plan->actions[0], *two = &a.plan->actions[1], *three = &a.plan->actions[2];

	(void)state;
	expect_member(a.canonical, "/planKey", "\"safe-merge\"");
	expect_member(a.canonical, "/version", "\"1.0\""); /* as written */
	expect_member(a.canonical, "/sourceForm", "\"steps\"");
	expect_member(a.canonical, "/actions/0/inputs/command", "\"true\"");
	expect_member(a.canonical, "/actions/0/typedInputs/args", "[\"a\",\"2\"]");
	expect_member(a.canonical, "/actions/0/inputs/cwd", "\"/tmp\"");
	expect_member(a.canonical, "/env", "{\"A\":\"1\"}");
	assert_int_equal(a.plan->max_concurrency, 2);
	assert_int_equal(one->timeout, 100000); /* 200 s, but no step may take longer than 100 */
	assert_int_equal(one->total_timeout, 100000);
	assert_int_equal(two->timeout, 30000);
	assert_int_equal(one->retry.max_attempts, 3);
	assert_int_equal(one->retry.initial_delay, 500);
	assert_int_equal(one->retry.categories, ERROR_ALL & ~(1u << ERROR_VALIDATION_FAILED) & ~(1u << ERROR_USER_CANCELLED));
	assert_int_equal(two->alternative, 2);
	assert_true(two->critical);
	assert_string_equal(two->conditions->when, "prev.one.status == 'success'");
	assert_int_equal(two->conditions->nskip_if, 1);
	assert_true(three->standby);
	assert_string_equal(three->definition, "shell.run");
	assert_int_equal(three->on_failure, ON_FAILURE_SKIP_DEPENDENTS);
	admitted_free(&a);
}

/* Findings about the canonical plan point at what was written. */
static void pointers_lead_back(void **state)
{
	static const char *const cases[][2] = {
	    {"", ""},
	    {"/name", "/name"},
	    {"/actions", "/steps"},
	    {"/actions/0/id", "/steps/0/id"},
	    {"/actions/0/dependencies/1", "/steps/0/depends_on/1"},
	    {"/actions/0/inputs/args/0", "/steps/0/args/0"},
	    {"/actions/1/inputs/script", "/steps/1/step_def/script"},
	    {"/actions/0/when", "/steps/0/condition"},
	    {"/actions/0/skipIf/0", "/steps/0/skip_if/0"},
	    {"/actions/0/errorHandling/alternativeActionId", "/steps/0/fallback_step"},
	    {"/env/A", "/globals/env/A"},
	};
	json_t *root = json_loads("{\"plan_id\": \"x\", \"steps\": [{\"command\": \"x\", \"args\": [\"y\"]}, {\"step_def\": {\"type\": \"shell\", \"script\": \"z\"}}]}", 0, NULL);
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cases / sizeof *cases; k++) {
		AUTO_FREE char *steps = plan_source_pointer(root, PLAN_FORM_STEPS, cases[k][0]);
		AUTO_FREE char *same = plan_source_pointer(root, PLAN_FORM_ACTIONS, cases[k][0]);

		assert_string_equal(steps, cases[k][1]);
		assert_string_equal(same, cases[k][0]);
	}
	json_decref(root);
}

static void what_is_an_action_id(void **state)
{
	static const char *const yes[] = {"a", "A", "0", "_", "a-b", "a_b", "0123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const no[] = {"", "-", "-a", ".", "..", "a.b", "a/b", "a b", "a\n", "\xc3\xa4", "a\x80",
					 "01234567890123456789012345678901234567890123456789012345678901234"};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof yes / sizeof *yes; k++)
		assert_true(action_id_is(yes[k]));
	for (k = 0; k < sizeof no / sizeof *no; k++)
		assert_false(action_id_is(no[k]));
}

/* A plan with names that lead nowhere is loaded for further checks, says so, and finds everything at once. */
static void wrong_names_are_all_found(void **state)
{
	json_t *canonical = json_loads("{\"actions\": [{\"id\": \"a\", \"dependencies\": [\"x\", \"a\", \"b\"], \"compensate\": \"y\","
				       "\"errorHandling\": {\"alternativeActionId\": \"z\"}}, {\"id\": \"b\"}, {\"id\": \"a\"}]}", 0, NULL);
	static const char *const pointers[] = {"/actions/2/id", "/actions/0/dependencies/0", "/actions/0/dependencies/1",
					       "/actions/0/errorHandling/alternativeActionId", "/actions/0/compensate"};
	struct diags errors = DIAGS_INIT;
	struct plan *p = plan_load(canonical, &errors);
	size_t k;

	(void)state;
	assert_non_null(p);
	assert_true(p->incomplete);
	assert_int_equal(errors.n, 5);
	for (k = 0; k < 5; k++)
		assert_string_equal(errors.v[k].pointer, pointers[k]);
	assert_int_equal(p->actions[0].ndeps, 1);
	plan_free(p);
	diags_free(&errors);
	json_decref(canonical);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forms_are_told_apart),
	    cmocka_unit_test(form_1_gets_its_defaults),
	    cmocka_unit_test(ids_become_uuids),
	    cmocka_unit_test(types_are_kept),
	    cmocka_unit_test(normalising_twice_is_normalising_once),
	    cmocka_unit_test(an_action_in_memory),
	    cmocka_unit_test(the_graph_is_linked_both_ways),
	    cmocka_unit_test(failure_policies_are_read),
	    cmocka_unit_test(form_2_is_normalised),
	    cmocka_unit_test(pointers_lead_back),
	    cmocka_unit_test(what_is_an_action_id),
	    cmocka_unit_test(wrong_names_are_all_found),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
