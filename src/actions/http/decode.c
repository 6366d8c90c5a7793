#include "actions/http/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/mem.h"

enum { CODINGS_MAX = 4, CHUNK = 32768 };

enum coding { CODING_GZIP, CODING_DEFLATE };

struct stage {
	enum coding coding;
	z_stream z;
	bool begun, ended;
	unsigned char first; /* of deflate: held back until there are two bytes to tell its form by */
};

struct decoder {
	decode_sink sink;
	void *ctx;
	struct stage stages[CODINGS_MAX]; /* the outermost first */
	size_t n;
};

/* ---- which codings ---- */

/* The next element of a list, without blanks around it. */
static const char *next_word(const char **list, size_t *n)
{
	const char *start = *list + strspn(*list, " \t,"), *end = start + strcspn(start, ",");

	*list = end;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*n = (size_t)(end - start);
	return start;
}

static bool is_word(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

static int add_stage(struct decoder *d, const char *word, size_t n, struct err *e)
{
	struct stage *s = &d->stages[d->n];

	if (is_word(word, n, "identity") || is_word(word, n, "none"))
		return 0;
	if (d->n == CODINGS_MAX)
		return err_set(e, EBADMSG, "the body is encoded more than %d times", CODINGS_MAX);
	if (is_word(word, n, "gzip") || is_word(word, n, "x-gzip"))
		s->coding = CODING_GZIP;
	else if (is_word(word, n, "deflate"))
		s->coding = CODING_DEFLATE;
	else
		return err_set(e, EBADMSG, "the body has the encoding \"%.*s\", which was not asked for",
			       (int)(n < 40 ? n : 40), word);
	d->n++;
	return 0;
}

struct decoder *decoder_new(const char *codings, decode_sink sink, void *ctx, struct err *e)
{
	struct decoder *d = xcalloc(1, sizeof *d);
	struct stage swap;
	const char *word;
	size_t n, i;

	d->sink = sink;
	d->ctx = ctx;
	while (codings && (word = next_word(&codings, &n), n > 0))
		if (add_stage(d, word, n, e) < 0) {
			decoder_free(d);
			return NULL;
		}
	/* The field lists them in the order in which they were applied; they are undone from the last. */
	for (i = 0; i < d->n / 2; i++) {
		swap = d->stages[i];
		d->stages[i] = d->stages[d->n - 1 - i];
		d->stages[d->n - 1 - i] = swap;
	}
	return d;
}

void decoder_free(struct decoder *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->n; i++)
		if (d->stages[i].begun)
			inflateEnd(&d->stages[i].z);
	free(d);
}

/* ---- bytes ---- */

static int pass_on(struct decoder *d, size_t stage, const unsigned char *p, size_t n, struct err *e);

static int start(struct stage *s, int window_bits, struct err *e)
{
	s->z = (z_stream){0};
	if (inflateInit2(&s->z, window_bits) != Z_OK)
		return err_set(e, ENOMEM, "memory ran out while decoding the body");
	s->begun = true;
	return 0;
}

/* After the end: another member of a gzip file may follow, and nothing else. */
static int go_on(struct stage *s, struct err *e)
{
	if (s->coding != CODING_GZIP || inflateReset(&s->z) != Z_OK)
		return err_set(e, EBADMSG, "there are bytes behind the end of the compressed body");
	s->ended = false;
	return 0;
}

static int inflate_some(struct decoder *d, size_t stage, const unsigned char *p, size_t n, struct err *e)
{
	struct stage *s = &d->stages[stage];
	unsigned char out[CHUNK];
	int r;

	s->z.next_in = (unsigned char *)p;
	s->z.avail_in = (unsigned)n;
	do {
		if (s->ended && s->z.avail_in > 0 && go_on(s, e) < 0)
			return -1;
		s->z.next_out = out;
		s->z.avail_out = sizeof out;
		r = inflate(&s->z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return err_set(e, EBADMSG, "the compressed body is damaged: %s", s->z.msg ? s->z.msg : "zlib says no more");
		s->ended = r == Z_STREAM_END;
		if (s->z.avail_out < sizeof out &&
		    pass_on(d, stage + 1, out, sizeof out - s->z.avail_out, e) < 0)
			return -1;
	} while (s->z.avail_in > 0 || (s->z.avail_out == 0 && !s->ended));
	return 0;
}

/* "deflate" is the zlib format, but some send raw deflate: the two bytes of a zlib header tell. */
static int start_deflate(struct decoder *d, size_t stage, const unsigned char **p, size_t *n, struct err *e)
{
	struct stage *s = &d->stages[stage];
	unsigned char two[2];

	if (s->first == 0 && (*p)[0] != 0) {
		s->first = (*p)[0];
		(*p)++;
		if (--*n == 0)
			return 0;
	}
	two[0] = s->first;
	two[1] = (*p)[0];
	if (start(s, (two[0] & 0x0f) == 8 && (two[0] << 8 | two[1]) % 31 == 0 ? 15 : -15, e) < 0)
		return -1;
	return s->first ? inflate_some(d, stage, two, 1, e) : 0;
}

static int pass_on(struct decoder *d, size_t stage, const unsigned char *p, size_t n, struct err *e)
{
	struct stage *s = &d->stages[stage];

	if (n == 0)
		return 0;
	if (stage == d->n)
		return d->sink(d->ctx, (const char *)p, n, e);
	if (!s->begun && s->coding == CODING_GZIP && start(s, 16 + 15, e) < 0)
		return -1;
	if (!s->begun && s->coding == CODING_DEFLATE && start_deflate(d, stage, &p, &n, e) < 0)
		return -1;
	return n > 0 ? inflate_some(d, stage, p, n, e) : 0;
}

int decoder_feed(struct decoder *d, const char *p, size_t n, struct err *e)
{
	return pass_on(d, 0, (const unsigned char *)p, n, e);
}

int decoder_end(struct decoder *d, struct err *e)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		/* No bytes at all are an empty body, whatever the field says. */
		bool nothing = i == 0 && !d->stages[0].begun && d->stages[0].first == 0;

		if (nothing)
			return 0;
		if (!d->stages[i].ended)
			return err_set(e, EBADMSG, "the compressed body ends in the middle");
	}
	return 0;
}
