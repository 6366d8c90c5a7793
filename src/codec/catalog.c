#include "codec/catalog.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/sha.h"
#include "base/text.h"
#include "codec/io_schema.h"
#include "codec/schema.h"
#include "codec/source.h"

static const struct source_limits limits = {CATALOG_FILE_MAX, 100000, 64};

static const char *const schemas[CATALOG_KINDS] = {
    [CATALOG_ACTION] = "action-definition",
    [CATALOG_API] = "api-catalog-entry",
};
static const char *const id_keys[CATALOG_KINDS] = {[CATALOG_ACTION] = "id", [CATALOG_API] = "apiId"};

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* ---- patterns ---- */

static void check_pattern(const char *pattern, const char *pointer, struct diags *errors)
{
	pcre2_code *code;
	PCRE2_SIZE at;
	char why[200];
	int error;

	if (!pattern)
		return;
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &error, &at, NULL);
	if (!code) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
		diag_add(errors, pointer, xstrdup("write a regular expression as PCRE2 understands it"),
			 "the regular expression cannot be read: %s, at character %zu", why, at + 1);
	}
	pcre2_code_free(code);
}

static void check_patterns(const json_t *list, const char *key, const char *base, struct diags *errors)
{
	json_t *v;
	size_t k;

	json_array_foreach(list, k, v) {
		AUTO_FREE char *pointer = key ? xasprintf("%s/%zu/%s", base, k, key) : xasprintf("%s/%zu", base, k);

		check_pattern(key ? text_of(v, key) : json_string_value(v), pointer, errors);
	}
}

/* ---- templates ---- */

static bool name_char(char c, bool first)
{
	return c == '_' || isalpha((unsigned char)c) || (!first && (isdigit((unsigned char)c) || c == '.' || c == '-'));
}

void catalog_placeholders(const char *template, void (*visit)(void *ctx, const char *name, size_t n), void *ctx)
{
	const char *open = template;

	while ((open = strchr(open, '{'))) {
		size_t n = 0;

		open++;
		while (name_char(open[n], n == 0))
			n++;
		if (n > 0 && open[n] == '}')
			visit(ctx, open, n);
	}
}

struct placeholder_check {
	const json_t *inputs; /* the declaration */
	const char *pointer;
	struct diags *errors;
};

static void check_placeholder(void *ctx, const char *name, size_t n)
{
	struct placeholder_check *c = ctx;
	const json_t *names = io_schema_names(c->inputs);
	AUTO_FREE char *wanted = xstrndup(name, n);
	const char *key, *near, **list;
	size_t count = 0;
	json_t *v;

	if (!names || json_object_get(names, wanted))
		return;
	list = xcalloc(json_object_size(names) + 1, sizeof *list);
	json_object_foreach((json_t *)names, key, v)
		list[count++] = key;
	near = text_nearest(wanted, list, count);
	diag_add(c->errors, c->pointer,
		 near ? xasprintf("did you mean {%s}?", near) : xasprintf("add \"%s\" to inputSchema", wanted),
		 "{%s} stands for no input: inputSchema does not name it", wanted);
	free(list);
}

static void check_template(const json_t *inputs, const char *template, const char *pointer, struct diags *errors)
{
	struct placeholder_check c = {inputs, pointer, errors};

	if (template)
		catalog_placeholders(template, check_placeholder, &c);
}

static void check_templates(const json_t *inputs, const json_t *texts, const char *base, struct diags *errors)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)texts, key, v) {
		AUTO_FREE char *pointer = xasprintf("%s/%s", base, key);

		check_template(inputs, json_string_value(v), pointer, errors);
	}
}

/* A brace in a URL must open or close a placeholder: elsewhere it is a slip that would reach the server. */
static void check_url_braces(const char *url, const char *pointer, struct diags *errors)
{
	const char *p;

	for (p = url; *p; p++) {
		size_t n = 0;

		if (*p == '}')
			break;
		if (*p != '{')
			continue;
		while (name_char(p[1 + n], n == 0))
			n++;
		if (n == 0 || p[1 + n] != '}')
			break;
		p += n + 1;
	}
	if (*p)
		diag_add(errors, pointer, xstrdup("write {name}, letters, digits, _ . and -; a brace itself is %7B or %7D"),
			 "the brace at character %zu of the URL belongs to no {name}", (size_t)(p - url) + 1);
}

/* ---- what a schema cannot say ---- */

/* A secret must not lie open in a file that many can read. */
static void check_headers(const json_t *headers, struct diags *errors)
{
	static const struct {
		const char *name, *todo;
	} not_here[] = {
	    {"Authorization", "use authentication:, which takes the value from the environment, a secret or a person"},
	    {"Proxy-Authorization", "set http: {proxy: …} in the configuration"},
	    {"Content-Length", "leave it out: it follows from the body"},
	    {"Transfer-Encoding", "leave it out: it follows from the body"}};
	const char *key;
	json_t *v;
	size_t k;

	json_object_foreach((json_t *)headers, key, v) {
		AUTO_FREE char *pointer = xasprintf("/endpoint/headers/%s", key);

		for (k = 0; k < sizeof not_here / sizeof *not_here; k++) {
			struct diag *d;

			if (strcasecmp(key, not_here[k].name) != 0)
				continue;
			d = diag_add(errors, pointer, xstrdup(not_here[k].todo), "the header %s cannot be given here", key);
			if (d)
				d->at_key = 1;
		}
	}
}

