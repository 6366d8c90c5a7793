/*
 * recover.c - what an earlier daemon left: claims, active executions, attempts that run or ran.
 *
 * The cost follows what is active, not what is stored: active/ names every execution that is not finished.  Only in
 * a spool that was copied from elsewhere (creeld.lock speaks of another device or inode) everything is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
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
#include "creeld/drops.h"
#include "creeld/mend.h"
#include "creeld/perform.h"
#include "creeld/subexec.h"
#include "creeld/unknown.h"
#include "store/again.h"
#include "store/hold.h"
#include "store/load.h"
#include "store/state_file.h"

enum { TAIL_MAX = 8 * 1024 * 1024, LOAD_FIRST_MS = 50, LOAD_MOST_MS = 2000 };

/* ---- events that may be missing ---- */

struct retell {
	struct buf *lines;
	const struct live *l;
	uint32_t cut; /* this commit's lines may be cut short after the first `told`; or 0 */
	uint32_t told;
};

/* What the end of events/ holds. */
struct seen {
	struct map seq;   /* of each execution, the greatest */
	struct map place; /* and the last place in that commit: a crash may have cut off those that follow */
	json_t *keys;
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
		uint32_t n, at, old;

		if (!id || !seq || strlen(id) < 13 + 36)
			continue;
		id += 13;
		id[36] = '\0';
		n = (uint32_t)strtoul(seq + 6, NULL, 10);
		at = place ? (uint32_t)strtoul(place + 5, NULL, 10) : 0;
		old = map_get(&seen->seq, id);
		if (old == MAP_NONE) {
			json_object_set_new(seen->keys, id, json_null()); /* owns the key's text */
			id = (char *)json_object_iter_key(json_object_iter_at(seen->keys, id));
		}
		if (old == MAP_NONE || n > old) {
			map_put(&seen->seq, id, n);
			map_put(&seen->place, id, at);
		} else if (n == old && at > map_get(&seen->place, id)) {
			map_put(&seen->place, id, at);
		}
	}
}

/* Lines with a hole: of bytes that were not flushed a power cut may take the first and leave later ones.  They become
 * blank, which readers of JSON pass over; what they said is told again. */
static bool blank_holes(int fd, const char *text, size_t n, off_t from)
{
	const char *at = text, *end = text + n, *hole, *line, *stop;
	bool any = false;

	while ((hole = memchr(at, '\0', (size_t)(end - at)))) {
		AUTO_BUF struct buf blank = BUF_INIT;

		line = memrchr(text, '\n', (size_t)(hole - text));
		line = line ? line + 1 : text;
		stop = memchr(hole, '\n', (size_t)(end - hole));
		if (!stop)
			return any; /* a line that was cut short is cut off before the next one */
		buf_reserve(&blank, (size_t)(stop - line));
		memset(blank.p, ' ', (size_t)(stop - line));
		if (pwrite(fd, blank.p, (size_t)(stop - line), from + (line - text)) < 0)
			log_warn("a line of events/ is damaged and cannot be made blank: %s", strerror(errno));
		at = stop;
		any = true;
	}
	return any;
}

static void read_tail(struct daemon *d, struct seen *seen)
{
	char when[CLOCK_TEXT];
	bool holes = false, before;
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
		fd = openat(d->spool.fd[SPOOL_EVENTS], name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0) {
			from = st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0;
			text = xmalloc((size_t)(st.st_size - from) + 1);
			n = pread(fd, text, (size_t)(st.st_size - from), from);
			text[n > 0 ? n : 0] = '\0';
			before = holes;
			if (n > 0 && blank_holes(fd, text, (size_t)n, from))
				holes = true;
			newline = strrchr(text, '\n');
			*(newline ? newline : text) = '\0'; /* a line that was cut short says nothing */
			if (!before) /* what follows a hole is told again, too */
				note_seen(seen, text);
		}
		close(fd);
	}
}

