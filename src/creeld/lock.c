#include "creeld/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"

enum { TRY_MS = 2000, PAUSE_MS = 20 };

static int refuse(int fd, const struct daemon *d, struct err *e)
{
	char text[256] = "", pid[16] = "?";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	if (n > 0)
		sscanf(text, "pid=%15[0-9]", pid);
	return err_set(e, EWOULDBLOCK,
		       "another creeld (pid %s) serves %s: stop it first, or give this one a spool of its own", pid,
		       d->spool.path);
}

static void read_boot(char out[40])
{
	AUTO_BUF struct buf text = BUF_INIT;

	out[0] = '\0';
	if (fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &text, NULL) == 0 && text.len >= 36)
		snprintf(out, 40, "%.36s", text.p);
}

static void look_at_owner(struct daemon *d, int fd, const char *boot)
{
	unsigned long long dev, ino;
	char text[256] = "", *at;
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	/* The first daemon of this spool, or a power cut took what was not flushed: only what stands there proves that
	 * the machine has not been started anew. */
	at = n > 0 ? strstr(text, "boot=") : NULL;
	d->rebooted = !at || strncmp(at + 5, boot, 36) != 0;
	if (n <= 0 || !(at = strstr(text, "dev=")) || sscanf(at, "dev=%llu\nino=%llu", &dev, &ino) != 2)
		return;
	d->restored = dev != (unsigned long long)d->spool.dev || ino != (unsigned long long)d->spool.ino;
}

int lock_take(struct daemon *d, struct err *e)
{
	struct timespec pause = {0, PAUSE_MS * 1000000L};
	char text[256], boot[40];
	int n, waited;

	d->lock_fd = openat(d->spool.fd[SPOOL_ROOT], "creeld.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (d->lock_fd < 0)
		return err_sys(e, errno, "cannot open creeld.lock");
	for (waited = 0; flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0; waited += PAUSE_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "cannot lock creeld.lock");
		if (waited >= TRY_MS)
			return refuse(d->lock_fd, d, e);
		nanosleep(&pause, NULL);
	}
	read_boot(boot);
	look_at_owner(d, d->lock_fd, boot);
	n = snprintf(text, sizeof text, "pid=%d\nversion=%s\ndev=%llu\nino=%llu\nboot=%s\n", getpid(), CREEL_VERSION,
		     (unsigned long long)d->spool.dev, (unsigned long long)d->spool.ino, boot);
	/* Never empty in between: a daemon that is killed here must not pass for a machine that was. */
	if (pwrite(d->lock_fd, text, (size_t)n, 0) != n || ftruncate(d->lock_fd, n) < 0)
		return err_sys(e, errno, "cannot write creeld.lock");
	return 0;
}
