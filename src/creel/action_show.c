#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "codec/io_schema.h"
#include "creel/action.h"
#include "creel/json.h"
#include "creel/show_text.h"

static void begin(struct buf *b, const char *what)
{
	buf_printf(b, "%-12s", what);
}

static void line(struct buf *b, const char *what, const char *text)
{
	begin(b, what);
	put_safe(b, text);
	buf_putc(b, '\n');
}

/* "string", "string, may be left out"; or as JSON what a schema says of it. */
static void put_type(struct buf *b, const json_t *type, bool needed)
{
	AUTO_BUF struct buf word = BUF_INIT;

	json_put_value(&word, type);
	if (json_is_string(type) && text_ends_with(buf_str(&word), "?")) {
		word.p[--word.len] = '\0';
		needed = false;
	}
	buf_puts(b, buf_str(&word));
	if (!needed)
		buf_puts(b, ", may be left out");
}

static bool is_in(const json_t *list, const char *text)
{
	json_t *v;
	size_t k;

	json_array_foreach((json_t *)list, k, v)
		if (json_is_string(v) && strcmp(json_string_value(v), text) == 0)
			return true;
	return false;
}

static void put_values(struct buf *b, const char *what, const json_t *declared)
{
	bool flat = io_schema_is_flat(declared);
	const json_t *names = flat ? declared : json_object_get(declared, "properties"), *type;
	const char *name;
	int n = 0;

	json_object_foreach((json_t *)names, name, type) {
		AUTO_BUF struct buf shown = BUF_INIT;

		put_safe(&shown, name);
		begin(b, n++ ? "" : what);
		put_padded(b, buf_str(&shown), 16);
		buf_putc(b, ' ');
		put_type(b, type, flat || is_in(json_object_get(declared, "required"), name));
		buf_putc(b, '\n');
	}
	if (n == 0)
		line(b, what, "any");
}

static void put_source(struct buf *b, const char *from, const char *name)
{
	if (strcmp(from, "env") == 0)
		buf_puts(b, "the variable ");
	else if (strcmp(from, "secret") == 0)
		buf_puts(b, "the secret ");
	else
		buf_puts(b, strcmp(from, "user_input") == 0 ? "a person is asked for it: " : "");
	put_safe(b, name);
	if (strcmp(from, "env") == 0)
		buf_puts(b, " of creeld's environment");
}

static void put_authentication(struct buf *b, const json_t *auth)
{
	const char *type = json_text_or_empty(auth, "type");

	if (!auth)
		return;
	begin(b, "credentials");
	put_safe(b, type);
	if (strcmp(type, "oauth2") == 0 || strcmp(json_text_or_empty(auth, "tokenFrom"), "oauth_flow") == 0) {
		buf_puts(b, ", client ");
		put_safe(b, json_text_or_empty(auth, "clientId"));
		buf_puts(b, " at ");
		put_safe(b, json_text_or_empty(auth, "tokenUrl"));
		buf_puts(b, ", its secret is ");
		put_safe(b, json_text_or_empty(auth, "clientSecret"));
	} else if (strcmp(type, "custom") == 0) {
		buf_puts(b, ", signed by ");
		put_safe(b, json_text_or_empty(auth, "handler"));
	} else if (strcmp(type, "api_key") == 0) {
		buf_puts(b, " in ");
		put_safe(b, json_text_or_empty(auth, "header"));
		buf_puts(b, ": ");
		put_source(b, json_text_or_empty(auth, "valueFrom"), json_text_or_empty(auth, "value"));
	} else {
		buf_puts(b, ": ");
		put_source(b, json_text_or_empty(auth, "tokenFrom"), json_text_or_empty(auth, "token"));
	}
	buf_putc(b, '\n');
}

static void put_policy(struct buf *b, const json_t *d)
{
	const json_t *retry = json_object_get(d, "retryPolicy"), *limit = json_object_get(d, "rateLimit");

	begin(b, "attempts");
	buf_printf(b, "at most %lld", json_number(retry, "maxAttempts"));
	if (json_number(retry, "maxAttempts") > 1) {
		buf_puts(b, ", waits from ");
		put_duration(b, json_number(retry, "initialDelay"));
		buf_puts(b, " to ");
		put_duration(b, json_number(retry, "maxDelay"));
	}
	buf_putc(b, '\n');
	if (!limit)
		return;
	begin(b, "rate limit");
	put_count(b, json_number(limit, "requests"), "request", "requests");
	buf_puts(b, " in ");
	put_duration(b, json_number(limit, "window"));
	buf_puts(b, ", ");
	put_safe(b, json_text_or_empty(limit, "scope"));
	buf_putc(b, '\n');
}

