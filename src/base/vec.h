/*
 * vec.h - typed growable arrays.
 *
 *   VEC(int) v = {0};            an empty array of int
 *   vec_push(&v, 3);             append a copy
 *   for (size_t i = 0; i < v.n; i++) use(v.v[i]);
 *   vec_free(&v);                frees the array, not what its elements point to
 */
#ifndef CREEL_BASE_VEC_H
#define CREEL_BASE_VEC_H

#include <stdlib.h>

#include "base/mem.h"

#define VEC(T)                                                                                               \
	struct {                                                                                             \
		T *v;                                                                                        \
		size_t n, cap;                                                                               \
	}

#define vec_push(vec, ...)                                                                                   \
	do {                                                                                                 \
		if ((vec)->n == (vec)->cap) {                                                                \
			(vec)->cap = (vec)->cap ? (vec)->cap * 2 : 8;                                        \
			(vec)->v = xreallocarray((vec)->v, (vec)->cap, sizeof *(vec)->v);                    \
		}                                                                                            \
		(vec)->v[(vec)->n++] = (__VA_ARGS__);                                                        \
	} while (0)

#define vec_free(vec)                                                                                        \
	do {                                                                                                 \
		free((vec)->v);                                                                              \
		(vec)->v = NULL;                                                                             \
		(vec)->n = (vec)->cap = 0;                                                                   \
	} while (0)

#endif
