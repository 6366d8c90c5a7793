/*
 * What the core does with HTTP actions: what their definitions say where the plan says nothing, outcomes that nobody
 * knows, waits that servers and APIs ask for, and values that a person types in.  S0-DEF, S0-API, S0-ERR.
 */
#include "scene.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "core/context.h"
#include "store/catalog_http.h"

#define DEFINITION(id, method, more) \
	"id: " id "\nname: n\ndescription: d\nversion: 1.0.0\n" \
	"endpoint: {url: 'https://h.example/x', method: " method ", headers: {}, timeout: 0}\n" \
	"inputSchema: {}\noutputSchema: {}\nknownErrors: []\nexamples: []\n" \
	"retryPolicy: {maxAttempts: 4, initialDelay: 100, maxDelay: 1000, backoffMultiplier: 1, jitter: false, " \
	"retryableErrors: [network_timeout, api_unexpected_status, rate_limit_burst]}\n" more

static const struct {
	const char *file, *text;
} catalog[] = {
    {"actions/get.yaml", DEFINITION("get", "GET", "")},
    {"actions/put.yaml", DEFINITION("put", "PUT", "")},
    {"actions/post.yaml", DEFINITION("post", "POST", "")},
    {"actions/keyed.yaml", DEFINITION("keyed", "POST", "idempotencyKeyHeader: X-Once\n")},
    {"actions/again.yaml", DEFINITION("again", "PATCH", "retryUnsafe: true\n")},
    {"actions/typed.yaml", DEFINITION("typed", "GET", "authentication: {type: bearer, token: the token, tokenFrom: user_input}\n")},
    {"apis/h.yaml", "apiId: h/1\nname: n\nversion: 1\nbaseUrl: https://h.example\nerrorMappings: []\nquirks: {}\n"},
};

struct http_scene {
	struct scene s;
	char path[40];
	int root;
	struct http_catalog *catalog;
};

static void open_catalog(struct http_scene *h)
{
	size_t k;

	strcpy(h->path, "/tmp/creel-core-http-XXXXXX");
	assert_non_null(mkdtemp(h->path));
	h->root = open(h->path, O_RDONLY | O_DIRECTORY);
	assert_true(h->root >= 0);
	assert_int_equal(fs_mkdir_all(h->root, "catalog/actions", 0755, NULL), 0);
	assert_int_equal(fs_mkdir_all(h->root, "catalog/apis", 0755, NULL), 0);
	for (k = 0; k < sizeof catalog / sizeof *catalog; k++) {
		AUTO_FREE char *name = xasprintf("catalog/%s", catalog[k].file);

		assert_int_equal(fs_publish(h->root, name, catalog[k].text, strlen(catalog[k].text), 0, NULL), 0);
	}
	h->catalog = http_catalog_new(h->root);
}

/* scene_open, with a catalog.  typed: who says whether something has to be typed in. */
static void http_open(struct http_scene *h, const char *text, bool (*typed)(void *, const struct exec *, uint32_t))
{
	struct plan_catalog c = {0};
	struct diags errors = DIAGS_INIT;

	memset(h, 0, sizeof *h);
	open_catalog(h);
	c.http = h->catalog;
	if (!admit_plan_in(&c, "t.yaml", text, strlen(text), NULL, NOON, &h->s.admitted, &errors))
		fail_msg("refused: %s", errors.v[0].message);
	h->s.p = h->s.admitted.plan;
	h->s.x = exec_new(h->s.p, "01890000-0000-7000-8000-000000000001");
	h->s.t = (struct turn){.now = NOON, .random = 1, .out = &h->s.log, .typed_missing = typed};
	core_begin(h->s.x, &h->s.t, json_object());
	scene_turn(&h->s);
}

static void http_close(struct http_scene *h)
{
	int tmp;

	scene_close(&h->s);
	http_catalog_free(h->catalog);
	close(h->root);
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
	assert_int_equal(fs_remove_tree(tmp, h->path + strlen("/tmp/"), NULL), 0);
	close(tmp);
}

#define ONE(id, definition, more) "- {id: " id ", actionDefinitionId: " definition ", " more "}\n"

static const char *error_text(const struct scene *s, const char *id, const char *key)
{
	json_t *e = json_object_get(state_of(s, id)->record, "error"), *v = json_object_get(e, key);

	if (!v)
		v = json_object_get(json_object_get(e, "context"), key);
	return json_is_boolean(v) ? (json_is_true(v) ? "true" : "false") : json_string_value(v) ? json_string_value(v) : "-";
}

