#include "creeld/mend.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "creeld/requests.h"
#include "store/journal.h"

/* Is this file, of n bytes, there as it should be? */
static bool is_whole(const struct daemon *d, const char *path, const char *text, size_t n)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	struct err e;

	return fs_read(d->spool.fd[SPOOL_ROOT], path, n, &bytes, &e) == 0 && bytes.len == n &&
	       memcmp(buf_str(&bytes), text, n) == 0;
}

/* ---- outputs ---- */

struct mending {
	struct daemon *d;
	const struct live *l;
};

static void mend_output(struct daemon *d, const struct live *l, const struct event *ev)
{
	json_t *output = json_object_get(ev->data, "output");
	const char *where = json_string_value(json_object_get(json_object_get(ev->data, "outputLocation"), "path"));
	char dir[SPOOL_PATH_MAX], file[SPOOL_PATH_MAX];
	AUTO_FREE char *text = NULL, *path = NULL;
	struct err e = {0};

	if (!output)
		output = json_object_get(ev->data, "partialOutput");
	if (!where || !output || ev->action == NO_ACTION || ev->attempt == 0)
		return; /* one without outputs points to a file that came with the admission */
	spool_attempt_file(l->plan->actions[ev->action].id, ev->attempt, "output.json", file);
	if (strcmp(where, file) != 0)
		return;
	spool_attempt_path(l->exec->id, l->plan->actions[ev->action].id, ev->attempt, dir);
	path = xasprintf("%s/output.json", dir);
	text = json_dumps(output, JSON_COMPACT);
	if (is_whole(d, path, text, strlen(text)))
		return;
	if (fs_mkdir_all(d->spool.fd[SPOOL_ROOT], dir, 0755, &e) < 0 ||
	    fs_publish(d->spool.fd[SPOOL_ROOT], path, text, strlen(text), 0, &e) < 0)
		log_error("cannot write %s again: %s", path, e.text);
	else
		log_info("%s was not whole and is made anew from the journal", path);
}

static void mend_commit(void *ctx, const char *text, size_t n, uint32_t seq)
{
	struct mending *m = ctx;
	struct commit c;
	struct err e;
	size_t k;

	(void)seq;
	if (commit_decode(text, n, m->l->plan, &c, NULL, NULL, &e) < 0)
		return; /* it was readable a moment ago; the journal stays the truth */
	for (k = 0; k < c.events.n; k++)
		mend_output(m->d, m->l, &c.events.v[k]);
	events_free(&c.events);
}

void mend_outputs(struct daemon *d, const struct live *l)
{
	struct mending m = {d, l};
	struct err e = {0};

	if (journal_each(&d->spool, l->exec->id, l->plan, 1, mend_commit, &m, &e) < 0)
		log_warn("cannot read the journal of %s again: %s", l->exec->id, e.text);
}

/* ---- requests ---- */

void mend_requests(struct daemon *d, struct live *l)
{
	uint32_t i;

	for (i = 0; i < l->plan->n; i++) {
		char path[SPOOL_PATH_MAX];
		AUTO_FREE char *text = NULL;
		struct err e = {0};

		if (!l->exec->a[i].asked)
			continue;
		spool_request_path(l->exec->id, l->plan->actions[i].id, path);
		if (l->exec->a[i].phase != PH_CONFIRM && l->exec->a[i].phase != PH_ASKING) {
			unlinkat(d->spool.fd[SPOOL_ROOT], path, 0); /* answered, and the daemon died before it was gone */
			continue;
		}
		text = requests_text(l, i);
		if (!text || is_whole(d, path, text, strlen(text)))
			continue;
		if (fs_publish(d->spool.fd[SPOOL_ROOT], path, text, strlen(text), FS_ASIDE | FS_SYNC, &e) < 0)
			log_error("cannot publish %s: %s", path, e.text);
	}
}
