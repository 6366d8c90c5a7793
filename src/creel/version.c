#include <stdio.h>

#include "creel/options.h"

static int run(struct cli *c, int argc, char **argv)
{
	int status;

	if (!options(c, &verb_version, NULL, 0, &argc, &argv, &status))
		return status;
	if (argc > 0)
		return usage(&verb_version, "too many words");
	puts("creel " CREEL_VERSION);
	return EXIT_DONE;
}

const struct verb verb_version = {
    "version",
    "",
    "print the version\n",
    run,
};
