#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/plan.h"

static const struct {
	const char *name;
	bool drop; /* people put files there */
} dirs[SPOOL_DIR_COUNT] = {
    [SPOOL_ROOT] = {".", false},
    [SPOOL_INBOX] = {"inbox", true},
    [SPOOL_REJECTED] = {"rejected", false},
    [SPOOL_CONFIRM] = {"confirm", true},
    [SPOOL_CONFIRM_BY] = {"confirm/by", false},
    [SPOOL_CONTROL] = {"control", true},
    [SPOOL_RESULTS] = {"results", false},
    [SPOOL_EXECUTIONS] = {"executions", false},
    [SPOOL_ACTIVE] = {"active", false},
    [SPOOL_QUARANTINE] = {"quarantine", false},
    [SPOOL_CATALOG] = {"catalog", false},
    [SPOOL_EVENTS] = {"events", false},
    [SPOOL_TMP] = {"tmp", false},
    [SPOOL_BREAKERS] = {"breakers", false},
    [SPOOL_APIS] = {"apis", false},
};

const char *spool_dir_name(enum spool_dir d)
{
	return dirs[d].name;
}

/* ---- making ---- */

static int make_dir(int root, const char *name, mode_t mode, gid_t group, struct err *e)
{
	if (mkdirat(root, name, 0700) < 0) {
		if (errno == EEXIST)
			return 0; /* an operator's own choice of mode stays */
		return err_sys(e, errno, "cannot make directory %s", name);
	}
	if (group != (gid_t)-1 && fchownat(root, name, (uid_t)-1, group, 0) < 0)
		return err_sys(e, errno, "cannot give %s to the group", name);
	if (fchmodat(root, name, mode, 0) < 0)
		return err_sys(e, errno, "cannot set the mode of %s", name);
	return 0;
}

int spool_create(const char *path, const char *group, struct err *e)
{
	static const char *const catalog[] = {"catalog/plans", "catalog/actions", "catalog/apis", "catalog/handlers",
						  "catalog/agents"};
	gid_t gid = (gid_t)-1;
	int root, executions, d, r = 0;
	size_t k;

	if (group) {
		struct group *g = getgrnam(group);

		if (!g)
			return err_set(e, ENOENT, "there is no group \"%s\"", group);
		gid = g->gr_gid;
	}
	if (fs_mkdir_all(AT_FDCWD, path, 0755, e) < 0)
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, errno, "cannot open directory %s", path);
	fs_spread(root);
	for (d = SPOOL_INBOX; r == 0 && d < SPOOL_DIR_COUNT; d++) {
		/* With a group its members drop (sticky, so that they cannot take each other's files away) and read. */
		mode_t mode = !group ? 0700 : dirs[d].drop ? 03770 : 02750;

		if (!group && (d == SPOOL_EXECUTIONS || d == SPOOL_EVENTS || d == SPOOL_ACTIVE || d == SPOOL_CATALOG))
			mode = 0755;
		r = make_dir(root, dirs[d].name, mode, gid, e);
	}
	executions = r < 0 ? -1 : openat(root, dirs[SPOOL_EXECUTIONS].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (executions >= 0) {
		fs_spread(executions); /* each day's */
		close(executions);
	}
	for (k = 0; r == 0 && k < sizeof catalog / sizeof *catalog; k++)
		r = make_dir(root, catalog[k], 0755, gid, e);
	if (r == 0 && fsync(root) < 0)
		r = err_sys(e, errno, "cannot flush %s", path);
	close(root);
	return r;
}

bool spool_is(const char *path)
{
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool yes;

	if (root < 0)
		return false;
	yes = faccessat(root, "inbox", F_OK, 0) == 0 && faccessat(root, "executions", F_OK, 0) == 0 &&
	      faccessat(root, "tmp", F_OK, 0) == 0;
	close(root);
	return yes;
}

/* ---- opening ---- */

static int open_dir(struct spool *s, int d, struct err *e)
{
	struct stat st;
	int fd;

	/* confirm/by came later than the rest and may be missing; so may any that an operator removed. */
	fd = openat(s->fd[SPOOL_ROOT], dirs[d].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && mkdirat(s->fd[SPOOL_ROOT], dirs[d].name, 0700) == 0)
		fd = openat(s->fd[SPOOL_ROOT], dirs[d].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, errno, "cannot open %s/%s", s->path, dirs[d].name);
	s->fd[d] = fd;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at %s/%s", s->path, dirs[d].name);
	if (st.st_dev != s->dev)
		return err_set(e, EXDEV, "%s/%s is on another file system: a spool must be on one, or renames are not atomic",
			       s->path, dirs[d].name);
	return 0;
}

