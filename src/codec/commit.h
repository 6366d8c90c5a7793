/*
 * commit.h - the journal's files: one commit each, one line of JSON.
 *
 *   {"seq":7,"prev":"sha256:…","at":"…Z","events":[{"type":"action.completed","action":"a","attempt":1,…},…]}
 *
 * Events take execution, seq and, unless it differs, at from their commit.  In events/ each stands in full.
 * Source: design section 2; schemas/commit.schema.json, schemas/event.schema.json.
 */
#ifndef CREEL_CODEC_COMMIT_H
#define CREEL_CODEC_COMMIT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sha.h"
#include "model/event.h"
#include "model/plan.h"

/* Bytes that are read of one commit file.  Whatever one turn may write must be read back: many outputs of the
 * largest size, and the list of all that the items of a forEach put out. */
enum { COMMIT_MAX = 1024 * 1024 * 1024 };

struct commit {
	uint32_t seq; /* from 1 */
	char prev[SHA256_TAGGED];
	msec at;
	struct events events;
};

/* Append the commit's file content, with its newline. */
void commit_encode(struct buf *b, const struct plan *p, const struct commit *c);

/* Parse a commit file.  -1: it is damaged or names what the plan has not, and *e says so; *c is empty then.
 * apply (may be NULL) is called for the commit before its events (ev NULL), and for each event as soon as it is
 * decoded: an event may make the instances that the next one names.  If it returns -1, so does this. */
typedef int (*commit_apply)(void *ctx, const struct commit *c, const struct event *ev, struct err *e);
int commit_decode(const char *text, size_t n, const struct plan *p, struct commit *c, commit_apply apply, void *ctx,
		  struct err *e);

/* Append the commit's lines for events/. */
void commit_event_lines(struct buf *b, const struct plan *p, const char *execution, const struct commit *c);

#endif
