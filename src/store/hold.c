#include "store/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"

enum { PAUSE_MS = 20, LEND_PATIENCE_MS = 60000 };

static int lock(int fd, int how)
{
	int r;

	do
		r = flock(fd, how | LOCK_NB);
	while (r < 0 && errno == EINTR);
	return r;
}

/* It may have been moved away between the open and the lock. */
static bool is_in_place(const struct spool *s, const char *path, int fd)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && fstatat(s->fd[SPOOL_ROOT], path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int open_execution(const struct spool *s, const char *id, char path[SPOOL_PATH_MAX], struct err *e)
{
	int fd;

	spool_execution_path(id, path);
	fd = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (fd < 0 && e && e->code == ENOENT)
		err_set(e, ENOENT, "there is no execution %s: it never was here, or creel gc has removed it", id);
	return fd;
}

int hold_shared(const struct spool *s, const char *id, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	int fd = open_execution(s, id, path, e);

	if (fd < 0)
		return -1;
	if ((lock(fd, LOCK_SH) == 0 || errno != EWOULDBLOCK) && is_in_place(s, path, fd))
		return fd;
	close(fd);
	return err_set(e, EWOULDBLOCK, "execution %s is being removed by creel gc", id);
}

int hold_alone(const struct spool *s, const char *id, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	int fd = open_execution(s, id, path, e), code;

	if (fd < 0)
		return -1;
	if (lock(fd, LOCK_EX) == 0 && is_in_place(s, path, fd))
		return fd;
	code = errno;
	close(fd);
	if (code == EWOULDBLOCK)
		return err_set(e, code, "execution %s is in use", id);
	return err_sys(e, code, "cannot lock %s", path);
}

static void sleep_ms(msec ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static int lock_store(int fd, msec patience, struct err *e)
{
	msec until = clock_mono() + patience;

	while (lock(fd, LOCK_EX) < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, errno, "cannot lock %s", spool_dir_name(SPOOL_EXECUTIONS));
		if (clock_mono() >= until)
			return err_set(e, EWOULDBLOCK, "another creel gc or creel import is at work on this spool: try again when it is done");
		sleep_ms(PAUSE_MS);
	}
	return 0;
}

int hold_store(const struct spool *s, msec patience, struct err *e)
{
	int fd = openat(s->fd[SPOOL_ROOT], spool_dir_name(SPOOL_EXECUTIONS), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", spool_dir_name(SPOOL_EXECUTIONS));
	if (lock_store(fd, patience, e) == 0)
		return fd;
	close(fd);
	return -1;
}

int hold_lend(int held, msec pause, struct err *e)
{
	flock(held, LOCK_UN);
	sleep_ms(pause);
	return lock_store(held, LEND_PATIENCE_MS, e);
}
