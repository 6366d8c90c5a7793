#include "codec/schema.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "codec/schema_impl.h"

/*
 * Compilation walks a document once, making a node for every subschema at a place where a keyword expects
 * one, and noting addresses ($id), anchors and references on the way.  References are followed when the whole
 * document is known; one that leads into another document has that one loaded and walked, which may note
 * more.
 */

struct pending {
	struct node *node;
	const char *reference;
	bool dynamic;
};

struct compiler {
	struct schema *schema;
	schema_loader load;
	void *load_ctx;
	struct diags *errors;
	struct map nodes;     /* "document#pointer": index in schema->nodes */
	struct map resources; /* URI: index in schema->resources */
	struct map anchors;   /* "URI#name": index in schema->nodes */
	VEC(struct pending) pending;
	VEC(char *) keys; /* of the maps */
	bool failed;
};

static const char dialect[] = "https://json-schema.org/draft/2020-12/schema";
static const char vocabulary_prefix[] = "https://json-schema.org/draft/2020-12/vocab/";
static const struct {
	const char *name;
	unsigned bit; /* 0: not implemented */
} vocabularies[] = {
    {"core", VOCABULARY_CORE},
    {"applicator", VOCABULARY_APPLICATOR},
    {"unevaluated", VOCABULARY_UNEVALUATED},
    {"validation", VOCABULARY_VALIDATION},
    {"meta-data", VOCABULARY_METADATA},
    {"format-annotation", VOCABULARY_FORMAT},
    {"format-assertion", 0},
    {"content", VOCABULARY_CONTENT},
};

static struct node *compile_node(struct compiler *c, json_t *json, size_t document, char *pointer,
				 struct resource *in, unsigned depth);

static void complain(struct compiler *c, size_t document, const char *pointer, char *suggestion,
		     const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));
static void complain(struct compiler *c, size_t document, const char *pointer, char *suggestion,
		     const char *fmt, va_list ap)
{
	AUTO_BUF struct buf text = BUF_INIT;

	if (document > 0)
		buf_printf(&text, "in %s: ", c->schema->documents.v[document].uri);
	buf_vprintf(&text, fmt, ap);
	if (c->errors)
		diag_add(c->errors, pointer, suggestion, "%s", buf_str(&text));
	else
		free(suggestion);
	c->failed = true;
}

