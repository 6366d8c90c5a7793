/*
 * A plan from the bytes that were dropped to the first events of its execution, in every form that is accepted.
 *
 * What is refused has findings with places.  What is accepted becomes a plan.json that, dropped again, is accepted
 * and becomes the same; it loads as the journal loads it; and an execution of it can begin.
 */
#include <jansson.h>

#include "base/mem.h"
#include "codec/definitions.h"
#include "codec/plan_load.h"
#include "core/decide.h"
#include "store/admit.h"
#include "tests/fuzz/fuzz.h"

enum { NOW = 1767323045 };

static void check_refusal(const char *name, const struct admitted *a, const struct diags *errors)
{
	json_t *report;
	size_t k;

	MUST(errors->n > 0, "a refusal without a reason");
	MUST(!a->plan && !a->canonical, "a refusal that left something");
	for (k = 0; k < errors->n; k++)
		MUST(errors->v[k].message[0] && (errors->v[k].line > 0 || !errors->v[k].pointer[0]),
		     "a finding without a place: %s: %s", errors->v[k].pointer, errors->v[k].message);
	report = admit_report(name, errors, "validation_failed", NOW, 1000);
	MUST(report && json_is_string(json_object_get(report, "message")), "no report");
	json_decref(report);
}

static void check_loads(const char *text, size_t n)
{
	struct diags found = DIAGS_INIT;
	json_t *root = json_loadb(text, n, 0, NULL);
	struct plan *plan;

	MUST(root, "plan.json is not JSON");
	plan = plan_load(root, &found);
	MUST(plan && found.n == 0, "plan.json does not load: %s: %s", found.n ? found.v[0].pointer : "",
	     found.n ? found.v[0].message : "");
	plan_free(plan);
	json_decref(root);
	diags_free(&found);
}

static void check_begins(struct plan *plan)
{
	struct events out = EVENTS_INIT;
	struct turn t = {.now = NOW, .random = 7, .out = &out, .check_inputs = definition_check_inputs};
	struct exec *x = exec_new(plan, "01890000-0000-7000-8000-000000000001");
	struct err e = {0};

	core_begin(x, &t, json_object());
	core_advance(x, &t);
	while (core_next(x) != NO_ACTION && out.n < 1000) {
		core_start(x, &t);
		core_advance(x, &t);
	}
	core_finish(x, &t);
	MUST(exec_check(x, &e) == 0, "%s", e.text);
	exec_free(x);
	events_free(&out);
}

static void check_again(const struct admitted *a, json_t *by)
{
	AUTO_FREE char *text = json_dumps(a->canonical, JSON_INDENT(2));
	struct diags errors = DIAGS_INIT;
	struct admitted again;

	MUST(text, "plan.json cannot be written");
	check_loads(text, strlen(text));
	MUST(admit_plan("plan.json", text, strlen(text), by, NOW, &again, &errors), "plan.json is refused: %d:%d: %s: %s\n%s",
	     errors.v[0].line, errors.v[0].column, errors.v[0].pointer, errors.v[0].message, text);
	/* What it was written as is the one thing that changes. */
	json_object_set(again.canonical, "sourceForm", json_object_get(a->canonical, "sourceForm"));
	if (!json_equal(a->canonical, again.canonical)) {
		AUTO_FREE char *other = json_dumps(again.canonical, JSON_INDENT(2));

		MUST(0, "plan.json becomes another:\n%s\n%s", text, other);
	}
	admitted_free(&again);
	diags_free(&errors);
}

static void judge(const char *name, const char *text, size_t n)
{
	json_t *by = json_pack("{s:i, s:s}", "uid", 1000, "user", "sam");
	struct diags errors = DIAGS_INIT;
	struct admitted a;

	if (admit_plan(name, text, n, by, NOW, &a, &errors)) {
		check_again(&a, by);
		check_begins(a.plan);
		admitted_free(&a);
	} else {
		check_refusal(name, &a, &errors);
	}
	diags_free(&errors);
	json_decref(by);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	judge("t.yaml", (const char *)data, size);
	if (size > 0 && data[0] == '{')
		judge("t.json", (const char *)data, size);
	return 0;
}
