/*
 * Definitions and API entries of the catalog: what is taken, what is refused and where, which API a URL belongs to, and
 * what a catalog makes of files that change.  S0-DEF, S0-API, S0-SCHEMA.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/catalog.h"
#include "codec/io_schema.h"
#include "store/catalog_http.h"

#define RETRY "retryPolicy: {maxAttempts: 2, initialDelay: 1, maxDelay: 2, backoffMultiplier: 1, retryableErrors: [], jitter: false}\n"
#define HEAD "id: t.get\nname: n\ndescription: d\nversion: 1.2.3\n"
#define ENDPOINT "endpoint: {url: 'https://h.example/v1/{a}', method: GET, headers: {}, timeout: 5}\n"
#define TAIL RETRY "knownErrors: []\nexamples: []\n"
#define IO "inputSchema: {}\noutputSchema: {}\n"
#define API "apiId: t\nname: n\nversion: 2\nbaseUrl: https://h.example/v1\n"

/* ---- decoding ---- */

static json_t *decode(enum catalog_kind kind, const char *text, struct catalog_names *names, struct diags *errors)
{
	*errors = (struct diags)DIAGS_INIT;
	return catalog_decode(kind, "x.yaml", text, strlen(text), names, errors);
}

static void good_ones_are_complete(void **state)
{
	struct catalog_names names;
	struct diags errors;
	json_t *def = decode(CATALOG_ACTION, HEAD ENDPOINT IO TAIL, &names, &errors);
	json_t *api;

	(void)state;
	assert_non_null(def);
	assert_string_equal(names.id, "t.get");
	assert_null(names.base_url);
	assert_string_equal(json_string_value(json_object_get(def, "version")), "1.2.3");
	assert_int_equal(strlen(json_string_value(json_object_get(def, "checksum"))), 71);
	json_decref(def);
	catalog_names_free(&names);
	/* version: 2 is text as it was written; what the quirks leave out has the source document's defaults */
	api = decode(CATALOG_API, API "errorMappings: []\nquirks: {binaryErrorResponses: true}\n", &names, &errors);
	assert_non_null(api);
	assert_string_equal(names.base_url, "https://h.example/v1");
	assert_string_equal(json_string_value(json_object_get(api, "version")), "2");
	assert_true(json_is_false(json_object_get(json_object_get(api, "quirks"), "successWithErrorBody")));
	assert_true(json_is_true(json_object_get(json_object_get(api, "quirks"), "emptyResponseOn204")));
	assert_true(json_is_true(json_object_get(json_object_get(api, "quirks"), "binaryErrorResponses")));
	json_decref(api);
	catalog_names_free(&names);
}

