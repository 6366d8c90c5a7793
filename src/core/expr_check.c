/*
 * Comparisons of a status that can have only one outcome: somebody mixed up the two sets of words, or misspelt one.
 */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/expr.h"
#include "core/expr_impl.h"
#include "core/ref_impl.h"

static const char *const state_words[] = {"pending", "running", "completed", "failed", "skipped"};
static const char *const prev_words[] = {"success", "failed", "skipped"};

/* Other words for the same. */
static const struct {
	const char *said, *state, *prev;
} synonyms[] = {
    {"success", "completed", "success"},   {"completed", "completed", "success"},
    {"succeeded", "completed", "success"}, {"successful", "completed", "success"},
    {"complete", "completed", "success"},  {"done", "completed", "success"},
    {"ok", "completed", "success"},        {"passed", "completed", "success"},
    {"finished", "completed", "success"},  {"failure", "failed", "failed"},
    {"error", "failed", "failed"},         {"errored", "failed", "failed"},
    {"cancelled", "skipped", "skipped"},   {"canceled", "skipped", "skipped"},
    {"queued", "pending", NULL},           {"waiting", "pending", NULL},
    {"started", "running", NULL},          {"in_progress", "running", NULL},
};

static bool among(const char *word, const char *const *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static const char *meant(const struct ref *r, const char *said)
{
	size_t i;

	for (i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
		if (strcmp(said, synonyms[i].said) == 0)
			return r->prev ? synonyms[i].prev : synonyms[i].state;
	return r->prev ? text_nearest(said, prev_words, 3) : text_nearest(said, state_words, 5);
}

static char *check_word(const struct expr_insn *in, const struct ref *r, const char *said)
{
	const char *use = meant(r, said);
	const char *words =
	    r->prev ? "success, failed or skipped" : "pending, running, completed, failed or skipped";
	char shown[REF_SHOWN + 4], path[REF_SHOWN + 4];

	if (r->prev ? among(said, prev_words, 3) : among(said, state_words, 5))
		return NULL;
	ref_shown(path, r->text, strlen(r->text), REF_SHOWN);
	ref_shown(shown, said, strlen(said), 40);
	if (r->prev && among(said, state_words, 5))
		return xasprintf(
		    "column %d: %s is %s; \"%s\" is the state's word: write %s.status == '%s'%s%s%s",
		    in->column, path, words, shown, r->action, said, use ? " or '" : "", use ? use : "",
		    use ? "'" : "");
	if (!r->prev && among(said, prev_words, 3))
		return xasprintf(
		    "column %d: %s is %s; \"%s\" is the word of prev: write prev.%s.status == '%s' or '%s'",
		    in->column, path, words, shown, r->action, said, use);
	if (use)
		return xasprintf("column %d: %s is %s, never \"%s\"; did you mean '%s'?", in->column, path,
				 words, shown, use);
	return xasprintf("column %d: %s is %s, never \"%s\"", in->column, path, words, shown);
}

char *expr_impossible(const struct expr *x)
{
	size_t i;

	/* Two pushes right before a comparison are its sides. */
	for (i = 2; i < x->n; i++) {
		const struct expr_insn *a = &x->code[i - 2], *b = &x->code[i - 1];
		const struct expr_insn *ref = a->op == X_REF ? a : b, *literal = ref == a ? b : a;
		char path[REF_SHOWN + 4], *message;

		if ((x->code[i].op != X_EQ && x->code[i].op != X_NE) || ref->op != X_REF ||
		    literal->op != X_LITERAL)
			continue;
		if (ref->ref.root != REF_ACTION || ref->ref.field != REF_STATUS)
			continue;
		if (!json_is_string(literal->literal))
			message = xasprintf(
			    "column %d: %s is a word in quotes, such as 'failed'; it is never equal to this",
			    literal->column,
			    ref_shown(path, ref->ref.text, strlen(ref->ref.text), REF_SHOWN));
		else
			message = check_word(literal, &ref->ref, json_string_value(literal->literal));
		if (message)
			return message;
	}
	return NULL;
}
