/*
 * pinned_load.h - the pinned definitions and APIs of a canonical plan, and which of its actions they are for.
 */
#ifndef CREEL_CODEC_PINNED_LOAD_H
#define CREEL_CODEC_PINNED_LOAD_H

#include <jansson.h>

#include "model/plan.h"

/* Fill p->pinned and p->apis from `definitions` and `apis`.  What is not there is not there: whoever admits a plan has
 * complained. */
void pinned_load(struct plan *p, const json_t *canonical);

/* Set what follows for an action whose definition and inputs are known: pinned, api, http, unsafe. */
void pinned_use(const struct plan *p, struct action *a, const json_t *inputs);

/* The literal part at the beginning of a URL that may hold references; owned by the caller. */
char *pinned_url_prefix(const char *url);

#endif
