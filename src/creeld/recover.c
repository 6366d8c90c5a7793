/*
 * recover.c - what an earlier daemon left: claims, active executions, attempts that run or ran.
 *
 * The cost follows what is active, not what is stored: active/ names every execution that is not finished.  Only in
 * a spool that was copied from elsewhere (creeld.lock speaks of another device or inode) everything is looked at.
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
#include "codec/commit.h"
#include "creeld/flush.h"
#include "creeld/mend.h"
#include "creeld/perform.h"
#include "creeld/subexec.h"
#include "store/hold.h"
#include "store/journal.h"
#include "store/state_file.h"

enum { TAIL_MAX = 8 * 1024 * 1024 };

/* ---- events that may be missing ---- */

struct retell {
	struct buf *lines;
	const struct live *l;
	uint32_t cut; /* this commit's lines may be cut short after the first `told`; or 0 */
	uint32_t told;
};

/* What the end of events/ holds. */
struct seen {
	struct map seq; /* of each execution, the greatest */
	json_t *keys;
	char last[UUID_TEXT]; /* the last line's execution */
	uint32_t place;       /* and its place in its commit: a crash may have cut off those that follow */
};

static void retell_commit(void *ctx, const char *text, size_t n, uint32_t seq)
{
	struct retell *r = ctx;
	struct commit c;
	struct err e;

	if (commit_decode(text, n, r->l->plan, &c, NULL, NULL, &e) < 0)
		return; /* it was readable a moment ago; the journal stays the truth */
	if (seq != r->cut || c.events.n > r->told)
		commit_event_lines(r->lines, r->l->plan, r->l->exec->id, &c);
	events_free(&c.events);
}

/* The greatest seq of each execution in the last lines of events/: what is read there needs no repetition. */
static void note_seen(struct seen *seen, char *text)
{
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *id = strstr(line, "\"execution\":\""), *seq = strstr(line, "\"seq\":");
		char *place = strstr(line, ",\"n\":");
		uint32_t n, old;

		if (!id || !seq || strlen(id) < 13 + 36)
			continue;
		id += 13;
		id[36] = '\0';
		n = (uint32_t)strtoul(seq + 6, NULL, 10);
		strcpy(seen->last, id);
		seen->place = place ? (uint32_t)strtoul(place + 5, NULL, 10) : 0;
		old = map_get(&seen->seq, id);
		if (old == MAP_NONE) {
			json_object_set_new(seen->keys, id, json_null()); /* owns the key's text */
			map_put(&seen->seq, json_object_iter_key(json_object_iter_at(seen->keys, id)), n);
		} else if (n > old) {
			map_put(&seen->seq, id, n);
		}
	}
}

static void read_tail(struct daemon *d, struct seen *seen)
{
	char when[CLOCK_TEXT];
	int back;

	for (back = 1; back >= 0; back--) {
		AUTO_FREE char *name = NULL, *text = NULL;
		char *newline;
		struct stat st;
		ssize_t n;
		off_t from;
		int fd;

		clock_format(clock_wall() - back * (msec)86400000, when);
		name = xasprintf("%.10s.jsonl", when);
		fd = openat(d->spool.fd[SPOOL_EVENTS], name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0) {
			from = st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0;
			text = xmalloc((size_t)(st.st_size - from) + 1);
			n = pread(fd, text, (size_t)(st.st_size - from), from);
			text[n > 0 ? n : 0] = '\0';
			newline = strrchr(text, '\n');
			*(newline ? newline : text) = '\0'; /* a line that was cut short says nothing */
			note_seen(seen, text);
		}
		close(fd);
	}
}

