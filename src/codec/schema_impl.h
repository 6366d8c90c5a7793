/*
 * schema_impl.h - what the files of the JSON Schema validator share; nobody else includes it.
 *
 *   schema.c           documents, resources, references: the graph of nodes that a schema compiles to
 *   schema_node.c      nodes once they are made: endless references, and freeing
 *   schema_keywords.c  the one table of keywords, and how each is taken into a node
 *   schema_uri.c       RFC 3986 references, RFC 6901 pointers
 *   schema_regex.c     ECMA-262 patterns on PCRE2
 *   schema_value.c     equality, order, divisibility and hashes of JSON values
 *   schema_check.c     a value against a node: the scalars and the way through the node
 *   schema_inside.c    the same for what objects and arrays hold
 *   schema_logic.c     anyOf, oneOf and their kin, and which branch's complaint is worth telling
 *   schema_report.c    the findings and their wording
 *   schema_words.c     values, names and types in sentences
 *   schema_text.c      scalars put back as the text they were written as
 *   schema_builtin.c   the schemas that are compiled in
 *
 * A node is one subschema.  It points into the JSON of its document (names, constants), which the schema
 * keeps or the loader's owner keeps; nothing in a compiled schema changes, so that any number of threads may
 * check with it.
 */
#ifndef CREEL_CODEC_SCHEMA_IMPL_H
#define CREEL_CODEC_SCHEMA_IMPL_H

#include <jansson.h>
#include <pcre2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/schema.h"
#include "model/diag.h"

struct buf;

enum {
	SCHEMA_DEPTH_MAX = 2000,     /* evaluations inside each other: bounds the C stack */
	SCHEMA_NESTING_MAX = 256,    /* subschemas inside each other in one document */
	SCHEMA_STEPS_MAX = 50000000, /* evaluations in one check */
	SCHEMA_MATCH_MAX = 250000,   /* PCRE2's unit of backtracking, for one match */
	SCHEMA_MATCH_KIB = 16384     /* memory for one match */
};

enum schema_type {
	TYPE_NULL = 1,
	TYPE_BOOLEAN = 2,
	TYPE_INTEGER = 4,
	TYPE_NUMBER = 8,
	TYPE_STRING = 16,
	TYPE_ARRAY = 32,
	TYPE_OBJECT = 64
};

/* A number as written in base 10: digits times a power of ten.  The sign is not needed. */
struct decimal {
	uint64_t digits;
	int exponent;
};

struct node;

struct nodes {
	const struct node **v;
	size_t n;
};

struct regex {
	pcre2_code *code;
	const char *text; /* as the schema has it */
};

struct number_rules {
	const json_t *minimum, *maximum, *above, *below, *multiple; /* NULL: not asked for */
	struct decimal divisor;
};

struct string_rules {
	size_t min, max; /* code points */
	struct regex pattern;
};

struct array_rules {
	size_t min, max;
	bool unique;
	struct nodes prefix;
	const struct node *items, *contains, *unevaluated;
	size_t min_contains, max_contains;
};

struct pattern_rule {
	struct regex name;
	const struct node *node;
};

struct dependent {
	const char *name;      /* if this member is there … */
	const char **required; /* … these must be, */
	size_t n;
	const struct node *node; /* … and this must hold, if not NULL */
};

struct object_rules {
	size_t min, max;
	const char **required;
	size_t n_required;
	struct map index; /* name of a property: its place in the next two */
	const char **names;
	struct nodes properties;
	struct pattern_rule *patterns;
	size_t n_patterns;
	const struct node *additional, *property_names, *unevaluated;
	struct dependent *dependents;
	size_t n_dependents;
};

struct logic {
	struct nodes all_of, any_of, one_of;
	const struct node *not_this, *if_this, *then_this, *else_this;
};

/* What $id makes: a schema with an address of its own, and the scope of $dynamicAnchor. */
struct resource {
	char *uri;
	size_t document;
	char *pointer;	     /* where it starts in its document; owned */
	unsigned vocabulary; /* enum schema_vocabulary */
	struct map dynamic;  /* $dynamicAnchor: index of its node */
};

