/*
 * handler.c - authentication of type custom: a program signs the request.
 *
 * It reads one JSON object: {method, url, headers, body, bodyBase64, idempotencyKey, attempt, renew, secrets}.  body is text;
 * bytes that are no UTF-8 are in bodyBase64.  renew: what it gave for this request was refused a moment ago.
 * It writes one: {headers: {NAME: value}, url}, url only to replace the query.  Exit 0 is success; 75 says that trying
 * again may help.  Its environment is PATH and the CREEL_ variables of the attempt; stderr is the attempt's.  All that it
 * gives counts as a secret.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actions/http/auth.h"
#include "actions/http/url.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/error.h"

enum { ANSWER_MAX = 1 << 20, LIMIT_MS = 30000, SECRET_LEAST = 8, TEMPORARY = 75 };

/* ---- the process ---- */

struct child {
	pid_t pid;
	int to, from;
};

typedef VEC(char *) text_list;

static void make_environment(text_list *list)
{
	static const char *const names[] = {"CREEL_EXECUTION_ID", "CREEL_ACTION_ID", "CREEL_ATTEMPT", "CREEL_IDEMPOTENCY_KEY",
					    "CREEL_DIR"};
	size_t i;

	vec_push(list, xstrdup("PATH=/usr/local/bin:/usr/bin:/bin"));
	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (getenv(names[i]))
			vec_push(list, xasprintf("%s=%s", names[i], getenv(names[i])));
	vec_push(list, NULL);
}

static void run(const char *path, int in, int out)
{
	text_list env = {0};
	char *argv[] = {xstrdup(path), NULL};

	make_environment(&env);
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && close_range(3, ~0U, 0) == 0)
		execve(path, argv, env.v);
	_exit(127);
}

static int start(const char *path, struct child *c, struct err *e)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return err_sys(e, errno, "cannot make a pipe");
	}
	c->pid = fork();
	if (c->pid == 0)
		run(path, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	c->to = in[1];
	c->from = out[0];
	if (c->pid < 0) {
		close(c->to);
		close(c->from);
		return err_sys(e, errno, "cannot start a process");
	}
	setpgid(c->pid, c->pid);
	fcntl(c->to, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Give and take until it closes its end; false: too late, or too much. */
static bool converse(struct child *c, const char *p, size_t n, msec deadline_mono, struct buf *answer)
{
	struct pollfd fds[] = {{c->from, POLLIN, 0}, {c->to, POLLOUT, 0}};
	size_t given = 0;
	char chunk[4096];
	ssize_t got;

	for (;;) {
		msec left = deadline_mono - clock_mono();

		if (left <= 0 || client_cancelled || answer->len > ANSWER_MAX)
			return false;
		if (poll(fds, given < n ? 2 : 1, left < 200 ? (int)left : 200) <= 0)
			continue;
		if (given < n && fds[1].revents) {
			got = write(c->to, p + given, n - given);
			/* A program that does not read to the end may know enough. */
			given = got < 0 && errno != EAGAIN && errno != EINTR ? n : got > 0 ? given + (size_t)got : given;
			if (given == n) {
				close(c->to);
				c->to = -1;
			}
		}
		if (!fds[0].revents)
			continue;
		got = read(c->from, chunk, sizeof chunk);
		if (got == 0 || (got < 0 && errno != EINTR))
			return true;
		if (got > 0)
			buf_put(answer, chunk, (size_t)got);
	}
}

/* Its wait status, or -1 if it did not end by itself. */
static int finish(struct child *c, bool done, msec deadline_mono)
{
	const struct timespec pause = {0, 5 * 1000 * 1000};
	int status = -1;
	pid_t ended = 0;

	if (c->to >= 0)
		close(c->to);
	close(c->from);
	while (done && (ended = waitpid(c->pid, &status, WNOHANG)) == 0 && clock_mono() < deadline_mono)
		nanosleep(&pause, NULL);
	if (ended == c->pid)
		return status;
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return -1;
}

/* ---- what it is told and what it says ---- */

static json_t *question(const struct session *s, const struct request *r)
{
	json_t *headers = json_object(), *secrets = json_object_get(s->job.secrets, "secrets"), *o;
	size_t i;

	for (i = 0; i < r->headers.n; i++)
		json_object_set_new(headers, r->headers.v[i].name, json_string(r->headers.v[i].value));
	o = json_pack("{s:s, s:s, s:o, s:i, s:b}", "method", r->method, "url", r->url, "headers", headers, "attempt",
		      (int)s->job.attempt, "renew", (int)s->renewed);
	if (s->job.idempotency_key)
		json_object_set_new(o, "idempotencyKey", json_string(s->job.idempotency_key));
	if (json_is_object(secrets))
		json_object_set(o, "secrets", secrets);
	if (r->has_body && text_is_utf8(buf_str(&r->body), r->body.len)) {
		json_object_set_new(o, "body", json_stringn_nocheck(buf_str(&r->body), r->body.len));
	} else if (r->has_body) {
		AUTO_FREE char *encoded = xmalloc((r->body.len + 2) / 3 * 4 + 1);

		EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)buf_str(&r->body), (int)r->body.len);
		json_object_set_new(o, "bodyBase64", json_string(encoded));
	}
	return o;
}

