/*
 * log.c - what happened, from the journal; and what an action wrote, from its attempt's directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "creel/common.h"
#include "creel/describe.h"
#include "creel/execution.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/show_text.h"
#include "creel/watch.h"

enum { CHUNK = 64 * 1024 };

struct settings {
	bool follow, json, only_stdout, only_stderr;
	uint64_t attempt;
};

/* ---- events ---- */

struct journal {
	struct cli *c;
	const char *id;
	const struct settings *s;
	struct term term;
	uint32_t seq;
	msec first; /* when it was accepted; 0: not read yet */
	bool over;
};

/* Events take from their commit what they do not say themselves: as lines of events/. */
static json_t *in_full(const struct journal *j, const json_t *commit, const json_t *event, size_t n)
{
	json_t *o = json_object();

	json_object_set(o, "type", json_object_get(event, "type"));
	json_object_set(o, "at", json_object_get(json_object_get(event, "at") ? event : commit, "at"));
	json_object_set_new(o, "execution", json_string(j->id));
	json_object_set(o, "seq", json_object_get(commit, "seq"));
	json_object_set_new(o, "n", json_integer((json_int_t)n));
	json_object_update_missing(o, (json_t *)event);
	return o;
}

/* "+  3.141 s  fetch: completed"; the first line has the time of day. */
static void print_event(struct journal *j, const json_t *event)
{
	AUTO_BUF struct buf b = BUF_INIT;
	const char *text = json_text_or_empty(event, "at");
	msec at = 0;

	clock_parse(text, &at);
	if (!j->first) {
		j->first = at;
		buf_puts(&b, tone_on(&j->term, TONE_DIM));
		put_time(&b, text);
		buf_printf(&b, " UTC, %s", j->id);
		buf_puts(&b, tone_off(&j->term));
		buf_putc(&b, '\n');
	}
	buf_puts(&b, tone_on(&j->term, TONE_DIM));
	buf_printf(&b, "%+11.3f s  ", (double)(at - j->first) / 1000);
	buf_puts(&b, tone_off(&j->term));
	describe(&b, &j->term, event);
	buf_putc(&b, '\n');
	put_out(&b, stdout);
}

static void take_event(struct journal *j, const json_t *commit, json_t *event, size_t n)
{
	const char *type = json_text_or_empty(event, "type");
	json_t *full = in_full(j, commit, event, n);

	if (strcmp(type, "execution.completed") == 0 || strcmp(type, "execution.failed") == 0 ||
	    strcmp(type, "execution.cancelled") == 0)
		j->over = true;
	else if (strcmp(type, "execution.reopened") == 0)
		j->over = false;
	if (j->s->json)
		json_print_line(full);
	else
		print_event(j, full);
	json_decref(full);
}

static int read_journal(struct journal *j)
{
	json_t *commit, *event;
	struct err e;
	size_t k;

	while ((commit = execution_next_commit(j->c, j->id, &j->seq, &e))) {
		json_array_foreach(json_object_get(commit, "events"), k, event)
			take_event(j, commit, event, k);
		json_decref(commit);
	}
	fflush(stdout);
	if (!e.code)
		return EXIT_DONE;
	complain("%s", e.text);
	return EXIT_UNABLE;
}

static int show_events(struct cli *c, const char *id, const struct settings *s)
{
	AUTO_FREE char *dir = execution_path(c, id);
	AUTO_FREE char *path = xasprintf("%s/journal", dir);
	struct journal j = {.c = c, .id = id, .s = s};
	struct watch w;
	int status;

	term_look(STDOUT_FILENO, &j.term);
	watch_open(&w);
	if (s->follow)
		watch_add(&w, path);
	while ((status = read_journal(&j)) == EXIT_DONE && s->follow && !j.over && !id_is_quarantined(c, id))
		watch_wait(&w, WATCH_POLL_MS);
	watch_close(&w);
	if (status == EXIT_DONE && j.seq == 0) {
		complain("the journal of %s is empty", id);
		return EXIT_UNABLE;
	}
	return status;
}

/* ---- what an attempt wrote ---- */

struct stream {
	const char *name;
	FILE *to;
	int fd; /* -1 until it is there */
	bool escape;
	bool begun;
};

/* Line ends and tabs may pass; all else that a terminal could obey is escaped.  A character that is cut by the end
 * of a chunk shows as its bytes, which is harmless. */
static void write_escaped(FILE *to, const char *p, size_t n)
{
	AUTO_BUF struct buf b = BUF_INIT;
	size_t start = 0, i;

	for (i = 0; i <= n; i++) {
		if (i < n && p[i] != '\n' && p[i] != '\t' && p[i] != '\\')
			continue;
		text_escape(&b, p + start, i - start);
		if (i < n)
			buf_putc(&b, p[i]);
		start = i + 1;
	}
	put_out(&b, to);
}