struct node {
	const json_t *json;
	struct resource *resource;
	char *pointer;		/* in its document; owned */
	bool never;		/* the schema `false` */
	bool empty;		/* nothing to check */
	unsigned types;		/* 0: any */
	const json_t *constant; /* const */
	const json_t *choice;	/* enum */
	const char *message;	/* x-message */
	const char *dynamic_anchor;
	struct number_rules *number;
	struct string_rules *string;
	struct array_rules *array;
	struct object_rules *object;
	struct logic *logic;
	const struct node *ref;
	const struct node *dynamic; /* where $dynamicRef leads at first … */
	const char *dynamic_name;   /* … and the anchor to look for on the way here, or NULL */
	unsigned char walk;	    /* of schema_endless */
};

struct document {
	const json_t *json;
	char *uri; /* that it was loaded from; "" for the root */
};

struct schema {
	json_t *root;
	const struct node *start;
	VEC(struct node *) nodes;
	VEC(struct resource *) resources;
	VEC(struct document) documents;
	pcre2_match_context *limits;
};

/* --- schema.c, for schema_keywords.c --- */

enum schema_vocabulary {
	VOCABULARY_CORE = 1,
	VOCABULARY_APPLICATOR = 2,
	VOCABULARY_UNEVALUATED = 4,
	VOCABULARY_VALIDATION = 8,
	VOCABULARY_METADATA = 16,
	VOCABULARY_FORMAT = 32,
	VOCABULARY_CONTENT = 64,
	VOCABULARY_ALL = 127
};

struct compiler;

/* One keyword of one subschema on its way into the node. */
struct site {
	struct compiler *compiler;
	struct node *node;
	const char *keyword;
	json_t *value;
	unsigned depth;
};

void schema_keywords(struct site *site, const json_t *object);
/* Complain about the keyword's value. */
void schema_site_error(struct site *site, char *suggestion, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The node of a subschema that is the keyword's value, or below it under name. */
struct node *schema_site_child(struct site *site, json_t *schema, const char *name);
void schema_site_reference(struct site *site, const char *reference, bool dynamic);
void schema_site_anchor(struct site *site, const char *name, bool dynamic);

/* --- schema_node.c --- */

/* The schema that a check against n would come back to for the same value, again and again; NULL if there is
 * none. $dynamicRef is not looked into, its way is known only during a check. */
const struct node *schema_endless(const struct node *n);

/* --- schema_uri.c --- */

/* reference taken relative to base, without its fragment, which goes to *fragment (owned, percent-decoded,
 * NULL if there is none).  NULL if the fragment's escapes are wrong. */
char *schema_uri_resolve(const char *base, const char *reference, char **fragment);
/* Append /token with ~ and / escaped. */
void schema_pointer_add(struct buf *b, const char *token, size_t n);
/* Take the next token off *pointer ("" or "/…") into b, unescaped; false at the end. */
bool schema_pointer_next(const char **pointer, struct buf *b);

/* --- schema_regex.c --- */

/* 0, or -1 with the reason in *why (owned). */
int schema_regex_compile(struct regex *r, const char *text, size_t n, char **why);
enum regex_result { REGEX_NO, REGEX_YES, REGEX_COSTLY };
enum regex_result schema_regex_match(const struct regex *r, pcre2_match_context *limits,
				     pcre2_match_data *data, const char *s, size_t n);
pcre2_match_context *schema_regex_limits(void);

/* --- schema_value.c --- */

unsigned schema_type_of(const json_t *v); /* integers are TYPE_INTEGER | TYPE_NUMBER, 1.0 among them */
bool schema_equal(const json_t *a, const json_t *b);
/* Equal values have equal hashes.  *deep is set if the value nests deeper than depth. */
uint64_t schema_hash(const json_t *v, unsigned depth, bool *deep);
int schema_number_compare(const json_t *a, const json_t *b);
struct decimal schema_decimal(const json_t *number);
bool schema_is_multiple(const json_t *number, struct decimal divisor);
/* The shortest text that reads back as the number. */
void schema_number_text(struct buf *b, const json_t *number);
/* A number that counts: a non-negative integer, 2.0 included. */
bool schema_count(const json_t *v, size_t *out);
size_t schema_code_points(const char *s, size_t n);

/* --- schema_check.c: a check under way --- */

/* The way down to the value in hand; frames lie on the C stack. */
struct at {
	const struct at *up;
	const char *key; /* NULL: an element */
	size_t key_len;
	size_t index;
	unsigned depth; /* of the value: 0 for the whole */
};

/* Which members or elements of the value in hand some keyword has looked at: for unevaluated*. */
struct seen {
	size_t n;
	uint64_t few; /* serves up to 64 */
	uint64_t *many;
};

struct scope {
	const struct scope *up;
	const struct resource *resource;
};

enum finding_kind {
	FINDING_OTHER,
	FINDING_TYPE,
	FINDING_CHOICE, /* const or enum */
	FINDING_MISSING
};

struct finding {
	enum finding_kind kind;
	unsigned depth;		     /* of the place */
	const json_t *value;	     /* about this; not for FINDING_MISSING */
	unsigned types;		     /* FINDING_TYPE: those that would do */
	VEC(const json_t *) allowed; /* FINDING_CHOICE: the values that would do */
	bool single;		     /* FINDING_CHOICE: by const, which tells the branches of oneOf apart */
	const char *name;	     /* FINDING_MISSING: the property */
	char *pointer, *message, *suggestion;
	bool at_key;
};

struct findings {
	VEC(struct finding) list;
	size_t more; /* beyond DIAG_MAX */
};

struct run {
	const struct schema *schema;
	const char *base;
	struct findings *found; /* NULL: only yes or no is asked */
	const struct scope *scope;
	const char *naming; /* propertyNames is at work: the value is this member's name */
	pcre2_match_data *match;
	unsigned depth;
	size_t steps;
	struct finding stop; /* why the check was given up; message NULL: it was not */
};

/* With only yes or no to tell, the first no ends it; else all complaints are gathered. */
#define HOLDS(check)                                                                                         \
	do {                                                                                                 \
		if (!(check)) {                                                                              \
			if (!r->found)                                                                       \
				return false;                                                                \
			ok = false;                                                                          \
		}                                                                                            \
	} while (0)

bool schema_node_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
		       struct seen *seen);
