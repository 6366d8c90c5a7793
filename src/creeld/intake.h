/*
 * intake.h - admission, for those who have a plan that is not in the inbox.
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

#endif
