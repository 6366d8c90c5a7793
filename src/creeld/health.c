/*
 * health.c - is an API there?  `creel-http --health` asks, as a process of its own, and no turn waits for it.
 *
 * It gets {api, allowPrivate, …} on descriptor 0 and answers with its exit status, 0 healthy or 1 not, and one line of
 * JSON {healthy, statusCode, message}.  Its answer decides only whether the API is parked.  A program that cannot be
 * run, or ends in any other way, says nothing about the API: that is logged, and the API counts as healthy.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "creeld/apis_impl.h"
#include "store/http_setup.h"

enum { ANSWER_MAX = 64 * 1024, DEFAULT_MS = 30000, GRACE_MS = 2000 };

static json_t *question(const struct daemon *d, const struct api *a)
{
	json_t *o = http_settings(d->config.http);

	json_object_set(o, "api", a->entry);
	return o;
}

static int memory_with(const char *text, struct err *e)
{
	int fd = memfd_create("health", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "cannot make a memory file");
	if (fs_write_all(fd, text, strlen(text), e) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -1;
}

static int spawn(const struct daemon *d, int in, int out, pid_t *pid)
{
	AUTO_FREE char *program = http_executor(d->config.http);
	char name[] = "creel-http", health[] = "--health";
	char *argv[] = {name, health, NULL}, *envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, every;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigfillset(&every);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &every);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	r = posix_spawn(pid, program, &actions, &attr, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return r;
}

static void finish(struct api *a)
{
	if (a->answer >= 0)
		close(a->answer);
	a->answer = -1;
	a->check = 0;
	a->wanted = false;
}

/* It said nothing about the API. */
static void pass_over(struct daemon *d, struct api *a, const char *why)
{
	log_error("the health check of %s could not be made (%s): it counts as healthy", a->key, why);
	finish(a);
	a->healthy = true;
	apis_step(a, PARK_PROBE_PASSED, 0, clock_wall());
	(void)d;
}

static void start(struct daemon *d, struct api *a)
{
	json_t *o = question(d, a), *timeout = json_object_get(json_object_get(a->entry, "healthCheck"), "timeout");
	AUTO_FREE char *text = json_dumps(o, JSON_COMPACT);
	msec limit = json_integer_value(timeout);
	struct err e = {0};
	int in, r;

	json_decref(o);
	in = memory_with(text, &e);
	a->answer = memory_with("", &e);
	r = in < 0 || a->answer < 0 ? e.code : spawn(d, in, a->answer, &a->check);
	if (in >= 0)
		close(in);
	a->execution[0] = '\0';
	apis_step(a, PARK_PROBE, 0, clock_wall());
	if (r) {
		a->check = 0;
		pass_over(d, a, strerror(r));
		return;
	}
	a->wanted = false;
	a->check_until = clock_mono() + (limit > 0 ? limit : DEFAULT_MS) + GRACE_MS;
}

void health_run(struct daemon *d)
{
	size_t k;

	for (k = 0; k < d->apis->all.n; k++) {
		struct api *a = d->apis->all.v[k];

		if (a->wanted && !a->check && a->entry && !d->problem[0])
			start(d, a);
		else if (a->check && clock_mono() >= a->check_until)
			kill(a->check, SIGKILL);
	}
}

msec health_patience(const struct daemon *d)
{
	msec least = -1, now = clock_mono(), left;
	size_t k;

	for (k = 0; k < d->apis->all.n; k++) {
		const struct api *a = d->apis->all.v[k];

		if (!a->check && !a->wanted)
			continue;
		left = a->check && a->check_until > now ? a->check_until - now : a->check ? 100 : 0;
		if (least < 0 || left < least)
			least = left;
	}
	return least;
}

/* What it wrote, as a sentence. */
static char *answer_of(const struct api *a)
{
	AUTO_BUF struct buf text = BUF_INIT;
	const char *message;
	char *said = NULL;
	json_t *o;

	if (lseek(a->answer, 0, SEEK_SET) < 0 || fs_read_fd(a->answer, "the answer", ANSWER_MAX, &text, NULL) < 0)
		return xstrdup("its health check failed");
	o = json_loadb(buf_str(&text), text.len, JSON_DISABLE_EOF_CHECK, NULL);
	message = json_string_value(json_object_get(o, "message"));
	said = xasprintf("its health check failed%s%.300s", message ? ": " : "", message ? message : "");
	json_decref(o);
	return said;
}

static void unhealthy(struct api *a, const char *why, msec now)
{
	apis_because(a, why, NULL, NULL, now);
	apis_step(a, a->p.state == PARK_PROBING ? PARK_PROBE_LIMITED : PARK_LIMITED, 0, now);
}

static void ended(struct daemon *d, struct api *a, int status)
{
	bool late = clock_mono() >= a->check_until;
	AUTO_FREE char *said = answer_of(a);

	finish(a);
	if (late && WIFSIGNALED(status)) {
		unhealthy(a, "its health check took too long", clock_wall());
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 1) {
		unhealthy(a, said, clock_wall());
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		a->healthy = true;
		apis_step(a, PARK_PROBE_PASSED, 0, clock_wall());
	} else {
		AUTO_FREE char *why = WIFSIGNALED(status) ? xasprintf("it was ended by signal %d", WTERMSIG(status))
							   : xasprintf("it ended with status %d", WEXITSTATUS(status));

		pass_over(d, a, why);
	}
}

bool health_ended(struct daemon *d, pid_t pid, int status)
{
	size_t k;

	for (k = 0; k < d->apis->all.n; k++)
		if (d->apis->all.v[k]->check == pid) {
			ended(d, d->apis->all.v[k], status);
			return true;
		}
	return false;
}

bool health_knows(const struct daemon *d, pid_t pid)
{
	size_t k;

	for (k = 0; d->apis && k < d->apis->all.n; k++)
		if (d->apis->all.v[k]->check == pid)
			return true;
	return false;
}

void health_stop(struct daemon *d)
{
	size_t k;

	for (k = 0; d->apis && k < d->apis->all.n; k++) {
		struct api *a = d->apis->all.v[k];

		if (!a->check)
			continue;
		kill(a->check, SIGKILL);
		while (waitpid(a->check, NULL, 0) < 0 && errno == EINTR)
			continue;
		finish(a);
	}
}
