/*
 * outputs.h - the files with the outputs of actions, against what the journal says of them.
 */
#ifndef CREEL_STORE_OUTPUTS_H
#define CREEL_STORE_OUTPUTS_H

#include "core/exec.h"
#include "store/spool.h"

/* Is the output of each completed action there, with its size and digest?  dir is the execution's directory.  -1 and *e
 * names the first that is not: EBADMSG it is another, ENOENT it is missing. */
int outputs_check(int dir, const struct exec *x, struct err *e);

/* Outputs that stand in a file only, of the event data of a completed action.  A new value; NULL and *e: ENODATA, ENOENT,
 * ENOTDIR or ELOOP they are not there, EBADMSG they are others than the journal speaks of, E2BIG there are more than most bytes, else they cannot
 * be read now. */
json_t *outputs_load(const struct spool *s, const struct exec *x, const json_t *data, size_t most, struct err *e);

/* Write those again that are missing or not whole and whose content stands in the journal, from commit `from` on.  told
 * is called for each, with *e if it could not be written, else NULL. */
typedef void (*outputs_told)(void *ctx, const char *path, const struct err *e);
int outputs_mend(const struct spool *s, const struct exec *x, uint32_t from, outputs_told told, void *ctx, struct err *e);

#endif
