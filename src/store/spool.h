/*
 * spool.h - the directories of a spool, and the only builder of the paths in it.
 *
 * Ids become paths here and nowhere else.  An id that is not well formed is a bug of the caller, who must have
 * checked what came from outside: it aborts.  All names are relative to the spool's descriptor, so that nobody can
 * exchange a directory above us while we work.
 *
 * Source of the layout: design section 2.
 */
#ifndef CREEL_STORE_SPOOL_H
#define CREEL_STORE_SPOOL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/uuid.h"

enum spool_dir {
	SPOOL_ROOT,
	SPOOL_INBOX,
	SPOOL_REJECTED,
	SPOOL_CONFIRM,
	SPOOL_CONFIRM_BY,
	SPOOL_CONTROL,
	SPOOL_RESULTS,
	SPOOL_EXECUTIONS,
	SPOOL_ACTIVE,
	SPOOL_QUARANTINE,
	SPOOL_CATALOG,
	SPOOL_EVENTS,
	SPOOL_TMP,
	SPOOL_BREAKERS,
	SPOOL_APIS,
	SPOOL_DIR_COUNT
};

struct spool {
	char *path; /* absolute */
	int fd[SPOOL_DIR_COUNT];
	dev_t dev;
	ino_t ino;
};

enum { SPOOL_PATH_MAX = 256 }; /* of the names built here, relative to the spool */

/* "inbox" and so on; "." for the root. */
const char *spool_dir_name(enum spool_dir d);

/* Make a spool at path, or complete one: every directory with its mode.  group may be NULL (drop directories 0700)
 * or the name of the group that may drop (3770). */
int spool_create(const char *path, const char *group, struct err *e);

/* Is path a spool (has it the directories)? */
bool spool_is(const char *path);

/* Open every directory.  Refuses what is no spool, and what is spread over several file systems. */
int spool_open(struct spool *s, const char *path, struct err *e);
/* Nothing happens to one that is closed, or all zeros. */
void spool_close(struct spool *s);

/* Could somebody else replace the spool's own directories?  -1 and *e names the first that they could. */
int spool_check_safe(const struct spool *s, struct err *e);

/* Is this process the user that the executions belong to?  What another one makes (root, too) the daemon could not
 * write to.  -1 and *e says who it is. */
int spool_check_mine(const struct spool *s, struct err *e);

/* "executions/YYYY-MM-DD/ID" and below it. */
void spool_execution_day(const char *id, char out[SPOOL_PATH_MAX]);
void spool_execution_path(const char *id, char out[SPOOL_PATH_MAX]);
void spool_commit_path(const char *id, uint32_t seq, char out[SPOOL_PATH_MAX]);
void spool_attempt_path(const char *id, const char *action, uint32_t attempt, char out[SPOOL_PATH_MAX]);
/* "actions/ACTION/N/NAME": relative to the execution, as records have it. */
void spool_attempt_file(const char *action, uint32_t attempt, const char *name, char out[SPOOL_PATH_MAX]);
void spool_confirm_path(const char *id, const char *action, uint32_t number, char out[SPOOL_PATH_MAX]);
void spool_active_path(const char *id, char out[SPOOL_PATH_MAX]);
void spool_request_path(const char *id, const char *action, char out[SPOOL_PATH_MAX]);
/* What is being removed, and what is being imported: "tmp/ID.gone", "tmp/ID.import". */
void spool_gone_path(const char *id, char out[SPOOL_PATH_MAX]);
void spool_import_path(const char *id, char out[SPOOL_PATH_MAX]);
void spool_quarantine_path(const char *id, char out[SPOOL_PATH_MAX]);
void spool_result_name(const char *id, const char *action, uint32_t attempt, char out[SPOOL_PATH_MAX]);

/* Take "ID.ACTION.REST" or "ID.REST" apart: what a dropped name says.  Points into name, which is changed.  false if
 * it does not begin with an execution id. */
bool spool_split_name(char *name, char **id, char **action, char **rest);

/* Take the name of an announced result, ID.ACTION.N.json, apart from the right, because ACTION may be an instance
 * with a number of its own.  name is changed and becomes the id; false if it is no such name. */
bool spool_split_result(char *name, char **action, uint32_t *attempt);

/* Is this a name that every scan leaves alone (dotted, or ending in ~ .tmp .swp .part)? */
bool spool_ignored_name(const char *name);

/* Free bytes and inodes of the spool's file system. */
int spool_room(const struct spool *s, unsigned long long *bytes, unsigned long long *inodes);

#endif
