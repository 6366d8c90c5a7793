#include "actions/http/channel.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actions/http/client.h"
#include "base/mem.h"

/* A shared process that does not say hello by then is taken for hung; our own may take its time to be loaded. */
enum { SHARED_HELLO_MS = 3000, OWN_HELLO_MS = 20000 };

void channel_open(struct channel *c, const char *pool, const char *program)
{
	*c = (struct channel){.pool = pool, .program = program, .fd = -1};
}

void channel_drop(struct channel *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	frame_reader_free(&c->in);
	/* It ends when its socket does. */
	if (c->pid > 0)
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	c->pid = 0;
}

void channel_close(struct channel *c)
{
	channel_drop(c);
	free(c->key);
	c->key = NULL;
}

void channel_give_up(struct channel *c)
{
	if (c->shared)
		c->pool = NULL;
	channel_drop(c);
}

/* ---- the other side ---- */

static int start_own(struct channel *c, int theirs, struct err *e)
{
	char *argv[] = {(char *)(uintptr_t) "creel-http-wire", NULL}, *envp[] = {NULL};

	c->pid = vfork();
	if (c->pid == 0) {
		if (dup2(theirs, STDIN_FILENO) == STDIN_FILENO && close_range(3, ~0U, 0) == 0)
			execve(c->program, argv, envp);
		_exit(127);
	}
	if (c->pid < 0) {
		c->pid = 0;
		return err_sys(e, errno, "cannot start %s", c->program);
	}
	return 0;
}

/* An abstract name can be taken by anybody once it is free: whoever listens there must be who we are. */
static bool is_ours(int fd)
{
	struct ucred who;
	socklen_t n = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

static int connect_pool(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(name);

	if (fd >= 0 && n < sizeof address.sun_path) {
		memcpy(address.sun_path + 1, name, n);
		if (connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0 &&
		    is_ours(fd))
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* One message with the key, and the other end of our socket. */
static bool ask_pool(struct channel *c, int theirs)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec part = {c->key, strlen(c->key)};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);
	int pool = connect_pool(c->pool);
	bool sent;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof theirs);
	memcpy(CMSG_DATA(head), &theirs, sizeof theirs);
	sent = pool >= 0 && sendmsg(pool, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	if (pool >= 0)
		close(pool);
	return sent;
}

static bool said_hello(struct channel *c, msec within)
{
	struct frame f;

	return channel_next(c, &f, clock_mono() + within) == 1 && f.type == FRAME_HELLO;
}

static int pair(struct channel *c, int *theirs, struct err *e)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, errno, "cannot make a socket");
	c->fd = ends[0];
	*theirs = ends[1];
	return 0;
}

static bool begin_shared(struct channel *c)
{
	bool asked;
	int theirs = -1;

	if (!c->pool || pair(c, &theirs, NULL) < 0)
		return false;
	c->shared = true;
	asked = ask_pool(c, theirs);
	close(theirs);
	if (asked && said_hello(c, SHARED_HELLO_MS))
		return true;
	channel_give_up(c);
	return false;
}

static int begin_own(struct channel *c, struct err *e)
{
	int theirs = -1, r;

	if (pair(c, &theirs, e) < 0)
		return -1;
	c->shared = false;
	r = start_own(c, theirs, e);
	close(theirs);
	if (r == 0 && !said_hello(c, OWN_HELLO_MS))
		r = err_set(e, EPIPE, "%s does not work", c->program);
	if (r < 0)
		channel_drop(c);
	return r;
}

int channel_begin(struct channel *c, const char *key, struct err *e)
{
	/* Our own process serves every key; a shared one only its own. */
	if (c->fd >= 0 && c->shared && strcmp(c->key, key) != 0)
		channel_drop(c);
	if (c->fd >= 0)
		return 0;
	free(c->key);
	c->key = xstrdup(key);
	return begin_shared(c) ? 0 : begin_own(c, e);
}

/* ---- frames ---- */

int channel_write(struct channel *c, const struct buf *b, msec deadline_mono, struct err *e)
{
	size_t done = 0;

	while (done < b->len) {
		struct pollfd p = {c->fd, POLLOUT, 0};
		ssize_t n = send(c->fd, b->p + done, b->len - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "the process with the connection is gone");
		if (client_cancelled || (deadline_mono && clock_mono() >= deadline_mono))
			return err_set(e, ETIMEDOUT, "the process with the connection takes nothing");
		poll(&p, 1, 100);
	}
	return 0;
}

int channel_next(struct channel *c, struct frame *f, msec until_mono)
{
	char chunk[FRAME_PIECE];
	struct pollfd p = {c->fd, POLLIN, 0};
	ssize_t n;
	msec left;
	int r;

	while ((r = frame_next(&c->in, f)) == 0) {
		left = until_mono - clock_mono();
		r = poll(&p, 1, left < 0 ? 0 : left > 1000 ? 1000 : (int)left);
		if (r == 0 && left <= 0)
			return 0;
		if (r <= 0) {
			if (client_cancelled)
				return 0;
			continue;
		}
		n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			return -1;
		if (n > 0)
			frame_take(&c->in, chunk, (size_t)n);
	}
	return r;
}
