/*
 * options.h - the options of a verb, as a table.
 */
#ifndef CREEL_CREEL_OPTIONS_H
#define CREEL_CREEL_OPTIONS_H

#include "base/vec.h"
#include "creel/verb.h"

struct texts {
	const char **v;
	size_t n, cap;
};

enum opt_kind {
	OPT_FLAG,    /* bool */
	OPT_TEXT,    /* const char * */
	OPT_NUMBER,  /* uint64_t */
	OPT_SIZE,    /* uint64_t, in bytes; written with K, M, G or T after it if wanted (powers of 1024) */
	OPT_SECONDS, /* msec; written in seconds, with a fraction if wanted */
	OPT_LIST     /* struct texts: may be given several times */
};

struct opt {
	const char *name;
	char letter; /* or 0 */
	enum opt_kind kind;
	void *into;
};

/* Take the options out of *argv, which then begins with the first operand.  --help and --spool are understood
 * everywhere.  false: there is nothing more to do, and *status is the exit status. */
bool options(struct cli *c, const struct verb *v, const struct opt *o, size_t n, int *argc, char ***argv,
	     int *status);

/* What is wrong with the command line, and how it is meant; returns EXIT_UNABLE. */
int usage(const struct verb *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The verb's help, on stdout. */
void verb_print_help(const struct verb *v);

#define COUNT(a) (sizeof(a) / sizeof *(a))

#endif
