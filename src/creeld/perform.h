/*
 * perform.h - the effects of commits that are durable.
 */
#ifndef CREEL_CREELD_PERFORM_H
#define CREEL_CREELD_PERFORM_H

#include "creeld/flush.h"

void perform(struct daemon *d, struct flush_job *j);

/* Hand an attempt that the journal calls running to the dispatcher. */
void perform_start(struct daemon *d, struct live *l, uint32_t action);

#endif
