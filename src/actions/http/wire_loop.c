#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actions/http/wire.h"
#include "base/vec.h"

enum { POLL_MS = 1000 };

typedef VEC(struct curl_waitfd) fd_list;

/* ---- new attempts ---- */

/* A message with a descriptor in it; what else it says was for the router. */
static void take_link(struct wire *w)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char text[512];
	struct iovec part = {text, sizeof text};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(w->control, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	int fd;

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		w->control_over = true;
		return;
	}
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	link_new(w, fd);
}

/* ---- the loop ---- */

static void drop_over(struct wire *w)
{
	struct link **at = &w->links, *l;

	while ((l = *at)) {
		if (l->over) {
			*at = l->next;
			link_free(l);
		} else {
			at = &l->next;
		}
	}
}

static void collect(const struct wire *w, fd_list *fds)
{
	const struct link *l;

	if (w->control >= 0 && !w->control_over)
		vec_push(fds, (struct curl_waitfd){w->control, CURL_WAIT_POLLIN, 0});
	for (l = w->links; l; l = l->next)
		vec_push(fds, (struct curl_waitfd){
				  l->fd, (short)(CURL_WAIT_POLLIN | (link_waiting(l) > 0 ? CURL_WAIT_POLLOUT : 0)), 0});
}

/* In the order in which collect() put them; links that were made since are not among them. */
static void serve(struct wire *w, const fd_list *fds)
{
	size_t i = 0;
	struct link *l, *first = w->links;

	if (w->control >= 0 && !w->control_over && fds->v[i++].revents)
		take_link(w);
	for (l = first; l; l = l->next, i++) {
		if (!fds->v[i].revents)
			continue;
		link_read(l);
		link_write(l);
		if (l->transfer && link_waiting(l) == 0)
			transfer_go_on(l->transfer);
	}
}

static void reap(struct wire *w)
{
	struct CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(w->multi, &left)))
		if (m->msg == CURLMSG_DONE)
			transfer_done(m->easy_handle, m->data.result);
}

static bool is_idle(struct wire *w, msec idle_ms)
{
	if (w->links) {
		w->idle_since = 0;
		return false;
	}
	if (w->control < 0 || w->control_over)
		return true;
	if (!w->idle_since)
		w->idle_since = clock_mono();
	return idle_ms > 0 && clock_mono() - w->idle_since >= idle_ms;
}

int wire_loop(struct wire *w, msec idle_ms)
{
	fd_list fds = {0};
	int running;

	while (!is_idle(w, idle_ms)) {
		fds.n = 0;
		collect(w, &fds);
		if (curl_multi_poll(w->multi, fds.v, (unsigned)fds.n, POLL_MS, NULL) != CURLM_OK)
			break;
		serve(w, &fds);
		curl_multi_perform(w->multi, &running);
		reap(w);
		drop_over(w);
	}
	vec_free(&fds);
	return 0;
}
