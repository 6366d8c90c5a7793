/*
 * config.c - what the daemon takes from its configuration file.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "creeld/daemon.h"
#include "store/config_file.h"

static void set_defaults(struct config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	*c = (struct config){
	    .max_concurrency = cores > 0 ? (uint32_t)cores : 2,
	    .rescan = 5000,
	    .grace = 5000,
	    .stdout_cap = 16 << 20,
	    .output_cap = 128 << 20,
	    .stderr_cap = 16 << 20,
	    .no_new_privs = true,
	    .log_level = LOG_LEVEL_INFO,
	    .retry_after_most = 3600 * 1000,
	};
}

static msec seconds(const json_t *v, msec otherwise)
{
	return v ? (msec)(json_number_value(v) * 1000) : otherwise;
}

static long long number(const json_t *v, long long otherwise)
{
	return v ? json_integer_value(v) : otherwise;
}

static void take(struct config *c, const json_t *root)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	const char *level = json_string_value(json_object_get(root, "log_level"));
	json_t *privs = json_object_get(root, "no_new_privs");
	int k;

	c->max_concurrency = (uint32_t)number(json_object_get(root, "max_concurrency"), c->max_concurrency);
	c->rescan = seconds(json_object_get(root, "rescan_sec"), c->rescan);
	c->grace = seconds(json_object_get(root, "grace_sec"), c->grace);
	c->stdout_cap = number(json_object_get(root, "stdout_cap"), c->stdout_cap);
	c->output_cap = number(json_object_get(root, "output_cap"), c->output_cap);
	c->stderr_cap = number(json_object_get(root, "stderr_cap"), c->stderr_cap);
	if (privs)
		c->no_new_privs = json_is_true(privs);
	for (k = 0; level && k < 4; k++)
		if (strcmp(levels[k], level) == 0)
			c->log_level = k;
	c->env = json_incref(json_object_get(root, "env"));
	c->queues = json_incref(json_object_get(root, "queues"));
	c->breakers = json_incref(json_object_get(root, "breakers"));
	c->retention = json_incref(json_object_get(root, "retention"));
	c->http = json_incref(json_object_get(root, "http"));
	c->retry_after_most = seconds(json_object_get(c->http, "max_retry_after_sec"), c->retry_after_most);
	c->secrets_dir = xstrdup_opt(json_string_value(json_object_get(root, "secrets_dir")));
	c->spool = xstrdup_opt(json_string_value(json_object_get(root, "spool")));
}

int config_load(struct config *c, const char *file, struct err *e)
{
	json_t *root;

	set_defaults(c);
	if (!file)
		return 0;
	root = config_file_read(file, e);
	if (!root)
		return -1;
	take(c, root);
	json_decref(root);
	return 0;
}

void config_free(struct config *c)
{
	free(c->spool);
	json_decref(c->breakers);
	json_decref(c->http);
	free(c->secrets_dir);
	json_decref(c->env);
	json_decref(c->queues);
	json_decref(c->retention);
}
