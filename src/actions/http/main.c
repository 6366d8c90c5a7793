/*
NAME
	creel-http - run one HTTP action, once

SYNOPSIS
	creel-http
	creel-http --health < REQUEST

DESCRIPTION
	creel-run starts one creel-http for each attempt of an action whose definition is in catalog/actions/.  It makes the
	request that the definition and the inputs describe, and leaves the outputs or an error detail, and http-trace.json.
	In this order it

	1. takes over the tokens that attempts share (CREEL_TOKENS_FD) and makes itself undumpable;
	2. reads the request (CREEL_INPUT) and the secrets (CREEL_SECRETS_FD), and closes that descriptor;
	3. checks the inputs, and makes method, URL, fields and body (request.h, template.h);
	4. adds the credentials (auth.h), asking for a token if none is shared that still serves (oauth.c);
	5. writes the request into http-trace.json, sends it, and follows redirects one by one (redirect.c);
	6. decides what the answer is (classify.h); credentials that have expired are renewed and the request is sent again,
	   once;
	7. writes http-trace.json (trace.h), then the outputs (output.h) or the error.

	One deadline, endpoint.timeout, holds for all of it.  Every text that is written anywhere has its secrets hidden
	(redact.h).

	--health asks the healthCheck of the API in the request on standard input, `{"api": …, "allowPrivate": […]}`, and
	writes {healthy, statusCode, message}.

ENVIRONMENT
	CREEL_INPUT CREEL_OUTPUT CREEL_ERROR CREEL_DIR   files of the attempt, and its directory
	CREEL_SECRETS_FD     descriptor with {secrets, input, mask}; absent: none
	CREEL_TOKENS_FD      descriptor of a file in memory with the shared tokens; absent: none are shared
	CREEL_POOL           name of the abstract socket where processes with connections are shared; absent, or nobody
	                     there: the attempt starts one of its own (creel-http-wire, beside this program)

FILES
	http-trace.json      each request of the attempt and what came of it
	body                 a body that is large or no text
	error-body           that of an error, where the API is said to answer errors so

EXIT STATUS
	0    a whole and valid answer came, and the outputs are written; with --health: the API is healthy
	1    it failed, and CREEL_ERROR says how; with --health: the API is not healthy
	100  the command line is wrong
	111  the environment failed before there was a request to speak of

BUGS
	A secret below 4 bytes is not hidden.  One that a server sends back in a spelling of its own (encrypted, reversed, in
	hexadecimal digits) is not found.
	Through a proxy the address of the service is not checked: the proxy must refuse what is private.
*/
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "actions/common/executor.h"
#include "actions/http/health.h"
#include "actions/http/session.h"
#include "base/log.h"
#include "model/error.h"

static void on_signal(int signal_number)
{
	(void)signal_number;
	client_cancelled = 1;
}

static int health(void)
{
	struct client_way way;

	client_find_way(&way);
	executor_shield();
	return health_main(&way);
}

static void set_signals(void)
{
	struct sigaction end = {.sa_handler = on_signal};

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int fail(json_t *error)
{
	executor_fail(error);
	json_decref(error);
	return EXECUTOR_FAILED;
}

static json_t *bad_request(const struct err *e)
{
	json_t *error = error_new(ERROR_VALIDATION_FAILED, false, "%s", e->text);

	error_set_code(error, "request");
	return error;
}

static int run(struct session *s)
{
	json_t *output, *error;
	struct err e;

	if (session_run(s, &output, &error) < 0)
		return fail(error);
	if (executor_succeed(output, &e) < 0) {
		json_decref(output);
		error = error_new(ERROR_STATE_INCONSISTENT, false, "the outputs cannot be written: %s", e.text);
		error_set_code(error, "not_stored");
		return fail(error);
	}
	json_decref(output);
	return 0;
}

static int start(json_t *request, json_t *secrets, int dir, const struct tokens *tokens, const struct client_way *way)
{
	struct session s;
	struct err e;
	int code;

	code = session_open(&s, request, secrets, dir, tokens, way, &e) < 0 ? fail(bad_request(&e)) : run(&s);
	session_close(&s);
	return code;
}

static int attempt(void)
{
	struct err e = {0};
	struct tokens tokens;
	struct client_way way;
	json_t *request, *secrets = NULL;
	int dir = -1;

	client_find_way(&way);
	tokens_open(&tokens, executor_descriptor_number("CREEL_TOKENS_FD"));
	executor_shield();
	request = executor_request(&e);
	if (request)
		secrets = executor_descriptor("CREEL_SECRETS_FD", &e);
	if (secrets)
		dir = executor_directory(&e);
	if (dir >= 0)
		return start(request, secrets, dir, &tokens, &way);
	json_decref(request);
	json_decref(secrets);
	tokens_close(&tokens);
	if (e.code == EBADMSG)
		return fail(bad_request(&e));
	log_error("%s", e.text);
	return EXECUTOR_ENVIRONMENT;
}

int main(int argc, char **argv)
{
	log_open("creel-http", LOG_LEVEL_INFO);
	set_signals();
	if (argc == 1)
		return attempt();
	if (argc == 2 && strcmp(argv[1], "--health") == 0)
		return health();
	log_error("usage: creel-http [--health]; see the head of src/actions/http/main.c");
	return EXECUTOR_USAGE;
}
