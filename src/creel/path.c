#include <stdint.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "creel/common.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/options.h"

static int print_path(struct cli *c, int argc, char **argv)
{
	AUTO_FREE char *path = NULL;
	char id[UUID_TEXT], dir[SPOOL_PATH_MAX];
	uint64_t attempt = 0;
	int status;

	if ((status = id_resolve(c, argv[0], id)) != EXIT_DONE)
		return status;
	spool_execution_path(id, dir);
	if (argc == 1) {
		printf("%s/%s\n", c->spool.path, dir);
		return EXIT_DONE;
	}
	if (!execution_action_name_is(argv[1])) {
		complain("\"%s\" is not the name of an action", argv[1]);
		return EXIT_NO;
	}
	if (argc == 3 && (!text_to_u64(argv[2], &attempt) || attempt == 0 || attempt > UINT32_MAX))
		return usage(&verb_path, "\"%s\" is not the number of an attempt", argv[2]);
	if (argc == 2)
		attempt = execution_last_attempt(c, id, argv[1]);
	path = execution_action_path(id, argv[1], (uint32_t)attempt);
	if (attempt == 0 || !fs_exists(c->spool.fd[SPOOL_ROOT], path)) {
		complain("%s has no such attempt of \"%s\"", id, argv[1]);
		return EXIT_NO;
	}
	printf("%s/%s\n", c->spool.path, path);
	return EXIT_DONE;
}

static int run(struct cli *c, int argc, char **argv)
{
	int status;

	if (!options(c, &verb_path, NULL, 0, &argc, &argv, &status))
		return status;
	if (argc > 3)
		return usage(&verb_path, "too many words");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if (argc == 0) {
		puts(c->spool.path);
		return EXIT_DONE;
	}
	return print_path(c, argc, argv);
}

const struct verb verb_path = {
    "path",
    "[ID [ACTION [ATTEMPT]]]",
    "print a directory, for scripts\n"
    "\n"
    "The absolute path of the spool, of an execution, or of an attempt of an action\n"
    "(the last one, if no number is given).\n",
    run,
};
