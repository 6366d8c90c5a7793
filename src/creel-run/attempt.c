#include "creel-run/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

/* The attempt's directory and the one above it, the action's; nothing above that is ours to make. */
static int open_directory(const char *path, struct err *e)
{
	AUTO_FREE char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');
	int fd;

	if (slash && slash != parent) {
		*slash = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "cannot make directory %s", parent);
	}
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot make directory %s", path);
	fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "cannot open directory %s", path);
	return fd;
}

/* Is the file that we have locked still the one that everybody else would lock?  A daemon that found it free has declared
 * the attempt void and, since it had never started, removed both and had it started anew: the lock first, so this is
 * looked at last. */
static bool is_in_place(const struct attempt *a, const struct stat *ours)
{
	struct stat st;

	return fstatat(a->dir, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == ours->st_dev &&
	       st.st_ino == ours->st_ino;
}

enum attempt_open attempt_open(struct attempt *a, const struct spec *s, struct err *e)
{
	struct stat st;

	a->lock = -1;
	a->dir = open_directory(s->dir, e);
	if (a->dir < 0)
		return ATTEMPT_FAILED;
	a->lock = openat(a->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (a->lock < 0) {
		err_sys(e, errno, "cannot open lock");
		return ATTEMPT_FAILED;
	}
	if (flock(a->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return ATTEMPT_HELD;
		err_sys(e, errno, "cannot lock the attempt");
		return ATTEMPT_FAILED;
	}
	if (fstat(a->lock, &st) < 0) {
		err_sys(e, errno, "cannot look at lock");
		return ATTEMPT_FAILED;
	}
	a->device = st.st_dev;
	a->inode = st.st_ino;
	/* Only with the lock in hand do these mean anything: whoever makes them holds it. */
	if (fs_exists(a->dir, "void"))
		err_set(e, ECANCELED, "the attempt was declared void");
	else if (fs_exists(a->dir, "result.json"))
		err_set(e, EEXIST, "the attempt has a result already");
	else if (st.st_size > 0)
		err_set(e, EEXIST, "the attempt was started before");
	else if (!is_in_place(a, &st))
		err_set(e, ECANCELED, "the attempt was declared void and is started anew");
	else
		return ATTEMPT_OURS;
	return ATTEMPT_OVER;
}

void attempt_close(struct attempt *a)
{
	if (a->lock >= 0)
		close(a->lock);
	if (a->dir >= 0)
		close(a->dir);
}

/* 0, or -1 with *e. */
static int read_boot_id(char out[64], struct err *e)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 63);

	if (n < 0)
		return err_sys(e, errno, "cannot read %s", path);
	close(fd);
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

int attempt_place(struct attempt *a, const struct spec *s, struct err *e)
{
	char boot[64] = "";

	if (!s->boot && read_boot_id(boot, e) < 0)
		return -1;
	snprintf(a->place, sizeof a->place, "boot=%.40s dev=%llu ino=%llu", s->boot ? s->boot : boot, a->device, a->inode);
	return 0;
}

int attempt_write_request(const struct attempt *a, const struct spec *s, struct err *e)
{
	int fd, r;

	if (!s->request)
		return 0;
	fd = openat(a->dir, "request.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, errno, "cannot create request.json");
	r = fs_write_all(fd, s->request, strlen(s->request), e);
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close");
	if (r == 0)
		return 0;
	unlinkat(a->dir, "request.json", 0); /* half of it is worse than none */
	return err_prefix(e, "request.json");
}
