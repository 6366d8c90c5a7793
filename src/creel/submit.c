/*
 * submit.c - a plan into the inbox, and the id of the execution that comes of it.
 *
 * The id is the daemon's to give.  It is learnt from events/: the line execution.accepted names the file that was
 * dropped, and a name that nobody else uses makes that line ours; plan.rejected names it too.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha.h"
#include "creel/attend.h"
#include "creel/common.h"
#include "creel/drop.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/plan_file.h"
#include "creel/tail.h"

enum { ANSWER_MS = 15000, NAME_LEN = 80 };

struct settings {
	bool wait, json, no_validate;
	const char *name;
	struct attend_options attend;
};

struct dropped {
	const char *shown; /* the file as the user named it */
	char *file;        /* its name in inbox/; NULL: it was not dropped */
	char digest[SHA256_HEX];
	char id[UUID_TEXT]; /* "" until it is known */
	json_t *rejected;   /* the event that refused it */
	int status;
};

/* ---- dropping ---- */

/* The middle of a name in the inbox: what people recognise, from characters that mean nothing anywhere. */
static char *plain_name(const char *from)
{
	const char *slash = strrchr(from, '/'), *base = slash ? slash + 1 : from, *dot = strrchr(base, '.');
	char *name = xstrndup(base, dot && dot > base ? (size_t)(dot - base) : strlen(base)), *p;

	if (strlen(name) > NAME_LEN)
		name[NAME_LEN] = '\0';
	for (p = name; *p; p++)
		if (!isascii(*p) || !(isalnum((unsigned char)*p) || *p == '-' || *p == '_' || *p == '.'))
			*p = '_';
	return name;
}

static char *inbox_name(const struct plan_file *f, const char *wanted, unsigned try)
{
	AUTO_FREE char *middle = plain_name(wanted ? wanted : f->name[0] == '<' ? "stdin" : f->name);
	AUTO_FREE char *again = try ? xasprintf(".%u", try) : xstrdup("");
	char when[CLOCK_TEXT];

	clock_format(clock_wall(), when);
	return xasprintf("%.4s%.2s%.2sT%.2s%.2s%.2s%.3sZ-%d%s-%s.%s", when, when + 5, when + 8, when + 11, when + 14,
			 when + 17, when + 20, (int)getpid(), again, middle, f->ext);
}

/* The findings of a plan that is wrong; true if it may be dropped. */
static bool is_right(struct cli *c, const struct plan_file *f)
{
	struct diags findings = DIAGS_INIT;
	bool right = plan_file_check(c, f, &findings) >= 0;

	if (!right)
		findings_print(stderr, f->name, &findings);
	diags_free(&findings);
	return right;
}

static int place(int inbox, const struct plan_file *f, const struct settings *s, struct dropped *d)
{
	struct err e;
	unsigned try;

	for (try = 0; try < 1000; try++) {
		d->file = inbox_name(f, s->name, try);
		if (drop_file(inbox, d->file, buf_str(&f->text), f->text.len, DROP_FRESH, &e) == 0)
			return EXIT_DONE;
		free(d->file);
		d->file = NULL;
		if (e.code != EEXIST)
			break;
	}
	complain("cannot put %s into the inbox: %s%s", f->name, e.text,
		 e.code == EACCES || e.code == EPERM ? "; ask the spool's owner to let you write there" : "");
	return EXIT_UNABLE;
}

static void drop_one(struct cli *c, int inbox, const char *arg, const struct settings *s, struct dropped *d)
{
	struct plan_file f;

	d->status = EXIT_UNABLE;
	if (plan_file_read(arg, &f) < 0)
		return;
	d->shown = f.name;
	sha256_hex(f.text.p, f.text.len, d->digest);
	if (!s->no_validate && !is_right(c, &f))
		d->status = EXIT_NO;
	else
		d->status = place(inbox, &f, s, d);
	plan_file_free(&f);
}

/* ---- the answer ---- */

