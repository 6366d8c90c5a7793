#include "creel-run/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fs.h"

static char chunk[65536]; /* as much as a pipe holds */

int capture_open(struct capture *c, const char *name, uint64_t cap, const struct mask_set *secrets, struct err *e)
{
	int ends[2];

	*c = (struct capture){.cap = cap, .file = -1, .mask = {.set = secrets}};
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe for %s", name);
	c->name = name;
	c->in = ends[0];
	c->out = ends[1];
	return 0;
}

void capture_close(struct capture *c)
{
	if (!c->name)
		return;
	close(c->in);
	close(c->out);
	if (c->file >= 0)
		close(c->file);
	*c = (struct capture){.file = -1};
}

static void store(struct capture *c, int dir, const char *p, size_t n)
{
	if (c->file < 0) {
		c->file = openat(dir, c->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (c->file < 0) {
			err_sys(&c->problem, errno, "cannot create %s", c->name);
			return;
		}
	}
	while (n > 0) {
		ssize_t done = write(c->file, p, n);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			err_sys(&c->problem, errno, "cannot write %s", c->name);
			return;
		}
		c->stored += (uint64_t)done;
		p += done;
		n -= (size_t)done;
	}
}

static void keep(struct capture *c, int dir, const char *p, size_t n)
{
	uint64_t room = c->cap - c->stored;

	/* After a failure nothing more is stored: a file with a hole in it would pass for the whole. */
	if (n > 0 && c->problem.code == 0 && (room > 0 || c->file < 0))
		store(c, dir, p, n < room ? n : (size_t)room);
	if (n > room || (n > 0 && c->problem.code))
		c->cut = true;
}

static void keep_masked(struct capture *c, int dir, const char *p, size_t n, bool last)
{
	struct buf shown = BUF_INIT;

	mask_feed(&c->mask, p, n, last, &shown);
	keep(c, dir, buf_str(&shown), shown.len);
	buf_free(&shown);
}

bool capture_take(struct capture *c, int dir)
{
	ssize_t got = read(c->in, chunk, sizeof chunk);

	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	c->size += (uint64_t)got;
	if (c->mask.set->n > 0)
		keep_masked(c, dir, chunk, (size_t)got, false);
	else
		keep(c, dir, chunk, (size_t)got);
	return true;
}

bool capture_truncated(const struct capture *c)
{
	return c->cut;
}

static void mark(struct capture *c)
{
	char text[80];
	int n;

	if (c->file < 0 || !capture_truncated(c))
		return;
	n = snprintf(text, sizeof text, "\n[creel: cut here; %llu bytes in all were written]\n",
		     (unsigned long long)c->size);
	/* On a full disk the mark may be missing; the result says so in any case. */
	fs_write_all(c->file, text, (size_t)n, NULL);
}

/* No more than is there now: somebody outside the action may hold the pipe and write on. */
static void drain(struct capture *c, int dir)
{
	int waiting = 0;
	uint64_t until;

	if (ioctl(c->in, FIONREAD, &waiting) < 0)
		return;
	until = c->size + (uint64_t)waiting;
	while (c->size < until && capture_take(c, dir))
		;
}

void capture_finish(struct capture *out, struct capture *err, int dir)
{
	struct pollfd fds[] = {{out->in, POLLIN, 0}, {err->in, POLLIN, 0}};

	if (poll(fds, 2, 0) != 0) {
		drain(out, dir);
		drain(err, dir);
	}
	keep_masked(out, dir, "", 0, true);
	keep_masked(err, dir, "", 0, true);
	mask_free(&out->mask);
	mask_free(&err->mask);
	mark(out);
	mark(err);
}
