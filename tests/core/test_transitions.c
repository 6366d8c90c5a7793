/*
 * The transition table, cell by cell: which event may come about an action in which phase (S0-STATELESS: a journal
 * that says anything else is refused), and that a refused event leaves no trace.
 */
#include "scene.h"

static const char plan_text[] =
    PLAN("", A("a", "userConfirmation: {required: true, title: t, message: m}, retryPolicy: {maxAttempts: 3, initialDelay: 1, "
		    "maxDelay: 1, backoffMultiplier: 1, retryableErrors: [api_unexpected_status], jitter: false}, "
		    "errorHandling: {continueOnFailure: false, alternativeActionId: v}")
		 A("v", "") A("b", "dependencies: [a]"));

/* y: the event may come in that phase. */
static const struct {
	enum event_type type;
	const char *in; /* BLOCKED READY CONFIRM RUNNING BACKOFF ASKING STANDIN COMPLETED FAILED SKIPPED */
} cells[] = {
    {EV_ACTION_REQUESTED,       "yy..y....."},
    {EV_ACTION_COMPLETED,       "...y......"},
    {EV_ACTION_FAILED,          "yyyyyy...."},
    {EV_ACTION_SKIPPED,         "yyyyyy..y."},
    {EV_ACTION_RETRY_SCHEDULED, "....y....."},
    {EV_ACTION_REARMED,         "....yy.yyy"},
    {EV_ACTION_ADOPTED,         "...y......"},
    {EV_ACTION_LOST,            "...y...y.."},
    {EV_CONFIRMATION_REQUESTED, "yy...y...."},
    {EV_CONFIRMATION_RECEIVED,  "..y..y...."},
};

static struct event event_of(enum event_type type, uint32_t action, uint32_t attempt, const char *data)
{
	return (struct event){type, action, attempt, NOON + 5, data ? json_loads(data, 0, NULL) : json_object()};
}

static void tell(struct exec *x, enum event_type type, uint32_t action, uint32_t attempt, const char *data)
{
	struct event ev = event_of(type, action, attempt, data);
	struct err e = {0};

	if (exec_apply(x, &ev, &e) < 0)
		fail_msg("%s", e.text);
	json_decref(ev.data);
}

#define ERROR_JSON "\"error\": {\"category\": \"api_unexpected_status\", \"message\": \"m\"}"

/* Lead action 0 into a phase, by events as a journal has them. */
static void lead(struct exec *x, enum phase p)
{
	tell(x, EV_EXECUTION_ACCEPTED, NO_ACTION, 0, NULL);
	tell(x, EV_EXECUTION_STARTED, NO_ACTION, 0, NULL);
	if (p == PH_CONFIRM || p == PH_READY)
		tell(x, EV_CONFIRMATION_REQUESTED, 0, 0, "{\"number\": 1, \"kind\": \"confirm\"}");
	if (p == PH_READY)
		tell(x, EV_CONFIRMATION_RECEIVED, 0, 0, "{\"number\": 1, \"decision\": \"approve\", \"confirmed\": true}");
	if (p == PH_BLOCKED || p == PH_CONFIRM || p == PH_READY)
		return;
	if (p == PH_SKIPPED) {
		tell(x, EV_ACTION_SKIPPED, 0, 0, "{\"reason\": \"r\", \"cause\": \"condition\"}");
		return;
	}
	tell(x, EV_ACTION_REQUESTED, 0, 1, "{\"token\": \"t\"}");
	if (p == PH_COMPLETED)
		tell(x, EV_ACTION_COMPLETED, 0, 1, NULL);
	if (p == PH_BACKOFF)
		tell(x, EV_ACTION_FAILED, 0, 1, "{" ERROR_JSON ", \"then\": \"retry\"}");
	if (p == PH_ASKING) {
		tell(x, EV_ACTION_FAILED, 0, 1, "{" ERROR_JSON ", \"then\": \"ask\"}");
		tell(x, EV_CONFIRMATION_REQUESTED, 0, 1, "{\"number\": 1, \"kind\": \"failed\"}");
	}
	if (p == PH_STANDIN)
		tell(x, EV_ACTION_FAILED, 0, 1, "{" ERROR_JSON ", \"then\": \"alternative\"}");
	if (p == PH_FAILED)
		tell(x, EV_ACTION_FAILED, 0, 1, "{" ERROR_JSON ", \"then\": \"skip_dependents\"}");
}