/* The commits of l up to which events/ needs no repetition; *told: so many lines of the last of them stand there, and
 * it may have more. */
static uint32_t known_told(const struct daemon *d, const struct live *l, const struct loaded *loaded,
			   const struct seen *seen, uint32_t *told)
{
	uint32_t there = map_get(&seen->seq, l->exec->id), flushed = loaded->events_seq;

	*told = UINT32_MAX;
	if (flushed > l->seq)
		flushed = l->seq;
	/* A copy of events/ is older than that of state.json, and may lack what that says. */
	if (d->restored)
		flushed = 0;
	/* A power cut may have taken some days' lines and not later ones; the page cache forgets the last first. */
	else if (d->rebooted)
		return flushed;
	if (there == MAP_NONE || there <= flushed || there > l->seq)
		return flushed;
	*told = map_get(&seen->place, l->exec->id) + 1;
	if (there == l->seq && *told >= loaded->last_events)
		*told = UINT32_MAX;
	return there;
}

/* -1: some are still missing, and *e says why.  Whoever went on without them would leave a gap that nobody finds. */
static int retell(struct daemon *d, struct live *l, const struct loaded *loaded, const struct seen *seen, struct err *e)
{
	AUTO_BUF struct buf lines = BUF_INIT;
	struct retell r = {.lines = &lines, .l = l};
	uint32_t there = known_told(d, l, loaded, seen, &r.told);
	char when[CLOCK_TEXT];

	l->events_seq = l->seq;
	l->events_flushed = loaded->events_seq < l->seq ? loaded->events_seq : l->seq;
	if (r.told != UINT32_MAX)
		r.cut = there--;
	if (there >= l->seq)
		return 0;
	if (journal_each(&d->spool, l->exec->id, l->plan, there + 1, retell_commit, &r, e) < 0)
		return -1;
	clock_format(clock_wall(), when);
	when[10] = '\0';
	return events_append(&d->spool, when, buf_str(&lines), lines.len, e);
}

/* ---- attempts ---- */

static bool is_running(const struct daemon *d, const struct live *l, uint32_t i)
{
	size_t k;

	for (k = 0; k < d->running.n; k++)
		if (d->running.v[k].live == l && d->running.v[k].action == i)
			return !d->running.v[k].trouble;
	return false;
}

static void recover_attempt(struct daemon *d, struct live *l, uint32_t i)
{
	uint32_t attempt = l->exec->a[i].attempt;

	child_ended(d, l, i, attempt, -1); /* which finds out whether it did */
	if (!is_running(d, l, i))
		return;
	log_info("adopted attempt %u of \"%s\" of %s", attempt, l->plan->actions[i].id, l->exec->id);
	live_input(d, l, INPUT_ADOPTED, i)->attempt = attempt;
}

/* ---- executions ---- */

static struct live *adopt_loaded(struct daemon *d, const struct loaded *loaded)
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
	struct state_marks marks = {l->seq, l->events_flushed};
	struct buf text = BUF_INIT;
	char path[SPOOL_PATH_MAX];
	uint32_t i;

	for (i = 0; i < l->plan->n; i++) { /* answered requests may still lie there */
		spool_request_path(l->exec->id, l->plan->actions[i].id, path);
		if (l->exec->a[i].asked)
			unlinkat(d->spool.fd[SPOOL_ROOT], path, 0);
	}
	strcpy(st.id, l->exec->id);
	state_encode(&text, &d->spool, l->exec, &marks);
	st.n = text.len;
	st.text = buf_steal(&text);
	vec_push(&j->states, st);
	j->step = FLUSH_FOLD;
	j->wide = true;
	if (flush_run(&d->spool, j, NULL) < 0) {
		if (!d->reloading)
			log_error("cannot close execution %s: %s; it is tried again and again", l->exec->id, j->error.text);
		/* Whoever opened it now would take what this says of its end for durable. */
		vec_push(&d->unloaded, xstrdup(l->exec->id));
	}
	free(st.text);
	vec_free(&j->states);
	free(j);
	live_remove(d, l);
}

