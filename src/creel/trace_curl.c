/*
 * trace_curl.c - a recorded request as a command line for curl(1) and a POSIX shell.
 *
 * Text stands between single quotes, with control characters as octal digits for printf(1), so that neither shell nor
 * terminal obeys any of it.  *** is where a secret was: a variable takes its place, named as the definition names it,
 * else after the header field or parameter that it is the value of.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "creel/json.h"
#include "creel/trace_out.h"

#define HIDDEN "***"

/* ---- names of variables ---- */

static void put_variable(struct buf *b, const char *name, size_t n)
{
	size_t i, from = b->len;

	if (n == 0 || isdigit((unsigned char)name[0]))
		buf_puts(b, "SECRET_");
	for (i = 0; i < n; i++)
		buf_putc(b, isalnum((unsigned char)name[i]) ? (char)toupper((unsigned char)name[i]) : '_');
	if (n == 0)
		b->len--;
	buf_str(b);
	b->p[b->len] = '\0';
	/* what a shell would not let us have, or would be a surprise */
	if (strcmp(b->p + from, "PATH") == 0 || strcmp(b->p + from, "HOME") == 0 || strcmp(b->p + from, "UID") == 0 ||
	    strcmp(b->p + from, "USER") == 0 || strcmp(b->p + from, "IFS") == 0)
		buf_puts(b, "_SECRET");
}

/* env:NAME, secret:NAME or NAME: a variable keeps its name. */
static void put_source(struct buf *b, const char *from, const char *value)
{
	if (strcmp(from, "env") == 0)
		buf_puts(b, value);
	else
		put_variable(b, value, strlen(value));
}

static bool put_indirect(struct buf *b, const char *value)
{
	if (text_starts_with(value, "env:"))
		put_source(b, "env", value + 4);
	else if (text_starts_with(value, "secret:"))
		put_source(b, "secret", value + 7);
	else
		return false;
	return true;
}

/* The name of the parameter or member whose value begins at the end of text: name=, "name": " and the like. */
static void put_parameter(struct buf *b, const char *text, size_t n)
{
	size_t end;

	while (n > 0 && strchr("\"'=: \t", text[n - 1]))
		n--;
	for (end = n; n > 0 && (isalnum((unsigned char)text[n - 1]) || text[n - 1] == '_' || text[n - 1] == '-');)
		n--;
	put_variable(b, text + n, end - n);
}

struct place {
	const json_t *auth; /* of the definition, or NULL */
	const char *field;  /* the header field that the text is the value of, or NULL */
	bool token;         /* in a request for an access token */
};

static void put_name(struct buf *b, const struct place *at, const char *text, size_t n)
{
	const char *type = json_text_or_empty(at->auth, "type");

	if (at->token && at->field && put_indirect(b, json_text_or_empty(at->auth, "clientSecret")))
		return;
	if (at->token && !at->field) {
		bool refresh = n >= 14 && strncmp(text + n - 14, "refresh_token=", 14) == 0;

		if (put_indirect(b, json_text_or_empty(at->auth, refresh ? "refreshToken" : "clientSecret")))
			return;
	}
	if (!at->field) {
		put_parameter(b, text, n);
		return;
	}
	if (strcmp(type, "bearer") == 0 && strcasecmp(at->field, "Authorization") == 0 && json_text(at->auth, "token") &&
	    strcmp(json_text_or_empty(at->auth, "tokenFrom"), "env") == 0)
		put_source(b, "env", json_text(at->auth, "token"));
	else if (strcmp(type, "bearer") == 0 && strcmp(json_text_or_empty(at->auth, "tokenFrom"), "secret") == 0 &&
		 strcasecmp(at->field, "Authorization") == 0)
		put_source(b, "secret", json_text_or_empty(at->auth, "token"));
	else if (strcmp(type, "api_key") == 0 && strcasecmp(at->field, json_text_or_empty(at->auth, "header")) == 0 &&
		 strcmp(json_text_or_empty(at->auth, "valueFrom"), "user_input") != 0)
		put_source(b, json_text_or_empty(at->auth, "valueFrom"), json_text_or_empty(at->auth, "value"));
	else if (strcasecmp(at->field, "Authorization") == 0)
		buf_puts(b, "ACCESS_TOKEN");
	else
		put_variable(b, at->field, strlen(at->field));
}

/* ---- quoting ---- */

static void put_control(struct buf *b, const char *p, size_t n)
{
	size_t i;

	buf_puts(b, "\"$(printf '");
	for (i = 0; i < n; i++)
		buf_printf(b, "\\%03o", (unsigned char)p[i]);
	buf_puts(b, "')\"");
}

/* Bytes that a terminal could obey: C0 but line ends and tabs, DEL, and C1 in UTF-8. */
static size_t control_at(const char *p, size_t n)
{
	unsigned char c = (unsigned char)p[0];

	if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
		return 1;
	return n > 1 && c == 0xc2 && (unsigned char)p[1] < 0xa0 ? 2 : 0;
}