static void put_json(struct buf *b, const json_t *v)
{
	char *text = v ? json_dumps(v, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;

	buf_printf(b, " %s", text ? text : "-");
	free(text);
}

/* Everything that an event could change, derived things included. */
static char *snapshot(const struct exec *x)
{
	struct buf b = BUF_INIT;
	uint32_t i;
	size_t k;

	for (i = 0; i < x->plan->n; i++) {
		const struct action_state *a = &x->a[i];

		buf_printf(&b, "%u %u %u %u %d%d%d%d %u %u %u %u %u %u %u %lld %lld %lld %lld %s", a->phase, a->settled, a->stand_in,
			   a->lost, a->called, a->approved, a->compensated, a->overtaken, a->deps_left, a->callers_left,
			   a->attempt, a->budget_used, a->asked, a->iteration, a->order, (long long)a->first_started,
			   (long long)a->started, (long long)a->ended, (long long)a->deadline, a->token);
		put_json(&b, a->record);
		put_json(&b, a->inputs);
		buf_putc(&b, '\n');
	}
	for (i = 0; i < PH_COUNT; i++)
		buf_printf(&b, "%u ", x->count[i]);
	buf_printf(&b, "%u %u %d%d%d%d%d%d%d %u %u %u %lld %lld %lld %lld", x->dormant, x->completed, x->started, x->paused,
		   x->aborting, x->cancelling, x->terminate, x->expired, x->outcome_failed, x->cause, x->compensating,
		   x->outcome, (long long)x->accepted_at, (long long)x->started_at, (long long)x->timed_from,
		   (long long)x->ended_at);
	put_json(&b, x->error);
	for (k = 0; k < x->asked.n; k++)
		buf_printf(&b, "\n%u %u %lld %u %s", x->asked.v[k].action, x->asked.v[k].number,
			   (long long)x->asked.v[k].responded, x->asked.v[k].approvals, x->asked.v[k].kind);
	buf_printf(&b, "\n%zu %zu %zu %zu", x->ready.n, x->timers.n, x->work.n, x->settled.n);
	return buf_steal(&b);
}

static const char *data_for(enum event_type type)
{
	switch (type) {
	case EV_ACTION_REQUESTED:
		return "{\"token\": \"u\"}";
	case EV_ACTION_FAILED:
		return "{" ERROR_JSON ", \"then\": \"skip_dependents\"}";
	case EV_ACTION_RETRY_SCHEDULED:
		return "{\"nextAttempt\": 2, \"delayMs\": 1, \"notBefore\": \"1970-01-01T00:20:00.000Z\"}";
	case EV_ACTION_LOST:
		return "{" ERROR_JSON ", \"reason\": \"r\", \"then\": \"rerun\"}";
	case EV_CONFIRMATION_REQUESTED:
		return "{\"number\": 1, \"kind\": \"confirm\"}";
	case EV_CONFIRMATION_RECEIVED:
		return "{\"number\": 1, \"decision\": \"approve\", \"confirmed\": true}";
	default:
		return "{\"reason\": \"r\", \"cause\": \"c\", \"iteration\": 1}";
	}
}

static void expect_cell(struct plan *p, enum event_type type, enum phase phase, bool allowed)
{
	struct exec *x = exec_new(p, "01890000-0000-7000-8000-000000000001");
	struct event ev;
	struct err e = {0};
	char *before, *after;
	bool done;

	lead(x, phase);
	assert_string_equal(phase_name(x->a[0].phase), phase_name(phase));
	ev = event_of(type, 0, x->a[0].attempt + (type == EV_ACTION_REQUESTED), data_for(type));
	before = snapshot(x);
	done = exec_apply(x, &ev, &e) == 0;
	if (done != allowed)
		fail_msg("%s in %s: %s", event_name(type), phase_name(phase), done ? "accepted" : e.text);
	after = snapshot(x);
	if (!done) {
		assert_string_equal(before, after);
		/* the refusal says which event, which action, and why not */
		assert_non_null(strstr(e.text, event_name(type)));
		assert_non_null(strstr(e.text, "\"a\""));
		assert_non_null(strchr(e.text, ':'));
	} else if (exec_check(x, &e) < 0) {
		fail_msg("%s in %s: %s", event_name(type), phase_name(phase), e.text);
	}
	free(before);
	free(after);
	json_decref(ev.data);
	exec_free(x);
}

static void every_cell(void **state)
{
	struct admitted admitted;
	struct plan *p = plan_of(plan_text, &admitted);
	size_t k;
	int phase;

	(void)state;
	for (k = 0; k < sizeof cells / sizeof *cells; k++) {
		assert_int_equal(strlen(cells[k].in), PH_COUNT);
		for (phase = 0; phase < PH_COUNT; phase++)
			expect_cell(p, cells[k].type, (enum phase)phase, cells[k].in[phase] == 'y');
	}
	admitted_free(&admitted);
}

static void refused_without_a_trace(struct exec *x, enum event_type type, uint32_t action, uint32_t attempt, const char *why)
{
	struct event ev = event_of(type, action, attempt, data_for(type));
	char *before = snapshot(x), *after;
	struct err e = {0};

	assert_int_equal(exec_apply(x, &ev, &e), -1);
	after = snapshot(x);
	assert_string_equal(before, after);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	free(before);
	free(after);
	json_decref(ev.data);
}

static void numbers_and_names_are_checked(void **state)
{
	struct admitted admitted;
	struct plan *p = plan_of(plan_text, &admitted);
	struct exec *x = exec_new(p, "01890000-0000-7000-8000-000000000001");
	size_t k;

	(void)state;
	for (k = 0; k < sizeof cells / sizeof *cells; k++) {
		refused_without_a_trace(x, cells[k].type, NO_ACTION, 0, "names no action");
		refused_without_a_trace(x, cells[k].type, p->n, 0, "names no action");
	}
	refused_without_a_trace(x, EV_ACTION_REQUESTED, 0, 0, "does not follow");
	refused_without_a_trace(x, EV_ACTION_REQUESTED, 0, 2, "does not follow");
	lead(x, PH_RUNNING);
	refused_without_a_trace(x, EV_ACTION_COMPLETED, 0, 2, "while attempt 1 runs");
	refused_without_a_trace(x, EV_ACTION_LOST, 0, 2, "while attempt 1 runs");
	exec_free(x);
	admitted_free(&admitted);
}

/* After the end only execution.reopened may come, and before it never. */
static void the_end_is_the_end(void **state)
{
	static const enum event_type ends_with[] = {EV_EXECUTION_COMPLETED, EV_EXECUTION_FAILED, EV_EXECUTION_CANCELLED};
	struct admitted admitted;
	struct plan *p = plan_of(plan_text, &admitted);
	size_t k;
	int type;

	(void)state;
	for (k = 0; k < sizeof ends_with / sizeof *ends_with; k++) {
		struct exec *x = exec_new(p, "01890000-0000-7000-8000-000000000001");

		refused_without_a_trace(x, EV_EXECUTION_REOPENED, NO_ACTION, 0, "before the execution ended");
		lead(x, PH_COMPLETED);
		tell(x, EV_ACTION_SKIPPED, 1, 0, NULL);
		tell(x, EV_ACTION_SKIPPED, 2, 0, NULL);
		tell(x, ends_with[k], NO_ACTION, 0, NULL);
		for (type = 0; type < EV_COUNT; type++)
			if (type != EV_EXECUTION_REOPENED)
				refused_without_a_trace(x, (enum event_type)type, 0, 1, "after the execution ended");
		tell(x, EV_EXECUTION_REOPENED, 0, 0, NULL);
		assert_int_equal(x->outcome, OUTCOME_NONE);
		exec_free(x);
	}
	admitted_free(&admitted);
}

/* The S0 word of each phase, design section 9: waiting for a person is pending. */
static void phases_in_the_words_of_s0(void **state)
{
	static const char *const words[PH_COUNT] = {
	    [PH_BLOCKED] = "pending", [PH_READY] = "pending",  [PH_CONFIRM] = "pending",     [PH_RUNNING] = "running",
	    [PH_BACKOFF] = "pending", [PH_ASKING] = "pending", [PH_STANDIN] = "failed",      [PH_COMPLETED] = "completed",
	    [PH_FAILED] = "failed",   [PH_SKIPPED] = "skipped"};
	int k;

	(void)state;
	for (k = 0; k < PH_COUNT; k++)
		assert_string_equal(phase_status((enum phase)k), words[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_cell),
	    cmocka_unit_test(numbers_and_names_are_checked),
	    cmocka_unit_test(the_end_is_the_end),
	    cmocka_unit_test(phases_in_the_words_of_s0),
	};

	return cmocka_run_group_tests_name("transitions", tests, NULL, NULL);
}