int spool_open(struct spool *s, const char *path, struct err *e)
{
	struct stat st;
	int d;

	*s = (struct spool){0};
	for (d = 0; d < SPOOL_DIR_COUNT; d++)
		s->fd[d] = -1;
	s->path = realpath(path, NULL);
	if (!s->path)
		return err_sys(e, errno, "cannot find the spool %s", path);
	if (!spool_is(s->path)) {
		err_set(e, ENOTDIR, "%s is not a spool: make one with \"creel init %s\"", s->path, s->path);
		spool_close(s);
		return -1;
	}
	s->fd[SPOOL_ROOT] = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd[SPOOL_ROOT] < 0 || fstat(s->fd[SPOOL_ROOT], &st) < 0) {
		err_sys(e, errno, "cannot open %s", s->path);
		spool_close(s);
		return -1;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	for (d = SPOOL_INBOX; d < SPOOL_DIR_COUNT; d++)
		if (open_dir(s, d, e) < 0) {
			spool_close(s);
			return -1;
		}
	return 0;
}

void spool_close(struct spool *s)
{
	int d;

	if (!s->path)
		return;
	for (d = 0; d < SPOOL_DIR_COUNT; d++) {
		if (s->fd[d] >= 0)
			close(s->fd[d]);
		s->fd[d] = -1;
	}
	free(s->path);
	s->path = NULL;
}

/* Whoever may write a directory above the spool can put another in its place; the sticky bit prevents that. */
static int check_above(const struct spool *s, struct err *e)
{
	AUTO_FREE char *path = xstrdup(s->path);
	struct stat st;
	char *slash;

	while ((slash = strrchr(path, '/'))) {
		slash[slash == path] = '\0'; /* the last one is the root itself */
		if (stat(path, &st) < 0)
			return err_sys(e, errno, "cannot look at %s", path);
		if (st.st_uid != 0 && st.st_uid != geteuid())
			return err_set(e, EPERM, "%s belongs to uid %u, who could replace the spool: keep it elsewhere, or run creeld as its owner",
				       path, st.st_uid);
		if ((st.st_mode & 0002) && !(st.st_mode & S_ISVTX))
			return err_set(e, EPERM, "everybody can write %s and so replace the spool: chmod o-w or +t", path);
		if (slash == path)
			break;
	}
	return 0;
}

int spool_check_safe(const struct spool *s, struct err *e)
{
	int d;

	if (check_above(s, e) < 0)
		return -1;

	for (d = 0; d < SPOOL_DIR_COUNT; d++) {
		bool drop = d != SPOOL_ROOT && dirs[d].drop;
		struct stat st;

		if (fstat(s->fd[d], &st) < 0)
			return err_sys(e, errno, "cannot look at %s/%s", s->path, dirs[d].name);
		if (st.st_uid != geteuid() && st.st_uid != 0)
			return err_set(e, EPERM, "%s/%s belongs to uid %u: run creeld as its owner, or chown it", s->path,
				       dirs[d].name, st.st_uid);
		/* Others may drop files where files are dropped, but only under the sticky bit may a group share it. */
		if (drop && (st.st_mode & 0002) && !(st.st_mode & S_ISVTX))
			return err_set(e, EPERM, "%s/%s is writable by everybody: chmod o-w or +t", s->path, dirs[d].name);
		if (!drop && (st.st_mode & 0002) && !(st.st_mode & S_ISVTX))
			return err_set(e, EPERM, "others can replace what is in %s/%s: chmod o-w", s->path, dirs[d].name);
	}
	return 0;
}

int spool_check_mine(const struct spool *s, struct err *e)
{
	struct stat st;

	if (fstat(s->fd[SPOOL_EXECUTIONS], &st) < 0)
		return err_sys(e, errno, "cannot look at %s/%s", s->path, dirs[SPOOL_EXECUTIONS].name);
	if (st.st_uid == geteuid())
		return 0;
	return err_set(e, EPERM, "%s/%s belongs to uid %u: run this as that user, or its daemon could not write to what is made here",
		       s->path, dirs[SPOOL_EXECUTIONS].name, st.st_uid);
}

/* ---- names ---- */

static void need_id(const char *id)
{
	if (uuid_is_v7(id))
		return;
	fprintf(stderr, "creel: bug: a path was asked for an id that is none\n");
	abort();
}

static void need_action(const char *action)
{
	if (instance_id_is(action))
		return;
	fprintf(stderr, "creel: bug: a path was asked for an action id that is none\n");
	abort();
}

void spool_execution_day(const char *id, char out[SPOOL_PATH_MAX])
{
	char when[CLOCK_TEXT];

	need_id(id);
	clock_format(uuid_v7_time(id), when);
	snprintf(out, SPOOL_PATH_MAX, "executions/%.10s", when);
}

void spool_execution_path(const char *id, char out[SPOOL_PATH_MAX])
{
	char day[SPOOL_PATH_MAX];

	spool_execution_day(id, day);
	snprintf(out, SPOOL_PATH_MAX, "%.30s/%.36s", day, id);
}

