/*
 * supervise.h - run the action, watch over it, and end all of it.
 */
#ifndef CREEL_RUN_SUPERVISE_H
#define CREEL_RUN_SUPERVISE_H

#include "base/err.h"
#include "creel-run/attempt.h"
#include "creel-run/report.h"
#include "creel-run/spec.h"

/* Make this process a supervisor: a process group of its own, no descriptor but 0 to `last`, signals that it reads, and
 * heir of every orphan below it.  First of all. */
int supervise_prepare(int last, struct err *e);

/* Descriptor 0 becomes /dev/null, once the specification is read. */
int supervise_close_input(struct err *e);

/* Wait for the next word from the socket fd: a letter, and up to max bytes more into text, *n of them.  The letter, or
 * -1: there will be none, or a signal asks to end. */
int supervise_wait(int fd, char *text, size_t max, size_t *n);

/* Everything that comes before the action and leaves no trace outside of the attempt's directory.  -1: it failed;
 * *r says why and is the attempt's result. */
int supervise_ready(struct attempt *a, const struct spec *s, struct result *r);

/* Then: run the action, if all was ready, to its end and the end of all its descendants, and fill *r.  Whatever goes
 * wrong is a result too. */
void supervise(const struct attempt *a, const struct spec *s, struct result *r);

/* Wait a second, or less if a signal asks to end: then false. */
bool supervise_pause(void);

#endif