/* The action could write in this directory: what stands there may be anything. */
static int open_stream(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void copy_new(int dir, struct stream *s, const struct term *t, bool heading)
{
	char *chunk;
	ssize_t n;

	if (s->fd < 0)
		s->fd = open_stream(dir, s->name);
	if (s->fd < 0)
		return;
	chunk = xmalloc(CHUNK);
	while ((n = read(s->fd, chunk, CHUNK)) > 0) {
		if (!s->begun && heading)
			fprintf(stderr, "%s--- %s%s\n", tone_on(t, TONE_DIM), s->name, tone_off(t));
		s->begun = true;
		if (s->escape)
			write_escaped(s->to, chunk, (size_t)n);
		else
			fwrite(chunk, 1, (size_t)n, s->to);
		fflush(s->to);
	}
	free(chunk);
}

static void copy_streams(int dir, const char *path, const struct settings *s)
{
	struct term out, err;
	struct stream streams[] = {{"stdout", stdout, -1, false, false}, {"stderr", stderr, -1, false, false}};
	bool heading, ended;
	struct watch w;
	int k;

	term_look(STDOUT_FILENO, &out);
	term_look(STDERR_FILENO, &err);
	streams[0].escape = isatty(STDOUT_FILENO) == 1;
	streams[1].escape = isatty(STDERR_FILENO) == 1;
	heading = streams[0].escape && streams[1].escape && !s->only_stdout && !s->only_stderr;
	watch_open(&w);
	if (s->follow)
		watch_add(&w, path);
	for (;;) {
		/* asked before the last look, so that nothing that was written before the end is missed */
		ended = fs_exists(dir, "result.json") || fs_exists(dir, "void");
		for (k = 0; k < 2; k++)
			if (!(k == 0 ? s->only_stderr : s->only_stdout))
				copy_new(dir, &streams[k], &err, heading && !s->follow);
		if (!s->follow || ended)
			break;
		watch_wait(&w, WATCH_POLL_MS);
	}
	watch_close(&w);
	for (k = 0; k < 2; k++)
		if (streams[k].fd >= 0)
			close(streams[k].fd);
	if (!streams[0].begun && !streams[1].begun && err.tty)
		note(ended ? "it wrote nothing" : "it has written nothing yet");
}

/* NULL after complaining. */
static char *attempt_dir(struct cli *c, const char *id, const char *action, const struct settings *s)
{
	uint32_t attempt = (uint32_t)s->attempt;
	char *path;

	if (!execution_action_name_is(action)) {
		complain("\"%s\" is not the name of an action", action);
		return NULL;
	}
	if (!attempt)
		attempt = execution_last_attempt(c, id, action);
	if (!attempt) {
		complain("%s has no attempt of \"%s\"; \"creel show %s\" lists its actions", id, action, id_short(id));
		return NULL;
	}
	path = execution_action_path(id, action, attempt);
	if (fs_exists(c->spool.fd[SPOOL_ROOT], path))
		return path;
	complain("\"%s\" has no attempt %u in %s", action, attempt, id);
	free(path);
	return NULL;
}

static int show_output(struct cli *c, const char *id, const char *action, const struct settings *s)
{
	AUTO_FREE char *path = attempt_dir(c, id, action, s), *absolute = NULL;
	int dir;

	if (!path)
		return EXIT_NO;
	dir = openat(c->spool.fd[SPOOL_ROOT], path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		complain("cannot open %s: %s", path, strerror(errno));
		return EXIT_UNABLE;
	}
	if (s->json) {
		struct err e;
		json_t *result = json_read(dir, "result.json", &e);

		close(dir);
		if (!result) {
			complain("this attempt has no result: %s", e.text);
			return EXIT_NO;
		}
		json_print(result);
		json_decref(result);
		return EXIT_DONE;
	}
	absolute = xasprintf("%s/%s", c->spool.path, path);
	copy_streams(dir, absolute, s);
	close(dir);
	return EXIT_DONE;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct settings s = {0};
	const struct opt opts[] = {{"follow", 'f', OPT_FLAG, &s.follow},
				   {"attempt", 'n', OPT_NUMBER, &s.attempt},
				   {"stdout", 0, OPT_FLAG, &s.only_stdout},
				   {"stderr", 0, OPT_FLAG, &s.only_stderr},
				   {"json", 0, OPT_FLAG, &s.json}};
	char id[UUID_TEXT];
	int status;

	if (!options(c, &verb_log, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc == 0)
		return usage(&verb_log, "of which execution? \"creel ls\" lists them");
	if (argc > 2)
		return usage(&verb_log, "one action at a time");
	if (argc == 1 && (s.attempt || s.only_stdout || s.only_stderr))
		return usage(&verb_log, "of which action?");
	if (s.attempt > UINT32_MAX)
		return usage(&verb_log, "there are not that many attempts");
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	if ((status = id_resolve(c, argv[0], id)) != EXIT_DONE)
		return status;
	return argc == 1 ? show_events(c, id, &s) : show_output(c, id, argv[1], &s);
}

const struct verb verb_log = {
    "log",
    "[--follow] [--json] ID [[--attempt N] [--stdout | --stderr] ACTION]",
    "print what happened, or what an action wrote\n"
    "\n"
    "With ID alone: the journal, an event a line, with seconds since the plan was\n"
    "accepted.  With ACTION: the standard output (on stdout) and standard error (on\n"
    "stderr) of its last attempt, as they are; escaped on a terminal.\n"
    "\n"
    "  -f, --follow          go on until the execution, or the attempt, is over\n"
    "  -n, --attempt N       another attempt than the last\n"
    "  --stdout, --stderr    only that\n"
    "  --json                events as in events/, one object a line; with ACTION\n"
    "                        its result.json\n",
    run,
};
