/*
 * breakers.h - the circuit breakers that are not closed, for creel status (STEP-BREAK).
 */
#ifndef CREEL_CREEL_BREAKERS_H
#define CREEL_CREEL_BREAKERS_H

#include <jansson.h>

#include "creel/common.h"
#include "creel/show_text.h"

/* What breakers/ says of them, by name: an array, empty if there are none; NULL if it cannot be read. */
json_t *breakers_read(struct cli *c);
void put_breakers(struct buf *b, const struct term *t, const json_t *breakers);

#endif
