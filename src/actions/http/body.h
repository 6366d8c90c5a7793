/*
 * body.h - where the body of an answer goes: memory up to a limit, and beyond it a file.
 *
 *   body_init(&b, dir, "body", &limits, &redact);
 *   body_take(&b, p, n, &e) …            decoded bytes, as they come
 *   body_keep(&b, &e)                    put it into the file although it is small
 *   body_location(&b, …)                 what the output says about the file
 *   body_discard(&b);                    and the file is gone; body_free(&b) leaves it
 *
 * What is in memory is as it came, for it is to be parsed.  What is in the file has its secrets hidden, and size and
 * digest are those of the file.  The first bytes stay in memory in any case: for the trace, and for error messages.
 */
#ifndef CREEL_HTTP_BODY_H
#define CREEL_HTTP_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actions/http/redact.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha.h"

struct body_limits {
	uint64_t most;    /* decoded bytes; more is EFBIG */
	uint64_t memory;  /* what is parsed and searched is at most this large */
	bool spill;       /* beyond that into the file; else the rest is counted and forgotten */
};

struct body {
	struct body_limits limits;
	int dir;
	const char *name;
	char *part;         /* the file's name while it is written; NULL: there is no file */
	struct redact_stream secrets;
	struct buf head;    /* all of it, or, once it is larger than memory, its beginning */
	uint64_t size;      /* decoded bytes that came */
	int fd;             /* -1: no file */
	struct sha_stream *sha;
	uint64_t stored;    /* bytes in the file */
	char sum[SHA256_HEX];
};

void body_init(struct body *b, int dir, const char *name, const struct body_limits *limits, const struct redact *secrets);
int body_take(struct body *b, const char *p, size_t n, struct err *e);
/* Is all of it in memory? */
bool body_whole(const struct body *b);
/* The file holds all of it afterwards and is closed. */
int body_keep(struct body *b, struct err *e);
/* A StorageLocation (S0) of the file; path as records have it. */
json_t *body_location(const struct body *b, const char *path, const char *content_type, json_t *metadata);
void body_discard(struct body *b);
void body_free(struct body *b);

#endif
