#include "actions/http/output.h"

#include <errno.h>
#include <string.h>

#include "actions/http/classify.h"
#include "actions/http/io_check.h"
#include "actions/http/url.h"
#include "base/mem.h"
#include "codec/output.h"
#include "model/error.h"
#include "store/spool.h"

/* ---- the file ---- */

static json_t *location(const struct session *s, const struct exchange *x, const struct answer *a)
{
	AUTO_FREE char *url = url_show(x->request.url, &s->secrets);
	json_t *metadata = json_pack("{s:s}", "url", url), *where;
	char path[SPOOL_PATH_MAX] = "body";

	/* As records have it, relative to the execution; alone, the executor knows of none. */
	if (s->job.action)
		spool_attempt_file(s->job.action, s->job.attempt, "body", path);
	where = body_location(&x->body, path, *a->type.type ? a->type.type : "application/octet-stream",
			      metadata ? metadata : json_object());
	return json_pack("{s:o}", "body", where);
}

static json_t *to_file(const struct session *s, struct exchange *x, const struct answer *a, bool *keep, json_t **error)
{
	struct err e;

	if (body_keep(&x->body, &e) < 0) {
		*error = classify_unusable(&s->job, x, ERROR_STATE_INCONSISTENT, "not_stored",
					   "check the room on the spool's disk", "its body could not be stored: %s", e.text);
		return NULL;
	}
	*keep = true;
	return location(s, x, a);
}

/* ---- what kind of answer it is ---- */

static json_t *from_json(const struct answer *a)
{
	return json_is_object(a->json) ? json_incref(a->json) : json_pack("{s:O}", "body", a->json);
}

/* As small as the journal wants its outputs? */
static bool fits(const json_t *output)
{
	AUTO_FREE char *text = json_dumps(output, JSON_COMPACT);

	return text && strlen(text) < OUTPUT_MAX / 2;
}

static json_t *from_body(const struct session *s, struct exchange *x, const struct answer *a, bool *keep, json_t **error)
{
	json_t *output;

	if (x->body.size == 0)
		return json_object();
	if (!body_whole(&x->body) || (a->content == CONTENT_JSON && !a->json && a->problem.code == ERANGE))
		return to_file(s, x, a, keep, error);
	if (a->content == CONTENT_JSON && !a->json) {
		*error = classify_unusable(&s->job, x, ERROR_API_RESPONSE_MALFORMED, "json",
					   "see the body in http-trace.json", "its body is not the JSON that it says it is: %s",
					   a->problem.text);
		return NULL;
	}
	if (a->json)
		output = from_json(a);
	else if (a->text && a->content != CONTENT_BINARY)
		output = json_pack("{s:o}", "text", json_stringn_nocheck(a->text, a->text_n));
	else
		return to_file(s, x, a, keep, error);
	if (fits(output))
		return output;
	json_decref(output);
	return to_file(s, x, a, keep, error);
}

/* ---- all of it ---- */

static bool is_empty_by_right(const struct session *s, const struct exchange *x)
{
	return (x->status == 204 || x->status == 205) && job_flag(s->job.quirks, "emptyResponseOn204", true);
}

static json_t *check(const struct session *s, const struct exchange *x, const struct answer *a, const json_t *output)
{
	const json_t *declared = json_object_get(s->job.definition, "outputSchema");
	const char *type = job_text(declared, "type");
	bool of_value = a->json && !io_schema_is_flat(declared) && type && strcmp(type, "object") != 0;
	AUTO_FREE char *why = io_check(declared, of_value ? a->json : output, &s->secrets);

	if (!why)
		return NULL;
	return classify_unusable(&s->job, x, ERROR_VALIDATION_FAILED, "output_schema",
				 "compare outputSchema of the definition with the body in http-trace.json",
				 "its body does not fit outputSchema: %s", why);
}

int output_make(const struct session *s, struct exchange *x, const struct answer *a, json_t **output, bool *keep,
		json_t **error)
{
	*keep = false;
	if (is_empty_by_right(s, x)) {
		*output = json_object();
		return 0;
	}
	if ((x->status == 204 || x->status == 205) && x->body.size == 0) {
		*error = classify_unusable(&s->job, x, ERROR_API_RESPONSE_MALFORMED, "empty",
					   "emptyResponseOn204: true in the API's quirks says that this is as it should be",
					   "it has no body, which this API says it always has");
		return -1;
	}
	*output = from_body(s, x, a, keep, error);
	if (!*output)
		return -1;
	*error = check(s, x, a, *output);
	if (!*error)
		return 0;
	*keep = false;
	json_decref(*output);
	*output = NULL;
	return -1;
}
