/*
 * Plans in files: tests/corpus/invalid/CASE/{input.*, error} and tests/corpus/valid/CASE/{input.*, plan.json}.
 *
 * A wrong plan is refused with exactly the findings in `error`, one a line:
 *     LINE:COLUMN: POINTER: MESSAGE; SUGGESTION
 * A good one becomes exactly plan.json.  The same code judges what is dropped into the inbox (EDGE-2, STEP-CHECK,
 * STEP-PLAN, S0-SCHEMA).  CREEL_ACCEPT=1 writes what was found as what is expected: look at the difference before
 * it is committed.  CREEL_CASE=NAME runs one case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/schema.h"
#include "codec/source.h"
#include "store/admit.h"

enum { NOW = 1767323045 }; /* 2026-01-02T03:04:05Z */

static const char *const exts[] = {"yaml", "yml", "json"};

/* ---- the files of a case ---- */

static int open_corpus(const char *name)
{
	const char *tests = getenv("CREEL_TESTS");
	AUTO_FREE char *path = xasprintf("%s/corpus/%s", tests ? tests : "tests", name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("cannot open %s; run from the top of the tree, or set CREEL_TESTS", path);
	return fd;
}

static int is_case(const struct dirent *entry)
{
	const char *only = getenv("CREEL_CASE");

	return entry->d_name[0] != '.' && (!only || strcmp(only, entry->d_name) == 0);
}

/* The input of a case; the name it has there goes to *name. */
static bool read_input(int dir, const char *which, char *name, size_t size, struct buf *text)
{
	size_t k;

	for (k = 0; k < sizeof exts / sizeof *exts; k++) {
		AUTO_FREE char *path = xasprintf("%s/input.%s", which, exts[k]);
		struct err e;

		if (!fs_exists(dir, path))
			continue;
		if (fs_read(dir, path, source_plan_limits.bytes, text, &e) < 0)
			fail_msg("%s", e.text);
		snprintf(name, size, "input.%s", exts[k]);
		return true;
	}
	return false;
}

/* ---- expected against found ---- */

static bool has_line(const char *text, const char *line, size_t n)
{
	for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL)
		if (strcspn(text, "\n") == n && memcmp(text, line, n) == 0)
			return true;
	return false;
}

static void print_only(const char *sign, const char *text, const char *other)
{
	size_t n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (!has_line(other, text, n))
			printf("  %s %.*s\n", sign, (int)n, text);
	}
}

/* Compare with the file, or write it; false where they differ. */
static bool as_expected(int dir, const char *which, const char *file, const struct buf *found)
{
	AUTO_FREE char *path = xasprintf("%s/%s", which, file);
	AUTO_BUF struct buf expected = BUF_INIT;
	struct err e;

	if (fs_exists(dir, path) && fs_read(dir, path, 1 << 24, &expected, &e) < 0)
		fail_msg("%s", e.text);
	if (strcmp(buf_str(&expected), buf_str(found)) == 0)
		return true;
	if (getenv("CREEL_ACCEPT")) {
		if (fs_publish(dir, path, found->p, found->len, 0, &e) < 0)
			fail_msg("%s", e.text);
		printf("%s: accepted\n%s", which, buf_str(found));
		return true;
	}
	printf("%s: not as in %s (- expected, + found)\n", which, file);
	print_only("-", buf_str(&expected), buf_str(found));
	print_only("+", buf_str(found), buf_str(&expected));
	return false;
}

static void render(struct buf *out, const struct diags *errors)
{
	size_t k;

	for (k = 0; k < errors->n; k++) {
		const struct diag *d = &errors->v[k];

		buf_printf(out, "%d:%d: %s: %s%s%s\n", d->line, d->column, d->pointer, d->message,
			   d->suggestion ? "; " : "", d->suggestion ? d->suggestion : "");
	}
	if (errors->more)
		buf_printf(out, "and %zu more\n", errors->more);
}

typedef bool (*case_check)(int dir, const char *which, const char *name, const struct buf *text);

