#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "codec/schema_impl.h"

/* Where a keyword's value goes: a place in one of the groups of rules that a node may have. */
enum group { GROUP_NODE, GROUP_NUMBER, GROUP_STRING, GROUP_ARRAY, GROUP_OBJECT, GROUP_LOGIC };

typedef void (*keyword_take)(struct site *site, void *slot);

static void *group_of(struct node *n, enum group group)
{
	switch (group) {
	case GROUP_NODE:
		return n;
	case GROUP_NUMBER:
		if (!n->number)
			n->number = xcalloc(1, sizeof *n->number);
		return n->number;
	case GROUP_STRING:
		if (!n->string) {
			n->string = xcalloc(1, sizeof *n->string);
			n->string->max = SIZE_MAX;
		}
		return n->string;
	case GROUP_ARRAY:
		if (!n->array) {
			n->array = xcalloc(1, sizeof *n->array);
			n->array->max = n->array->max_contains = SIZE_MAX;
			n->array->min_contains = 1;
		}
		return n->array;
	case GROUP_OBJECT:
		if (!n->object) {
			n->object = xcalloc(1, sizeof *n->object);
			n->object->max = SIZE_MAX;
		}
		return n->object;
	case GROUP_LOGIC:
		if (!n->logic)
			n->logic = xcalloc(1, sizeof *n->logic);
		return n->logic;
	}
	return NULL;
}

/* --- simple values --- */

static void take_nothing(struct site *site, void *slot)
{
	(void)site;
	(void)slot;
}

static void take_message(struct site *site, void *slot)
{
	(void)slot;
	site->node->message = json_string_value(site->value);
	if (!site->node->message)
		schema_site_error(site, NULL, "\"%s\" must be a string", site->keyword);
}

static void take_value(struct site *site, void *slot)
{
	*(const json_t **)slot = site->value;
}

static void take_list(struct site *site, void *slot)
{
	if (json_is_array(site->value))
		*(const json_t **)slot = site->value;
	else
		schema_site_error(site, NULL, "\"%s\" must be an array", site->keyword);
}

static void take_number(struct site *site, void *slot)
{
	if (json_is_number(site->value))
		*(const json_t **)slot = site->value;
	else
		schema_site_error(site, NULL, "\"%s\" must be a number", site->keyword);
}

static void take_divisor(struct site *site, void *slot)
{
	if (!json_is_number(site->value) || json_number_value(site->value) <= 0) {
		schema_site_error(site, NULL, "\"%s\" must be a number above 0", site->keyword);
		return;
	}
	*(const json_t **)slot = site->value;
	site->node->number->divisor = schema_decimal(site->value);
}

static void take_count(struct site *site, void *slot)
{
	if (!schema_count(site->value, slot))
		schema_site_error(site, NULL, "\"%s\" must be a non-negative integer", site->keyword);
}

static void take_flag(struct site *site, void *slot)
{
	*(bool *)slot = json_is_true(site->value);
	if (!json_is_boolean(site->value))
		schema_site_error(site, NULL, "\"%s\" must be true or false", site->keyword);
}

static unsigned type_named(const char *name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} types[] = {{"null", TYPE_NULL},     {"boolean", TYPE_BOOLEAN}, {"integer", TYPE_INTEGER},
		     {"number", TYPE_NUMBER}, {"string", TYPE_STRING},	 {"array", TYPE_ARRAY},
		     {"object", TYPE_OBJECT}};
	size_t i;

	for (i = 0; name && i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].bit;
	return 0;
}

static void take_type(struct site *site, void *slot)
{
	unsigned *types = slot;
	size_t i, n = json_is_array(site->value) ? json_array_size(site->value) : 1;

	for (i = 0; i < n; i++) {
		const json_t *name =
		    json_is_array(site->value) ? json_array_get(site->value, i) : site->value;
		unsigned bit = type_named(json_string_value(name));

		*types |= bit;
		if (bit == 0)
			schema_site_error(site, NULL,
					  "\"type\" must name null, boolean, integer, number, string, "
					  "array or object");
	}
	if (n == 0)
		schema_site_error(site, NULL, "\"type\" must name at least one type");
}

static bool compile_pattern(struct site *site, struct regex *r, const char *text, size_t n)
{
	char *why = NULL;

	if (schema_regex_compile(r, text, n, &why) == 0)
		return true;
	schema_site_error(site, NULL, "the pattern %s cannot be used: %s", text, why);
	free(why);
	return false;
}

static void take_pattern(struct site *site, void *slot)
{
	if (json_is_string(site->value))
		compile_pattern(site, slot, json_string_value(site->value), json_string_length(site->value));
	else
		schema_site_error(site, NULL, "\"%s\" must be a string", site->keyword);
}

