/*
 * drops.c - what people drop into confirm/ and control/, and what becomes of drops that cannot be used.
 */
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
#include "codec/schema.h"
#include "codec/source.h"
#include "creeld/drops.h"
#include "store/admit.h"
#include "store/write.h"

enum { BATCH = 128 }; /* of one directory in one turn: a flood must not keep the others waiting */

/* ---- is it whole? ---- */

static bool seen_before(struct daemon *d, const char *file, const struct stat *st)
{
	AUTO_FREE char *name = xasprintf("%llu %s", (unsigned long long)st->st_ino, file);
	AUTO_FREE char *look = xasprintf("%lld %lld.%09ld %lu", (long long)st->st_size, (long long)st->st_mtim.tv_sec,
					 st->st_mtim.tv_nsec, (unsigned long)st->st_nlink);
	json_t *old = json_object_get(d->later, name);
	bool same = old && strcmp(json_string_value(json_object_get(old, "look")), look) == 0 &&
		    json_integer_value(json_object_get(old, "scan")) < (json_int_t)d->scan_number;

	if (same) {
		json_object_del(d->later, name);
		return true;
	}
	if (!old || strcmp(json_string_value(json_object_get(old, "look")), look) != 0) {
		if (!old && json_object_size(d->later) >= 10000)
			return false; /* its turn comes when one of those is taken */
		/* A name may be of any bytes. */
		json_object_set_new_nocheck(d->later, name, json_pack("{s:s, s:I}", "look", look, "scan",
								      (json_int_t)d->scan_number));
	}
	return false;
}

bool drop_is_ready(struct daemon *d, int dir, const char *name)
{
	struct stat st;
	int fd, r;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (!S_ISREG(st.st_mode))
		return true; /* whoever takes it says so; it is not even opened */
	fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno != EAGAIN && err_is_passing(errno))
		drop_again(d);
	if (fd < 0) /* EAGAIN: somebody holds a lease on it and is asked to give it up */
		return errno != ENOENT && !err_is_passing(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return true;
	}
	if (st.st_nlink > 1) {
		close(fd);
		return seen_before(d, name, &st);
	}
	/* A read lease is refused while anybody has the file open for writing. */
	r = fcntl(fd, F_SETLEASE, F_RDLCK);
	if (r == 0) {
		fcntl(fd, F_SETLEASE, F_UNLCK);
		close(fd);
		return true;
	}
	r = errno;
	close(fd);
	if (r == EAGAIN)
		return false;
	return seen_before(d, name, &st);
}

void drop_again(struct daemon *d)
{
	enum { FIRST_MS = 50 };

	if (d->again_at)
		return;
	d->again_wait = d->again_wait ? d->again_wait * 2 : FIRST_MS;
	if (d->again_wait > d->config.rescan)
		d->again_wait = d->config.rescan;
	d->again_at = clock_mono() + d->again_wait;
}

bool drop_tell(struct daemon *d, const char *name, int code)
{
	enum { MOST = 1000, FOR_MS = 600 * 1000 };
	AUTO_FREE char *key = xasprintf("%d %s", code, name);
	msec now = clock_mono();

	if (now - d->told_since > FOR_MS) {
		json_object_clear(d->told);
		d->told_since = now;
	}
	if (json_object_get(d->told, key) || json_object_size(d->told) >= MOST)
		return false;
	json_object_set_new_nocheck(d->told, key, json_true());
	return true;
}

/* ---- refusing ---- */

json_t *drop_report(const char *file, const char *category, const char *message, const char *suggestion, long uid)
{
	struct diags one = DIAGS_INIT;
	json_t *report;

	diag_add(&one, "", xstrdup_opt(suggestion), "%s", message);
	report = admit_report(file, &one, category, clock_wall(), uid);
	diags_free(&one);
	return report;
}

