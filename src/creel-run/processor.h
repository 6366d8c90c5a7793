/*
 * processor.h - a supervisor keeps to one processor; what it runs may use all of them.
 *
 * Supervisors are woken by one daemon and by what they run.  A scheduler that brings the waker and the woken together
 * leaves several of them on one processor while another idles.
 */
#ifndef CREEL_RUN_PROCESSOR_H
#define CREEL_RUN_PROCESSOR_H

/* Keep to the n-th of the processors that this process may use, counted around.  If that cannot be, nothing changes. */
void processor_keep(unsigned n);

/* In the child, before the exec: any of those that the supervisor was given. */
void processor_any(void);

#endif
