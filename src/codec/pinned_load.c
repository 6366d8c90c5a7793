#include "codec/pinned_load.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/catalog.h"
#include "codec/definitions.h"

enum { PARK_INITIAL_MS = 1000, PARK_MOST_MS = 15 * 60 * 1000 };

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static msec time_or(const json_t *o, const char *key, msec otherwise)
{
	json_t *v = json_object_get(o, key);

	return v ? json_integer_value(v) : otherwise;
}

/* ---- APIs ---- */

static struct park_rule park_rule_of(const json_t *entry)
{
	static const char *const names[PARK_TYPES] = {
	    [PARK_EXPONENTIAL] = "exponential", [PARK_LINEAR] = "linear", [PARK_RESPECT_RESET] = "respect_reset"};
	json_t *strategy = json_object_get(json_object_get(entry, "rateLimiting"), "backoffStrategy");
	struct park_rule r = {PARK_RESPECT_RESET, time_or(strategy, "initialDelay", PARK_INITIAL_MS),
			      time_or(strategy, "maxDelay", PARK_MOST_MS)};
	int k;

	for (k = 0; k < PARK_TYPES; k++)
		if (strcmp(text(strategy, "type"), names[k]) == 0)
			r.type = (enum park_type)k;
	return r;
}

static void load_apis(struct plan *p, const json_t *apis)
{
	const char *id;
	json_t *entry;

	p->apis = xcalloc(json_object_size(apis) + 1, sizeof *p->apis);
	json_object_foreach((json_t *)apis, id, entry)
		p->apis[p->napis++] = (struct pinned_api){.id = xstrdup(id), .entry = json_incref(entry),
							  .park = park_rule_of(entry),
							  .health = json_object_get(entry, "healthCheck") != NULL};
}

/* The one whose base URL is the longest that this begins with. */
static const struct pinned_api *api_for(const struct plan *p, const char *url)
{
	const struct pinned_api *best = NULL;
	size_t most = 0, k;

	for (k = 0; k < p->napis; k++) {
		size_t n = catalog_url_fits(text(p->apis[k].entry, "baseUrl"), url);

		if (n > most) {
			most = n;
			best = &p->apis[k];
		}
	}
	return best;
}

static const struct pinned_api *api_of(const struct plan *p, const json_t *definition)
{
	const char *id = json_string_value(json_object_get(definition, "apiId"));
	size_t k;

	if (!id)
		return api_for(p, text(json_object_get(definition, "endpoint"), "url"));
	for (k = 0; k < p->napis; k++)
		if (strcmp(p->apis[k].id, id) == 0)
			return &p->apis[k];
	return NULL;
}

/* ---- definitions ---- */

static char *host_of(const char *url)
{
	const char *at = strstr(url, "://");
	char *host, *c;

	at = at ? at + 3 : url;
	host = xstrndup(at, strcspn(at, "/?#"));
	for (c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return host;
}

static struct rate_limit rate_of(const json_t *rate)
{
	static const char *const scopes[RATE_SCOPES] = {
	    [RATE_GLOBAL] = "global", [RATE_PER_USER] = "per_user", [RATE_PER_IP] = "per_ip"};
	struct rate_limit r = {.requests = (uint32_t)json_integer_value(json_object_get(rate, "requests")),
			       .window = json_integer_value(json_object_get(rate, "window"))};
	int k;

	for (k = 0; k < RATE_SCOPES; k++)
		if (strcmp(text(rate, "scope"), scopes[k]) == 0)
			r.scope = (enum rate_scope)k;
	return r;
}

/* PUT and DELETE come to the same when they are done twice; POST and PATCH may not. */
static bool is_unsafe_method(const char *method)
{
	static const char *const safe[] = {"GET", "HEAD", "PUT", "DELETE"};
	size_t k;

	for (k = 0; k < sizeof safe / sizeof *safe; k++)
		if (strcmp(method, safe[k]) == 0)
			return false;
	return true;
}

/* A key that the definition itself names is one that the server is known to look at. */
static bool is_unsafe(const json_t *definition)
{
	return is_unsafe_method(text(json_object_get(definition, "endpoint"), "method")) &&
	       !json_is_true(json_object_get(definition, "retryUnsafe")) &&
	       !json_is_string(json_object_get(definition, "idempotencyKeyHeader"));
}

static bool is_typed(const json_t *definition)
{
	json_t *auth = json_object_get(definition, "authentication");

	return strcmp(text(auth, "tokenFrom"), "user_input") == 0 || strcmp(text(auth, "valueFrom"), "user_input") == 0;
}

void pinned_load(struct plan *p, const json_t *canonical)
{
	json_t *definitions = json_object_get(canonical, "definitions"), *definition;
	const char *id;

	load_apis(p, json_object_get(canonical, "apis"));
	p->pinned = xcalloc(json_object_size(definitions) + 1, sizeof *p->pinned);
	json_object_foreach(definitions, id, definition) {
		struct pinned *pin = &p->pinned[p->npinned];

		*pin = (struct pinned){.id = xstrdup(id), .definition = json_incref(definition),
				       .host = host_of(text(json_object_get(definition, "endpoint"), "url")),
				       .rate = rate_of(json_object_get(definition, "rateLimit")),
				       .api = api_of(p, definition), .unsafe = is_unsafe(definition),
				       .typed = is_typed(definition)};
		map_put(&p->pinned_index, pin->id, (uint32_t)p->npinned++);
	}
}

/* ---- actions ---- */

char *pinned_url_prefix(const char *url)
{
	size_t n = 0;

	while (url[n] && !(url[n] == '$' && url[n + 1] == '{') && !(url[n] == '{' && url[n + 1] == '{'))
		n++;
	return xstrndup(url, n);
}

void pinned_use(const struct plan *p, struct action *a, const json_t *inputs)
{
	uint32_t k = map_get(&p->pinned_index, a->definition);

	if (strcmp(a->definition, HTTP_REQUEST) == 0) {
		AUTO_FREE char *url = pinned_url_prefix(text(inputs, "url"));

		a->http = true;
		a->api = api_for(p, url);
		a->unsafe = json_object_get(inputs, "method") && is_unsafe_method(text(inputs, "method"));
	} else if (k != MAP_NONE) {
		a->http = true;
		a->pinned = &p->pinned[k];
		a->api = a->pinned->api;
		a->unsafe = a->pinned->unsafe;
	}
}
