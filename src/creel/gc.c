/*
 * gc.c - `creel gc`: executions that were kept long enough go, whole, and into an archive first where one is wanted.
 *
 * The daemon runs it, too (--background), as a process of its own: what takes long or fails here takes nothing from
 * the daemon, and a kill leaves no more than the next one clears.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tarball.h"
#include "creel/common.h"
#include "creel/gc.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "store/config_file.h"
#include "store/hold.h"

static const char default_config[] = "/etc/creel/creeld.yaml";

enum { EVENTS_DAYS_MIN = 3, DAYS_MAX = 36500, PATIENCE_MS = 10000 };

struct args {
	const char *keep, *min, *events, *rejected, *config;
	uint64_t most, bytes; /* UINT64_MAX: not given */
	struct texts status;
	bool json, break_trees, leftovers;
};

/* ---- limits ---- */

static bool to_days(const char *option, const char *text, double least, msec *out)
{
	char *end;
	double d = text ? strtod(text, &end) : 0;

	if (!text)
		return true;
	if (end != text && !*end && isfinite(d) && d >= least && d <= DAYS_MAX) {
		*out = (msec)(d * 86400000);
		return true;
	}
	usage(&verb_gc, "--%s wants a number of days from %g to %d, not \"%s\"", option, least, DAYS_MAX, text);
	return false;
}

static bool take_statuses(struct retention *r, const struct texts *words)
{
	size_t k;
	int s;

	for (s = 0; words->n > 0 && s < STORED_ENDED_COUNT; s++)
		r->only[s] = false;
	for (k = 0; k < words->n; k++) {
		s = stored_status_parse(words->v[k]);
		if (s < 0) {
			usage(&verb_gc, "--status is completed, failed or cancelled, not \"%s\"", words->v[k]);
			return false;
		}
		r->only[s] = true;
	}
	return true;
}

static bool configured(struct gc *g, const struct args *a, json_t **root)
{
	const char *file = a->config ? a->config : default_config;
	json_t *o;
	struct err e;

	*root = config_file_read(file, &e);
	if (!*root && (a->config || e.code != ENOENT)) {
		complain("%s", e.text);
		return false;
	}
	o = json_object_get(*root, "retention");
	if (!o) {
		usage(&verb_gc, "how long is what kept? Give limits, or a configuration with \"retention:\" (%s has none)", file);
		return false;
	}
	retention_read(&g->rules, o);
	if (!g->archive)
		g->archive = json_string_value(json_object_get(o, "archive"));
	if (json_object_get(o, "archive_format"))
		g->archive_format = json_string_value(json_object_get(o, "archive_format"));
	return true;
}

/* Limits of the command line, or else of the configuration, never of both. */
static bool take_limits(struct gc *g, const struct args *a, json_t **root)
{
	struct retention *r = &g->rules;

	retention_clear(r);
	if (a->leftovers)
		return true;
	if (a->keep || a->events || a->rejected || a->bytes != UINT64_MAX || a->most != UINT64_MAX) {
		if (a->most != UINT64_MAX)
			r->all.most = a->most < INT64_MAX ? (int64_t)a->most : INT64_MAX;
		if (a->bytes != UINT64_MAX)
			r->max_bytes = (int64_t)a->bytes;
		if (!to_days("keep-days", a->keep, 0, &r->all.keep) ||
		    !to_days("events-days", a->events, EVENTS_DAYS_MIN, &r->events) ||
		    !to_days("rejected-days", a->rejected, 0, &r->rejected))
			return false;
	} else if (!configured(g, a, root)) {
		return false;
	}
	r->break_trees = a->break_trees;
	return to_days("min-days", a->min, 0, &r->all.min) && take_statuses(r, &a->status);
}

/* ---- executions ---- */

static void free_names(struct gc_tree *t)
{
	size_t k;

	for (k = 0; t->names && k < t->n; k++)
		free(t->names[k]);
	free(t->names);
}

static void free_trees(struct gc_trees *trees)
{
	size_t k;

	for (k = 0; k < trees->n; k++) {
		free_names(&trees->v[k]);
		vec_free(&trees->v[k]);
		free(trees->v[k].seqs);
	}
	vec_free(trees);
}

static void collect(struct gc *g, struct gc_trees *trees)
{
	uint32_t *place = xcalloc(g->all.n ? g->all.n : 1, sizeof *place), k;

	/* Sorted by id, and a root's is the least: it comes first. */
	for (k = 0; k < g->all.n; k++) {
		uint32_t root = g->all.v[k].root;

		if (!verdict_goes(g->all.v[k].verdict))
			continue;
		if (root == k) {
			place[k] = (uint32_t)trees->n;
			vec_push(trees, (struct gc_tree){0});
		}
		vec_push(&trees->v[place[root]], k);
	}
	free(place);
}