static void put_quoted(struct buf *b, const char *p, size_t n)
{
	bool open = false;
	size_t i, c;

	for (i = 0; i < n; i += c ? c : 1) {
		c = control_at(p + i, n - i);
		if ((c || p[i] == '\'') && open) {
			buf_putc(b, '\'');
			open = false;
		}
		if (c) {
			put_control(b, p + i, c);
		} else if (p[i] == '\'') {
			buf_puts(b, "\\'");
		} else {
			if (!open)
				buf_putc(b, '\'');
			open = true;
			buf_putc(b, p[i]);
		}
	}
	if (open)
		buf_putc(b, '\'');
}

static void put_with_variables(struct buf *b, const char *text, const struct place *at)
{
	const char *p = text, *hidden;

	while ((hidden = strstr(p, HIDDEN))) {
		put_quoted(b, p, (size_t)(hidden - p));
		buf_puts(b, "\"${");
		put_name(b, at, text, (size_t)(hidden - text));
		buf_puts(b, ":?}\"");
		p = hidden + strlen(HIDDEN);
	}
	put_quoted(b, p, strlen(p));
}

/* ---- one command ---- */

static void next(struct buf *b)
{
	buf_puts(b, " \\\n  ");
}

static bool has(const json_t *request, const char *wanted)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(request, "headers"), name, v)
		if (strcasecmp(name, wanted) == 0)
			return true;
	return false;
}

/* What curl makes itself, and better. */
static bool is_curls(const char *name)
{
	static const char *const names[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection"};
	size_t k;

	for (k = 0; k < sizeof names / sizeof *names; k++)
		if (strcasecmp(name, names[k]) == 0)
			return true;
	return false;
}

/* The name and password of a client, hidden as one. */
static bool put_client(struct buf *b, const char *name, const char *value, const struct place *at)
{
	const char *id = json_text(at->auth, "clientId");

	if (!at->token || !id || strcasecmp(name, "Authorization") != 0 || strcmp(value, "Basic " HIDDEN) != 0)
		return false;
	buf_puts(b, "--user ");
	put_quoted(b, id, strlen(id));
	buf_puts(b, "\":${");
	put_name(b, at, "", 0);
	buf_puts(b, ":?}\"");
	return true;
}

static void put_field(struct buf *b, const char *name, const char *value, const struct place *at)
{
	const char *prefix = strcasecmp(name, json_text_or_empty(at->auth, "header")) == 0 ? json_text(at->auth, "prefix") : NULL;
	AUTO_FREE char *start = xasprintf(*value ? "%s: " : "%s;", name); /* "NAME;" is a field with nothing in it */

	next(b);
	if (strcasecmp(name, "Accept-Encoding") == 0) {
		buf_puts(b, "--compressed");
		return;
	}
	if (put_client(b, name, value, at))
		return;
	buf_puts(b, "--header ");
	put_quoted(b, start, strlen(start));
	if (prefix && strcmp(value, HIDDEN) == 0)
		put_quoted(b, prefix, strlen(prefix));
	put_with_variables(b, value, at);
}

static void put_fields(struct buf *b, const json_t *request, struct place at)
{
	static const char *const added[] = {"Accept", "User-Agent", "Content-Type"};
	const char *name;
	json_t *v;
	size_t k;

	json_object_foreach(json_object_get(request, "headers"), name, v) {
		if (is_curls(name))
			continue;
		at.field = name;
		put_field(b, name, json_string_value(v) ? json_string_value(v) : "", &at);
	}
	for (k = 0; k < sizeof added / sizeof *added; k++)
		if (!has(request, added[k]) && (k < 2 || json_text(request, "body"))) {
			next(b);
			buf_printf(b, "--header '%s:'", added[k]); /* curl would add its own */
		}
}

static void put_command(struct buf *b, const json_t *e, const json_t *definition)
{
	const json_t *request = json_object_get(e, "request");
	const char *method = json_text_or_empty(request, "method"), *url = json_text_or_empty(request, "url");
	const char *body = json_text(request, "body"), *ca = json_text(definition, "caFile");
	struct place at = {json_object_get(definition, "authentication"), NULL,
			   strcmp(json_text_or_empty(e, "kind"), "token") == 0};

	buf_puts(b, "curl --globoff --request ");
	put_quoted(b, method, strlen(method));
	if (ca) {
		next(b);
		buf_puts(b, "--cacert ");
		put_quoted(b, ca, strlen(ca));
	}
	put_fields(b, request, at);
	if (body) {
		next(b);
		buf_puts(b, "--data-raw ");
		if (*body)
			put_with_variables(b, body, &at);
		else
			buf_puts(b, "''");
	}
	next(b);
	put_with_variables(b, url, &at);
	buf_putc(b, '\n');
}

void trace_curl(struct buf *b, const json_t *entries, const json_t *definition)
{
	json_t *e;
	size_t k;

	json_array_foreach((json_t *)entries, k, e) {
		const char *kind = json_text_or_empty(e, "kind");

		if (k > 0)
			buf_putc(b, '\n');
		if (strcmp(kind, "token") == 0)
			buf_puts(b, "# for an access token\n");
		else if (strcmp(kind, "redirect") == 0)
			buf_puts(b, "# where it was redirected\n");
		if (json_is_true(json_object_get(e, "requestBodyTruncated")))
			buf_puts(b, "# only the beginning of the body was recorded\n");
		put_command(b, e, definition);
	}
}
