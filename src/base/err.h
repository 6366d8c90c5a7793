/*
 * err.h - why an operation on the environment failed.
 *
 * A function that can fail takes a `struct err *` as its last argument, returns 0 or -1 (or a pointer or NULL),
 * and on failure leaves the errno value and one sentence there: what was attempted, on what, and the system's
 * reason.  Libraries never log; the program that got the error says what happens next.
 */
#ifndef CREEL_BASE_ERR_H
#define CREEL_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

struct err {
	int code;       /* an errno value; 0 if nothing failed; EBADMSG for content that is wrong */
	char text[400]; /* a sentence without a full stop; empty if nothing failed */
};

/* Set *e (which may be NULL) and return -1.  err_sys appends ": " and strerror(code). */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Does this errno value speak of the machine and not of the thing that was asked for: a shortage, or a device that
 * failed?  Then nothing is known of the thing, and the answer may be another one when it is tried again. */
bool err_is_passing(int code);
/* Put "WHERE: " before the text that is there; returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
