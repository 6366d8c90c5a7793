/*
 * world.c - the memory that a world lies in, its dice, and its trace.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/sim/sim.h"

enum { ARENA = 1 << 30 }; /* address space; only what is touched costs */

static char *arena;
struct world *W;

void world_map(void)
{
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED) {
		perror("sim: mmap");
		exit(111);
	}
	W = (struct world *)arena;
}

void world_reset(uint64_t seed)
{
	/* What was touched goes back, and is zero again. */
	if (madvise(arena, ARENA, MADV_REMOVE) < 0) {
		perror("sim: madvise");
		exit(111);
	}
	W->seed = seed;
	W->dice = seed << 16; /* of its own, so that the other worlds stay as they are */
	W->aimed = one_in(3);
	W->dice = seed;
	W->next = arena + sizeof *W + 64 - sizeof *W % 64;
	W->end = arena + ARENA;
	dice64();
}

static unsigned bin_of(size_t n)
{
	unsigned b = 5;

	while (((size_t)1 << b) < n)
		b++;
	return b;
}

void *arena_alloc(size_t n)
{
	unsigned b = bin_of(n);
	size_t size = (size_t)1 << b;
	void *p = W->bins[b];

	if (p) {
		memcpy(&W->bins[b], p, sizeof(void *));
	} else {
		p = W->next;
		if (size > (size_t)(W->end - W->next)) {
			fprintf(stderr, "sim: seed %llu: the world is too large\n", (unsigned long long)W->seed);
			_exit(112);
		}
		W->next += size;
	}
	return memset(p, 0, size);
}

void arena_free(void *p, size_t n)
{
	unsigned b = bin_of(n);

	if (!p)
		return;
	memcpy(p, &W->bins[b], sizeof(void *));
	W->bins[b] = p;
}

char *arena_text(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(arena_alloc(n), s, n);
}

void *arena_grow(void *v, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? *cap * 2 : 8;
	void *p;

	if (n < *cap)
		return v;
	p = arena_alloc(more * size);
	if (v)
		memcpy(p, v, n * size);
	arena_free(v, *cap * size);
	*cap = more;
	return p;
}

static void bytes_room(struct bytes *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 64;
	char *p;

	if (n <= b->cap)
		return;
	while (cap < n)
		cap *= 2;
	p = arena_alloc(cap);
	if (b->n)
		memcpy(p, b->p, b->n);
	arena_free(b->p, b->cap);
	b->p = p;
	b->cap = cap;
}

void bytes_put(struct bytes *b, size_t at, const void *p, size_t n)
{
	bytes_room(b, at + n);
	if (at > b->n)
		memset(b->p + b->n, 0, at - b->n);
	if (n)
		memcpy(b->p + at, p, n);
	if (at + n > b->n)
		b->n = at + n;
}

void bytes_cut(struct bytes *b, size_t n)
{
	if (n > b->n) {
		bytes_room(b, n);
		memset(b->p + b->n, 0, n - b->n);
	}
	b->n = n;
}

void bytes_free(struct bytes *b)
{
	arena_free(b->p, b->cap);
	*b = (struct bytes){0};
}

/* ---- dice: splitmix64 ---- */

uint64_t dice64(void)
{
	uint64_t z = W->dice += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t below(uint32_t n)
{
	return n ? (uint32_t)((dice64() >> 32) * n >> 32) : 0;
}

bool one_in(uint32_t n)
{
	return n && below(n) == 0;
}

int64_t between(int64_t least, int64_t most)
{
	return least + (int64_t)(dice64() % (uint64_t)(most - least + 1));
}

/* ---- what is said ---- */

void say(const char *fmt, ...)
{
	va_list ap;

	if (!W->loud)
		return;
	fprintf(stderr, "%u %8.3f ", W->life, (double)W->mono / SECOND);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void broke(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!W->broken[0])
		vsnprintf(W->broken, sizeof W->broken, fmt, ap);
	va_end(ap);
	say("BROKEN: %s", W->broken);
	_exit(3);
}
