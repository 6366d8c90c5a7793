#include "creeld/mend.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/requests.h"
#include "store/outputs.h"

/* Is this file, of n bytes, there as it should be? */
static bool is_whole(const struct daemon *d, const char *path, const char *text, size_t n)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	struct err e;

	return fs_read(d->spool.fd[SPOOL_ROOT], path, n, &bytes, &e) == 0 && bytes.len == n &&
	       memcmp(buf_str(&bytes), text, n) == 0;
}

static void say_mended(void *ctx, const char *path, const struct err *e)
{
	struct err *passing = ctx;

	if (e && err_is_passing(e->code))
		*passing = *e;
	if (e)
		log_error("cannot write %s again: %s", path, e->text);
	else
		log_info("%s was not whole and is made anew from the journal", path);
}

/* The daemon itself writes the outputs of these, and after the commit: a crash in between leaves none. */
static bool has_own_outputs(const struct plan *p)
{
	uint32_t i;

	for (i = 0; i < p->n; i++)
		if (p->actions[i].no_supervisor)
			return true;
	return false;
}

int mend_outputs(struct daemon *d, const struct live *l, struct err *e)
{
	bool all = d->rebooted || d->restored;
	struct err passing = {0};

	*e = passing;
	if (!all && !has_own_outputs(l->plan))
		return 0;
	if (outputs_mend(&d->spool, l->exec, all ? 1 : l->seq, say_mended, &passing, e) < 0) {
		if (err_is_passing(e->code))
			return -1;
		log_warn("cannot read the journal of %s again: %s", l->exec->id, e->text);
	}
	*e = passing;
	return passing.code ? -1 : 0;
}

static int mend_request(struct daemon *d, struct live *l, uint32_t i, bool anew, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	AUTO_FREE char *text = NULL;

	spool_request_path(l->exec->id, l->plan->actions[i].id, path);
	if (l->exec->a[i].phase != PH_CONFIRM && l->exec->a[i].phase != PH_ASKING) {
		unlinkat(d->spool.fd[SPOOL_ROOT], path, 0); /* answered, and the daemon died before it was gone */
		return 0;
	}
	text = requests_text(l, i);
	if (!text || (!anew && is_whole(d, path, text, strlen(text))))
		return 0;
	return fs_publish(d->spool.fd[SPOOL_ROOT], path, text, strlen(text), FS_ASIDE | FS_SYNC, e);
}

int mend_requests(struct daemon *d, struct live *l, bool anew, struct err *e)
{
	uint32_t i;

	for (i = 0; i < l->plan->n; i++) {
		if (!l->exec->a[i].asked || mend_request(d, l, i, anew, e) == 0)
			continue;
		err_prefix(e, "cannot publish the request of \"%s\"", l->plan->actions[i].id);
		if (err_is_passing(e->code))
			return -1;
		log_error("%s of %s", e->text, l->exec->id);
	}
	return 0;
}
