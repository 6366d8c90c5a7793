#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "creel/common.h"
#include "creel/options.h"
#include "creel/show_text.h"

static void say_next(const char *path, const char *group, bool was_there)
{
	AUTO_BUF struct buf b = BUF_INIT;

	buf_puts(&b, was_there ? "completed the spool " : "made the spool ");
	put_safe(&b, path);
	buf_puts(&b, "\n\nnext:\n  creeld --spool ");
	put_safe(&b, path);
	buf_puts(&b, "                 run the daemon (in the foreground)\n  creel --spool ");
	put_safe(&b, path);
	buf_puts(&b, " submit PLAN.yaml   run a plan; or copy it to ");
	put_safe(&b, path);
	buf_puts(&b, "/inbox/\n");
	if (group) {
		buf_puts(&b, "\nMembers of the group ");
		put_safe(&b, group);
		buf_puts(&b, " can run plans here, as the user that creeld runs as.  To decide where a plan names\n"
			     "approvers, each of them needs a directory of their own:\n  install -d -o USER -m 0755 ");
		put_safe(&b, path);
		buf_puts(&b, "/confirm/by/USER\n");
	}
	buf_puts(&b, "\nEvery execution stays on disk until it is removed, and every commit of one is a\n"
		     "file, so watch inodes as well as bytes (creel status shows both).  To keep 90\n"
		     "days, and what failed for a year, put this into the file that creeld --config\n"
		     "names, or have \"creel gc --config FILE\" run once a day:\n\n"
		     "  retention:\n    keep_days: 90\n    by_status: {failed: {keep_days: 365}}\n"
		     "    events_days: 90\n    rejected_days: 90\n    # archive: /srv/archive   first put it there\n");
	put_out(&b, stdout);
}

static int run(struct cli *c, int argc, char **argv)
{
	const char *group = NULL;
	bool quiet = false, was_there;
	const struct opt opts[] = {{"group", 'g', OPT_TEXT, &group}, {"quiet", 'q', OPT_FLAG, &quiet}};
	char *path;
	struct err e;
	int status;

	if (!options(c, &verb_init, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0 && c->spool_arg) { /* creel --spool DIR init */
		argv[0] = (char *)c->spool_arg;
		argc = 1;
	}
	if (argc != 1)
		return usage(&verb_init, argc ? "one directory at a time" : "which directory?");
	was_there = spool_is(argv[0]);
	if (spool_create(argv[0], group, &e) < 0) {
		complain("%s", e.text);
		return EXIT_UNABLE;
	}
	path = realpath(argv[0], NULL);
	if (!quiet)
		say_next(path ? path : argv[0], group, was_there);
	free(path);
	return EXIT_DONE;
}

const struct verb verb_init = {
    "init",
    "[--group GROUP] [--quiet] DIR",
    "make a spool\n"
    "\n"
    "Makes DIR with every directory of a spool, or completes one; modes of\n"
    "directories that are there stay as they are. A plan in the inbox runs as the\n"
    "user that runs the daemon: whoever can write there can run things.\n"
    "\n"
    "  -g, --group GROUP  members of GROUP may drop plans and decisions (mode 3770);\n"
    "                     else only you (0700)\n"
    "  -q, --quiet        do not print what to do next\n",
    run,
};