/* Want of descriptors, memory or permission says nothing about the records. */
static bool is_damage(int code)
{
	return code == EBADMSG || code == ENOENT || code == EFBIG || code == ENOTDIR || code == EISDIR || code == ELOOP ||
	       code == EXDEV;
}

/* The execution stays active, and is tried again. */
static void load_later(struct daemon *d, const char *id, const struct err *e)
{
	if (!d->reloading)
		log_error("cannot load execution %s: %s; it stays active and is tried again and again", id, e->text);
	vec_push(&d->unloaded, xstrdup(id));
}

/* Attempts of an earlier daemon. */
static void recover_attempts(struct daemon *d, struct live *l)
{
	uint32_t i;

	for (i = 0; i < l->plan->n && l->exec->count[PH_RUNNING] > 0; i++) {
		if (l->exec->a[i].phase != PH_RUNNING)
			continue;
		if (l->exec->a[i].child)
			subexec_start(d, l, i);
		else if (!l->plan->actions[i].no_supervisor || (plan_child(l->plan, i) && !l->plan->actions[i].for_each))
			recover_attempt(d, l, i);
	}
}

/* What a daemon that died may have left undone, in the order in which it is done. */
static int catch_up(struct daemon *d, struct live *l, const struct loaded *loaded, const struct seen *seen, struct err *e)
{
	/* What is read after a power cut is on the disk.  Else a flush may have failed, and the kernel has taken what it
	 * could not write for clean: of the commit, if state.json, which follows it, is older; of what an execution that has
	 * ended leaves, if it is still active. */
	bool sure = d->rebooted || (loaded->state_seq >= l->seq && l->exec->outcome == OUTCOME_NONE);

	if (!sure && again_execution(&d->spool, l->exec->id, e) < 0)
		return -1;
	/* Before events/ tell of them. */
	if (l->exec->outcome == OUTCOME_NONE && mend_requests(d, l, !sure, e) < 0)
		return -1;
	return retell(d, l, loaded, seen, e) < 0 ? -1 : mend_outputs(d, l, e);
}

static void take_over_loaded(struct daemon *d, struct load *found, const struct seen *seen)
{
	const struct loaded *loaded = &found->loaded;
	const char *id = found->id;
	char path[SPOOL_PATH_MAX];
	struct err e = found->e;
	struct live *l;

	if (found->there < 0) {
		load_later(d, id, &e);
		return;
	}
	if (found->there == 0) {
		log_warn("active/%s leads nowhere: there is no such execution; the link is removed", id);
		spool_active_path(id, path);
		unlinkat(d->spool.fd[SPOOL_ROOT], path, 0);
		return;
	}
	if (!loaded->exec) {
		if (is_damage(e.code))
			live_quarantine(d, id, e.text);
		else
			load_later(d, id, &e);
		return;
	}
	if (loaded->set_aside)
		log_warn("the last commit of %s was damaged and nothing shows that it took effect: it was set aside", id);
	l = adopt_loaded(d, loaded);
	if (catch_up(d, l, loaded, seen, &e) < 0) {
		live_remove(d, l);
		load_later(d, id, &e);
		return;
	}
	if (l->exec->outcome != OUTCOME_NONE) {
		finish_ended(d, l);
		return;
	}
	if (d->rebooted)
		unknown_attempts_remove(d, l);
	recover_attempts(d, l);
	core_clock_back(l->exec, clock_wall(), -1);
	/* It may wait for long: those who read its state must not wait as well.  A power cut may have left only the
	 * beginning of it, which says the right number. */
	if (loaded->state_seq != l->seq || d->rebooted || d->restored) {
		l->state_old = true;
		vec_push(&d->stale, l->slot);
	}
	live_dirty(d, l);
}

