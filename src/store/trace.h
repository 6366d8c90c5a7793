/*
 * trace.h - what HTTP actions sent and received: http-trace.json of their attempts (S0-TRACE).
 *
 * The executor writes it and is not trusted: it is read under a cap, and entries that are not as the source document
 * wants them are left out.
 */
#ifndef CREEL_STORE_TRACE_H
#define CREEL_STORE_TRACE_H

#include <jansson.h>

#include "core/exec.h"
#include "store/spool.h"

enum {
	TRACE_FILE_MAX = 8 * 1024 * 1024, /* bytes of http-trace.json */
	TRACE_ENTRIES = 20,               /* of an action in state.json: the latest */
	TRACE_BODY = 2048,                /* bytes of a body there */
	TRACE_TEXT = 64 * 1024            /* bytes of all of them */
};

/* The entries of one attempt: a new array; NULL: there is no trace that can be read. */
json_t *trace_read(const struct spool *s, const char *id, const char *action, uint32_t attempt);
/* The same below the execution's directory: path, relative to dir. */
json_t *trace_read_at(int dir, const char *path, const char *action, uint32_t attempt);

/* The latest entries of all attempts of an action, oldest first, as JSON for state.json; path and dir as above.
 * Borrowed: it is kept with the action, and made again when another attempt has ended. */
const char *trace_of(int dir, const char *path, const struct exec *x, uint32_t action);

#endif
