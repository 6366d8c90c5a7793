/*
 * spec_http.c - the specification of an HTTP action's attempt: what creel-http is to do, and what it must keep to itself.
 *
 * request.json holds the pinned definition, its API's entry and the configuration's limits; no secret is in it.  Those
 * go to the executor behind descriptor 3, as {secrets: {token, value, clientSecret, …}, input: {inputs that hold a
 * secret}, mask: [the bare values]}, and once more to the supervisor, to be masked.  Descriptor 4 is where executors
 * share access tokens.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/definitions.h"
#include "creeld/http_pool.h"
#include "creeld/spec_impl.h"
#include "creeld/typed.h"
#include "store/http_setup.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void set_text(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, json_string(value));
}

/* ---- what to do ---- */

/* A brace in the address is none of a template. */
static char *literal_url(const char *url)
{
	struct buf b = BUF_INIT;

	for (; *url; url++) {
		if (*url == '{' || *url == '}')
			buf_puts(&b, *url == '{' ? "%7B" : "%7D");
		else
			buf_putc(&b, *url);
	}
	return b.p ? buf_steal(&b) : xstrdup("");
}

/* NAME → "{kind_N}", with the value among the inputs under that name. */
static json_t *as_inputs(const json_t *texts, const char *kind, json_t *inputs)
{
	json_t *templates = json_object(), *v;
	const char *name;
	int n = 0;

	json_object_foreach((json_t *)texts, name, v) {
		AUTO_FREE char *input = xasprintf("%s_%d", kind, n++);

		json_object_set(inputs, input, v);
		json_object_set_new(templates, name, json_sprintf("{%s}", input));
	}
	return templates;
}

/* http.request as a definition; *inputs are then what that takes. */
static json_t *request_definition(const json_t *given, msec timeout, json_t **inputs)
{
	AUTO_FREE char *url = literal_url(text(given, "url"));
	json_t *endpoint = json_object(), *body = json_object_get(given, "body");
	const char *method = *text(given, "method") ? text(given, "method") : "GET";

	*inputs = json_object();
	set_text(endpoint, "url", url);
	set_text(endpoint, "method", method);
	json_object_set_new(endpoint, "headers", as_inputs(json_object_get(given, "headers"), "header", *inputs));
	json_object_set_new(endpoint, "query", as_inputs(json_object_get(given, "query"), "query", *inputs));
	json_object_set_new(endpoint, "timeout", json_integer(timeout));
	if (body) {
		json_object_set(*inputs, "body", body);
		set_text(endpoint, "body", "{body}");
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:{}, s:{}, s:[], s:[]}", "id", HTTP_REQUEST, "name", HTTP_REQUEST,
			 "description", "one HTTP request", "version", "1.0.0", "endpoint", endpoint, "inputSchema",
			 "outputSchema", "knownErrors", "examples");
}

/* ---- what to keep to itself ---- */

struct hidden {
	struct daemon *d;
	struct live *l;
	uint32_t action;
	json_t *secrets, *input;
	struct secrets used;
};

static int too_short(const char *value, const char *what, const char *name, struct err *e)
{
	if (strlen(value) >= SECRET_MIN)
		return 0;
	return err_set(e, EKEYREJECTED, "%s \"%s\" has less than %d bytes: it could not be masked in what is recorded", what, name,
		       SECRET_MIN);
}

static int take(struct hidden *h, const char *key, const char *value)
{
	size_t k;

	json_object_set_new(h->secrets, key, json_string(value));
	for (k = 0; k < h->used.values.n; k++)
		if (strcmp(h->used.values.v[k], value) == 0)
			return 0;
	vec_push(&h->used.values, xstrdup(value));
	return 0;
}

static int take_env(struct hidden *h, const char *key, const char *name, struct err *e)
{
	const char *value = getenv(name);

	if (!value || !*value)
		return err_set(e, EKEYREJECTED, "the variable \"%s\" is not set in creeld's environment", name);
	return too_short(value, "the variable", name, e) < 0 ? -1 : take(h, key, value);
}

static int take_secret(struct hidden *h, const char *key, const char *name, struct err *e)
{
	AUTO_BUF struct buf value = BUF_INIT;

	if (secret_read(h->d, name, &value, e) < 0) {
		e->code = EKEYREJECTED;
		return -1;
	}
	take(h, key, buf_str(&value));
	explicit_bzero(value.p, value.len);
	return 0;
}

