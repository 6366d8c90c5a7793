#include "actions/http/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/auth.h"
#include "actions/http/classify.h"
#include "actions/http/io_check.h"
#include "actions/http/output.h"
#include "actions/http/url.h"
#include "base/mem.h"

int session_open(struct session *s, json_t *request, json_t *secrets, int dir, const struct tokens *tokens,
		 const struct client_way *way, struct err *e)
{
	*s = (struct session){.dir = dir, .tokens = *tokens};
	client_open(&s->client, &s->job, dir, &s->secrets, way);
	if (job_read(&s->job, request, secrets, e) < 0)
		return -1;
	job_redact(&s->job, &s->secrets);
	trace_open(&s->trace, &s->job, &s->secrets, dir);
	return 0;
}

void session_close(struct session *s)
{
	client_close(&s->client);
	trace_close(&s->trace);
	tokens_close(&s->tokens);
	free(s->used_token);
	redact_free(&s->secrets);
	job_free(&s->job);
}

void session_send(struct session *s, struct exchange *x, bool spill)
{
	struct err e;

	free(x->shown_url);
	x->shown_url = url_show(x->request.url, &s->secrets);
	if (trace_begin(&s->trace, x, &e) < 0) {
		x->stop = STOP_DISK;
		x->started = x->finished = clock_wall();
		snprintf(x->message, sizeof x->message, "%s", e.text);
		return;
	}
	client_send(&s->client, x, spill);
}

/* ---- one round: request, answer, verdict ---- */

struct round {
	struct exchange x;
	struct answer answer;
	json_t *output, *error;
};

/* Patterns that show a rate limit are looked for where an error may be. */
static void read_rate(const struct session *s, const struct round *r, const struct rate_clock *clock, struct rate *rate)
{
	bool search = r->x.status >= 400 || job_flag(s->job.quirks, "successWithErrorBody", false);

	if (exchange_complete(&r->x))
		rate_read(s->job.api, r->x.status, &r->x.reply, search ? r->answer.text : NULL, r->answer.text_n, clock, rate);
	else
		*rate = (struct rate){.limit = -1, .remaining = -1};
}

/* quirks.binaryErrorResponses: what cannot be shown is kept for whoever can read it. */
static void keep_binary_error(struct session *s, struct round *r, bool *keep)
{
	struct err e;

	if (!exchange_complete(&r->x) || r->x.body.size == 0 || !body_whole(&r->x.body) ||
	    !job_flag(s->job.quirks, "binaryErrorResponses", false))
		return;
	r->x.body.name = "error-body";
	if (body_keep(&r->x.body, &e) == 0) {
		*keep = true;
		error_set_context(r->error, "errorBody", "error-body");
		error_set_context(r->error, "errorBodyType", r->answer.type.type);
	}
}

static bool go(struct session *s, const struct request *made, struct round *r)
{
	struct circumstances c = {.renewable = auth_renewable(&s->job) && !s->renewed, .renewed = s->renewed};
	struct rate_clock clock;
	struct request copy;
	struct rate rate;
	bool keep = false;

	*r = (struct round){0};
	request_copy(&copy, made);
	if (auth_apply(s, &copy, &r->error) < 0) {
		request_free(&copy);
		return false;
	}
	session_follow(s, &copy, &r->x);
	answer_read(&r->answer, &r->x, s->job.quirks, &s->secrets);
	clock = rate_clock_make(&r->x.reply, r->x.finished, s->job.limits.retry_after);
	read_rate(s, r, &clock, &rate);
	r->error = classify(&s->job, &r->x, &r->answer, &c, &rate, &clock);
	if (!r->error)
		output_make(s, &r->x, &r->answer, &r->output, &keep, &r->error);
	else
		keep_binary_error(s, r, &keep);
	trace_end(&s->trace, &r->x, exchange_complete(&r->x) ? &rate : NULL);
	if (r->error)
		trace_error(&s->trace, r->error);
	answer_free(&r->answer);
	exchange_free(&r->x, keep);
	return c.renewable && r->error && error_category_of(r->error) == ERROR_AUTH_EXPIRED;
}

/* ---- the attempt ---- */

static int fail(struct session *s, json_t *error, json_t **out)
{
	*out = redact_json(&s->secrets, error);
	json_decref(error);
	return -1;
}

static int write_trace(struct session *s, json_t **error)
{
	struct err e;

	if (trace_write(&s->trace, &e) == 0)
		return 0;
	*error = error_new(ERROR_STATE_INCONSISTENT, false, "%s: http-trace.json cannot be written: %s", s->job.id, e.text);
	error_set_code(*error, "not_stored");
	return -1;
}

int session_run(struct session *s, json_t **output, json_t **error)
{
	AUTO_FREE char *misfit = io_check(json_object_get(s->job.definition, "inputSchema"), s->job.inputs, &s->secrets);
	struct request made;
	struct round r = {0};
	struct err e;

	*output = *error = NULL;
	if (misfit)
		return fail(s, classify_invalid(&s->job, "input_schema", "the inputs do not fit inputSchema: %s", misfit), error);
	if (request_make(&made, &s->job, &e) < 0)
		return fail(s, classify_invalid(&s->job, "request", "%s", e.text), error);
	if (go(s, &made, &r)) {
		json_decref(r.error);
		s->renewed = true;
		go(s, &made, &r);
	}
	request_free(&made);
	if (json_array_size(s->trace.entries) > 0 && write_trace(s, &r.error) < 0 && r.output) {
		json_decref(r.output);
		r.output = NULL;
	}
	if (!r.output)
		return fail(s, r.error, error);
	*output = redact_json(&s->secrets, r.output);
	json_decref(r.output);
	return 0;
}
