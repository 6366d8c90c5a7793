/*
 * mem.h - allocation for small internal structures.
 *
 * These never return NULL: when memory for a small internal structure is gone, the process says so on
 * stderr and exits 111 (a temporary system failure; the journal makes a restart safe).  Anything whose size
 * an outsider chooses is capped before it reaches these functions.
 */
#ifndef CREEL_BASE_MEM_H
#define CREEL_BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
/* n elements of size bytes; dies on overflow. */
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Like xstrdup, but NULL stays NULL. */
char *xstrdup_opt(const char *s);

/* Free *p when the variable leaves its scope: `AUTO_FREE char *s = xstrdup("x");` */
void mem_auto_free(void *pointer_to_pointer);
#define AUTO_FREE __attribute__((cleanup(mem_auto_free)))

#endif
