/*
 * frame.h - what an attempt and the process that has the connection say to each other over a socket.
 *
 * A frame is a letter, the length of what follows as 32 bits in the machine's order, and that.  One exchange:
 *
 *   attempt                          connection (creel-http-wire)
 *                              <--   HELLO                  once, when it has taken the socket up
 *   REQUEST {method, url, …}   -->
 *   BODY bytes …               -->
 *   GO                         -->
 *                              <--   STARTING               from here on the server may have got something
 *                              <--   SENT text              the head of the request, as it went out
 *                              <--   LINE text …            of the answer's head, and of trailers
 *                              <--   DATA bytes …           of its body, codings and all
 *                              <--   DONE {curl, message, …}
 *
 * and then the next one.  Closing the socket gives up what runs.  A socket that ends before DONE: nothing was sent if
 * STARTING had not come, else nobody knows.
 */
#ifndef CREEL_HTTP_FRAME_H
#define CREEL_HTTP_FRAME_H

#include <stddef.h>

#include "base/buf.h"

enum frame_type {
	FRAME_REQUEST = 'Q',
	FRAME_BODY = 'B',
	FRAME_GO = 'G',
	FRAME_HELLO = 'K',
	FRAME_STARTING = 'A',
	FRAME_SENT = 'O',
	FRAME_LINE = 'H',
	FRAME_DATA = 'D',
	FRAME_DONE = 'R'
};

/* One frame's content; a longer body is sent in several. */
enum { FRAME_MAX = 4 << 20, FRAME_PIECE = 64 << 10 };

struct frame {
	char type;
	const char *p; /* points into the reader's bytes, valid until more are taken or the next one is asked for */
	size_t n;
};

struct frame_reader {
	struct buf bytes;
	size_t at; /* where the next frame begins */
};

void frame_put(struct buf *out, enum frame_type type, const void *p, size_t n);

/* Bytes that came. */
void frame_take(struct frame_reader *r, const void *p, size_t n);
/* 1: there is a frame; 0: not all of it has come; -1: that is no frame. */
int frame_next(struct frame_reader *r, struct frame *out);
void frame_reader_free(struct frame_reader *r);

#endif
