#include "creel/order.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "creel/common.h"
#include "creel/describe.h"
#include "creel/drop.h"
#include "creel/ids.h"
#include "creel/json.h"
#include "creel/show_text.h"
#include "creel/tail.h"

enum { TAKEN_MS = 1000 }; /* a file that was taken and not refused for so long was obeyed without an event */

/* ---- content ---- */

/* K=V, where V is JSON if it parses as that, else text. */
static int add_input(const struct verb *v, json_t *inputs, const char *word)
{
	const char *equals = strchr(word, '=');
	AUTO_FREE char *key = NULL;
	json_t *value;

	if (!equals || equals == word)
		return usage(v, "--input wants NAME=VALUE, not \"%s\"", word);
	key = xstrndup(word, (size_t)(equals - word));
	value = json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (!value)
		value = json_string(equals + 1);
	if (!value)
		return usage(v, "the value of \"%s\" is not UTF-8", key);
	json_object_set_new(inputs, key, value);
	return EXIT_DONE;
}

json_t *order_content(const struct verb *v, const struct order_options *o, bool decision, long long number,
		      int *status)
{
	json_t *content = json_object(), *inputs = NULL;
	size_t k;

	*status = EXIT_DONE;
	if (o->comment && json_object_set_new(content, decision ? "comment" : "reason", json_string(o->comment)) < 0)
		*status = usage(v, "the comment is not UTF-8");
	if (o->inputs.n > 0) {
		inputs = json_object();
		for (k = 0; k < o->inputs.n && *status == EXIT_DONE; k++)
			*status = add_input(v, inputs, o->inputs.v[k]);
		if (decision)
			json_object_set_new(content, "modifications", json_pack("{s:o}", "inputs", inputs));
		else
			json_object_set_new(content, "inputs", inputs);
	}
	if (number > 0)
		json_object_set_new(content, "number", json_integer(number));
	if (*status == EXIT_DONE && json_object_size(content) > 0)
		return content;
	json_decref(content);
	return NULL;
}

/* ---- dropping ---- */

static char *file_name(const struct order *o)
{
	if (o->action)
		return xasprintf("%s.%s.%s", o->id, o->action, o->verb);
	return xasprintf("%s.%s", o->id, o->verb);
}

/* confirm/by/USER: the kernel's word about who decides is the owner of that directory. */
static int open_own(const struct order *o, const char *user)
{
	int by = cli_open_dir(o->c, SPOOL_CONFIRM_BY), fd;
	struct stat st;

	if (by < 0)
		return -1;
	if (mkdirat(by, user, 0755) < 0 && errno != EEXIST) {
		complain("this decision names its approvers, so it must come from confirm/by/%s, which is not there", user);
		note("ask the spool's owner for it: install -d -o %s -m 0755 %s/confirm/by/%s", user, o->c->spool.path,
		     user);
		close(by);
		return -1;
	}
	fd = openat(by, user, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		complain("cannot open confirm/by/%s: %s", user, strerror(errno));
	} else if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 0022)) {
		complain("confirm/by/%s must belong to %s, and nobody else may write there: ask the spool's owner", user, user);
		close(fd);
		fd = -1;
	}
	close(by);
	return fd;
}

/* ---- what came of it ---- */

struct waiting {
	const struct order *o;
	const char *name;  /* of the file in its directory */
	const char *shown; /* as rejections name it */
	int dir;
	struct tail tail;
};

/* Is this the event that obeys the order? */
static bool obeys(const struct order *o, const json_t *event)
{
	static const char *const pairs[][2] = {
	    {"pause", "execution.paused"},  {"resume", "execution.resumed"},  {"cancel", "execution.cancel.requested"},
	    {"retry", "action.rearmed"},    {"retry", "execution.reopened"},  {"skip", "action.skipped"},
	    {"skip", "user.confirmation.received"}, {"retry", "user.confirmation.received"},
	    {"approve", "user.confirmation.received"}, {"reject", "user.confirmation.received"},
	};
	const char *type = json_text_or_empty(event, "type"), *decision = json_text(event, "decision");
	size_t k;

	if (strcmp(json_text_or_empty(event, "execution"), o->id) != 0)
		return false;
	if (o->action && strcmp(json_text_or_empty(event, "action"), o->action) != 0)
		return false;
	if (decision && strcmp(decision, o->verb) != 0)
		return false;
	for (k = 0; k < COUNT(pairs); k++)
		if (strcmp(pairs[k][0], o->verb) == 0 && strcmp(pairs[k][1], type) == 0)
			return true;
	return false;
}