static void what_definitions_say(void **state)
{
	struct http_scene h;
	const struct plan *p;

	(void)state;
	http_open(&h, PLAN("", ONE("get", "get", "") ONE("post", "post", "") ONE("keyed", "keyed", "") ONE("again", "again", "")
				   ONE("put", "put", "")
				   ONE("own", "post", "onLost: rerun, breaker: mine, retryPolicy: {maxAttempts: 1, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, jitter: false, retryableErrors: []}")
				   ONE("raw", "http.request", "inputs: {url: 'https://h.example/y', method: POST}")
				   ONE("far", "http.request", "inputs: {url: 'https://far.example/{{inputs.x}}'}")
				   "inputs: {x: 1}\n"),
		  NULL);
	p = h.s.p;
	assert_int_equal(p->actions[at(&h.s, "get")].on_lost, ON_LOST_RERUN);
	assert_int_equal(p->actions[at(&h.s, "put")].on_lost, ON_LOST_RERUN);
	assert_int_equal(p->actions[at(&h.s, "post")].on_lost, ON_LOST_ASK);
	assert_int_equal(p->actions[at(&h.s, "keyed")].on_lost, ON_LOST_RERUN);
	assert_int_equal(p->actions[at(&h.s, "again")].on_lost, ON_LOST_RERUN);
	assert_int_equal(p->actions[at(&h.s, "own")].on_lost, ON_LOST_RERUN);
	assert_int_equal(p->actions[at(&h.s, "raw")].on_lost, ON_LOST_ASK);
	assert_int_equal(p->actions[at(&h.s, "far")].on_lost, ON_LOST_RERUN);
	assert_int_equal(p->actions[at(&h.s, "get")].retry.max_attempts, 4);
	assert_int_equal(p->actions[at(&h.s, "own")].retry.max_attempts, 1);
	assert_string_equal(p->actions[at(&h.s, "get")].breaker, "h_1");
	assert_string_equal(p->actions[at(&h.s, "own")].breaker, "mine");
	assert_string_equal(p->actions[at(&h.s, "raw")].breaker, "h_1");
	assert_null(p->actions[at(&h.s, "far")].breaker);
	assert_string_equal(p->actions[at(&h.s, "get")].pinned->host, "h.example");
	http_close(&h);
}

/* Killed, timed out or crashed without a word: only what may be done twice is tried again. */
static void unknown_outcomes(void **state)
{
	static const struct {
		const char *id;
		struct attempt_result r;
		bool again;
	} rows[] = {
	    {"get", {.outcome = ATTEMPT_TIMEOUT}, true},
	    {"put", {.outcome = ATTEMPT_TIMEOUT}, true},
	    {"keyed", {.outcome = ATTEMPT_TIMEOUT}, true},
	    {"again", {.outcome = ATTEMPT_SIGNALLED, .status = 9}, true},
	    {"post", {.outcome = ATTEMPT_TIMEOUT}, false},
	    {"post", {.outcome = ATTEMPT_SIGNALLED, .status = 9}, false},
	    {"post", {.outcome = ATTEMPT_EXITED, .status = 3}, false},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct http_scene h;

		http_open(&h, PLAN("", ONE("get", "get", "") ONE("put", "put", "") ONE("keyed", "keyed", "") ONE("again", "again", "")
					   ONE("post", "post", "")), NULL);
		ends(&h.s, rows[k].id, rows[k].r);
		if ((state_of(&h.s, rows[k].id)->phase == PH_BACKOFF) != rows[k].again)
			fail_msg("row %zu: %s is %s", k, rows[k].id, phase_name(state_of(&h.s, rows[k].id)->phase));
		if (!rows[k].again) {
			assert_string_equal(error_text(&h.s, rows[k].id, "retryable"), "false");
			assert_string_equal(error_text(&h.s, rows[k].id, "outcome"), "unknown");
		}
		http_close(&h);
	}
}

/* An error that the executor knows is as it says. */
static void known_outcomes(void **state)
{
	struct http_scene h;

	(void)state;
	http_open(&h, PLAN("", ONE("post", "post", "")), NULL);
	blames(&h.s, "post", "{\"category\": \"api_unexpected_status\", \"message\": \"503\", \"retryable\": true}");
	assert_int_equal(state_of(&h.s, "post")->phase, PH_BACKOFF);
	http_close(&h);
}

