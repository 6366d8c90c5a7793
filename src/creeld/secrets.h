/*
 * secrets.h - secrets: where their values come from, and how they are kept out of the records.
 *
 * The core and the records know only marks (core/context.h), which carry a nonce of this process, so that no
 * action's output can pose as one.  A value is read when an attempt is handed to its supervisor, from the file NAME
 * in $CREDENTIALS_DIRECTORY (systemd's LoadCredential) or, if it is not there, in the configured secrets_dir.  It
 * goes into the specification, which never touches a disk: into the environment, and once more for the supervisor to
 * mask it in what the action leaves. It is read anew for each attempt.
 */
#ifndef CREEL_CREELD_SECRETS_H
#define CREEL_CREELD_SECRETS_H

#include "base/buf.h"
#include "base/vec.h"
#include "creeld/daemon.h"

enum { SECRET_MIN = 4, SECRET_MAX = 64 * 1024 }; /* bytes; a shorter one could not be masked */

/* Values that an attempt was given. */
struct secrets {
	VEC(char *) values;
};

/* The value of a secret into out, without the newlines at its end.  -1: *e (EBADMSG) says why there is none; what is
 * in it is never named. */
int secret_read(const struct daemon *d, const char *name, struct buf *out, struct err *e);

/* Append text to out with each mark replaced by the secret, which is noted in used. */
int secrets_reveal(const struct daemon *d, const struct exec *x, const char *text, struct buf *out,
		   struct secrets *used, struct err *e);
/* Is there a mark in these n bytes? */
bool secrets_marked(const struct exec *x, const char *text, size_t n);
/* JSON text with *** for each mark in it, for the records; the caller frees it. */
char *secrets_hide(const struct exec *x, const char *json);

/* secret= for each value, in every spelling that it may have in JSON. */
void secrets_put(const struct secrets *used, struct buf *spec);
void secrets_free(struct secrets *used);

#endif
