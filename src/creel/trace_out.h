/*
 * trace_out.h - a recorded HTTP trace in other forms: for people, for browser tools, and as commands.
 *
 * entries is what trace_read() gives: S0 httpTrace entries with creel's extras, secrets already hidden as ***.
 * definition is the pinned definition of the action, or NULL; it only makes names better.
 */
#ifndef CREEL_CREEL_TRACE_OUT_H
#define CREEL_CREEL_TRACE_OUT_H

#include <jansson.h>

#include "base/buf.h"
#include "creel/show_text.h"

/* HAR 1.2: a new value. */
json_t *trace_har(const json_t *entries, const char *title);

/* A curl command for each request, ready for a shell: what is hidden stands there as ${NAME:?}, so that the shell says
 * which variable it wants. */
void trace_curl(struct buf *b, const json_t *entries, const json_t *definition);

/* A block for each request; whole: with header fields and bodies as they were recorded. */
void trace_text(struct buf *b, const struct term *t, const json_t *entries, bool whole);

#endif
