/*
 * unknown.c - attempts that the journal does not know.
 *
 * They are made ready while the commit that starts them is flushed.  A power cut may leave the directory without the commit,
 * and what is decided anew may be something else: then nobody would ever come back to it.
 */
#include "creeld/unknown.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"
#include "store/attempt.h"

struct looking {
	struct daemon *d;
	const struct live *l;
	const char *action;
};

/* Only if its action never started; all else is evidence, and verify tells of it. */
static void take_away(const struct looking *k, int dir, const char *name, uint32_t attempt)
{
	static const char *const files[] = {"lock", "void", "request.json"};
	struct attempt_process p;
	struct err e = {0};
	size_t i;
	int fd;

	if (attempt_examine(&k->d->spool, k->l->exec->id, k->action, attempt, &p, &e) != ATTEMPT_LOCK_UNUSED ||
	    (fd = fs_open_dir(dir, name, &e)) < 0)
		return;
	for (i = 0; i < sizeof files / sizeof *files; i++)
		unlinkat(fd, files[i], 0);
	close(fd);
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		log_info("attempt %u of \"%s\" of %s was made ready and not committed to: its directory is removed", attempt,
			 k->action, k->l->exec->id);
}

static int look_at_attempt(void *ctx, int dir, const char *name, struct err *e)
{
	const struct looking *k = ctx;
	uint32_t i = plan_find(k->l->plan, k->action);
	uint64_t n;

	(void)e;
	if (text_to_u64(name, &n) && n > 0 && n <= UINT32_MAX && (i == NO_ACTION || n > k->l->exec->a[i].attempt))
		take_away(k, dir, name, (uint32_t)n);
	return 0;
}

static int look_at_action(void *ctx, int dir, const char *name, struct err *e)
{
	struct looking *k = ctx;

	k->action = name;
	if (fs_each(dir, name, look_at_attempt, k, e) < 0)
		log_debug("cannot look for attempts of \"%s\": %s", name, e->text);
	unlinkat(dir, name, AT_REMOVEDIR); /* if nothing is left */
	*e = (struct err){0};
	return 0;
}

void unknown_attempts_remove(struct daemon *d, const struct live *l)
{
	struct looking k = {.d = d, .l = l};
	char path[SPOOL_PATH_MAX];
	struct err e = {0};
	int dir;

	spool_execution_path(l->exec->id, path);
	dir = fs_open_dir(d->spool.fd[SPOOL_ROOT], path, &e);
	if (dir < 0 || fs_each(dir, "actions", look_at_action, &k, &e) < 0)
		log_debug("cannot look for attempts of %s: %s", l->exec->id, e.text);
	if (dir >= 0)
		close(dir);
}
