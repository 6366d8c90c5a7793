/*
 * member.h - the name of an entry in an archive of executions, taken apart.  Pure.
 *
 *   executions/DAY/ID/plan.json …    as in a spool, so that tar alone can put it back
 *
 * Names come from strangers: one that is absolute, has an empty, "." or ".." part, a part that is too long, or that
 * no execution has is refused.  Below an attempt's directory an action may have put anything.
 */
#ifndef CREEL_STORE_MEMBER_H
#define CREEL_STORE_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "model/plan.h"

enum { MEMBER_DEPTH_MAX = 64, MEMBER_PATH_MAX = 4095, MEMBER_NAME_MAX = 255 };

enum member_kind {
	MEMBER_ABOVE,   /* executions, executions/DAY: a directory above an execution's */
	MEMBER_TOP,     /* the execution's directory, or one that it always has: journal, actions, control */
	MEMBER_PLAN,    /* plan.json */
	MEMBER_STATE,   /* state.json */
	MEMBER_SOURCE,  /* source.yaml, .yml, .json */
	MEMBER_EMPTY,   /* empty.json */
	MEMBER_COMMIT,  /* journal/00000001.json */
	MEMBER_TORN,    /* journal/00000001.json.torn */
	MEMBER_CONTROL, /* control/SEQ-… */
	MEMBER_ACTION,  /* actions/ACTION: a directory */
	MEMBER_ATTEMPT, /* actions/ACTION/N and below */
	MEMBER_CONFIRM  /* actions/ACTION/confirm-N and below */
};

struct member {
	enum member_kind kind;
	char id[UUID_TEXT];
	const char *rest; /* below the execution's directory, in the path; "": that itself */
	char action[ACTION_ID_MAX + 12];
	uint32_t number; /* of the commit, the attempt, the request */
	const char *below; /* of ATTEMPT and CONFIRM: what follows, in the path; "": that directory itself */
};

/* 0, or -1 and *e says what is wrong with the name.  path must live as long as *m; one / at its end does not count. */
int member_parse(const char *path, struct member *m, struct err *e);

/* The same for a name below an execution's directory. */
int member_parse_rest(const char *rest, struct member *m, struct err *e);

/* Is this member a directory, if the archive has it? ATTEMPT and CONFIRM: only if nothing follows; else it may be. */
bool member_is_dir(const struct member *m);

#endif
