/*
 * retention.c - what was kept long enough goes, while the daemon serves.
 *
 * `creel gc --background` does it, as a process of its own: however much there is to look at and to delete, and
 * whatever goes wrong with it, no turn waits for it; it has the lowest priority on the processor and the disk; and what
 * a kill leaves of its work the next one clears.  The daemon only says when, and hears of its end.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "creeld/daemon.h"
#include "store/sweep.h"

enum { EVERY_MS = 3600 * 1000, FIRST_MOST_MS = 60 * 1000 };

static msec interval(const struct daemon *d)
{
	json_t *every = json_object_get(d->config.retention, "every_sec");

	return every ? (msec)(json_number_value(every) * 1000) : EVERY_MS;
}

static bool has_retention(const struct daemon *d)
{
	return !d->config.drain && d->config_file && d->config.retention;
}

/* At the start soon, because a daemon may be started anew more often than the interval; at once where a removal was
 * interrupted, also without a retention. */
void retention_plan(struct daemon *d, bool starting)
{
	bool leftovers = starting && sweep_has_leftovers(&d->spool);
	msec wait = interval(d);

	d->gc_due = 0;
	if (leftovers)
		d->gc_due = clock_mono();
	else if (has_retention(d))
		d->gc_due = clock_mono() + (wait > FIRST_MOST_MS ? FIRST_MOST_MS : wait);
}

/* creel lies beside creeld. */
static bool program_path(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 16);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	strcpy(slash + 1, "creel");
	return true;
}

static int start(struct daemon *d, const char *path)
{
	char name[] = "creel", spool[] = "--spool", gc[] = "gc", background[] = "--background";
	char leftovers[] = "--leftovers", config[] = "--config";
	bool all = has_retention(d);
	char *argv[] = {name, spool, d->spool.path, gc, background, all ? config : leftovers,
			all ? (char *)d->config_file : NULL, NULL};
	char *envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, every;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigfillset(&every);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &every);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(&d->gc, path, &actions, &attr, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (r)
		d->gc = 0;
	return r;
}

void retention_run(struct daemon *d)
{
	char path[4096];
	int r;

	if (!d->gc_due || d->gc || clock_mono() < d->gc_due)
		return;
	d->gc_due = has_retention(d) ? clock_mono() + interval(d) : 0;
	if (!program_path(path, sizeof path))
		return;
	r = start(d, path);
	if (r)
		log_error("cannot run %s: %s; nothing is removed, trying again in %lld s", path, strerror(r),
			  (long long)(interval(d) / 1000));
}

bool retention_ended(struct daemon *d, pid_t pid, int status)
{
	if (pid != d->gc || pid == 0)
		return false;
	d->gc = 0;
	if (d->gc_due)
		d->gc_due = clock_mono() + interval(d);
	if (WIFSIGNALED(status))
		log_warn("retention: creel gc was ended by signal %d; the next one clears what it left", WTERMSIG(status));
	return true;
}

void retention_stop(struct daemon *d)
{
	if (!d->gc)
		return;
	/* The next one goes on where this one stopped. */
	kill(d->gc, SIGTERM);
	waitpid(d->gc, NULL, 0);
	d->gc = 0;
}
