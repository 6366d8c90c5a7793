/*
 * plan_file.h - a plan on its way into a spool: read, judged as the daemon will judge it, and the findings shown.
 */
#ifndef CREEL_CREEL_PLAN_FILE_H
#define CREEL_CREEL_PLAN_FILE_H

#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"
#include "creel/verb.h"
#include "model/diag.h"

struct plan_file {
	const char *name; /* as findings name it: the argument, or "<stdin>" */
	const char *ext;  /* "yaml", "yml" or "json": from the name, else from the look of the text */
	struct buf text;
};

/* Read the file arg ("-" is stdin).  -1 after complaining.  What is larger than any plan may be is read as far as
 * that, and plan_file_check() finds fault with it. */
int plan_file_read(const char *arg, struct plan_file *f);
void plan_file_free(struct plan_file *f);

/* The number of actions, or -1 and the findings.  Names of plans and definitions are looked up in the spool's catalog, if
 * a spool is opened and its catalog can be read. */
long plan_file_check(struct cli *c, const struct plan_file *f, struct diags *findings);

/* FILE:LINE:COL: POINTER: MESSAGE; SUGGESTION, one line a finding. */
void findings_print(FILE *out, const char *name, const struct diags *findings);
/* The same for the `errors` of a report from rejected/. */
void report_print(FILE *out, const char *name, const json_t *report);

#endif
