#include "actions/http/frame.h"

#include <stdint.h>
#include <string.h>

enum { HEAD = 5 };

void frame_put(struct buf *out, enum frame_type type, const void *p, size_t n)
{
	uint32_t length = (uint32_t)n;

	buf_putc(out, (char)type);
	buf_put(out, &length, sizeof length);
	buf_put(out, p, n);
}

void frame_take(struct frame_reader *r, const void *p, size_t n)
{
	/* What was used goes when there is more to keep. */
	if (r->at > 0) {
		memmove(r->bytes.p, r->bytes.p + r->at, r->bytes.len - r->at);
		r->bytes.len -= r->at;
		r->at = 0;
	}
	buf_put(&r->bytes, p, n);
}

int frame_next(struct frame_reader *r, struct frame *out)
{
	size_t there = r->bytes.len - r->at;
	uint32_t length;

	if (there < HEAD)
		return 0;
	memcpy(&length, r->bytes.p + r->at + 1, sizeof length);
	if (length > FRAME_MAX)
		return -1;
	if (there - HEAD < length)
		return 0;
	*out = (struct frame){r->bytes.p[r->at], r->bytes.p + r->at + HEAD, length};
	r->at += HEAD + length;
	return 1;
}

void frame_reader_free(struct frame_reader *r)
{
	if (r->bytes.p)
		explicit_bzero(r->bytes.p, r->bytes.cap);
	buf_free(&r->bytes);
	r->at = 0;
}
