/*
 * creeld - runs the plans that are dropped into a spool.
 *
 *   creeld [--spool DIR] [--config FILE] [--max-concurrency N] [--drain] [--verbose]
 *
 * In the foreground; logs to stderr.  SIGTERM and SIGINT stop it at once and leave running actions running: the
 * next daemon adopts them.  SIGHUP reads the configuration again.
 *
 * EXIT STATUS
 *   0  stopped by a signal; with --drain: every execution that it ran completed
 *   1  with --drain: some did not
 *   2  with --drain: what is left waits for people
 *   64 the command line or the configuration is wrong
 *   75 another daemon has the spool
 *   100 the spool is unusable as it is: an operator must act
 *   111 the system failed: trying again may help
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "creeld/loop.h"

static int usage(void)
{
	fprintf(stderr, "usage: creeld [--spool DIR] [--config FILE] [--max-concurrency N] [--drain] [--verbose]\n"
			"       creeld --version\n"
			"The spool defaults to $CREEL_SPOOL, then ./spool if it is one, then the configured one.\n");
	return 64;
}

static const struct option options[] = {
    {"spool", required_argument, NULL, 's'},   {"config", required_argument, NULL, 'c'},
    {"max-concurrency", required_argument, NULL, 'n'}, {"drain", no_argument, NULL, 'd'},
    {"verbose", no_argument, NULL, 'v'},       {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	struct settings s = {0};
	uint64_t n;
	int c;

	log_open("creeld", LOG_LEVEL_INFO);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 's':
			s.spool = optarg;
			break;
		case 'c':
			s.config_file = optarg;
			break;
		case 'n':
			if (!text_to_u64(optarg, &n) || n < 1 || n > 10000) {
				fprintf(stderr, "creeld: --max-concurrency takes a number from 1 to 10000\n");
				return 64;
			}
			s.max_concurrency = (uint32_t)n;
			break;
		case 'd':
			s.drain = true;
			break;
		case 'v':
			s.verbose = true;
			break;
		case 'V':
			puts("creeld " CREEL_VERSION);
			return 0;
		default:
			return usage();
		}
	if (optind < argc)
		return usage();
	return daemon_run(&s);
}
