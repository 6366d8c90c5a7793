/*
 * import.c - `creel import`: executions out of an archive that `creel export` or `creel gc --archive` has written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/tarball.h"
#include "base/vec.h"
#include "creel/common.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/show_text.h"
#include "store/hold.h"
#include "store/import.h"
#include "store/member.h"

enum { STATE_MAX = 64 * 1024 * 1024, FILES_MAX = 1000000, GIB_MAX = 16, PATIENCE_MS = 10000 };

/* ---- what is in it ---- */

static void print_state(const char *id, const char *text, size_t n)
{
	AUTO_BUF struct buf b = BUF_INIT;
	json_t *state = json_loadb(text, n, 0, NULL);
	const char *ended = json_text(state, "completedAt");

	buf_printf(&b, "%s  ", id);
	put_padded(&b, json_text_or_empty(state, "status"), 24);
	if (ended)
		put_time(&b, ended);
	else
		buf_printf(&b, "%-19s", "-");
	buf_puts(&b, "  ");
	put_safe(&b, json_text_or_empty(state, "name"));
	buf_putc(&b, '\n');
	put_out(&b, stdout);
	json_decref(state);
}

static int read_entry(struct tarball *t, const struct tarball_entry *entry, struct buf *text, struct err *e)
{
	char chunk[8192];
	ssize_t n;

	buf_reset(text);
	if (entry->size > STATE_MAX)
		return err_set(e, EFBIG, "%s is larger than it can be", entry->path);
	while ((n = tarball_read(t, chunk, sizeof chunk, e)) > 0 && text->len <= STATE_MAX)
		buf_put(text, chunk, (size_t)n);
	return n < 0 ? -1 : 0;
}

static int list(const char *file)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct err e;
	struct tarball *t = tarball_open(file, &e);
	struct tarball_entry entry;
	struct member m;
	int r = t ? 1 : -1;

	while (r > 0 && (r = tarball_next(t, &entry, &e)) > 0) {
		struct err ignored;

		if (member_parse(entry.path, &m, &ignored) < 0 || m.kind != MEMBER_STATE || entry.kind != TARBALL_FILE)
			continue;
		if (read_entry(t, &entry, &text, &e) < 0)
			r = -1;
		else
			print_state(m.id, buf_str(&text), text.len);
	}
	if (t)
		tarball_close(t);
	if (r < 0)
		complain("%s: %s", file, e.text);
	return r < 0 ? EXIT_UNABLE : EXIT_DONE;
}

/* ---- taking it in ---- */

static bool take_ids(int argc, char **argv, struct import_order *o)
{
	int k;

	for (k = 0; k < argc; k++)
		if (!uuid_is_v7(argv[k])) {
			usage(&verb_import, "\"%s\" is not the whole id of an execution; --list prints those in the archive", argv[k]);
			return false;
		}
	o->ids = (const char *const *)argv;
	o->n = (size_t)argc;
	return true;
}

static void say(struct cli *c, const struct imports *l, bool quiet)
{
	size_t k, open = 0;

	for (k = 0; k < l->n; k++) {
		AUTO_BUF struct buf b = BUF_INIT;

		if (!l->v[k].placed)
			continue;
		open += !l->v[k].over;
		buf_printf(&b, "%s  %s  %u commits, the last is %s  ", l->v[k].id, l->v[k].status, l->v[k].seq, l->v[k].head);
		put_safe(&b, l->v[k].name);
		buf_putc(&b, '\n');
		if (!quiet)
			put_out(&b, stdout);
	}
	if (open > 0 && !quiet && daemon_or_note(c))
		note("the daemon goes on with what has not ended at its next scan (rescan_sec)");
}

static int take_in(struct cli *c, const struct import_order *o, bool quiet)
{
	struct imports got = {0};
	struct spool s;
	struct err e;
	int held, r;

	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if (spool_open(&s, c->spool.path, &e) < 0) {
		complain("%s", e.text);
		return EXIT_UNABLE;
	}
	r = spool_check_mine(&s, &e);
	held = r == 0 ? hold_store(&s, PATIENCE_MS, &e) : -1;
	r = held < 0 ? -1 : import_archive(&s, o, &got, &e);
	say(c, &got, quiet);
	if (r < 0)
		complain("%s", e.text);
	if (held >= 0)
		close(held);
	imports_free(&got);
	spool_close(&s);
	if (r == 0)
		return EXIT_DONE;
	/* The archive is to blame, or what is there. */
	return e.code == EBADMSG || e.code == EEXIST || e.code == EINVAL || e.code == EFBIG || e.code == ENOENT ? EXIT_NO
														 : EXIT_UNABLE;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct import_order o = {.max_bytes = (uint64_t)GIB_MAX << 30, .max_files = FILES_MAX};
	bool only_list = false, quiet = false;
	const struct opt opts[] = {{"list", 0, OPT_FLAG, &only_list},
				   {"continue", 0, OPT_FLAG, &o.go_on},
				   {"without-links", 0, OPT_FLAG, &o.without_links},
				   {"max-bytes", 0, OPT_SIZE, &o.max_bytes},
				   {"max-files", 0, OPT_NUMBER, &o.max_files},
				   {"digest", 0, OPT_TEXT, &o.head},
				   {"quiet", 'q', OPT_FLAG, &quiet}};
	int status;

	if (!options(c, &verb_import, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_import, "which archive?");
	o.file = strcmp(argv[0], "-") == 0 ? "/dev/stdin" : argv[0];
	if (only_list)
		return argc == 1 ? list(o.file) : usage(&verb_import, "--list takes the archive alone");
	if (!take_ids(argc - 1, argv + 1, &o))
		return EXIT_UNABLE;
	return take_in(c, &o, quiet);
}

const struct verb verb_import = {
    "import",
    "[--continue] [--digest DIGEST] FILE [ID…], or --list FILE",
    "take executions out of an archive into the spool\n"
    "\n"
    "All that are in it, or those that are named. Nothing is taken that does not add up:\n"
    "a name that leads elsewhere, a link, a device, an entry that is there twice, a history\n"
    "that was changed, an attempt that its journal does not know. The daemon may be at\n"
    "work. It is checked before anything of it shows.\n"
    "\n"
    "One that has not ended is taken only with --continue: then this spool's daemon goes\n"
    "on with it from its last commit, and nobody else must. What was running counts as\n"
    "lost; no process is signalled.\n"
    "\n"
    "  --list           print what is in it: id, status, end, name\n"
    "  --continue       also those that have not ended\n"
    "  --digest DIGEST  one of them must end with the commit of this digest (sha256:…),\n"
    "                   which the export printed: nothing was changed or cut\n"
    "  --without-links  leave symbolic links out that actions made, rather than refuse\n"
    "  --max-bytes SIZE refuse what unpacks to more; 16G if it is not given\n"
    "  --max-files N    or has more entries; 1000000\n"
    "  -q, --quiet      say only what went wrong\n"
    "\n"
    "exit status: 0 done; 1 refused; 2 wrong usage, or the archive cannot be read or the\n"
    "spool not written\n",
    run,
};
