/*
 * ids.h - from what a person typed to an execution, and all executions newest first.
 *
 * Ids are UUIDv7: their beginnings are times and look alike, their ends are random.  So tables show the last
 * ID_SHORT characters, and either a beginning or an end that fits one execution only is accepted.
 */
#ifndef CREEL_CREEL_IDS_H
#define CREEL_CREEL_IDS_H

#include "base/uuid.h"
#include "base/vec.h"
#include "creel/verb.h"

enum { ID_SHORT = 8, ID_LEAST = 4 };

static inline const char *id_short(const char *id)
{
	return id + UUID_TEXT - 1 - ID_SHORT;
}

/* The execution that word names: an id, a beginning or an end of one, a path to its directory, or "last".
 * EXIT_DONE, else an exit status after complaining (candidates are listed where several fit). */
int id_resolve(struct cli *c, const char *word, char id[UUID_TEXT]);

struct id_list {
	char **v;
	size_t n, cap;
};

/* Every execution, newest first, one day's names in memory at a time. */
struct id_walk {
	struct cli *c;
	struct id_list days;
	size_t day; /* the next of days */
	struct id_list ids; /* of the day in hand */
	size_t at;
};

int id_walk_open(struct id_walk *w, struct cli *c); /* -1 after complaining */
bool id_walk_next(struct id_walk *w, char id[UUID_TEXT]);
void id_walk_close(struct id_walk *w);

/* What is in active/ (or any directory of names that are ids), newest first. */
int id_list_dir(struct cli *c, enum spool_dir d, struct id_list *out);
void id_list_free(struct id_list *l);

/* Is there a link of that name in active/, in quarantine/? */
bool id_is_active(struct cli *c, const char *id);
bool id_is_quarantined(struct cli *c, const char *id);

#endif
