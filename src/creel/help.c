#include <stdio.h>
#include <string.h>

#include "creel/common.h"
#include "creel/options.h"

static void list_verbs(void)
{
	size_t k;

	printf("usage: creel [--spool DIR] VERB …\n\n");
	for (k = 0; verbs[k]; k++)
		printf("  %-9s %.*s\n", verbs[k]->name, (int)strcspn(verbs[k]->help, "\n"), verbs[k]->help);
	printf("\n\"creel help VERB\" explains one.  The spool is DIR, else $CREEL_SPOOL, else ./spool, else the one\n"
	       "that /etc/creel/creeld.yaml names.  An execution is named by its id, a beginning or an end of it (at\n"
	       "least 4 characters that fit no other), or \"last\".\n\n"
	       "exit status: 0 done; 1 the answer is no (wrong, failed, refused, not there); 2 wrong usage, or something\n"
	       "cannot be read; 3 not over yet (wait, submit --wait)\n");
}

static int run(struct cli *c, int argc, char **argv)
{
	const struct verb *v;
	int status, k;

	if (!options(c, &verb_help, NULL, 0, &argc, &argv, &status))
		return status;
	if (argc == 0)
		list_verbs();
	for (k = 0; k < argc; k++) {
		v = verb_find(argv[k]);
		if (!v)
			return EXIT_UNABLE;
		verb_print_help(v);
	}
	return EXIT_DONE;
}

const struct verb verb_help = {
    "help",
    "[VERB…]",
    "say what the verbs do\n",
    run,
};