static void recover_one(struct daemon *d, const char *id, const struct seen *seen)
{
	struct load found;

	load_one(&d->spool, id, &found);
	take_over_loaded(d, &found, seen);
}

void recover_again(struct daemon *d)
{
	struct seen nothing = {.seq = MAP_INIT, .place = MAP_INIT}; /* lines may stand in events/ twice then, and none is missing */
	VEC(char *) ids = {0};
	size_t k;

	if (d->unloaded.n == 0 || clock_mono() < d->unloaded_at)
		return;
	/* Soon at first, then less often. */
	d->unloaded_at = clock_mono() + (d->unloaded_tries < 5 ? LOAD_FIRST_MS << d->unloaded_tries : LOAD_MOST_MS);
	d->unloaded_tries++;
	for (k = 0; k < d->unloaded.n; k++)
		vec_push(&ids, d->unloaded.v[k]);
	d->unloaded.n = 0;
	d->recovering = d->reloading = true;
	for (k = 0; k < ids.n; k++) {
		recover_one(d, ids.v[k], &nothing);
		if (live_find(d, ids.v[k]))
			log_info("execution %s is loaded", ids.v[k]);
		free(ids.v[k]);
	}
	d->recovering = d->reloading = false;
	vec_free(&ids);
}

bool recover_waits(const struct daemon *d, const char *id)
{
	size_t k;

	for (k = 0; k < d->unloaded.n; k++)
		if (strcmp(d->unloaded.v[k], id) == 0)
			return true;
	return false;
}

struct ids {
	VEC(char *) of; /* owned */
};

static void ids_free(struct ids *ids)
{
	size_t k;

	for (k = 0; k < ids->of.n; k++)
		free(ids->of.v[k]);
	vec_free(&ids->of);
}

/* The ids in active/ that are not live: a claim that was just admitted again is.  Nothing read is not nothing active:
 * whoever served then would forget what runs. */
static int list_active(struct daemon *d, struct ids *ids, struct err *e)
{
	DIR *handle = fs_dir_open(d->spool.fd[SPOOL_ACTIVE], ".", e);
	const char *name;

	while (handle && (name = fs_dir_next(handle, e)))
		if (uuid_is_v7(name) && !live_find(d, name))
			vec_push(&ids->of, xstrdup(name));
	if (handle)
		closedir(handle);
	return e->code ? err_prefix(e, "cannot read active/") : 0;
}

struct taking_over {
	struct daemon *d;
	const struct seen *seen;
};

static void take_one(void *ctx, struct load *found)
{
	const struct taking_over *t = ctx;

	take_over_loaded(t->d, found, t->seen);
}

static int recover_active(struct daemon *d, struct err *e)
{
	struct seen seen = {.seq = MAP_INIT, .place = MAP_INIT, .keys = json_object()};
	struct ids ids = {0};
	int r = list_active(d, &ids, e);

	if (r == 0) {
		read_tail(d, &seen);
		load_many(&d->spool, ids.of.v, ids.of.n, take_one, &(struct taking_over){d, &seen});
	}
	if (ids.of.n > 0)
		log_info("recovered %zu active executions", ids.of.n);
	ids_free(&ids);
	map_free(&seen.seq);
	map_free(&seen.place);
	json_decref(seen.keys);
	return r;
}

/* What is in active/ and not known here was imported.  A link that leads nowhere is one whose directory is about to be
 * put there. */
