#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/schema_impl.h"

/*
 * JSON Schema's patterns are those of ECMA-262 with Unicode.  PCRE2 understands nearly all of it; what
 * differs is rewritten here, and escapes that mean something in Perl only are refused.
 */

/* ECMA-262 knows the general categories by their long names too. */
static const char *const categories[][2] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"LC", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};

/* White space of ECMA-262 beyond what PCRE2's \s has, for the inside of a class. */
#define MORE_SPACE "\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"
/* Letters and digits that may follow a backslash. */
#define ESCAPES "bBcdDfknpPrsStuvwWx0123456789"

/* The property's name between braces, as PCRE2 calls it. */
static void add_property(struct buf *out, const char *name, size_t n)
{
	static const char *const prefixes[][2] = {
	    {"General_Category=", ""}, {"gc=", ""},	   {"Script_Extensions=", "scx:"},
	    {"scx=", "scx:"},	       {"Script=", "sc:"}, {"sc=", "sc:"}};
	size_t i;

	for (i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		size_t len = strlen(prefixes[i][0]);

		if (n > len && memcmp(name, prefixes[i][0], len) == 0) {
			buf_puts(out, prefixes[i][1]);
			name += len;
			n -= len;
			break;
		}
	}
	for (i = 0; i < sizeof categories / sizeof *categories; i++) {
		if (strlen(categories[i][0]) == n && memcmp(name, categories[i][0], n) == 0) {
			buf_puts(out, categories[i][1]);
			return;
		}
	}
	buf_put(out, name, n);
}

/* The escape at p (p[0] is the backslash, n > 1); how many bytes it took, or 0 if ECMA-262 does not know it.
 */
static size_t add_escape(struct buf *out, const char *p, size_t n, bool in_class)
{
	char c = p[1];
	const char *end;

	if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) && !strchr(ESCAPES, c))
		return 0;
	if ((c == 'p' || c == 'P') && n > 2 && p[2] == '{' && (end = memchr(p, '}', n))) {
		buf_put(out, p, 3);
		add_property(out, p + 3, (size_t)(end - p) - 3);
		buf_putc(out, '}');
		return (size_t)(end - p) + 1;
	}
	if (c == 's')
		buf_puts(out, in_class ? "\\s" MORE_SPACE : "[\\s" MORE_SPACE "]");
	else if (c == 'S' && !in_class)
		buf_puts(out, "[^\\s" MORE_SPACE "]");
	else
		buf_put(out, p, 2);
	return 2;
}

/* false with the reason in *why. */
static bool translate(struct buf *out, const char *p, size_t n, char **why)
{
	bool in_class = false;
	size_t i = 0, took;

	while (i < n) {
		if (p[i] == '\\' && i + 1 < n) {
			took = add_escape(out, p + i, n - i, in_class);
			if (took == 0) {
				*why = xasprintf("\\%c is not an escape of ECMA-262, at offset %zu", p[i + 1],
						 i);
				return false;
			}
			i += took;
			continue;
		}
		if (!in_class && p[i] == '(' && i + 1 < n && p[i + 1] == '*') {
			*why = xasprintf("nothing to repeat at offset %zu", i + 1);
			return false;
		}
		if (!in_class && p[i] == '.')
			buf_puts(out, "[^\\n\\r\\u2028\\u2029]");
		else if (in_class && p[i] == '[')
			buf_puts(out, "\\["); /* no POSIX classes there */
		else
			buf_putc(out, p[i]);
		if (p[i] == '[')
			in_class = true;
		else if (p[i] == ']')
			in_class = false;
		i++;
	}
	return true;
}

int schema_regex_compile(struct regex *r, const char *text, size_t n, char **why)
{
	AUTO_BUF struct buf pattern = BUF_INIT;
	pcre2_compile_context *context;
	PCRE2_UCHAR reason[200];
	PCRE2_SIZE offset;
	int error;

	if (!translate(&pattern, text, n, why))
		return -1;
	context = pcre2_compile_context_create(NULL);
	if (!context) {
		*why = xstrdup("no memory");
		return -1;
	}
	pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
	/* No JIT: services that deny writable code have none, and the limits count differently in it. */
	r->code = pcre2_compile((PCRE2_SPTR)buf_str(&pattern), pattern.len,
				PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
				    PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C,
				&error, &offset, context);
	pcre2_compile_context_free(context);
	if (!r->code) {
		pcre2_get_error_message(error, reason, sizeof reason);
		*why = xasprintf("%s", (const char *)reason);
		return -1;
	}
	r->text = text;
	return 0;
}

pcre2_match_context *schema_regex_limits(void)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);

	if (limits) {
		pcre2_set_match_limit(limits, SCHEMA_MATCH_MAX);
		pcre2_set_heap_limit(limits, SCHEMA_MATCH_KIB);
	}
	return limits;
}

enum regex_result schema_regex_match(const struct regex *r, pcre2_match_context *limits,
				     pcre2_match_data *data, const char *s, size_t n)
{
	int rc = pcre2_match(r->code, (PCRE2_SPTR)s, n, 0, 0, data, limits);

	if (rc >= 0)
		return REGEX_YES;
	switch (rc) {
	case PCRE2_ERROR_MATCHLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
	case PCRE2_ERROR_NOMEMORY:
		return REGEX_COSTLY;
	default: /* no match, or bytes that are not UTF-8 */
		return REGEX_NO;
	}
}
