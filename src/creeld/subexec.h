/*
 * subexec.h - sub-executions: plan.run actions, each of which waits for an execution of its own (RUN-TREE).
 *
 * The child's id stands in the parent's action.execute.requested, and the parent's attempt in the child's
 * execution.accepted (or execution.reopened), so whichever of the two is found after a crash, the other one follows:
 *
 *   parent: requested {child}  ──durable──→  child: accepted {parent} … ended  ──durable──→  parent: completed, failed
 *
 * Nothing is told from one to the other before it is durable.  What a child should do is looked at anew after each
 * commit of its parent (subexec_follow), so that an order that a crash has swallowed is given again.
 * An action that waits for its child has no supervisor and takes no slot.
 */
#ifndef CREEL_CREELD_SUBEXEC_H
#define CREEL_CREELD_SUBEXEC_H

#include "creeld/flush.h"

/* struct turn's child: the execution that a start of action runs.  ctx is the daemon. */
void subexec_choose(void *ctx, const struct exec *x, uint32_t action, const json_t *inputs, char id[UUID_TEXT]);

/* The journal calls this attempt running: its child is found, or admitted, in the next turn. */
void subexec_start(struct daemon *d, struct live *parent, uint32_t action);
/* At the beginning of a turn: find or admit children, end those whose time is over. */
void subexec_turn(struct daemon *d, msec now, struct flush_job *j);
/* A commit of l is durable: what it means for its children. */
void subexec_follow(struct daemon *d, struct live *l);
/* l has ended, durably: its parent hears of it.  Was there one that waited? */
bool subexec_ended(struct daemon *d, struct live *l);

/* subexec_report.c: outputs and error of an execution that has ended, for the attempt that ran it.
 * -1 and *e: outputs that stand in a file cannot be read now. */
int subexec_report(struct exec *c, size_t most, struct attempt_report *r, struct err *e);

/* The next time at which a child's time is over; 0: none. */
msec subexec_deadline(const struct daemon *d);

#endif