enum regex_result schema_run_match(struct run *r, const struct regex *regex, const struct at *at,
				   const char *s, size_t n);

void schema_seen_init(struct seen *s, size_t n);
void schema_seen_free(struct seen *s);
void schema_seen_mark(struct seen *s, size_t i); /* s may be NULL */
void schema_seen_all(struct seen *s);		 /* s may be NULL */
bool schema_seen_has(const struct seen *s, size_t i);
void schema_seen_merge(struct seen *into, const struct seen *from);

/* --- schema_inside.c --- */

bool schema_object_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			 struct seen *seen);
bool schema_array_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			struct seen *seen);
bool schema_object_rest(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			struct seen *seen);
bool schema_array_rest(struct run *r, const struct node *n, const json_t *v, const struct at *at,
		       struct seen *seen);

/* --- schema_logic.c --- */

bool schema_logic_check(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			struct seen *seen);

/* --- schema_report.c: all return false, so that a check can end with them, and do nothing if none is asked
 * --- */

/* What is wrong in plain words, with the schema's own (x-message) as what to do. */
bool schema_report(struct run *r, const struct node *n, const struct at *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The schema's own words, where there are no better ones. */
bool schema_report_message(struct run *r, const char *message, const struct at *at);
bool schema_report_type(struct run *r, const struct node *n, const json_t *v, const struct at *at,
			unsigned types);
bool schema_report_choice(struct run *r, const struct node *n, const json_t *v, const struct at *at);
bool schema_report_missing(struct run *r, const struct node *n, const struct at *at, const char *name,
			   const char *because);
bool schema_report_unknown(struct run *r, const struct node *n, const struct at *at);
/* The schema `false`. */
bool schema_report_never(struct run *r, const struct node *n, const struct at *at);
/* One finding in place of the branches' several, which are of one kind and about one place. */
bool schema_report_merged(struct run *r, const struct finding *const *of, size_t n);
/* Give the whole check up. */
bool schema_stop(struct run *r, const struct at *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void schema_finding_free(struct finding *f);
void schema_findings_free(struct findings *f);

/* --- schema_words.c: pieces of sentences --- */

/* A value: 5, "text" (cut when long), an object. */
void schema_show(struct buf *b, const json_t *v);
void schema_show_text(struct buf *b, const char *s, size_t n);
/* What stands before item i of n: nothing, a comma, or the conjunction. */
void schema_show_separator(struct buf *b, size_t i, size_t n, const char *conjunction);
/* An enumeration: "a", "b" or "c". */
void schema_show_names(struct buf *b, const char *const *names, size_t n, const char *conjunction);
void schema_show_types(struct buf *b, unsigned types); /* a string or null */
/* base and the way down to the value. */
void schema_at_pointer(struct buf *b, const char *base, const struct at *at);

#endif
