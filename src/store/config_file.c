#include "store/config_file.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/fs.h"
#include "codec/schema.h"
#include "codec/source.h"

enum { CONFIG_MAX = 1024 * 1024 };

static const char *raw(void *source, const char *pointer)
{
	return source_raw(source, pointer);
}

json_t *config_file_read(const char *file, struct err *e)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct diags errors = DIAGS_INIT;
	struct source source = {0};
	const struct schema *schema = schema_builtin("config");
	json_t *root = NULL;

	if (fs_read(AT_FDCWD, file, CONFIG_MAX, &text, e) < 0)
		return NULL;
	if (source_parse(SOURCE_YAML, buf_str(&text), text.len, &source_plan_limits, &source, &errors)) {
		if (source.root) {
			schema_text_fields(schema, source.root, raw, &source);
			if (schema_check(schema, source.root, "", &errors))
				root = json_incref(source.root);
		} else {
			root = json_object(); /* nothing but comments */
		}
	}
	source_place_all(&source, &errors);
	if (errors.n > 0)
		err_set(e, EINVAL, "%s:%d:%d: %s: %s%s%s", file, errors.v[0].line, errors.v[0].column, errors.v[0].pointer,
			errors.v[0].message, errors.v[0].suggestion ? "; " : "",
			errors.v[0].suggestion ? errors.v[0].suggestion : "");
	if (errors.n > 0) {
		json_decref(root);
		root = NULL;
	}
	source_free(&source);
	diags_free(&errors);
	return root;
}
