/*
 * What an attempt left: the parts of the input are result.json, output, error and stderr.
 *
 * Nothing counts as this attempt's result that does not name it and its token; what counts can be folded into the
 * execution, committed and read back, and only an exit 0 completes the action.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "store/admit.h"
#include "store/attempt.h"
#include "tests/fuzz/spool.h"

static const char id[] = "01890000-0000-7000-8000-000000000001";
static const char plan_text[] = "name: n\nactions:\n"
				"- {id: a, actionDefinitionId: command, inputs: {command: x}, provides: [v],"
				" retryPolicy: {maxAttempts: 2, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1,"
				" retryableErrors: [network_timeout], jitter: false}}\n";

static void fill(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"result.json", "output", "error", "stderr"};
	char dir[SPOOL_PATH_MAX];
	size_t at = 0, n = 0, k;
	struct err e = {0};

	spool_attempt_path(id, "a", 1, dir);
	MUST(fs_mkdir_all(spool.fd[SPOOL_ROOT], dir, 0755, &e) == 0, "%s", e.text);
	for (k = 0; k < sizeof names / sizeof *names; k++) {
		AUTO_FREE char *path = xasprintf("%s/%s", dir, names[k]);
		const char *part = "";

		if (!fuzz_part(data, size, &at, &part, &n))
			n = 0;
		spool_put(path, part, n);
	}
}

static int fold(void *x, const struct commit *c, const struct event *ev, struct err *e)
{
	(void)c;
	return ev ? exec_apply(x, ev, e) : 0;
}

/* The same execution from its journal. */
static void check_journal(struct plan *p, const struct events *out, const struct exec *x)
{
	struct commit c = {.seq = 1, .at = 1000, .events = *out}, again;
	AUTO_BUF struct buf text = BUF_INIT;
	struct exec *y = exec_new(p, id);
	struct err e = {0};

	memset(c.prev, '0', sizeof c.prev - 1);
	memcpy(c.prev, "sha256:", 7);
	commit_encode(&text, p, &c);
	MUST(commit_decode(text.p, text.len, p, &again, fold, y, &e) == 0, "%s: %s", e.text, text.p);
	MUST(y->a[0].phase == x->a[0].phase && exec_check(y, &e) == 0, "the journal says something else: %s", e.text);
	events_free(&again.events);
	exec_free(y);
}

static void take(struct attempt_report *report)
{
	struct diags errors = DIAGS_INIT;
	struct events out = EVENTS_INIT;
	struct turn t = {.now = 1000, .random = 1, .out = &out};
	struct admitted a;
	struct exec *x;
	struct err e = {0};
	bool good = report->result.outcome == ATTEMPT_EXITED && report->result.status == 0;

	MUST(admit_plan("t.yaml", plan_text, strlen(plan_text), NULL, 1000, &a, &errors), "%s", errors.v[0].message);
	x = exec_new(a.plan, id);
	core_begin(x, &t, json_object());
	core_advance(x, &t);
	MUST(core_start(x, &t), "it does not start");
	core_result(x, &t, 0, &report->result);
	core_advance(x, &t);
	MUST(exec_check(x, &e) == 0, "%s", e.text);
	MUST(x->a[0].phase != PH_COMPLETED || good, "what did not exit 0 completed");
	check_journal(a.plan, &out, x);
	exec_free(x);
	events_free(&out);
	admitted_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attempt_report report;
	struct err e = {0};

	spool_make();
	fill(data, size);
	switch (attempt_read(&spool, id, "a", 1, "secret-token", 1 << 20, &report, &e)) {
	case ATTEMPT_READ_OK:
		MUST(memmem(data, size, "token", 5), "a result without a token");
		take(&report);
		attempt_report_free(&report);
		break;
	case ATTEMPT_READ_BAD:
		MUST(e.text[0], "refused without a reason");
		break;
	case ATTEMPT_READ_NONE:
		break;
	case ATTEMPT_READ_LATER:
		MUST(0, "nothing is short here: %s", e.text);
	}
	return 0;
}
