/*
 * expr.h - expressions: conditions over references, without loops and without calls out.
 *
 *   expr    = or ;  or = and { ("or" | "||") and } ;  and = not { ("and" | "&&") not } ;
 *   not     = { "not" | "!" } cmp ;
 *   cmp     = value [ ("==" | "!=" | "===" | "!==" | "<" | "<=" | ">" | ">=" | "contains" | "matches") value ]
 *           | "exists" value | value "exists" ;
 *   value   = 'text' | "text" | number | true | false | null | path | "(" expr ")" | "${" path "}" | "{{" path "}}" ;
 *
 * A path is what ref.h says, root and member at least: a single word is not a path, and text needs quotes.  Words
 * consist of letters, digits, _ and -, so ids with hyphens work (build-linux.status); there is no arithmetic.
 * Numbers are JSON's.  In text \\ \' \" \n \t \r \$ \{ are escapes and any other backslash is refused; a pattern right
 * after `matches` keeps its backslashes for PCRE2.  A reference inside quotes is refused, since nothing would look
 * it up.
 *
 * What an action writes as key=value is text, so:
 *   ==        numbers by value; text beside a number as a number if it looks like one; text beside true or false as
 *             the word; two texts, and everything else, by kind and value.  `===` is the same.
 *   <         numbers, or text that looks like a number on either side, by value; else two texts by code point; all
 *             else is an error.
 *   contains  text in text, an element (by ==) in an array, a name in an object.  null contains nothing.
 *   matches   a PCRE2 pattern found anywhere in text (a number or boolean is taken as text).  null matches nothing.
 *   and, or, not   take what expr_truth knows, give true or false, and look no further than they must.
 *   exists    whether the reference has a value; one that is there and is null exists.
 * A path with no value is null, except under exists.
 *
 * Compiled once to a short program, evaluated without recursion; at most EXPR_TEXT_MAX bytes, parentheses nest at
 * most EXPR_DEPTH deep.  One evaluation, and one expr_match, spends at most a fixed number of steps on patterns
 * (about a second), whatever the patterns and texts are, and tries them on at most EXPR_MATCH_MAX bytes.
 */
#ifndef CREEL_CORE_EXPR_H
#define CREEL_CORE_EXPR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/ref.h"

enum { EXPR_TEXT_MAX = 4096, EXPR_DEPTH = 64, EXPR_MATCH_MAX = 1024 * 1024, EXPR_STEPS_MAX = 320 * 1000 * 1000 };

struct expr;

/* NULL: *why is a sentence (owned by the caller) that says what is wrong and where in the text: "column 7: …".
 * Columns count characters from 1. */
struct expr *expr_compile(const char *text, char **why);
void expr_free(struct expr *x);

/* Every reference in it, as often as it is there. */
void expr_refs(const struct expr *x, void (*visit)(void *ctx, const struct ref *r), void *ctx);

/* A comparison (== or !=) of a status with something that it cannot be: the message to show (owned by the caller),
 * or NULL.  Status words: pending running completed failed skipped; after prev.: success failed skipped. */
char *expr_impossible(const struct expr *x);

/* 0 and *out is a new value; -1 and *e says what could not be compared (EBADMSG), that a limit was hit (E2BIG), or
 * what the lookup said (its code).  Values of secrets are not shown. */
int expr_eval(const struct expr *x, ref_lookup lookup, void *ctx, json_t **out, struct err *e);
/* The same, and what it took in steps on patterns, of which one evaluation has EXPR_STEPS_MAX, is added to *steps. */
int expr_eval_counted(const struct expr *x, ref_lookup lookup, void *ctx, json_t **out, int64_t *steps, struct err *e);

/* The truth of a value used as a condition: 1, 0, or -1 if it is neither (see design section 4: false, 0, no, off,
 * null and empty text, in any case, are false; true, 1, yes, on are true). */
int expr_truth(const json_t *value);

/* Does text match the PCRE2 pattern, under the same limits as in expressions? 1, 0, or -1 with *e. */
int expr_match(const char *pattern, const char *text, size_t n, struct err *e);

#endif