static void each_case(const char *corpus, size_t least, case_check check)
{
	int dir = open_corpus(corpus), n, k, bad = 0;
	struct dirent **list;

	n = scandirat(dir, ".", &list, is_case, alphasort);
	assert_true(n >= 0);
	for (k = 0; k < n; k++) {
		AUTO_BUF struct buf text = BUF_INIT;
		char name[32];

		if (!read_input(dir, list[k]->d_name, name, sizeof name, &text)) {
			printf("%s: there is no input\n", list[k]->d_name);
			bad++;
		} else if (!check(dir, list[k]->d_name, name, &text)) {
			bad++;
		}
		free(list[k]);
	}
	free(list);
	close(dir);
	if (bad)
		fail_msg("%d of %d cases in %s", bad, n, corpus);
	if (!getenv("CREEL_CASE"))
		assert_true((size_t)n >= least);
}

/* ---- plans that are wrong ---- */

static bool refused(int dir, const char *which, const char *name, const struct buf *text)
{
	struct diags errors = DIAGS_INIT;
	AUTO_BUF struct buf found = BUF_INIT;
	struct admitted a;
	bool good;

	if (admit_plan(name, text->p, text->len, NULL, (msec)NOW * 1000, &a, &errors))
		buf_puts(&found, "accepted\n");
	render(&found, &errors);
	good = as_expected(dir, which, "error", &found);
	if (strcmp(buf_str(&found), "accepted\n") == 0) {
		printf("%s: is accepted\n", which);
		good = false;
	}
	admitted_free(&a);
	diags_free(&errors);
	return good;
}

static void test_invalid(void **state)
{
	(void)state;
	each_case("invalid", 95, refused);
}

/* ---- plans that are good ---- */

/* What creel wrote may be dropped again, and is the same plan. */
static bool comes_round(const char *which, json_t *canonical)
{
	AUTO_FREE char *text = json_dumps(canonical, 0);
	struct diags errors = DIAGS_INIT;
	AUTO_BUF struct buf found = BUF_INIT;
	struct admitted a;
	bool same = admit_plan("plan.json", text, strlen(text), NULL, (msec)NOW * 1000, &a, &errors);

	render(&found, &errors);
	if (!same)
		printf("%s: its own plan.json is refused:\n%s", which, buf_str(&found));
	if (same) {
		json_object_set_new(a.canonical, "sourceForm", json_string("steps"));
		json_object_set_new(canonical, "sourceForm", json_string("steps"));
		same = json_equal(a.canonical, canonical);
		if (!same) {
			AUTO_FREE char *again = json_dumps(a.canonical, 0);

			printf("%s: its own plan.json becomes another plan:\n%s\n%s\n", which, text, again);
		}
	}
	admitted_free(&a);
	diags_free(&errors);
	return same;
}

static bool accepted(int dir, const char *which, const char *name, const struct buf *text)
{
	struct diags errors = DIAGS_INIT;
	AUTO_BUF struct buf found = BUF_INIT;
	struct admitted a;
	bool good = admit_plan(name, text->p, text->len, NULL, (msec)NOW * 1000, &a, &errors);

	if (!good) {
		render(&found, &errors);
		printf("%s: is refused:\n%s", which, buf_str(&found));
	} else {
		AUTO_FREE char *plan = json_dumps(a.canonical, JSON_INDENT(2));

		buf_puts(&found, plan);
		buf_putc(&found, '\n');
		good = as_expected(dir, which, "plan.json", &found);
		if (!schema_check(schema_builtin("execution-plan"), a.canonical, "", &errors)) {
			buf_reset(&found);
			render(&found, &errors);
			printf("%s: its plan.json is not as the schema says:\n%s", which, buf_str(&found));
			good = false;
		}
		good &= comes_round(which, a.canonical);
	}
	admitted_free(&a);
	diags_free(&errors);
	return good;
}

static void test_valid(void **state)
{
	(void)state;
	each_case("valid", 20, accepted);
}

/* ---- limits, with plans too large to keep as files ---- */

