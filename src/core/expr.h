/*
 * expr.h - expressions: conditions over references, without loops and without calls out.
 *
 *   expr    = or ;  or = and { ("or" | "||") and } ;  and = not { ("and" | "&&") not } ;
 *   not     = ("not" | "!") not | cmp ;
 *   cmp     = value [ ("==" | "!=" | "===" | "!==" | "<" | "<=" | ">" | ">=" | "contains" | "matches") value ]
 *           | "exists" value | value "exists" ;
 *   value   = 'text' | "text" | number | true | false | null | path | "(" expr ")" | "${" path "}" | "{{" path "}}" ;
 *
 * Text and number compare as numbers when both look like numbers (outputs written as key=value are text), else ==
 * compares kind and value, and < on unlike kinds is an error.  contains: substring, array element, or object key.
 * matches: a PCRE2 pattern, found anywhere, with match and depth limits; compiled with the expression when it is a
 * literal.  A path with no value is null, except under exists.
 *
 * Compiled once, evaluated without recursion deeper than EXPR_DEPTH; size capped at EXPR_TEXT_MAX bytes.
 */
#ifndef CREEL_CORE_EXPR_H
#define CREEL_CORE_EXPR_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/ref.h"

enum { EXPR_TEXT_MAX = 4096, EXPR_DEPTH = 64 };

struct expr;

/* NULL: *why is a sentence (owned by the caller) that says what is wrong and where in the text: "column 7: …". */
struct expr *expr_compile(const char *text, char **why);
void expr_free(struct expr *x);

/* Every reference in it. */
void expr_refs(const struct expr *x, void (*visit)(void *ctx, const struct ref *r), void *ctx);

/* A comparison of a status with a word that cannot occur: the message to show (owned by the caller), or NULL.
 * Status words: pending running completed failed skipped; after prev.: success failed skipped. */
char *expr_impossible(const struct expr *x);

/* 0 and *out is a new value; -1 and *e says what could not be compared, or that a limit was hit. */
int expr_eval(const struct expr *x, ref_lookup lookup, void *ctx, json_t **out, struct err *e);

/* The truth of a value used as a condition: 1, 0, or -1 if it is neither (see design section 4: false, 0, no, off,
 * null and empty text, in any case, are false; true, 1, yes, on are true). */
int expr_truth(const json_t *value);

/* Does text match the PCRE2 pattern, under the same limits as in expressions? 1, 0, or -1 with *e. */
int expr_match(const char *pattern, const char *text, size_t n, struct err *e);

#endif
