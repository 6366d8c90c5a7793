/*
 * spool.h - a spool in a temporary directory, for targets whose input is files.
 */
#ifndef CREEL_TESTS_FUZZ_SPOOL_H
#define CREEL_TESTS_FUZZ_SPOOL_H

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/spool.h"
#include "tests/fuzz/fuzz.h"

static struct spool spool;
static char spool_root[64];

static void spool_gone(void)
{
	char *name = strrchr(spool_root, '/');
	int parent;

	*name++ = '\0'; /* what is removed lies below a directory: an absolute path would be refused */
	parent = open(spool_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fs_remove_tree(parent, name, NULL);
	close(parent);
}

/* Made once, in memory where there is such a place, and removed at the end. */
static UNUSED void spool_make(void)
{
	struct err e = {0};

	if (spool_root[0])
		return;
	snprintf(spool_root, sizeof spool_root, "%s/creel-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	MUST(mkdtemp(spool_root), "no temporary directory");
	atexit(spool_gone);
	MUST(spool_create(spool_root, NULL, &e) == 0 && spool_open(&spool, spool_root, &e) == 0, "%s", e.text);
}

/* Put n bytes into path, below the spool; 0 bytes: no file. */
static UNUSED void spool_put(const char *path, const char *text, size_t n)
{
	struct err e = {0};

	unlinkat(spool.fd[SPOOL_ROOT], path, 0);
	if (n > 0)
		MUST(fs_publish(spool.fd[SPOOL_ROOT], path, text, n, 0, &e) == 0, "%s", e.text);
}

#endif
