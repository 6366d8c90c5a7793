#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actions/http/wire.h"
#include "base/mem.h"

enum { BODY_MAX = 64 << 20 };

struct link *link_new(struct wire *w, int fd)
{
	struct link *l = xcalloc(1, sizeof *l);

	l->wire = w;
	l->fd = fd;
	l->next = w->links;
	w->links = l;
	link_put(l, FRAME_HELLO, "", 0);
	return l;
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

/* The caller has taken it off the list. */
void link_free(struct link *l)
{
	if (l->transfer)
		transfer_free(l->transfer);
	close(l->fd);
	frame_reader_free(&l->in);
	wipe(&l->out);
	wipe(&l->body);
	json_decref(l->request);
	free(l);
}

void link_write(struct link *l)
{
	while (link_waiting(l) > 0 && !l->over) {
		ssize_t n = send(l->fd, l->out.p + l->out_at, link_waiting(l), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0)
			l->over = true;
		else
			l->out_at += (size_t)n;
	}
	if (link_waiting(l) == 0) {
		buf_reset(&l->out);
		l->out_at = 0;
	}
}

void link_put(struct link *l, enum frame_type type, const void *p, size_t n)
{
	frame_put(&l->out, type, p, n);
	link_write(l);
}

static void obey(struct link *l, const struct frame *f)
{
	switch (f->type) {
	case FRAME_REQUEST:
		json_decref(l->request);
		l->request = json_loadb(f->p, f->n, 0, NULL);
		wipe(&l->body);
		l->over = l->over || !json_is_object(l->request) || l->transfer;
		break;
	case FRAME_BODY:
		if (l->body.len + f->n > BODY_MAX)
			l->over = true;
		else
			buf_put(&l->body, f->p, f->n);
		break;
	case FRAME_GO:
		if (!l->request || l->transfer)
			l->over = true;
		else
			transfer_start(l);
		break;
	default:
		l->over = true;
	}
}

void link_read(struct link *l)
{
	char chunk[FRAME_PIECE];
	struct frame f;
	ssize_t n = recv(l->fd, chunk, sizeof chunk, MSG_DONTWAIT);
	int there;

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		l->over = true;
		return;
	}
	frame_take(&l->in, chunk, (size_t)n);
	explicit_bzero(chunk, (size_t)n);
	while (!l->over && (there = frame_next(&l->in, &f)) != 0) {
		if (there < 0)
			l->over = true;
		else
			obey(l, &f);
	}
}
