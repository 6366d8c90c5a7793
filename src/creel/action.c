/*
 * action.c - the HTTP actions of the catalog: which there are, what one wants, and whether it does what it says.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "creel/action.h"
#include "creel/common.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/plan_file.h"
#include "creel/show_text.h"

struct settings {
	struct action_test test;
	const char *config, *typed;
};

/* ---- ls ---- */

static json_t *item_json(const struct catalog_item *i)
{
	const json_t *e = i->entry;
	json_t *o = json_pack("{s:s, s:s+, s:b}", "kind", i->kind == CATALOG_ACTION ? "action" : "api", "file", "catalog/",
			      i->file, "ok", (int)(e && i->errors.n == 0));
	json_t *errors;
	size_t k;

	if (i->names.id)
		json_object_set_new(o, "id", json_string(i->names.id));
	if (json_text(e, "version"))
		json_object_set(o, "version", json_object_get(e, "version"));
	if (json_text(e, "name"))
		json_object_set(o, "name", json_object_get(e, "name"));
	if (e && i->errors.n == 0)
		return o;
	errors = json_array();
	for (k = 0; k < i->errors.n; k++) {
		const struct diag *d = &i->errors.v[k];
		json_t *one = json_pack("{s:s, s:s, s:i, s:i}", "pointer", d->pointer, "message", d->message, "line", d->line,
					"column", d->column);

		if (d->suggestion)
			json_object_set_new(one, "suggestion", json_string(d->suggestion));
		json_array_append_new(errors, one);
	}
	json_object_set_new(o, "errors", errors);
	return o;
}

static void put_item(struct buf *b, const struct term *t, const struct catalog_item *i)
{
	const json_t *endpoint = json_object_get(i->entry, "endpoint");
	AUTO_BUF struct buf id = BUF_INIT;

	put_safe(&id, i->names.id ? i->names.id : "?");
	buf_puts(b, i->kind == CATALOG_ACTION ? "action  " : "api     ");
	put_padded(b, buf_str(&id), 28);
	buf_putc(b, ' ');
	if (!i->entry || i->errors.n > 0) {
		put_tone(b, t, TONE_BAD, "wrong");
		buf_puts(b, "  catalog/");
		put_safe(b, i->file);
	} else if (endpoint) {
		put_safe(b, json_text_or_empty(i->entry, "version"));
		buf_putc(b, ' ');
		put_safe(b, json_text_or_empty(endpoint, "method"));
		buf_putc(b, ' ');
		put_safe(b, json_text_or_empty(endpoint, "url"));
	} else {
		put_safe(b, json_text_or_empty(i->entry, "version"));
		buf_putc(b, ' ');
		put_safe(b, json_text_or_empty(i->entry, "baseUrl"));
	}
	buf_putc(b, '\n');
}

/* The table first, so that it can be read; what is wrong stands below, as of a plan. */
static int list(struct http_catalog *catalog, bool json)
{
	AUTO_BUF struct buf b = BUF_INIT;
	json_t *all = json ? json_array() : NULL;
	size_t k, wrong = 0, n = http_catalog_count(catalog);
	struct term t;

	term_look(1, &t);
	for (k = 0; k < n; k++) {
		const struct catalog_item *i = http_catalog_item(catalog, k);

		wrong += !i->entry || i->errors.n > 0;
		if (json)
			json_array_append_new(all, item_json(i));
		else
			put_item(&b, &t, i);
	}
	if (json)
		json_print(all);
	else
		put_out(&b, stdout);
	json_decref(all);
	for (k = 0; !json && k < n; k++) {
		const struct catalog_item *i = http_catalog_item(catalog, k);
		AUTO_FREE char *file = xasprintf("catalog/%s", i->file);

		if (!i->entry || i->errors.n > 0)
			findings_print(stdout, file, &i->errors);
	}
	if (n == 0 && !json)
		note("the catalog has no definition: they belong into catalog/actions; see creel-action(7)");
	return wrong ? EXIT_NO : EXIT_DONE;
}

/* ---- one ---- */

static const char *file_of(struct http_catalog *catalog, const json_t *entry)
{
	size_t k;

	for (k = 0; k < http_catalog_count(catalog); k++)
		if (http_catalog_item(catalog, k)->entry == entry)
			return http_catalog_item(catalog, k)->file;
	return "";
}

static int find(struct http_catalog *catalog, const char *name, struct http_found *found)
{
	AUTO_FREE char *why = NULL;
	const char *near;
	int r = http_catalog_find(catalog, name, found, &why);

	if (r > 0)
		return EXIT_DONE;
	if (r < 0) {
		complain("%s", why);
		return EXIT_NO;
	}
	near = http_catalog_nearest(catalog, name);
	if (near)
		complain("the catalog has no definition \"%s\"; did you mean \"%s\"?", name, near);
	else
		complain("the catalog has no definition \"%s\"; \"creel action ls\" lists them", name);
	return EXIT_NO;
}

