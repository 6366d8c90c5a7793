/*
 * repair.h - what can be done about a finding of verify: a link that was missing, or a move.  Nothing is removed, and
 * no record is written.
 */
#ifndef CREEL_STORE_REPAIR_H
#define CREEL_STORE_REPAIR_H

#include "base/clock.h"
#include "store/verify.h"

/* May it be done beside a daemon? */
bool repair_beside_daemon(enum verify_repair repair);

/* Do it.  What is moved goes to quarantine/aside/TIME/ and its path below that, TIME being that of `now`; *to, owned by
 * the caller, is where; NULL: it is a link that was made. */
int repair(const struct spool *s, const struct verify_finding *f, msec now, char **to, struct err *e);

#endif