static void wrong_ones_are_refused_with_the_place(void **state)
{
	static const struct {
		enum catalog_kind kind;
		const char *text;
		int line, column;
		const char *message;
	} table[] = {
	    {CATALOG_ACTION, "", 1, 1, "the file is empty"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO RETRY "examples: []\n", 1, 1, "missing property \"knownErrors\""},
	    {CATALOG_ACTION, "id: a b\nname: n\ndescription: d\nversion: 1.2.3\n" ENDPOINT IO TAIL, 1, 5, "an id is 1 to 128"},
	    {CATALOG_ACTION, "id: a\nname: n\ndescription: d\nversion: 1.0\n" ENDPOINT IO TAIL, 4, 10, "three numbers"},
	    {CATALOG_ACTION, HEAD "endpoint: {url: 'ftp://h', method: GET, headers: {}, timeout: 5}\n" IO TAIL, 5, 17,
	     "a URL begins with http:// or https://"},
	    {CATALOG_ACTION, HEAD "endpoint: {url: 'https://me:pw@h/', method: GET, headers: {}, timeout: 5}\n" IO TAIL, 5, 17,
	     "no user name, password"},
	    {CATALOG_ACTION, HEAD "endpoint: {url: 'https://h/', method: HEAD, headers: {}, timeout: 5}\n" IO TAIL, 5, 39, "GET"},
	    {CATALOG_ACTION, HEAD "endpoint: {url: 'https://h/{a', method: GET, headers: {}, timeout: 5}\n" IO TAIL, 5, 17,
	     "the brace at character 11"},
	    {CATALOG_ACTION, HEAD "endpoint: {url: 'https://h/', method: GET, headers: {authorization: x}, timeout: 5}\n" IO TAIL, 5,
	     54, "authorization cannot be given here"},
	    {CATALOG_ACTION, HEAD "endpoint: {url: 'https://h/', method: GET, headers: {X: \"a\\nb\"}, timeout: 5}\n" IO TAIL, 5, 57,
	     "no line break"},
	    {CATALOG_ACTION, HEAD ENDPOINT "inputSchema: {b: string}\noutputSchema: {}\n" TAIL, 5, 17,
	     "{a} stands for no input"},
	    {CATALOG_ACTION, HEAD ENDPOINT "inputSchema: {a: strng}\noutputSchema: {}\n" TAIL, 6, 18, "\"strng\" is no type"},
	    {CATALOG_ACTION, HEAD ENDPOINT "inputSchema: {}\noutputSchema: {type: object, required: x}\n" TAIL, 7, 40, "must list names"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO RETRY "examples: []\nknownErrors: [{pattern: '(', category: auth_invalid, suggestion: s}]\n",
	     10, 25, "the regular expression cannot be read"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO TAIL "authentication: {type: bearer, token: sk-123, tokenFrom: env}\n", 11, 39,
	     "the NAME of a variable"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO TAIL "authentication: {type: oauth2, clientId: i, clientSecret: s3cr3t, tokenUrl: 'https://h/t', scope: []}\n",
	     11, 59, "write env:NAME or secret:NAME"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO TAIL "authentication: {type: api_key, value: K, valueFrom: env}\n", 11, 17, "\"header\""},
	    {CATALOG_ACTION, HEAD ENDPOINT IO TAIL "authentication: {type: custom, handler: h, token: x}\n", 11, 44, "custom has only handler and secrets"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO TAIL "rateLimit: {requests: 0, window: 1, scope: global}\n", 11, 23, "must be at least 1"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO TAIL "rateLimit: {requests: 1, window: 1, scope: per_host}\n", 11, 44, "per_user"},
	    {CATALOG_ACTION, HEAD ENDPOINT IO TAIL "timeout: 5\n", 11, 1, "unknown property \"timeout\""},
	    {CATALOG_API, API "errorMappings: []\n", 1, 1, "missing property \"quirks\""},
	    {CATALOG_API, "apiId: t\nname: n\nversion: 2\nbaseUrl: h.example\nerrorMappings: []\nquirks: {}\n", 4, 10, "a base URL is"},
	    {CATALOG_API, API "quirks: {}\nerrorMappings: [{pattern: 'a[', category: auth_invalid, retryable: true}]\n", 6, 27,
	     "cannot be read"},
	    {CATALOG_API, API "quirks: {}\nerrorMappings: [{header: {name: X, pattern: '*'}, category: auth_invalid, retryable: true}]\n",
	     6, 45, "cannot be read"},
	    {CATALOG_API, API "quirks: {}\nerrorMappings: [{category: nonsense, retryable: true}]\n", 6, 28, "auth_invalid"},
	    {CATALOG_API, API "quirks: {}\nerrorMappings: []\nrateLimiting: {detection: {statusCodes: [429], headers: [], bodyPatterns: ['(']}, extraction: {}, backoffStrategy: {type: linear}}\n",
	     7, 76, "cannot be read"},
	    {CATALOG_API, API "quirks: {}\nerrorMappings: []\nrateLimiting: {detection: {statusCodes: [], headers: []}, extraction: {resetFormat: epoch}, backoffStrategy: {type: linear}}\n",
	     7, 85, "unix_seconds"},
	    {CATALOG_API, API "quirks: {}\nerrorMappings: []\nhealthCheck: {endpoint: 'ftp://x/y', expectedStatus: 200, timeout: 1}\n", 7, 25,
	     "the endpoint of a health check"},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof table / sizeof *table; k++) {
		struct catalog_names names;
		struct diags errors;
		json_t *entry = decode(table[k].kind, table[k].text, &names, &errors);

		if (entry || errors.n == 0)
			fail_msg("it was taken:\n%s", table[k].text);
		if (errors.v[0].line != table[k].line || errors.v[0].column != table[k].column ||
		    !strstr(errors.v[0].message, table[k].message))
			fail_msg("%d:%d: %s: %s; not %d:%d: %s in\n%s", errors.v[0].line, errors.v[0].column, errors.v[0].pointer,
				 errors.v[0].message, table[k].line, table[k].column, table[k].message, table[k].text);
		catalog_names_free(&names);
		diags_free(&errors);
	}
}

static void urls_belong_to_apis(void **state)
{
	static const struct {
		const char *base, *url;
		size_t n;
	} table[] = {
	    {"https://h.example/v1", "https://h.example/v1", 20},
	    {"https://h.example/v1", "https://h.example/v1/x", 20},
	    {"https://h.example/v1/", "https://h.example/v1/x", 20},
	    {"https://h.example/v1/", "https://h.example/v1?q", 20},
	    {"https://h.example/v1", "https://h.example/v12", 0},
	    {"https://h.example/v1", "https://h.example/V1", 0},
	    {"https://H.Example/v1", "HTTPS://h.example/v1/{id}", 20},
	    {"https://h.example", "https://h.example:8443/", 0},
	    {"https://h.example", "https://h.example.evil/", 0},
	    {"https://h.example", "http://h.example/", 0},
	    {"https://h.example/", "https://h.example", 17},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof table / sizeof *table; k++)
		if (catalog_url_fits(table[k].base, table[k].url) != table[k].n)
			fail_msg("%s and %s share %zu", table[k].base, table[k].url, catalog_url_fits(table[k].base, table[k].url));
}