static bool refuses(const struct waiting *w, const json_t *event)
{
	return strcmp(json_text_or_empty(event, "type"), "plan.rejected") == 0 &&
	       strcmp(json_text_or_empty(event, "file"), w->shown) == 0;
}

/* The event that answers; NULL if none came in time, and then *taken says whether the file is gone. */
static json_t *await_answer(struct waiting *w, bool *taken)
{
	/* a directory in confirm/by that is new is found by the daemon's next scan only */
	msec patience = w->o->where == SPOOL_CONFIRM_BY ? 2 * ORDER_ANSWER_MS : ORDER_ANSWER_MS;
	msec now = clock_mono(), give_up = now + patience, gone_at = 0;
	json_t *event;

	*taken = false;
	for (;;) {
		while ((event = tail_next(&w->tail, w->o->id))) {
			if (obeys(w->o, event) || refuses(w, event))
				return event;
			json_decref(event);
		}
		now = clock_mono();
		*taken = !fs_exists(w->dir, w->name);
		if (!*taken)
			gone_at = 0;
		else if (!gone_at)
			gone_at = now;
		if (now >= give_up || (gone_at && now >= gone_at + TAKEN_MS))
			return NULL;
		tail_wait(&w->tail, WATCH_POLL_MS);
	}
}

static void say_event(const struct order *o, const json_t *event)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct term t;

	if (o->json) {
		json_print_line(event);
		return;
	}
	term_look(STDOUT_FILENO, &t);
	buf_printf(&b, "%s  ", id_short(o->id));
	describe(&b, &t, event);
	buf_putc(&b, '\n');
	put_out(&b, stdout);
}

static int say_answer(struct waiting *w, const json_t *event, bool taken)
{
	const struct order *o = w->o;

	if (event && refuses(w, event)) {
		complain("%s was refused: %s", o->verb, json_text_or_empty(event, "message"));
		return EXIT_NO;
	}
	if (event) {
		say_event(o, event);
		return EXIT_DONE;
	}
	if (taken)
		note("%s  %s: taken", id_short(o->id), o->verb);
	else
		note("dropped %s/%s; it was not taken up yet", spool_dir_name(o->where), w->shown);
	return EXIT_DONE;
}

static int drop_and_wait(struct waiting *w)
{
	const struct order *o = w->o;
	AUTO_FREE char *text = o->content ? json_dumps(o->content, JSON_COMPACT) : NULL;
	bool taken = false;
	struct err e;
	json_t *event;
	int status;

	tail_open(&w->tail, o->c);
	if (drop_file(w->dir, w->name, text ? text : "", text ? strlen(text) : 0, o->secret ? DROP_SECRET : 0, &e) < 0) {
		complain("cannot drop %s/%s: %s", spool_dir_name(o->where), w->shown, e.text);
		tail_close(&w->tail);
		return EXIT_UNABLE;
	}
	if (daemon_or_note(o->c)) {
		event = await_answer(w, &taken);
		status = say_answer(w, event, taken);
		json_decref(event);
	} else {
		note("dropped %s/%s; the next daemon obeys it", spool_dir_name(o->where), w->shown);
		status = EXIT_DONE;
	}
	tail_close(&w->tail);
	return status;
}

int order_give(const struct order *o)
{
	AUTO_FREE char *name = file_name(o), *user = user_name(), *shown = NULL;
	struct waiting w = {.o = o, .name = name};
	int status;

	w.dir = o->where == SPOOL_CONFIRM_BY ? open_own(o, user) : cli_open_dir(o->c, o->where);
	if (w.dir < 0)
		return EXIT_UNABLE;
	shown = o->where == SPOOL_CONFIRM_BY ? xasprintf("%s/%s", user, name) : xstrdup(name);
	w.shown = shown;
	status = drop_and_wait(&w);
	close(w.dir);
	return status;
}
