/*
 * creel - the command line: reads a spool, and drops files into it.
 *
 *   creel [--spool DIR] VERB …
 *
 * The verbs are one file each; verb.h has the table of exit statuses.
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "creel/common.h"
#include "creel/options.h"

static const struct option longs[] = {
    {"spool", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* Options before the verb.  false: *status is the exit status. */
static bool first_options(struct cli *c, int argc, char **argv, int *status)
{
	char name[] = "", *only_name[] = {name, NULL};
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, "+:hs:V", longs, NULL)) != -1)
		switch (got) {
		case 's':
			c->spool_arg = optarg;
			break;
		case 'h':
			*status = verb_help.run(c, 1, only_name);
			return false;
		case 'V':
			*status = verb_version.run(c, 1, only_name);
			return false;
		default:
			if (got == ':')
				complain("%s wants a value", argv[optind - 1]);
			else
				complain("there is no option \"%s\" before the verb", argv[optind - 1]);
			note("usage: creel [--spool DIR] VERB …; \"creel help\" lists the verbs");
			*status = EXIT_UNABLE;
			return false;
		}
	return true;
}

int main(int argc, char **argv)
{
	struct cli c = {0};
	const struct verb *v;
	int status = EXIT_UNABLE;

	setlocale(LC_CTYPE, ""); /* for the width of characters */
	if (first_options(&c, argc, argv, &status)) {
		if (optind == argc) {
			complain("what? \"creel help\" lists the verbs");
		} else if ((v = verb_find(argv[optind]))) {
			status = v->run(&c, argc - optind, argv + optind);
		}
	}
	cli_close(&c);
	if (fclose(stdout) != 0 && errno != EBADF) {
		complain("cannot write the answer: %s", strerror(errno));
		return EXIT_UNABLE;
	}
	return status;
}
