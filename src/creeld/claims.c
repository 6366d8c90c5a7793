/*
 * claims.c - a file that was taken from the inbox is judged: admitted, refused, or kept until it can be judged.
 *
 *   tmp/ID/claim.EXT ──→ tmp/ID/new/ … ──rename──→ executions/DAY/ID
 *                    └─→ rejected/TIME-NAME, and .error.json
 *
 * A claim found at start is finished by the same code: where the execution is in place it is dropped, else it is
 * judged again.  So a plan is never run twice and never forgotten.  Want of descriptors, memory or a device that
 * fails says nothing about a plan: its claim waits.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/source.h"
#include "creeld/intake.h"
#include "store/catalog_plans.h"

enum { WAIT_FIRST_MS = 50, WAIT_MOST_MS = 60 * 1000, TELL_MS = 1000 };

static json_t *why_not(enum fs_drop taken, const char *name, long uid, const struct err *e)
{
	AUTO_FREE char *text = NULL;

	switch (taken) {
	case FS_DROP_KIND:
		return drop_report(name, "validation_failed", "it is not a regular file",
				   "drop the file itself, not a link, directory, FIFO or device", uid);
	case FS_DROP_LINKS:
		return drop_report(name, "validation_failed", "it has more than one link, so that others could change it",
				   "drop a copy", uid);
	case FS_DROP_TOO_BIG:
		text = xasprintf("it is larger than the %zu bytes that a plan may have", source_plan_limits.bytes);
		return drop_report(name, "validation_failed", text, "split the plan", uid);
	default:
		return drop_report(name, "validation_failed", e->text[0] ? e->text : "it cannot be read", NULL, uid);
	}
}

static long owner_of(struct daemon *d, const char *claim)
{
	struct stat st;

	return fstatat(d->spool.fd[SPOOL_TMP], claim, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (long)st.st_uid : -1;
}

static void remove_claim_dir(struct daemon *d, const char *id)
{
	struct err e;

	if (fs_remove_tree(d->spool.fd[SPOOL_TMP], id, &e) < 0)
		log_warn("cannot clear tmp/%s: %s", id, e.text);
}

/* Nothing dropped in is deleted: a claim that could not be moved to rejected/ is kept.  0 if it went there. */
static int reject(struct daemon *d, const struct claim *c, const char *path, json_t *report, struct err *e)
{
	int there;

	drop_reject(d, d->spool.fd[SPOOL_TMP], path, c->name, report);
	there = fs_there(d->spool.fd[SPOOL_TMP], path, e);
	if (there > 0)
		err_set(e, EBUSY, "it cannot be moved to rejected/");
	if (there != 0)
		return -1;
	remove_claim_dir(d, c->id);
	return 0;
}

static int admit(struct daemon *d, const struct claim *c, const char *path, struct buf *text, json_t *by, long uid,
		 struct flush_job *j, struct err *e)
{
	struct plan_catalog catalog = catalog_plans(&d->spool);
	struct diags errors = DIAGS_INIT;
	msec now = clock_wall();
	struct admitted a;
	int r = 0;

	catalog.http = d->catalog;
	if (admit_plan_in(&catalog, path, buf_str(text), text->len, by, now, &a, &errors)) {
		intake_admit(d, &(struct intake_plan){.id = c->id, .ext = c->ext, .name = c->name, .text = text, .plan = &a,
						     .by = by, .now = now}, j);
		json_decref(a.canonical);
	} else if (catalog.trouble.code) {
		*e = catalog.trouble;
		r = -1;
	} else {
		r = reject(d, c, path, admit_report(c->name, &errors, "validation_failed", now, uid), e);
	}
	diags_free(&errors);
	return r;
}

/* 0: it was dealt with.  -1: it cannot be now, and *e says why. */
static int judge(struct daemon *d, const struct claim *c, struct flush_job *j, struct err *e)
{
	AUTO_FREE char *path = xasprintf("%s/claim.%s", c->id, c->ext);
	AUTO_BUF struct buf text = BUF_INIT;
	enum fs_drop taken;
	struct stat st;
	json_t *by;
	int r;

	*e = (struct err){0};
	taken = fs_read_dropped(d->spool.fd[SPOOL_TMP], path, source_plan_limits.bytes, &text, &st, e);
	if (taken == FS_DROP_GONE) {
		remove_claim_dir(d, c->id);
		return 0;
	}
	if (taken == FS_DROP_FAILED && err_is_passing(e->code))
		return -1;
	if (taken != FS_DROP_OK)
		return reject(d, c, path, why_not(taken, c->name, owner_of(d, path), e), e);
	by = person_of(st.st_uid, e);
	if (!by)
		return -1;
	r = admit(d, c, path, &text, by, st.st_uid, j, e);
	json_decref(by);
	return r;
}

