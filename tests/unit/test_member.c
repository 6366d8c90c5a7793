/* Names of entries in archives of executions: what is taken, and everything that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/member.h"

#define ID "01a1fc7b-9a04-7000-9fb3-707953140dc8" /* of 2026-11-21 */
#define E "executions/2026-11-21/" ID

static void taken(void **state)
{
	static const struct {
		const char *path;
		enum member_kind kind;
		const char *action, *below;
		uint32_t number;
		bool dir;
	} rows[] = {
	    {"executions", MEMBER_ABOVE, "", "", 0, true},
	    {"executions/", MEMBER_ABOVE, "", "", 0, true},
	    {"executions/2026-11-21", MEMBER_ABOVE, "", "", 0, true},
	    {"executions/2026-11-21/", MEMBER_ABOVE, "", "", 0, true},
	    {E, MEMBER_TOP, "", "", 0, true},
	    {E "/", MEMBER_TOP, "", "", 0, true},
	    {E "/plan.json", MEMBER_PLAN, "", "", 0, false},
	    {E "/state.json", MEMBER_STATE, "", "", 0, false},
	    {E "/empty.json", MEMBER_EMPTY, "", "", 0, false},
	    {E "/source.yaml", MEMBER_SOURCE, "", "", 0, false},
	    {E "/source.yml", MEMBER_SOURCE, "", "", 0, false},
	    {E "/source.json", MEMBER_SOURCE, "", "", 0, false},
	    {E "/journal/", MEMBER_TOP, "", "", 0, true},
	    {E "/journal/00000007.json", MEMBER_COMMIT, "", "", 7, false},
	    {E "/journal/00000012.json.torn", MEMBER_TORN, "", "", 12, false},
	    {E "/control", MEMBER_TOP, "", "", 0, true},
	    {E "/control/00000003-a.retry", MEMBER_CONTROL, "", "", 3, false},
	    {E "/actions/", MEMBER_TOP, "", "", 0, true},
	    {E "/actions/a", MEMBER_ACTION, "a", "", 0, true},
	    {E "/actions/a.3/", MEMBER_ACTION, "a.3", "", 0, true},
	    {E "/actions/a/1", MEMBER_ATTEMPT, "a", "", 1, true},
	    {E "/actions/a/1/", MEMBER_ATTEMPT, "a", "", 1, true},
	    {E "/actions/a/4294967295/x", MEMBER_ATTEMPT, "a", "x", 4294967295u, false},
	    {E "/actions/a/2/stdout", MEMBER_ATTEMPT, "a", "stdout", 2, false},
	    {E "/actions/a/2/..x/y z/\x01\xff", MEMBER_ATTEMPT, "a", "..x/y z/\x01\xff", 2, false},
	    {E "/actions/a/confirm-1", MEMBER_CONFIRM, "a", "", 1, true},
	    {E "/actions/a/confirm-1/approve", MEMBER_CONFIRM, "a", "approve", 1, false},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct member m;
		struct err e;

		if (member_parse(rows[k].path, &m, &e) < 0)
			fail_msg("%s: %s", rows[k].path, e.text);
		assert_int_equal(m.kind, rows[k].kind);
		assert_string_equal(m.action, rows[k].action);
		assert_string_equal(m.below, rows[k].below);
		assert_int_equal(m.number, rows[k].number);
		assert_int_equal(member_is_dir(&m), rows[k].dir);
		if (m.kind != MEMBER_ABOVE)
			assert_string_equal(m.id, ID);
	}
}

/* SEC: nothing that an archive names leads anywhere but into an execution. */
static void refused(void **state)
{
	static const char *const rows[] = {
	    "/etc/passwd",
	    "/" E "/plan.json",
	    "../" E "/plan.json",
	    "./" E "/plan.json",
	    "executions/../executions/2026-11-21/" ID "/plan.json",
	    E "//plan.json",
	    E "/./plan.json",
	    E "/actions/a/1/../../../../../../active/" ID,
	    E "/actions/a/1/..",
	    E "/actions/a/1/x/../y",
	    E "/actions/a/1//x",
	    E "/..",
	    "plan.json",
	    "executionsX/2026-11-21/" ID "/plan.json",
	    "active/" ID,
	    "executions/2026-11-22/" ID "/plan.json",
	    "executions/2026-11-211/" ID "/plan.json",
	    "executions/2026-11-21/" ID "0/plan.json",
	    "executions/2026-11-21/01A1FC7B-9A04-7000-9FB3-707953140DC8/plan.json",
	    "executions/2026-11-21/01a1fc7b-9a04-4000-9fb3-707953140dc8/plan.json",
	    "executions/2026-11-21/x/plan.json",
	    E "/plan.json/x",
	    E "/.plan.json.tmp",
	    E "/notes",
	    E "/source",
	    E "/source.exe",
	    E "/journal/7.json",
	    E "/journal/00000000.json",
	    E "/journal/00000007.jsonx",
	    E "/journal/000000071.json",
	    E "/journal/+0000007.json",
	    E "/journal/00000007.json/x",
	    E "/control/x",
	    E "/control/00000003-",
	    E "/control/00000003-a/b",
	    E "/actions/.a/1/x",
	    E "/actions/-a/1/x",
	    E "/actions/a.x/1/y",
	    E "/actions/a b/1/y",
	    E "/actions/a/0",
	    E "/actions/a/01",
	    E "/actions/a/-1",
	    E "/actions/a/x",
	    E "/actions/a/4294967296",
	    E "/actions/a/confirm-",
	    E "/actions/a/confirm-0/x",
	    E "/actions/a/confirm-x",
	    E "/actions/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/1",
	    "",
	};
	AUTO_FREE char *name = xcalloc(1, 400), *deep = xcalloc(1, 400), *path = xcalloc(1, 6000);
	struct member m;
	struct err e;
	size_t k;

	(void)state;
	for (k = 0; k < sizeof rows / sizeof *rows; k++)
		if (member_parse(rows[k], &m, &e) == 0)
			fail_msg("%s is taken", rows[k]);
	memset(name, 'x', 255);
	snprintf(path, 6000, E "/actions/a/1/%s", name);
	assert_int_equal(member_parse(path, &m, &e), 0);
	name[255] = 'x';
	snprintf(path, 6000, E "/actions/a/1/%s", name);
	assert_int_equal(member_parse(path, &m, &e), -1);
	for (k = 0; k < 58; k++)
		strcat(deep, "/d");
	snprintf(path, 6000, E "/actions/a/1%s", deep);
	assert_int_equal(member_parse(path, &m, &e), 0);
	strcat(deep, "/d");
	snprintf(path, 6000, E "/actions/a/1%s", deep);
	assert_int_equal(member_parse(path, &m, &e), -1);
	memset(path, 0, 6000);
	strcpy(path, E "/actions/a/1");
	while (strlen(path) < 4096)
		strncat(path, "/ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", 100);
	assert_int_equal(member_parse(path, &m, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(taken), cmocka_unit_test(refused)};

	return cmocka_run_group_tests_name("member", tests, NULL, NULL);
}