static void put_examples(struct buf *b, const json_t *examples)
{
	json_t *x;
	size_t k;

	json_array_foreach((json_t *)examples, k, x) {
		begin(b, k ? "" : "examples");
		put_safe(b, json_text_or_empty(x, "name"));
		buf_puts(b, ": ");
		json_put_value(b, json_object_get(x, "input"));
		buf_puts(b, " gives ");
		json_put_value(b, json_object_get(x, "output"));
		buf_putc(b, '\n');
	}
}

/* The action as a plan has it: all inputs that must be there. */
static void put_use(struct buf *b, const json_t *d)
{
	const json_t *declared = json_object_get(d, "inputSchema"), *example, *v;
	bool flat = io_schema_is_flat(declared);
	const json_t *names = flat ? declared : json_object_get(declared, "properties"), *type;
	const char *name, *sep = "";

	example = json_object_get(json_array_get(json_object_get(d, "examples"), 0), "input");
	buf_puts(b, "\nin a plan:\n  - id: NAME\n    actionDefinitionId: ");
	put_safe(b, json_text_or_empty(d, "id"));
	buf_puts(b, "\n    inputs: {");
	json_object_foreach((json_t *)names, name, type) {
		if (flat ? text_ends_with(json_string_value(type), "?") : !is_in(json_object_get(declared, "required"), name))
			continue;
		buf_puts(b, sep);
		put_safe(b, name);
		buf_puts(b, ": ");
		v = json_object_get(example, name);
		if (v)
			json_put_value(b, v);
		else
			buf_puts(b, "…");
		sep = ", ";
	}
	buf_puts(b, "}\n");
}

static void put_api(struct buf *b, const json_t *api)
{
	if (!api)
		return;
	begin(b, "API");
	put_safe(b, json_text_or_empty(api, "apiId"));
	buf_puts(b, ": ");
	put_safe(b, json_text_or_empty(api, "name"));
	buf_puts(b, ", version ");
	put_safe(b, json_text_or_empty(api, "version"));
	buf_puts(b, ", ");
	put_safe(b, json_text_or_empty(api, "baseUrl"));
	buf_putc(b, '\n');
	if (json_text(api, "notes"))
		line(b, "", json_text(api, "notes"));
}

void action_show(const struct http_found *found, const char *file)
{
	const json_t *d = found->definition, *endpoint = json_object_get(d, "endpoint");
	AUTO_BUF struct buf b = BUF_INIT;

	put_safe(&b, json_text_or_empty(d, "id"));
	buf_putc(&b, ' ');
	put_safe(&b, json_text_or_empty(d, "version"));
	buf_puts(&b, ": ");
	put_safe(&b, json_text_or_empty(d, "name"));
	buf_putc(&b, '\n');
	if (*json_text_or_empty(d, "description"))
		line(&b, "", json_text_or_empty(d, "description"));
	begin(&b, "file");
	buf_puts(&b, "catalog/");
	put_safe(&b, file);
	buf_putc(&b, '\n');
	begin(&b, "sends");
	put_safe(&b, json_text_or_empty(endpoint, "method"));
	buf_putc(&b, ' ');
	put_safe(&b, json_text_or_empty(endpoint, "url"));
	if (json_number(endpoint, "timeout") > 0) {
		buf_puts(&b, ", at most ");
		put_duration(&b, json_number(endpoint, "timeout"));
	}
	buf_putc(&b, '\n');
	put_api(&b, found->api);
	put_authentication(&b, json_object_get(d, "authentication"));
	put_values(&b, "inputs", json_object_get(d, "inputSchema"));
	put_values(&b, "outputs", json_object_get(d, "outputSchema"));
	put_policy(&b, d);
	put_examples(&b, json_object_get(d, "examples"));
	put_use(&b, d);
	put_out(&b, stdout);
}