/* ---- those that wait ---- */

static void wait_for(struct daemon *d, struct claim *c, const struct err *e)
{
	c->wait = c->wait ? c->wait * 2 : WAIT_FIRST_MS;
	if (c->wait > WAIT_MOST_MS)
		c->wait = WAIT_MOST_MS;
	c->at = clock_mono() + c->wait;
	if (c->wait == WAIT_FIRST_MS || c->wait > TELL_MS)
		log_error("%s cannot be judged: %s; it is kept as tmp/%s/claim.%s and tried again in %g s", c->name, e->text,
			  c->id, c->ext, (double)c->wait / 1000);
	vec_push(&d->claims, *c);
}

bool claim_take(struct daemon *d, const char *id, const char *ext, const char *name, struct flush_job *j)
{
	struct claim c = {.ext = ext, .name = xstrdup(name)};
	struct err e;

	strcpy(c.id, id);
	if (judge(d, &c, j, &e) < 0) {
		wait_for(d, &c, &e);
		return false;
	}
	free(c.name);
	return true;
}

void claims_again(struct daemon *d, struct flush_job *j)
{
	msec now = clock_mono();
	size_t k, n = d->claims.n;
	struct err e;

	for (k = n; k-- > 0;) {
		struct claim c = d->claims.v[k];

		if (c.at > now)
			continue;
		memmove(d->claims.v + k, d->claims.v + k + 1, (d->claims.n - k - 1) * sizeof c);
		d->claims.n--;
		if (judge(d, &c, j, &e) < 0)
			wait_for(d, &c, &e);
		else
			free(c.name);
	}
}

msec claims_next(const struct daemon *d)
{
	msec at = 0;
	size_t k;

	for (k = 0; k < d->claims.n; k++)
		if (!at || d->claims.v[k].at < at)
			at = d->claims.v[k].at;
	return at;
}

/* ---- claims of an earlier daemon ---- */

/* It is in place; what may be missing after a power cut is the link that makes it active.  One that has ended already
 * is unlinked again by recovery. */
static int drop_claim(struct daemon *d, const char *id, const char *path, const char *link, struct err *e)
{
	AUTO_FREE char *target = xasprintf("../%s", path);

	if (symlinkat(target, d->spool.fd[SPOOL_ROOT], link) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot link %s", link);
	if (fsync(d->spool.fd[SPOOL_ACTIVE]) < 0)
		return err_sys(e, errno, "cannot flush active/");
	remove_claim_dir(d, id);
	return 0;
}

static int finish_claim(struct daemon *d, const char *id, struct flush_job *j, struct err *e)
{
	static const char *const exts[] = {"yaml", "yml", "json"};
	char path[SPOOL_PATH_MAX], link[SPOOL_PATH_MAX];
	int there;
	size_t k;

	spool_execution_path(id, path);
	spool_active_path(id, link);
	there = fs_there(d->spool.fd[SPOOL_ROOT], path, e);
	if (there != 0)
		return there < 0 ? -1 : drop_claim(d, id, path, link, e);
	/* A link to what never came into place must not stay. */
	unlinkat(d->spool.fd[SPOOL_ROOT], link, 0);
	for (k = 0; k < sizeof exts / sizeof *exts; k++) {
		AUTO_FREE char *claim = xasprintf("%s/claim.%s", id, exts[k]);
		AUTO_FREE char *name = xasprintf("claim.%s", exts[k]);

		there = fs_there(d->spool.fd[SPOOL_TMP], claim, e);
		if (there < 0)
			return -1;
		if (there > 0) {
			claim_take(d, id, exts[k], name, j);
			return 0;
		}
	}
	remove_claim_dir(d, id);
	return 0;
}

int intake_claims(struct daemon *d, struct flush_job *j, struct err *e)
{
	DIR *handle = fs_dir_open(d->spool.fd[SPOOL_TMP], ".", e);
	const char *name;
	struct err one;

	while (handle && (name = fs_dir_next(handle, e))) {
		/* That of one does not keep the others from going on. */
		if (uuid_is_v7(name) && finish_claim(d, name, j, &one) < 0)
			log_error("the claim tmp/%s cannot be finished: %s; it is kept for the next start", name, one.text);
		else if (text_ends_with(name, ".tmp"))
			unlinkat(d->spool.fd[SPOOL_TMP], name, 0); /* a commit that was never placed */
	}
	if (handle)
		closedir(handle);
	return e->code ? err_prefix(e, "cannot take over what was claimed") : 0;
}
