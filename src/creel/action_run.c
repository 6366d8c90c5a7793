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
#include "store/http_setup.h"

enum { SECRET_MIN = 4, SECRET_MAX = 64 * 1024, OUTPUT_MAX = 64 << 20, NO_TIMEOUT_MS = 60000 };

static const char usual_config[] = "/etc/creel/creeld.yaml";

int runner_open(struct runner *r, const char *spool, const char *config, const char *typed, struct err *e)
{
	*r = (struct runner){.spool = spool, .typed = typed, .tokens = -1};
	if (config || access(usual_config, R_OK) == 0) {
		r->config = config_file_read(config ? config : usual_config, e);
		if (!r->config)
			return -1;
	}
	r->executor = http_executor(json_object_get(r->config, "http"));
	if (access(r->executor, X_OK) < 0)
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

struct taking {
	const struct runner *r;
	json_t *all;
};

static int take_credential(void *ctx, const char *key, enum credential_from from, const char *name, struct err *e)
{
	const struct taking *t = ctx;

	switch (from) {
	case CREDENTIAL_ENV:
		return take_env(t->all, key, name, e);
	case CREDENTIAL_SECRET:
		return take_file(t->r, t->all, key, name, e);
	case CREDENTIAL_TYPED:
		return take_typed(t->r, t->all, key, e);
	}
	return 0;
}

json_t *runner_secrets(const struct runner *r, const json_t *definition, struct err *e)
{
	struct taking t = {r, json_object()};

	if (http_credentials(json_object_get(definition, "authentication"), take_credential, &t, e) == 0)
		return t.all;
	json_decref(t.all);
	return NULL;
}

/* ---- the request ---- */

/* Each run is one of its own to the service: the key that makes an attempt recognisable is new each time. */
static json_t *request_of(struct runner *r, const struct http_found *what, const json_t *inputs)
{
	json_int_t timeout = json_number(json_object_get(what->definition, "endpoint"), "timeout");
	char id[UUID_TEXT];

	uuid_v7(clock_wall(), id);
	return json_pack("{s:s, s:s, s:i, s:s+, s:s, s:O, s:I, s:o}", "execution", id, "action", "test", "attempt", 1,
			 "idempotencyKey", id, ".test", "actionDefinitionId", json_text_or_empty(what->definition, "id"), "inputs", inputs, "timeoutMs",
			 timeout > 0 ? timeout + 1000 : NO_TIMEOUT_MS, "http",
			 http_job(json_object_get(r->config, "http"), r->spool, json_incref(what->definition), what->api));
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
