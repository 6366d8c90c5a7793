/*
 * intake.c - what arrives: plans from the inbox are claimed, and admitted; results are taken.
 *
 *   inbox/NAME ──rename──→ tmp/ID/claim.EXT ──→ claims.c
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/commit.h"
#include "codec/definitions.h"
#include "codec/source.h"
#include "creeld/drops.h"
#include "creeld/intake.h"
#include "creeld/subexec.h"
#include "store/catalog_http.h"

enum { BATCH = 128, BATCH_MS = 100 }; /* plans taken in one turn: a flood must not keep results and deadlines waiting */

/* getpwuid_r and getpwnam_r say "nobody" in several ways; all else is a failure to find out. */
static int look_up(const char *name, long uid, struct buf *space, struct passwd *pw, struct passwd **found, struct err *e)
{
	enum { MOST = 1024 * 1024 };
	int r;

	*found = NULL;
	for (buf_reserve(space, 4096); ; buf_reserve(space, space->cap)) {
		r = name ? getpwnam_r(name, pw, space->p, space->cap, found)
			 : getpwuid_r((uid_t)uid, pw, space->p, space->cap, found);
		if (r != ERANGE || space->cap > MOST)
			break;
	}
	if (r == 0 || r == ENOENT || r == ESRCH || r == EBADF || r == EPERM)
		return 0;
	return err_sys(e, r == ERANGE ? EIO : r, "cannot look up the user %s", name ? name : "of a file");
}

int uid_of(const char *user, uid_t *uid, struct err *e)
{
	AUTO_BUF struct buf space = BUF_INIT;
	struct passwd pw, *found;

	if (look_up(user, -1, &space, &pw, &found, e) < 0)
		return -1;
	if (found)
		*uid = found->pw_uid;
	return found != NULL;
}

json_t *person_of(long uid, struct err *e)
{
	AUTO_BUF struct buf space = BUF_INIT;
	struct passwd pw, *found;
	json_t *by;

	if (look_up(NULL, uid, &space, &pw, &found, e) < 0)
		return NULL;
	by = json_object();
	json_object_set_new(by, "uid", json_integer(uid));
	json_object_set_new(by, "user", found ? json_string(found->pw_name) : json_sprintf("%ld", uid));
	return by;
}

static const char *extension_of(const char *name)
{
	static const char *const known[] = {"yaml", "yml", "json"};
	const char *dot = strrchr(name, '.');
	size_t k;

	for (k = 0; dot && k < sizeof known / sizeof *known; k++)
		if (strcmp(dot + 1, known[k]) == 0)
			return known[k];
	return NULL;
}

/* ---- judging a claim ---- */

static json_t *accepted_data(const struct intake_plan *in)
{
	const struct plan *p = in->plan->plan;
	char sum[SHA256_TAGGED];
	json_t *data = json_object();

	sha256_tagged(in->text->p, in->text->len, sum);
	json_object_set_new(data, "planId", json_string(p->id));
	json_object_set_new(data, "name", json_string(p->name));
	if (p->key)
		json_object_set_new(data, "planKey", json_string(p->key));
	json_object_set_new(data, "actions", json_integer(p->n));
	json_object_set_new(data, "source", json_pack("{s:s, s:I, s:s}", "file", in->name, "size",
						     (json_int_t)in->text->len, "checksum", sum));
	json_object_set(data, "by", in->by);
	if (in->parent)
		json_object_set(data, "parent", in->parent);
	return data;
}

/* The execution's first commit, and with it the first starts, are part of its admission. */
void intake_admit(struct daemon *d, const struct intake_plan *in, struct flush_job *j)
{
	struct flush_admission fa = {.files.ext = xstrdup(in->ext)};
	struct commit c = {.seq = 1, .at = in->now};
	struct buf bytes = BUF_INIT;
	struct exec *x = exec_new(in->plan->plan, in->id);
	struct live *l = live_add(d, in->plan->plan, x);
	struct turn t = turn_of(d, &c.events, in->now);

	core_begin(x, &t, accepted_data(in));
	turn_first_starts(d, x, &t);
	turn_before_commit(l, &c.events, j);
	fa.live = l;
	strcpy(fa.files.id, in->id);
	fa.files.plan = json_dumps(in->plan->canonical, JSON_INDENT(2));
	fa.files.plan_n = strlen(fa.files.plan);
	sha256_tagged(fa.files.plan, fa.files.plan_n, c.prev);
	strcpy(l->plan_digest, c.prev);
	commit_encode(&bytes, l->plan, &c);
	commit_event_lines(&j->events, l->plan, in->id, &c);
	fa.files.commit_n = bytes.len;
	fa.files.commit = buf_steal(&bytes);
	fa.files.source_n = in->text->len;
	fa.files.source = buf_steal(in->text);
	fa.events = c.events;
	l->seq = 1;
	sha256_tagged(fa.files.commit, fa.files.commit_n, l->prev);
	turn_after_commit(d, l, &fa.events, j);
	flush_set_day(j, in->now);
	vec_push(&j->admissions, fa);
	live_dirty(d, l);
	log_info("accepted %s as execution %s \"%s\" (%u actions)", in->name, in->id, l->plan->name, l->plan->n);
}

/* ---- the inbox ---- */

