/*
 * action_run.c - one attempt of a definition without a daemon: creel-http in a directory of its own, with the request
 * that creeld would give it.
 *
 * It gets its secrets as from the daemon, in memory behind descriptor 3; access tokens are shared behind descriptor 4.
 * The directory is 0700 and goes when the attempt is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"
#include "creel/action.h"
#include "creel/common.h"
#include "creel/json.h"
#include "store/config_file.h"

enum { SECRET_MIN = 4, SECRET_MAX = 64 * 1024, OUTPUT_MAX = 64 << 20, NO_TIMEOUT_MS = 60000 };

static const char usual_config[] = "/etc/creel/creeld.yaml";

static char *executor(const json_t *http)
{
	const char *configured = json_text(http, "executor"), *at = getenv("PATH");
	char self[PATH_MAX], *slash;
	ssize_t n;

	if (configured)
		return xstrdup(configured);
	n = readlink("/proc/self/exe", self, sizeof self - 16);
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	strcpy(slash ? slash + 1 : self, "creel-http");
	if (access(self, X_OK) == 0)
		return xstrdup(self);
	for (; at && *at; at += strcspn(at, ":"), at += *at == ':') {
		char *found = xasprintf("%.*s/creel-http", (int)strcspn(at, ":"), at);

		if (found[0] == '/' && access(found, X_OK) == 0)
			return found;
		free(found);
	}
	return NULL;
}

int runner_open(struct runner *r, const char *spool, const char *config, const char *typed, struct err *e)
{
	*r = (struct runner){.spool = spool, .typed = typed, .tokens = -1};
	if (config || access(usual_config, R_OK) == 0) {
		r->config = config_file_read(config ? config : usual_config, e);
		if (!r->config)
			return -1;
	}
	r->executor = executor(json_object_get(r->config, "http"));
	if (!r->executor)
		return err_set(e, ENOENT, "there is no creel-http beside creel, nor along PATH");
	r->tokens = memfd_create("creel-tokens", MFD_CLOEXEC);
	return r->tokens < 0 ? err_sys(e, errno, "cannot make memory for access tokens") : 0;
}

void runner_close(struct runner *r)
{
	json_decref(r->config);
	free(r->executor);
	if (r->tokens >= 0)
		close(r->tokens);
}

/* ---- secrets ---- */

static int take(json_t *all, const char *key, const char *value, const char *name, struct err *e)
{
	if (strlen(value) < SECRET_MIN)
		return err_set(e, EBADMSG, "the secret \"%s\" has less than %d bytes: it could not be masked", name, SECRET_MIN);
	if (json_object_set_new(all, key, json_string(value)) < 0)
		return err_set(e, EBADMSG, "the secret \"%s\" is not UTF-8", name);
	return 0;
}

static int take_env(json_t *all, const char *key, const char *name, struct err *e)
{
	const char *value = getenv(name);

	if (!value || !*value)
		return err_set(e, ENOKEY, "the variable %s is not set: it holds a credential of this definition", name);
	return take(all, key, value, name, e);
}

/* As creeld finds it: systemd's directory, then the configured one. */
static int take_file(const struct runner *r, json_t *all, const char *key, const char *name, struct err *e)
{
	const char *dirs[] = {getenv("CREDENTIALS_DIRECTORY"), json_text(r->config, "secrets_dir")};
	AUTO_BUF struct buf value = BUF_INIT;
	int k, result = 1;

	if (strchr(name, '/') || name[0] == '.' || !name[0])
		return err_set(e, EBADMSG, "\"%s\" cannot be the name of a secret", name);
	for (k = 0; k < 2 && result > 0; k++) {
		AUTO_FREE char *path = dirs[k] ? xasprintf("%s/%s", dirs[k], name) : NULL;

		if (path && access(path, F_OK) == 0)
			result = fs_read(AT_FDCWD, path, SECRET_MAX, &value, e);
	}
	if (result > 0)
		return err_set(e, ENOKEY, "there is no secret \"%s\" in $CREDENTIALS_DIRECTORY or the configured secrets_dir", name);
	while (value.len > 0 && value.p[value.len - 1] == '\n')
		value.p[--value.len] = '\0';
	if (result == 0)
		result = take(all, key, buf_str(&value), name, e);
	if (value.p)
		explicit_bzero(value.p, value.cap);
	return result;
}