/* ---- inputs by name ---- */

static void inputs_by_name_are_closed(void **state)
{
	static const struct {
		const char *declared, *value;
		bool fits;
	} table[] = {
	    {"{}", "{\"x\":1}", true},
	    {"{\"a\":\"string\"}", "{\"a\":\"x\"}", true},
	    {"{\"a\":\"string\"}", "{\"a\":\"x\",\"b\":1}", false},
	    {"{\"a\":\"string?\"}", "{}", true},
	    {"{\"type\":\"object\"}", "{\"x\":1}", true},
	    {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"x\":1}", false},
	};
	size_t k;

	(void)state;
	for (k = 0; k < sizeof table / sizeof *table; k++) {
		json_t *declared = json_loads(table[k].declared, 0, NULL), *value = json_loads(table[k].value, 0, NULL);
		struct schema *s = io_schema_compile_inputs(declared, NULL);

		if (!s || schema_check(s, value, "", NULL) != table[k].fits)
			fail_msg("%s and %s", table[k].declared, table[k].value);
		schema_free(s);
		json_decref(declared);
		json_decref(value);
	}
}

static void declared_types_are_known(void **state)
{
	json_t *flat = json_loads("{\"a\":\"integer?\",\"b\":\"string\"}", 0, NULL);
	json_t *full = json_loads("{\"type\":\"object\",\"properties\":{\"a\":{}}}", 0, NULL);

	(void)state;
	assert_string_equal(io_schema_type_of(flat, "a"), "integer");
	assert_string_equal(io_schema_type_of(flat, "b"), "string");
	assert_null(io_schema_type_of(flat, "c"));
	assert_null(io_schema_type_of(full, "type"));
	assert_ptr_equal(io_schema_names(flat), flat);
	assert_null(io_schema_names(full));
	json_object_set_new(full, "additionalProperties", json_false());
	assert_ptr_equal(io_schema_names(full), json_object_get(full, "properties"));
	json_decref(flat);
	json_decref(full);
}

/* ---- a catalog ---- */

struct place {
	char path[64];
	int root;
	struct http_catalog *c;
};

