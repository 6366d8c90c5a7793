/*
 * verify.c - `creel verify`: do the records add up?  And `creel rebuild`: state.json anew from the journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "creel/common.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/show_text.h"
#include "store/journal.h"
#include "store/outputs.h"
#include "store/repair.h"
#include "store/state_file.h"
#include "store/verify.h"
#include "store/write.h"

struct shown {
	struct cli *c;
	json_t *list; /* with --json; else NULL */
	bool quiet;   /* damage only */
	bool repair;
	size_t repaired; /* damage */
	msec now;
	struct verify_how how;
};

/* What verify mends itself is a link that is missing, or a move: it removes nothing. */
static bool mend(struct shown *s, const struct verify_finding *f, char **to)
{
	struct err e;

	*to = NULL;
	if (!s->repair || f->repair == REPAIR_NONE || (s->how.daemon_runs && !repair_beside_daemon(f->repair)))
		return false;
	if (repair(&s->c->spool, f, s->now, to, &e) < 0) {
		complain("%s", e.text);
		return false;
	}
	s->repaired += f->damage;
	return true;
}

static void show(void *ctx, const struct verify_finding *f)
{
	struct shown *s = ctx;
	AUTO_BUF struct buf b = BUF_INIT;
	AUTO_FREE char *to = NULL;
	bool mended = mend(s, f, &to);

	if (s->list) {
		json_array_append_new(s->list, json_pack("{s:s, s:s*, s:s, s:s, s:s*, s:b, s:s*}", "severity",
							 f->damage ? "damage" : "warning", "execution", f->id, "path", f->path,
							 "message", f->what, "suggestion", f->todo, "repaired", mended, "movedTo",
							 to));
		return;
	}
	if (s->quiet && !f->damage && !mended)
		return;
	buf_puts(&b, mended ? "repaired: " : f->damage ? "damage: " : "warning: ");
	put_safe(&b, f->path);
	buf_puts(&b, ": ");
	put_safe(&b, f->what);
	if (to) {
		buf_puts(&b, "; moved to ");
		put_safe(&b, to);
	} else if (f->todo && !mended) {
		buf_puts(&b, "; ");
		put_safe(&b, f->todo);
	}
	buf_putc(&b, '\n');
	put_out(&b, stdout);
}

static void add(struct verify_counts *to, const struct verify_counts *from)
{
	to->executions += from->executions;
	to->commits += from->commits;
	to->damaged += from->damaged;
	to->leftovers += from->leftovers;
}

static int verify_named(struct cli *c, int argc, char **argv, struct shown *s, struct verify_counts *total)
{
	int k, status;

	for (k = 0; k < argc; k++) {
		struct verify_counts counts;
		char id[UUID_TEXT];
		struct err e;

		status = id_resolve(c, argv[k], id);
		if (status != EXIT_DONE)
			return status;
		if (verify(&c->spool, id, &s->how, show, s, &counts, &e) < 0) {
			complain("%s", e.text);
			return EXIT_UNABLE;
		}
		add(total, &counts);
	}
	return EXIT_DONE;
}