static void waits_that_are_asked_for(void **state)
{
	static const struct {
		const char *more; /* of the error */
		msec most;
		msec wait;
	} rows[] = {
	    {"", 0, 100},
	    {", \"retryAfter\": \"1970-01-01T00:20:00Z\"", 0, 200000},           /* longer than maxDelay */
	    {", \"retryAfter\": \"1970-01-01T00:20:00Z\"", 300000, 200000},
	    {", \"retryAfter\": \"1970-01-01T00:20:00Z\"", 5000, 5000},          /* the operator's cap */
	    {", \"retryAfter\": \"1970-01-01T00:20:00Z\"", 50, 100},             /* which shortens no backoff */
	    {", \"retryAfter\": \"1970-01-01T00:00:00Z\"", 5000, 100},           /* past */
	    {", \"retryAfter\": \"soon\"", 5000, 100},
	    {", \"context\": {\"backoffStrategy\": \"linear\"}", 0, 100},
	    {", \"context\": {\"backoffStrategy\": \"custom\"}", 0, 100},
	};
	static const struct {
		const char *strategy;
		msec waits[3];
	} growth[] = {{"exponential", {100, 200, 400}}, {"linear", {100, 200, 300}}, {"custom", {100, 100, 100}}, {"", {100, 100, 100}}};
	struct http_scene h;
	size_t k, n;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		AUTO_FREE char *error = xasprintf("{\"category\": \"rate_limit_burst\", \"message\": \"m\"%s}", rows[k].more);

		http_open(&h, PLAN("", ONE("get", "get", "")), NULL);
		h.s.t.retry_after_most = rows[k].most;
		blames(&h.s, "get", error);
		if (state_of(&h.s, "get")->deadline != NOON + rows[k].wait)
			fail_msg("row %zu: %lld", k, (long long)(state_of(&h.s, "get")->deadline - NOON));
		http_close(&h);
	}
	for (k = 0; k < sizeof growth / sizeof *growth; k++) {
		AUTO_FREE char *error = xasprintf("{\"category\": \"api_unexpected_status\", \"message\": \"m\", \"context\": {\"backoffStrategy\": \"%s\"}}",
						  growth[k].strategy);

		http_open(&h, PLAN("", ONE("get", "get", "")), NULL);
		for (n = 0; n < 3; n++) {
			blames(&h.s, "get", error);
			if (state_of(&h.s, "get")->deadline != h.s.t.now + growth[k].waits[n])
				fail_msg("%s, %zu: %lld", growth[k].strategy, n, (long long)(state_of(&h.s, "get")->deadline - h.s.t.now));
			later(&h.s, growth[k].waits[n]);
		}
		http_close(&h);
	}
}

/* ---- values that a person types in ---- */

static bool typed; /* somebody has */

static bool missing(void *ctx, const struct exec *x, uint32_t i)
{
	(void)ctx;
	return x->plan->actions[i].pinned && x->plan->actions[i].pinned->typed && !typed;
}

static void a_value_is_asked_for(void **state)
{
	struct http_scene h;
	struct asked *a;

	(void)state;
	typed = false;
	http_open(&h, PLAN("", ONE("a", "typed", "") ONE("b", "get", "")), missing);
	assert_int_equal(state_of(&h.s, "b")->phase, PH_RUNNING);
	assert_int_equal(state_of(&h.s, "a")->phase, PH_CONFIRM);
	a = exec_open_request(h.s.x, at(&h.s, "a"));
	assert_string_equal(a->kind, "input");
	assert_int_equal(state_of(&h.s, "a")->attempt, 0);
	typed = true;
	assert_string_equal(decides(&h.s, "ana", "approve", "a"), "ok");
	assert_int_equal(state_of(&h.s, "a")->phase, PH_RUNNING);
	/* lost again with the daemon's memory before it was handed to a supervisor: nothing happened, whatever onLost says */
	typed = false;
	core_unstarted(h.s.x, &h.s.t, at(&h.s, "a"), "gone");
	scene_turn(&h.s);
	assert_int_equal(state_of(&h.s, "a")->phase, PH_CONFIRM);
	assert_int_equal(state_of(&h.s, "a")->budget_used, 0);
	assert_string_equal(decides(&h.s, "ana", "retry", "a"), "\"retry\" is not a decision for \"a\": see its request in confirm/");
	assert_string_equal(decides(&h.s, "ana", "reject", "a"), "ok");
	assert_int_equal(state_of(&h.s, "a")->phase, PH_SKIPPED);
	exits(&h.s, "b", 0);
	assert_int_equal(h.s.x->outcome, OUTCOME_CANCELLED);
	http_close(&h);
}

static void an_execution_that_waits_for_a_value_waits_for_a_person(void **state)
{
	struct http_scene h;

	(void)state;
	typed = false;
	http_open(&h, PLAN("maxConcurrency: 1\n", ONE("a", "typed", "")), missing);
	assert_string_equal(exec_status(h.s.x), "paused_for_confirmation");
	http_close(&h);
	/* one that is set aside for what another asks for holds nothing up */
	http_open(&h, PLAN("", ONE("a", "typed", "") ONE("b", "get", "dependencies: [c]") ONE("c", "get", "")), missing);
	gives(&h.s, "c", "{}");
	exits(&h.s, "b", 0);
	assert_string_equal(exec_status(h.s.x), "paused_for_confirmation");
	typed = true;
	assert_string_equal(decides(&h.s, "ana", "approve", "a"), "ok");
	exits(&h.s, "a", 0);
	assert_int_equal(h.s.x->outcome, OUTCOME_COMPLETED);
	http_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_definitions_say),
	    cmocka_unit_test(unknown_outcomes),
	    cmocka_unit_test(known_outcomes),
	    cmocka_unit_test(waits_that_are_asked_for),
	    cmocka_unit_test(a_value_is_asked_for),
	    cmocka_unit_test(an_execution_that_waits_for_a_value_waits_for_a_person),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