/* The strings of an array, borrowed; NULL and a finding if it is something else. */
static const char **names_of(struct site *site, const json_t *list, size_t *n)
{
	const char **names;
	size_t i;

	*n = json_array_size(list);
	names = xreallocarray(NULL, *n, sizeof *names);
	for (i = 0; i < *n; i++)
		names[i] = json_string_value(json_array_get(list, i));
	for (i = 0; i < *n && names[i]; i++)
		;
	if (json_is_array(list) && i == *n)
		return names;
	schema_site_error(site, NULL, "\"%s\" must list names of properties", site->keyword);
	free(names);
	*n = 0;
	return NULL;
}

static void take_required(struct site *site, void *slot)
{
	*(const char ***)slot = names_of(site, site->value, &site->node->object->n_required);
}

/* --- references --- */

static void take_ref(struct site *site, void *slot)
{
	(void)slot;
	if (json_is_string(site->value))
		schema_site_reference(site, json_string_value(site->value), site->keyword[1] == 'd');
	else
		schema_site_error(site, NULL, "\"%s\" must be a string", site->keyword);
}

static void take_anchor(struct site *site, void *slot)
{
	static const char start[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char more[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.0123456789";
	const char *name = json_string_value(site->value);

	(void)slot;
	if (name && strspn(name, start) > 0 && name[strspn(name, more)] == '\0')
		schema_site_anchor(site, name, site->keyword[1] == 'd');
	else
		schema_site_error(site, NULL, "\"%s\" must be a name of letters, digits, -, _ and .",
				  site->keyword);
}

/* --- subschemas --- */

static void take_schema(struct site *site, void *slot)
{
	*(const struct node **)slot = schema_site_child(site, site->value, NULL);
}

static void take_unused_schema(struct site *site, void *slot)
{
	(void)slot;
	schema_site_child(site, site->value, NULL);
}

static void take_schemas(struct site *site, void *slot)
{
	struct nodes *list = slot;
	size_t i, n = json_array_size(site->value);
	char name[24];

	if (n == 0) {
		schema_site_error(site, NULL, "\"%s\" must be an array with at least one schema",
				  site->keyword);
		return;
	}
	list->v = xreallocarray(NULL, n, sizeof *list->v);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%zu", i);
		list->v[i] = schema_site_child(site, json_array_get(site->value, i), name);
	}
	list->n = n;
}

/* false, with a finding, if the keyword's value is not an object. */
static bool is_map(struct site *site)
{
	if (json_is_object(site->value))
		return true;
	schema_site_error(site, NULL, "\"%s\" must be an object", site->keyword);
	return false;
}

static void take_definitions(struct site *site, void *slot)
{
	const char *name;
	json_t *schema;

	(void)slot;
	if (!is_map(site))
		return;
	json_object_foreach(site->value, name, schema) schema_site_child(site, schema, name);
}

static void take_properties(struct site *site, void *slot)
{
	struct object_rules *o = slot;
	size_t n = json_object_size(site->value);
	const char *name;
	json_t *schema;

	if (!is_map(site))
		return;
	o->names = xreallocarray(NULL, n, sizeof *o->names);
	o->properties.v = xreallocarray(NULL, n, sizeof *o->properties.v);
	json_object_foreach(site->value, name, schema)
	{
		map_put(&o->index, name, (uint32_t)o->properties.n);
		o->names[o->properties.n] = name;
		o->properties.v[o->properties.n] = schema_site_child(site, schema, name);
		o->properties.n++;
	}
}

static void take_patterns(struct site *site, void *slot)
{
	struct object_rules *o = slot;
	const char *text;
	json_t *schema;

	if (!is_map(site))
		return;
	o->patterns = xcalloc(json_object_size(site->value), sizeof *o->patterns);
	json_object_foreach(site->value, text, schema)
	{
		struct pattern_rule *p = &o->patterns[o->n_patterns];

		if (compile_pattern(site, &p->name, text, strlen(text))) {
			p->node = schema_site_child(site, schema, text);
			o->n_patterns++;
		}
	}
}

static void take_dependents(struct site *site, void *slot)
{
	struct object_rules *o = slot;
	const char *name;
	json_t *value;

	if (!is_map(site))
		return;
	o->dependents = xreallocarray(o->dependents, o->n_dependents + json_object_size(site->value),
				      sizeof *o->dependents);
	json_object_foreach(site->value, name, value)
	{
		struct dependent d = {.name = name};

		if (strcmp(site->keyword, "dependentRequired") == 0)
			d.required = names_of(site, value, &d.n);
		else
			d.node = schema_site_child(site, value, name);
		o->dependents[o->n_dependents++] = d;
	}
}

/* --- the table: every keyword of draft 2020-12 --- */

#define IN(group, member) GROUP_##group, offsetof(IN_##group, member)
#define IN_NODE struct node
#define IN_NUMBER struct number_rules
#define IN_STRING struct string_rules
#define IN_ARRAY struct array_rules
#define IN_OBJECT struct object_rules
#define IN_LOGIC struct logic

static const struct keyword {
	const char *name;
	unsigned vocabulary;
	keyword_take take;
	enum group group;
	size_t offset;
} keywords[] = {
    /* $id and $schema are taken before all others, by schema.c; $vocabulary is looked at where $schema leads.
     */
    {"$id", VOCABULARY_CORE, take_nothing, GROUP_NODE, 0},
    {"$schema", VOCABULARY_CORE, take_nothing, GROUP_NODE, 0},
    {"$vocabulary", VOCABULARY_CORE, take_nothing, GROUP_NODE, 0},
    {"$comment", VOCABULARY_CORE, take_nothing, GROUP_NODE, 0},
    {"$anchor", VOCABULARY_CORE, take_anchor, GROUP_NODE, 0},
    {"$dynamicAnchor", VOCABULARY_CORE, take_anchor, GROUP_NODE, 0},
    {"$ref", VOCABULARY_CORE, take_ref, GROUP_NODE, 0},
    {"$dynamicRef", VOCABULARY_CORE, take_ref, GROUP_NODE, 0},
    {"$defs", VOCABULARY_CORE, take_definitions, GROUP_NODE, 0},

    {"allOf", VOCABULARY_APPLICATOR, take_schemas, IN(LOGIC, all_of)},
    {"anyOf", VOCABULARY_APPLICATOR, take_schemas, IN(LOGIC, any_of)},
    {"oneOf", VOCABULARY_APPLICATOR, take_schemas, IN(LOGIC, one_of)},
    {"not", VOCABULARY_APPLICATOR, take_schema, IN(LOGIC, not_this)},
    {"if", VOCABULARY_APPLICATOR, take_schema, IN(LOGIC, if_this)},
    {"then", VOCABULARY_APPLICATOR, take_schema, IN(LOGIC, then_this)},
    {"else", VOCABULARY_APPLICATOR, take_schema, IN(LOGIC, else_this)},
    {"dependentSchemas", VOCABULARY_APPLICATOR, take_dependents, GROUP_OBJECT, 0},
    {"prefixItems", VOCABULARY_APPLICATOR, take_schemas, IN(ARRAY, prefix)},
    {"items", VOCABULARY_APPLICATOR, take_schema, IN(ARRAY, items)},
    {"contains", VOCABULARY_APPLICATOR, take_schema, IN(ARRAY, contains)},
    {"properties", VOCABULARY_APPLICATOR, take_properties, GROUP_OBJECT, 0},
    {"patternProperties", VOCABULARY_APPLICATOR, take_patterns, GROUP_OBJECT, 0},
    {"additionalProperties", VOCABULARY_APPLICATOR, take_schema, IN(OBJECT, additional)},
    {"propertyNames", VOCABULARY_APPLICATOR, take_schema, IN(OBJECT, property_names)},

    {"unevaluatedItems", VOCABULARY_UNEVALUATED, take_schema, IN(ARRAY, unevaluated)},
    {"unevaluatedProperties", VOCABULARY_UNEVALUATED, take_schema, IN(OBJECT, unevaluated)},

    {"type", VOCABULARY_VALIDATION, take_type, IN(NODE, types)},
    {"const", VOCABULARY_VALIDATION, take_value, IN(NODE, constant)},
    {"enum", VOCABULARY_VALIDATION, take_list, IN(NODE, choice)},
    {"multipleOf", VOCABULARY_VALIDATION, take_divisor, IN(NUMBER, multiple)},
    {"maximum", VOCABULARY_VALIDATION, take_number, IN(NUMBER, maximum)},
    {"exclusiveMaximum", VOCABULARY_VALIDATION, take_number, IN(NUMBER, below)},
    {"minimum", VOCABULARY_VALIDATION, take_number, IN(NUMBER, minimum)},
    {"exclusiveMinimum", VOCABULARY_VALIDATION, take_number, IN(NUMBER, above)},
    {"maxLength", VOCABULARY_VALIDATION, take_count, IN(STRING, max)},
    {"minLength", VOCABULARY_VALIDATION, take_count, IN(STRING, min)},
    {"pattern", VOCABULARY_VALIDATION, take_pattern, IN(STRING, pattern)},
    {"maxItems", VOCABULARY_VALIDATION, take_count, IN(ARRAY, max)},
    {"minItems", VOCABULARY_VALIDATION, take_count, IN(ARRAY, min)},
    {"uniqueItems", VOCABULARY_VALIDATION, take_flag, IN(ARRAY, unique)},
    {"maxContains", VOCABULARY_VALIDATION, take_count, IN(ARRAY, max_contains)},
    {"minContains", VOCABULARY_VALIDATION, take_count, IN(ARRAY, min_contains)},
    {"maxProperties", VOCABULARY_VALIDATION, take_count, IN(OBJECT, max)},
    {"minProperties", VOCABULARY_VALIDATION, take_count, IN(OBJECT, min)},
    {"required", VOCABULARY_VALIDATION, take_required, IN(OBJECT, required)},
    {"dependentRequired", VOCABULARY_VALIDATION, take_dependents, GROUP_OBJECT, 0},

    /* Annotations: they say something to readers and refuse no value. */
    {"title", VOCABULARY_METADATA, take_nothing, GROUP_NODE, 0},
    {"description", VOCABULARY_METADATA, take_nothing, GROUP_NODE, 0},
    {"default", VOCABULARY_METADATA, take_nothing, GROUP_NODE, 0},
    {"deprecated", VOCABULARY_METADATA, take_nothing, GROUP_NODE, 0},
    {"readOnly", VOCABULARY_METADATA, take_nothing, GROUP_NODE, 0},
    {"writeOnly", VOCABULARY_METADATA, take_nothing, GROUP_NODE, 0},
    {"examples", VOCABULARY_METADATA, take_nothing, GROUP_NODE, 0},
    {"format", VOCABULARY_FORMAT, take_nothing, GROUP_NODE, 0},
    {"contentEncoding", VOCABULARY_CONTENT, take_nothing, GROUP_NODE, 0},
    {"contentMediaType", VOCABULARY_CONTENT, take_nothing, GROUP_NODE, 0},
    {"contentSchema", VOCABULARY_CONTENT, take_unused_schema, GROUP_NODE, 0},

    {"x-message", VOCABULARY_CORE, take_message, GROUP_NODE, 0},
};

enum { N_KEYWORDS = sizeof keywords / sizeof *keywords };

/* The one table of keywords that are refused though people know them; all come from earlier drafts. */
static const struct {
	const char *name, *instead;
} refused[] = {
    {"definitions", "write \"$defs\""},
    {"dependencies", "write \"dependentRequired\" or \"dependentSchemas\""},
    {"additionalItems", "write \"items\", next to \"prefixItems\""},
    {"id", "write \"$id\""},
    {"$recursiveRef", "write \"$dynamicRef\""},
    {"$recursiveAnchor", "write \"$dynamicAnchor\""},
    {"divisibleBy", "write \"multipleOf\""},
    {"extends", "write \"allOf\" or \"$ref\""},
    {"disallow", "write \"not\""},
};

static void refuse(struct site *site)
{
	const char *names[N_KEYWORDS], *near;
	size_t i;

	for (i = 0; i < sizeof refused / sizeof *refused; i++) {
		if (strcmp(refused[i].name, site->keyword) == 0) {
			schema_site_error(site, xstrdup(refused[i].instead),
					  "the keyword \"%s\" is not in draft 2020-12", site->keyword);
			return;
		}
	}
	for (i = 0; i < N_KEYWORDS; i++)
		names[i] = keywords[i].name;
	near = text_nearest(site->keyword, names, N_KEYWORDS);
	schema_site_error(
	    site, near ? xasprintf("did you mean \"%s\"?", near) : xstrdup("names of your own start with x-"),
	    "unknown keyword \"%s\"", site->keyword);
}

static void take_keyword(struct site *site)
{
	const struct keyword *k = keywords;

	while (k < keywords + N_KEYWORDS && strcmp(k->name, site->keyword) != 0)
		k++;
	if (k == keywords + N_KEYWORDS) {
		if (!text_starts_with(site->keyword, "x-"))
			refuse(site);
		return;
	}
	/* In a dialect without its vocabulary a keyword says nothing. */
	if (site->node->resource->vocabulary & k->vocabulary)
		k->take(site, (char *)group_of(site->node, k->group) + k->offset);
}

void schema_keywords(struct site *site, const json_t *object)
{
	json_t *members = (json_t *)(uintptr_t)object;
	void *i;

	for (i = json_object_iter(members); i; i = json_object_iter_next(members, i)) {
		site->keyword = json_object_iter_key(i);
		site->value = json_object_iter_value(i);
		take_keyword(site);
	}
}
