#include "actions/http/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/http/job.h"
#include "base/mem.h"
#include "base/text.h"

enum { MESSAGE_MAX = 300 };

/* ---- where errors stand ---- */

/* "error.message", "errors.0.code": the value there, or NULL. */
static const json_t *at(const json_t *v, const char *path)
{
	while (v && *path) {
		size_t n = strcspn(path, ".");
		AUTO_FREE char *name = xstrndup(path, n);

		v = json_is_array(v) ? json_array_get(v, strtoul(name, NULL, 10)) : json_object_get(v, name);
		path += n + (path[n] == '.');
	}
	return v;
}

static char *first_scalar(const json_t *json, const char *const *paths)
{
	for (; *paths; paths++) {
		const json_t *v = at(json, *paths);

		if (json_is_string(v) && json_string_length(v) > 0)
			return xstrdup(json_string_value(v));
		if (json_is_integer(v))
			return json_dumps(v, JSON_ENCODE_ANY);
	}
	return NULL;
}

static char *message_of_json(const json_t *json)
{
	static const char *const paths[] = {"error.message", "error_description", "errors.0.message", "errors.0.detail",
					    "errors.0", "message", "error", "detail", "title", "msg", "fault.faultstring",
					    "reason", NULL};

	return json_is_string(json) ? xstrdup(json_string_value(json)) : first_scalar(json, paths);
}

static char *code_of_json(const json_t *json)
{
	static const char *const paths[] = {"error.code", "error.type", "error.status", "errors.0.code", "code", "errorCode",
					    "error_code", "error", "type", NULL};

	return first_scalar(json, paths);
}

/* The title of a page, or the first line that has something in it. */
static char *message_of_text(const char *text)
{
	const char *title = strcasestr(text, "<title>"), *end;

	if (title && (end = strcasestr(title, "</title>"))) {
		title += strlen("<title>");
		title += strspn(title, " \t\r\n");
		return title < end ? xstrndup(title, (size_t)(end - title)) : NULL;
	}
	text += strspn(text, " \t\r\n");
	return *text && *text != '<' ? xstrndup(text, strcspn(text, "\r\n")) : NULL;
}

void answer_shorten(char *message)
{
	size_t i = 0, n = strlen(message), step;

	if (n <= MESSAGE_MAX)
		return;
	while (i < MESSAGE_MAX && (step = text_utf8_len(message + i, n - i)) > 0 && i + step <= MESSAGE_MAX)
		i += step;
	message[i] = '\0';
}

/* ---- the body ---- */

/* With U+FFFD for what is no UTF-8: it is shown and searched, not given on. */
static char *lossy(const char *p, size_t n, size_t *out_n)
{
	struct buf b = BUF_INIT;
	size_t i = 0, length;

	for (; i < n; i += length) {
		length = text_utf8_len(p + i, n - i);
		if (length > 0 && p[i])
			buf_put(&b, p + i, length);
		else
			buf_puts(&b, "\xef\xbf\xbd");
		if (length == 0)
			length = 1;
	}
	*out_n = b.len;
	buf_str(&b);
	return b.p ? buf_steal(&b) : xstrdup("");
}

static bool is_error_status(const struct exchange *x)
{
	return x->status >= 300;
}

static void read_text(struct answer *a, const struct exchange *x, bool error)
{
	const char *p = buf_str(&x->body.head);
	struct err e = {0};

	a->text = content_to_utf8(&a->type, p, x->body.head.len, &a->text_n, &e);
	if (!a->text && error)
		a->text = lossy(p, x->body.head.len, &a->text_n);
}

/* The parser quotes a piece of what it could not read, so the reason is that of the hidden text. */
static void read_json(struct answer *a, const struct exchange *x, const struct redact *secrets)
{
	AUTO_BUF struct buf shown = BUF_INIT;
	json_t *again;
	int code;

	a->json = content_json(buf_str(&x->body.head), x->body.head.len, &a->problem);
	if (a->json)
		return;
	code = a->problem.code;
	err_set(&a->problem, code, "a secret stands where it is wrong");
	redact_text(secrets, buf_str(&x->body.head), x->body.head.len, SIZE_MAX, &shown);
	again = content_json(buf_str(&shown), shown.len, &a->problem);
	a->problem.code = code;
	json_decref(again);
}

static void hide(char **text, const struct redact *secrets)
{
	char *shown = *text ? redact_string(secrets, *text, strlen(*text)) : NULL;

	free(*text);
	*text = shown;
}

void answer_read(struct answer *a, const struct exchange *x, const json_t *quirks, const struct redact *secrets)
{
	const char *error_type = job_text(quirks, "errorContentType");
	bool error = is_error_status(x), whole = body_whole(&x->body);

	*a = (struct answer){.type = content_type_parse(headers_get(&x->reply, "Content-Type"))};
	a->content = content_of(&a->type, job_text(quirks, "nonStandardJsonContentType"));
	if (x->body.size == 0 || (error && job_flag(quirks, "binaryErrorResponses", false)))
		return;
	if (error || whole)
		read_text(a, x, error);
	if (whole && (a->content == CONTENT_JSON || a->content == CONTENT_UNSAID ||
		      (error_type && content_type_is(&a->type, error_type))))
		read_json(a, x, secrets);
	if (a->json)
		a->message = message_of_json(a->json);
	else if (error && a->text && a->content != CONTENT_BINARY)
		a->message = message_of_text(a->text);
	if (a->json)
		a->code = code_of_json(a->json);
	/* One and the same text is no code. */
	if (a->code && a->message && strcmp(a->code, a->message) == 0 && strchr(a->code, ' ')) {
		free(a->code);
		a->code = NULL;
	}
	hide(&a->message, secrets);
	hide(&a->code, secrets);
	if (a->code)
		answer_shorten(a->code);
}

void answer_free(struct answer *a)
{
	json_decref(a->json);
	free(a->text);
	free(a->message);
	free(a->code);
	*a = (struct answer){0};
}

/* A member by which services say "no" under a good status. */
static bool says_failed(const json_t *json)
{
	static const char *const flags[] = {"success", "ok", "succeeded", NULL};
	static const char *const words[] = {"error", "fail", "failed", "failure", NULL};
	const json_t *error = json_object_get(json, "error"), *errors = json_object_get(json, "errors");
	const char *status = job_text(json, "status");
	size_t i;

	if (error && !json_is_null(error) && !json_is_false(error) && !(json_is_string(error) && !json_string_length(error)))
		return true;
	if (json_array_size(errors) > 0 || json_object_size(errors) > 0)
		return true;
	for (i = 0; flags[i]; i++)
		if (json_is_false(json_object_get(json, flags[i])))
			return true;
	for (i = 0; status && words[i]; i++)
		if (strcasecmp(status, words[i]) == 0)
			return true;
	return false;
}

bool answer_is_error_body(const struct answer *a, const json_t *quirks)
{
	const char *type = job_text(quirks, "errorContentType");

	if (!job_flag(quirks, "successWithErrorBody", false))
		return false;
	return (type && content_type_is(&a->type, type)) || says_failed(a->json);
}
