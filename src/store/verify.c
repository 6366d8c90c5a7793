#include "store/verify_impl.h"

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

void verify_report(struct verifier *v, const struct verify_finding *f)
{
	if (f->damage)
		v->counts->damaged++;
	else
		v->counts->leftovers++;
	v->visit(v->ctx, f);
}

static void report(struct verifier *v, bool damage, const char *path, const char *what, const char *todo)
{
	verify_report(v, &(struct verify_finding){damage, path, what, todo, REPAIR_NONE, NULL});
}

void verify_unable(struct verifier *v, const char *where, const struct err *e)
{
	if (v->unable.code)
		return;
	v->unable = *e;
	err_prefix(&v->unable, "%s", where);
}

bool verify_is_there(struct verifier *v, const char *path)
{
	struct err e;
	int there = fs_there(v->s->fd[SPOOL_ROOT], path, &e);

	if (there < 0)
		verify_unable(v, path, &e);
	return there != 0;
}

void verify_each(struct verifier *v, const char *dir, verify_entry visit)
{
	struct err e;
	DIR *handle = fs_dir_open(v->s->fd[SPOOL_ROOT], dir, &e);
	const char *name;

	while (handle && (name = fs_dir_next(handle, &e)))
		if (name[0] != '.')
			visit(v, dir, name);
	if (handle)
		closedir(handle);
	if (e.code)
		verify_unable(v, dir, &e);
}

/* ---- what lies around them ---- */

static void verify_one_of_day(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *odd = xasprintf("%s/%s", dir, name);
	char right[SPOOL_PATH_MAX];

	if (uuid_is_v7(name)) {
		spool_execution_day(name, right);
		if (strcmp(right, dir) == 0) {
			verify_execution(v, name);
			return;
		}
	}
	report(v, false, odd, "it is no execution of this day", "move it elsewhere");
}

static void verify_day(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (fstatat(v->s->fd[SPOOL_ROOT], path, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
		report(v, false, path, "it is no day's directory", "move it elsewhere");
	else
		verify_each(v, path, verify_one_of_day);
}

static void verify_link(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (!uuid_is_v7(name)) {
		report(v, false, path, "it is not the id of an execution", "remove it");
	} else if (fstatat(v->s->fd[SPOOL_ROOT], path, &st, 0) < 0) {
		struct err e;

		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) {
			verify_report(v, &(struct verify_finding){true, path, "it leads to an execution that is not there",
								  "a claim in tmp/ may still make it; else it was never placed: the "
								  "daemon removes the link at its next start",
								  REPAIR_ASIDE, name});
			return;
		}
		err_sys(&e, errno, "cannot look at it");
		verify_unable(v, path, &e);
	}
}

static bool is_of(const char *name, const char *suffix)
{
	AUTO_FREE char *id = NULL;

	if (!text_ends_with(name, suffix))
		return false;
	id = xstrndup(name, strlen(name) - strlen(suffix));
	return uuid_is_v7(id);
}

static void verify_temporary(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);

	if (is_of(name, ".gone"))
		report(v, false, path, "it is what is left of an execution that creel gc removes",
		       "creel gc --leftovers clears it, and so does the daemon at its next start");
	else if (is_of(name, ".import"))
		report(v, false, path, "it is what is left of an import that was interrupted",
		       "creel gc --leftovers clears it, and so does the daemon at its next start");
	else if (uuid_is_v7(name))
		report(v, false, path, "it is a plan that was taken from the inbox and is not placed yet",
		       "the daemon finishes it at its next start");
	else
		report(v, false, path, "it was being written", "the daemon clears it at its next start");
}

/* Does an attempt wait for this result?  The daemon asks the same before it takes one. */
static void verify_result(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name), *copy = xstrdup(name);
	char link[SPOOL_PATH_MAX], *action;
	uint32_t attempt;

	if (!spool_split_result(copy, &action, &attempt)) {
		report(v, false, path, "its name is not of a result", "the daemon removes it");
		return;
	}
	spool_active_path(copy, link);
	if (verify_is_there(v, link))
		report(v, false, path, "a result was announced and not taken yet", "the daemon takes it");
	else
		report(v, false, path, "it is a result that nobody waits for: its execution is not active", "the daemon removes it");
}

static void verify_apart(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (uuid_is_v7(name) && fstatat(v->s->fd[SPOOL_ROOT], path, &st, 0) < 0 && errno == ENOENT)
		report(v, false, path, "its execution is not there any more", "remove the link and its reason");
}

static void verify_request(struct verifier *v, const char *dir, const char *name)
{
	AUTO_FREE char *copy = xstrdup(name), *path = xasprintf("%s/%s", dir, name);
	char *id, *action, *rest, link[SPOOL_PATH_MAX];

	if (!text_ends_with(name, ".request.json"))
		return;
	if (!spool_split_name(copy, &id, &action, &rest)) {
		report(v, false, path, "its name is not of a request", "remove it");
		return;
	}
	spool_active_path(id, link);
	if (!verify_is_there(v, link))
		report(v, false, path, "it asks about an execution that is not active", "remove it");
}

static void verify_all(struct verifier *v)
{
	verify_each(v, "executions", verify_day);
	verify_each(v, "active", verify_link);
	verify_each(v, "confirm", verify_request);
	verify_each(v, "tmp", verify_temporary);
	verify_each(v, "results", verify_result);
	verify_each(v, "quarantine", verify_apart);
}

int verify(const struct spool *s, const char *id, const struct verify_how *how, verify_visit visit, void *ctx,
	   struct verify_counts *counts, struct err *e)
{
	struct verifier v = {.s = s, .how = how, .visit = visit, .ctx = ctx, .counts = counts};
	char path[SPOOL_PATH_MAX];

	*counts = (struct verify_counts){0};
	if (!id) {
		verify_all(&v);
	} else {
		spool_execution_path(id, path);
		if (!fs_exists(s->fd[SPOOL_ROOT], path))
			return err_set(e, ENOENT, "there is no execution %s", id);
		verify_execution(&v, id);
	}
	if (!v.unable.code)
		return 0;
	*e = v.unable;
	return -1;
}
