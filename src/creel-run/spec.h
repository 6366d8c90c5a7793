/*
 * spec.h - the specification: what one attempt is, as the daemon hands it over on descriptor 0.
 *
 * It is a sequence of NUL-terminated `key=value` strings up to the end of the file; main.c lists the keys.  A
 * sequence whose last string is not terminated was cut short and is refused: half a command must not run.
 */
#ifndef CREEL_RUN_SPEC_H
#define CREEL_RUN_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "creel-run/mask.h"

enum {
	SPEC_MAX = 32 << 20,        /* bytes of the whole specification */
	SPEC_INLINE = 32 << 10,     /* bytes of one that comes with a word */
	SPEC_GRACE_MS = 5000,
	SPEC_OUTPUT_CAP = 16 << 20,
};
#define SPEC_AS_IS (UINT64_MAX - 1) /* UINT64_MAX is "no limit" */

struct spec {
	const char *dir;     /* the attempt's directory, absolute */
	const char *results; /* the spool's results/, absolute; with link or not at all */
	const char *link;    /* the name there */
	const char *execution, *action, *token;
	const char *boot;    /* the kernel's boot id; NULL: it is read */
	const char *cwd;     /* NULL: where the daemon is */
	const char *request; /* bytes of request.json, or NULL */
	const char *fd3;     /* what the action finds in memory behind descriptor 3, or NULL */
	uint64_t attempt;
	uint64_t parent;     /* the daemon's pid; 0: nobody's child, always announce */
	uint64_t timeout_ms; /* 0: none */
	uint64_t grace_ms;
	uint64_t stdout_cap, stderr_cap;
	uint64_t no_new_privs; /* 0 or 1 */
	uint64_t nofile, core; /* soft limits of the action; SPEC_AS_IS: those of the supervisor */
	uint64_t fd4;          /* 0 or 1: the action gets descriptor 4, as the daemon handed it to the supervisor */
	char **argv; /* ends with NULL, at least one */
	char **envp; /* ends with NULL */
	char **secrets; /* ends with NULL; to be masked in what the action leaves */
	struct mask_set masks; /* of them */
	char *text; /* what all of the above points into: bytes, or the caller's */
	size_t length;
	struct buf bytes;
};

/* Read and check what descriptor fd holds.  0, or -1 with *e. */
int spec_read(struct spec *s, int fd, struct err *e);
/* Check n bytes of text, which stay the caller's and are pointed into until spec_free. */
int spec_take(struct spec *s, char *text, size_t n, struct err *e);
/* Wipes the text, too: there may be secrets in it. */
void spec_free(struct spec *s);

#endif
