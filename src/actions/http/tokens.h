/*
 * tokens.h - access tokens that attempts share: a file in memory that the daemon keeps and no disk sees.
 *
 * The content is one JSON object {KEY: {accessToken, refreshToken?, expiresAt, useUntil}}, KEY being a digest of the client
 * (oauth.c).  Whoever reads or renews holds the flock on a description of its own, so that of many that need a token
 * one asks for it; the kernel gives it back when its holder dies.  Content that a dying holder left in pieces counts
 * as empty.
 */
#ifndef CREEL_HTTP_TOKENS_H
#define CREEL_HTTP_TOKENS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"

struct tokens {
	int fd;      /* -1: nothing is shared */
	json_t *all; /* while the lock is held */
};

/* Take over descriptor fd (may be -1) under a description of our own.  Before executor_shield(). */
void tokens_open(struct tokens *t, int fd);
void tokens_close(struct tokens *t);

/* -1 and *e (ETIMEDOUT, ECANCELED) if it is not to be had until then; 0 for deadline_mono: no limit. */
int tokens_lock(struct tokens *t, msec deadline_mono, struct err *e);
void tokens_unlock(struct tokens *t);

/* While locked: the entry, borrowed, or NULL. */
const json_t *tokens_get(const struct tokens *t, const char *key);
/* While locked: replace it (entry becomes the cache's), or remove it with NULL. */
void tokens_put(struct tokens *t, const char *key, json_t *entry);

#endif