void recover_joined(struct daemon *d)
{
	const struct seen nothing = {.seq = MAP_INIT, .place = MAP_INIT};
	struct ids ids = {0};
	struct err e = {0};
	size_t k;

	if (list_active(d, &ids, &e) < 0)
		log_warn("%s; it is read again at the next scan", e.text);
	for (k = 0; k < ids.of.n; k++) {
		char path[SPOOL_PATH_MAX], apart[SPOOL_PATH_MAX];
		const char *name = ids.of.v[k];

		spool_execution_path(name, path);
		spool_quarantine_path(name, apart);
		if (recover_waits(d, name) || fs_exists(d->spool.fd[SPOOL_ROOT], apart) ||
		    !fs_exists(d->spool.fd[SPOOL_ROOT], path))
			continue;
		log_info("execution %s has come from elsewhere: it goes on here", name);
		d->recovering = true;
		recover_one(d, name, &nothing);
		d->recovering = false;
	}
	ids_free(&ids);
}

/* ---- requests ---- */

static int clear_request(void *daemon, int dir, const char *entry, struct err *e)
{
	char name[SPOOL_PATH_MAX], *id, *action, *rest;
	struct daemon *d = daemon;
	struct live *l;
	uint32_t i;

	if (!text_ends_with(entry, ".request.json") || strlen(entry) >= sizeof name)
		return 0;
	strcpy(name, entry);
	if (!spool_split_name(name, &id, &action, &rest) || !action || recover_waits(d, id))
		return 0;
	l = live_find(d, id);
	i = l ? plan_find(l->plan, action) : NO_ACTION;
	if (i != NO_ACTION && exec_open_request(l->exec, i))
		return 0;
	if (unlinkat(dir, entry, 0) < 0 && err_is_passing(errno))
		return err_sys(e, errno, "cannot remove confirm/%s", entry);
	return 0; /* a directory of that name is nobody's request */
}

/* Where a rename was cut in two there are both names, and the temporary one is nobody's.  fs_each passes over it. */
static int clear_temporaries(int confirm, struct err *e)
{
	DIR *handle = fs_dir_open(confirm, ".", e);
	const char *name;

	while (handle && (name = fs_dir_next(handle, e)))
		if (name[0] == '.' && text_ends_with(name, ".request.json.tmp"))
			unlinkat(confirm, name, 0);
	if (handle)
		closedir(handle);
	return e->code ? -1 : 0;
}

/* Requests that nobody waits for any more: answered just before a crash, or copied before they were. */
static int clear_requests(struct daemon *d, struct err *e)
{
	int confirm = d->spool.fd[SPOOL_CONFIRM];

	if (fs_each(confirm, ".", clear_request, d, e) < 0 || clear_temporaries(confirm, e) < 0)
		return err_prefix(e, "cannot clear old requests");
	return 0;
}

static int take_over(struct daemon *d, struct flush_job *j, struct err *e)
{
	if ((d->restored && restored_rebuild(d, e) < 0) || personal_load(d, e) < 0)
		return -1;
	if (intake_claims(d, j, e) < 0 || recover_active(d, e) < 0)
		return -1;
	return clear_requests(d, e);
}

int recover(struct daemon *d, struct err *e)
{
	struct flush_job *j = flush_job_new();
	int r;

	d->recovering = true;
	r = take_over(d, j, e);
	d->recovering = false;
	malloc_trim(0); /* reading takes several times the memory of what stays */
	if (r < 0 || flush_job_is_empty(j))
		free(j);
	else
		flush_submit(d, j);
	return r;
}

struct live *recover_finished(struct daemon *d, const char *id, struct err *e)
{
	struct loaded loaded;
	struct live *l;
	int held = hold_shared(&d->spool, id, e); /* until it is active nothing else keeps it from being removed */

	if (held < 0)
		return NULL;
	if (journal_load(&d->spool, id, true, &loaded, e) < 0) {
		close(held);
		return NULL;
	}
	if (loaded.torn) { /* the next commit would take its place */
		err_set(e, EBADMSG, "the last commit of %s is damaged: see creel verify", id);
		close(held);
		loaded_free(&loaded);
		return NULL;
	}
	/* Active before its first new commit: a crash in between finds an execution that has ended and lets it go. */
	if (active_link(&d->spool, id, e) < 0) {
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
