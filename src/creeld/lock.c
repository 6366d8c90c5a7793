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
#include "base/log.h"

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

/* What the last daemon wrote.  false: there was none. */
static int read_mark(struct daemon *d, struct lock_mark *m, bool *there, struct err *e)
{
	char text[256] = "", *at;
	ssize_t n = pread(d->lock_fd, text, sizeof text - 1, 0);

	if (n < 0)
		return err_sys(e, errno, "cannot read creeld.lock");
	at = strstr(text, "dev=");
	*there = at && sscanf(at, "dev=%llu\nino=%llu", &m->dev, &m->ino) == 2;
	at = strstr(text, "boot=");
	snprintf(m->boot, sizeof m->boot, "%.36s", at ? at + 5 : "");
	m->boot[strcspn(m->boot, "\n")] = '\0';
	return 0;
}

static int write_mark(struct daemon *d, const struct lock_mark *m, struct err *e)
{
	char text[256];
	int n = snprintf(text, sizeof text, "pid=%d\nversion=%s\ndev=%llu\nino=%llu\nboot=%s\n", getpid(), CREEL_VERSION,
			 m->dev, m->ino, m->boot);

	/* Written over what is there, so that it is never empty and needs no room. */
	if (lseek(d->lock_fd, 0, SEEK_SET) < 0 || fs_write_all(d->lock_fd, text, (size_t)n, e) < 0)
		return err_prefix(e, "creeld.lock");
	return ftruncate(d->lock_fd, n) < 0 ? err_sys(e, errno, "cannot cut creeld.lock") : 0;
}

static int read_boot(char out[40], struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;

	if (fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &text, e) < 0)
		return -1;
	snprintf(out, 40, "%.36s", buf_str(&text));
	return 0;
}

static int take(struct daemon *d, struct err *e)
{
	struct timespec pause = {0, PAUSE_MS * 1000000L};
	int waited;

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
	return 0;
}

int lock_take(struct daemon *d, struct err *e)
{
	struct lock_mark old = {0};
	bool there = false;

	d->mark = (struct lock_mark){.dev = (unsigned long long)d->spool.dev, .ino = (unsigned long long)d->spool.ino};
	if (take(d, e) < 0 || read_mark(d, &old, &there, e) < 0 || read_boot(d->mark.boot, e) < 0)
		return -1;
	/* The first daemon of this spool, or a power cut took what was not flushed: only what stands there proves that
	 * the machine has not been started anew. */
	d->rebooted = strcmp(old.boot, d->mark.boot) != 0;
	d->restored = there && (old.dev != d->mark.dev || old.ino != d->mark.ino);
	if (!there) {
		old.dev = d->mark.dev;
		old.ino = d->mark.ino;
	}
	return write_mark(d, &old, e);
}

void lock_settle(struct daemon *d)
{
	struct err e;

	if (d->settled)
		return;
	d->settled = (!d->rebooted && !d->restored) || write_mark(d, &d->mark, &e) == 0;
	if (!d->settled && drop_tell(d, "creeld.lock", e.code))
		log_error("%s; trying again and again", e.text);
}
