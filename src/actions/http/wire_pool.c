/*
 * wire_pool.c - the router: hands the socket of an attempt on to the process that has the connections of its key.
 *
 * An attempt connects to the listening socket, sends one message - the key, and with it one end of a pair of sockets - and
 * leaves.  A process that has ended, for whatever reason, is started again when its key is next asked for, at most once a
 * second; in between attempts find their socket closed and go on by themselves.  The router ends with the daemon that
 * started it: the kernel sees to that.  The processes then finish what they have, and end too.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actions/http/wire.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"

enum { KEY_MAX = 512, KEEPERS_MAX = 64, AGAIN_MS = 1000, PATIENCE_US = 100 * 1000 };

struct keeper {
	char *key;
	pid_t pid;
	int control;       /* our end; -1: it has ended */
	msec started_mono;
	msec used_mono;
};

static VEC(struct keeper) keepers;

static void forget(struct keeper *k)
{
	if (k->control >= 0)
		close(k->control);
	k->control = -1;
}

static void reap(void)
{
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (i = 0; i < keepers.n; i++)
			if (keepers.v[i].pid == pid)
				forget(&keepers.v[i]);
}

static int start(struct keeper *k)
{
	static char option[] = "--keep", name[] = "creel-http-wire";
	char *argv[] = {name, option, NULL}, *envp[] = {NULL};
	int ends[2];

	k->started_mono = clock_mono();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	k->pid = fork();
	if (k->pid == 0) {
		/* Of all that we have only its own end goes over. */
		if (dup2(ends[1], STDIN_FILENO) == STDIN_FILENO)
			execve("/proc/self/exe", argv, envp);
		_exit(127);
	}
	close(ends[1]);
	if (k->pid < 0) {
		close(ends[0]);
		return -1;
	}
	k->control = ends[0];
	return 0;
}

/* The one that was not used for longest makes room. */
static struct keeper *room(void)
{
	struct keeper *oldest = &keepers.v[0];
	size_t i;

	if (keepers.n < KEEPERS_MAX) {
		vec_push(&keepers, (struct keeper){.control = -1});
		return &keepers.v[keepers.n - 1];
	}
	for (i = 1; i < keepers.n; i++)
		if (keepers.v[i].used_mono < oldest->used_mono)
			oldest = &keepers.v[i];
	/* It serves what it has, and ends then. */
	forget(oldest);
	free(oldest->key);
	*oldest = (struct keeper){.control = -1};
	return oldest;
}

static struct keeper *find(const char *key)
{
	struct keeper *k;
	size_t i;

	for (i = 0; i < keepers.n; i++)
		if (strcmp(keepers.v[i].key, key) == 0)
			return &keepers.v[i];
	k = room();
	k->key = xstrdup(key);
	return k;
}

static bool hand_on(struct keeper *k, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	char nothing = 0;
	struct iovec part = {&nothing, 1};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return k->control >= 0 && sendmsg(k->control, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static void route(const char *key, int fd)
{
	struct keeper *k = find(key);
	msec now = clock_mono();

	k->used_mono = now;
	if (!hand_on(k, fd)) {
		forget(k);
		if ((k->started_mono == 0 || now - k->started_mono >= AGAIN_MS) && start(k) == 0)
			hand_on(k, fd);
	}
	close(fd);
}

/* One message: a key, and a socket with it.  Nothing more is heard of whoever sent it. */
static void take(int from)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char key[KEY_MAX + 1];
	struct iovec part = {key, KEY_MAX};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	key[n] = '\0';
	reap();
	route(key, fd);
}

static bool is_ours(int fd)
{
	struct ucred who;
	socklen_t n = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

/* Out of descriptors or of memory: that may pass. */
static bool may_pass(int code)
{
	return code == EINTR || code == ECONNABORTED || code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOBUFS;
}

int pool_main(pid_t daemon)
{
	const struct timeval patience = {0, PATIENCE_US};
	const struct timespec pause = {0, 50 * 1000 * 1000};
	int fd;

	/* An interrupt from the daemon's terminal is not for what attempts are waiting for. */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	while (getppid() == daemon) {
		fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && !may_pass(errno))
			break;
		if (fd < 0) {
			nanosleep(&pause, NULL);
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		if (is_ours(fd))
			take(fd);
		close(fd);
	}
	return 0;
}