/* A daemon that finishes an earlier one's claim no longer knows the file's name, but it knows its bytes. */
static bool is_ours(const struct dropped *d, const json_t *event)
{
	json_t *source = json_object_get(event, "source");
	const char *file = json_text(source ? source : event, "file");
	const char *checksum = json_text_or_empty(source, "checksum");

	if (file && strcmp(file, d->file) == 0)
		return true;
	return file && strncmp(file, "claim.", 6) == 0 && strstr(checksum, d->digest) != NULL;
}

static void take_event(struct dropped *d, size_t n, json_t *event)
{
	const char *type = json_text_or_empty(event, "type"), *id = json_text_or_empty(event, "execution");
	size_t k;

	for (k = 0; k < n; k++) {
		if (!d[k].file || d[k].id[0] || d[k].rejected || !is_ours(&d[k], event))
			continue;
		if (strcmp(type, "execution.accepted") == 0 && uuid_is_v7(id))
			memcpy(d[k].id, id, UUID_TEXT);
		else if (strcmp(type, "plan.rejected") == 0)
			d[k].rejected = json_incref(event);
		else
			continue;
		return;
	}
}

static bool all_answered(const struct dropped *d, size_t n)
{
	size_t k;

	for (k = 0; k < n; k++)
		if (d[k].file && !d[k].id[0] && !d[k].rejected)
			return false;
	return true;
}

/* Read answers until all are there, or the patience is over: without --wait a daemon is given some seconds, and one
 * that does not run none. */
static void await_answers(struct cli *c, struct tail *t, struct dropped *d, size_t n, const struct settings *s)
{
	msec give_up = clock_mono() + (s->attend.timeout ? s->attend.timeout : ANSWER_MS);
	bool runs = all_answered(d, n) || daemon_or_note(c), for_ever = s->wait && !s->attend.timeout;
	json_t *event;

	if (!runs && s->wait)
		note("waiting for one");
	while (!all_answered(d, n)) {
		/* both kinds of answer name a file, and little else does */
		while ((event = tail_next(t, "\"file\""))) {
			take_event(d, n, event);
			json_decref(event);
		}
		if (all_answered(d, n) || (!runs && !s->wait) || (!for_ever && clock_mono() >= give_up))
			return;
		tail_wait(t, WATCH_POLL_MS);
	}
}

/* ---- saying it ---- */

static void say_rejected(struct cli *c, const struct dropped *d)
{
	const char *kept = json_text(d->rejected, "rejected");
	AUTO_FREE char *path = xasprintf("rejected/%s.error.json", kept ? kept : "?");
	struct err e;
	json_t *report = kept && !strchr(kept, '/') ? json_read(c->spool.fd[SPOOL_ROOT], path, &e) : NULL;

	report_print(stderr, d->shown, report ? report : d->rejected);
	json_decref(report);
}

static void say_one(struct cli *c, struct dropped *d, bool json)
{
	if (d->id[0]) {
		if (!json)
			puts(d->id);
	} else if (d->rejected) {
		say_rejected(c, d);
		d->status = EXIT_NO;
	} else if (d->file) {
		note("%s is in the inbox as %s; it has no execution yet", d->shown, d->file);
	}
}

static json_t *to_json(const struct dropped *d, size_t n)
{
	json_t *list = json_array(), *one;
	size_t k;

	for (k = 0; k < n; k++) {
		one = json_pack("{s:s?, s:s?, s:s?}", "file", d[k].shown, "dropped", d[k].file, "execution",
				d[k].id[0] ? d[k].id : NULL);
		if (d[k].rejected)
			json_object_set(one, "rejected", d[k].rejected);
		json_array_append_new(list, one);
	}
	return list;
}

/* Stay with those that have an execution; the results go into the list for --json. */
static int stay(struct cli *c, const struct dropped *d, size_t n, const struct settings *s, json_t *list)
{
	struct attendee *a = attendees_new(n);
	size_t k, m = 0;
	int status;

	for (k = 0; k < n; k++)
		if (d[k].id[0])
			memcpy(a[m++].id, d[k].id, UUID_TEXT);
	status = m ? attend(c, a, m, &s->attend) : EXIT_DONE;
	for (k = 0, m = 0; k < n; k++)
		if (d[k].id[0]) {
			const char *result = a[m++].result;

			json_object_set_new(json_array_get(list, k), "status", json_string(result ? result : "running"));
		}
	attendees_free(a, n);
	return status;
}

