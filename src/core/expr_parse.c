/*
 * Recursive descent to a program.  It recurses for parentheses only, which are counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "core/expr.h"
#include "core/expr_impl.h"
#include "core/ref_impl.h"

struct parser {
	struct expr_lexer lex;
	VEC(struct expr_insn) code;
	size_t open[EXPR_DEPTH]; /* where each "(" that is not closed yet stands */
	int depth;
};

static void insn_free(struct expr_insn *in)
{
	if (in->op == X_LITERAL)
		json_decref(in->literal);
	else if (in->op == X_REF || in->op == X_EXISTS)
		ref_free(&in->ref);
	else if (in->op == X_MATCHES_RE)
		expr_re_free(in->re);
}

static struct expr_insn *emit(struct parser *p, enum expr_op op, size_t at)
{
	vec_push(&p->code, (struct expr_insn){.op = op, .column = expr_column(&p->lex, at)});
	return &p->code.v[p->code.n - 1];
}

/* What a message calls the token at `at`: in quotes, unless it brings its own. */
static const char *shown_token(const struct parser *p, size_t at, size_t n, char out[REF_SHOWN + 4])
{
	char cut[REF_SHOWN + 4];
	bool quoted = n > 0 && (p->lex.s[at] == '\'' || p->lex.s[at] == '"');

	ref_shown(cut, p->lex.s + at, n, 40);
	snprintf(out, REF_SHOWN + 4, n == 0 ? "the end" : quoted ? "%s" : "\"%s\"", cut);
	return out;
}

static bool unknown_word(struct parser *p)
{
	static const struct {
		const char *word, *use;
	} known[] = {{"true", "true"},     {"false", "false"},    {"null", "null"},
		     {"none", "null"},     {"nil", "null"},       {"not", "not"},
		     {"exists", "exists"}, {"undefined", "null"}, {"defined", "exists"}};
	char shown[REF_SHOWN + 4];
	AUTO_FREE char *word = xstrndup(p->lex.s + p->lex.at, p->lex.len);
	size_t i;

	ref_shown(shown, word, strlen(word), 40);
	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(word, known[i].word) == 0)
			return expr_fail(&p->lex, p->lex.at, "\"%s\" is not a reference; did you mean %s?",
					 shown, known[i].use);
	return expr_fail(&p->lex, p->lex.at, "\"%s\" is not a reference; quote it if it is text", shown);
}

static bool expected_value(struct parser *p)
{
	const struct expr_lexer *l = &p->lex;
	char found[REF_SHOWN + 4], after[REF_SHOWN + 4];

	if (l->tok == T_WORD)
		return unknown_word(p);
	if (l->tok == T_END && l->last_len == 0)
		return expr_fail(&p->lex, 0, "the expression is empty");
	shown_token(p, l->at, l->len, found);
	if (l->last_len == 0)
		return expr_fail(&p->lex, l->at, "expected a value, found %s", found);
	return expr_fail(&p->lex, l->at, "expected a value after %s, found %s",
			 shown_token(p, l->last_at, l->last_len, after), found);
}

static bool parse_or(struct parser *p);

static bool parse_paren(struct parser *p)
{
	if (p->depth == EXPR_DEPTH)
		return expr_fail(&p->lex, p->lex.at, "parentheses nest deeper than %d", EXPR_DEPTH);
	p->open[p->depth++] = p->lex.at;
	if (!expr_lex(&p->lex) || !parse_or(p))
		return false;
	p->depth--;
	return expr_lex(&p->lex); /* parse_or saw the ")" */
}

static bool parse_value(struct parser *p)
{
	struct expr_lexer *l = &p->lex;

	switch (l->tok) {
	case T_LITERAL:
		emit(p, X_LITERAL, l->at)->literal = l->literal;
		l->literal = NULL;
		return expr_lex(l);
	case T_REF:
		emit(p, X_REF, l->at)->ref = l->ref;
		l->ref = (struct ref){0};
		return expr_lex(l);
	case T_OPEN:
		return parse_paren(p);
	default:
		return expected_value(p);
	}
}

