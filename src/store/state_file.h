/*
 * state_file.h - state.json: the execution state of seeds/000 section 4.1, with creel's further fields.
 *
 * One action a line, so that grep shows one action.  Source: schemas/execution-state.schema.json.
 */
#ifndef CREEL_STORE_STATE_FILE_H
#define CREEL_STORE_STATE_FILE_H

#include "base/buf.h"
#include "core/exec.h"
#include "store/spool.h"

struct state_marks {
	uint32_t seq;        /* the commit that the state reflects */
	uint32_t events_seq; /* the last commit whose lines in events/ are known to be on disk */
};

/* s is where the traces of HTTP actions are. */
void state_encode(struct buf *b, const struct spool *s, const struct exec *x, const struct state_marks *marks);
/* The same where the execution's directory is dir. */
void state_encode_at(struct buf *b, int dir, const struct exec *x, const struct state_marks *marks);

#endif
