/*
 * supervise.h - run the action, watch over it, and end all of it.
 */
#ifndef CREEL_RUN_SUPERVISE_H
#define CREEL_RUN_SUPERVISE_H

#include "base/err.h"
#include "creel-run/attempt.h"
#include "creel-run/report.h"
#include "creel-run/spec.h"

/* Make this process a supervisor: a session of its own, no descriptor but 0 to 2, 0 being /dev/null, signals
 * that it reads, and heir of every orphan below it.  First, once the specification is read. */
int supervise_prepare(struct err *e);

/* Run the action to its end and the end of all its descendants, and fill *r.  Whatever goes wrong is a result
 * too. */
void supervise(struct attempt *a, const struct spec *s, struct result *r);

/* Wait a second, or less if a signal asks to end: then false. */
bool supervise_pause(void);

#endif
