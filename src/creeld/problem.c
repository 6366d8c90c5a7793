#include "creeld/problem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "store/again.h"

static const char shown[] = "problem.json", reserve[] = ".problem";

enum { ROOM = 4096 };

/* Whole and of one size, so that writing it over needs no more room than it has: the rest is spaces. */
static int write_over(int fd, const char *text, size_t n)
{
	char all[ROOM];

	memset(all, ' ', sizeof all);
	memcpy(all, text, n < ROOM - 1 ? n : ROOM - 1);
	all[ROOM - 1] = '\n';
	return pwrite(fd, all, sizeof all, 0) == (ssize_t)sizeof all ? 0 : -1;
}

void problem_reserve(struct daemon *d)
{
	int root = d->spool.fd[SPOOL_ROOT], fd;

	if (fs_exists(root, shown)) { /* an earlier daemon ended before its flush was tried again: it becomes the reserve then */
		again_needed();
		return;
	}
	fd = openat(root, reserve, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd < 0 || write_over(fd, "{}", 2) < 0 || fdatasync(fd) < 0) /* some give room to a file only when it is flushed */
		log_debug("cannot keep room for %s: %s", shown, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void problem_tell(struct daemon *d, const char *why)
{
	int root = d->spool.fd[SPOOL_ROOT], fd;
	AUTO_BUF struct buf text = BUF_INIT;
	bool is_shown = fs_exists(root, shown);
	char when[CLOCK_TEXT];
	int r;

	if (is_shown && strcmp(d->problem, why) == 0)
		return;
	clock_format(clock_wall(), when);
	buf_printf(&text, "{\"since\":\"%s\",\"message\":", when);
	buf_json_string(&text, why, strlen(why));
	buf_puts(&text, "}\n");
	fd = openat(root, is_shown ? shown : reserve, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	r = fd < 0 ? -1 : write_over(fd, text.p, text.len);
	if (fd >= 0)
		close(fd);
	if (r < 0 || (!is_shown && renameat(root, reserve, root, shown) < 0))
		fs_publish(root, shown, text.p, text.len, 0, NULL);
}

void problem_clear(struct daemon *d)
{
	int root = d->spool.fd[SPOOL_ROOT];

	if (renameat(root, shown, root, reserve) < 0 && errno != ENOENT)
		log_warn("cannot put %s away: %s; creel status still shows it", shown, strerror(errno));
}