/* The value that starts at code[start] is asked for, not its value. */
static bool make_exists(struct parser *p, size_t start, size_t at)
{
	if (p->code.n != start + 1 || p->code.v[start].op != X_REF)
		return expr_fail(&p->lex, at,
				 "\"exists\" is asked of a reference, such as exists fetch.output.x");
	p->code.v[start].op = X_EXISTS;
	return true;
}

/* A pattern that is known now is compiled now, and its mistakes are found now. */
static bool make_pattern(struct parser *p, size_t start, size_t at, int column)
{
	struct expr_insn *in = &p->code.v[start];
	AUTO_FREE char *why = NULL;
	struct expr_re *re;
	size_t offset;

	if (p->code.n != start + 1 || in->op != X_LITERAL) {
		emit(p, X_MATCHES, 0)->column = column;
		return true;
	}
	if (!json_is_string(in->literal))
		return expr_fail(&p->lex, at, "a pattern is text; put it in quotes");
	re = expr_re_compile(json_string_value(in->literal), json_string_length(in->literal), &why, &offset);
	if (!re) {
		/* Right after `matches` text is kept byte for byte, so the offset is one into the source. */
		at += p->lex.s[at] != '(' ? 1 + offset : 0;
		return expr_fail(&p->lex, at, "the pattern is wrong: %s", why);
	}
	json_decref(in->literal);
	*in = (struct expr_insn){.op = X_MATCHES_RE, .column = column, .re = re};
	return true;
}

static bool parse_cmp(struct parser *p)
{
	struct expr_lexer *l = &p->lex;
	size_t start = p->code.n, at = l->at, right, right_at;
	enum expr_op op;

	if (l->tok == T_EXISTS)
		return expr_lex(l) && (at = l->at, parse_value(p)) && make_exists(p, start, at);
	if (!parse_value(p))
		return false;
	if (l->tok == T_EXISTS)
		return make_exists(p, start, at) && expr_lex(l);
	if (l->tok != T_OP)
		return true;
	op = l->op;
	at = l->at;
	right = p->code.n;
	if (!expr_lex(l))
		return false;
	right_at = l->at;
	if (!parse_value(p))
		return false;
	if (l->tok == T_OP || l->tok == T_EXISTS)
		return expr_fail(l, l->at,
				 "comparisons do not chain; join them with and, or put one in parentheses");
	if (op == X_MATCHES)
		return make_pattern(p, right, right_at, expr_column(l, at));
	emit(p, op, at);
	return true;
}

static bool parse_not(struct parser *p)
{
	size_t count = 0, at;

	for (; p->lex.tok == T_NOT; count++)
		if (!expr_lex(&p->lex))
			return false;
	at = p->lex.at;
	if (!parse_cmp(p))
		return false;
	if (count > 0)
		emit(p, count % 2 ? X_NOT : X_TRUTH, at);
	return true;
}

/* operand { sign operand }, looking no further than needed. */
static bool parse_chain(struct parser *p, enum expr_tok sign, enum expr_op jump,
			bool (*operand)(struct parser *))
{
	size_t left = p->lex.at, at;

	if (!operand(p))
		return false;
	while (p->lex.tok == sign) {
		size_t jump_at = p->code.n;

		emit(p, jump, left);
		if (!expr_lex(&p->lex))
			return false;
		at = p->lex.at;
		if (!operand(p))
			return false;
		emit(p, X_TRUTH, at);
		p->code.v[jump_at].target = p->code.n;
	}
	return true;
}

static bool parse_and(struct parser *p)
{
	return parse_chain(p, T_AND, X_AND, parse_not);
}

