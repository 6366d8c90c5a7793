/*
 * spec.c - the specification of an attempt, for creel-run: what runs, where, with which environment and limits.
 *
 * Secrets are put in here and nowhere else: the core and the records know only marks, which carry a nonce of this
 * process, so that no action's output can pose as one.  They go into environment variables, never into arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "core/context.h"
#include "creeld/daemon.h"

static void put(struct buf *b, const char *key, const char *value)
{
	buf_puts(b, key);
	buf_putc(b, '=');
	buf_puts(b, value);
	buf_putc(b, '\0');
}

static void put_number(struct buf *b, const char *key, long long value)
{
	buf_printf(b, "%s=%lld", key, value);
	buf_putc(b, '\0');
}

static void put_env(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "env=%s=", name);
	buf_puts(b, value);
	buf_putc(b, '\0');
}

/* A scalar as it would be written. */
static char *scalar(const json_t *v)
{
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* ---- secrets ---- */

static int read_secret(const char *name, struct buf *out, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	AUTO_FREE char *path = NULL;

	if (strchr(name, '/') || name[0] == '.')
		return err_set(e, EBADMSG, "\"%s\" cannot be the name of a secret", name);
	if (!dir)
		return err_set(e, EBADMSG, "the secret \"%s\" is wanted, and CREDENTIALS_DIRECTORY is not set for creeld", name);
	path = xasprintf("%s/%s", dir, name);
	if (fs_read(AT_FDCWD, path, 64 * 1024, out, e) < 0) {
		e->code = EBADMSG;
		return -1;
	}
	while (out->len > 0 && out->p[out->len - 1] == '\n')
		out->p[--out->len] = '\0';
	return 0;
}

/* Text with its marks replaced: by the secrets, or by *** for what is recorded. */
static int reveal(const struct exec *x, const char *text, bool for_record, struct buf *out, struct err *e)
{
	AUTO_FREE char *mark = xasprintf("\x01%s:", x->nonce);
	const char *at;

	while (x->nonce[0] && (at = strstr(text, mark))) {
		const char *name = at + strlen(mark), *end = strchr(name, '\x02');
		AUTO_FREE char *word = NULL;

		if (!end)
			break;
		buf_put(out, text, (size_t)(at - text));
		word = xstrndup(name, (size_t)(end - name));
		if (for_record)
			buf_puts(out, "***");
		else if (read_secret(word, out, e) < 0)
			return -1;
		text = end + 1;
	}
	buf_puts(out, text);
	return 0;
}

/* ---- parts ---- */

static int put_env_object(struct buf *b, const struct exec *x, const json_t *env, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)env, name, v) {
		AUTO_FREE char *text = scalar(v);
		AUTO_BUF struct buf value = BUF_INIT;

		if (!text || reveal(x, text, false, &value, e) < 0)
			return -1;
		put_env(b, name, buf_str(&value));
	}
	return 0;
}

/* STEP-RES: what the action consumes, under the names that it was provided by. */
static void add_consumed(const struct live *l, uint32_t i, json_t *env)
{
	const struct action *pa = &l->plan->actions[i];
	size_t k;

	for (k = 0; k < pa->nconsumes; k++) {
		uint32_t provider = plan_provider(l->plan, pa->consumes[k]);
		json_t *output = provider == NO_ACTION ? NULL : context_output(l->exec, provider);
		json_t *value = json_object_get(output, pa->consumes[k]);

		if (value)
			json_object_set(env, pa->consumes[k], value);
	}
}

static int put_environment(struct buf *b, struct daemon *d, struct live *l, uint32_t i, const char *dir,
			   const json_t *inputs, struct err *e)
{
	static const char *const kept[] = {"PATH", "HOME", "LANG", "TZ"};
	json_t *all = json_object(), *plan_env = NULL;
	AUTO_FREE char *output = xasprintf("%s/output", dir), *error = xasprintf("%s/error", dir);
	AUTO_FREE char *input = xasprintf("%s/request.json", dir);
	char key[160], number[24];
	size_t k;
	int r = 0;

	for (k = 0; k < sizeof kept / sizeof *kept; k++)
		if (getenv(kept[k]))
			json_object_set_new(all, kept[k], json_string(getenv(kept[k])));
	json_object_update(all, d->config.env);
	if (l->plan->env && !(plan_env = ref_expand(l->plan->env, context_lookup, l->exec, e)))
		r = -1;
	json_object_update(all, plan_env);
	add_consumed(l, i, all);
	json_decref(plan_env);
	json_object_update(all, json_object_get(inputs, "env"));
	if (r == 0)
		r = put_env_object(b, l->exec, all, e);
	json_decref(all);
	context_idempotency_key(l->exec, i, key, sizeof key);
	snprintf(number, sizeof number, "%u", l->exec->a[i].attempt);
	put_env(b, "CREEL_EXECUTION_ID", l->exec->id);
	put_env(b, "CREEL_ACTION_ID", l->plan->actions[i].id);
	put_env(b, "CREEL_ATTEMPT", number);
	put_env(b, "CREEL_IDEMPOTENCY_KEY", key);
	put_env(b, "CREEL_INPUT", input);
	put_env(b, "CREEL_OUTPUT", output);
	put_env(b, "CREEL_ERROR", error);
	put_env(b, "CREEL_DIR", dir);
	return r;
}

