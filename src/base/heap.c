#include "base/heap.h"

#include <stdlib.h>

#include "base/mem.h"

static bool less(struct heap_item a, struct heap_item b)
{
	return a.key < b.key || (a.key == b.key && a.id < b.id);
}

void heap_push(struct heap *h, int64_t key, uint32_t id)
{
	struct heap_item item = {key, id};
	size_t i = h->n;

	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->v = xreallocarray(h->v, h->cap, sizeof *h->v);
	}
	h->n++;
	while (i > 0 && less(item, h->v[(i - 1) / 2])) {
		h->v[i] = h->v[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->v[i] = item;
}

bool heap_peek(const struct heap *h, struct heap_item *out)
{
	if (h->n == 0)
		return false;
	*out = h->v[0];
	return true;
}

bool heap_pop(struct heap *h, struct heap_item *out)
{
	struct heap_item last;
	size_t i = 0, child;

	if (!heap_peek(h, out))
		return false;
	last = h->v[--h->n];
	for (;;) {
		child = 2 * i + 1;
		if (child >= h->n)
			break;
		if (child + 1 < h->n && less(h->v[child + 1], h->v[child]))
			child++;
		if (!less(h->v[child], last))
			break;
		h->v[i] = h->v[child];
		i = child;
	}
	h->v[i] = last;
	return true;
}

void heap_free(struct heap *h)
{
	free(h->v);
	*h = (struct heap)HEAP_INIT;
}