static void tell_rejected(struct daemon *d, const char *kept, const json_t *report)
{
	char when[CLOCK_TEXT];
	json_t *line = json_object();
	AUTO_FREE char *text = NULL;
	AUTO_BUF struct buf bytes = BUF_INIT;
	struct err e;

	clock_format(clock_wall(), when);
	json_object_set_new(line, "type", json_string("plan.rejected"));
	json_object_set_new(line, "at", json_string(when));
	json_object_set_new(line, "rejected", json_string(kept));
	json_object_update_missing(line, (json_t *)report);
	json_object_del(line, "errors");
	text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	buf_printf(&bytes, "%s\n", text);
	when[10] = '\0';
	if (events_append(&d->spool, when, bytes.p, bytes.len, &e) < 0)
		log_error("%s", e.text);
}

/* TIMESTAMP-NAME, and a number where that is taken. */
static char *kept_name(const char *shown, unsigned try)
{
	enum { MOST = 180 };
	char when[CLOCK_TEXT], stamp[20];
	AUTO_BUF struct buf safe = BUF_INIT;
	size_t n;
	char *slash;

	clock_format(clock_wall(), when);
	snprintf(stamp, sizeof stamp, "%.4s%.2s%.2sT%.2s%.2s%.2s%.3sZ", when, when + 5, when + 8, when + 11, when + 14,
		 when + 17, when + 20);
	text_escape(&safe, shown, strlen(shown));
	for (slash = strchr(safe.p, '/'); slash; slash = strchr(slash, '/'))
		*slash = '-'; /* of confirm/by/USER: what is kept lies in one directory */
	n = safe.len < MOST ? safe.len : MOST;
	while (n > 0 && n < safe.len && ((unsigned char)safe.p[n] & 0xc0) == 0x80)
		n--; /* not within a character */
	safe.p[n] = '\0';
	return try ? xasprintf("%s.%u-%s", stamp, try, safe.p) : xasprintf("%s-%s", stamp, safe.p);
}

/* The reason is written first, under a dotted name, so that nothing lies there without one; it is shown last, so that
 * the file is there when it is.  1: both are there; 0: the name is taken; -1 and *e. */
static int keep_rejected(struct daemon *d, int dir, const char *name, const char *kept, json_t *report, struct err *e)
{
	AUTO_FREE char *why = xasprintf("%s.error.json", kept), *hidden = xasprintf(".%s", why), *text = NULL;
	int rejected = d->spool.fd[SPOOL_REJECTED];

	if (fs_there(rejected, kept, e) != 0 || fs_there(rejected, why, e) != 0)
		return e->code ? -1 : 0;
	json_object_set_new(report, "kept", json_string(kept));
	text = json_dumps(report, JSON_INDENT(2));
	if (fs_publish(rejected, hidden, text, strlen(text), 0, e) < 0)
		return -1;
	/* Without a name it stays where it is. */
	if ((name && fs_rename_new(dir, name, rejected, kept, e) < 0)) {
		unlinkat(rejected, hidden, 0);
		return e->code == EEXIST ? 0 : -1;
	}
	if (renameat(rejected, hidden, rejected, why) < 0)
		log_error("cannot show rejected/%s: %s", why, strerror(errno));
	return 1;
}

void drop_reject(struct daemon *d, int dir, const char *name, const char *shown, json_t *report)
{
	AUTO_FREE char *kept = NULL;
	struct err e;
	unsigned try;
	int r = 0;

	for (try = 0; r == 0 && try < 1000; try++) {
		free(kept);
		kept = kept_name(shown, try);
		e = (struct err){0};
		r = keep_rejected(d, dir, name, kept, report, &e);
	}
	if (r > 0) {
		log_warn("rejected %s: %s (see rejected/%s.error.json)", shown,
			 json_string_value(json_object_get(report, "message")), kept);
		tell_rejected(d, kept, report);
	} else {
		drop_again(d);
		if (drop_tell(d, shown, e.code))
			log_error("cannot move %s to rejected/: %s; it stays where it is", shown, e.text);
	}
	json_decref(report);
}