static int put_arguments(struct buf *b, const char *definition, const json_t *inputs, struct err *e)
{
	json_t *args = json_object_get(inputs, "args"), *v;
	size_t k;

	if (strcmp(definition, "shell.run") == 0) {
		put(b, "arg", "/bin/sh");
		put(b, "arg", "-c");
		put(b, "arg", json_string_value(json_object_get(inputs, "script")));
		put(b, "arg", "sh");
		return 0;
	}
	put(b, "arg", json_string_value(json_object_get(inputs, "command")));
	json_array_foreach(args, k, v) {
		AUTO_FREE char *text = scalar(v);

		if (!text)
			return err_set(e, EBADMSG, "argument %zu is no text", k + 1);
		put(b, "arg", text);
	}
	return 0;
}

static int put_request(struct buf *b, struct live *l, uint32_t i, const json_t *inputs, struct err *e)
{
	const struct action *pa = &l->plan->actions[i];
	AUTO_BUF struct buf shown = BUF_INIT;
	AUTO_FREE char *text = NULL;
	char key[160];
	json_t *o = json_object();

	context_idempotency_key(l->exec, i, key, sizeof key);
	json_object_set_new(o, "execution", json_string(l->exec->id));
	json_object_set_new(o, "action", json_string(pa->id));
	json_object_set_new(o, "attempt", json_integer(l->exec->a[i].attempt));
	json_object_set_new(o, "idempotencyKey", json_string(key));
	json_object_set_new(o, "actionDefinitionId", json_string(pa->definition));
	json_object_set(o, "inputs", (json_t *)inputs);
	if (pa->timeout)
		json_object_set_new(o, "timeoutMs", json_integer(pa->timeout));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	/* jansson writes control characters as \u00XX, so the marks are looked for in that spelling. */
	if (l->exec->nonce[0] && strstr(text, l->exec->nonce)) {
		AUTO_FREE char *mark = xasprintf("\\u0001%s:", l->exec->nonce);
		char *at, *end, *from = text;

		while ((at = strstr(from, mark)) && (end = strstr(at, "\\u0002"))) {
			buf_put(&shown, from, (size_t)(at - from));
			buf_puts(&shown, "***");
			from = end + 6;
		}
		buf_puts(&shown, from);
		put(b, "request", buf_str(&shown));
	} else {
		put(b, "request", text);
	}
	(void)e;
	return 0;
}

/* What is left of the time for all attempts limits each of them. */
static msec time_limit(const struct live *l, uint32_t i)
{
	const struct action *pa = &l->plan->actions[i];
	msec limit = pa->timeout, left;

	if (!pa->total_timeout)
		return limit;
	left = l->exec->a[i].first_started + pa->total_timeout - clock_wall();
	if (left < 1)
		left = 1;
	return !limit || left < limit ? left : limit;
}

int spec_make(struct daemon *d, struct live *l, uint32_t i, struct buf *b, struct err *e)
{
	const struct action *pa = &l->plan->actions[i];
	struct action_state *a = &l->exec->a[i];
	char path[SPOOL_PATH_MAX], name[SPOOL_PATH_MAX];
	AUTO_FREE char *dir = NULL, *results = NULL;
	json_t *inputs = a->resolved, *error = NULL, *cwd;
	int r;

	a->resolved = NULL;
	if (!inputs && !(inputs = context_inputs(l->exec, i, &error))) {
		err_set(e, EBADMSG, "%s", json_string_value(json_object_get(error, "message")));
		json_decref(error);
		return -1;
	}
	spool_attempt_path(l->exec->id, pa->id, a->attempt, path);
	spool_result_name(l->exec->id, pa->id, a->attempt, name);
	dir = xasprintf("%s/%s", d->spool.path, path);
	results = xasprintf("%s/results", d->spool.path);
	put(b, "dir", dir);
	put(b, "results", results);
	put(b, "link", name);
	put_number(b, "parent", getpid());
	put(b, "execution", l->exec->id);
	put(b, "action", pa->id);
	put_number(b, "attempt", a->attempt);
	put(b, "token", a->token);
	put_number(b, "timeout_ms", time_limit(l, i));
	put_number(b, "grace_ms", d->config.grace);
	put_number(b, "stdout_cap", d->config.stdout_cap);
	put_number(b, "stderr_cap", d->config.stderr_cap);
	put_number(b, "no_new_privs", d->config.no_new_privs);
	cwd = json_object_get(inputs, "cwd");
	if (cwd)
		put(b, "cwd", json_string_value(cwd));
	r = put_arguments(b, pa->definition, inputs, e);
	if (r == 0)
		r = put_environment(b, d, l, i, dir, inputs, e);
	if (r == 0)
		r = put_request(b, l, i, inputs, e);
	json_decref(inputs);
	if (r < 0 && e->code != EBADMSG)
		e->code = EBADMSG;
	return r;
}