static int run_verify(struct cli *c, int argc, char **argv)
{
	struct shown s = {.c = c, .now = clock_wall()};
	bool json = false;
	const struct opt opts[] = {{"json", 0, OPT_FLAG, &json},
				   {"quiet", 'q', OPT_FLAG, &s.quiet},
				   {"outputs", 0, OPT_FLAG, &s.how.outputs},
				   {"repair", 0, OPT_FLAG, &s.repair}};
	struct verify_counts total = {0};
	struct daemon_info daemon;
	struct err e;
	int status;

	if (!options(c, &verb_verify, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	daemon_look(c, &daemon);
	s.how.daemon_runs = daemon.runs;
	if (json)
		s.list = json_array();
	status = EXIT_DONE;
	if (argc > 0) {
		status = verify_named(c, argc, argv, &s, &total);
	} else if (verify(&c->spool, NULL, &s.how, show, &s, &total, &e) < 0) {
		complain("%s", e.text);
		status = EXIT_UNABLE;
	}
	if (status == EXIT_DONE && json)
		json_print(s.list);
	else if (status == EXIT_DONE && !s.quiet)
		printf("%zu executions, %zu commits: %zu damaged, %zu warnings%s\n", total.executions, total.commits,
		       total.damaged - s.repaired, total.leftovers,
		       daemon.runs && total.leftovers ? " (a daemon is at work: some may be things in motion)" : "");
	json_decref(s.list);
	if (status != EXIT_DONE)
		return status;
	return total.damaged > s.repaired ? EXIT_NO : EXIT_DONE;
}

const struct verb verb_verify = {
    "verify", "[--repair] [--outputs] [--quiet] [--json] [ID…]",
    "check that journals, states and links add up\n"
    "\n"
    "Reads every execution, or those that are named: the chain of digests from plan.json\n"
    "through each commit, what the events come to, state.json, the attempts, and the links\n"
    "and leftovers around them. Works with and without a daemon. Damage ends with status 1;\n"
    "leftovers that the next start of the daemon clears are warnings.\n"
    "\n"
    "  --outputs    read every output, too, and compare its digest with the journal's\n"
    "  --repair     link executions that should be active; take those out of quarantine\n"
    "               that add up again; without a daemon also move attempts that no journal\n"
    "               knows, and links to nothing, to quarantine/aside/TIME/. Removes nothing,\n"
    "               and writes no record\n"
    "  --json       a list of {severity, execution, path, message, suggestion, repaired,\n"
    "               movedTo}\n"
    "  -q, --quiet  damage and repairs only\n"
    "\n"
    "exit status: 0 no damage is left; 1 there is some; 2 something could not be read\n",
    run_verify};

/* ---- rebuild ---- */

struct rebuilding {
	size_t files, failed;
};

static void say_file(void *ctx, const char *path, const struct err *e)
{
	struct rebuilding *r = ctx;
	AUTO_BUF struct buf b = BUF_INIT;

	r->files++;
	r->failed += e != NULL;
	if (e) {
		complain("%s", e->text);
		return;
	}
	put_safe(&b, path);
	buf_puts(&b, " made anew\n");
	put_out(&b, stdout);
}

static int rebuild(struct cli *c, const char *id)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct rebuilding files = {0};
	struct state_marks marks;
	struct loaded l;
	struct err e;
	int r;

	if (journal_load(&c->spool, id, true, &l, &e) < 0) {
		complain("execution %s cannot be read: %s", id, e.text);
		return EXIT_NO;
	}
	r = outputs_mend(&c->spool, l.exec, 1, say_file, &files, &e);
	marks = (struct state_marks){l.seq, l.events_seq < l.seq ? l.events_seq : l.seq};
	state_encode(&text, &c->spool, l.exec, &marks);
	loaded_free(&l);
	if (r == 0)
		r = state_publish(&c->spool, id, text.p, text.len, true, &e);
	if (r < 0) {
		complain("%s", e.text);
		return EXIT_UNABLE;
	}
	printf("%s: state.json made anew from %u commits\n", id, marks.seq);
	return files.failed ? EXIT_UNABLE : EXIT_DONE;
}

static int run_rebuild(struct cli *c, int argc, char **argv)
{
	struct daemon_info daemon;
	int status, k, one;

	if (!options(c, &verb_rebuild, NULL, 0, &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_rebuild, "it needs the id of an execution");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	daemon_look(c, &daemon);
	for (k = 0, status = EXIT_DONE; k < argc; k++) {
		char id[UUID_TEXT];

		one = id_resolve(c, argv[k], id);
		if (one == EXIT_DONE && daemon.runs && id_is_active(c, id)) {
			complain("execution %s is the daemon's (pid %s), which writes its state itself", id, daemon.pid);
			one = EXIT_UNABLE;
		}
		if (one == EXIT_DONE)
			one = rebuild(c, id);
		if (one > status)
			status = one;
	}
	return status;
}

const struct verb verb_rebuild = {
    "rebuild", "ID…",
    "write state.json and lost outputs anew from the journal\n"
    "\n"
    "The journal is the truth; state.json is its fold and can always be made again. Files\n"
    "with outputs (output.json) that are missing or not whole are written again where their\n"
    "content stands in the journal, which it does up to a size.\n",
    run_rebuild};