static void retell(struct daemon *d, struct live *l, uint32_t flushed, const struct seen *seen)
{
	AUTO_BUF struct buf lines = BUF_INIT;
	struct retell r = {.lines = &lines, .l = l};
	uint32_t there = map_get(&seen->seq, l->exec->id);
	char when[CLOCK_TEXT];
	struct err e = {0};

	if (there == MAP_NONE || there < flushed)
		there = flushed;
	l->events_seq = l->events_flushed = l->seq;
	if (there > 0 && there <= l->seq && strcmp(seen->last, l->exec->id) == 0) {
		r.cut = there--;
		r.told = seen->place + 1;
	}
	if (there >= l->seq)
		return;
	if (journal_each(&d->spool, l->exec->id, l->plan, there + 1, retell_commit, &r, &e) < 0)
		log_warn("cannot read the journal of %s again: %s", l->exec->id, e.text);
	clock_format(clock_wall(), when);
	when[10] = '\0';
	if (events_append(&d->spool, when, buf_str(&lines), lines.len, &e) < 0)
		log_error("%s", e.text);
}

/* ---- attempts ---- */

static void recover_attempt(struct daemon *d, struct live *l, uint32_t i)
{
	const char *action = l->plan->actions[i].id;
	struct action_state *a = &l->exec->a[i];
	struct attempt_process p;
	struct input *in;
	struct err e = {0};

	switch (attempt_examine(&d->spool, l->exec->id, action, a->attempt, &p, &e)) {
	case ATTEMPT_LOCK_HELD:
		log_info("adopted attempt %u of \"%s\" of %s", a->attempt, action, l->exec->id);
		in = live_input(d, l, INPUT_ADOPTED, i);
		in->attempt = a->attempt;
		child_adopt(d, l, i, &p);
		break;
	case ATTEMPT_LOCK_RESULT:
		child_ended(d, l, i, a->attempt, -1);
		break;
	case ATTEMPT_LOCK_UNUSED:
		/* After a power cut an empty lock proves nothing: the line in it may be what was not flushed. */
		if (!d->rebooted && attempt_reset(&d->spool, l->exec->id, action, a->attempt, &e) == 0) {
			perform_start(d, l, i);
			break;
		}
		/* fall through */
	case ATTEMPT_LOCK_LOST:
		child_kill_survivors(d, &p);
		in = live_input(d, l, INPUT_LOST, i);
		in->attempt = a->attempt;
		in->reason = e.text[0] ? xstrdup(e.text)
				       : xstrdup(d->rebooted ? "the machine was started anew while it may have run"
							  : "nobody saw its end: its supervisor was gone when the daemon started");
		break;
	}
}

/* ---- executions ---- */

static struct live *adopt_loaded(struct daemon *d, struct loaded *loaded)
{
	struct live *l = live_add(d, loaded->plan, loaded->exec);

	l->seq = loaded->seq;
	strcpy(l->prev, loaded->prev);
	strcpy(l->plan_digest, loaded->plan_digest);
	return l;
}

/* Its last commit says that it ended, but the daemon was stopped before it let it go. */
static void finish_ended(struct daemon *d, struct live *l)
{
	struct flush_job *j = flush_job_new();
	struct flush_state st = {.live = l, .final = true};
	struct state_marks marks = {l->seq, l->seq};
	struct buf text = BUF_INIT;
	char path[SPOOL_PATH_MAX];
	uint32_t i;

	for (i = 0; i < l->plan->n; i++) { /* answered requests may still lie there */
		spool_request_path(l->exec->id, l->plan->actions[i].id, path);
		if (l->exec->a[i].asked)
			unlinkat(d->spool.fd[SPOOL_ROOT], path, 0);
	}
	strcpy(st.id, l->exec->id);
	state_encode(&text, l->exec, &marks);
	st.n = text.len;
	st.text = buf_steal(&text);
	vec_push(&j->states, st);
	j->step = FLUSH_FOLD;
	j->wide = true;
	if (flush_run(&d->spool, j, NULL) < 0)
		log_error("cannot close execution %s: %s; the next start tries again", l->exec->id, j->error.text);
	free(st.text);
	vec_free(&j->states);
	free(j);
	live_remove(d, l);
}