/* Take one file: 1 if it was dealt with, 0 if it stays, -1 if nothing can be taken now. */
static int take(struct daemon *d, const char *name, struct flush_job *j)
{
	const char *ext = extension_of(name);
	char id[UUID_TEXT], claim[SPOOL_PATH_MAX];
	struct err e;

	if (!text_is_utf8(name, strlen(name))) {
		drop_reject(d, d->spool.fd[SPOOL_INBOX], name, name,
			    drop_report("(unprintable)", "validation_failed", "its name is not UTF-8", "rename it", -1));
		return 1;
	}
	if (!ext) {
		drop_reject(d, d->spool.fd[SPOOL_INBOX], name, name,
			    drop_report(name, "validation_failed", "its name does not end in .yaml, .yml or .json",
					"rename it and drop it again", -1));
		return 1;
	}
	uuid_v7(clock_wall(), id);
	if (fs_mkdir(d->spool.fd[SPOOL_TMP], id, 0700, &e) < 0) {
		log_error("cannot take %s from the inbox: %s; it stays there until the next scan", name, e.text);
		return -1;
	}
	snprintf(claim, sizeof claim, "%s/claim.%s", id, ext);
	if (renameat(d->spool.fd[SPOOL_INBOX], name, d->spool.fd[SPOOL_TMP], claim) < 0) {
		int code = errno;

		if (code != ENOENT && !err_is_passing(code))
			json_object_set_new_nocheck(d->stuck, name, json_true());
		if (code != ENOENT && drop_tell(d, name, code))
			log_error("cannot claim %s: %s; it stays in the inbox", name, strerror(code));
		unlinkat(d->spool.fd[SPOOL_TMP], id, AT_REMOVEDIR);
		return 0;
	}
	return claim_take(d, id, ext, name, j) ? 1 : -1;
}

static void scan_inbox(struct daemon *d, struct flush_job *j)
{
	struct err e;
	DIR *handle = fs_dir_open(d->spool.fd[SPOOL_INBOX], ".", &e);
	const char *name;
	msec start = clock_mono();
	unsigned taken = 0;
	int got = 0;

	d->more_in_inbox = false;
	json_object_clear(d->stuck);
	/* What stays is not counted: it must not keep the loop busy, nor stand in the way of the rest. */
	while (handle && got >= 0 && (name = fs_dir_next(handle, &e))) {
		if (spool_ignored_name(name) || !drop_is_ready(d, d->spool.fd[SPOOL_INBOX], name))
			continue;
		if (taken == BATCH || (taken > 0 && clock_mono() - start > BATCH_MS)) {
			d->more_in_inbox = true;
			break;
		}
		got = take(d, name, j);
		taken += got > 0;
	}
	if (handle)
		closedir(handle);
	if (!e.code)
		return;
	drop_again(d);
	if (drop_tell(d, "inbox", e.code))
		log_error("cannot read the inbox: %s; trying again and again", e.text);
}

bool intake_is_empty(struct daemon *d)
{
	struct err e;
	DIR *handle = fs_dir_open(d->spool.fd[SPOOL_INBOX], ".", &e);
	const char *name = "";

	/* What cannot be taken at all is nothing to wait for. */
	while (handle && (name = fs_dir_next(handle, &e)))
		if (!spool_ignored_name(name) && !json_object_get(d->stuck, name))
			break;
	if (handle)
		closedir(handle);
	return !name && e.code == 0 && d->claims.n == 0;
}

/* A result that an orphaned supervisor announces: its attempt's directory holds the truth. */
static int take_announced(void *daemon, int dir, const char *entry, struct err *e)
{
	char name[SPOOL_PATH_MAX], *action;
	struct daemon *d = daemon;
	struct live *l;
	uint32_t i, attempt;

	(void)e;
	if (spool_ignored_name(entry) || strlen(entry) >= sizeof name)
		return 0;
	strcpy(name, entry);
	if (spool_split_result(name, &action, &attempt) && (l = live_find(d, name)) &&
	    (i = plan_find(l->plan, action)) != NO_ACTION)
		child_announced(d, l, i, attempt);
	unlinkat(dir, entry, 0);
	return 0;
}

static void scan_results(struct daemon *d)
{
	struct err e;

	/* Nothing depends on it: each attempt is watched by other means as well. */
	if (fs_each(d->spool.fd[SPOOL_RESULTS], ".", take_announced, d, &e) < 0 && drop_tell(d, "results", e.code))
		log_error("cannot read results/: %s; trying again at the next scan", e.text);
}

void intake_report_catalog(struct daemon *d)
{
	size_t k;

	http_catalog_refresh(d->catalog);
	for (k = 0; k < http_catalog_count(d->catalog); k++) {
		struct catalog_item *i = http_catalog_item(d->catalog, k);
		const struct diag *f = i->errors.v;

		if (i->errors.n > 0 && !i->told)
			log_warn("catalog/%s cannot be used: line %d, column %d: %s%s%s", i->file, f->line, f->column, f->message,
				 f->suggestion ? "; " : "", f->suggestion ? f->suggestion : "");
		i->told = i->errors.n > 0;
	}
}

void intake_scan(struct daemon *d, struct flush_job *j)
{
	unsigned scan = d->scan | watch_take();
	msec now = clock_mono();

	d->scan = 0;
	http_catalog_look_again(d->catalog);
	if (now - d->last_scan >= d->config.rescan) {
		scan = ~0u;
		intake_report_catalog(d);
		d->last_scan = now;
		d->again_at = 0;
		json_object_clear(d->later); /* what is gone must not be waited for */
		recover_joined(d);
	}
	if (scan) {
		d->scan_number++;
		d->last_look = now;
	}
	if ((scan & (1u << SPOOL_INBOX)) || d->more_in_inbox)
		scan_inbox(d, j);
	claims_again(d, j);
	if (scan & (1u << SPOOL_RESULTS))
		scan_results(d);
	if (scan & (1u << SPOOL_CONFIRM))
		drops_scan_confirm(d);
	if (scan & (1u << SPOOL_CONFIRM_BY))
		personal_scan(d, j);
	if (scan & (1u << SPOOL_CONTROL))
		drops_scan_control(d);
	if (scan && !d->again_at)
		d->again_wait = 0; /* all is well again */
}
