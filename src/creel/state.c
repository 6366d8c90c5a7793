/*
 * state.c - the read side of the state manager of seeds/000 section 4.2, for scripts; S0-STATE.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/decide.h"
#include "creel/common.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "store/journal.h"
#include "store/state_file.h"

/* The state at the last commit, folded anew: state.json may lag. */
static int load(struct cli *c, const char *id, struct loaded *l)
{
	struct err e;

	if (journal_load(&c->spool, id, true, l, &e) == 0)
		return EXIT_DONE;
	complain("%s: %s", id, e.text);
	return EXIT_NO;
}

static int get_full(struct cli *c, const char *id)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct loaded l;
	int status = load(c, id, &l);

	if (status != EXIT_DONE)
		return status;
	state_encode(&b, l.exec, &(struct state_marks){l.seq, l.events_seq});
	fwrite(b.p, 1, b.len, stdout);
	loaded_free(&l);
	return EXIT_DONE;
}

static int get_result(struct cli *c, const char *id, const char *action)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct loaded l;
	json_t *state, *one;
	int status = load(c, id, &l);

	if (status != EXIT_DONE)
		return status;
	state_encode(&b, l.exec, &(struct state_marks){l.seq, l.events_seq});
	loaded_free(&l);
	state = json_loadb(b.p, b.len, 0, NULL);
	one = json_object_get(json_object_get(state, "actionStates"), action);
	if (one) {
		json_t *result = json_object_get(one, "result");

		json_print(result ? result : json_null());
	} else {
		complain("%s has no action \"%s\"; \"creel show %s\" lists them", id, action, id_short(id));
		status = EXIT_NO;
	}
	json_decref(state);
	return status;
}

/* What the core would start next.  It decides on a copy in memory: nothing of it is written. */
static int get_available(struct cli *c, const char *id)
{
	struct events out = EVENTS_INIT;
	struct turn t = {.now = clock_wall(), .out = &out};
	json_t *list = json_array();
	struct loaded l;
	uint32_t i;
	int status = load(c, id, &l);

	if (status == EXIT_DONE) {
		core_advance(l.exec, &t);
		for (i = 0; i < l.plan->n; i++)
			if (l.exec->a[i].phase == PH_READY && !l.exec->paused && !exec_stopping(l.exec) &&
			    l.exec->outcome == OUTCOME_NONE)
				json_array_append_new(list, json_string(l.plan->actions[i].id));
		json_print(list);
		events_free(&out);
		loaded_free(&l);
	}
	json_decref(list);
	return status;
}

static const char *const questions[] = {"get-full", "get-result", "get-available"};

static int unknown(const char *word)
{
	static const char *const writes[] = {"initialise", "initialize", "update-status", "record-result"};
	const char *near = text_nearest(word, questions, COUNT(questions));
	size_t k;

	for (k = 0; k < COUNT(writes); k++)
		if (strcmp(writes[k], word) == 0)
			return usage(&verb_state, "only the daemon writes states; drop a plan into the inbox (creel submit), or a "
						  "decision (creel approve, retry, skip, cancel)");
	if (near)
		return usage(&verb_state, "there is no \"%s\"; did you mean \"%s\"?", word, near);
	return usage(&verb_state, "there is no \"%s\"", word);
}

static int run(struct cli *c, int argc, char **argv)
{
	char id[UUID_TEXT];
	int status, k, wants;

	if (!options(c, &verb_state, NULL, 0, &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_state, "get-full, get-result or get-available?");
	for (k = 0; k < (int)COUNT(questions) && strcmp(argv[0], questions[k]) != 0; k++)
		;
	if (k == (int)COUNT(questions))
		return unknown(argv[0]);
	wants = k == 1 ? 3 : 2;
	if (argc != wants)
		return usage(&verb_state, "%s wants %s", argv[0], wants == 3 ? "an execution and an action" : "an execution");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if ((status = id_resolve(c, argv[1], id)) != EXIT_DONE)
		return status;
	return k == 0 ? get_full(c, id) : k == 1 ? get_result(c, id, argv[2]) : get_available(c, id);
}

const struct verb verb_state = {
    "state",
    "get-full ID | get-result ID ACTION | get-available ID",
    "ask the state manager, for scripts\n"
    "\n"
    "  get-full ID           the whole state (schema execution-state), as of the\n"
    "                        last commit of the journal\n"
    "  get-result ID ACTION  the action's result, or null if it has none yet\n"
    "  get-available ID      an array of the actions that could start now\n"
    "\n"
    "All answers are JSON.  There is nothing here that writes: initialising,\n"
    "updating and recording is the daemon's work alone, from the files that \"creel\n"
    "submit\", \"approve\" and the like drop.\n",
    run,
};