static void recover_one(struct daemon *d, const char *id, const struct seen *seen)
{
	char path[SPOOL_PATH_MAX];
	struct loaded loaded;
	struct err e = {0};
	struct live *l;
	uint32_t i;

	spool_execution_path(id, path);
	if (!fs_exists(d->spool.fd[SPOOL_ROOT], path)) {
		log_warn("active/%s leads nowhere: there is no such execution; the link is removed", id);
		spool_active_path(id, path);
		unlinkat(d->spool.fd[SPOOL_ROOT], path, 0);
		return;
	}
	if (journal_load(&d->spool, id, false, &loaded, &e) < 0) {
		/* Out of memory or descriptors says nothing about the records: it stays active for the next start. */
		if (e.code == EBADMSG || e.code == ENOENT || e.code == EFBIG)
			live_quarantine(d, id, e.text);
		else
			log_error("cannot load execution %s: %s; it waits for the next start", id, e.text);
		return;
	}
	if (loaded.set_aside)
		log_warn("the last commit of %s was damaged and nothing shows that it took effect: it was set aside", id);
	l = adopt_loaded(d, &loaded);
	retell(d, l, loaded.events_seq, seen);
	if (d->rebooted || d->restored)
		mend_outputs(d, l);
	if (l->exec->outcome != OUTCOME_NONE) {
		finish_ended(d, l);
		return;
	}
	for (i = 0; i < l->plan->n && l->exec->count[PH_RUNNING] > 0; i++) {
		if (l->exec->a[i].phase != PH_RUNNING)
			continue;
		if (l->exec->a[i].child)
			subexec_start(d, l, i);
		else if (!l->plan->actions[i].no_supervisor || (plan_child(l->plan, i) && !l->plan->actions[i].for_each))
			recover_attempt(d, l, i);
	}
	mend_requests(d, l);
	if (loaded.state_seq != l->seq) { /* it may wait for long: those who read its state must not wait as well */
		l->state_old = true;
		vec_push(&d->stale, l->slot);
	}
	live_dirty(d, l);
}