void spool_commit_path(const char *id, uint32_t seq, char out[SPOOL_PATH_MAX])
{
	char dir[SPOOL_PATH_MAX];

	spool_execution_path(id, dir);
	snprintf(out, SPOOL_PATH_MAX, "%.70s/journal/%08u.json", dir, seq);
}

void spool_attempt_file(const char *action, uint32_t attempt, const char *name, char out[SPOOL_PATH_MAX])
{
	need_action(action);
	if (name)
		snprintf(out, SPOOL_PATH_MAX, "actions/%.72s/%u/%.64s", action, attempt, name);
	else
		snprintf(out, SPOOL_PATH_MAX, "actions/%.72s/%u", action, attempt);
}

void spool_attempt_path(const char *id, const char *action, uint32_t attempt, char out[SPOOL_PATH_MAX])
{
	char dir[SPOOL_PATH_MAX];

	spool_execution_path(id, dir);
	need_action(action);
	snprintf(out, SPOOL_PATH_MAX, "%.70s/actions/%.72s/%u", dir, action, attempt);
}

void spool_confirm_path(const char *id, const char *action, uint32_t number, char out[SPOOL_PATH_MAX])
{
	char dir[SPOOL_PATH_MAX];

	spool_execution_path(id, dir);
	need_action(action);
	snprintf(out, SPOOL_PATH_MAX, "%.70s/actions/%.72s/confirm-%u", dir, action, number);
}

void spool_active_path(const char *id, char out[SPOOL_PATH_MAX])
{
	need_id(id);
	snprintf(out, SPOOL_PATH_MAX, "active/%.36s", id);
}

void spool_quarantine_path(const char *id, char out[SPOOL_PATH_MAX])
{
	need_id(id);
	snprintf(out, SPOOL_PATH_MAX, "quarantine/%.36s", id);
}

void spool_gone_path(const char *id, char out[SPOOL_PATH_MAX])
{
	need_id(id);
	snprintf(out, SPOOL_PATH_MAX, "tmp/%.36s.gone", id);
}

void spool_import_path(const char *id, char out[SPOOL_PATH_MAX])
{
	need_id(id);
	snprintf(out, SPOOL_PATH_MAX, "tmp/%.36s.import", id);
}

void spool_request_path(const char *id, const char *action, char out[SPOOL_PATH_MAX])
{
	need_id(id);
	need_action(action);
	snprintf(out, SPOOL_PATH_MAX, "confirm/%.36s.%.72s.request.json", id, action);
}

void spool_result_name(const char *id, const char *action, uint32_t attempt, char out[SPOOL_PATH_MAX])
{
	need_id(id);
	need_action(action);
	snprintf(out, SPOOL_PATH_MAX, "%.36s.%.72s.%u.json", id, action, attempt);
}

bool spool_split_name(char *name, char **id, char **action, char **rest)
{
	char *first = strchr(name, '.'), *second;

	if (!first)
		return false;
	*first = '\0';
	if (!uuid_is_v7(name))
		return false;
	*id = name;
	*action = NULL;
	*rest = first + 1;
	second = strchr(first + 1, '.');
	/* ID.ACTION.NUMBER.REST names an instance of a forEach action. */
	if (second && second[1] >= '0' && second[1] <= '9') {
		char *third = second + 1 + strspn(second + 1, "0123456789");

		if (*third == '.')
			second = third;
	}
	if (second) {
		*second = '\0';
		*action = first + 1;
		*rest = second + 1;
	}
	return true;
}

bool spool_split_result(char *name, char **action, uint32_t *attempt)
{
	size_t n = strlen(name);
	uint64_t number;
	char *dot;

	if (n < UUID_TEXT || name[UUID_TEXT - 1] != '.' || !text_ends_with(name, ".json"))
		return false;
	name[n - strlen(".json")] = '\0';
	name[UUID_TEXT - 1] = '\0';
	*action = name + UUID_TEXT;
	dot = strrchr(*action, '.');
	if (!dot || !text_to_u64(dot + 1, &number) || number > UINT32_MAX)
		return false;
	*dot = '\0';
	*attempt = (uint32_t)number;
	return uuid_is_v7(name) && instance_id_is(*action);
}

bool spool_ignored_name(const char *name)
{
	return name[0] == '.' || text_ends_with(name, "~") || text_ends_with(name, ".tmp") ||
	       text_ends_with(name, ".swp") || text_ends_with(name, ".part");
}

int spool_room(const struct spool *s, unsigned long long *bytes, unsigned long long *inodes)
{
	struct statvfs v;

	if (fstatvfs(s->fd[SPOOL_ROOT], &v) < 0)
		return -1;
	*bytes = (unsigned long long)v.f_bavail * v.f_frsize;
	*inodes = v.f_favail;
	return 0;
}
