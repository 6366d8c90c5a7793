/*
 * wire_pool.c - the router: hands the socket of an attempt on to the process that has the connections of its key.
 *
 * It lives as long as somebody can send it sockets.  A process that has ended, for whatever reason, is started again when
 * its key is next asked for, at most once a second; in between attempts find their socket closed and go on by themselves.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actions/http/wire.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"

enum { KEY_MAX = 512, KEEPERS_MAX = 64, AGAIN_MS = 1000 };

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

/* One message: a key, and a socket with it.  false: nobody can send one any more. */
static bool take(void)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char key[KEY_MAX + 1];
	struct iovec part = {key, KEY_MAX};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(STDIN_FILENO, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	int fd;

	if (n < 0)
		return errno == EINTR || errno == EMFILE || errno == ENOBUFS;
	if (n == 0)
		return false;
	key[n] = '\0';
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
		return true;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	reap();
	route(key, fd);
	return true;
}

int pool_main(void)
{
	while (take())
		;
	return 0;
}
