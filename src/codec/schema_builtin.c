#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/schema_impl.h"
#include "codec/schemas.h"

/* Each is read when it is first asked for: a command that judges one plan does not pay for all the others. */
struct builtin {
	const struct schema_text *text;
	json_t *json;          /* NULL until asked for */
	struct schema *schema; /* the same */
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

static void make_table(void)
{
	size_t n = 0;

	while (schema_texts[n].name)
		n++;
	table = xcalloc(n, sizeof *table);
	for (; n_table < n; n_table++)
		table[n_table].text = &schema_texts[n_table];
}

/* NULL: there is none of that name. */
static struct builtin *find(const char *name)
{
	size_t i;

	for (i = 0; i < n_table; i++)
		if (strcmp(table[i].text->name, name) == 0)
			return &table[i];
	return NULL;
}

static json_t *json_of(struct builtin *b)
{
	json_error_t error;

	if (!b->json)
		b->json = json_loads(b->text->text, JSON_REJECT_DUPLICATES, &error);
	if (!b->json)
		die(b->text->name, error.text);
	return b->json;
}

/* They know each other by $id, which is their name after a prefix. */
static const json_t *load(void *ctx, const char *uri)
{
	struct builtin *b = strncmp(uri, SCHEMA_ID_PREFIX, strlen(SCHEMA_ID_PREFIX)) == 0
				    ? find(uri + strlen(SCHEMA_ID_PREFIX)) : NULL;

	(void)ctx;
	return b ? json_of(b) : NULL;
}

static void compile(struct builtin *b)
{
	struct diags errors = DIAGS_INIT;
	size_t i;

	b->schema = schema_compile(json_of(b), load, NULL, &errors);
	if (b->schema)
		return;
	for (i = 0; i < errors.n; i++)
		fprintf(stderr, "%s: %s: %s\n", b->text->name, errors.v[i].pointer, errors.v[i].message);
	die(b->text->name, "it does not compile");
}

const struct schema *schema_builtin(const char *name)
{
	struct builtin *b;

	pthread_mutex_lock(&lock);
	if (!table)
		make_table();
	b = find(name);
	if (!b)
		die(name, "there is none of that name");
	if (!b->schema)
		compile(b);
	pthread_mutex_unlock(&lock);
	return b->schema;
}
