#include "codec/source_marks.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct marks *marks_new(void)
{
	return xcalloc(1, sizeof(struct marks));
}

void marks_free(struct marks *m)
{
	if (!m)
		return;
	vec_free(&m->nodes);
	buf_free(&m->pool);
	free(m->kids);
	free(m->text);
	free(m);
}

uint32_t marks_put(struct marks *m, const char *s, size_t n)
{
	uint32_t offset = (uint32_t)m->pool.len;

	buf_put(&m->pool, s, n);
	buf_putc(&m->pool, '\0');
	return offset;
}

const char *marks_text(const struct marks *m, uint32_t offset)
{
	return m->pool.p + offset;
}

uint32_t marks_add(struct marks *m, uint32_t parent, uint32_t name, struct place key, struct place value)
{
	vec_push(&m->nodes, (struct mark){value, name == MARK_NONE ? value : key, parent, name, 0, 0});
	if (parent != MARK_NONE)
		m->nodes.v[parent].count++;
	return (uint32_t)(m->nodes.n - 1);
}

void marks_set_scalar(struct marks *m, uint32_t node, uint32_t text)
{
	m->nodes.v[node].at = text;
	m->nodes.v[node].count = MARK_NONE;
}

const struct mark *marks_first_member(const struct marks *m, uint32_t parent, const char *name)
{
	size_t i;

	for (i = parent + 1; i < m->nodes.n; i++) {
		const struct mark *k = &m->nodes.v[i];

		if (k->parent == parent && k->name != MARK_NONE && strcmp(marks_text(m, k->name), name) == 0)
			return k;
	}
	return NULL;
}

/* Members by name; equal names, which only a text that is about to be refused has, in the order of the text. */
static int by_name(const void *a, const void *b, void *ctx)
{
	const struct marks *m = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = strcmp(marks_text(m, m->nodes.v[x].name), marks_text(m, m->nodes.v[y].name));

	return order ? order : (x > y) - (x < y);
}

/* Each node is the child of one other, so all the children fit in one array: a stretch for each parent.  Filling
 * it from the back leaves every `at` at the beginning of its stretch. */
void marks_index(struct marks *m)
{
	uint32_t end = 0;
	size_t i;

	m->kids = xmalloc((m->nodes.n + 1) * sizeof *m->kids);
	for (i = 0; i < m->nodes.n; i++) {
		if (m->nodes.v[i].count == MARK_NONE)
			continue;
		end += m->nodes.v[i].count;
		m->nodes.v[i].at = end;
	}
	for (i = m->nodes.n; i-- > 1;)
		m->kids[--m->nodes.v[m->nodes.v[i].parent].at] = (uint32_t)i;
	for (i = 0; i < m->nodes.n; i++) {
		const struct mark *k = &m->nodes.v[i];

		if (k->count != MARK_NONE && k->count > 1 && m->nodes.v[m->kids[k->at]].name != MARK_NONE)
			qsort_r(m->kids + k->at, k->count, sizeof *m->kids, by_name, m);
	}
}

static uint32_t place_among_siblings(const struct marks *m, uint32_t node)
{
	const struct mark *parent = &m->nodes.v[m->nodes.v[node].parent];
	uint32_t i = 0;

	while (i < parent->count && m->kids[parent->at + i] != node)
		i++;
	return i;
}

void marks_pointer(const struct marks *m, uint32_t node, struct buf *out)
{
	VEC(uint32_t) path = {0};
	const char *s;

	for (; m->nodes.v[node].parent != MARK_NONE; node = m->nodes.v[node].parent)
		vec_push(&path, node);
	while (path.n > 0) {
		node = path.v[--path.n];
		buf_putc(out, '/');
		if (m->nodes.v[node].name == MARK_NONE) {
			buf_printf(out, "%u", place_among_siblings(m, node));
			continue;
		}
		for (s = marks_text(m, m->nodes.v[node].name); *s; s++) {
			if (*s == '~' || *s == '/')
				buf_puts(out, *s == '~' ? "~0" : "~1");
			else
				buf_putc(out, *s);
		}
	}
	vec_free(&path);
}

/* The next token of a pointer, decoded (RFC 6901 section 4); its length, or -1 if no key can be like it. */
static int next_token(const char **pointer, char out[SOURCE_KEY_MAX + 1])
{
	const char *p = *pointer + 1;
	int n = 0;

	for (; *p && *p != '/'; p++) {
		char c = *p;

		if (c == '~') {
			p++;
			if (*p != '0' && *p != '1')
				return -1;
			c = *p == '0' ? '~' : '/';
		}
		if (n == SOURCE_KEY_MAX)
			return -1;
		out[n++] = c;
	}
	out[n] = '\0';
	*pointer = p;
	return n;
}

static uint32_t element(const struct marks *m, const struct mark *array, const char *token)
{
	uint64_t i;

	if (!text_to_u64(token, &i) || i >= array->count || (token[0] == '0' && token[1]))
		return MARK_NONE;
	return m->kids[array->at + i];
}

static uint32_t member(const struct marks *m, const struct mark *object, const char *token)
{
	uint32_t low = object->at, high = low + object->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2, node = m->kids[middle];
		int order = strcmp(token, marks_text(m, m->nodes.v[node].name));

		if (order == 0)
			return node;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return MARK_NONE;
}

const struct mark *marks_find(struct marks *m, const char *pointer, bool *exact)
{
	char token[SOURCE_KEY_MAX + 1];
	const struct mark *at;

	if (m->text)
		source_mark_json(m);
	if (m->nodes.n == 0)
		return NULL;
	if (!m->kids)
		marks_index(m);
	at = m->nodes.v;
	*exact = false;
	while (*pointer == '/') {
		uint32_t next;

		if (at->count == MARK_NONE || at->count == 0 || next_token(&pointer, token) < 0)
			return at;
		next = m->nodes.v[m->kids[at->at]].name == MARK_NONE ? element(m, at, token) : member(m, at, token);
		if (next == MARK_NONE)
			return at;
		at = &m->nodes.v[next];
	}
	*exact = *pointer == '\0';
	return at;
}