static void remove_tree(struct gc *g, struct gc_tree *t, const char *archive)
{
	const struct stored **members = xcalloc(t->n, sizeof *members);
	const struct stored *root = &g->all.v[t->v[0]];
	struct err e;
	size_t k;

	for (k = 0; k < t->n; k++) {
		members[k] = &g->all.v[t->v[k]];
		stored_measure(&g->spool, &g->all.v[t->v[k]]);
	}
	gc_name(g, t);
	buf_reset(&g->why);
	retention_why(&g->why, &g->rules, root, g->all.v, g->now);
	if (sweep_execution(&g->sweep, &(struct sweep_order){members, archive ? t->seqs : NULL, t->n, buf_str(&g->why), archive},
			    &e) < 0)
		gc_say_kept(g, t, &e);
	else
		gc_say_tree(g, t);
	free(members);
}

static int remove_trees(struct gc *g, struct gc_trees *trees, struct err *e)
{
	size_t from, to, k;

	for (from = 0; from < trees->n; from = to) {
		AUTO_FREE char *archive = NULL;
		long n = (long)trees->n;

		if (g->archive && !g->dry) {
			n = gc_archive(g, trees, from, &archive, e);
			if (n < 0)
				return -1;
		}
		if (archive && g->archives)
			json_array_append_new(g->archives, json_string(archive));
		to = g->archive && !g->dry ? from + (size_t)n : trees->n;
		for (k = from; k < to; k++)
			if (!trees->v[k].stays)
				remove_tree(g, &trees->v[k], archive);
		if (!g->dry && sweep_finish(&g->sweep, e) < 0)
			return -1;
	}
	return 0;
}

static int executions(struct gc *g, struct err *e)
{
	struct gc_trees trees = {0};
	struct retention narrow = g->rules;
	size_t k;
	int r;

	if (!retention_limits_executions(&g->rules))
		return 0;
	retention_narrow(&narrow, stored_count(&g->spool));
	if (stored_scan(&g->spool, retention_cutoff(&narrow, g->now), g->rules.max_bytes != RETENTION_NO_LIMIT, &g->all, e) < 0)
		return -1;
	retention_choose(&g->rules, g->all.v, g->all.n, g->now);
	for (k = 0; k < g->all.n; k++)
		if (g->all.v[k].verdict == KEEP_UNREADABLE)
			gc_complain(g, "execution %s stays: its records do not say that it ended; creel verify says more",
				    g->all.v[k].id);
	collect(g, &trees);
	r = remove_trees(g, &trees, e);
	free_trees(&trees);
	return r;
}

/* ---- all of it ---- */

/* A daemon that starts looks at the end of events/; while one serves, or where nothing is active, it has. */
static bool recovery_is_done(struct cli *c)
{
	struct daemon_info d;
	struct id_list active;
	bool none;

	daemon_look(c, &d);
	if (d.runs)
		return true;
	if (id_list_dir(c, SPOOL_ACTIVE, &active) < 0)
		return false;
	none = active.n == 0;
	id_list_free(&active);
	return none;
}

static int collect_garbage(struct gc *g, struct cli *c, struct err *e)
{
	if (sweep_leftovers(&g->sweep, e) < 0 || executions(g, e) < 0)
		return -1;
	if (g->rules.events != RETENTION_NO_LIMIT) {
		if (recovery_is_done(c))
			sweep_events(&g->sweep, g->now - g->rules.events);
		else
			gc_complain(g, "events/ stays as it is: no daemon runs, and the next one may need it to recover what is active");
	}
	if (g->rules.rejected != RETENTION_NO_LIMIT)
		sweep_rejected(&g->sweep, g->now - g->rules.rejected);
	sweep_days(&g->sweep, g->now);
	return 0;
}

/* Everybody else goes first, on the processor and on the disk; and it does not outlive the daemon. */
static void step_back(void)
{
	enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 };

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (setpriority(PRIO_PROCESS, 0, 19) < 0)
		log_debug("cannot lower the priority: %s", strerror(errno));
	if (syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT) < 0)
		log_debug("cannot lower the priority on the disk: %s", strerror(errno));
}

