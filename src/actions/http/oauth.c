/*
 * oauth.c - OAuth 2.0 (RFC 6749): tokens by client credentials, and by a refresh token where one is given.
 *
 * One attempt at a time asks for the token of a client; all others wait for it and use it (tokens.h).  A token that a
 * server refused is thrown away only if it is still the one that is kept: somebody may have renewed it already.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/http/auth.h"
#include "actions/http/classify.h"
#include "actions/http/defaults.h"
#include "actions/http/url.h"
#include "base/mem.h"
#include "base/sha.h"
#include "base/text.h"

/* A token is not used in its last tenth, at most half a minute: it has a way to go. */
enum { EXPIRES_UNSAID_S = 600, EARLY_MS = 30000 };

/* ---- which client ---- */

static char *scopes(const json_t *auth)
{
	struct buf b = BUF_INIT;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(auth, "scope"), i, v) {
		if (i > 0)
			buf_putc(&b, ' ');
		buf_puts(&b, json_is_string(v) ? json_string_value(v) : "");
	}
	return b.p ? buf_steal(&b) : xstrdup("");
}

/* Another refresh token is another user. */
static void client_key(const struct job *j, char out[SHA256_HEX])
{
	AUTO_FREE char *scope = scopes(j->auth);
	const char *parts[] = {job_text(j->auth, "tokenUrl"), job_text(j->auth, "clientId"), scope,
			       job_secret(j, "refreshToken")};
	AUTO_BUF struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < sizeof parts / sizeof *parts; i++) {
		buf_puts(&b, parts[i] ? parts[i] : "");
		buf_putc(&b, '\0');
	}
	sha256_hex(b.p, b.len, out);
	explicit_bzero(b.p, b.cap);
}

/* ---- the request for a token ---- */

static void put_pair(struct buf *b, const char *name, const char *value)
{
	if (b->len > 0)
		buf_putc(b, '&');
	buf_printf(b, "%s=", name);
	template_percent(b, PLACE_FORM, value, strlen(value));
}

/* Client id and secret as RFC 6749 section 2.3.1 has them: form-encoded, then Basic. */
static void put_basic(struct session *s, struct request *r, const char *id, const char *secret)
{
	AUTO_BUF struct buf pair = BUF_INIT;
	AUTO_FREE char *encoded = NULL, *value = NULL;

	template_percent(&pair, PLACE_FORM, id, strlen(id));
	buf_putc(&pair, ':');
	template_percent(&pair, PLACE_FORM, secret, strlen(secret));
	encoded = xmalloc((pair.len + 2) / 3 * 4 + 1);
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)pair.p, (int)pair.len);
	redact_add(&s->secrets, encoded, strlen(encoded));
	value = xasprintf("Basic %s", encoded);
	headers_set(&r->headers, "Authorization", value)->credential = true;
}

static int make_request(struct session *s, const char *refresh_token, struct request *r, struct err *e)
{
	const struct job *j = &s->job;
	const char *id = job_text(j->auth, "clientId"), *secret = job_secret(j, "clientSecret");
	const char *how = job_text(j->auth, "clientAuth"), *url = job_text(j->auth, "tokenUrl");
	AUTO_FREE char *scope = scopes(j->auth);

	*r = (struct request){.method = "POST", .has_body = true};
	if (!url || !id)
		return err_set(e, EBADMSG, "oauth2 needs tokenUrl and clientId");
	r->url = url_check(url, e);
	if (!r->url)
		return err_prefix(e, "tokenUrl");
	headers_add(&r->headers, "Accept", "application/json");
	headers_add(&r->headers, "User-Agent", j->user_agent ? j->user_agent : "creel-http/" CREEL_VERSION);
	headers_add(&r->headers, "Content-Type", "application/x-www-form-urlencoded");
	put_pair(&r->body, "grant_type", refresh_token ? "refresh_token" : "client_credentials");
	if (refresh_token)
		put_pair(&r->body, "refresh_token", refresh_token);
	if (*scope)
		put_pair(&r->body, "scope", scope);
	if (secret && !(how && strcmp(how, "body") == 0)) {
		put_basic(s, r, id, secret);
		return 0;
	}
	put_pair(&r->body, "client_id", id);
	if (secret)
		put_pair(&r->body, "client_secret", secret);
	return 0;
}

/* ---- what came ---- */

static json_int_t lifetime(const json_t *answer)
{
	const json_t *v = json_object_get(answer, "expires_in");
	uint64_t n;

	if (json_is_number(v))
		return (json_int_t)json_number_value(v);
	return json_is_string(v) && text_to_u64(json_string_value(v), &n) && n < INT32_MAX ? (json_int_t)n : EXPIRES_UNSAID_S;
}

/* The entry for the cache; its secrets are known to be such before anything of the answer is recorded. */
static json_t *entry_of(struct session *s, const struct answer *a, const char *refresh_token)
{
	const char *token = job_text(a->json, "access_token"), *refresh = job_text(a->json, "refresh_token");
	const char *id_token = job_text(a->json, "id_token"), *type = job_text(a->json, "token_type");
	json_int_t life = lifetime(a->json);
	msec expires, early;
	json_t *entry;

	if (token)
		redact_add(&s->secrets, token, strlen(token));
	if (refresh)
		redact_add(&s->secrets, refresh, strlen(refresh));
	if (id_token)
		redact_add(&s->secrets, id_token, strlen(id_token));
	if (!token || !*token || (type && strcasecmp(type, "bearer") != 0))
		return NULL;
	if (life > 10 * 365 * 86400LL)
		life = 10 * 365 * 86400LL;
	expires = clock_wall() + (msec)life * 1000;
	early = life * 1000 / 10 < EARLY_MS ? life * 1000 / 10 : EARLY_MS;
	entry = json_pack("{s:s, s:I, s:I}", "accessToken", token, "expiresAt", (json_int_t)expires, "useUntil",
			  (json_int_t)(expires - early));
	if (refresh || refresh_token)
		json_object_set_new(entry, "refreshToken", json_string(refresh ? refresh : refresh_token));
	return entry;
}