static int take_typed(const struct runner *r, json_t *all, const char *key, struct err *e)
{
	if (!r->typed)
		return err_set(e, ENOKEY, "a person would be asked for a credential of this definition: put it into a "
					  "variable, and name that with --typed");
	return take_env(all, key, r->typed, e);
}

static int take_from(const struct runner *r, json_t *all, const char *key, const char *from, const char *name,
		     struct err *e)
{
	if (strcmp(from, "env") == 0)
		return take_env(all, key, name, e);
	if (strcmp(from, "secret") == 0)
		return take_file(r, all, key, name, e);
	return strcmp(from, "user_input") == 0 ? take_typed(r, all, key, e) : 0;
}

/* env:NAME or secret:NAME */
static int take_indirect(const struct runner *r, json_t *all, const char *key, const char *where, struct err *e)
{
	if (text_starts_with(where, "env:"))
		return take_env(all, key, where + 4, e);
	return text_starts_with(where, "secret:") ? take_file(r, all, key, where + 7, e) : 0;
}

json_t *runner_secrets(const struct runner *r, const json_t *definition, struct err *e)
{
	const json_t *auth = json_object_get(definition, "authentication");
	json_t *all = json_object(), *where;
	const char *name;
	int result;

	result = take_from(r, all, "token", json_text_or_empty(auth, "tokenFrom"), json_text_or_empty(auth, "token"), e);
	if (result == 0)
		result = take_from(r, all, "value", json_text_or_empty(auth, "valueFrom"), json_text_or_empty(auth, "value"), e);
	if (result == 0)
		result = take_indirect(r, all, "clientSecret", json_text_or_empty(auth, "clientSecret"), e);
	if (result == 0)
		result = take_indirect(r, all, "refreshToken", json_text_or_empty(auth, "refreshToken"), e);
	json_object_foreach(json_object_get(auth, "secrets"), name, where)
		if (result == 0)
			result = take_indirect(r, all, name, json_string_value(where) ? json_string_value(where) : "", e);
	if (result == 0)
		return all;
	json_decref(all);
	return NULL;
}

/* ---- the request ---- */

static void copy_member(json_t *to, const char *key, const json_t *from, const char *name)
{
	if (json_object_get(from, name))
		json_object_set(to, key, json_object_get(from, name));
}

static json_t *http_of(const struct runner *r, const struct http_found *what)
{
	const json_t *config = json_object_get(r->config, "http"), *allow = json_object_get(config, "allow_private");
	const char *handler = json_text_or_empty(json_object_get(what->definition, "authentication"), "handler");
	json_t *limits = json_object();
	json_t *http = json_pack("{s:O, s:O?, s:o, s:o}", "definition", what->definition, "api", what->api, "allowPrivate",
				 allow ? json_incref((json_t *)allow) : json_array(), "limits", limits);

	if (*handler)
		json_object_set_new(http, "handler", *handler == '/' ? json_string(handler)
								     : json_sprintf("%s/catalog/handlers/%s", r->spool, handler));
	copy_member(http, "caFile", config, "ca_file");
	copy_member(http, "userAgent", config, "user_agent");
	copy_member(http, "proxy", config, "proxy");
	json_object_set_new(limits, "inlineBody", json_integer(1024 * 1024));
	copy_member(limits, "inlineBody", config, "inline_body");
	copy_member(limits, "maxResponseSize", config, "max_response_size");
	return http;
}

/* Each run is one of its own to the service: the key that makes an attempt recognisable is new each time. */
static json_t *request_of(struct runner *r, const struct http_found *what, const json_t *inputs)
{
	json_int_t timeout = json_number(json_object_get(what->definition, "endpoint"), "timeout");
	char id[UUID_TEXT];

	uuid_v7(clock_wall(), id);
	return json_pack("{s:s, s:s, s:i, s:s+, s:s, s:O, s:I, s:o}", "execution", id, "action", "test", "attempt", 1,
			 "idempotencyKey", id, ".test", "actionDefinitionId", json_text_or_empty(what->definition, "id"), "inputs", inputs, "timeoutMs",
			 timeout > 0 ? timeout + 1000 : NO_TIMEOUT_MS, "http", http_of(r, what));
}

static int write_json(int dir, const char *name, const json_t *v, struct err *e)
{
	AUTO_FREE char *text = json_dumps(v, JSON_COMPACT);

	return text ? fs_publish(dir, name, text, strlen(text), 0, e) : err_set(e, ENOMEM, "cannot write %s", name);
}

