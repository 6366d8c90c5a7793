/*
 * verify_impl.h - shared by the files of verify; nobody else includes it.
 */
#ifndef CREEL_STORE_VERIFY_IMPL_H
#define CREEL_STORE_VERIFY_IMPL_H

#include "store/verify.h"

struct verifier {
	const struct spool *s;
	const struct verify_how *how;
	verify_visit visit;
	void *ctx;
	struct verify_counts *counts;
	struct err unable; /* the first thing that could not be looked at */
};

void verify_report(struct verifier *v, const struct verify_finding *f);
/* What cannot be read is neither right nor damaged: the rest is looked at, and then that is said. */
void verify_unable(struct verifier *v, const char *where, const struct err *e);
/* true if it is there, or cannot be told. */
bool verify_is_there(struct verifier *v, const char *path);
typedef void (*verify_entry)(struct verifier *v, const char *dir, const char *name);
void verify_each(struct verifier *v, const char *dir, verify_entry visit);

/* verify_execution.c */
void verify_execution(struct verifier *v, const char *id);

#endif
