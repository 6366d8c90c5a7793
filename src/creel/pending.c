#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "creel/common.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/show_text.h"

static void put_line(struct buf *b, const char *label, const char *text)
{
	if (!text || !*text)
		return;
	buf_printf(b, "  %-10s ", label);
	put_safe(b, text);
	buf_putc(b, '\n');
}

static void put_people(struct buf *b, const json_t *r)
{
	json_t *approvers = json_object_get(r, "approvers"), *u;
	size_t k;

	if (json_array_size(approvers) == 0 && json_number(r, "quorum") < 2)
		return;
	buf_puts(b, "  from       ");
	if (json_number(r, "quorum") > 1)
		buf_printf(b, "%lld of ", json_number(r, "quorum"));
	if (json_array_size(approvers) == 0)
		buf_puts(b, "different people");
	json_array_foreach(approvers, k, u) {
		buf_puts(b, k ? ", " : "");
		if (json_is_string(u))
			put_safe(b, json_string_value(u));
	}
	buf_putc(b, '\n');
}

static void put_commands(struct buf *b, const json_t *r)
{
	json_t *choice;
	size_t k;

	json_array_foreach(json_object_get(r, "choices"), k, choice) {
		const char *verb = json_string_value(choice);
		const char *command = verb ? json_text(json_object_get(r, "commands"), verb) : NULL;

		if (command)
			put_line(b, "", command);
	}
}

static void print_request(const struct term *t, const json_t *r)
{
	AUTO_BUF struct buf b = BUF_INIT;
	AUTO_BUF struct buf what = BUF_INIT;
	json_t *inputs = json_object_get(json_object_get(r, "what"), "inputs");

	put_tone(&b, t, TONE_WARN, json_text_or_empty(r, "title"));
	buf_putc(&b, '\n');
	put_line(&b, "message", json_text(r, "message"));
	put_line(&b, "plan", json_text(json_object_get(r, "plan"), "name"));
	put_line(&b, "action", json_text(r, "action"));
	buf_puts(&b, "  runs       ");
	put_safe(&b, json_text_or_empty(json_object_get(r, "what"), "actionDefinitionId"));
	if (inputs) {
		buf_putc(&b, ' ');
		json_put_value(&what, inputs);
		put_clipped(&b, buf_str(&what), 400);
	}
	buf_puts(&b, "\n  asked      ");
	put_ago(&b, json_text(r, "requestedAt"));
	if (json_text(r, "deadline")) {
		buf_puts(&b, "; counts as rejected ");
		put_ago(&b, json_text(r, "deadline"));
	}
	buf_putc(&b, '\n');
	put_people(&b, r);
	put_commands(&b, r);
	put_out(&b, stdout);
}

static int run(struct cli *c, int argc, char **argv)
{
	bool json = false;
	const struct opt opts[] = {{"json", 0, OPT_FLAG, &json}};
	json_t *requests, *r;
	char id[UUID_TEXT];
	struct term t;
	int status;
	size_t k;

	if (!options(c, &verb_pending, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc > 1)
		return usage(&verb_pending, "one execution, or all");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if (argc == 1 && (status = id_resolve(c, argv[0], id)) != EXIT_DONE)
		return status;
	requests = execution_requests(c, argc ? id : NULL);
	if (!requests)
		return EXIT_UNABLE;
	term_look(STDOUT_FILENO, &t);
	if (json)
		json_print(requests);
	json_array_foreach(requests, k, r) {
		if (json)
			break;
		if (k)
			putchar('\n');
		print_request(&t, r);
	}
	if (!json && json_array_size(requests) == 0)
		note("nothing waits for a decision");
	json_decref(requests);
	return EXIT_DONE;
}

const struct verb verb_pending = {
    "pending",
    "[--json] [ID]",
    "list what waits for a decision\n"
    "\n"
    "Each request with its title, message, what would run, until when, and the\n"
    "commands that answer it.\n"
    "\n"
    "  --json  an array of the requests (schema confirmation-request)\n",
    run,
};
