/*
 * spec.c - the specification of an attempt, for creel-run: what runs, where, with which environment and limits.
 *
 * Secrets are put in here and nowhere else (secrets.h).  They go into environment variables, never into arguments.
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
#include "creeld/spec_impl.h"

void spec_put(struct buf *b, const char *key, const char *value)
{
	buf_puts(b, key);
	buf_putc(b, '=');
	buf_puts(b, value);
	buf_putc(b, '\0');
}

static void put_number(struct buf *b, const char *key, unsigned long long value)
{
	buf_printf(b, "%s=%llu", key, value);
	buf_putc(b, '\0');
}

void spec_put_env(struct buf *b, const char *name, const char *value)
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

/* ---- parts ---- */

static int put_env_object(struct buf *b, const struct daemon *d, const struct exec *x, const json_t *env,
			  struct err *e)
{
	struct secrets used = {0};
	const char *name;
	json_t *v;
	int r = 0;

	json_object_foreach((json_t *)env, name, v) {
		AUTO_FREE char *text = scalar(v);
		AUTO_BUF struct buf value = BUF_INIT;

		r = text ? secrets_reveal(d, x, text, &value, &used, e) : -1;
		if (r < 0)
			break;
		spec_put_env(b, name, buf_str(&value));
	}
	secrets_put(&used, b);
	if (used.values.n == 0) /* what has a secret in its environment leaves no core either */
		put_number(b, "core", d->soft_core);
	secrets_free(&used);
	return r;
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

/* They are set by us and by nobody else: of two with one name, programs disagree which one counts. */
static void leave_out_own(json_t *env)
{
	static const char *const own[] = {"CREEL_EXECUTION_ID", "CREEL_ACTION_ID", "CREEL_ATTEMPT", "CREEL_IDEMPOTENCY_KEY",
					  "CREEL_INPUT", "CREEL_OUTPUT", "CREEL_ERROR", "CREEL_DIR"};
	size_t k;

	for (k = 0; k < sizeof own / sizeof *own; k++)
		json_object_del(env, own[k]);
}

void spec_put_creel_env(struct buf *b, const struct live *l, uint32_t i, const char *dir)
{
	AUTO_FREE char *output = xasprintf("%s/output", dir), *error = xasprintf("%s/error", dir);
	AUTO_FREE char *input = xasprintf("%s/request.json", dir);
	char key[160], number[24];

	context_idempotency_key(l->exec, i, key, sizeof key);
	snprintf(number, sizeof number, "%u", l->exec->a[i].attempt);
	spec_put_env(b, "CREEL_EXECUTION_ID", l->exec->id);
	spec_put_env(b, "CREEL_ACTION_ID", l->plan->actions[i].id);
	spec_put_env(b, "CREEL_ATTEMPT", number);
	spec_put_env(b, "CREEL_IDEMPOTENCY_KEY", key);
	spec_put_env(b, "CREEL_INPUT", input);
	spec_put_env(b, "CREEL_OUTPUT", output);
	spec_put_env(b, "CREEL_ERROR", error);
	spec_put_env(b, "CREEL_DIR", dir);
}

static int put_environment(struct buf *b, struct daemon *d, struct live *l, uint32_t i, const char *dir,
			   const json_t *inputs, struct err *e)
{
	static const char *const kept[] = {"PATH", "HOME", "LANG", "TZ"};
	json_t *all = json_object(), *plan_env = NULL;
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
	leave_out_own(all);
	if (r == 0)
		r = put_env_object(b, d, l->exec, all, e);
	json_decref(all);
	spec_put_creel_env(b, l, i, dir);
	return r;
}

static int put_arguments(struct buf *b, const char *definition, const json_t *inputs, struct err *e)
{
	json_t *args = json_object_get(inputs, "args"), *v;
	size_t k;

	if (strcmp(definition, "shell.run") == 0) {
		spec_put(b, "arg", "/bin/sh");
		spec_put(b, "arg", "-c");
		spec_put(b, "arg", json_string_value(json_object_get(inputs, "script")));
		spec_put(b, "arg", "sh");
		return 0;
	}
	spec_put(b, "arg", json_string_value(json_object_get(inputs, "command")));
	json_array_foreach(args, k, v) {
		AUTO_FREE char *text = scalar(v);

		if (!text)
			return err_set(e, EBADMSG, "argument %zu is no text", k + 1);
		spec_put(b, "arg", text);
	}
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

void spec_put_request(struct buf *b, const struct live *l, uint32_t i, const json_t *inputs, json_t *http)
{
	const struct action *pa = &l->plan->actions[i];
	AUTO_FREE char *text = NULL, *shown = NULL;
	msec limit = time_limit(l, i);
	char key[160];
	json_t *o = json_object();

	context_idempotency_key(l->exec, i, key, sizeof key);
	json_object_set_new(o, "execution", json_string(l->exec->id));
	json_object_set_new(o, "action", json_string(pa->id));
	json_object_set_new(o, "attempt", json_integer(l->exec->a[i].attempt));
	json_object_set_new(o, "idempotencyKey", json_string(key));
	json_object_set_new(o, "actionDefinitionId", json_string(pa->definition));
	json_object_set(o, "inputs", (json_t *)inputs);
	if (limit)
		json_object_set_new(o, "timeoutMs", json_integer(limit));
	if (http)
		json_object_set(o, "http", http);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	shown = secrets_hide(l->exec, text);
	spec_put(b, "request", shown);
}

/* Read once, and handed to every supervisor. */
static const char *boot_id(void)
{
	static char id[40];
	AUTO_BUF struct buf text = BUF_INIT;

	if (!id[0] && fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &text, NULL) == 0)
		snprintf(id, sizeof id, "%.36s", buf_str(&text));
	return id;
}

static int put_command(struct buf *b, struct daemon *d, struct live *l, uint32_t i, const char *dir, const json_t *inputs,
		       struct err *e)
{
	json_t *cwd = json_object_get(inputs, "cwd");

