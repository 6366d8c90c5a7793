/*
 * source_marks.h - inside codec/source: where each node of a text stands, and what its two readers share.
 *
 * A reader adds nodes in the order of the text, parents before children, and gives scalars their text.  The index
 * that lookups need is made by the first lookup: most files are right and nobody asks.  JSON goes further and is
 * only read for marks then, from a private copy of the text.
 *
 * Offsets are 32 bits: the text is at most 1 GiB.
 */
#ifndef CREEL_CODEC_SOURCE_MARKS_H
#define CREEL_CODEC_SOURCE_MARKS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "codec/source.h"

#define MARK_NONE UINT32_MAX

struct place {
	uint32_t line, column; /* from 1 */
};

struct mark {
	struct place value;
	struct place key; /* of its name; an element's is that of its value */
	uint32_t parent;  /* MARK_NONE for the root */
	uint32_t name;    /* in the pool; MARK_NONE for elements and the root */
	uint32_t at;      /* a scalar: its text in the pool; else where its children begin in kids */
	uint32_t count;   /* children; MARK_NONE for a scalar */
};

struct marks {
	VEC(struct mark) nodes;
	struct buf pool; /* names and scalars, a NUL after each */
	uint32_t *kids;  /* the index: children by parent, elements in order, members by name; NULL until needed */
	char *text;      /* JSON of which no marks were made yet; else NULL */
	size_t text_len;
};

struct marks *marks_new(void);
void marks_free(struct marks *m);

/* Put a copy of n bytes into the pool; its offset.  marks_text is the way back: valid until the next put. */
uint32_t marks_put(struct marks *m, const char *s, size_t n);
const char *marks_text(const struct marks *m, uint32_t offset);
/* Add a node, a container without children until they are added; its index. */
uint32_t marks_add(struct marks *m, uint32_t parent, uint32_t name, struct place key, struct place value);
void marks_set_scalar(struct marks *m, uint32_t node, uint32_t text);
/* The first member of parent with this name, by looking at every node: for messages. */
const struct mark *marks_first_member(const struct marks *m, uint32_t parent, const char *name);
void marks_index(struct marks *m);
/* The pointer of a node, put after what is in *out. */
void marks_pointer(const struct marks *m, uint32_t node, struct buf *out);
/* The node at pointer, or the nearest above it with *exact false; NULL if there are no nodes. */
const struct mark *marks_find(struct marks *m, const char *pointer, bool *exact);

/* Lines and columns of a text, going forward only. */
struct cursor {
	const char *p;
	struct place at;
	bool after_cr;
};

void cursor_move(struct cursor *c, const char *to);
struct place place_of(const char *text, size_t offset);

/* Text of an outsider as a message shows it: its beginning, whole characters, on one line. */
enum { SHOWN_BYTES = 48, SHOWN = SHOWN_BYTES * 4 + sizeof "…" };
const char *shown(char out[SHOWN], const char *s, size_t n);

/* Put the place into a finding that diag_add made (NULL if it was only counted). */
void diag_at(struct diag *d, struct place at);

/* What both readers refuse in the same words. */
void refuse_depth(struct diags *d, struct place at, size_t limit);
void refuse_nodes(struct diags *d, struct place at, size_t limit);
void refuse_key_length(struct diags *d, struct place at);
void refuse_duplicate(struct diags *d, const char *pointer, const char *name, struct place at, struct place first);
void refuse_big_number(struct diags *d, const char *pointer, const char *text, size_t n, struct place at);
void refuse_escaped_nul(struct diags *d, const char *pointer, struct place at);
void refuse_memory(struct diags *d);

/* The readers.  The text is UTF-8, has no NUL and is within the limit.  true: root (NULL if empty) and marks are
 * set. */
bool source_read_yaml(const char *text, size_t n, const struct source_limits *limits, struct source *out,
		      struct diags *errors);
bool source_read_json(const char *text, size_t n, const struct source_limits *limits, struct source *out,
		      struct diags *errors);
/* Say what libyaml found wrong with the text. */
struct yaml_parser_s;
void source_yaml_complain(const struct yaml_parser_s *parser, const char *text, size_t n, struct diags *errors);
/* Make the marks of m->text, which jansson has accepted. */
void source_mark_json(struct marks *m);

/* What a plain YAML scalar means by the 1.2 core schema. */
enum core_result {
	CORE_OK,
	CORE_TOO_BIG,   /* beyond 64 bits or beyond a double */
	CORE_NOT_FINITE /* .inf and .nan */
};

/* On CORE_OK *value is a new reference (NULL only when memory is gone). */
enum core_result core_resolve(const char *s, size_t n, json_t **value);

#endif
