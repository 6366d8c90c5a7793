#include "store/repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/journal.h"
#include "store/write.h"

bool repair_beside_daemon(enum verify_repair repair)
{
	/* The daemon takes up what it finds in active/; what is in its hands it may be about to use. */
	return repair == REPAIR_LINK || repair == REPAIR_RELEASE;
}

static int move_aside(const struct spool *s, const char *path, msec now, char **to, struct err *e)
{
	char when[CLOCK_TEXT];
	AUTO_FREE char *target = NULL, *parent = NULL;

	clock_format(now, when);
	target = xasprintf("%s/aside/%.4s%.2s%.2sT%.2s%.2s%.2s%.3sZ/%s", spool_dir_name(SPOOL_QUARANTINE), when, when + 5,
			   when + 8, when + 11, when + 14, when + 17, when + 20, path);
	parent = xstrndup(target, (size_t)(strrchr(target, '/') - target));
	if (fs_mkdir_all(s->fd[SPOOL_ROOT], parent, 0700, e) < 0)
		return -1;
	if (renameat(s->fd[SPOOL_ROOT], path, s->fd[SPOOL_ROOT], target) < 0)
		return err_sys(e, errno, "cannot move %s to %s", path, target);
	*to = target;
	target = NULL;
	return fs_sync_dir(s->fd[SPOOL_ROOT], parent, e);
}

/* The reason goes before the link: with neither, nothing keeps the execution from being linked. */
static int release(const struct spool *s, const struct verify_finding *f, msec now, char **to, struct err *e)
{
	AUTO_FREE char *reason = xasprintf("%s.reason.json", f->path), *reason_to = NULL;
	struct loaded l;
	bool over;

	if (journal_load(s, f->id, true, &l, e) < 0)
		return -1;
	over = l.exec->outcome != OUTCOME_NONE;
	loaded_free(&l);
	if (fs_exists(s->fd[SPOOL_ROOT], reason) && move_aside(s, reason, now, &reason_to, e) < 0)
		return -1;
	if (move_aside(s, f->path, now, to, e) < 0)
		return -1;
	return over ? 0 : active_link(s, f->id, e);
}

int repair(const struct spool *s, const struct verify_finding *f, msec now, char **to, struct err *e)
{
	*to = NULL;
	switch (f->repair) {
	case REPAIR_LINK:
		return active_link(s, f->id, e);
	case REPAIR_ASIDE:
		return move_aside(s, f->path, now, to, e);
	case REPAIR_RELEASE:
		return release(s, f, now, to, e);
	case REPAIR_NONE:
		break;
	}
	return err_set(e, EINVAL, "there is no repair for it");
}
