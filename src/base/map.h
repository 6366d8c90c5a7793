/*
 * map.h - from a string to a 32-bit number: the place where ids become indexes.
 *
 * Open addressing with linear probing over a keyed hash, so that ids chosen by an outsider cannot be made to
 * collide.  Keys are not copied: they must outlive the map or be replaced by map_put of an equal key.
 */
#ifndef CREEL_BASE_MAP_H
#define CREEL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	const char *key; /* NULL: empty; MAP_GONE: deleted */
	uint32_t hash;
	uint32_t value;
};

struct map {
	struct map_slot *slots;
	size_t n;    /* keys present */
	size_t used; /* slots that are not empty, deleted ones included */
	size_t cap;  /* a power of two, or 0 */
};

#define MAP_INIT {NULL, 0, 0, 0}
#define MAP_NONE UINT32_MAX

/* Value of key (length n), or MAP_NONE. */
uint32_t map_get_n(const struct map *m, const char *key, size_t n);
uint32_t map_get(const struct map *m, const char *key);
/* Set key to value; returns the previous value or MAP_NONE.  An equal key that is there keeps its pointer
 * unless the value was deleted before. */
uint32_t map_put(struct map *m, const char *key, uint32_t value);
/* Remove key; returns its value or MAP_NONE. */
uint32_t map_del(struct map *m, const char *key);
void map_free(struct map *m);

#endif
