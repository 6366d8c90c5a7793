/*
 * state.c - the six operations of the state manager of seeds/000 section 4.2, for scripts; S0-STATE.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "creel/common.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/plan_file.h"
#include "store/state_manager.h"

static int failed(const struct err *e)
{
	complain("%s", e->text);
	return e->code == EWOULDBLOCK ? EXIT_UNABLE : EXIT_NO;
}

static int answer(json_t *value, const struct err *e)
{
	if (!value)
		return failed(e);
	json_print(value);
	json_decref(value);
	return EXIT_DONE;
}

static int get_full(struct cli *c, const struct spool *s, const char *id, char **argv)
{
	struct err e = {0};

	(void)c;
	(void)argv;
	return answer(state_full(s, id, &e), &e);
}

static int get_result(struct cli *c, const struct spool *s, const char *id, char **argv)
{
	struct err e = {0};

	(void)c;
	return answer(state_result(s, id, argv[0], &e), &e);
}

static int get_available(struct cli *c, const struct spool *s, const char *id, char **argv)
{
	struct err e = {0};

	(void)c;
	(void)argv;
	return answer(state_available(s, id, &e), &e);
}

static int update_status(struct cli *c, const struct spool *s, const char *id, char **argv)
{
	struct err e = {0};

	(void)c;
	return state_update_status(s, id, argv[0], argv[1], &e) < 0 ? failed(&e) : EXIT_DONE;
}

static int record_result(struct cli *c, const struct spool *s, const char *id, char **argv)
{
	struct err e = {0};
	json_error_t where;
	json_t *result = strcmp(argv[1], "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &where)
						   : json_load_file(argv[1], JSON_REJECT_DUPLICATES, &where);
	int status;

	(void)c;
	if (!result) {
		complain("%s:%d:%d: %s", argv[1], where.line, where.column, where.text);
		return EXIT_UNABLE;
	}
	status = state_record_result(s, id, argv[0], result, &e) < 0 ? failed(&e) : EXIT_DONE;
	json_decref(result);
	return status;
}

static int initialize(struct cli *c, const struct spool *s, const char *id, char **argv)
{
	struct diags findings = DIAGS_INIT;
	struct err e = {0};
	struct plan_file f;
	json_t *state = NULL;
	AUTO_FREE char *name = NULL;
	int status;

	(void)c;
	(void)id;
	if (plan_file_read(argv[0], &f) < 0)
		return EXIT_UNABLE;
	name = xasprintf("plan.%s", f.ext);
	if (state_initialize(s, name, buf_str(&f.text), f.text.len, &state, &findings, &e) < 0) {
		findings_print(stderr, f.name, &findings);
		status = findings.n > 0 ? EXIT_NO : failed(&e);
	} else {
		status = answer(state, &e);
	}
	diags_free(&findings);
	plan_file_free(&f);
	return status;
}

static const struct operation {
	const char *name;  /* here */
	const char *s0;    /* in the source */
	const char *wants; /* what follows */
	int operands;
	bool execution; /* the first operand is one */
	int (*run)(struct cli *c, const struct spool *s, const char *id, char **argv);
} operations[] = {
    {"initialize", "initializeState", "a plan", 1, false, initialize},
    {"update-status", "updateActionStatus", "an execution, an action and a status", 3, true, update_status},
    {"record-result", "recordActionResult", "an execution, an action and a file (or -)", 3, true, record_result},
    {"get-available", "getAvailableActions", "an execution", 1, true, get_available},
    {"get-result", "getActionResult", "an execution and an action", 2, true, get_result},
    {"get-full", "getFullState", "an execution", 1, true, get_full},
};

static const struct operation *find(const char *word)
{
	const char *names[COUNT(operations)], *near;
	size_t k;

	for (k = 0; k < COUNT(operations); k++) {
		names[k] = operations[k].name;
		if (strcmp(operations[k].name, word) == 0 || strcmp(operations[k].s0, word) == 0)
			return &operations[k];
	}
	near = text_nearest(word, names, COUNT(operations));
	if (near)
		usage(&verb_state, "there is no \"%s\"; did you mean \"%s\"?", word, near);
	else
		usage(&verb_state, "there is no \"%s\"", word);
	return NULL;
}

static int run(struct cli *c, int argc, char **argv)
{
	const struct operation *o;
	char id[UUID_TEXT] = "";
	struct spool s;
	struct err e;
	int status;

	if (!options(c, &verb_state, NULL, 0, &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_state, "which operation?");
	if (!(o = find(argv[0])))
		return EXIT_UNABLE;
	if (argc != o->operands + 1)
		return usage(&verb_state, "%s wants %s", argv[0], o->wants);
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if (o->execution && (status = id_resolve(c, argv[1], id)) != EXIT_DONE)
		return status;
	if (strncmp(o->name, "get-", 4) == 0) /* reading needs no more than the root */
		return o->run(c, &c->spool, id, argv + 2);
	if (spool_open(&s, c->spool.path, &e) < 0) {
		complain("%s", e.text);
		return EXIT_UNABLE;
	}
	status = o->run(c, &s, id, argv + (o->execution ? 2 : 1));
	spool_close(&s);
	return status;
}

const struct verb verb_state = {
    "state",
    "initialize PLAN | update-status ID ACTION STATUS | record-result ID ACTION FILE |\n"
    "       get-available ID | get-result ID ACTION | get-full ID",
    "the state manager's six operations, for scripts\n"
    "\n"
    "  initialize PLAN                  make an execution of a plan; prints its state\n"
    "  update-status ID ACTION STATUS   pending, running, completed, failed or skipped\n"
    "  record-result ID ACTION FILE     {status: success, output} or {status: failure,\n"
    "                                   error} or {status: skipped, reason}; - is stdin\n"
    "  get-available ID                 an array of the actions that could start now\n"
    "  get-result ID ACTION             the action's result, or null if it has none yet\n"
    "  get-full ID                      the whole state (schema execution-state), as of\n"
    "                                   the last commit of the journal\n"
    "\n"
    "The names of the source (getFullState, …) are understood too.  All answers are JSON.\n"
    "The first three write commits themselves and therefore need the daemon to be stopped;\n"
    "with a daemon at work, drop files: creel submit, approve, retry, skip, cancel.\n",
    run,
};
