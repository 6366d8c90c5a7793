/*
 * spares.h - supervisors that are started before they are needed.
 *
 * To start a supervisor and to make an attempt's directory takes about as long as the flush of the commit that allows
 * the attempt.  So while work goes on one or two wait with nothing to do (spares), and an attempt that has a slot is
 * handed to one while its commit is on the way to the disk (ready).  One whose attempt is finished is a spare again.
 *
 *   spawn → spare ── specification, P ──→ ready ── commit durable, G (by the flusher) ──→ running ─┐
 *             ↑   └── specification, R (by dispatch: the commit is durable) ───────────→ running ─┤
 *             └──────────────────────────────── D: its result is published ───────────────────────┘
 *
 * Until G nothing of the action happens: a supervisor whose daemon dies, or that is not wanted any more, finds the end
 * of its socket and leaves an empty lock file, which means that the attempt never started.
 */
#ifndef CREEL_CREELD_SPARES_H
#define CREEL_CREELD_SPARES_H

#include "creeld/flush.h"

/* Before all else: what every supervisor is handed (d->tokens). */
int spares_open(struct daemon *d, struct err *e);

/* Give an attempt to a supervisor, which starts it at once.  0, or -1 with *e. */
int spares_start(struct daemon *d, const struct buf *spec, struct supervisor *out, struct err *e);
/* Its attempt is over and it lives: keep it, or let it go. */
void spares_return(struct daemon *d, struct supervisor s);
/* It is dead, or it is not wanted: it leaves when it has nothing more to do. */
void supervisor_release(struct supervisor *s);

/* An attempt of l was started: how many may follow soon? */
void spares_expect(struct daemon *d, const struct live *l);
/* Have as many as were expected, or none if nothing was started for a while.  When nothing else is to do. */
void spares_keep(struct daemon *d);
/* How long nothing has to be done about them, in milliseconds; -1: for ever. */
msec spares_patience(const struct daemon *d);
/* At the end of the daemon: none is left. */
void spares_dismiss(struct daemon *d);

/* Does a supervisor that spoke say that its attempt is done?  Otherwise it is leaving. */
bool supervisor_is_done(int words);

/* Is this child a spare or ready one? */
bool spares_know(const struct daemon *d, pid_t pid);
/* A child that is not among the running was reaped. */
void spares_reaped(struct daemon *d, pid_t pid, int status);
/* Words from one that is not among the running. */
void spares_speak(struct daemon *d, int fd);

/* Hand the attempts that the job's commits start, and that have a slot, to supervisors.  Once it is in the
 * flusher. */
void ready_prepare(struct daemon *d, struct flush_job *j);
/* The commit is durable: does a ready supervisor have the attempt?  Then it is among the running now, or what came of
 * it among the inputs. */
bool ready_started(struct daemon *d, struct live *l, uint32_t action);

#endif
