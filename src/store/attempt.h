/*
 * attempt.h - an attempt's directory, as its supervisor left it: the result, the outputs, the lock.
 *
 * What children wrote is not trusted: it is read under caps, checked, and bound to the attempt by its token.
 */
#ifndef CREEL_STORE_ATTEMPT_H
#define CREEL_STORE_ATTEMPT_H

#include <jansson.h>
#include <sys/types.h>

#include "core/decide.h"
#include "store/spool.h"

/* A result with what it borrows from. */
struct attempt_report {
	struct attempt_result result;
	char *reason;
	json_t *error, *output, *more;
	size_t bytes; /* of the outputs, as JSON */
};

/* S0's StorageLocation of JSON bytes in a file; path is relative to the execution.  A new value. */
json_t *attempt_location(const char *path, const char *bytes, size_t n);

enum attempt_read { ATTEMPT_READ_OK, ATTEMPT_READ_NONE, ATTEMPT_READ_BAD, ATTEMPT_READ_LATER };

/* Read result.json, the outputs (at most output_cap bytes) and the error of an attempt.  With outputs, output.json is
 * published beside them, unless they are larger than OUTPUT_MAX.
 * NONE: there is no result.  BAD: there is one that cannot be this attempt's, and *e says why.  LATER: for want of
 * descriptors, memory or room, or because the device fails, it cannot be told now. */
enum attempt_read attempt_read(const struct spool *s, const char *id, const char *action, uint32_t attempt,
			       const char *token, size_t output_cap, struct attempt_report *out, struct err *e);
void attempt_report_free(struct attempt_report *r);

enum attempt_lock {
	ATTEMPT_LOCK_HELD,     /* its supervisor lives; or, with e->code, it cannot be told now */
	ATTEMPT_LOCK_RESULT,   /* it has a result */
	ATTEMPT_LOCK_UNUSED,   /* the action never started, and now never will: the attempt is void */
	ATTEMPT_LOCK_LOST      /* the action started and nobody saw its end; now void */
};

/* What the action's main process was, from the lock file. */
struct attempt_process {
	pid_t pid, sid;
	unsigned long long start; /* /proc/PID/stat field 22 */
	char boot[40];
	bool known;
	bool made; /* there was no lock file: no supervisor came so far, or somebody removed it */
	bool elsewhere; /* it ran where this lock file was copied from: what lives there is not ours */
};

/* Look at an attempt that the journal calls running, while no supervisor of ours runs it.  Takes the lock if it is
 * free and makes the attempt void, so that a supervisor that comes late leaves at once. */
enum attempt_lock attempt_examine(const struct spool *s, const char *id, const char *action, uint32_t attempt,
				  struct attempt_process *p, struct err *e);

/* Remove `void` and the empty lock of an unused attempt, so that the same attempt may be started again. */
int attempt_reset(const struct spool *s, const char *id, const char *action, uint32_t attempt, struct err *e);

#endif
