/*
 * order.h - what people tell executions: decisions in confirm/, orders in control/, and whether they were obeyed.
 *
 * Each verb drops one file for each execution and then looks in events/ for the answer: the event that obeys it, or
 * the rejection that names the file.  So what is printed is what came of it, as far as that is known within
 * ORDER_ANSWER_MS.
 */
#ifndef CREEL_CREEL_ORDER_H
#define CREEL_CREEL_ORDER_H

#include <jansson.h>

#include "creel/options.h"

enum { ORDER_ANSWER_MS = 5000 };

struct order_options {
	const char *comment; /* --comment or --reason */
	struct texts inputs; /* --input K=V */
	bool typed;          /* --input alone: what is asked for is read */
	bool json;
};

/* cancel, pause, resume: control/ID.VERB for each ID. */
int order_executions(const struct verb *v, struct cli *c, int argc, char **argv);

/* approve, reject: confirm/ID.ACTION.VERB.  retry, skip: the same where they are asked about, else control/. */
int order_action(const struct verb *v, struct cli *c, int argc, char **argv);

/* The content of a dropped file, or NULL if an empty one says it all; -1 in *status after complaining. */
json_t *order_content(const struct verb *v, const struct order_options *o, bool decision, long long number,
		      int *status);

/* One file to drop, and what came of it. */
struct order {
	struct cli *c;
	const char *verb;
	const char *id;
	const char *action;   /* or NULL */
	enum spool_dir where; /* SPOOL_CONTROL, SPOOL_CONFIRM or SPOOL_CONFIRM_BY */
	json_t *content;      /* or NULL; borrowed */
	bool secret;          /* what was typed in is in it */
	bool json;
};

/* Drop it, wait for the answer, say it.  An exit status. */
int order_give(const struct order *o);

#endif
