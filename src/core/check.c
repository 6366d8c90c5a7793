/*
 * check.c - the checks together, and the rule that no value is pasted into a shell script.
 */
#include "core/check.h"

#include <string.h>

#include "base/mem.h"
#include "core/ref.h"

struct shell_finding {
	struct diags *errors;
	const char *where;
};

static void on_ref(void *ctx, const char *pointer, const struct ref *r)
{
	struct shell_finding *f = ctx;

	diag_add(f->errors, pointer,
		 xasprintf("put it under env:, for example VALUE: \"${%s}\", and write \"$VALUE\" in the script", r->text),
		 "the reference \"%s\" stands in %s: text from elsewhere must not become part of a script", r->text, f->where);
}

static bool is_shell(const char *command)
{
	static const char *const shells[] = {"sh", "bash", "dash", "ksh", "mksh", "zsh", "ash", "fish", "busybox", "su"};
	const char *slash = strrchr(command, '/');
	const char *name = slash ? slash + 1 : command;
	size_t k;

	for (k = 0; k < sizeof shells / sizeof *shells; k++)
		if (strcmp(name, shells[k]) == 0)
			return true;
	return false;
}

/* -c, and clusters of short options that end in it: -lc, -euc. */
static bool is_dash_c(const char *arg)
{
	size_t n = strlen(arg);

	return n >= 2 && arg[0] == '-' && arg[1] != '-' && arg[n - 1] == 'c';
}

static void check_command(const json_t *inputs, uint32_t i, struct diags *errors)
{
	struct shell_finding f = {errors, "the script that a shell is given after -c"};
	const char *command = json_string_value(json_object_get(inputs, "command"));
	json_t *args = json_object_get(inputs, "args"), *arg;
	bool shell = command && is_shell(command);
	size_t k;

	json_array_foreach(args, k, arg) {
		const char *s = json_string_value(arg);
		json_t *script = json_array_get(args, k + 1);

		/* `env sh -c …` and the like: the shell may also be an argument. */
		if (s && is_shell(s))
			shell = true;
		if (shell && s && is_dash_c(s) && script) {
			AUTO_FREE char *pointer = xasprintf("/actions/%u/inputs/args/%zu", i, k + 1);

			ref_scan(script, pointer, on_ref, NULL, &f);
		}
	}
}

void plan_check_shell(const struct plan *p, struct diags *errors)
{
	struct shell_finding f = {errors, "a script"};
	uint32_t i;

	for (i = 0; i < p->n; i++) {
		const struct action *a = &p->actions[i];
		bool shell_run = strcmp(a->definition, "shell.run") == 0;
		json_t *inputs;

		if (!shell_run && strcmp(a->definition, "command") != 0)
			continue;
		if (!strstr(a->inputs, "${") && !strstr(a->inputs, "{{"))
			continue;
		inputs = json_loads(a->inputs, 0, NULL);
		if (shell_run) {
			AUTO_FREE char *pointer = xasprintf("/actions/%u/inputs/script", i);

			ref_scan(json_object_get(inputs, "script"), pointer, on_ref, NULL, &f);
		} else {
			check_command(inputs, i, errors);
		}
		json_decref(inputs);
	}
}

void plan_check(const struct plan *p, struct diags *errors)
{
	plan_check_cycles(p, errors);
	plan_check_references(p, errors);
	plan_check_shell(p, errors);
	plan_check_standbys(p, errors);
}