static int finish(struct cli *c, struct dropped *d, size_t n, const struct settings *s)
{
	json_t *list;
	int status = EXIT_DONE, stayed = EXIT_DONE;
	size_t k;

	for (k = 0; k < n; k++) {
		say_one(c, &d[k], s->json);
		if (d[k].status > status)
			status = d[k].status;
		if (s->wait && d[k].file && !d[k].id[0] && !d[k].rejected && status == EXIT_DONE)
			status = EXIT_OPEN;
	}
	fflush(stdout);
	list = to_json(d, n);
	if (s->wait)
		stayed = stay(c, d, n, s, list);
	if (s->json)
		json_print(list);
	json_decref(list);
	/* what could not even be dropped, or was refused, outweighs what is still open */
	return status == EXIT_DONE || (status == EXIT_OPEN && stayed != EXIT_DONE) ? stayed : status;
}

static int submit(struct cli *c, char **files, size_t n, const struct settings *s)
{
	struct dropped *d = xcalloc(n, sizeof *d);
	int inbox = cli_open_dir(c, SPOOL_INBOX), status;
	struct tail t;
	size_t k;

	if (inbox < 0) {
		free(d);
		return EXIT_UNABLE;
	}
	tail_open(&t, c); /* before the drop, so that no answer is missed */
	for (k = 0; k < n; k++) {
		d[k].shown = files[k];
		drop_one(c, inbox, files[k], s, &d[k]);
	}
	close(inbox);
	await_answers(c, &t, d, n, s);
	tail_close(&t);
	status = finish(c, d, n, s);
	for (k = 0; k < n; k++) {
		free(d[k].file);
		json_decref(d[k].rejected);
	}
	free(d);
	return status;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct settings s = {.attend = {.history = true}};
	const struct opt opts[] = {{"wait", 'w', OPT_FLAG, &s.wait},
				   {"through", 0, OPT_FLAG, &s.attend.through},
				   {"timeout", 't', OPT_SECONDS, &s.attend.timeout},
				   {"quiet", 'q', OPT_FLAG, &s.attend.quiet},
				   {"json", 0, OPT_FLAG, &s.json},
				   {"name", 0, OPT_TEXT, &s.name},
				   {"no-validate", 0, OPT_FLAG, &s.no_validate}};
	int status;

	if (!options(c, &verb_submit, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_submit, "which plan?");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	return submit(c, argv, (size_t)argc, &s);
}

const struct verb verb_submit = {
    "submit",
    "[--wait] [--json] [--name NAME] [--no-validate] FILE…",
    "run plans\n"
    "\n"
    "Checks each FILE (- is stdin), puts a copy into the inbox, and prints the id of\n"
    "the execution that the daemon makes of it on stdout.  Plans that are wrong are\n"
    "not dropped; what is wrong is shown as \"creel validate\" does. Without a daemon\n"
    "the plan stays in the inbox until one comes; then no id is printed.\n"
    "\n"
    "  -w, --wait         stay until it is over, and show on stderr what happens\n"
    "  --through          with --wait: go on waiting when all that is left waits for\n"
    "                     people\n"
    "  -t, --timeout S    wait at most S seconds (without --wait, for the id: 15)\n"
    "  -q, --quiet        with --wait: show nothing but what went wrong\n"
    "  --json             an array of {file, dropped, execution, rejected, status}\n"
    "                     instead of ids\n"
    "  --name NAME        call the file NAME in the inbox (a time and a number come\n"
    "                     before it)\n"
    "  --no-validate      leave the judgement to the daemon\n"
    "\n"
    "exit status: 0 dropped (with --wait: all completed); 1 a plan is wrong or was\n"
    "refused, or an execution failed, was cancelled or is quarantined; 2 a file or\n"
    "the spool cannot be read or written; 3 with --wait: not over, it waits for\n"
    "people or the time was up\n",
    run,
};
