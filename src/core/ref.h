/*
 * ref.h - references: paths into what a plan knows while it runs.
 *
 *   fetch.output.items[0].name    an action's output
 *   steps.fetch.status            the same action, spelled out; so does prev.fetch
 *   env.HOME  inputs.day  vars.x  trigger.path  secrets.token  execution.id
 *
 * A path is a root, then members (.name or ["any text"]) and indexes ([3]).  Actions have the fields output,
 * status, error and attempts.  prev.ID.status speaks S1's words (success, failed, skipped), everything else the
 * state's own.  The words steps, prev, env, inputs, vars, trigger, secrets and execution are roots before they are
 * action ids; an action of that name is reached through steps.
 *
 * In text, `${path}` (path must have a dot or bracket, so `${HOME}` is left to the shell that it was written for)
 * and `{{path}}` stand for values.  A string that is nothing but one reference takes the value with its type;
 * inside longer text a scalar is put as text, an array or object as compact JSON, null as nothing.
 */
#ifndef CREEL_CORE_REF_H
#define CREEL_CORE_REF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum ref_root { REF_ACTION, REF_ENV, REF_INPUTS, REF_VARS, REF_TRIGGER, REF_SECRETS, REF_EXECUTION };
enum ref_field { REF_OUTPUT, REF_STATUS, REF_ERROR, REF_ATTEMPTS };

struct ref_step {
	char *name;  /* a member, or NULL for an index */
	size_t index;
};

struct ref {
	enum ref_root root;
	bool prev;            /* written as prev.ID */
	char *action;         /* REF_ACTION: its id */
	enum ref_field field; /* REF_ACTION */
	struct ref_step *step;
	size_t nsteps; /* what follows the field, or the root */
	char *text;    /* as it was written */
};

enum { REF_TEXT_MAX = 1024, REF_STEPS_MAX = 32 };

/* Parse the n bytes at s, all of them.  false: *why (a literal or freed by nobody until the next call on this
 * thread) is a sentence that says what is wrong, *at the offset where. */
bool ref_parse(const char *s, size_t n, struct ref *out, const char **why, size_t *at);
void ref_free(struct ref *r);

/* Walk r's steps into value (borrowed); NULL if something is not there. */
json_t *ref_walk(const struct ref *r, json_t *value);

/* The value of a reference (a new reference to it), or NULL if it has none. */
typedef json_t *(*ref_lookup)(void *ctx, const struct ref *r);

/* Called for each reference in a value. */
typedef void (*ref_visit)(void *ctx, const char *pointer, const struct ref *r);
/* Called for something that looks like a reference and is not one: why. */
typedef void (*ref_bad)(void *ctx, const char *pointer, const char *text, const char *why);

/* Visit every reference in every string of value; pointers start with base. */
void ref_scan(const json_t *value, const char *base, ref_visit visit, ref_bad bad, void *ctx);

/* A copy of value with every reference replaced.  NULL: *missing is the text of the first reference that has no
 * value (freed by the caller).  Absent values inside text are an error too: nothing unknown is pasted as nothing. */
json_t *ref_expand(const json_t *value, ref_lookup lookup, void *ctx, char **missing);

#endif
