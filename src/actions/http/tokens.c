#include "actions/http/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "actions/http/client.h"
#include "base/buf.h"
#include "base/fs.h"

enum { TOKENS_MAX = 4 << 20, PAUSE_NS = 5 * 1000 * 1000 };

void tokens_open(struct tokens *t, int fd)
{
	char path[40];

	*t = (struct tokens){.fd = -1};
	if (fd < 0)
		return;
	/* The descriptor that we inherited is one description for all of us, and so would be its lock. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	t->fd = open(path, O_RDWR | O_CLOEXEC);
	close(fd);
}

void tokens_close(struct tokens *t)
{
	tokens_unlock(t);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

static void read_all(struct tokens *t)
{
	struct buf text = BUF_INIT;

	if (t->fd >= 0 && lseek(t->fd, 0, SEEK_SET) == 0 && fs_read_fd(t->fd, "tokens", TOKENS_MAX, &text, NULL) == 0)
		t->all = json_loadb(buf_str(&text), text.len, 0, NULL);
	if (!json_is_object(t->all)) {
		json_decref(t->all);
		t->all = json_object();
	}
	if (text.p)
		explicit_bzero(text.p, text.cap);
	buf_free(&text);
}

int tokens_lock(struct tokens *t, msec deadline_mono, struct err *e)
{
	const struct timespec pause = {0, PAUSE_NS};

	while (t->fd >= 0 && flock(t->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "cannot lock the shared tokens");
		if (client_cancelled)
			return err_set(e, ECANCELED, "the attempt was ended from outside");
		if (deadline_mono && clock_mono() >= deadline_mono)
			return err_set(e, ETIMEDOUT, "another attempt is still asking for the token");
		nanosleep(&pause, NULL);
	}
	read_all(t);
	return 0;
}

void tokens_unlock(struct tokens *t)
{
	if (!t->all)
		return;
	json_decref(t->all);
	t->all = NULL;
	if (t->fd >= 0)
		flock(t->fd, LOCK_UN);
}

const json_t *tokens_get(const struct tokens *t, const char *key)
{
	const json_t *v = json_object_get(t->all, key);

	return json_is_object(v) ? v : NULL;
}

/* The old bytes are covered before the length changes: at no point is there a mixture that could be read as whole. */
static bool cover(int fd, const char *text, size_t n)
{
	off_t before = lseek(fd, 0, SEEK_END);
	struct buf b = BUF_INIT;
	bool good;

	buf_put(&b, text, n);
	while (before > 0 && b.len < (size_t)before)
		buf_putc(&b, ' ');
	good = pwrite(fd, buf_str(&b), b.len, 0) == (ssize_t)b.len && ftruncate(fd, (off_t)n) == 0;
	if (b.p)
		explicit_bzero(b.p, b.cap);
	buf_free(&b);
	return good;
}

static void write_all(struct tokens *t)
{
	char *text = json_dumps(t->all, JSON_COMPACT);

	/* Without memory better nothing than a half; whoever reads a half takes it for nothing. */
	if (!text || !cover(t->fd, text, strlen(text)))
		(void)!ftruncate(t->fd, 0);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void tokens_put(struct tokens *t, const char *key, json_t *entry)
{
	if (entry)
		json_object_set_new(t->all, key, entry);
	else
		json_object_del(t->all, key);
	if (t->fd >= 0)
		write_all(t);
}
