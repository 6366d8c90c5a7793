#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/expr.h"
#include "core/expr_impl.h"
#include "core/ref_impl.h"

/* Each open parenthesis can hold back one left side; then there are the two of the innermost comparison. */
enum { STACK_MAX = EXPR_DEPTH + 4 };

struct operand {
	json_t *v;             /* owned */
	const struct ref *ref; /* where it came from, for messages; or NULL */
};

struct machine {
	struct operand stack[STACK_MAX];
	size_t n;
	struct expr_budget budget;
	struct err *e;
};

int expr_truth(const json_t *value)
{
	static const char *const no[] = {"", "false", "0", "no", "off", "null"};
	static const char *const yes[] = {"true", "1", "yes", "on"};
	double number;
	size_t i;

	if (!value || json_is_null(value) || json_is_false(value))
		return 0;
	if (json_is_true(value))
		return 1;
	if (json_is_number(value)) {
		number = json_number_value(value);
		return number == 0 ? 0 : number == 1 ? 1 : -1;
	}
	if (!json_is_string(value) || json_string_length(value) != strlen(json_string_value(value)))
		return -1;
	for (i = 0; i < sizeof no / sizeof *no; i++)
		if (strcasecmp(json_string_value(value), no[i]) == 0)
			return 0;
	for (i = 0; i < sizeof yes / sizeof *yes; i++)
		if (strcasecmp(json_string_value(value), yes[i]) == 0)
			return 1;
	return -1;
}

/* `a.output.x, the text "abc"`: what an operand is, for messages.  Secrets stay what they are. */
static void describe(struct buf *b, const struct operand *o)
{
	char shown[REF_SHOWN + 4];
	AUTO_BUF struct buf text = BUF_INIT;

	if (o->ref)
		buf_printf(b, "%s, ", ref_shown(shown, o->ref->text, strlen(o->ref->text), 40));
	switch (json_typeof(o->v)) {
	case JSON_STRING:
		if (o->ref && o->ref->root == REF_SECRETS)
			buf_puts(b, "a text");
		else
			buf_printf(b, "the text \"%s\"",
				   ref_shown(shown, json_string_value(o->v), json_string_length(o->v), 40));
		return;
	case JSON_INTEGER:
	case JSON_REAL:
		ref_put_value(&text, o->v);
		buf_printf(b, "the number %s", buf_str(&text));
		return;
	case JSON_ARRAY:
		buf_puts(b, "a list");
		return;
	case JSON_OBJECT:
		buf_puts(b, "an object");
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_puts(b, json_is_true(o->v) ? "true" : "false");
		return;
	case JSON_NULL:
		buf_puts(b, "null");
		return;
	}
}

/* How the value compares as a number: itself, or what its text spells.  A new value, or NULL. */
static json_t *as_number(const json_t *v)
{
	if (json_is_number(v))
		return json_incref((json_t *)v);
	return json_is_string(v) ? expr_number(json_string_value(v), json_string_length(v)) : NULL;
}

static int compare_numbers(const json_t *a, const json_t *b)
{
	/* A long double holds every 64-bit integer and every double. */
	long double x = json_is_integer(a) ? (long double)json_integer_value(a) : json_real_value(a);
	long double y = json_is_integer(b) ? (long double)json_integer_value(b) : json_real_value(b);

	return (x > y) - (x < y);
}

/* 0 and *out is less, equal or greater than 0; -1: they are not of a kind. */
static int compare(const json_t *a, const json_t *b, int *out)
{
	json_t *x = as_number(a), *y = as_number(b);
	int rc = 0;

	if (x && y) {
		*out = compare_numbers(x, y);
	} else if (json_is_string(a) && json_is_string(b)) {
		size_t n = json_string_length(a), m = json_string_length(b);

		/* UTF-8 sorts as its code points do. */
		*out = memcmp(json_string_value(a), json_string_value(b), n < m ? n : m);
		if (*out == 0)
			*out = (n > m) - (n < m);
	} else {
		rc = -1;
	}
	json_decref(x);
	json_decref(y);
	return rc;
}