static int show(const struct http_found *found, const char *file, bool json)
{
	json_t *o;

	if (!json) {
		action_show(found, file);
		return EXIT_DONE;
	}
	o = json_pack("{s:s+, s:O, s:O?}", "file", "catalog/", file, "definition", found->definition, "api", found->api);
	json_print(o);
	json_decref(o);
	return EXIT_DONE;
}

static int test(struct cli *c, const struct http_found *found, const struct settings *s)
{
	struct runner r;
	struct err e;
	int status;

	if (runner_open(&r, c->spool.path, s->config, s->typed, &e) < 0) {
		complain("%s", e.text);
		runner_close(&r);
		return EXIT_UNABLE;
	}
	status = action_test(&r, found, &s->test);
	runner_close(&r);
	return status;
}

static int on_one(struct cli *c, struct http_catalog *catalog, const char *what, const char *name,
		  const struct settings *s)
{
	struct http_found found;
	int status = find(catalog, name, &found);

	if (status != EXIT_DONE)
		return status;
	if (strcmp(what, "show") == 0)
		return show(&found, file_of(catalog, found.definition), s->test.json);
	return test(c, &found, s);
}

static int run(struct cli *c, int argc, char **argv)
{
	struct settings s = {0};
	const struct opt opts[] = {{"json", 0, OPT_FLAG, &s.test.json},
				   {"record", 0, OPT_TEXT, &s.test.record},
				   {"recorded", 0, OPT_TEXT, &s.test.recorded},
				   {"example", 0, OPT_TEXT, &s.test.only},
				   {"config", 0, OPT_TEXT, &s.config},
				   {"typed", 0, OPT_TEXT, &s.typed}};
	bool for_test;
	struct http_catalog *catalog;
	int status;

	if (!options(c, &verb_action, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0 || (strcmp(argv[0], "ls") != 0 && strcmp(argv[0], "show") != 0 && strcmp(argv[0], "test") != 0))
		return usage(&verb_action, argc ? "there is no \"%s\": it is ls, show or test" : "ls, show or test?%s",
			     argc ? argv[0] : "");
	for_test = strcmp(argv[0], "test") == 0;
	if (!for_test && (s.test.record || s.test.recorded || s.test.only || s.config || s.typed))
		return usage(&verb_action, "%s takes only --json", argv[0]);
	if (s.test.record && s.test.recorded)
		return usage(&verb_action, "either --record or --recorded");
	if (strcmp(argv[0], "ls") == 0 ? argc > 1 : argc != 2)
		return usage(&verb_action, strcmp(argv[0], "ls") == 0 ? "ls lists all" : "%s which definition?", argv[0]);
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	catalog = http_catalog_new(c->spool.fd[SPOOL_ROOT]);
	http_catalog_refresh(catalog);
	if (http_catalog_trouble(catalog)) {
		complain("%s", http_catalog_trouble(catalog)->text);
		status = EXIT_UNABLE;
	} else if (argc == 1) {
		status = list(catalog, s.test.json);
	} else {
		status = on_one(c, catalog, argv[0], argv[1], &s);
	}
	http_catalog_free(catalog);
	return status;
}

const struct verb verb_action = {
    "action",
    "ls [--json] | show [--json] NAME |\n"
    "       test [--record DIR | --recorded DIR] [--example NAME] [--config FILE]\n"
    "       [--typed VARIABLE] [--json] NAME",
    "list, show and try the HTTP actions of the catalog\n"
    "\n"
    "ls    the definitions of catalog/actions and the APIs of catalog/apis; below them\n"
    "      what is wrong with a file, as FILE:LINE:COLUMN: MESSAGE; SUGGESTION\n"
    "show  what one sends, the inputs that it wants, its API, its examples\n"
    "test  send the requests of its examples and say field by field what came\n"
    "      otherwise.  These are true requests: a POST is done.  Secrets are looked\n"
    "      for as creeld does, but in the environment of this command.\n"
    "\n"
    "  --json           the same as JSON\n"
    "  --record DIR     write what came, with the trace, into files in DIR\n"
    "  --recorded DIR   compare with such files instead; nothing is sent\n"
    "  --example NAME   only this example\n"
    "  --config FILE    the daemon's configuration (http, secrets_dir); default\n"
    "                   /etc/creel/creeld.yaml, if there is one\n"
    "  --typed VARIABLE a variable of the environment with what a person would type\n"
    "                   (tokenFrom or valueFrom: user_input)\n"
    "\n"
    "exit status: 0 all is as it should be; 1 a file is wrong, an example came out\n"
    "otherwise, there is none of that name; 2 something cannot be read or started\n",
    run,
};
