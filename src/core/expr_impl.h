/*
 * expr_impl.h - what the files of the expression language share.  Nobody else includes it.
 *
 * text -> tokens (expr_lex.c) -> program (expr_parse.c) -> value (expr_eval.c); patterns are in expr_match.c.
 */
#ifndef CREEL_CORE_EXPR_IMPL_H
#define CREEL_CORE_EXPR_IMPL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/ref.h"

/* A program in postfix order for a stack of values. */
enum expr_op {
	X_LITERAL, /* push literal */
	X_REF,     /* push the value of ref, or null */
	X_EXISTS,  /* push whether ref has a value */
	X_EQ,      /* two values -> true or false; so all up to X_MATCHES */
	X_NE,
	X_LT,
	X_LE,
	X_GT,
	X_GE,
	X_CONTAINS,
	X_MATCHES,
	X_MATCHES_RE, /* one value -> does it match re? */
	X_NOT,        /* one value -> the opposite of its truth */
	X_TRUTH,      /* one value -> its truth */
	X_AND,        /* if the top is false: make it `false` and go to target; else drop it */
	X_OR          /* the same for true */
};

struct expr_re;

struct expr_insn {
	enum expr_op op;
	int column; /* of the operator, or of the operand whose truth is asked */
	union {
		json_t *literal;
		struct ref ref;
		struct expr_re *re;
		size_t target;
	};
};

struct expr {
	struct expr_insn *code;
	size_t n;
};

/* Tokens */

enum expr_tok { T_END, T_LITERAL, T_REF, T_WORD, T_OP, T_AND, T_OR, T_NOT, T_EXISTS, T_OPEN, T_CLOSE };

struct expr_lexer {
	const char *s;
	size_t n, pos;

	/* The current token. */
	enum expr_tok tok;
	enum expr_op op; /* T_OP */
	size_t at, len;
	json_t *literal; /* T_LITERAL, until taken */
	struct ref ref;  /* T_REF, until taken */

	size_t last_at, last_len; /* the token before it */
	bool pattern;             /* that was `matches` */
	char *why;                /* the first error */
};

/* Go to the next token; false: why is set. */
bool expr_lex(struct expr_lexer *l);
void expr_lex_free(struct expr_lexer *l);
/* Set why, once, and return false. */
bool expr_fail(struct expr_lexer *l, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The column of an offset. */
int expr_column(const struct expr_lexer *l, size_t at);

/* The length of the JSON number that s starts with, or 0. */
size_t expr_number_len(const char *s, size_t n);
/* The number that the n bytes at s spell, as JSON does, or NULL. */
json_t *expr_number(const char *s, size_t n);

/* Patterns */

/* NULL: *why says what is wrong (owned by the caller), *at where in the pattern. */
struct expr_re *expr_re_compile(const char *pattern, size_t n, char **why, size_t *at);
void expr_re_free(struct expr_re *re);

/* What may yet be spent on matching. */
struct expr_budget {
	int64_t left;
};
extern const struct expr_budget expr_budget_full;

/* 1, 0, or -1 with *e. */
int expr_re_match(const struct expr_re *re, const char *text, size_t n, struct expr_budget *budget,
		  struct err *e);

#endif
