#include "model/diag.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

struct diag *diag_add(struct diags *d, const char *pointer, char *suggestion, const char *fmt, ...)
{
	struct buf message = BUF_INIT;
	va_list ap;

	if (d->n == DIAG_MAX) {
		d->more++;
		free(suggestion);
		return NULL;
	}
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 8;
		d->v = xreallocarray(d->v, d->cap, sizeof *d->v);
	}
	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	d->v[d->n] = (struct diag){xstrdup(pointer), buf_steal(&message), suggestion, 0, 0, 0};
	return &d->v[d->n++];
}

static int by_place(const struct diag *a, const struct diag *b)
{
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return 0;
}

void diags_sort(struct diags *d)
{
	size_t i, j;

	/* At most DIAG_MAX entries, nearly in order, and the sort must be stable. */
	for (i = 1; i < d->n; i++) {
		struct diag moving = d->v[i];

		for (j = i; j > 0 && by_place(&moving, &d->v[j - 1]) < 0; j--)
			d->v[j] = d->v[j - 1];
		d->v[j] = moving;
	}
}

void diags_free(struct diags *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		free(d->v[i].pointer);
		free(d->v[i].message);
		free(d->v[i].suggestion);
	}
	free(d->v);
	*d = (struct diags)DIAGS_INIT;
}
