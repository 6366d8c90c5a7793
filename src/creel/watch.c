#include "creel/watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

void watch_open(struct watch *w)
{
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

void watch_add(struct watch *w, const char *dir)
{
	if (w->fd >= 0)
		inotify_add_watch(w->fd, dir, IN_MOVED_TO | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM);
}

void watch_wait(struct watch *w, msec ms)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	char text[4096];

	if (poll(&p, w->fd >= 0 ? 1 : 0, (int)ms) <= 0)
		return;
	/* Which file it was does not matter: all that came meanwhile is one hint. */
	while (read(w->fd, text, sizeof text) > 0)
		;
}

void watch_close(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}
