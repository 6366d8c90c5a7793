/*
 * source_yaml_error.c - what libyaml found wrong, in words that help to mend it.
 */
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "codec/source_marks.h"

static const struct {
	const char *problem; /* libyaml's */
	const char *words;   /* ours */
	const char *suggestion;
} known[] = {
	{"mapping values are not allowed in this context", "a ':' is not expected here",
	 "put text that contains ': ' in quotes; else look at the indentation of this line and the one above"},
	{"mapping keys are not allowed in this context", "a key is not expected here",
	 "look at the indentation of this line and the one above"},
	{"block sequence entries are not allowed in this context", "a list entry ('- ') is not expected here",
	 "begin the list on a line of its own; put text that begins with '-' in quotes"},
	{"did not find expected key", "a key, or the end of this block, is expected here",
	 "look at the indentation of this line, and for a quote or bracket that ends too early"},
	{"did not find expected '-' indicator", "a list entry ('- ') is expected here",
	 "look at the indentation: all entries of a list begin in the same column"},
	{"could not find expected ':'", "a ':' is missing after this key",
	 "write 'key: value' on one line; a key has at most 1024 characters"},
	{"did not find expected ',' or ']'", "a ',' or ']' is expected here", "look for a '[' that is not closed"},
	{"did not find expected ',' or '}'", "a ',' or '}' is expected here", "look for a '{' that is not closed"},
	{"found unexpected end of stream", "a quote that is not closed",
	 "close it, or put text that contains quotes into quotes of the other kind"},
	{"did not find expected node content", "a value is missing here",
	 "look for a comma too many, or a bracket that is not closed"},
	{"found unknown escape character", "an unknown escape in a double-quoted text",
	 "write a backslash as \\\\, or use single quotes"},
	{"did not find expected hexdecimal number", "an escape that lacks its hexadecimal digits",
	 "write a backslash as \\\\, or use single quotes"},
	{"found invalid Unicode character escape code", "an escape that stands for no character",
	 "write the character itself instead of an escape"},
	{"found a tab character that violates indentation", "a tab in the indentation",
	 "indent with spaces: YAML takes no tabs there"},
	{"found a tab character where an indentation space is expected", "a tab in the indentation",
	 "indent with spaces: YAML takes no tabs there"},
	{"did not find expected <document start>", "nothing more is expected after the document",
	 "look at the indentation of this line and at what stands before it"},
	{"did not find expected alphabetic or numeric character", "a name is missing after '*' or '&'",
	 "put text that begins with '*' or '&' in quotes"},
	{"found incompatible YAML document", "an unknown version in the %YAML line", "remove the line"},
	{"found unknown directive name", "an unknown directive", "put text that begins with '%' in quotes"},
	{"found undefined tag handle", "tags are not accepted", "put text that begins with '!' in quotes"},
	{"found unexpected document indicator", "'---' or '...' inside a quoted text",
	 "look for a quote that is not closed"},
};

/* The problems that libyaml notices long after the place to look at, which is where it began. */
static bool noticed_late(const yaml_parser_t *p)
{
	return strcmp(p->problem, "found unexpected end of stream") == 0 ||
	       strcmp(p->problem, "could not find expected ':'") == 0;
}

static struct place place_at(yaml_mark_t mark)
{
	return (struct place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

/* The character at a mark; libyaml counts characters, we have bytes. */
static char char_at(const char *text, size_t n, yaml_mark_t mark)
{
	const char *end = text + n;
	size_t i;

	for (i = 0; i < mark.index && text < end; i++)
		text += text_utf8_len(text, (size_t)(end - text));
	return text < end ? *text : '\0';
}

static void cannot_start(struct place at, char c, struct diags *errors)
{
	struct diag *d;

	if (c == '\t')
		d = diag_add(errors, "", xstrdup("indent with spaces: YAML takes no tabs there"),
			     "this is not valid YAML: a tab in the indentation");
	else
		d = diag_add(errors, "", xstrdup("put the text in quotes"),
			     "this is not valid YAML: plain text cannot begin with '%c'", c);
	diag_at(d, at);
}

/* The reader stops at characters that YAML does not have; it knows the byte, not the place. */
static void bad_character(const yaml_parser_t *p, const char *text, struct diags *errors)
{
	const char *problem = p->problem ? p->problem : "it cannot be read";
	struct place at = place_of(text, p->problem_offset);

	if (p->problem_value > 0 && p->problem_value <= 0xffff)
		diag_at(diag_add(errors, "",
				 xasprintf("remove it, or write it as \"\\u%04x\" in a double-quoted text",
					   (unsigned)p->problem_value),
				 "this is not valid YAML: the control character U+%04X", (unsigned)p->problem_value),
			at);
	else
		diag_at(diag_add(errors, "", NULL, "this is not valid YAML: %s", problem), at);
}

/* In ours, if we have some for this problem. */
static void translate(const char *problem, const char **words, const char **suggestion)
{
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(problem, known[i].problem) != 0)
			continue;
		*words = known[i].words;
		*suggestion = known[i].suggestion;
	}
}

static void syntax(const yaml_parser_t *p, const char *text, size_t n, struct diags *errors)
{
	struct place at = place_at(p->problem_mark), from = place_at(p->context_mark);
	const char *words = p->problem, *suggestion = NULL;
	char c = char_at(text, n, p->problem_mark);
	AUTO_BUF struct buf where = BUF_INIT;

	if (strcmp(p->problem, "found character that cannot start any token") == 0) {
		cannot_start(at, c, errors);
		return;
	}
	translate(p->problem, &words, &suggestion);
	if (c == '\0' && strncmp(p->problem, "did not find expected ','", 25) == 0) {
		words = "a bracket that is not closed";
		suggestion = "close it";
		at = from;
	} else if (noticed_late(p)) {
		at = from;
	} else {
		if (p->context && (from.line != at.line || from.column != at.column))
			buf_printf(&where, ", %s that begins at line %u, column %u", p->context, from.line,
				   from.column);
		/* libyaml begins a line of its own after the end, which no editor shows. */
		if (c == '\0')
			at = place_of(text, n);
	}
	diag_at(diag_add(errors, "", xstrdup_opt(suggestion), "this is not valid YAML: %s%s", words, buf_str(&where)),
		at);
}

void source_yaml_complain(const struct yaml_parser_s *parser, const char *text, size_t n, struct diags *errors)
{
	if (parser->error == YAML_MEMORY_ERROR)
		refuse_memory(errors);
	else if (parser->error == YAML_READER_ERROR)
		bad_character(parser, text, errors);
	else
		syntax(parser, text, n, errors);
}
