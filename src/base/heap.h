/*
 * heap.h - a binary min-heap of (key, id): timers and ready queues.
 *
 * Entries are not removed when they go stale: whoever pops one checks it against the state it stands for and
 * drops it if it no longer holds (lazy deletion), so that the heap never has to be searched.
 */
#ifndef CREEL_BASE_HEAP_H
#define CREEL_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	int64_t key;
	uint32_t id;
};

struct heap {
	struct heap_item *v;
	size_t n, cap;
};

#define HEAP_INIT {NULL, 0, 0}

void heap_push(struct heap *h, int64_t key, uint32_t id);
/* The least entry (ties: the lower id first); false if empty. */
bool heap_peek(const struct heap *h, struct heap_item *out);
bool heap_pop(struct heap *h, struct heap_item *out);
void heap_free(struct heap *h);

#endif
