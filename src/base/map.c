#include "base/map.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

static const char gone[] = "";

#define MAP_GONE gone

static uint64_t seed(void)
{
	static _Atomic uint64_t chosen;
	uint64_t s = atomic_load_explicit(&chosen, memory_order_relaxed), none = 0;

	if (s != 0)
		return s;
	if (getrandom(&s, sizeof s, GRND_NONBLOCK) != (ssize_t)sizeof s)
		s = (uint64_t)(uintptr_t)&chosen;
	s |= 1;
	/* Another thread may have been first. */
	return atomic_compare_exchange_strong(&chosen, &none, s) ? s : none;
}

/* FNV-1a over a secret start, finished with a strong mixer: cheap for the short ids used here. */
static uint32_t hash_of(const char *key, size_t n)
{
	uint64_t h = seed() ^ 0xcbf29ce484222325u;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)key[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return (uint32_t)h;
}

static struct map_slot *find(const struct map *m, const char *key, size_t n, uint32_t hash)
{
	size_t i;

	if (m->cap == 0)
		return NULL;
	for (i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (!s->key)
			return NULL;
		if (s->key != MAP_GONE && s->hash == hash && strncmp(s->key, key, n) == 0 && s->key[n] == '\0')
			return s;
	}
}

static void insert(struct map *m, const char *key, uint32_t hash, uint32_t value)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].key)
		i = (i + 1) & (m->cap - 1);
	m->slots[i] = (struct map_slot){key, hash, value};
	m->n++;
	m->used++;
}

static void grow(struct map *m)
{
	struct map old = *m;
	size_t i;

	m->cap = 16;
	while (m->cap < old.n * 4)
		m->cap *= 2;
	m->slots = xcalloc(m->cap, sizeof *m->slots);
	m->n = m->used = 0;
	for (i = 0; i < old.cap; i++)
		if (old.slots[i].key && old.slots[i].key != MAP_GONE)
			insert(m, old.slots[i].key, old.slots[i].hash, old.slots[i].value);
	free(old.slots);
}

uint32_t map_get_n(const struct map *m, const char *key, size_t n)
{
	const struct map_slot *s = find(m, key, n, hash_of(key, n));

	return s ? s->value : MAP_NONE;
}

uint32_t map_get(const struct map *m, const char *key)
{
	return map_get_n(m, key, strlen(key));
}

uint32_t map_put(struct map *m, const char *key, uint32_t value)
{
	size_t n = strlen(key);
	uint32_t hash = hash_of(key, n);
	struct map_slot *s = find(m, key, n, hash);
	uint32_t old;

	if (s) {
		old = s->value;
		s->value = value;
		return old;
	}
	if (m->used * 2 >= m->cap)
		grow(m);
	insert(m, key, hash, value);
	return MAP_NONE;
}

uint32_t map_del(struct map *m, const char *key)
{
	size_t n = strlen(key);
	struct map_slot *s = find(m, key, n, hash_of(key, n));

	if (!s)
		return MAP_NONE;
	s->key = MAP_GONE;
	m->n--;
	return s->value;
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map)MAP_INIT;
}
