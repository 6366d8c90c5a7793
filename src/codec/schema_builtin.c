#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/schema_impl.h"
#include "codec/schemas.h"

struct builtin {
	const char *name;
	json_t *json;
	struct schema *schema; /* NULL until asked for */
};

static struct builtin *table;
static size_t n_table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *name, const char *why) __attribute__((noreturn));
static void die(const char *name, const char *why)
{
	fprintf(stderr, "creel: the built-in schema \"%s\": %s\n", name, why);
	abort();
}

static void read_table(void)
{
	size_t n = 0;
	json_error_t error;

	while (schema_texts[n].name)
		n++;
	table = xcalloc(n, sizeof *table);
	for (; n_table < n; n_table++) {
		const struct schema_text *text = &schema_texts[n_table];

		table[n_table].name = text->name;
		table[n_table].json = json_loads(text->text, JSON_REJECT_DUPLICATES, &error);
		if (!table[n_table].json)
			die(text->name, error.text);
	}
}

/* They know each other by $id. */
static const json_t *load(void *ctx, const char *uri)
{
	size_t i;

	(void)ctx;
	for (i = 0; i < n_table; i++) {
		const char *id = json_string_value(json_object_get(table[i].json, "$id"));

		if (id && strcmp(id, uri) == 0)
			return table[i].json;
	}
	return NULL;
}

static void compile(struct builtin *b)
{
	struct diags errors = DIAGS_INIT;
	size_t i;

	b->schema = schema_compile(b->json, load, NULL, &errors);
	if (b->schema)
		return;
	for (i = 0; i < errors.n; i++)
		fprintf(stderr, "%s: %s: %s\n", b->name, errors.v[i].pointer, errors.v[i].message);
	die(b->name, "it does not compile");
}

const struct schema *schema_builtin(const char *name)
{
	struct schema *s;
	size_t i;

	pthread_mutex_lock(&lock);
	if (!table)
		read_table();
	for (i = 0; i < n_table && strcmp(table[i].name, name) != 0; i++)
		;
	if (i == n_table)
		die(name, "there is none of that name");
	if (!table[i].schema)
		compile(&table[i]);
	s = table[i].schema;
	pthread_mutex_unlock(&lock);
	return s;
}
