/*
 * watch.c - the only place that knows libinotifytools.
 *
 * The library keeps global state and does not hand out its descriptor, so it lives in a thread of its own that
 * turns each event into a bit "look there" and wakes the loop.  Events are hints: a lost one costs time until the
 * next scan, an overflow asks for a scan of everything.
 */
#include <dirent.h>
#include <errno.h>
#include <inotifytools/inotify.h>
#include <inotifytools/inotifytools.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "creeld/daemon.h"

static const enum spool_dir watched[] = {SPOOL_INBOX, SPOOL_CONFIRM, SPOOL_CONTROL, SPOOL_RESULTS, SPOOL_CONFIRM_BY};

enum { EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB };
enum { WATCHED = sizeof watched / sizeof *watched };

static struct {
	atomic_uint news;
	int event;
	char *paths[WATCHED]; /* as the library names them: with a slash at the end */
} watch;

static void tell(unsigned bits)
{
	uint64_t one = 1;

	atomic_fetch_or(&watch.news, bits);
	if (write(watch.event, &one, sizeof one) < 0) {
		/* full: the loop has not been there yet and will find the bits */
	}
}

static unsigned bits_of(const struct inotify_event *ev)
{
	const char *path;
	size_t k;

	if (ev->mask & IN_Q_OVERFLOW)
		return ~0u;
	path = inotifytools_filename_from_wd(ev->wd);
	for (k = 0; path && k < WATCHED; k++)
		if (strncmp(path, watch.paths[k], strlen(watch.paths[k]) - 1) == 0 &&
		    strlen(path) <= strlen(watch.paths[k]))
			return 1u << watched[k];
	return 1u << SPOOL_CONFIRM_BY; /* a person's own directory */
}

/* A person's own directory below confirm/by has appeared: decisions in it are seen at once, too. */
static void follow_person(const struct inotify_event *ev)
{
	const char *path = ev->mask & IN_ISDIR ? inotifytools_filename_from_wd(ev->wd) : NULL;
	AUTO_FREE char *below = path ? xasprintf("%s%s/", path, ev->name) : NULL;

	if (below && !inotifytools_watch_file(below, EVENTS))
		log_warn("cannot watch %s (%s): it is scanned every few seconds instead", below,
			 strerror(inotifytools_error()));
}

static void follow_all(const char *by)
{
	DIR *handle = opendir(by);
	struct dirent *entry;

	while (handle && (entry = readdir(handle))) {
		AUTO_FREE char *below = xasprintf("%s%s/", by, entry->d_name);

		if (entry->d_name[0] != '.')
			inotifytools_watch_file(below, EVENTS);
	}
	if (handle)
		closedir(handle);
}

static void *run(void *unused)
{
	(void)unused;
	for (;;) {
		struct inotify_event *ev = inotifytools_next_event(-1);

		if (ev && (ev->mask & IN_CREATE))
			follow_person(ev);
		if (ev)
			tell(bits_of(ev));
		else if (inotifytools_error() != EINTR)
			tell(~0u); /* look everywhere, and let the rescans serve if the library is beyond help */
		if (!ev && inotifytools_error() != EINTR && inotifytools_error() != 0) {
			log_warn("inotify failed (%s): the spool is scanned every few seconds instead",
				 strerror(inotifytools_error()));
			return NULL;
		}
	}
}

int watch_start(struct daemon *d, struct err *e)
{
	pthread_t thread;
	size_t k;
	int r;

	d->watch_event = watch.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch.event < 0)
		return err_sys(e, errno, "cannot make an eventfd");
	tell(~0u);
	if (!inotifytools_initialize()) {
		log_warn("inotify cannot be used (%s): the spool is scanned every few seconds instead",
			 strerror(inotifytools_error()));
		return 0;
	}
	for (k = 0; k < WATCHED; k++) {
		watch.paths[k] = xasprintf("%s/%s/", d->spool.path, spool_dir_name(watched[k]));
		if (!inotifytools_watch_file(watch.paths[k], watched[k] == SPOOL_CONFIRM_BY ? EVENTS | IN_CREATE : EVENTS))
			log_warn("cannot watch %s (%s): it is scanned every few seconds instead", watch.paths[k],
				 strerror(inotifytools_error()));
	}
	follow_all(watch.paths[WATCHED - 1]);
	r = pthread_create(&thread, NULL, run, NULL);
	if (r)
		return err_sys(e, r, "cannot start the watcher");
	pthread_detach(thread);
	return 0;
}

unsigned watch_take(void)
{
	return atomic_exchange(&watch.news, 0);
}