static bool check_declared(const json_t *declared, const char *base, struct diags *errors)
{
	struct diags found = DIAGS_INIT;
	struct schema *s = io_schema_compile(declared, &found);
	size_t k;

	for (k = 0; k < found.n; k++) {
		AUTO_FREE char *pointer = xasprintf("%s%s", base, found.v[k].pointer);

		diag_add(errors, pointer, xstrdup_opt(found.v[k].suggestion), "%s", found.v[k].message);
	}
	diags_free(&found);
	schema_free(s);
	return s != NULL;
}

static void check_action(const json_t *def, struct diags *errors)
{
	json_t *endpoint = json_object_get(def, "endpoint"), *inputs = json_object_get(def, "inputSchema");

	if (check_declared(inputs, "/inputSchema", errors)) {
		check_template(inputs, text_of(endpoint, "url"), "/endpoint/url", errors);
		check_templates(inputs, json_object_get(endpoint, "headers"), "/endpoint/headers", errors);
		check_templates(inputs, json_object_get(endpoint, "query"), "/endpoint/query", errors);
	}
	check_declared(json_object_get(def, "outputSchema"), "/outputSchema", errors);
	check_url_braces(text_of(endpoint, "url"), "/endpoint/url", errors);
	check_headers(json_object_get(endpoint, "headers"), errors);
	check_patterns(json_object_get(def, "knownErrors"), "pattern", "/knownErrors", errors);
}

static void check_api(const json_t *api, struct diags *errors)
{
	json_t *mappings = json_object_get(api, "errorMappings"), *v;
	json_t *detection = json_object_get(json_object_get(api, "rateLimiting"), "detection");
	size_t k;

	check_patterns(mappings, "pattern", "/errorMappings", errors);
	json_array_foreach(mappings, k, v) {
		AUTO_FREE char *pointer = xasprintf("/errorMappings/%zu/header/pattern", k);

		check_pattern(text_of(json_object_get(v, "header"), "pattern"), pointer, errors);
	}
	check_patterns(json_object_get(detection, "bodyPatterns"), NULL, "/rateLimiting/detection/bodyPatterns", errors);
}

/* ---- the file ---- */

static void set_default(json_t *o, const char *key, json_t *value)
{
	if (!json_object_get(o, key))
		json_object_set(o, key, value);
	json_decref(value);
}

static void add_defaults(enum catalog_kind kind, json_t *entry)
{
	json_t *quirks = json_object_get(entry, "quirks");

	json_object_del(entry, "$schema");
	if (kind != CATALOG_API)
		return;
	set_default(quirks, "successWithErrorBody", json_false());
	set_default(quirks, "emptyResponseOn204", json_true());
	set_default(quirks, "binaryErrorResponses", json_false());
}

static const char *raw(void *source, const char *pointer)
{
	return source_raw(source, pointer);
}

static bool judge(enum catalog_kind kind, struct source *source, struct diags *errors)
{
	const struct schema *schema = schema_builtin(schemas[kind]);

	if (!source->root) {
		diag_add(errors, "", xasprintf("write one %s", kind == CATALOG_ACTION ? "action definition" : "API entry"),
			 "the file is empty");
		return false;
	}
	schema_text_fields(schema, source->root, raw, source);
	if (!schema_check(schema, source->root, "", errors))
		return false;
	if (kind == CATALOG_ACTION)
		check_action(source->root, errors);
	else
		check_api(source->root, errors);
	return errors->n == 0;
}

void catalog_names_free(struct catalog_names *names)
{
	free(names->id);
	free(names->base_url);
	*names = (struct catalog_names){0};
}

static void take_names(enum catalog_kind kind, const struct source *source, struct catalog_names *names)
{
	names->id = xstrdup_opt(text_of(source->root, id_keys[kind]));
	source_place(source, kind == CATALOG_API ? "/apiId" : "/id", false, &names->id_line, &names->id_column);
	if (kind == CATALOG_API)
		names->base_url = xstrdup_opt(text_of(source->root, "baseUrl"));
	else
		source_place(source, json_object_get(source->root, "apiId") ? "/apiId" : "/endpoint/url", false,
			     &names->api_line, &names->api_column);
}

json_t *catalog_decode(enum catalog_kind kind, const char *file, const char *text, size_t n, struct catalog_names *names,
		       struct diags *errors)
{
	struct source source = {0};
	char checksum[SHA256_TAGGED];
	json_t *entry = NULL;

	*names = (struct catalog_names){0};
	if (!source_parse(source_form_of(file), text, n, &limits, &source, errors))
		return NULL;
	if (judge(kind, &source, errors)) {
		entry = json_incref(source.root);
		add_defaults(kind, entry);
		sha256_tagged(text, n, checksum);
		json_object_set_new(entry, "checksum", json_string(checksum));
	}
	take_names(kind, &source, names);
	source_place_all(&source, errors);
	source_free(&source);
	return entry;
}

/* ---- which API ---- */

/* Length of the scheme and host of a URL: what is compared without regard to case. */
static size_t authority_end(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : 0;
}

size_t catalog_url_fits(const char *base_url, const char *url)
{
	size_t n = strlen(base_url), authority = authority_end(base_url);

	while (n > authority && base_url[n - 1] == '/')
		n--;
	if (authority == 0 || authority_end(url) != authority || strncasecmp(base_url, url, authority) != 0)
		return 0;
	if (strncmp(base_url + authority, url + authority, n - authority) != 0)
		return 0;
	return url[n] == '\0' || strchr("/?#", url[n]) ? n : 0;
}
