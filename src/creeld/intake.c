/*
 * intake.c - plans from the inbox: claimed, read, judged, admitted.
 *
 *   inbox/NAME ──rename──→ tmp/ID/claim.EXT ──→ tmp/ID/new/ … ──rename──→ executions/DAY/ID
 *                                           └─→ rejected/TIME-NAME, and .error.json
 *
 * A claim found at start is finished by the same code: where the execution is in place it is dropped, else it is
 * judged again.  So a plan is never run twice and never forgotten.
 */
#include <dirent.h>
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
#include "creeld/intake.h"
#include "creeld/subexec.h"
#include "store/catalog_plans.h"

enum { BATCH = 128 }; /* plans taken in one turn: a flood must not keep results and deadlines waiting */

json_t *person_of(long uid)
{
	char space[4096];
	struct passwd pw, *found = NULL;
	json_t *by = json_object();

	json_object_set_new(by, "uid", json_integer(uid));
	if (getpwuid_r((uid_t)uid, &pw, space, sizeof space, &found) == 0 && found)
		json_object_set_new(by, "user", json_string(pw.pw_name));
	else
		json_object_set_new(by, "user", json_sprintf("%ld", uid));
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
	struct turn t = {.now = in->now, .random = d->random += 0x9e3779b97f4a7c15u, .out = &c.events,
			 .check_inputs = definition_check_inputs, .child = subexec_choose, .ctx = d};
	char when[CLOCK_TEXT];

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
	clock_format(in->now, when);
	memcpy(j->day, when, 10);
	vec_push(&j->admissions, fa);
	live_dirty(d, l);
	log_info("accepted %s as execution %s \"%s\" (%u actions)", in->name, in->id, l->plan->name, l->plan->n);
}

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

/* Nothing dropped in is deleted: a claim that could not be moved to rejected/ stays for the next start. */
static void remove_rejected(struct daemon *d, const char *id, const char *claim)
{
	if (!fs_exists(d->spool.fd[SPOOL_TMP], claim))
		remove_claim_dir(d, id);
}

static void judge(struct daemon *d, const char *id, const char *ext, const char *name, struct flush_job *j)
{
	AUTO_FREE char *claim = xasprintf("%s/claim.%s", id, ext);
	AUTO_BUF struct buf text = BUF_INIT;
	struct plan_catalog catalog = catalog_plans(&d->spool);
	struct diags errors = DIAGS_INIT;
	msec now = clock_wall();
	struct admitted a;
	struct err e = {0};
	struct stat st;
	enum fs_drop taken;
	json_t *by;

	taken = fs_read_dropped(d->spool.fd[SPOOL_TMP], claim, source_plan_limits.bytes, &text, &st, &e);
	if (taken == FS_DROP_GONE) {
		remove_claim_dir(d, id);
		return;
	}
	if (taken != FS_DROP_OK) {
		drop_reject(d, d->spool.fd[SPOOL_TMP], claim, name, why_not(taken, name, owner_of(d, claim), &e));
		remove_rejected(d, id, claim);
		return;
	}
	by = person_of(st.st_uid);
	if (admit_plan_in(&catalog, claim, buf_str(&text), text.len, by, now, &a, &errors)) {
		intake_admit(d, &(struct intake_plan){.id = id, .ext = ext, .name = name, .text = &text, .plan = &a,
						     .by = by, .now = now}, j);
		json_decref(a.canonical);
	} else {
		drop_reject(d, d->spool.fd[SPOOL_TMP], claim, name,
			    admit_report(name, &errors, "validation_failed", now, st.st_uid));
		remove_rejected(d, id, claim);
	}
	json_decref(by);
	diags_free(&errors);
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
		if (errno != ENOENT)
			log_error("cannot claim %s: %s; it stays in the inbox until the next scan", name, strerror(errno));
		unlinkat(d->spool.fd[SPOOL_TMP], id, AT_REMOVEDIR);
		return 0;
	}
	judge(d, id, ext, name, j);
	return 1;
}

static DIR *open_scan(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = copy < 0 ? NULL : fdopendir(copy);

	if (!handle && copy >= 0)
		close(copy);
	return handle;
}

static void scan_inbox(struct daemon *d, struct flush_job *j)
{
	DIR *handle = open_scan(d->spool.fd[SPOOL_INBOX]);
	struct dirent *entry;
	unsigned taken = 0;
	int got = 0;

	if (!handle) {
		log_error("cannot read the inbox: %s; trying again at the next scan", strerror(errno));
		return;
	}
	d->more_in_inbox = false;
	/* What stays is not counted: it must not keep the loop busy, nor stand in the way of the rest. */
	while (got >= 0 && (entry = readdir(handle))) {
		if (spool_ignored_name(entry->d_name) || !drop_is_ready(d, d->spool.fd[SPOOL_INBOX], entry->d_name))
			continue;
		if (taken == BATCH) {
			d->more_in_inbox = true;
			break;
		}
		got = take(d, entry->d_name, j);
		taken += got > 0;
	}
	closedir(handle);
}

