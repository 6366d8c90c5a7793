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

char *io_check(const json_t *declared, const json_t *value)
{
	struct diags found = DIAGS_INIT;
	struct schema *schema;
	char *why = NULL;

	if (!declared || json_is_null(declared))
		return NULL;
	schema = io_schema_compile(declared, &found);
	if (!schema || !schema_check(schema, value, "", &found))
		why = sentence(&found);
	schema_free(schema);
	diags_free(&found);
	return why;
}
