#include "creeld/http_pool.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { AGAIN_MS = 10000, BACKLOG = 256, NAME_BYTES = 16 };

struct http_pool {
	int listening; /* -1: it could not be made, and is not tried again */
	char name[64];
	pid_t pid;     /* 0: it does not run */
	msec started;  /* monotonic */
};

/* A name that nobody can have taken before us. */
static int make_name(char out[64])
{
	unsigned char bytes[NAME_BYTES];
	size_t i, at;

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return -1;
	at = (size_t)snprintf(out, 64, "creel-http-");
	for (i = 0; i < sizeof bytes; i++)
		at += (size_t)snprintf(out + at, 64 - at, "%02x", bytes[i]);
	return 0;
}

static int listen_there(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path + 1, name, strlen(name));
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct http_pool *make(void)
{
	struct http_pool *p = xcalloc(1, sizeof *p);

	p->listening = make_name(p->name) == 0 ? listen_there(p->name) : -1;
	if (p->listening < 0)
		log_warn("connections of HTTP actions cannot be shared: %s; each attempt makes its own", strerror(errno));
	return p;
}

/* As with supervisors, vfork copies nothing of the daemon. */
static pid_t start(const char *program, int listening, int *failure)
{
	static char name[] = "creel-http-wire", option[] = "--pool", number[24];
	char *argv[] = {name, option, number, NULL}, *envp[] = {NULL};
	pid_t pid;

	snprintf(number, sizeof number, "%d", (int)getpid());
	pid = vfork();
	if (pid != 0)
		return pid;
	if (dup2(listening, STDIN_FILENO) == STDIN_FILENO)
		execve(program, argv, envp);
	*failure = errno;
	_exit(127);
}

static void keep_running(struct http_pool *p, const char *executor)
{
	const char *slash = strrchr(executor, '/');
	AUTO_FREE char *program = xasprintf("%.*s/creel-http-wire", (int)(slash ? slash - executor : 0), executor);
	msec now = clock_mono();
	int failure = 0;
	pid_t pid;

	/* An executor of somebody else's need not have it. */
	if (p->pid > 0 || (p->started && now - p->started < AGAIN_MS) || access(program, X_OK) < 0)
		return;
	p->started = now;
	pid = start(program, p->listening, &failure);
	if (pid > 0 && failure && waitpid(pid, NULL, 0) >= 0)
		pid = 0;
	p->pid = pid > 0 ? pid : 0;
	if (p->pid == 0)
		log_warn("cannot run %s: %s; HTTP attempts do not share connections", program, strerror(failure ? failure : errno));
}

const char *http_pool_name(struct daemon *d, const char *executor)
{
	if (json_is_false(json_object_get(d->config.http, "share_connections")))
		return NULL;
	if (!d->http_pool)
		d->http_pool = make();
	if (d->http_pool->listening < 0)
		return NULL;
	keep_running(d->http_pool, executor);
	return d->http_pool->pid > 0 ? d->http_pool->name : NULL;
}

bool http_pool_reaped(struct daemon *d, pid_t pid)
{
	if (!d->http_pool || d->http_pool->pid != pid)
		return false;
	log_warn("creel-http-wire --pool ended; HTTP attempts make connections of their own until it is started again");
	d->http_pool->pid = 0;
	return true;
}

void http_pool_close(struct daemon *d)
{
	struct http_pool *p = d->http_pool;

	if (!p)
		return;
	if (p->pid > 0) {
		kill(p->pid, SIGTERM);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	if (p->listening >= 0)
		close(p->listening);
	free(p);
	d->http_pool = NULL;
}
