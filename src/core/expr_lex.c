#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/expr_impl.h"
#include "core/ref_impl.h"

int expr_column(const struct expr_lexer *l, size_t at)
{
	int column = 1;
	size_t i;

	/* Characters start at every byte that does not continue one. */
	for (i = 0; i < at && i < l->n; i++)
		column += ((unsigned char)l->s[i] & 0xc0) != 0x80;
	return column;
}

bool expr_fail(struct expr_lexer *l, size_t at, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	if (l->why)
		return false;
	buf_printf(&b, "column %d: ", expr_column(l, at));
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	l->why = buf_steal(&b);
	return false;
}

void expr_lex_free(struct expr_lexer *l)
{
	json_decref(l->literal);
	l->literal = NULL;
	ref_free(&l->ref);
}

/* Text */

static bool lex_escape(struct expr_lexer *l, size_t *i, struct buf *b)
{
	static const char from[] = "\\'\"$nrt{", to[] = "\\'\"$\n\r\t{";
	char c = *i + 1 < l->n ? l->s[*i + 1] : '\0';
	const char *p = c ? strchr(from, c) : NULL;

	if (!p)
		return expr_fail(l, *i,
				 "this \"\\\" starts no escape (\\\\ \\' \\\" \\n \\t \\r \\$ \\{ are); "
				 "write \\\\ for a backslash");
	buf_putc(b, to[p - from]);
	*i += 2;
	return true;
}

/* Somebody who writes '${a.output.x}' expects its value, and would compare with dollar signs and braces. */
static bool refuse_reference(struct expr_lexer *l, size_t from, size_t n)
{
	struct ref_cursor c = {.s = l->s + from, .n = n};
	struct ref_piece piece;

	do {
		ref_next(&c, &piece);
		if (piece.kind == PIECE_REF) {
			char shown[REF_SHOWN + 4];

			expr_fail(l, (size_t)(piece.span - l->s),
				  "inside quotes nothing is looked up; write %s without quotes",
				  ref_shown(shown, piece.ref.text, strlen(piece.ref.text), REF_SHOWN));
			ref_free(&piece.ref);
			return false;
		}
	} while (piece.kind != PIECE_END);
	return true;
}

static bool lex_text(struct expr_lexer *l)
{
	char quote = l->s[l->at];
	AUTO_BUF struct buf b = BUF_INIT;
	size_t i = l->at + 1;

	while (i < l->n && l->s[i] != quote) {
		if (l->s[i] == '\\' && !l->pattern) {
			if (!lex_escape(l, &i, &b))
				return false;
			continue;
		}
		if (l->s[i] == '\\' && i + 1 < l->n)
			buf_putc(&b, l->s[i++]);
		buf_putc(&b, l->s[i++]);
	}
	if (i >= l->n)
		return expr_fail(l, l->at, "the text that starts here has no closing %c", quote);
	if (!refuse_reference(l, l->at + 1, i - l->at - 1))
		return false;
	l->pos = i + 1;
	l->literal = json_stringn_nocheck(buf_str(&b), b.len);
	l->tok = T_LITERAL;
	return true;
}

/* Words and paths */

static const struct {
	const char *word;
	enum expr_tok tok;
	enum expr_op op;
} words[] = {
    {"and", T_AND, 0},
    {"or", T_OR, 0},
    {"not", T_NOT, 0},
    {"exists", T_EXISTS, 0},
    {"contains", T_OP, X_CONTAINS},
    {"matches", T_OP, X_MATCHES},
};

static bool is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(s, word, n) == 0;
}

/* Where the path that starts at `at` ends; quotes inside brackets may hold anything. */
static size_t path_end(const struct expr_lexer *l, size_t at)
{
	size_t i = at;

	for (;;) {
		char quote = 0;

		while (i < l->n && (ref_name_char(l->s[i]) || l->s[i] == '.'))
			i++;
		if (i == l->n || l->s[i] != '[')
			return i;
		for (i++; i < l->n && (quote || l->s[i] != ']'); i++) {
			if (quote && l->s[i] == '\\')
				i++;
			else if (quote ? l->s[i] == quote : l->s[i] == '"' || l->s[i] == '\'')
				quote = quote ? 0 : l->s[i];
		}
		if (i >= l->n)
			return l->n;
		i++;
	}
}

