/*
 * gc_say.c - what `creel gc` says: to people, to programs (--json), into the daemon's log (--background).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "creel/common.h"
#include "creel/execution.h"
#include "creel/gc.h"
#include "creel/json.h"

void gc_complain(struct gc *g, const char *fmt, ...)
{
	AUTO_BUF struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (g->background)
		log_warn("retention: %s", buf_str(&text));
	else
		complain("%s", buf_str(&text));
}

static json_t *one_json(struct gc *g, const struct stored *one, const char *name, const char *why)
{
	char when[CLOCK_TEXT];

	clock_format(one->ended, when);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s*, s:s}", "id", one->id, "name", name, "status",
			 stored_status_name(one->status), "endedAt", when, "bytes", (json_int_t)one->bytes, "files",
			 (json_int_t)one->files, "root", one->root < g->all.n && strcmp(g->all.v[one->root].id, one->id)
			 ? g->all.v[one->root].id : NULL, "reason", why);
}

static void put_one(const struct stored *one, const char *name, bool root, const char *why)
{
	AUTO_BUF struct buf b = BUF_INIT, size = BUF_INIT;
	char when[CLOCK_TEXT];

	clock_format(one->ended, when);
	put_bytes(&size, one->bytes);
	buf_printf(&b, "%s  %-9s  ", one->id, stored_status_name(one->status));
	put_time(&b, when);
	buf_printf(&b, "  %11s  ", buf_str(&size));
	put_count(&b, (long long)one->files, "file", "files");
	buf_puts(&b, "  ");
	put_safe(&b, name);
	buf_puts(&b, root ? ": " : ", with it\n");
	if (root) {
		buf_puts(&b, why);
		buf_putc(&b, '\n');
	}
	put_out(&b, stdout);
}

void gc_name(struct gc *g, struct gc_tree *t)
{
	struct cli c = {.spool = g->spool, .opened = true};
	size_t k;

	if (!g->list && (g->quiet || g->background || !g->dry))
		return;
	t->names = xcalloc(t->n, sizeof *t->names);
	for (k = 0; k < t->n; k++) {
		json_t *state = execution_state(&c, g->all.v[t->v[k]].id, NULL);

		t->names[k] = xstrdup(json_text_or_empty(state, "name"));
		json_decref(state);
	}
}

void gc_say_tree(struct gc *g, const struct gc_tree *t)
{
	size_t k;

	for (k = 0; k < t->n; k++) {
		const struct stored *one = &g->all.v[t->v[k]];

		g->removed++;
		g->bytes += one->bytes;
		g->files += one->files;
		if (!t->names)
			continue;
		if (g->list)
			json_array_append_new(g->list, one_json(g, one, t->names[k], buf_str(&g->why)));
		else
			put_one(one, t->names[k], k == 0, buf_str(&g->why));
	}
}

void gc_say_kept(struct gc *g, const struct gc_tree *t, const struct err *e)
{
	/* That somebody uses it in this moment is no fault. */
	g->failed += e->code != EBUSY && e->code != EWOULDBLOCK && e->code != ENOENT;
	gc_complain(g, "execution %s stays: %s", g->all.v[t->v[0]].id, e->text);
}

/* A file or directory beside executions, or what a kill left. */
void gc_say_file(void *gc, const char *path, const char *error)
{
	struct gc *g = gc;

	if (error) {
		g->failed++;
		gc_complain(g, "%s stays: %s", path, error);
		return;
	}
	if (text_starts_with(path, "events/"))
		g->events++;
	else if (text_starts_with(path, "rejected/"))
		g->rejected++;
	else if (text_starts_with(path, "tmp/"))
		g->leftovers++;
	else
		g->days++;
	if (g->dry && !g->quiet && !g->background && !g->list) {
		AUTO_BUF struct buf b = BUF_INIT;

		put_safe(&b, path);
		buf_putc(&b, '\n');
		put_out(&b, stdout);
	}
}

static void put_some(struct buf *b, size_t n, const char *one, const char *many)
{
	if (n == 0)
		return;
	buf_puts(b, b->len ? ", " : "");
	put_count(b, (long long)n, one, many);
}

static void print_json(struct gc *g)
{
	json_t *o = json_pack("{s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "dryRun", g->dry, "executions", g->list,
			      "archives", g->archives, "bytes", (json_int_t)g->bytes, "files", (json_int_t)g->files,
			      "eventsFiles", (json_int_t)g->events, "rejected", (json_int_t)g->rejected, "emptyDays",
			      (json_int_t)g->days, "leftovers", (json_int_t)g->leftovers, "failed", (json_int_t)g->failed);

	json_print(o);
	json_decref(o);
	g->list = g->archives = NULL;
}

void gc_say_end(struct gc *g)
{
	AUTO_BUF struct buf b = BUF_INIT;

	if (g->list) {
		print_json(g);
		return;
	}
	put_some(&b, g->removed, "execution", "executions");
	if (g->removed) {
		buf_puts(&b, " (");
		put_bytes(&b, g->bytes);
		buf_puts(&b, ", ");
		put_count(&b, (long long)g->files, "file", "files");
		buf_putc(&b, ')');
	}
	put_some(&b, g->events, "file of events/", "files of events/");
	put_some(&b, g->rejected, "file of rejected/", "files of rejected/");
	put_some(&b, g->days, "empty day", "empty days");
	put_some(&b, g->leftovers, "leftover of an interrupted one", "leftovers of an interrupted one");
	if (g->background && b.len)
		log_info("retention: removed %s", buf_str(&b));
	else if (!g->background && !g->quiet)
		printf("%s %s\n", g->dry ? "would remove" : "removed", b.len ? buf_str(&b) : "nothing");
}