/* A tree is held by as many descriptors as it has members. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int with_spool(struct gc *g, struct cli *c)
{
	struct err e = {0};
	int held = -1, r;

	if (spool_open(&g->spool, c->spool.path, &e) < 0) {
		gc_complain(g, "%s", e.text);
		return EXIT_UNABLE;
	}
	r = g->dry ? 0 : spool_check_mine(&g->spool, &e);
	if (r == 0 && !g->dry)
		r = held = hold_store(&g->spool, g->background ? 0 : PATIENCE_MS, &e);
	if (r < 0 && g->background && e.code == EWOULDBLOCK) {
		spool_close(&g->spool); /* somebody does it by hand */
		return EXIT_DONE;
	}
	raise_limit();
	g->now = clock_wall();
	g->sweep = (struct sweep){.s = &g->spool, .dry = g->dry, 
				  .gently = g->background, .held = held, .visit = gc_say_file, .ctx = g};
	if (r >= 0)
		r = collect_garbage(g, c, &e);
	if (r < 0)
		gc_complain(g, "%s", e.text);
	if (r >= 0 || g->removed || g->list)
		gc_say_end(g);
	if (held >= 0)
		close(held);
	spool_close(&g->spool);
	stored_free(&g->all);
	buf_free(&g->why);
	return r < 0 ? EXIT_UNABLE : g->failed ? EXIT_NO : EXIT_DONE;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct gc g = {.archive_format = "tar.zst"};
	struct args a = {.most = UINT64_MAX, .bytes = UINT64_MAX};
	const struct opt opts[] = {{"dry-run", 'n', OPT_FLAG, &g.dry},
				   {"keep-days", 'd', OPT_TEXT, &a.keep},
				   {"min-days", 0, OPT_TEXT, &a.min},
				   {"max-executions", 0, OPT_NUMBER, &a.most},
				   {"max-bytes", 0, OPT_SIZE, &a.bytes},
				   {"status", 0, OPT_LIST, &a.status},
				   {"events-days", 0, OPT_TEXT, &a.events},
				   {"rejected-days", 0, OPT_TEXT, &a.rejected},
				   {"break-trees", 0, OPT_FLAG, &a.break_trees},
				   {"archive", 'a', OPT_TEXT, &g.archive},
				   {"config", 'c', OPT_TEXT, &a.config},
				   {"leftovers", 0, OPT_FLAG, &a.leftovers},
				   {"background", 0, OPT_FLAG, &g.background},
				   {"json", 0, OPT_FLAG, &a.json},
				   {"quiet", 'q', OPT_FLAG, &g.quiet}};
	json_t *root = NULL;
	int status;

	if (!options(c, &verb_gc, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc > 0)
		status = usage(&verb_gc, "it takes no \"%s\": limits say what goes", argv[0]);
	else if (!take_limits(&g, &a, &root) || cli_spool(c) < 0)
		status = EXIT_UNABLE;
	else
		status = EXIT_DONE;
	if (status == EXIT_DONE) {
		if (g.background) {
			log_open("creel gc", LOG_LEVEL_INFO);
			step_back();
		}
		if (a.json) {
			g.list = json_array();
			g.archives = json_array();
		}
		status = with_spool(&g, c);
	}
	json_decref(root);
	json_decref(g.list);
	json_decref(g.archives);
	vec_free(&a.status);
	return status;
}

const struct verb verb_gc = {
    "gc",
    "[--dry-run] [LIMITS] [--archive PATH] [--json]",
    "remove executions that have been kept long enough\n"
    "\n"
    "Only executions that are over, each with all that it ran (plan.run): none that is\n"
    "active, in quarantine or damaged, nor one whose parent or child is. A kill at any\n"
    "moment leaves each execution whole or gone. Works beside a running daemon, which\n"
    "runs it by itself if its configuration has a \"retention:\".\n"
    "\n"
    "limits; without any, those of \"retention:\" in the configuration:\n"
    "  -d, --keep-days D     what ended more than D days ago goes\n"
    "  --max-executions N    of more than N the oldest go\n"
    "  --max-bytes SIZE      while they take more on disk (20G, 512M) the oldest go\n"
    "  --events-days D       files of events/ that are older go; at least 3\n"
    "  --rejected-days D     what lies in rejected/ for longer goes\n"
    "\n"
    "  -n, --dry-run         say what would go and why; remove nothing\n"
    "  -a, --archive PATH    first put it into this file (.tar.zst, .tar.gz, .tar), or\n"
    "                        into a file in this directory; \"creel import\" reads it\n"
    "  --min-days D          what ended less than D days ago stays whatever else\n"
    "  --status STATUS       only those that are completed, failed, cancelled; may be\n"
    "                        given several times\n"
    "  --break-trees         judge parents and children each by themselves; children of\n"
    "                        active ones stay\n"
    "  -c, --config FILE     take limits and archive from there (/etc/creel/creeld.yaml)\n"
    "  --leftovers           only what an interrupted gc or import left\n"
    "  --background          as the daemon runs it: at the lowest priority, with pauses\n"
    "  --json                {dryRun, executions: [{id, name, status, endedAt, bytes,\n"
    "                        files, root, reason}], archives, bytes, files, …}\n"
    "  -q, --quiet           say only what went wrong\n"
    "\n"
    "exit status: 0 done; 1 something that should go could not; 2 wrong usage, or the\n"
    "spool or the archive cannot be written\n",
    run,
};
