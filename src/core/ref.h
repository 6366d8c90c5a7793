/*
 * ref.h - references: paths into what a plan knows while it runs.
 *
 *   fetch.output.items[0].name    an action's output
 *   steps.fetch.status            the same action, spelled out; so does prev.fetch
 *   env.HOME  inputs.day  vars.x  trigger.path  secrets.token  execution.id
 *
 * A path is a root, then members (.name or ["any text"]) and indexes ([3]); a name is letters, digits, _ and -.  At
 * least one member follows the root.  Actions have the fields output, status, error and attempts; status and
 * attempts, and what is in env and secrets, are scalars: nothing follows them.  prev.ID.status speaks S1's words
 * (success, failed, skipped), everything else the state's own.  The words steps, prev, env, inputs, vars, trigger,
 * secrets and execution are roots before they are action ids; an action of that name is reached through steps.
 * Inside quotes \" \' and \\ stand for the character itself.
 *
 * In text, `${path}` and `{{path}}` stand for values; blanks may surround the path.  A string that is nothing but
 * one reference takes the value with its type; inside longer text a scalar is put as text, an array or object as
 * compact JSON, null as nothing.
 *
 *   - `${…}` without dot or bracket (`${HOME}`), and with characters that no path has outside quotes (`${A:-b.c}`,
 *     `${x[@]}`, `${x["$i"]}`), was written for a shell and is left alone.  `{{…}}` must be a reference.
 *   - `${{…}}` is neither, and refused: it would be a `$` and a value, which nobody who writes it means.
 *   - A `\` before either form, or a `$` before the first, takes its meaning away and vanishes: `\{{.Names}}` is
 *     the text `{{.Names}}`, `$${a.b}` and `\${a.b}` are `${a.b}`.  A pair of them stands for one and takes nothing
 *     away: `$$${a.output.price}` is `$` and the price.  Elsewhere `\` and `$` are just themselves.
 *   - Names of members are not searched, and a value that was put in is not searched again.
 */
#ifndef CREEL_CORE_REF_H
#define CREEL_CORE_REF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum ref_root { REF_ACTION, REF_ENV, REF_INPUTS, REF_VARS, REF_TRIGGER, REF_SECRETS, REF_EXECUTION };
enum ref_field { REF_OUTPUT, REF_STATUS, REF_ERROR, REF_ATTEMPTS };

struct ref_step {
	char *name; /* a member, or NULL for an index */
	size_t index;
};

struct ref {
	enum ref_root root;
	bool prev;            /* written as prev.ID */
	char *action;         /* REF_ACTION: its id */
	enum ref_field field; /* REF_ACTION */
	struct ref_step *step;
	size_t nsteps; /* what follows the field, or the root */
	char *text;    /* as it was written, without brackets and blanks around it */
};

enum {
	REF_TEXT_MAX = 1024,
	REF_STEPS_MAX = 32,
	REF_DEPTH = 64,                   /* of arrays and objects in a value that is searched or made */
	REF_EXPAND_MAX = 16 * 1024 * 1024 /* bytes of text in what ref_expand makes */
};

/* Parse the n bytes at s, all of them.  false: *why (valid until the next call on this thread) says what is wrong,
 * *at the offset where; either may be NULL. */
bool ref_parse(const char *s, size_t n, struct ref *out, const char **why, size_t *at);
/* The same for text that is nothing but one `${path}` or `{{path}}`. */
bool ref_parse_whole(const char *s, size_t n, struct ref *out, const char **why);
void ref_free(struct ref *r);

/* Walk r's steps into value (borrowed); NULL if something is not there. */
json_t *ref_walk(const struct ref *r, json_t *value);

/* The value of a reference (a new reference to it), or NULL.  *e is empty at the call.  NULL with e->code 0 or
 * ENOENT: it has no value, and e->text may say what there is instead (`fetch has the outputs "a", "b"`).  NULL with
 * any other code: it could not be found out, and e->text says why; that is never taken for null. */
typedef json_t *(*ref_lookup)(void *ctx, const struct ref *r, struct err *e);

/* Called for each reference in a value. */
typedef void (*ref_visit)(void *ctx, const char *pointer, const struct ref *r);
/* Called for something that looks like a reference and is not one: why, and how to write it if it is meant as text.
 * After REF_BAD_MAX in one string the search goes on with the next. */
typedef void (*ref_bad)(void *ctx, const char *pointer, const char *text, const char *why);
enum { REF_BAD_MAX = 16 };

/* Visit every reference in every string of value, in order; pointers start with base.  Either callback may be NULL.
 * Nesting beyond REF_DEPTH is reported through bad and not searched. */
void ref_scan(const json_t *value, const char *base, ref_visit visit, ref_bad bad, void *ctx);

/* A copy of value with every reference replaced.  NULL: *e says which reference is malformed (EBADMSG), has no value
 * (ENOENT; absent values inside text are an error too: nothing unknown is pasted as nothing) or could not be found
 * out (the lookup's code), with the pointer to its place in value; or that the result would exceed REF_EXPAND_MAX
 * (EFBIG) or REF_DEPTH (EBADMSG).  Takes time linear in the text read and written. */
json_t *ref_expand(const json_t *value, ref_lookup lookup, void *ctx, struct err *e);

#endif
