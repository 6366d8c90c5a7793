#include "store/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/journal.h"

struct verifier {
	const struct spool *s;
	verify_visit visit;
	void *ctx;
	struct verify_counts *counts;
};

static void report(struct verifier *v, bool damage, const char *path, const char *what, const char *todo)
{
	struct verify_finding f = {damage, path, what, todo};

	if (damage)
		v->counts->damaged++;
	else
		v->counts->leftovers++;
	v->visit(v->ctx, &f);
}

static DIR *open_below(const struct spool *s, const char *path)
{
	int fd = openat(s->fd[SPOOL_ROOT], path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);

	if (!handle && fd >= 0)
		close(fd);
	return handle;
}

/* ---- one execution ---- */

/* The seq that state.json claims; 0 if there is none yet; -1 if it is no whole JSON. */
static long long state_seq(const struct spool *s, const char *dir, char *status, size_t size)
{
	AUTO_FREE char *path = xasprintf("%s/state.json", dir);
	AUTO_BUF struct buf text = BUF_INIT;
	json_t *root;
	long long seq;

	if (!fs_exists(s->fd[SPOOL_ROOT], path))
		return 0;
	if (fs_read(s->fd[SPOOL_ROOT], path, 512u << 20, &text, NULL) < 0)
		return -1;
	root = json_loadb(text.p, text.len, 0, NULL);
	seq = json_is_integer(json_object_get(root, "seq")) ? json_integer_value(json_object_get(root, "seq")) : -1;
	snprintf(status, size, "%s", json_string_value(json_object_get(root, "status"))
					 ? json_string_value(json_object_get(root, "status")) : "");
	json_decref(root);
	return seq;
}

static void check_state(struct verifier *v, const struct loaded *l, const char *dir)
{
	AUTO_FREE char *path = xasprintf("%s/state.json", dir);
	char status[40] = "";
	long long seq = state_seq(v->s, dir, status, sizeof status);

	if (seq < 0)
		report(v, true, path, "it is not whole", "creel rebuild makes it anew from the journal");
	else if (seq > (long long)l->seq)
		report(v, true, path, "it reflects a commit that the journal does not have",
		       "the journal was cut: restore it from a copy");
	else if (seq == (long long)l->seq && strcmp(status, exec_status(l->exec)) != 0)
		report(v, true, path, "its status is not what the journal comes to", "creel rebuild makes it anew");
}

static void check_active(struct verifier *v, const struct loaded *l)
{
	char link[SPOOL_PATH_MAX];
	bool over = l->exec->outcome != OUTCOME_NONE, active;

	spool_active_path(l->exec->id, link);
	active = fs_exists(v->s->fd[SPOOL_ROOT], link);
	if (active && over)
		report(v, false, link, "the execution has ended and is still linked as active",
		       "the daemon removes the link at its next start");
	if (!active && !over)
		report(v, true, link, "the execution has not ended and is not linked as active: no daemon would go on with it",
		       "creel verify --repair links it");
}

/* Result files must carry the token of an attempt that the journal knows; attempts it does not know are suspicious. */
static void check_attempts(struct verifier *v, const struct loaded *l, const char *dir)
{
	uint32_t i;

	for (i = 0; i < l->plan->n; i++) {
		char file[SPOOL_PATH_MAX];
		AUTO_FREE char *path = NULL;

		spool_attempt_file(l->plan->actions[i].id, l->exec->a[i].attempt + 1, NULL, file);
		path = xasprintf("%s/%s", dir, file);
		if (fs_exists(v->s->fd[SPOOL_ROOT], path))
			report(v, true, path, "it is an attempt that the journal does not know",
			       "the journal was cut, or somebody made this directory");
	}
}

