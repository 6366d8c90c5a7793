/*
 * restored.c - a spool that was copied from elsewhere: everything in it is looked at, once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/daemon.h"
#include "store/journal.h"

/* What is not known to have ended is linked: recovery lets it go again if it has. */
static bool has_ended(struct daemon *d, const char *id)
{
	char path[SPOOL_PATH_MAX], name[SPOOL_PATH_MAX], head[8192];
	const char *seq;
	struct err e;
	ssize_t n;
	int fd;

	spool_execution_path(id, path);
	snprintf(name, sizeof name, "%.80s/state.json", path);
	fd = openat(d->spool.fd[SPOOL_ROOT], name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = pread(fd, head, sizeof head - 1, 0);
	close(fd);
	head[n > 0 ? n : 0] = '\0';
	if (!strstr(head, "\n\"status\":\"completed\"") && !strstr(head, "\n\"status\":\"failed\"") &&
	    !strstr(head, "\n\"status\":\"cancelled\""))
		return false;
	/* A copy takes the journal before state.json: the end may stand in the one and not in the other. */
	seq = strstr(head, ",\"seq\":");
	return seq && strtol(seq + 7, NULL, 10) <= journal_last(&d->spool, id, &e);
}

static int relink(struct daemon *d, const char *id, struct err *e)
{
	AUTO_FREE char *apart = xasprintf("quarantine/%s.reason.json", id), *target = NULL;
	char path[SPOOL_PATH_MAX], link[SPOOL_PATH_MAX];
	int there;

	if (has_ended(d, id))
		return 0;
	there = fs_there(d->spool.fd[SPOOL_ROOT], apart, e);
	if (there != 0)
		return there < 0 ? -1 : 0;
	spool_execution_path(id, path);
	spool_active_path(id, link);
	target = xasprintf("../%s", path);
	if (symlinkat(target, d->spool.fd[SPOOL_ROOT], link) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot link %s", link);
	return 0;
}

static int relink_one(void *d, int dir, const char *name, struct err *e)
{
	(void)dir;
	return uuid_is_v7(name) ? relink(d, name, e) : 0;
}

static int relink_day(void *d, int dir, const char *name, struct err *e)
{
	if (fs_each(dir, name, relink_one, d, e) == 0)
		return 0;
	/* Something else than a day's directory may lie there. */
	if (e->code == ENOTDIR || e->code == ELOOP)
		return 0;
	return err_prefix(e, "%s/%s", spool_dir_name(SPOOL_EXECUTIONS), name);
}

static int clear_result(void *d, int dir, const char *name, struct err *e)
{
	(void)d;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove results/%s", name);
	return 0;
}

/* What is not looked at would be forgotten: the next start finds no copy any more (lock.c). */
int restored_rebuild(struct daemon *d, struct err *e)
{
	log_warn("this spool is a copy of one from elsewhere: every execution is looked at, no process is signalled");
	if (fs_each(d->spool.fd[SPOOL_EXECUTIONS], ".", relink_day, d, e) < 0)
		return err_prefix(e, "cannot look at every execution");
	if (fs_each(d->spool.fd[SPOOL_RESULTS], ".", clear_result, d, e) < 0)
		return err_prefix(e, "cannot clear results/");
	return 0;
}