/* What the token endpoint says of the client or its grant is about our credentials, whatever the status. */
static void make_auth_error(json_t *error, int status)
{
	if (status != 400 && status != 401 && status != 403)
		return;
	json_object_set_new(error, "category", json_string(error_category_name(ERROR_AUTH_INVALID)));
	json_object_set_new(error, "retryable", json_false());
	error_set_suggestion(error, "check clientId, clientSecret, refreshToken and scope of the definition's authentication");
}

static json_t *token_error(struct session *s, const struct exchange *x, const struct answer *a)
{
	const struct circumstances c = {0};
	struct rate_clock clock = rate_clock_make(&x->reply, x->finished, s->job.limits.retry_after);
	struct job plain = s->job; /* what the API's entry says is not about the token endpoint */
	struct rate rate;
	json_t *error;

	plain.api = plain.quirks = NULL;
	plain.api_id = NULL;
	rate_read(NULL, x->status, &x->reply, NULL, 0, &clock, &rate);
	error = classify(&plain, x, a, &c, &rate, &clock);
	if (!error) {
		error = error_new(ERROR_API_RESPONSE_MALFORMED, true, "%s %s answered %d without a bearer token", x->request.method,
				  x->shown_url, x->status);
		error_set_code(error, "token_malformed");
	}
	if (exchange_complete(x))
		make_auth_error(error, x->status);
	return error;
}

/* A new entry, or NULL and *error. */
static json_t *ask(struct session *s, const char *refresh_token, json_t **error)
{
	struct request r;
	struct exchange x;
	struct answer a;
	struct err e;
	json_t *entry;

	if (make_request(s, refresh_token, &r, &e) < 0) {
		request_free(&r);
		*error = classify_invalid(&s->job, "oauth2", "%s", e.text);
		return NULL;
	}
	exchange_init(&x, "token", &r);
	session_send(s, &x, false);
	answer_read(&a, &x, NULL, &s->secrets);
	entry = entry_of(s, &a, refresh_token);
	if (!exchange_complete(&x) || x.status != 200) {
		json_decref(entry);
		entry = NULL;
	}
	if (!entry)
		*error = token_error(s, &x, &a);
	trace_end(&s->trace, &x, NULL);
	if (!entry)
		trace_error(&s->trace, *error);
	answer_free(&a);
	exchange_free(&x, false);
	return entry;
}

static bool is_invalid_grant(const json_t *error)
{
	const char *code = job_text(error, "code");

	return code && strcmp(code, "invalid_grant") == 0;
}

/* ---- the token ---- */

static json_t *renew(struct session *s, const char *kept_refresh, json_t **error)
{
	const char *given = job_secret(&s->job, "refreshToken");
	json_t *entry = ask(s, kept_refresh ? kept_refresh : given, error);

	/* The one that came last may have been lost with its answer: the one of the definition may still serve. */
	if (!entry && kept_refresh && given && strcmp(kept_refresh, given) != 0 && is_invalid_grant(*error)) {
		json_decref(*error);
		*error = NULL;
		entry = ask(s, given, error);
	}
	return entry;
}

static bool is_fresh(const struct session *s, const json_t *entry)
{
	const char *token = job_text(entry, "accessToken");

	if (!token || (s->used_token && strcmp(token, s->used_token) == 0))
		return false;
	return clock_wall() < json_integer_value(json_object_get(entry, "useUntil"));
}

static char *locked(struct session *s, const char *key, json_t **error)
{
	const json_t *kept = tokens_get(&s->tokens, key);
	const char *refresh = job_text(kept, "refreshToken"), *token;
	AUTO_FREE char *kept_refresh = xstrdup_opt(refresh);
	json_t *entry;
	char *copy;

	if (kept && is_fresh(s, kept)) {
		token = job_text(kept, "accessToken");
		redact_add(&s->secrets, token, strlen(token));
		if (refresh)
			redact_add(&s->secrets, refresh, strlen(refresh));
		return xstrdup(token);
	}
	if (refresh)
		redact_add(&s->secrets, refresh, strlen(refresh));
	entry = renew(s, kept_refresh, error);
	if (!entry) {
		if (is_invalid_grant(*error))
			tokens_put(&s->tokens, key, NULL);
		return NULL;
	}
	copy = xstrdup(job_text(entry, "accessToken"));
	tokens_put(&s->tokens, key, entry);
	return copy;
}

char *oauth_token(struct session *s, json_t **error)
{
	char key[SHA256_HEX], *token;
	struct err e = {0};

	client_key(&s->job, key);
	if (tokens_lock(&s->tokens, s->job.deadline_mono, &e) < 0) {
		bool late = e.code == ETIMEDOUT;

		*error = error_new(late ? ERROR_NETWORK_TIMEOUT : e.code == ECANCELED ? ERROR_USER_CANCELLED : ERROR_STATE_INCONSISTENT,
				   e.code != ECANCELED, "%s: %s", s->job.id, e.text);
		error_set_code(*error, "token_wait");
		return NULL;
	}
	token = locked(s, key, error);
	tokens_unlock(&s->tokens);
	return token;
}
