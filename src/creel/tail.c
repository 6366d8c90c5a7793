#include "creel/tail.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "creel/common.h"

enum { GRACE_MS = 2000, CHUNK = 64 * 1024, LINE_MAX_BYTES = 128 * 1024 * 1024 };

/* A commit made before midnight may be appended just after it, so the old day's file is read a little longer. */
static void today(char day[11])
{
	char when[CLOCK_TEXT];

	clock_format(clock_wall() - GRACE_MS, when);
	memcpy(day, when, 10);
	day[10] = '\0';
}

/* The file of a day that is not there yet is opened when it appears. */
static void open_day(struct tail *t)
{
	AUTO_FREE char *name = xasprintf("%s.jsonl", t->day);

	if (t->dir >= 0)
		t->fd = openat(t->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
}

int tail_open(struct tail *t, struct cli *c)
{
	AUTO_FREE char *path = xasprintf("%s/events", c->spool.path);

	*t = (struct tail){.dir = -1, .fd = -1, .rest = BUF_INIT};
	t->dir = openat(c->spool.fd[SPOOL_ROOT], "events", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	watch_open(&t->watch);
	watch_add(&t->watch, path);
	today(t->day);
	open_day(t);
	if (t->fd >= 0)
		lseek(t->fd, 0, SEEK_END);
	return t->dir < 0 ? -1 : 0;
}

/* Read some more; false if there is nothing now. */
static bool read_more(struct tail *t)
{
	ssize_t n;

	if (t->fd < 0)
		open_day(t);
	if (t->fd < 0)
		return false;
	if (t->at > 0) {
		memmove(t->rest.p, t->rest.p + t->at, t->rest.len - t->at);
		t->rest.len -= t->at;
		t->at = 0;
	}
	if (t->rest.len > LINE_MAX_BYTES)
		buf_reset(&t->rest); /* no event is that long: the line is given up */
	buf_reserve(&t->rest, CHUNK);
	n = read(t->fd, t->rest.p + t->rest.len, CHUNK - 1);
	if (n <= 0)
		return false;
	t->rest.len += (size_t)n;
	return true;
}

/* After midnight the next day's file, once the old one is read to its end. */
static bool next_day(struct tail *t)
{
	char day[11];

	today(day);
	if (strcmp(day, t->day) == 0)
		return false;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	memcpy(t->day, day, sizeof day);
	t->at = 0;
	buf_reset(&t->rest);
	return read_more(t);
}

json_t *tail_next(struct tail *t, const char *wanted)
{
	for (;;) {
		char *start = t->rest.p ? t->rest.p + t->at : NULL;
		char *end = start ? memchr(start, '\n', t->rest.len - t->at) : NULL;
		json_t *event;

		if (!end) {
			if (read_more(t) || next_day(t))
				continue;
			return NULL;
		}
		t->at = (size_t)(end + 1 - t->rest.p);
		if (!memmem(start, (size_t)(end - start), wanted, strlen(wanted)))
			continue;
		event = json_loadb(start, (size_t)(end - start), 0, NULL);
		if (event)
			return event;
	}
}

void tail_wait(struct tail *t, msec ms)
{
	watch_wait(&t->watch, ms < WATCH_POLL_MS ? ms : WATCH_POLL_MS);
}

void tail_close(struct tail *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->dir >= 0)
		close(t->dir);
	buf_free(&t->rest);
	watch_close(&t->watch);
}