bool intake_is_empty(struct daemon *d)
{
	DIR *handle = open_scan(d->spool.fd[SPOOL_INBOX]);
	struct dirent *entry;
	bool empty = true;

	while (handle && empty && (entry = readdir(handle)))
		empty = spool_ignored_name(entry->d_name);
	if (handle)
		closedir(handle);
	return empty;
}

/* A result that an orphaned supervisor announces: its attempt's directory holds the truth. */
static void scan_results(struct daemon *d)
{
	DIR *handle = open_scan(d->spool.fd[SPOOL_RESULTS]);
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		char name[SPOOL_PATH_MAX], *action;
		struct live *l;
		uint32_t i, attempt;

		if (spool_ignored_name(entry->d_name) || strlen(entry->d_name) >= sizeof name)
			continue;
		strcpy(name, entry->d_name);
		if (spool_split_result(name, &action, &attempt) && (l = live_find(d, name)) &&
		    (i = plan_find(l->plan, action)) != NO_ACTION && l->exec->a[i].phase == PH_RUNNING)
			child_ended(d, l, i, attempt, -1);
		unlinkat(d->spool.fd[SPOOL_RESULTS], entry->d_name, 0);
	}
	if (handle)
		closedir(handle);
}

void intake_scan(struct daemon *d, struct flush_job *j)
{
	unsigned scan = d->scan | watch_take();
	msec now = clock_mono();

	d->scan = 0;
	if (now - d->last_scan >= d->config.rescan) {
		scan = ~0u;
		d->last_scan = now;
		json_object_clear(d->later); /* what is gone must not be waited for */
	}
	if (scan) {
		d->scan_number++;
		d->last_look = now;
	}
	if ((scan & (1u << SPOOL_INBOX)) || d->more_in_inbox)
		scan_inbox(d, j);
	if (scan & (1u << SPOOL_RESULTS))
		scan_results(d);
	if (scan & ((1u << SPOOL_CONFIRM) | (1u << SPOOL_CONFIRM_BY)))
		drops_scan_confirm(d);
	if (scan & (1u << SPOOL_CONTROL))
		drops_scan_control(d);
}

/* ---- claims of an earlier daemon ---- */

static void finish_claim(struct daemon *d, const char *id, struct flush_job *j)
{
	static const char *const exts[] = {"yaml", "yml", "json"};
	char path[SPOOL_PATH_MAX], link[SPOOL_PATH_MAX];
	AUTO_FREE char *target = NULL;
	size_t k;

	spool_execution_path(id, path);
	if (fs_exists(d->spool.fd[SPOOL_ROOT], path)) {
		/* It is in place; what may be missing after a power cut is the link that makes it active.  One that
		 * has ended already is unlinked again by recovery. */
		spool_active_path(id, link);
		target = xasprintf("../%s", path);
		if (symlinkat(target, d->spool.fd[SPOOL_ROOT], link) < 0 && errno != EEXIST)
			log_error("cannot link %s: %s", link, strerror(errno));
		else if (fsync(d->spool.fd[SPOOL_ACTIVE]) == 0)
			remove_claim_dir(d, id);
		return;
	}
	/* A link to what never came into place must not stay. */
	spool_active_path(id, link);
	unlinkat(d->spool.fd[SPOOL_ROOT], link, 0);
	for (k = 0; k < sizeof exts / sizeof *exts; k++) {
		AUTO_FREE char *claim = xasprintf("%s/claim.%s", id, exts[k]);
		AUTO_FREE char *name = xasprintf("claim.%s", exts[k]);

		if (fs_exists(d->spool.fd[SPOOL_TMP], claim)) {
			judge(d, id, exts[k], name, j);
			return;
		}
	}
	remove_claim_dir(d, id);
}

void intake_claims(struct daemon *d, struct flush_job *j)
{
	DIR *handle = open_scan(d->spool.fd[SPOOL_TMP]);
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		if (uuid_is_v7(entry->d_name))
			finish_claim(d, entry->d_name, j);
		else if (text_ends_with(entry->d_name, ".tmp"))
			unlinkat(d->spool.fd[SPOOL_TMP], entry->d_name, 0); /* a commit that was never placed */
	}
	if (handle)
		closedir(handle);
}
