/*
 * intake.h - admission: of files that were claimed (claims.c), and of plans that are not in the inbox.
 */
#ifndef CREEL_CREELD_INTAKE_H
#define CREEL_CREELD_INTAKE_H

#include "creeld/flush.h"
#include "store/admit.h"

struct intake_plan {
	const char *id, *ext, *name;
	struct buf *text;      /* taken over */
	struct admitted *plan; /* its plan is taken over, its canonical form is not */
	json_t *by;            /* borrowed */
	json_t *parent;        /* borrowed: the attempt that runs it; or NULL */
	msec now;
};

/* Make it an execution: live at once, on disk with the job. */
void intake_admit(struct daemon *d, const struct intake_plan *in, struct flush_job *j);

/* Judge tmp/ID/claim.EXT, which was dropped as name.  false: it cannot be judged now; it is kept and tried again. */
bool claim_take(struct daemon *d, const char *id, const char *ext, const char *name, struct flush_job *j);
/* Try those that wait and are due; and when the next one is (monotonic, 0: none waits). */
void claims_again(struct daemon *d, struct flush_job *j);
msec claims_next(const struct daemon *d);

#endif
