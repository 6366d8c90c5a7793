/*
 * Decision and control files: the first part is the name, the second the content, both as whoever dropped it wanted.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/schema.h"
#include "codec/source.h"
#include "model/plan.h"
#include "store/admit.h"
#include "store/spool.h"
#include "tests/fuzz/fuzz.h"

static void check_name(const char *name)
{
	AUTO_FREE char *one = xstrdup(name), *two = xstrdup(name);
	char *id, *action, *rest, path[SPOOL_PATH_MAX];
	uint32_t attempt;

	spool_ignored_name(name);
	if (spool_split_name(one, &id, &action, &rest)) {
		MUST(uuid_is_v7(id), "an id that is none: %s", id);
		spool_execution_path(id, path);
		if (action && instance_id_is(action)) {
			spool_request_path(id, action, path);
			MUST(!strchr(path + strlen("confirm/"), '/'), "a path that leaves its directory: %s", path);
		}
	}
	if (spool_split_result(two, &action, &attempt)) {
		MUST(uuid_is_v7(two) && instance_id_is(action), "ids that are none");
		spool_attempt_path(two, action, attempt, path);
		MUST(!strstr(path, ".."), "a path that leaves its directory: %s", path);
	}
}

static void check_shown(const char *text, size_t n)
{
	AUTO_BUF struct buf shown = BUF_INIT;
	size_t k;

	text_escape(&shown, text, n);
	for (k = 0; k < shown.len; k++)
		MUST((unsigned char)shown.p[k] >= 0x20 && shown.p[k] != 0x7f, "a control character is shown");
}

static void check_content(const char *schema, const char *text, size_t n)
{
	struct diags errors = DIAGS_INIT;
	struct source s = {0};
	json_t *report;

	if (source_parse(SOURCE_YAML, text, n, &source_small_limits, &s, &errors) && s.root)
		schema_check(schema_builtin(schema), s.root, "", &errors);
	source_place_all(&s, &errors);
	if (errors.n > 0) {
		MUST(errors.v[0].line > 0 && errors.v[0].message[0], "a finding without a place");
		report = admit_report("ID.a.approve", &errors, "validation_failed", 0, 1000);
		MUST(report, "no report");
		json_decref(report);
	} else if (s.root) {
		MUST(json_is_object(s.root), "content that is no object");
	}
	source_free(&s);
	diags_free(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *name = "", *content = "";
	size_t at = 0, name_n = 0, n = 0;

	if (fuzz_part(data, size, &at, &name, &name_n)) {
		AUTO_FREE char *copy = xstrndup(name, name_n);

		copy[strcspn(copy, "\n")] = '\0';
		check_name(copy);
		check_shown(name, name_n);
	}
	if (fuzz_part(data, size, &at, &content, &n)) {
		check_content("decision", content, n);
		check_content("control", content, n);
	}
	return 0;
}