static void hide(struct session *s, const char *value, size_t n)
{
	if (n >= SECRET_LEAST)
		redact_add(&s->secrets, value, n);
}

/* The values of parameters that it added or changed. */
static void hide_parameters(struct session *s, const char *before, const char *after)
{
	const char *p = strchr(after, '?');

	while (p && *p) {
		size_t n = strcspn(++p, "&"), equals = strcspn(p, "=&");
		AUTO_FREE char *pair = xstrndup(p, n);

		if (p[equals] == '=' && !strstr(before, pair))
			hide(s, p + equals + 1, n - equals - 1);
		p += n;
	}
}

static json_t *bad_answer(const struct session *s, const char *why)
{
	return auth_error(&s->job, "handler_answer", "it must write {\"headers\": {NAME: text}} and may add \"url\"",
			  "what the authentication handler %s wrote cannot be used: %s", s->job.handler, why);
}

static int take_url(struct session *s, struct request *r, const char *url, json_t **error)
{
	struct err e;
	char *checked = url_check(url, &e);

	if (!checked || !url_same_origin(checked, r->url)) {
		*error = bad_answer(s, checked ? "its url leads to another host" : e.text);
		free(checked);
		return -1;
	}
	hide_parameters(s, r->url, checked);
	free(r->url);
	r->url = checked;
	return 0;
}

static int take_answer(struct session *s, struct request *r, const json_t *answer, json_t **error)
{
	const json_t *headers = json_object_get(answer, "headers"), *url = json_object_get(answer, "url");
	const char *name;
	json_t *v;

	if (!json_is_object(answer) || (headers && !json_is_object(headers)) || (!headers && !url)) {
		*error = bad_answer(s, "it is no JSON object with headers");
		return -1;
	}
	json_object_foreach((json_t *)headers, name, v) {
		if (!json_is_string(v)) {
			*error = bad_answer(s, "a header's value is no text");
			return -1;
		}
		hide(s, json_string_value(v), json_string_length(v));
		if (auth_add_field(s, r, name, json_string_value(v), error) < 0)
			return -1;
	}
	return json_is_string(url) ? take_url(s, r, json_string_value(url), error) : 0;
}

static json_t *process_error(const struct session *s, int status)
{
	json_t *error;

	if (status == -1)
		error = auth_error(&s->job, "handler_timeout", "it must answer within 30 seconds and endpoint.timeout",
				   "the authentication handler %s did not answer", s->job.handler);
	else if (WIFSIGNALED(status))
		error = auth_error(&s->job, "handler", NULL, "the authentication handler %s was ended by signal %d",
				   s->job.handler, WTERMSIG(status));
	else
		error = auth_error(&s->job, "handler", "see stderr of the attempt",
				   "the authentication handler %s exited with status %d", s->job.handler, WEXITSTATUS(status));
	json_object_set_new(error, "retryable",
			    json_boolean(status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == TEMPORARY)));
	return error;
}

int handler_sign(struct session *s, struct request *r, json_t **error)
{
	const char *path = s->job.handler ? s->job.handler : job_text(s->job.auth, "handler");
	msec deadline = clock_mono() + LIMIT_MS;
	AUTO_BUF struct buf said = BUF_INIT;
	json_t *o, *answer;
	struct child child = {0, -1, -1};
	struct err e = {0};
	int status, result;
	char *text;
	bool done;

	if (!path || *path != '/' || access(path, X_OK) < 0) {
		*error = auth_error(&s->job, "handler", "put the program into catalog/handlers/ and make it executable",
				    "there is no authentication handler \"%s\" that can be run", path ? path : "");
		return -1;
	}
	s->job.handler = path;
	if (s->job.deadline_mono && s->job.deadline_mono < deadline)
		deadline = s->job.deadline_mono;
	o = question(s, r);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (start(path, &child, &e) < 0) {
		free(text);
		*error = auth_error(&s->job, "handler", NULL, "%s", e.text);
		return -1;
	}
	done = converse(&child, text, strlen(text), deadline, &said);
	explicit_bzero(text, strlen(text));
	free(text);
	status = finish(&child, done, deadline);
	if (status != 0) {
		*error = process_error(s, status);
		return -1;
	}
	answer = json_loadb(buf_str(&said), said.len, JSON_REJECT_DUPLICATES, NULL);
	result = take_answer(s, r, answer, error);
	json_decref(answer);
	return result;
}