static void verify_execution(struct verifier *v, const char *id)
{
	char dir[SPOOL_PATH_MAX];
	struct loaded l;
	struct err e = {0};

	spool_execution_path(id, dir);
	v->counts->executions++;
	if (journal_load(v->s, id, true, &l, &e) < 0) {
		AUTO_FREE char *apart = xasprintf("quarantine/%s.reason.json", id);
		bool known = fs_exists(v->s->fd[SPOOL_ROOT], apart);

		report(v, true, dir, e.text, known ? "it is in quarantine already" : "restore it from a copy");
		return;
	}
	v->counts->commits += l.seq;
	if (exec_check(l.exec, &e) < 0)
		report(v, true, dir, e.text, "this is a bug of creel: keep the directory and report it");
	check_state(v, &l, dir);
	check_active(v, &l);
	check_attempts(v, &l, dir);
	loaded_free(&l);
}

/* ---- what lies around them ---- */

static void verify_day(struct verifier *v, const char *day)
{
	AUTO_FREE char *path = xasprintf("%s/%s", spool_dir_name(SPOOL_EXECUTIONS), day);
	DIR *handle = open_below(v->s, path);
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		char right[SPOOL_PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		if (uuid_is_v7(entry->d_name)) {
			spool_execution_day(entry->d_name, right);
			if (strcmp(right, path) == 0) {
				verify_execution(v, entry->d_name);
				continue;
			}
		}
		AUTO_FREE char *odd = xasprintf("%s/%s", path, entry->d_name);

		report(v, false, odd, "it is no execution of this day", "move it elsewhere");
	}
	if (handle)
		closedir(handle);
}

static void verify_links(struct verifier *v)
{
	DIR *handle = open_below(v->s, "active");
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		AUTO_FREE char *path = xasprintf("active/%s", entry->d_name);
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		if (!uuid_is_v7(entry->d_name))
			report(v, false, path, "it is not the id of an execution", "remove it");
		else if (fstatat(v->s->fd[SPOOL_ROOT], path, &st, 0) < 0)
			report(v, true, path, "it leads to an execution that is not there",
			       "a claim in tmp/ may still make it; else it was removed or never placed");
	}
	if (handle)
		closedir(handle);
}

static void verify_leftovers(struct verifier *v, const char *name, const char *what, const char *todo)
{
	DIR *handle = open_below(v->s, name);
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		AUTO_FREE char *path = xasprintf("%s/%s", name, entry->d_name);

		if (entry->d_name[0] != '.')
			report(v, false, path, what, todo);
	}
	if (handle)
		closedir(handle);
}

static void verify_requests(struct verifier *v)
{
	DIR *handle = open_below(v->s, "confirm");
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		AUTO_FREE char *copy = xstrdup(entry->d_name), *path = xasprintf("confirm/%s", entry->d_name);
		char *id, *action, *rest, link[SPOOL_PATH_MAX];

		if (!text_ends_with(entry->d_name, ".request.json"))
			continue;
		if (!spool_split_name(copy, &id, &action, &rest)) {
			report(v, false, path, "its name is not of a request", "remove it");
			continue;
		}
		spool_active_path(id, link);
		if (!fs_exists(v->s->fd[SPOOL_ROOT], link))
			report(v, false, path, "it asks about an execution that is not active", "remove it");
	}
	if (handle)
		closedir(handle);
}

static int verify_all(struct verifier *v, struct err *e)
{
	DIR *handle = open_below(v->s, "executions");
	struct dirent *entry;

	if (!handle)
		return err_sys(e, errno, "cannot read executions");
	while ((entry = readdir(handle)))
		if (entry->d_name[0] != '.')
			verify_day(v, entry->d_name);
	closedir(handle);
	verify_links(v);
	verify_requests(v);
	verify_leftovers(v, "tmp", "it was being written", "the daemon finishes or clears it at its next start");
	verify_leftovers(v, "results", "a result was announced and not taken yet", "the daemon takes it");
	return 0;
}

int verify(const struct spool *s, const char *id, verify_visit visit, void *ctx, struct verify_counts *counts,
	   struct err *e)
{
	struct verifier v = {s, visit, ctx, counts};
	char path[SPOOL_PATH_MAX];

	*counts = (struct verify_counts){0};
	if (!id)
		return verify_all(&v, e);
	spool_execution_path(id, path);
	if (!fs_exists(s->fd[SPOOL_ROOT], path))
		return err_set(e, ENOENT, "there is no execution %s", id);
	verify_execution(&v, id);
	return 0;
}
