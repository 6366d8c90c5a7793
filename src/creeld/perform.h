/*
 * perform.h - the effects of commits that are durable: first what they allow, and when all else that the job writes has
 * been written, too, what ends with it.
 */
#ifndef CREEL_CREELD_PERFORM_H
#define CREEL_CREELD_PERFORM_H

#include "creeld/flush.h"

/* What the job's commits allow: attempts start, and are told to end.  The second call for a job does nothing; the job may
 * be with the flusher still, which changes nothing that is read here once it is durable. */
void perform(struct daemon *d, struct flush_job *j);
/* The job is done: executions that ended with it are let go. */
void perform_ends(struct daemon *d, const struct flush_job *j);

/* Hand an attempt that the journal calls running to the dispatcher. */
void perform_start(struct daemon *d, struct live *l, uint32_t action);

#endif