/* What may stand after a whole expression, inside parentheses or not, stands here. */
static bool expect_end(struct parser *p)
{
	const struct expr_lexer *l = &p->lex;
	char found[REF_SHOWN + 4];

	if (l->tok == (p->depth > 0 ? T_CLOSE : T_END))
		return true;
	if (l->tok == T_END)
		return expr_fail(&p->lex, l->at, "the \"(\" at column %d is not closed",
				 expr_column(l, p->open[p->depth - 1]));
	if (l->tok == T_CLOSE)
		return expr_fail(&p->lex, l->at, "this \")\" has no \"(\" before it");
	if (l->tok == T_NOT)
		return expr_fail(&p->lex, l->at,
				 "\"not\" stands before the whole comparison: not a.output.x == 1");
	shown_token(p, l->at, l->len, found);
	if (l->tok == T_LITERAL && l->s[l->at] == '-')
		return expr_fail(&p->lex, l->at, "expected an operator, found %s; there is no arithmetic",
				 found);
	if (l->tok == T_LITERAL && l->at == l->last_at + l->last_len)
		return expr_fail(&p->lex, l->at,
				 "expected an operator, found %s; \\' and \\\" are quotes inside text",
				 found);
	return expr_fail(&p->lex, l->at, "expected an operator such as == or and, found %s", found);
}

static bool word_as_operator(struct parser *p)
{
	static const struct {
		const char *word, *use;
	} uses[] = {{"is", "=="},
		    {"eq", "=="},
		    {"equals", "=="},
		    {"ne", "!="},
		    {"lt", "<"},
		    {"le", "<="},
		    {"gt", ">"},
		    {"ge", ">="},
		    {"gte", ">="},
		    {"lte", "<="},
		    {"like", "matches"},
		    {"match", "matches"},
		    {"AND", "and"},
		    {"OR", "or"},
		    {"And", "and"},
		    {"Or", "or"},
		    {"includes", "contains"}};
	static const char *const known[] = {"and", "or", "contains", "matches", "exists"};
	char shown[REF_SHOWN + 4];
	AUTO_FREE char *word = xstrndup(p->lex.s + p->lex.at, p->lex.len);
	const char *use = text_nearest(word, known, sizeof known / sizeof *known);
	size_t i;

	if (strcmp(word, "in") == 0)
		return expr_fail(&p->lex, p->lex.at,
				 "use contains the other way round: LIST contains ELEMENT");
	for (i = 0; i < sizeof uses / sizeof *uses; i++)
		if (strcmp(word, uses[i].word) == 0)
			use = uses[i].use;
	ref_shown(shown, word, strlen(word), 40);
	if (use)
		return expr_fail(&p->lex, p->lex.at, "\"%s\" is not an operator; use %s", shown, use);
	return expr_fail(&p->lex, p->lex.at, "expected an operator such as == or and, found \"%s\"", shown);
}

static bool parse_or(struct parser *p)
{
	if (!parse_chain(p, T_OR, X_OR, parse_and))
		return false;
	return p->lex.tok == T_WORD ? word_as_operator(p) : expect_end(p);
}

struct expr *expr_compile(const char *text, char **why)
{
	struct parser p = {.lex = {.s = text, .n = strlen(text)}};
	struct expr *x;
	size_t i;
	bool ok = false;

	*why = NULL;
	if (p.lex.n > EXPR_TEXT_MAX) {
		*why =
		    xasprintf("the expression has %zu bytes; at most %d are allowed", p.lex.n, EXPR_TEXT_MAX);
		return NULL;
	}
	for (i = 0; i < p.lex.n; i += text_utf8_len(text + i, p.lex.n - i))
		if (text_utf8_len(text + i, p.lex.n - i) == 0)
			break;
	if (i < p.lex.n)
		expr_fail(&p.lex, i, "bytes that are not UTF-8");
	else
		ok = expr_lex(&p.lex) && parse_or(&p);
	expr_lex_free(&p.lex);
	x = xmalloc(sizeof *x);
	*x = (struct expr){p.code.v, p.code.n};
	if (ok)
		return x;
	expr_free(x);
	*why = p.lex.why;
	return NULL;
}

void expr_free(struct expr *x)
{
	size_t i;

	if (!x)
		return;
	for (i = 0; i < x->n; i++)
		insn_free(&x->code[i]);
	free(x->code);
	free(x);
}

void expr_refs(const struct expr *x, void (*visit)(void *ctx, const struct ref *r), void *ctx)
{
	size_t i;

	for (i = 0; i < x->n; i++)
		if (x->code[i].op == X_REF || x->code[i].op == X_EXISTS)
			visit(ctx, &x->code[i].ref);
}