void drop_reject_typed(struct daemon *d, int dir, const char *name, json_t *report)
{
	static const char placeholder[] = "# what was typed in is not kept\n";
	struct err e;

	/* Over the file itself, so that no copy stays; one that cannot be replaced is not moved either. */
	if (fs_publish(dir, name, placeholder, sizeof placeholder - 1, 0, &e) < 0) {
		log_error("%s is refused, and may hold what somebody typed in: %s; remove it", name, e.text);
		json_decref(report);
		return;
	}
	drop_reject(d, dir, name, name, report);
}

/* ---- reading a decision or an order ---- */

static const char *translate(const char *verb)
{
	if (strcmp(verb, "continue") == 0)
		return "approve";
	if (strcmp(verb, "abort") == 0)
		return "reject";
	return verb;
}

/* What becomes of a file. */
enum fate {
	FATE_USE,
	FATE_REFUSE,
	FATE_LEAVE, /* where it is: it is gone, or cannot be judged now */
	FATE_PASS   /* a person's own file that nobody waits for any more */
};

static enum fate leave(struct daemon *d, const char *shown, const struct err *e)
{
	if (e->code)
		drop_again(d);
	if (e->code && drop_tell(d, shown, e->code))
		log_error("%s cannot be looked at: %s; it stays where it is and is tried again", shown, e->text);
	return FATE_LEAVE;
}

static const char *why_not(enum fs_drop taken, const struct err *e)
{
	switch (taken) {
	case FS_DROP_TOO_BIG:
		return "it is larger than the 64 KiB that are read";
	case FS_DROP_FAILED:
		return e->text;
	default:
		return "it is not a regular file with one link";
	}
}

static json_t *take_content(const char *name, const struct buf *text, const char *schema, struct input *in)
{
	struct diags errors = DIAGS_INIT;
	struct source source = {0};
	json_t *report = NULL, *inputs;

	if (source_parse(SOURCE_YAML, text->p, text->len, &source_small_limits, &source, &errors) && source.root &&
	    !json_is_null(source.root) && schema_check(schema_builtin(schema), source.root, "", &errors)) {
		const char *comment = json_string_value(json_object_get(source.root, "comment"));
		const char *reason = json_string_value(json_object_get(source.root, "reason"));

		in->comment = xstrdup_opt(comment ? comment : reason);
		in->number = (uint32_t)json_integer_value(json_object_get(source.root, "number"));
		inputs = json_object_get(json_object_get(source.root, "modifications"), "inputs");
		if (!inputs)
			inputs = json_object_get(source.root, "inputs");
		in->inputs = json_incref(inputs);
		in->typed = xstrdup_opt(json_string_value(json_object_get(source.root, "input")));
	}
	if (errors.n > 0) {
		source_place_all(&source, &errors);
		report = admit_report(name, &errors, "validation_failed", clock_wall(), in->uid);
	}
	source_free(&source);
	diags_free(&errors);
	return report;
}