static const char *call_hint(const char *name, size_t n)
{
	static const struct {
		const char *name, *hint;
	} hints[] = {
	    {"contains", "; write VALUE contains VALUE"},
	    {"includes", "; write VALUE contains VALUE"},
	    {"has", "; write VALUE contains VALUE"},
	    {"matches", "; write VALUE matches 'PATTERN'"},
	    {"match", "; write VALUE matches 'PATTERN'"},
	    {"test", "; write VALUE matches 'PATTERN'"},
	    {"startsWith", "; write VALUE matches '^PATTERN'"},
	    {"startswith", "; write VALUE matches '^PATTERN'"},
	    {"endsWith", "; write VALUE matches 'PATTERN$'"},
	    {"endswith", "; write VALUE matches 'PATTERN$'"},
	    {"defined", "; write exists REFERENCE"},
	    {"isset", "; write exists REFERENCE"},
	    {"success", "; write prev.ID.status == 'success'"},
	    {"failure", "; write prev.ID.status == 'failed'"},
	    {"failed", "; write prev.ID.status == 'failed'"},
	};
	size_t i;

	for (i = 0; i < sizeof hints / sizeof *hints; i++)
		if (is_word(name, n, hints[i].name))
			return hints[i].hint;
	return "";
}

/* A word before "(" calls a function, unless it is one of ours; contains and matches are ours between values. */
static bool refuse_call(struct expr_lexer *l)
{
	char shown[REF_SHOWN + 4];
	size_t i = l->at + l->len, last = i;

	while (i < l->n && ref_blank(l->s[i]))
		i++;
	if (i == l->n || l->s[i] != '(')
		return true;
	while (last > l->at && ref_name_char(l->s[last - 1]))
		last--;
	return expr_fail(l, l->at, "calls are not allowed: %s(…)%s",
			 ref_shown(shown, l->s + l->at, l->len, 40),
			 call_hint(l->s + last, l->at + l->len - last));
}

static bool lex_ref(struct expr_lexer *l, const char *path, size_t n)
{
	const char *why;
	size_t at;

	l->tok = T_REF;
	if (ref_parse(path, n, &l->ref, &why, &at))
		return true;
	return expr_fail(l, (size_t)(path - l->s) + at, "%s", why);
}

static bool lex_word(struct expr_lexer *l)
{
	const char *s = l->s + l->at;
	size_t number = expr_number_len(s, l->n - l->at), i;

	l->len = path_end(l, l->at) - l->at;
	l->pos = l->at + l->len;
	if (number > 0 && number >= l->len) {
		l->len = number;
		l->pos = l->at + number;
		l->literal = expr_number(s, number);
		l->tok = T_LITERAL;
		return l->literal ? true : expr_fail(l, l->at, "the number is too large");
	}
	for (i = 0; i < sizeof words / sizeof *words; i++) {
		if (is_word(s, l->len, words[i].word)) {
			l->tok = words[i].tok;
			l->op = words[i].op;
			return true;
		}
	}
	if (!refuse_call(l))
		return false;
	if (memchr(s, '.', l->len) || memchr(s, '[', l->len))
		return lex_ref(l, s, l->len);
	l->tok = T_LITERAL;
	if (is_word(s, l->len, "true") || is_word(s, l->len, "false"))
		l->literal = json_boolean(*s == 't');
	else if (is_word(s, l->len, "null"))
		l->literal = json_null();
	else
		l->tok = T_WORD;
	return true;
}

/* ${path} and {{path}}, as people know them from text. */
static bool lex_bracketed(struct expr_lexer *l)
{
	bool dollar = l->s[l->at] == '$';
	const char *from = l->s + l->at + 2, *end, *close = dollar ? "}" : "}}", *p;
	size_t n;

	if (dollar && l->at + 2 < l->n && *from == '{')
		return expr_fail(l, l->at,
				 "write ${path} or {{path}}, not ${{path}}; a path alone does as well");
	end = memmem(from, l->n - l->at - 2, close, strlen(close));
	if (!end)
		return expr_fail(l, l->at, "\"%s\" is not closed by \"%s\"", dollar ? "${" : "{{", close);
	l->len = (size_t)(end - (l->s + l->at)) + strlen(close);
	l->pos = l->at + l->len;
	n = (size_t)(end - from);
	ref_trim(&from, &n);
	l->tok = T_REF;
	if (ref_parse(from, n, &l->ref, NULL, NULL))
		return true;
	for (p = from; p < from + n; p++)
		if (strchr("=<>!&|(", *p))
			return expr_fail(
			    l, (size_t)(p - l->s),
			    "between %s and %s stands one reference; an expression needs no braces",
			    dollar ? "${" : "{{", close);
	return lex_ref(l, from, n);
}

/* Signs */