static int recover_active(struct daemon *d, struct err *e)
{
	struct seen seen = {.seq = MAP_INIT, .keys = json_object()};
	int fd = openat(d->spool.fd[SPOOL_ACTIVE], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	VEC(char *) ids = {0};
	size_t k;

	if (!handle) {
		/* Nothing read is not nothing active: whoever served then would forget what runs. */
		err_sys(e, errno, "cannot read active/");
		if (fd >= 0)
			close(fd);
		json_decref(seen.keys);
		return -1;
	}
	read_tail(d, &seen);
	while ((entry = readdir(handle)))
		if (uuid_is_v7(entry->d_name))
			vec_push(&ids, xstrdup(entry->d_name));
	closedir(handle);
	for (k = 0; k < ids.n; k++) {
		if (!live_find(d, ids.v[k])) /* a claim that was just admitted again is live already */
			recover_one(d, ids.v[k], &seen);
		free(ids.v[k]);
	}
	if (ids.n > 0)
		log_info("recovered %zu active executions", ids.n);
	vec_free(&ids);
	map_free(&seen.seq);
	json_decref(seen.keys);
	return 0;
}

/* ---- a copy from elsewhere ---- */

static bool has_ended(struct daemon *d, const char *id)
{
	char path[SPOOL_PATH_MAX], name[SPOOL_PATH_MAX], head[8192];
	const char *seq;
	struct err e;
	ssize_t n;
	int fd;

	spool_execution_path(id, path);
	snprintf(name, sizeof name, "%.80s/state.json", path);
	fd = openat(d->spool.fd[SPOOL_ROOT], name, O_RDONLY | O_CLOEXEC);
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

static void relink_day(struct daemon *d, const char *day)
{
	int fd = openat(d->spool.fd[SPOOL_EXECUTIONS], day, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		char path[SPOOL_PATH_MAX], link[SPOOL_PATH_MAX];
		AUTO_FREE char *target = NULL, *apart = NULL;

		if (!uuid_is_v7(entry->d_name) || has_ended(d, entry->d_name))
			continue;
		apart = xasprintf("quarantine/%s.reason.json", entry->d_name);
		if (fs_exists(d->spool.fd[SPOOL_ROOT], apart))
			continue;
		spool_execution_path(entry->d_name, path);
		spool_active_path(entry->d_name, link);
		target = xasprintf("../%s", path);
		if (symlinkat(target, d->spool.fd[SPOOL_ROOT], link) < 0 && errno != EEXIST)
			log_error("cannot link %s: %s", link, strerror(errno));
	}
	if (handle)
		closedir(handle);
}

static void clear_results(struct daemon *d)
{
	int fd = openat(d->spool.fd[SPOOL_RESULTS], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (handle && (entry = readdir(handle)))
		if (entry->d_name[0] != '.')
			unlinkat(d->spool.fd[SPOOL_RESULTS], entry->d_name, 0);
	if (handle)
		closedir(handle);
}

static void rebuild_copy(struct daemon *d)
{
	int fd = openat(d->spool.fd[SPOOL_EXECUTIONS], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	log_warn("this spool is a copy of one from elsewhere: every execution is looked at, no process is signalled");
	while (handle && (entry = readdir(handle)))
		if (entry->d_name[0] != '.')
			relink_day(d, entry->d_name);
	if (handle)
		closedir(handle);
	clear_results(d);
}

/* Requests that nobody waits for any more: answered just before a crash, or copied before they were. */
static void clear_requests(struct daemon *d)
{
	int fd = openat(d->spool.fd[SPOOL_CONFIRM], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		char name[SPOOL_PATH_MAX], *id, *action, *rest;
		struct live *l;
		uint32_t i;

		if (!text_ends_with(entry->d_name, ".request.json") || strlen(entry->d_name) >= sizeof name)
			continue;
		strcpy(name, entry->d_name);
		if (!spool_split_name(name, &id, &action, &rest) || !action)
			continue;
		l = live_find(d, id);
		i = l ? plan_find(l->plan, action) : NO_ACTION;
		if (i == NO_ACTION || !exec_open_request(l->exec, i))
			unlinkat(d->spool.fd[SPOOL_CONFIRM], entry->d_name, 0);
	}
	if (handle)
		closedir(handle);
}

int recover(struct daemon *d, struct err *e)
{
	struct flush_job *j = flush_job_new();

	if (d->restored)
		rebuild_copy(d);
	intake_claims(d, j);
	if (recover_active(d, e) < 0) {
		free(j);
		return -1;
	}
	clear_requests(d);
	if (flush_job_is_empty(j))
		free(j);
	else
		flush_submit(d, j);
	return 0;
}

struct live *recover_finished(struct daemon *d, const char *id, struct err *e)
{
	char link[SPOOL_PATH_MAX], path[SPOOL_PATH_MAX];
	AUTO_FREE char *target = NULL;
	struct loaded loaded;
	struct live *l;
	int held = hold_shared(&d->spool, id, e); /* until it is active nothing else keeps it from being removed */

	if (held < 0)
		return NULL;
	if (journal_load(&d->spool, id, true, &loaded, e) < 0) {
		close(held);
		return NULL;
	}
	/* Active before its first new commit: a crash in between finds an execution that has ended and lets it go. */
	spool_execution_path(id, path);
	spool_active_path(id, link);
	target = xasprintf("../%s", path);
	if ((symlinkat(target, d->spool.fd[SPOOL_ROOT], link) < 0 && errno != EEXIST) ||
	    fsync(d->spool.fd[SPOOL_ACTIVE]) < 0) {
		err_sys(e, errno, "cannot link %s", link);
		close(held);
		loaded_free(&loaded);
		return NULL;
	}
	close(held);
	l = adopt_loaded(d, &loaded);
	l->events_seq = l->events_flushed = l->seq;
	l->ended_before = d->reopening = true;
	return l;
}