static bool equal(const json_t *a, const json_t *b)
{
	const json_t *text = json_is_string(a) ? a : b, *other = text == a ? b : a;
	int order;

	if (json_is_string(text) && json_is_boolean(other))
		return strcmp(json_string_value(text), json_is_true(other) ? "true" : "false") == 0;
	if (json_is_number(other) && (json_is_number(text) || json_is_string(text)))
		return compare(a, b, &order) == 0 && order == 0;
	return json_equal((json_t *)a, (json_t *)b);
}

static int fail_pair(struct machine *m, const struct expr_insn *in, const char *what, const struct operand *a,
		     const char *between, const struct operand *b)
{
	AUTO_BUF struct buf x = BUF_INIT, y = BUF_INIT;

	describe(&x, a);
	describe(&y, b);
	return err_set(m->e, EBADMSG, "column %d: %s: %s %s %s", in->column, what, buf_str(&x), between,
		       buf_str(&y));
}

static int do_order(struct machine *m, const struct expr_insn *in, const struct operand *a,
		    const struct operand *b)
{
	int order;

	if (compare(a->v, b->v, &order) != 0)
		return fail_pair(m, in, "these have no order", a, "and", b);
	switch (in->op) {
	case X_LT:
		return order < 0;
	case X_LE:
		return order <= 0;
	case X_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

static int do_contains(struct machine *m, const struct expr_insn *in, const struct operand *a,
		       const struct operand *b)
{
	size_t i;
	json_t *element;

	if (json_is_null(a->v))
		return 0;
	if (json_is_array(a->v)) {
		json_array_foreach(a->v, i, element)
			if (equal(element, b->v))
				return 1;
		return 0;
	}
	if (json_is_string(b->v) && json_is_object(a->v))
		return json_object_get(a->v, json_string_value(b->v)) != NULL;
	if (json_is_string(b->v) && json_is_string(a->v))
		return memmem(json_string_value(a->v), json_string_length(a->v), json_string_value(b->v),
			      json_string_length(b->v)) != NULL;
	return fail_pair(m, in, "\"contains\" finds text in text, names in objects, anything in lists", a,
			 "contains", b);
}

static int do_match(struct machine *m, const struct expr_insn *in, const struct operand *a,
		    const struct expr_re *re)
{
	AUTO_BUF struct buf text = BUF_INIT;
	int rc;

	if (json_is_null(a->v))
		return 0;
	if (json_is_array(a->v) || json_is_object(a->v)) {
		describe(&text, a);
		return err_set(m->e, EBADMSG, "column %d: \"matches\" tries a pattern on text, not on %s",
			       in->column, buf_str(&text));
	}
	if (json_is_string(a->v)) {
		rc = expr_re_match(re, json_string_value(a->v), json_string_length(a->v), &m->budget, m->e);
	} else {
		ref_put_value(&text, a->v);
		rc = expr_re_match(re, buf_str(&text), text.len, &m->budget, m->e);
	}
	return rc < 0 ? err_prefix(m->e, "column %d", in->column) : rc;
}

/* The pattern is itself a value. */
static int do_matches(struct machine *m, const struct expr_insn *in, const struct operand *a,
		      const struct operand *b)
{
	AUTO_FREE char *why = NULL;
	struct expr_re *re;
	size_t at;
	int rc;

	if (!json_is_string(b->v))
		return fail_pair(m, in, "a pattern must be text", a, "matches", b);
	re = expr_re_compile(json_string_value(b->v), json_string_length(b->v), &why, &at);
	if (!re)
		return err_set(m->e, EBADMSG, "column %d: the pattern is wrong at its offset %zu: %s",
			       in->column, at, why);
	rc = do_match(m, in, a, re);
	expr_re_free(re);
	return rc;
}

static int do_truth(struct machine *m, const struct expr_insn *in, const struct operand *a)
{
	AUTO_BUF struct buf text = BUF_INIT;
	int truth = expr_truth(a->v);

	if (truth >= 0)
		return truth;
	describe(&text, a);
	return err_set(m->e, EBADMSG, "column %d: neither true nor false: %s", in->column, buf_str(&text));
}

static int push(struct machine *m, json_t *v, const struct ref *ref)
{
	if (m->n < STACK_MAX && v) {
		m->stack[m->n++] = (struct operand){v, ref};
		return 0;
	}
	json_decref(v);
	return err_set(m->e, v ? E2BIG : ENOMEM, "the expression could not be evaluated");
}

static void pop(struct machine *m, size_t n)
{
	while (n-- > 0)
		json_decref(m->stack[--m->n].v);
}

static int push_ref(struct machine *m, const struct expr_insn *in, ref_lookup lookup, void *ctx)
{
	struct err inner = {0};
	json_t *v = lookup(ctx, &in->ref, &inner);
	char shown[REF_SHOWN + 4];

	if (!v && inner.code != 0 && inner.code != ENOENT)
		return err_set(m->e, inner.code, "column %d: %s: %s", in->column,
			       ref_shown(shown, in->ref.text, strlen(in->ref.text), REF_SHOWN), inner.text);
	if (in->op == X_REF)
		return push(m, v ? v : json_null(), &in->ref);
	json_decref(v);
	return push(m, json_boolean(v != NULL), NULL);
}

/* An operator on the top of the stack: 1, 0 or -1; *take is how many operands it uses. */
static int operate(struct machine *m, const struct expr_insn *in, size_t *take)
{
	const struct operand *b = &m->stack[m->n - 1], *a = b;
	int rc;

	*take = in->op <= X_MATCHES ? 2 : 1;
	if (*take == 2)
		a--;
	switch (in->op) {
	case X_EQ:
	case X_NE:
		return equal(a->v, b->v) == (in->op == X_EQ);
	case X_CONTAINS:
		return do_contains(m, in, a, b);
	case X_MATCHES:
		return do_matches(m, in, a, b);
	case X_MATCHES_RE:
		return do_match(m, in, a, in->re);
	case X_NOT:
		rc = do_truth(m, in, a);
		return rc < 0 ? rc : !rc;
	case X_TRUTH:
	case X_AND:
	case X_OR:
		return do_truth(m, in, a);
	default:
		return do_order(m, in, a, b);
	}
}

static int run(struct machine *m, const struct expr *x, ref_lookup lookup, void *ctx)
{
	size_t pc = 0, take;
	int rc;

	while (pc < x->n) {
		const struct expr_insn *in = &x->code[pc++];

		if (in->op == X_LITERAL) {
			if (push(m, json_incref(in->literal), NULL) != 0)
				return -1;
			continue;
		}
		if (in->op == X_REF || in->op == X_EXISTS) {
			if (push_ref(m, in, lookup, ctx) != 0)
				return -1;
			continue;
		}
		rc = operate(m, in, &take);
		if (rc < 0)
			return -1;
		pop(m, take);
		if (in->op == X_AND || in->op == X_OR) {
			if (rc != (in->op == X_OR))
				continue; /* the other side decides */
			pc = in->target;
		}
		if (push(m, json_boolean(rc), NULL) != 0)
			return -1;
	}
	return 0;
}

int expr_eval_counted(const struct expr *x, ref_lookup lookup, void *ctx, json_t **out, int64_t *steps, struct err *e)
{
	struct err own;
	struct machine m = {.n = 0, .budget = expr_budget_full, .e = e ? e : &own};
	int rc = run(&m, x, lookup, ctx);

	*out = rc == 0 ? json_incref(m.stack[m.n - 1].v) : NULL;
	pop(&m, m.n);
	if (steps)
		*steps += expr_budget_full.left - m.budget.left;
	return rc;
}

int expr_eval(const struct expr *x, ref_lookup lookup, void *ctx, json_t **out, struct err *e)
{
	return expr_eval_counted(x, lookup, ctx, out, NULL, e);
}
