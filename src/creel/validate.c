#include <stdio.h>

#include "creel/common.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/plan_file.h"
#include "creel/show_text.h"
#include "store/admit.h"

static json_t *result_of(const struct plan_file *f, long actions, const struct diags *findings)
{
	json_t *one;

	if (actions >= 0)
		return json_pack("{s:s, s:b, s:I, s:[]}", "file", f->name, "ok", 1, "actions", (json_int_t)actions,
				 "errors");
	one = admit_report(f->name, findings, "validation_failed", clock_wall(), -1);
	json_object_set_new(one, "ok", json_false());
	return one;
}

static void say_ok(const struct plan_file *f, long actions)
{
	AUTO_BUF struct buf b = BUF_INIT;

	put_safe(&b, f->name);
	buf_puts(&b, ": ok (");
	put_count(&b, actions, "action", "actions");
	buf_puts(&b, ")\n");
	put_out(&b, stdout);
}

static int check(struct cli *c, const char *arg, bool quiet, json_t *report)
{
	struct diags findings = DIAGS_INIT;
	struct plan_file f;
	long actions;

	if (plan_file_read(arg, &f) < 0)
		return EXIT_UNABLE;
	actions = plan_file_check(c, &f, &findings);
	if (report)
		json_array_append_new(report, result_of(&f, actions, &findings));
	else if (actions < 0)
		findings_print(stdout, f.name, &findings);
	else if (!quiet)
		say_ok(&f, actions);
	diags_free(&findings);
	plan_file_free(&f);
	return actions < 0 ? EXIT_NO : EXIT_DONE;
}

static int run(struct cli *c, int argc, char **argv)
{
	bool json = false, quiet = false;
	const struct opt opts[] = {{"json", 0, OPT_FLAG, &json}, {"quiet", 'q', OPT_FLAG, &quiet}};
	json_t *report;
	int status, k, r;

	if (!options(c, &verb_validate, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_validate, "which plan?");
	if (cli_spool_if_any(c) < 0)
		return EXIT_UNABLE;
	report = json ? json_array() : NULL;
	status = EXIT_DONE;
	for (k = 0; k < argc; k++) {
		r = check(c, argv[k], quiet, report);
		if (r > status)
			status = r;
	}
	if (report)
		json_print(report);
	json_decref(report);
	return status;
}

const struct verb verb_validate = {
    "validate",
    "[--json] [--quiet] FILE…",
    "check plan files without running them\n"
    "\n"
    "Judges each FILE (- is stdin) exactly as the daemon would, and prints every\n"
    "finding as\n"
    "    FILE:LINE:COLUMN: POINTER: MESSAGE; SUGGESTION\n"
    "or \"FILE: ok (N actions)\".  Needs no daemon; a spool only for the plans and\n"
    "definitions of its catalog that a plan names.\n"
    "\n"
    "  --json       an array with one report for each file: {file, ok, errors:\n"
    "               [{message, line, column, …}]}\n"
    "  -q, --quiet  say nothing about plans that are right\n"
    "\n"
    "exit status: 0 all are right; 1 some are wrong; 2 some cannot be read\n",
    run,
};
