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
#include "store/state_file.h"
#include "store/verify.h"
#include "store/write.h"

struct shown {
	struct cli *c;
	json_t *list; /* with --json; else NULL */
	bool quiet;   /* damage only */
	bool repair;
	size_t repaired;
};

/* The only repair that verify makes itself is a link that is missing: it adds, and removes nothing. */
static bool relink(struct shown *s, const struct verify_finding *f)
{
	AUTO_FREE char *target = NULL;
	char path[SPOOL_PATH_MAX];
	const char *id = strrchr(f->path, '/');

	if (!s->repair || !f->damage || !text_starts_with(f->path, "active/") || !id || !uuid_is_v7(id + 1) ||
	    !f->todo || !strstr(f->todo, "--repair"))
		return false;
	spool_execution_path(id + 1, path);
	target = xasprintf("../%s", path);
	if (symlinkat(target, s->c->spool.fd[SPOOL_ROOT], f->path) < 0) {
		complain("cannot link %s: %s", f->path, strerror(errno));
		return false;
	}
	s->repaired++;
	return true;
}

static void show(void *ctx, const struct verify_finding *f)
{
	struct shown *s = ctx;
	AUTO_BUF struct buf b = BUF_INIT;
	bool mended = relink(s, f);

	if (s->list) {
		json_array_append_new(s->list, json_pack("{s:s, s:s, s:s, s:s*, s:b}", "severity",
							 f->damage ? "damage" : "warning", "path", f->path, "message",
							 f->what, "suggestion", f->todo, "repaired", mended));
		return;
	}
	if (s->quiet && !f->damage)
		return;
	buf_puts(&b, mended ? "repaired: " : f->damage ? "damage: " : "warning: ");
	put_safe(&b, f->path);
	buf_puts(&b, ": ");
	put_safe(&b, f->what);
	if (f->todo && !mended) {
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
		if (verify(&c->spool, id, show, s, &counts, &e) < 0) {
			complain("%s", e.text);
			return EXIT_UNABLE;
		}
		add(total, &counts);
	}
	return EXIT_DONE;
}

static int run_verify(struct cli *c, int argc, char **argv)
{
	struct shown s = {.c = c};
	bool json = false;
	const struct opt opts[] = {{"json", 0, OPT_FLAG, &json},
				   {"quiet", 'q', OPT_FLAG, &s.quiet},
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
	if (s.repair && daemon.runs) {
		complain("a daemon (pid %s) serves this spool: stop it before a repair", daemon.pid);
		return EXIT_UNABLE;
	}
	if (json)
		s.list = json_array();
	status = EXIT_DONE;
	if (argc > 0) {
		status = verify_named(c, argc, argv, &s, &total);
	} else if (verify(&c->spool, NULL, show, &s, &total, &e) < 0) {
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
    "verify", "[--repair] [--quiet] [--json] [ID…]",
    "check that journals, states and links add up\n"
    "\n"
    "Reads every execution, or those that are named: the chain of digests from plan.json through\n"
    "each commit, what the events come to, state.json, and the links and leftovers around them.\n"
    "Works with and without a daemon.  Damage ends with status 1; leftovers that the next start\n"
    "of the daemon clears are warnings.  --repair links executions that should be active; it\n"
    "removes nothing, and needs the daemon to be stopped.",
    run_verify};

/* ---- rebuild ---- */

static int rebuild(struct cli *c, const char *id)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct state_marks marks;
	struct loaded l;
	struct err e;
	int r;

	if (journal_load(&c->spool, id, true, &l, &e) < 0) {
		complain("execution %s cannot be read: %s", id, e.text);
		return EXIT_NO;
	}
	marks = (struct state_marks){l.seq, l.events_seq};
	state_encode(&text, &c->spool, l.exec, &marks);
	loaded_free(&l);
	r = state_publish(&c->spool, id, text.p, text.len, true, &e);
	if (r < 0) {
		complain("%s", e.text);
		return EXIT_UNABLE;
	}
	printf("%s: state.json made anew from %u commits\n", id, marks.seq);
	return EXIT_DONE;
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
    "write state.json anew from the journal\n"
    "\n"
    "The journal is the truth; state.json is its fold and can always be made again.",
    run_rebuild};