	if (cwd)
		spec_put(b, "cwd", json_string_value(cwd));
	if (put_arguments(b, l->plan->actions[i].definition, inputs, e) < 0)
		return -1;
	/* A plan that does this is refused; a person's changes to the inputs come later. */
	if (secrets_marked(l->exec, b->p, b->len))
		return err_set(e, EBADMSG, "a secret stands where it would be seen: put it under env: and read the variable");
	if (put_environment(b, d, l, i, dir, inputs, e) < 0)
		return -1;
	spec_put_request(b, l, i, inputs, NULL);
	return 0;
}

int spec_make(struct daemon *d, struct live *l, uint32_t i, struct buf *b, struct err *e)
{
	const struct action *pa = &l->plan->actions[i];
	struct action_state *a = &l->exec->a[i];
	char path[SPOOL_PATH_MAX], name[SPOOL_PATH_MAX];
	AUTO_FREE char *dir = NULL, *results = NULL;
	json_t *inputs = a->resolved, *error = NULL;
	int r;

	a->resolved = NULL;
	l->exec->unread = NO_ACTION;
	if (!inputs && !(inputs = context_inputs(l->exec, i, &error))) {
		err_set(e, l->exec->unread == NO_ACTION ? EBADMSG : ENODATA, "%s",
			json_string_value(json_object_get(error, "message")));
		json_decref(error);
		return -1;
	}
	spool_attempt_path(l->exec->id, pa->id, a->attempt, path);
	spool_result_name(l->exec->id, pa->id, a->attempt, name);
	dir = xasprintf("%s/%s", d->spool.path, path);
	results = xasprintf("%s/results", d->spool.path);
	spec_put(b, "dir", dir);
	spec_put(b, "results", results);
	spec_put(b, "link", name);
	put_number(b, "parent", (unsigned)getpid());
	if (boot_id()[0])
		spec_put(b, "boot", boot_id());
	spec_put(b, "execution", l->exec->id);
	spec_put(b, "action", pa->id);
	put_number(b, "attempt", a->attempt);
	spec_put(b, "token", a->token);
	put_number(b, "timeout_ms", (unsigned long long)time_limit(l, i));
	put_number(b, "grace_ms", (unsigned long long)d->config.grace);
	put_number(b, "stdout_cap", (unsigned long long)d->config.stdout_cap);
	put_number(b, "stderr_cap", (unsigned long long)d->config.stderr_cap);
	put_number(b, "nofile", d->soft_nofile);
	put_number(b, "no_new_privs", d->config.no_new_privs);
	r = pa->http ? spec_put_http(b, d, l, i, dir, inputs, e) : put_command(b, d, l, i, dir, inputs, e);
	json_decref(inputs);
	exec_unload(l->exec);
	if (r == 0 && l->exec->unread != NO_ACTION)
		return err_set(e, ENODATA, "the outputs of \"%s\": %s", l->plan->actions[l->exec->unread].id,
			       l->exec->why_unread.text);
	if (r < 0 && e->code != EKEYREJECTED && e->code != ENOKEY)
		e->code = EBADMSG;
	return r;
}
