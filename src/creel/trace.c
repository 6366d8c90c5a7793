/*
 * trace.c - what an HTTP action sent and received, from the trace that its executor left.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "creel/common.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/trace_out.h"
#include "store/trace.h"

struct settings {
	bool json, har, curl, whole;
	uint64_t attempt;
};

static const json_t *action_of(const json_t *plan, const char *name)
{
	json_t *a;
	size_t k;

	json_array_foreach(json_object_get(plan, "actions"), k, a) {
		const char *id = json_text_or_empty(a, "id");
		size_t n = strlen(id);

		/* ACTION.I is an instance of ACTION */
		if (strncmp(name, id, n) == 0 && n > 0 && (name[n] == '\0' || name[n] == '.'))
			return a;
	}
	return NULL;
}

static void print_curl(struct cli *c, const char *id, const char *action, const json_t *entries)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct err e;
	json_t *plan = execution_plan(c, id, &e); /* without it the names of variables are plainer */
	const char *definition = json_text_or_empty(action_of(plan, action), "actionDefinitionId");

	trace_curl(&b, entries, json_object_get(json_object_get(plan, "definitions"), definition));
	json_decref(plan);
	put_out(&b, stdout);
}

static void print(struct cli *c, const char *id, const char *action, uint32_t attempt, const json_t *entries,
		  const struct settings *s)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct term t;

	if (s->json) {
		json_print(entries);
	} else if (s->har) {
		AUTO_FREE char *title = xasprintf("%s %s, attempt %u", id, action, attempt);
		json_t *har = trace_har(entries, title);

		json_print(har);
		json_decref(har);
	} else if (s->curl) {
		print_curl(c, id, action, entries);
	} else {
		term_look(STDOUT_FILENO, &t);
		trace_text(&b, &t, entries, s->whole);
		put_out(&b, stdout);
	}
}

static int show(struct cli *c, const char *id, const char *action, const struct settings *s)
{
	uint32_t attempt = (uint32_t)s->attempt;
	json_t *entries;
	int status = EXIT_DONE;

	if (!execution_action_name_is(action)) {
		complain("\"%s\" is not the name of an action", action);
		return EXIT_NO;
	}
	if (!attempt)
		attempt = execution_last_attempt(c, id, action);
	if (!attempt) {
		complain("%s has no attempt of \"%s\"; \"creel show %s\" lists its actions", id, action, id_short(id));
		return EXIT_NO;
	}
	entries = trace_read(&c->spool, id, action, attempt);
	if (json_array_size(entries) > 0) {
		print(c, id, action, attempt, entries, s);
	} else {
		complain("attempt %u of \"%s\" has no HTTP trace: it sent nothing, or is no HTTP action; \"creel log %s %s\" "
			 "shows what it wrote",
			 attempt, action, id_short(id), action);
		status = EXIT_NO;
	}
	json_decref(entries);
	return status;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct settings s = {0};
	const struct opt opts[] = {{"attempt", 'n', OPT_NUMBER, &s.attempt},
				   {"verbose", 'v', OPT_FLAG, &s.whole},
				   {"json", 0, OPT_FLAG, &s.json},
				   {"har", 0, OPT_FLAG, &s.har},
				   {"curl", 0, OPT_FLAG, &s.curl}};
	char id[UUID_TEXT];
	int status;

	if (!options(c, &verb_trace, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc != 2)
		return usage(&verb_trace, argc < 2 ? "of which execution and action? \"creel show ID\" lists its actions"
						   : "one action at a time");
	if (s.json + s.har + s.curl > 1)
		return usage(&verb_trace, "only one of --json, --har and --curl");
	if (s.attempt > UINT32_MAX)
		return usage(&verb_trace, "there are not that many attempts");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if ((status = id_resolve(c, argv[0], id)) != EXIT_DONE)
		return status;
	return show(c, id, argv[1], &s);
}

const struct verb verb_trace = {
    "trace",
    "[--attempt N] [--verbose | --json | --har | --curl] ID ACTION",
    "show what an HTTP action sent and received\n"
    "\n"
    "One block for each request of its last attempt: what came back, how long each\n"
    "part took, redirects, what the API said of its limits, errors.  Secrets were\n"
    "hidden (***) before anything was recorded.\n"
    "\n"
    "  -n, --attempt N  another attempt than the last\n"
    "  -v, --verbose    with header fields and bodies, as far as they were recorded\n"
    "  --json           the trace as it is recorded\n"
    "  --har            as HTTP Archive 1.2, which browsers' network tools open\n"
    "  --curl           as curl commands; each secret is a shell variable\n",
    run,
};
