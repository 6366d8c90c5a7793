#include <string.h>

#include "creel/attend.h"
#include "creel/common.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"

static int wait_for(struct cli *c, char **words, size_t n, const struct attend_options *o, bool json)
{
	struct attendee *a = attendees_new(n);
	int status = EXIT_DONE;
	size_t k;

	for (k = 0; k < n && status == EXIT_DONE; k++)
		status = id_resolve(c, words[k], a[k].id);
	if (status == EXIT_DONE) {
		status = attend(c, a, n, o);
		if (json) {
			json_t *list = attendees_json(a, n);

			json_print(list);
			json_decref(list);
		}
	}
	attendees_free(a, n);
	return status;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct attend_options o = {0};
	bool json = false;
	const struct opt opts[] = {{"through", 0, OPT_FLAG, &o.through},
				   {"timeout", 't', OPT_SECONDS, &o.timeout},
				   {"quiet", 'q', OPT_FLAG, &o.quiet},
				   {"json", 0, OPT_FLAG, &json}};
	int status;

	if (!options(c, &verb_wait, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_wait, "for which execution?");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	return wait_for(c, argv, (size_t)argc, &o, json);
}

const struct verb verb_wait = {
    "wait",
    "[--through] [--timeout SECONDS] [--quiet] [--json] ID…",
    "wait until executions are over\n"
    "\n"
    "Shows on stderr what happens meanwhile: one line for each action on a terminal,\n"
    "else one line for each event.\n"
    "\n"
    "  --through          go on waiting when all that is left waits for people; else\n"
    "                     that ends the wait\n"
    "  -t, --timeout S    give up after S seconds\n"
    "  -q, --quiet        show nothing but what went wrong\n"
    "  --json             at the end, an array of {execution, name, status} on\n"
    "                     stdout\n"
    "\n"
    "exit status: 0 all completed; 1 some failed, were cancelled or are quarantined;\n"
    "2 wrong usage, or something cannot be read; 3 not over: it waits for people\n"
    "(the commands that answer are shown), or the time was up\n",
    run,
};