static int take_typed(struct hidden *h, const char *key, struct err *e)
{
	const char *value = typed_value(h->d, h->l->exec, h->action);

	return value ? take(h, key, value) : err_set(e, ENOKEY, "what was typed in is gone: creeld was started anew");
}

static int take_credential(void *ctx, const char *key, enum credential_from from, const char *name, struct err *e)
{
	struct hidden *h = ctx;

	switch (from) {
	case CREDENTIAL_ENV:
		return take_env(h, key, name, e);
	case CREDENTIAL_SECRET:
		return take_secret(h, key, name, e);
	case CREDENTIAL_TYPED:
		return take_typed(h, key, e);
	}
	return 0;
}

/* A copy with the secrets in place of their marks; NULL: *e. */
static json_t *revealed(struct hidden *h, const json_t *v, struct err *e)
{
	AUTO_BUF struct buf shown = BUF_INIT;
	json_t *copy = NULL, *item;
	const char *key;
	size_t k;

	if (json_is_string(v)) {
		if (secrets_reveal(h->d, h->l->exec, json_string_value(v), &shown, &h->used, e) == 0)
			copy = json_string(buf_str(&shown));
		if (shown.p)
			explicit_bzero(shown.p, shown.len);
		if (!copy && !e->code)
			err_set(e, EBADMSG, "a secret in an input is not UTF-8");
		return copy;
	}
	if (!json_is_array(v) && !json_is_object(v))
		return json_deep_copy(v);
	copy = json_is_array(v) ? json_array() : json_object();
	json_array_foreach((json_t *)v, k, item)
		if (json_array_append_new(copy, revealed(h, item, e)) < 0)
			goto fail;
	json_object_foreach((json_t *)v, key, item)
		if (json_object_set_new(copy, key, revealed(h, item, e)) < 0)
			goto fail;
	return copy;
fail:
	json_decref(copy);
	return NULL;
}

static int take_inputs(struct hidden *h, const json_t *inputs, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)inputs, name, v) {
		AUTO_FREE char *dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

		if (!dump || !secrets_marked(h->l->exec, dump, strlen(dump)))
			continue;
		if (json_object_set_new(h->input, name, revealed(h, v, e)) < 0)
			return -1;
	}
	return 0;
}

/* fd3= and secret= */
static void put_hidden(struct buf *b, const struct hidden *h)
{
	json_t *all = json_object(), *mask = json_array();
	char *dump;
	size_t k;

	for (k = 0; k < h->used.values.n; k++)
		json_array_append_new(mask, json_string(h->used.values.v[k]));
	json_object_set(all, "secrets", h->secrets);
	json_object_set(all, "input", h->input);
	json_object_set_new(all, "mask", mask);
	dump = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	spec_put(b, "fd3", dump ? dump : "{}");
	if (dump)
		explicit_bzero(dump, strlen(dump));
	free(dump);
	secrets_put(&h->used, b);
}

/* ---- together ---- */

int spec_put_http(struct buf *b, struct daemon *d, struct live *l, uint32_t i, const char *dir, const json_t *given,
		  struct err *e)
{
	const struct action *pa = &l->plan->actions[i];
	struct hidden h = {.d = d, .l = l, .action = i, .secrets = json_object(), .input = json_object()};
	AUTO_FREE char *program = http_executor(d->config.http);
	json_t *inputs = NULL, *definition, *http;
	const char *pool;
	int r;

	if (pa->pinned) {
		definition = json_incref(pa->pinned->definition);
		inputs = json_incref((json_t *)given);
	} else {
		definition = request_definition(given, pa->timeout, &inputs);
	}
	http = http_job(d->config.http, d->spool.path, definition, pa->api ? pa->api->entry : NULL);
	r = http_credentials(json_object_get(definition, "authentication"), take_credential, &h, e);
	if (r == 0)
		r = take_inputs(&h, inputs, e);
	if (r == 0) {
		spec_put(b, "cwd", dir);
		spec_put(b, "arg", program);
		spec_put_creel_env(b, l, i, dir);
		spec_put_env(b, "CREEL_SECRETS_FD", "3");
		spec_put_env(b, "CREEL_TOKENS_FD", "4");
		spec_put(b, "fd4", "1");
		pool = http_pool_name(d, program);
		if (pool)
			spec_put_env(b, "CREEL_POOL", pool);
		put_hidden(b, &h);
		spec_put_request(b, l, i, inputs, http);
	}
	json_decref(http);
	json_decref(inputs);
	json_decref(h.secrets);
	json_decref(h.input);
	secrets_free(&h.used);
	return r;
}