static void node_error(struct compiler *c, const struct node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void node_error(struct compiler *c, const struct node *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(c, n->resource->document, n->pointer, NULL, fmt, ap);
	va_end(ap);
}

void schema_site_error(struct site *site, char *suggestion, const char *fmt, ...)
{
	AUTO_BUF struct buf pointer = BUF_INIT;
	va_list ap;

	buf_puts(&pointer, site->node->pointer);
	schema_pointer_add(&pointer, site->keyword, strlen(site->keyword));
	va_start(ap, fmt);
	complain(site->compiler, site->node->resource->document, buf_str(&pointer), suggestion, fmt, ap);
	va_end(ap);
}

/* --- what is where --- */

static const char *keep_key(struct compiler *c, char *key)
{
	vec_push(&c->keys, key);
	return key;
}

static uint32_t index_at(const struct compiler *c, size_t document, const char *pointer)
{
	AUTO_FREE char *key = xasprintf("%zu#%s", document, pointer);

	return map_get(&c->nodes, key);
}

static struct resource *resource_new(struct compiler *c, char *uri, size_t document, const char *pointer,
				     unsigned vocabulary)
{
	struct resource *r = xcalloc(1, sizeof *r);

	r->uri = uri;
	r->document = document;
	r->pointer = xstrdup(pointer);
	r->vocabulary = vocabulary;
	vec_push(&c->schema->resources, r);
	return r;
}

static void document_walk(struct compiler *c, json_t *json, const char *uri)
{
	struct schema *s = c->schema;
	size_t document = s->documents.n;
	struct resource *r = resource_new(c, xstrdup(uri), document, "", VOCABULARY_ALL);
	struct document d = {json, xstrdup(uri)};

	vec_push(&s->documents, d);
	map_put(&c->resources, d.uri, (uint32_t)(s->resources.n - 1));
	compile_node(c, json, document, xstrdup(""), r, 0);
}

/* The resource at uri, from a document that is loaded if need be; NULL if there is none. */
static struct resource *resource_find(struct compiler *c, const char *uri)
{
	uint32_t i = map_get(&c->resources, uri);
	const json_t *json;

	if (i == MAP_NONE && c->load && (json = c->load(c->load_ctx, uri))) {
		/* The walk takes no reference and changes nothing; jansson's iterators want it like this. */
		document_walk(c, (json_t *)(uintptr_t)json, uri);
		i = map_get(&c->resources, uri);
	}
	return i == MAP_NONE ? NULL : c->schema->resources.v[i];
}

/* --- $id and $schema --- */

static unsigned vocabularies_of(struct compiler *c, const struct node *n, const json_t *list)
{
	json_t *object = (json_t *)(uintptr_t)list, *required;
	unsigned bits = VOCABULARY_CORE;
	const char *uri;
	size_t i;

	json_object_foreach(object, uri, required)
	{
		const char *name =
		    text_starts_with(uri, vocabulary_prefix) ? uri + strlen(vocabulary_prefix) : "";
		unsigned bit = 0;

		for (i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++)
			if (strcmp(vocabularies[i].name, name) == 0)
				bit = vocabularies[i].bit;
		if (bit == 0 && !json_is_false(required))
			node_error(c, n, "the vocabulary %s is required but not implemented", uri);
		bits |= bit;
	}
	return bits;
}

static void take_dialect(struct compiler *c, struct node *n, const json_t *named)
{
	const char *uri = json_string_value(named);
	size_t len;
	const json_t *meta, *list;

	if (!uri) {
		node_error(c, n, "$schema must be a string");
		return;
	}
	len = strlen(uri);
	if (len > 0 && uri[len - 1] == '#')
		len--;
	if (len == strlen(dialect) && strncmp(uri, dialect, len) == 0) {
		n->resource->vocabulary = VOCABULARY_ALL;
		return;
	}
	meta = c->load ? c->load(c->load_ctx, uri) : NULL;
	list = json_object_get(meta, "$vocabulary");
	if (!json_is_object(list)) {
		node_error(c, n, "the dialect %s is not known; use %s", uri, dialect);
		return;
	}
	n->resource->vocabulary = vocabularies_of(c, n, list);
}

/* Give the node the address that its $id says. */
static void take_id(struct compiler *c, struct node *n, const json_t *id, size_t document)
{
	const char *text = json_string_value(id);
	AUTO_FREE char *fragment = NULL;
	char *uri = text ? schema_uri_resolve(n->resource->uri, text, &fragment) : NULL;
	struct resource *r = n->resource;
	uint32_t old;

	if (!uri || (fragment && *fragment)) {
		node_error(c, n, "$id must be a URI without a fragment");
		free(uri);
		return;
	}
	if (n->pointer[0] == '\0') {
		free(r->uri);
		r->uri = uri;
	} else {
		r = resource_new(c, uri, document, n->pointer, r->vocabulary);
		n->resource = r;
	}
	old = map_get(&c->resources, uri);
	if (old != MAP_NONE && c->schema->resources.v[old] != r) {
		/* A whole document may have been loaded under two addresses. */
		if (n->pointer[0] != '\0')
			node_error(c, n, "$id %s is there twice", uri);
		return;
	}
	for (old = 0; c->schema->resources.v[old] != r; old++)
		;
	map_put(&c->resources, uri, old);
}

static void take_place(struct compiler *c, struct node *n, json_t *json, size_t document)
{
	const json_t *id = json_object_get(json, "$id"), *meta = json_object_get(json, "$schema");

	if (id)
		take_id(c, n, id, document);
	if (meta && (id || n->pointer[0] == '\0'))
		take_dialect(c, n, meta);
}

/* --- nodes --- */

static bool has_nothing_to_check(const struct node *n)
{
	return !n->never && n->types == 0 && !n->constant && !n->choice && !n->number && !n->string &&
	       !n->array && !n->object && !n->logic && !n->ref && !n->dynamic;
}

/* pointer is taken over. */
static struct node *compile_node(struct compiler *c, json_t *json, size_t document, char *pointer,
				 struct resource *in, unsigned depth)
{
	struct schema *s = c->schema;
	struct node *n = xcalloc(1, sizeof *n);
	struct site site = {c, n, NULL, NULL, depth};

	n->json = json;
	n->pointer = pointer;
	n->resource = in;
	map_put(&c->nodes, keep_key(c, xasprintf("%zu#%s", document, pointer)), (uint32_t)s->nodes.n);
	vec_push(&s->nodes, n);
	if (json_is_boolean(json)) {
		n->never = json_is_false(json);
	} else if (!json_is_object(json)) {
		node_error(c, n, "a schema must be an object, true or false");
	} else if (depth > SCHEMA_NESTING_MAX) {
		node_error(c, n, "schemas are nested too deeply: at most %d levels", SCHEMA_NESTING_MAX);
	} else {
		take_place(c, n, json, document);
		schema_keywords(&site, json);
	}
	return n;
}

struct node *schema_site_child(struct site *site, json_t *schema, const char *name)
{
	struct node *n = site->node;
	struct buf pointer = BUF_INIT;

	buf_puts(&pointer, n->pointer);
	schema_pointer_add(&pointer, site->keyword, strlen(site->keyword));
	if (name)
		schema_pointer_add(&pointer, name, strlen(name));
	return compile_node(site->compiler, schema, n->resource->document, buf_steal(&pointer), n->resource,
			    site->depth + 1);
}

void schema_site_reference(struct site *site, const char *reference, bool dynamic)
{
	struct pending p = {site->node, reference, dynamic};

	vec_push(&site->compiler->pending, p);
}

void schema_site_anchor(struct site *site, const char *name, bool dynamic)
{
	struct compiler *c = site->compiler;
	struct resource *r = site->node->resource;
	const char *key = keep_key(c, xasprintf("%s#%s", r->uri, name));
	uint32_t i = index_at(c, r->document, site->node->pointer), old = map_put(&c->anchors, key, i);

	if (old != MAP_NONE && old != i)
		schema_site_error(site, NULL, "the anchor \"%s\" is there twice", name);
	if (dynamic) {
		map_put(&r->dynamic, name, i);
		site->node->dynamic_anchor = name;
	}
}

/* --- references --- */

static const json_t *step_into(const json_t *v, const char *token)
{
	uint64_t i;

	if (json_is_object(v))
		return json_object_get(v, token);
	return text_to_u64(token, &i) ? json_array_get(v, (size_t)i) : NULL;
}

/* A place where no keyword expects a schema (below x-…, say), but to which a reference leads. */
static struct node *node_aside(struct compiler *c, struct resource *r, const char *pointer)
{
	AUTO_BUF struct buf token = BUF_INIT;
	struct buf where = BUF_INIT;
	const json_t *v = c->schema->nodes.v[index_at(c, r->document, r->pointer)]->json;
	struct resource *in = r;

	buf_puts(&where, r->pointer);
	while (schema_pointer_next(&pointer, &token)) {
		uint32_t known;

		v = step_into(v, buf_str(&token));
		if (!v) {
			buf_free(&where);
			return NULL;
		}
		schema_pointer_add(&where, token.p, token.len);
		known = index_at(c, r->document, buf_str(&where));
		if (known != MAP_NONE)
			in = c->schema->nodes.v[known]->resource;
	}
	return compile_node(c, (json_t *)(uintptr_t)v, r->document, buf_steal(&where), in, 0);
}

static struct node *node_at(struct compiler *c, struct resource *r, const char *fragment)
{
	AUTO_FREE char *key = NULL;
	uint32_t i;

	if (!fragment || fragment[0] == '\0' || fragment[0] == '/') {
		key = xasprintf("%s%s", r->pointer, fragment ? fragment : "");
		i = index_at(c, r->document, key);
		if (i == MAP_NONE)
			return node_aside(c, r, fragment);
	} else {
		key = xasprintf("%s#%s", r->uri, fragment);
		i = map_get(&c->anchors, key);
	}
	return i == MAP_NONE ? NULL : c->schema->nodes.v[i];
}

static void follow(struct compiler *c, struct pending p)
{
	const char *keyword = p.dynamic ? "$dynamicRef" : "$ref";
	AUTO_FREE char *fragment = NULL;
	AUTO_FREE char *uri = schema_uri_resolve(p.node->resource->uri, p.reference, &fragment);
	struct resource *r = uri ? resource_find(c, uri) : NULL;
	struct node *to = r ? node_at(c, r, fragment) : NULL;

	if (!r)
		node_error(c, p.node, "%s leads to %s, and there is no such schema", keyword, p.reference);
	else if (!to)
		node_error(c, p.node, "%s leads to %s, which is not in that schema", keyword, p.reference);
	if (!to)
		return;
	if (!p.dynamic) {
		p.node->ref = to;
		return;
	}
	p.node->dynamic = to;
	if (to->dynamic_anchor && fragment && strcmp(fragment, to->dynamic_anchor) == 0)
		p.node->dynamic_name = to->dynamic_anchor;
}

/* --- the whole --- */

static void finish(struct compiler *c)
{
	struct schema *s = c->schema;
	size_t i;

	/* Loading adds to the list while it is worked off. */
	for (i = 0; i < c->pending.n; i++)
		follow(c, c->pending.v[i]);
	for (i = 0; i < s->nodes.n && !c->failed; i++) {
		const struct node *culprit = schema_endless(s->nodes.v[i]);

		if (culprit)
			node_error(c, culprit, "this schema refers to itself without end");
	}
	for (i = 0; i < s->nodes.n; i++)
		s->nodes.v[i]->empty = has_nothing_to_check(s->nodes.v[i]);
	s->start = s->nodes.v[0];
	for (i = 0; i < c->keys.n; i++)
		free(c->keys.v[i]);
	vec_free(&c->keys);
	vec_free(&c->pending);
	map_free(&c->nodes);
	map_free(&c->resources);
	map_free(&c->anchors);
}

struct schema *schema_compile(json_t *root, schema_loader load, void *ctx, struct diags *errors)
{
	struct schema *s = xcalloc(1, sizeof *s);
	struct compiler c = {.schema = s, .load = load, .load_ctx = ctx, .errors = errors};

	s->root = json_incref(root);
	s->limits = schema_regex_limits();
	document_walk(&c, root, "");
	finish(&c);
	if (c.failed) {
		schema_free(s);
		return NULL;
	}
	return s;
}
