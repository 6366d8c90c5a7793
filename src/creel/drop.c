#include "creel/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static int write_all(int dir, const char *name, const void *p, size_t n, bool secret, struct err *e)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", name);
	r = fs_write_all(fd, p, n, e);
	if (r == 0 && (fchmod(fd, secret ? 0640 : 0644) < 0 || (!secret && fdatasync(fd) < 0)))
		r = err_sys(e, errno, "cannot flush %s", name);
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot close %s", name);
	if (r < 0)
		unlinkat(dir, name, 0);
	return r;
}

static int place(int dir, const char *from, const char *to, bool fresh)
{
	if (!fresh)
		return renameat(dir, from, dir, to);
	if (syscall(SYS_renameat2, dir, from, dir, to, 1 /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system that cannot refuse to replace: names of fresh drops are ours alone. */
	if (fs_exists(dir, to)) {
		errno = EEXIST;
		return -1;
	}
	return renameat(dir, from, dir, to);
}

int drop_file(int dir, const char *name, const void *p, size_t n, unsigned flags, struct err *e)
{
	AUTO_FREE char *temporary = NULL;
	uint32_t salt = 0;

	/* Two users, or two of our own processes, may drop the same name at once: each has its own temporary. */
	if (getrandom(&salt, sizeof salt, 0) < 0)
		salt = (uint32_t)getpid();
	temporary = xasprintf(".%.200s.%08x.tmp", name, salt);
	if (write_all(dir, temporary, p, n, flags & DROP_SECRET, e) < 0)
		return -1;
	if (place(dir, temporary, name, flags & DROP_FRESH) < 0) {
		int code = errno;

		unlinkat(dir, temporary, 0);
		return err_sys(e, code, "cannot place %s", name);
	}
	return fs_sync_dir(dir, ".", e);
}

char *user_name(void)
{
	struct passwd *pw = getpwuid(geteuid());

	return pw ? xstrdup(pw->pw_name) : xasprintf("%u", (unsigned)geteuid());
}
