#include "actions/http/io_check.h"

#include "base/buf.h"
#include "base/mem.h"

enum { TOLD = 5 };

static char *sentence(const struct diags *found)
{
	struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < found->n && i < TOLD; i++) {
		if (i > 0)
			buf_puts(&b, "; ");
		if (*found->v[i].pointer)
			buf_printf(&b, "%s: ", found->v[i].pointer + 1);
		buf_puts(&b, found->v[i].message);
	}
	if (found->n + found->more > TOLD)
		buf_printf(&b, "; and %zu more", found->n + found->more - TOLD);
	return buf_steal(&b);
}

/* Findings quote the beginning of a value, and a beginning of a secret could not be found any more: so they are those of
 * the hidden value, if that does not fit either. */
static char *without_secrets(const struct schema *schema, const json_t *value, const struct redact *secrets)
{
	json_t *hidden = redact_json(secrets, value);
	struct diags found = DIAGS_INIT;
	char *why;

	why = schema_check(schema, hidden, "", &found) ? xstrdup("a secret is in what does not fit") : sentence(&found);
	diags_free(&found);
	json_decref(hidden);
	return why;
}

char *io_check(const json_t *declared, const json_t *value, const struct redact *secrets)
{
	struct diags found = DIAGS_INIT;
	struct schema *schema;
	char *why = NULL;

	if (!declared || json_is_null(declared))
		return NULL;
	schema = io_schema_compile(declared, &found);
	if (!schema)
		why = sentence(&found);
	else if (!schema_check(schema, value, "", NULL))
		why = without_secrets(schema, value, secrets);
	schema_free(schema);
	diags_free(&found);
	return why;
}
