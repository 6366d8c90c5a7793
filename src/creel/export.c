/*
 * export.c - `creel export`: an execution, and what it runs, into an archive.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/tarball.h"
#include "creel/common.h"
#include "creel/ids.h"
#include "creel/options.h"
#include "creel/show_text.h"
#include "store/export.h"

struct request {
	const char *file;   /* NULL: ID.tar.zst; "-": standard output */
	const char *format; /* of standard output */
	bool alone, quiet;
};

static struct tarball *begin(const struct request *q, const char *name, struct err *e)
{
	if (q->file && strcmp(q->file, "-") == 0) {
		if (!isatty(STDOUT_FILENO))
			return tarball_to_fd(STDOUT_FILENO, q->format, e);
		err_set(e, EINVAL, "an archive is nothing for a terminal: give a file, or a pipe");
		return NULL;
	}
	return tarball_create(AT_FDCWD, name, e);
}

static void say(const struct request *q, const char *id, const struct exported *x)
{
	AUTO_BUF struct buf b = BUF_INIT;

	if (x->left_out) {
		put_safe(&b, x->why_left_out);
		complain("%u file(s) of execution %s are not in the archive, or not whole: %s", x->left_out, id, buf_str(&b));
		buf_reset(&b);
	}
	if (q->quiet)
		return;
	buf_printf(&b, "%s  %s  %u commits, the last is %s  ", id, x->status, x->seq, x->head);
	put_safe(&b, x->name);
	buf_putc(&b, '\n');
	/* Where the archive goes to standard output, what is said does not. */
	put_out(&b, q->file && strcmp(q->file, "-") == 0 ? stderr : stdout);
}

static int write_all(struct cli *c, const struct request *q, const struct id_set *set, const char *name, struct err *e)
{
	struct exported *facts = xcalloc(set->n, sizeof *facts);
	struct tarball *t = begin(q, name, e);
	size_t k;
	int r = t ? 0 : -1;

	for (k = 0; r == 0 && k < set->n; k++)
		r = export_execution(&c->spool, set->v[k], t, &facts[k], e);
	if (r < 0 && t)
		tarball_abort(t);
	else if (r == 0)
		r = tarball_finish(t, e);
	for (k = 0; r == 0 && k < set->n; k++)
		say(q, set->v[k], &facts[k]);
	free(facts);
	return r;
}

static int export_one(struct cli *c, const struct request *q, const char *id)
{
	AUTO_FREE char *name = q->file ? xstrdup(q->file) : xasprintf("%s.tar.zst", id);
	struct id_set set = {0};
	struct err e;
	int r = 0;

	if (q->alone) {
		set.v = xcalloc(1, sizeof *set.v);
		set.n = set.cap = 1;
		memcpy(set.v[0], id, UUID_TEXT);
	} else {
		r = export_tree(&c->spool, id, &set, &e);
	}
	if (r == 0)
		r = write_all(c, q, &set, name, &e);
	id_set_free(&set);
	if (r == 0)
		return EXIT_DONE;
	complain("%s", e.text);
	return e.code == EBADMSG ? EXIT_NO : EXIT_UNABLE;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct request q = {.format = "tar.zst"};
	const struct opt opts[] = {{"output", 'o', OPT_TEXT, &q.file},
				   {"format", 0, OPT_TEXT, &q.format},
				   {"alone", 0, OPT_FLAG, &q.alone},
				   {"quiet", 'q', OPT_FLAG, &q.quiet}};
	char id[UUID_TEXT];
	int status;

	if (!options(c, &verb_export, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc != 1)
		return usage(&verb_export, argc ? "one execution at a time" : "which execution?");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	status = id_resolve(c, argv[0], id);
	return status == EXIT_DONE ? export_one(c, &q, id) : status;
}

const struct verb verb_export = {
    "export",
    "[--output FILE] [--alone] [--quiet] ID",
    "put an execution into an archive\n"
    "\n"
    "The execution and all that it runs or ran (plan.run), each whole as of its last\n"
    "commit, also while it runs. \"creel import\" takes it into another spool; tar reads\n"
    "it, too. Prints for each the digest of its last commit, by which an import can tell\n"
    "that it is the same.\n"
    "\n"
    "  -o, --output FILE  .tar.zst, .tar.gz or .tar; ID.tar.zst if it is not given; - for\n"
    "                     standard output\n"
    "  --format FORMAT    of standard output: tar.zst, tar.gz or tar\n"
    "  --alone            without those that it runs\n"
    "  -q, --quiet        say only what went wrong\n"
    "\n"
    "exit status: 0 done; 1 there is none, or its records are damaged; 2 wrong usage, or\n"
    "the archive cannot be written\n",
    run,
};
