/*
 * gone.h - executions whose directory was removed while they ran.
 *
 * Their commits can be written nowhere.  They are set apart, so that the job, and with it all others, goes on.
 */
#ifndef CREEL_CREELD_GONE_H
#define CREEL_CREELD_GONE_H

#include "creeld/flush.h"

/* d->job failed: take out of it what belongs to such executions.  Were there any? */
bool gone_take_out(struct daemon *d);

#endif