static void place_open(struct place *p)
{
	strcpy(p->path, "/tmp/creel-catalog-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->root = open(p->path, O_RDONLY | O_DIRECTORY);
	assert_true(p->root >= 0);
	assert_int_equal(fs_mkdir_all(p->root, "catalog/actions", 0755, NULL), 0);
	assert_int_equal(fs_mkdir_all(p->root, "catalog/apis", 0755, NULL), 0);
	p->c = http_catalog_new(p->root);
}

static void place_close(struct place *p)
{
	int tmp;

	http_catalog_free(p->c);
	close(p->root);
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
	assert_int_equal(fs_remove_tree(tmp, p->path + strlen("/tmp/"), NULL), 0);
	close(tmp);
}

static void put(struct place *p, const char *name, const char *text)
{
	AUTO_FREE char *path = xasprintf("catalog/%s", name);

	assert_int_equal(fs_publish(p->root, path, text, strlen(text), 0, NULL), 0);
	http_catalog_look_again(p->c);
}

/* "DEFINITION-VERSION API", "none", or why not. */
static const char *found(struct place *p, const char *id)
{
	static char text[600];
	struct http_found f;
	char *why = NULL;

	switch (http_catalog_find(p->c, id, &f, &why)) {
	case 0:
		return "none";
	case 1:
		snprintf(text, sizeof text, "%s %s", json_string_value(json_object_get(f.definition, "version")),
			 f.api ? json_string_value(json_object_get(f.api, "apiId")) : "-");
		return text;
	default:
		snprintf(text, sizeof text, "%s", why);
		free(why);
		return text;
	}
}

#define DEF(id, version, more) "id: " id "\nname: n\ndescription: d\nversion: " version "\n" ENDPOINT IO TAIL more
#define ENTRY(id, base) "apiId: " id "\nname: n\nversion: 1\nbaseUrl: " base "\nerrorMappings: []\nquirks: {}\n"

static void a_catalog_follows_its_files(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	assert_string_equal(found(&p, "a"), "none");
	put(&p, "actions/whatever.yaml", DEF("a", "1.0.0", ""));
	assert_string_equal(found(&p, "a"), "1.0.0 -");
	assert_string_equal(http_catalog_nearest(p.c, "A"), "a");
	/* in place, of the same length, at once: the time of change may be the same */
	assert_int_equal(http_catalog_count(p.c), 1);
	{
		AUTO_FREE char *path = xasprintf("%s/catalog/actions/whatever.yaml", p.path);
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_true(fputs(DEF("a", "1.0.1", ""), f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	http_catalog_look_again(p.c);
	assert_string_equal(found(&p, "a"), "1.0.1 -");
	put(&p, "actions/.hidden.yaml", DEF("b", "1.0.0", ""));
	put(&p, "actions/b.yaml~", DEF("b", "1.0.0", ""));
	assert_string_equal(found(&p, "b"), "none");
	/* unchanged: nothing is read again */
	assert_false(http_catalog_refresh(p.c));
	assert_int_equal(unlinkat(p.root, "catalog/actions/whatever.yaml", 0), 0);
	assert_true(http_catalog_refresh(p.c));
	assert_string_equal(found(&p, "a"), "none");
	place_close(&p);
}

static void two_files_with_one_id_are_both_wrong(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	put(&p, "actions/a.yaml", DEF("a", "1.0.0", ""));
	put(&p, "actions/z.json", "{}");
	put(&p, "actions/copy.yaml", DEF("a", "2.0.0", ""));
	assert_string_equal(found(&p, "a"),
			    "catalog/actions/a.yaml:1:5: the id \"a\" is also that of catalog/actions/copy.yaml; remove one of them");
	assert_int_equal(unlinkat(p.root, "catalog/actions/a.yaml", 0), 0);
	http_catalog_look_again(p.c);
	assert_string_equal(found(&p, "a"), "2.0.0 -");
	place_close(&p);
}

static void a_definition_finds_its_api(void **state)
{
	struct place p;
	json_t *api = NULL;
	char *why = NULL;

	(void)state;
	place_open(&p);
	put(&p, "actions/a.yaml", DEF("a", "1.0.0", ""));
	put(&p, "actions/b.yaml", DEF("b", "1.0.0", "apiId: other\n"));
	put(&p, "apis/1.yaml", ENTRY("whole", "https://h.example/"));
	put(&p, "apis/2.yaml", ENTRY("part", "https://h.example/v1"));
	assert_string_equal(found(&p, "a"), "1.0.0 part");
	assert_string_equal(found(&p, "b"),
			    "catalog/actions/b.yaml:11:8: catalog/apis has no API \"other\"; put it into catalog/apis, or leave apiId out");
	put(&p, "apis/3.yaml", ENTRY("other", "https://elsewhere.example"));
	assert_string_equal(found(&p, "b"), "1.0.0 other");
	assert_int_equal(http_catalog_api_of(p.c, "https://h.example/v2", &api, &why), 1);
	assert_string_equal(json_string_value(json_object_get(api, "apiId")), "whole");
	assert_int_equal(http_catalog_api_of(p.c, "https://x.example/v2", &api, &why), 0);
	place_close(&p);
}

/* A wrong file breaks only what names it. */
static void wrong_files_break_what_names_them(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	put(&p, "actions/a.yaml", DEF("a", "1.0.0", ""));
	put(&p, "actions/b.yaml", "id: b\n\tname");
	put(&p, "actions/c.yaml", "id: d\n");
	put(&p, "apis/x.yaml", "apiId: x\nbaseUrl: https://far.example\n");
	assert_string_equal(found(&p, "a"), "1.0.0 -");
	assert_non_null(strstr(found(&p, "b"), "catalog/actions/b.yaml:2:1: "));
	assert_string_equal(found(&p, "c"), "none");
	assert_non_null(strstr(found(&p, "d"), "catalog/actions/c.yaml:1:1: missing property"));
	/* the API of a, half written: a must not run as if it had none */
	put(&p, "apis/x.yaml", "apiId: x\nbaseUrl: https://h.example\n");
	assert_non_null(strstr(found(&p, "a"), "catalog/actions/a.yaml:5:17: its API is described in catalog/apis/x.yaml, which is wrong"));
	put(&p, "apis/x.yaml", ENTRY("x", "https://h.example"));
	assert_string_equal(found(&p, "a"), "1.0.0 x");
	/* links and what others can change are not taken */
	assert_int_equal(symlinkat("a.yaml", p.root, "catalog/actions/e.yaml"), 0);
	http_catalog_look_again(p.c);
	assert_non_null(strstr(found(&p, "e"), "it is no regular file, or a link"));
	place_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_ones_are_complete),
	    cmocka_unit_test(wrong_ones_are_refused_with_the_place),
	    cmocka_unit_test(urls_belong_to_apis),
	    cmocka_unit_test(inputs_by_name_are_closed),
	    cmocka_unit_test(declared_types_are_known),
	    cmocka_unit_test(a_catalog_follows_its_files),
	    cmocka_unit_test(two_files_with_one_id_are_both_wrong),
	    cmocka_unit_test(a_definition_finds_its_api),
	    cmocka_unit_test(wrong_files_break_what_names_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