static const struct {
	const char *sign;
	enum expr_tok tok;
	enum expr_op op;
	const char *wrong; /* no operator: what to do */
} signs[] = {
    /* The longest first. */
    {"===", T_OP, X_EQ, NULL},
    {"!==", T_OP, X_NE, NULL},
    {"==", T_OP, X_EQ, NULL},
    {"!=", T_OP, X_NE, NULL},
    {"<=", T_OP, X_LE, NULL},
    {">=", T_OP, X_GE, NULL},
    {"&&", T_AND, 0, NULL},
    {"||", T_OR, 0, NULL},
    {"=~", T_END, 0, "use matches to try a pattern; \"=~\" is not an operator"},
    {"!~", T_END, 0, "use not and matches to try a pattern; \"!~\" is not an operator"},
    {"=>", T_END, 0, "use >= for at least; \"=>\" is not an operator"},
    {"=<", T_END, 0, "use <= for at most; \"=<\" is not an operator"},
    {"<>", T_END, 0, "use != for unequal; \"<>\" is not an operator"},
    {"<", T_OP, X_LT, NULL},
    {">", T_OP, X_GT, NULL},
    {"!", T_NOT, 0, NULL},
    {"(", T_OPEN, 0, NULL},
    {")", T_CLOSE, 0, NULL},
    {"=", T_END, 0, "use == to compare, = is not an operator"},
    {"&", T_END, 0, "use and or &&; \"&\" is not an operator"},
    {"|", T_END, 0, "use or or ||; \"|\" is not an operator"},
    {"+", T_END, 0, "there is no arithmetic: \"+\" is not an operator"},
    {"-", T_END, 0, "there is no arithmetic: \"-\" is not an operator"},
    {"*", T_END, 0, "there is no arithmetic: \"*\" is not an operator"},
    {"/", T_END, 0, "there is no arithmetic: \"/\" is not an operator (a pattern stands in quotes)"},
    {"%", T_END, 0, "there is no arithmetic: \"%\" is not an operator"},
    {"?", T_END, 0, "there is no choice between values: \"?\" is not an operator"},
    {"[", T_END, 0, "lists cannot be written here; compare with each, joined by or"},
    {"$", T_END, 0, "write env.NAME for a variable, ${path} for a reference"},
    {"{", T_END, 0, "write {{path}} or the path alone for a reference"},
    {"`", T_END, 0, "put text in ' or \""},
    {"‘", T_END, 0, "put text in straight quotes, ' or \""},
    {"’", T_END, 0, "put text in straight quotes, ' or \""},
    {"“", T_END, 0, "put text in straight quotes, ' or \""},
    {"”", T_END, 0, "put text in straight quotes, ' or \""},
    {".", T_END, 0, "a reference or number cannot start with a dot"},
    {";", T_END, 0, "one expression only: \";\" means nothing here"},
};

static bool lex_sign(struct expr_lexer *l)
{
	const char *s = l->s + l->at;
	char shown[REF_SHOWN + 4];
	size_t i, n;

	for (i = 0; i < sizeof signs / sizeof *signs; i++) {
		n = strlen(signs[i].sign);
		if (n > l->n - l->at || memcmp(s, signs[i].sign, n) != 0)
			continue;
		if (signs[i].wrong)
			return expr_fail(l, l->at, "%s", signs[i].wrong);
		l->tok = signs[i].tok;
		l->op = signs[i].op;
		l->len = n;
		l->pos = l->at + n;
		return true;
	}
	n = text_utf8_len(s, l->n - l->at);
	if (n == 0 || (unsigned char)*s < 0x20 || *s == 0x7f)
		return expr_fail(l, l->at, "a byte that means nothing here");
	return expr_fail(l, l->at, "\"%s\" means nothing here; text stands in quotes",
			 ref_shown(shown, s, n, n));
}

static bool lex_token(struct expr_lexer *l)
{
	const char *s = l->s + l->at;
	size_t n = l->n - l->at;

	if (n == 0) {
		l->tok = T_END;
		l->len = 0;
		return true;
	}
	if (*s == '\'' || *s == '"')
		return lex_text(l);
	if (n > 1 && (memcmp(s, "${", 2) == 0 || memcmp(s, "{{", 2) == 0))
		return lex_bracketed(l);
	if ((ref_name_char(*s) && *s != '-') || (*s == '-' && n > 1 && s[1] >= '0' && s[1] <= '9'))
		return lex_word(l);
	return lex_sign(l);
}

bool expr_lex(struct expr_lexer *l)
{
	bool value = l->tok == T_LITERAL || l->tok == T_REF || l->tok == T_CLOSE || l->tok == T_EXISTS;

	l->pattern = l->len > 0 && l->tok == T_OP && l->op == X_MATCHES;
	l->last_at = l->at;
	l->last_len = l->len;
	expr_lex_free(l);
	while (l->pos < l->n && ref_blank(l->s[l->pos]))
		l->pos++;
	l->at = l->pos;
	if (!lex_token(l))
		return false;
	l->len = l->pos - l->at;
	/* contains(a, b): a call, unless a value stands before it. */
	if (l->tok == T_OP && (l->op == X_CONTAINS || l->op == X_MATCHES) && !value)
		return refuse_call(l);
	return true;
}