/* Which file this is: it stands in the commit that obeys it. */
static json_t *mark_of(const char *name, const struct stat *st)
{
	return json_pack("{s:s, s:I, s:o, s:o}", "name", name, "inode", (json_int_t)st->st_ino, "ctime",
			 json_sprintf("%lld.%09ld", (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec), "mtime",
			 json_sprintf("%lld.%09ld", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec));
}

/* The file's content, checked. */
static enum fate read_content(struct daemon *d, int dir, const char *name, const char *shown, struct input *in,
			      json_t **report)
{
	const char *schema = in->kind == INPUT_CONTROL ? "control" : "decision";
	AUTO_BUF struct buf text = BUF_INIT;
	struct err e = {0};
	struct stat st = {0}, own;
	enum fs_drop taken = fs_read_dropped(dir, name, source_small_limits.bytes, &text, &st, &e);

	if (taken == FS_DROP_GONE || (taken == FS_DROP_FAILED && err_is_passing(e.code)))
		return leave(d, shown, &e);
	if (taken != FS_DROP_OK) {
		*report = drop_report(name, "validation_failed", why_not(taken, &e), "an empty file is enough", -1);
		return FATE_REFUSE;
	}
	in->uid = st.st_uid;
	if (in->dir == SPOOL_CONFIRM_BY && fstat(dir, &own) == 0 && own.st_uid != st.st_uid) {
		/* Its owner may move a file there that somebody else wrote for another purpose. */
		*report = drop_report(shown, "validation_failed", "it does not belong to whom the directory belongs to",
				      "write the decision yourself: creel approve or creel reject", st.st_uid);
		return FATE_REFUSE;
	}
	in->by = person_of(st.st_uid, &e);
	if (!in->by)
		return leave(d, shown, &e);
	in->user = xstrdup(json_string_value(json_object_get(in->by, "user")));
	in->request.changed = (msec)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
	if (in->kind == INPUT_CONTROL)
		in->mark = mark_of(name, &st);
	if (text.len > 0) {
		*report = take_content(name, &text, schema, in);
		explicit_bzero(text.p, text.len);
	}
	return *report ? FATE_REFUSE : FATE_USE;
}

/* NULL: *e says why, and err_is_passing(e->code) whether that says anything of the order. */
static struct live *find_execution(struct daemon *d, const char *id, const char *verb, struct err *e)
{
	struct live *l = live_find(d, id);
	char path[SPOOL_PATH_MAX];
	int there;

	if (l)
		return l;
	spool_execution_path(id, path);
	there = fs_there(d->spool.fd[SPOOL_ROOT], path, e);
	if (there == 0)
		err_set(e, ENOENT, "there is no execution %s: it never was here, or creel gc has removed it", id);
	else if (there > 0 && recover_waits(d, id))
		err_set(e, EAGAIN, "execution %s is not loaded yet", id);
	else if (there > 0 && strcmp(verb, "retry") == 0)
		return recover_finished(d, id, e);
	else if (there > 0)
		err_set(e, EALREADY, "execution %s has ended", id);
	return NULL;
}

/* Could a decision with this name be an answer to a request for a value?  Then nothing of it must be kept. */
static bool may_be_typed(struct daemon *d, enum input_kind kind, const char *name)
{
	char copy[SPOOL_PATH_MAX], *id, *action, *verb;
	struct asked *open;
	struct live *l;
	uint32_t i;

	if (kind != INPUT_DECISION)
		return false;
	snprintf(copy, sizeof copy, "%s", name);
	if (!spool_split_name(copy, &id, &action, &verb) || !action || !(l = live_find(d, id)))
		return false;
	i = plan_find(l->plan, action);
	open = i == NO_ACTION ? NULL : exec_open_request(l->exec, i);
	return open && strcmp(open->kind, "input") == 0;
}

/* A report that quotes nothing of the file. */
static json_t *not_what_is_asked_for(const char *name, json_t *report)
{
	long uid = json_is_integer(json_object_get(report, "uid")) ? (long)json_integer_value(json_object_get(report, "uid")) : -1;

	json_decref(report);
	return drop_report(name, "validation_failed", "it does not hold what is asked for, as {input: \"…\"}",
			   "creel approve asks for it and writes the file", uid);
}

static msec time_of_request(struct daemon *d, const char *id, const char *action)
{
	char path[SPOOL_PATH_MAX];
	struct stat st;

	spool_request_path(id, action, path);
	if (fstatat(d->spool.fd[SPOOL_ROOT], path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (msec)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
}

/* Whom it is about.  name is changed. */
static enum fate find_subject(struct daemon *d, char *name, const char *shown, struct input *in, struct live **l,
			      json_t **report)
{
	bool order = in->kind == INPUT_CONTROL;
	char *id, *action, *verb;
	struct err e = {0};

	if (!spool_split_name(name, &id, &action, &verb) || strchr(verb, '.')) {
		*report = drop_report(shown, "validation_failed", "its name is not of the form ID.ACTION.VERB or ID.VERB",
				      order ? "for example: touch control/ID.cancel"
					    : "for example: touch confirm/ID.ACTION.approve",
				      in->uid);
		return FATE_REFUSE;
	}
	if (!order && !action) {
		*report = drop_report(shown, "validation_failed", "its name has no action: ID.ACTION.VERB", NULL, in->uid);
		return FATE_REFUSE;
	}
	in->verb = xstrdup(translate(verb));
	*l = find_execution(d, id, in->verb, &e);
	if (!*l && err_is_passing(e.code))
		return leave(d, shown, &e);
	/* What stayed there from long ago is only seen anew if a crash took the note that it was looked at. */
	if (!*l && in->dir == SPOOL_CONFIRM_BY && in->request.changed < d->since)
		return FATE_PASS;
	if (*l && action && (in->action = plan_find((*l)->plan, action)) == NO_ACTION)
		err_set(&e, ENOENT, "the execution has no action of that name");
	if (!e.code && !order)
		in->request.published = time_of_request(d, (*l)->exec->id, action);
	if (!e.code)
		return FATE_USE;
	*report = drop_report(shown, "validation_failed", e.text, NULL, in->uid);
	return FATE_REFUSE;
}

bool drop_take(struct daemon *d, enum spool_dir where, int dir, const char *name, const char *shown)
{
	struct input in = {.kind = where == SPOOL_CONTROL ? INPUT_CONTROL : INPUT_DECISION, .action = NO_ACTION, .dir = where};
	AUTO_FREE char *copy = xstrdup(name);
	struct live *l = NULL;
	json_t *report = NULL;
	enum fate fate = read_content(d, dir, name, shown, &in, &report);
	bool typed;

	if (fate == FATE_USE)
		fate = find_subject(d, copy, shown, &in, &l, &report);
	if (fate == FATE_USE) {
		in.file = xstrdup(shown);
		*live_input(d, l, in.kind, in.action) = in;
		return true;
	}
	typed = fate == FATE_REFUSE && (in.typed || may_be_typed(d, in.kind, name));
	input_free(&in);
	if (typed && where != SPOOL_CONFIRM_BY)
		drop_reject_typed(d, dir, name, not_what_is_asked_for(name, report));
	else if (fate == FATE_REFUSE && where != SPOOL_CONFIRM_BY)
		drop_reject(d, dir, name, name, report);
	else if (fate == FATE_REFUSE)
		drop_reject(d, -1, NULL, shown, report);
	return fate != FATE_LEAVE;
}

static void scan(struct daemon *d, enum spool_dir where)
{
	struct err e;
	DIR *handle = fs_dir_open(d->spool.fd[where], ".", &e);
	const char *name;
	unsigned taken = 0;

	while (handle && (name = fs_dir_next(handle, &e))) {
		if (spool_ignored_name(name))
			continue;
		if (where == SPOOL_CONFIRM && (strcmp(name, "by") == 0 || text_ends_with(name, ".request.json")))
			continue;
		if (!drop_is_ready(d, d->spool.fd[where], name))
			continue;
		if (taken++ == BATCH) {
			d->scan |= 1u << where; /* the rest in the next turn */
			break;
		}
		drop_take(d, where, d->spool.fd[where], name, name);
	}
	if (handle)
		closedir(handle);
	if (!e.code)
		return;
	drop_again(d);
	if (drop_tell(d, spool_dir_name(where), e.code))
		log_error("cannot read %s/: %s; trying again and again", spool_dir_name(where), e.text);
}

void drops_scan_confirm(struct daemon *d)
{
	scan(d, SPOOL_CONFIRM);
}

void drops_scan_control(struct daemon *d)
{
	scan(d, SPOOL_CONTROL);
}