static void expect_error(const char *name, struct buf *text, const char *expected)
{
	struct diags errors = DIAGS_INIT;
	AUTO_BUF struct buf found = BUF_INIT;
	struct admitted a;

	if (admit_plan(name, text->p, text->len, NULL, (msec)NOW * 1000, &a, &errors))
		buf_puts(&found, "accepted\n");
	render(&found, &errors);
	assert_string_equal(buf_str(&found), expected);
	admitted_free(&a);
	diags_free(&errors);
	buf_free(text);
}

static void add_commands(struct buf *b, unsigned from, unsigned n)
{
	unsigned k;

	for (k = from; k < from + n; k++)
		buf_printf(b, "%s{\"id\":\"a%u\",\"actionDefinitionId\":\"command\",\"inputs\":{\"command\":\"true\"}}",
			   k > from ? "," : "", k);
}

static void test_limit_actions(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "{\"name\":\"many\",\"actions\":[");
	add_commands(&b, 0, 50000);
	buf_puts(&b, "]}");
	expect_error("p.json", &b, "accepted\n");
	buf_puts(&b, "{\"name\":\"many\",\"actions\":[");
	add_commands(&b, 0, 50001);
	buf_puts(&b, "]}");
	expect_error("p.json", &b,
		     "1:26: /actions: must have at most 50000 elements, not 50001; a plan has at most 50,000 actions\n");
}

/* A plan of a million actions is refused before memory is spent. */
static void test_limit_nodes(void **state)
{
	struct buf b = BUF_INIT;
	unsigned k;

	(void)state;
	buf_puts(&b, "{\"name\":\"many\",\"actions\":[");
	for (k = 0; k < 1000000; k++)
		buf_printf(&b, "%s{\"id\":1}", k ? "," : "");
	buf_puts(&b, "]}");
	expect_error("p.json", &b, "1:4500015: : more than 1000000 values, which is the limit; keep large data in a file of its "
				   "own and refer to that\n");
}

static void test_limit_bytes(void **state)
{
	struct buf b = BUF_INIT;
	
	(void)state;
	buf_puts(&b, "name: x\n");
	while (b.len <= source_plan_limits.bytes)
		buf_puts(&b, "# a comment that takes some room, to and fro, again and again, until it is enough\n");
	expect_error("p.yaml", &b, "1:1: : 16777290 bytes of text; the limit is 16777216; keep large data in a file of its own "
				   "and refer to that\n");
}

static void test_limit_dependencies(void **state)
{
	struct buf b = BUF_INIT;
	unsigned k;

	(void)state;
	buf_puts(&b, "{\"name\":\"many\",\"actions\":[");
	add_commands(&b, 0, 10001);
	buf_puts(&b, ",\n{\"id\":\"last\",\"actionDefinitionId\":\"command\",\"inputs\":{\"command\":\"true\"},\"dependencies\":[");
	for (k = 0; k <= 10000; k++)
		buf_printf(&b, "%s\"a%u\"", k ? "," : "", k);
	buf_puts(&b, "]}]}");
	expect_error("p.json", &b, "2:88: /actions/10001/dependencies: must have at most 10000 elements, not 10001; an action "
				   "has at most 10,000 dependencies\n");
}

/* More findings than are shown are counted. */
static void test_limit_findings(void **state)
{
	struct buf b = BUF_INIT;
	AUTO_BUF struct buf found = BUF_INIT;
	struct diags errors = DIAGS_INIT;
	struct admitted a;
	unsigned k;

	(void)state;
	buf_puts(&b, "name: x\nactions:\n");
	for (k = 0; k < 150; k++)
		buf_printf(&b, "- {id: a%u, actionDefinitionId: command, inputs: {command: x}, dependencies: [none%u]}\n", k, k);
	assert_false(admit_plan("p.yaml", b.p, b.len, NULL, (msec)NOW * 1000, &a, &errors));
	assert_int_equal(errors.n, DIAG_MAX);
	assert_int_equal(errors.more, 50);
	diags_free(&errors);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_invalid),     cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_limit_actions), cmocka_unit_test(test_limit_nodes),
	    cmocka_unit_test(test_limit_bytes), cmocka_unit_test(test_limit_dependencies),
	    cmocka_unit_test(test_limit_findings),
	};

	return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
