/*
 * Patterns under limits.
 *
 * PCRE2's match limit counts anew at each place of the text where a match could start, and does not see the time
 * spent running along the text inside one item, so alone it bounds neither (a|aa)+$ on a long text nor \w+[=:].  An
 * automatic callout before each item counts both: a fixed price for the callout, one for each byte that the match
 * went ahead, and beforehand what the two items that can read much and then fail may read: a{5000} and \1.  It is
 * the same on every machine, which a clock would not be.
 */
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/expr.h"
#include "core/expr_impl.h"

enum {
	CALLOUT_PRICE = 16,
	MATCH_LIMIT = 10 * 1000 * 1000, /* per start */
	DEPTH_LIMIT = 1000 * 1000,
	HEAP_LIMIT_KIB = 32 * 1024
};

const struct expr_budget expr_budget_full = {.left = EXPR_STEPS_MAX};

struct expr_re {
	pcre2_code *code;
	char *pattern; /* callouts speak of places in it */
};

struct expr_re *expr_re_compile(const char *pattern, size_t n, char **why, size_t *at)
{
	const uint32_t options =
	    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C;
	pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
	struct expr_re *re;
	pcre2_code *code;
	char message[160];
	int error = 0;

	*at = 0;
	if (!limits) {
		*why = xstrdup("memory ran out");
		return NULL;
	}
	pcre2_set_max_pattern_length(limits, EXPR_TEXT_MAX);
	code = pcre2_compile((PCRE2_SPTR)pattern, n, options, &error, at, limits);
	pcre2_compile_context_free(limits);
	if (!code) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
		*why = xstrdup(message);
		return NULL;
	}
	re = xmalloc(sizeof *re);
	re->code = code;
	re->pattern = xmalloc(n + 1); /* n may be 0 */
	memcpy(re->pattern, pattern, n);
	return re;
}

void expr_re_free(struct expr_re *re)
{
	if (!re)
		return;
	pcre2_code_free(re->code);
	free(re->pattern);
	free(re);
}

struct meter {
	struct expr_budget *budget;
	const char *pattern;
	size_t start, position;
};

/* How often the item must be there at least, from a {N…} at its end; else 1. */
static size_t least_repeat(const char *item, size_t n)
{
	size_t repeat = 0;

	if (n > 0 && (item[n - 1] == '+' || item[n - 1] == '?'))
		n--;
	if (n == 0 || item[n - 1] != '}')
		return 1;
	while (n > 0 && item[n - 1] != '{')
		n--;
	if (n > 2 && item[n - 3] == '\\' && item[n - 2] != '\\')
		return 1; /* \x{…}, \p{…}: no repeat */
	for (; item[n] >= '0' && item[n] <= '9' && repeat < EXPR_MATCH_MAX; n++)
		repeat = repeat * 10 + (size_t)(item[n] - '0');
	return repeat > 0 ? repeat : 1;
}

static size_t longest_group(const pcre2_callout_block *block)
{
	size_t longest = 0, i;

	for (i = 1; i < block->capture_top; i++) {
		size_t from = block->offset_vector[2 * i], to = block->offset_vector[2 * i + 1];

		if (to != PCRE2_UNSET && to > from && to - from > longest)
			longest = to - from;
	}
	return longest;
}

/* What the next item may read before it fails. */
static size_t price_ahead(const struct meter *m, const pcre2_callout_block *block)
{
	const char *item = m->pattern + block->pattern_position;
	size_t n = block->next_item_length, left = block->subject_length - block->current_position, price;

	if (n < 2)
		return 0;
	price = least_repeat(item, n) - 1;
	if ((*item == '\\' && strchr("123456789gk", item[1])) || (n > 3 && memcmp(item, "(?P=", 4) == 0))
		price = (price + 1) * longest_group(block) + block->capture_top;
	return price < left ? price : left;
}

static int on_callout(pcre2_callout_block *block, void *data)
{
	struct meter *m = data;
	/* A new start, or a step back to another choice, costs nothing; what is read again from there does. */
	size_t from = block->start_match == m->start ? m->position : block->start_match;

	if (block->current_position > from)
		m->budget->left -= (int64_t)(block->current_position - from);
	m->budget->left -= CALLOUT_PRICE + (int64_t)price_ahead(m, block);
	m->start = block->start_match;
	m->position = block->current_position;
	return m->budget->left < 0 ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static int match_failed(int rc, struct err *e)
{
	char message[160];

	switch (rc) {
	case PCRE2_ERROR_MATCHLIMIT:
		return err_set(e, E2BIG, "the pattern takes too many steps on this text");
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
		return err_set(e, E2BIG, "the pattern takes too much memory on this text");
	}
	if (pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message) < 0)
		strcpy(message, "unknown error");
	return err_set(e, EBADMSG, "the pattern cannot be tried on this text: %s", message);
}

int expr_re_match(const struct expr_re *re, const char *text, size_t n, struct expr_budget *budget,
		  struct err *e)
{
	pcre2_match_context *limits = NULL;
	pcre2_match_data *data = NULL;
	struct meter meter = {.budget = budget, .pattern = re->pattern};
	int rc;

	if (n > EXPR_MATCH_MAX)
		return err_set(e, E2BIG, "the text has %zu bytes; patterns are tried on at most %d", n,
			       EXPR_MATCH_MAX);
	limits = pcre2_match_context_create(NULL);
	data = pcre2_match_data_create(1, NULL);
	if (!limits || !data) {
		rc = err_set(e, ENOMEM, "memory ran out");
	} else {
		pcre2_set_match_limit(limits, MATCH_LIMIT);
		pcre2_set_depth_limit(limits, DEPTH_LIMIT);
		pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
		pcre2_set_callout(limits, on_callout, &meter);
		rc = pcre2_match(re->code, (PCRE2_SPTR)text, n, 0, 0, data, limits);
		/* 0: it matched, with more groups than we asked for. */
		rc = rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : match_failed(rc, e);
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	return rc;
}

int expr_match(const char *pattern, const char *text, size_t n, struct err *e)
{
	struct expr_budget budget = expr_budget_full;
	AUTO_FREE char *why = NULL;
	struct expr_re *re;
	size_t at;
	int rc;

	re = expr_re_compile(pattern, strlen(pattern), &why, &at);
	if (!re)
		return err_set(e, EBADMSG, "the pattern is wrong at its offset %zu: %s", at, why);
	rc = expr_re_match(re, text, n, &budget, e);
	expr_re_free(re);
	return rc;
}