/* A descriptor with {secrets, input, mask} in memory. */
static int in_memory(const json_t *secrets, struct err *e)
{
	json_t *all = json_pack("{s:O, s:{}, s:[]}", "secrets", secrets, "input", "mask");
	char *text = json_dumps(all, JSON_COMPACT);
	int fd = memfd_create("creel-secrets", MFD_CLOEXEC);

	json_decref(all);
	if (fd < 0 || !text || fs_write_all(fd, text, strlen(text), e) < 0) {
		if (fd >= 0)
			close(fd);
		fd = err_set(e, ENOMEM, "cannot hand the secrets over");
	}
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return fd;
}

/* ---- the attempt ---- */

/* In the child; only what is safe there. */
static _Noreturn void become(const struct runner *r, const char *dir, int secrets, char *const env[])
{
	char *const argv[] = {r->executor, NULL};
	int high = fcntl(secrets, F_DUPFD_CLOEXEC, 10), tokens = fcntl(r->tokens, F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDWR);

	if (high >= 0 && tokens >= 0 && chdir(dir) == 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0 &&
	    dup2(high, 3) >= 0 && dup2(tokens, 4) >= 0)
		execve(r->executor, argv, env);
	_exit(127);
}

static int start_and_wait(const struct runner *r, const char *dir, int secrets, struct err *e)
{
	AUTO_FREE char *input = xasprintf("CREEL_INPUT=%s/request.json", dir);
	AUTO_FREE char *output = xasprintf("CREEL_OUTPUT=%s/output", dir);
	AUTO_FREE char *error = xasprintf("CREEL_ERROR=%s/error", dir);
	AUTO_FREE char *where = xasprintf("CREEL_DIR=%s", dir);
	char fd3[] = "CREEL_SECRETS_FD=3", fd4[] = "CREEL_TOKENS_FD=4";
	char *const env[] = {input, output, error, where, fd3, fd4, NULL};
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, errno, "cannot start %s", r->executor);
	if (pid == 0)
		become(r, dir, secrets, env);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot wait for %s", r->executor);
	if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
		return WEXITSTATUS(status);
	if (WIFSIGNALED(status))
		return err_set(e, EIO, "%s was ended by signal %d", r->executor, WTERMSIG(status));
	return err_set(e, EIO, "%s ended with exit status %d", r->executor, WEXITSTATUS(status));
}

/* What it left behind. */
static json_t *result_of(int dir, int code, struct err *e)
{
	const char *what = code == 0 ? "output" : "error";
	json_t *value = json_read(dir, what, e), *trace;
	struct err none;

	if (!value)
		return NULL;
	trace = json_read(dir, "http-trace.json", &none);
	return json_pack("{s:o, s:o}", what, value, "trace", trace ? trace : json_array());
}

static json_t *attempt_in(struct runner *r, const char *path, const json_t *request, const json_t *secrets,
			  struct err *e)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1, code = -1;
	json_t *result = NULL;

	if (dir < 0) {
		err_sys(e, errno, "cannot open %s", path);
		return NULL;
	}
	if (write_json(dir, "request.json", request, e) == 0)
		fd = in_memory(secrets, e);
	if (fd >= 0) {
		code = start_and_wait(r, path, fd, e);
		close(fd);
	}
	if (code >= 0)
		result = result_of(dir, code, e);
	close(dir);
	return result;
}

static void remove_dir(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	AUTO_FREE char *parent = xstrndup(path, (size_t)(name - path));
	int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e;

	if (dir < 0 || fs_remove_tree(dir, name, &e) < 0)
		complain("%s is left behind", path);
	if (dir >= 0)
		close(dir);
}

json_t *runner_attempt(struct runner *r, const struct http_found *what, const json_t *inputs, struct err *e)
{
	const char *base = getenv("TMPDIR");
	AUTO_FREE char *path = xasprintf("%s/creel-action.XXXXXX", base && *base == '/' ? base : "/tmp");
	json_t *secrets = runner_secrets(r, what->definition, e), *request, *result = NULL;

	if (!secrets)
		return NULL;
	if (!mkdtemp(path)) {
		err_sys(e, errno, "cannot make the directory %s", path);
	} else {
		request = request_of(r, what, inputs);
		result = attempt_in(r, path, request, secrets, e);
		json_decref(request);
		remove_dir(path);
	}
	json_decref(secrets);
	return result;
}
