/*
 * lives.c - the executions that are not finished, and what waits to be told to them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/commit.h"
#include "creeld/typed.h"
#include "store/outputs.h"
#include "store/write.h"

enum { FRAME = 1024 * 1024 }; /* what forEach and plan.run put around the outputs of their parts, which output_cap bounds */

static json_t *load_output(void *daemon, const struct exec *x, uint32_t i, struct err *e)
{
	struct daemon *d = daemon;
	json_t *output;

	*e = (struct err){0};
	output = outputs_load(&d->spool, x, x->a[i].record, (size_t)d->config.output_cap + FRAME, e);
	if (!output)
		log_warn("the outputs of \"%s\" of %s are wanted and cannot be read: %s%s", x->plan->actions[i].id, x->id, e->text,
			 e->code == E2BIG || unread_is_lost(e->code) ? "" : "; trying again");
	return output;
}

void live_loads(struct daemon *d, struct exec *x)
{
	x->load = load_output;
	x->load_ctx = d;
	x->output_cap = (size_t)d->config.output_cap;
}

struct live *live_add(struct daemon *d, struct plan *plan, struct exec *x)
{
	struct live *l = xcalloc(1, sizeof *l);
	unsigned long long nonce;
	uint32_t slot;

	if (d->free_slots.n > 0) {
		slot = d->free_slots.v[--d->free_slots.n];
	} else {
		slot = (uint32_t)d->lives.n;
		vec_push(&d->lives, NULL);
	}
	d->lives.v[slot] = l;
	d->n_lives++;
	l->slot = slot;
	l->plan = plan;
	l->exec = x;
	x->env = d->config.env;
	x->steps = &d->steps;
	live_loads(d, x);
	if (getrandom(&nonce, sizeof nonce, 0) == (ssize_t)sizeof nonce)
		snprintf(x->nonce, sizeof x->nonce, "%016llx", nonce); /* without one, secrets have no value */
	map_put(&d->by_id, x->id, slot);
	return l;
}

struct live *live_find(struct daemon *d, const char *id)
{
	uint32_t slot = map_get(&d->by_id, id);

	return slot == MAP_NONE ? NULL : d->lives.v[slot];
}

void live_dirty(struct daemon *d, struct live *l)
{
	if (!l->dirty)
		vec_push(&d->dirty, l->slot);
	l->dirty = true;
}

struct input *live_input(struct daemon *d, struct live *l, enum input_kind kind, uint32_t action)
{
	vec_push(&l->inputs, (struct input){.kind = kind, .action = action, .uid = -1});
	live_dirty(d, l);
	return &l->inputs.v[l->inputs.n - 1];
}

void input_free(struct input *in)
{
	attempt_report_free(&in->report);
	free(in->reason);
	free(in->file);
	free(in->verb);
	free(in->user);
	free(in->comment);
	json_decref(in->by);
	json_decref(in->inputs);
	json_decref(in->parent);
	if (in->typed)
		explicit_bzero(in->typed, strlen(in->typed));
	free(in->typed);
	json_decref(in->mark);
}

static void drop_slot(uint32_t *v, size_t *n, uint32_t slot)
{
	size_t from, to = 0;

	for (from = 0; from < *n; from++)
		if (v[from] != slot)
			v[to++] = v[from];
	*n = to;
}

void live_remove(struct daemon *d, struct live *l)
{
	size_t k;

	drop_slot(d->slow.v, &d->slow.n, l->slot);
	if (l->dirty)
		drop_slot(d->dirty.v, &d->dirty.n, l->slot);
	if (l->waiting_start)
		drop_slot(d->ready.v, &d->ready.n, l->slot);
	if (l->is_parked)
		drop_slot(d->parked.v, &d->parked.n, l->slot);
	if (l->queuing)
		drop_slot(d->queue.v, &d->queue.n, l->slot);
	if (l->state_old)
		drop_slot(d->stale.v, &d->stale.n, l->slot);
	for (k = d->subs.n; k-- > 0;) {
		if (d->subs.v[k].child == l)
			d->subs.v[k].child = NULL; /* it is looked for again */
		if (d->subs.v[k].parent == l)
			d->subs.v[k] = d->subs.v[--d->subs.n];
	}
	for (k = 0; k < l->inputs.n; k++)
		input_free(&l->inputs.v[k]);
	vec_free(&l->inputs);
	vec_free(&l->queued);
	events_free(&l->out);
	map_del(&d->by_id, l->exec->id);
	typed_forget_execution(d, l->exec->id);
	exec_free(l->exec);
	plan_free(l->plan);
	d->lives.v[l->slot] = NULL;
	vec_push(&d->free_slots, l->slot);
	d->n_lives--;
	free(l);
}

/* What a person can do about it, with the commands. */
static void put_advice(struct buf *b, const char *id, const char *path)
{
	AUTO_BUF struct buf text = BUF_INIT;

	buf_printf(&text, "Nothing of it was changed, and what its attempts were doing was not stopped. To go on with it: put what "
			  "is damaged back from a backup (rsync -a BACKUP/%s/journal BACKUP/%s/plan.json %s/), and when \"creel verify "
			  "%s\" says that it adds up, \"creel verify --repair %s\" takes it out of quarantine and the daemon goes on with "
			  "it. To run it anew: see in %s/actions what was done already, then \"creel submit\" its source.* again. To give "
			  "it up: leave it here, or remove quarantine/%s, its reason and the directory.",
		   path, path, path, id, id, path, id);
	buf_puts(b, ",\"suggestion\":");
	buf_json_string(b, text.p, text.len);
}

/* Set one execution apart: a link, a reason that a person can act on, and an event.  Nothing of it is changed. */
void live_quarantine(struct daemon *d, const char *id, const char *reason)
{
	AUTO_BUF struct buf text = BUF_INIT, line = BUF_INIT;
	char path[SPOOL_PATH_MAX], when[CLOCK_TEXT];
	AUTO_FREE char *name = NULL, *target = NULL;
	struct err e = {0};

	spool_execution_path(id, path);
	target = xasprintf("../%s", path);
	name = xasprintf("quarantine/%s.reason.json", id);
	clock_format(clock_wall(), when);
	buf_printf(&text, "{\"execution\":\"%s\",\"path\":\"%s\",\"at\":\"%s\",\"category\":\"state_inconsistent\",\"reason\":",
		   id, path, when);
	buf_json_string(&text, reason, strlen(reason));
	put_advice(&text, id, path);
	buf_puts(&text, "}\n");
	if (fs_publish(d->spool.fd[SPOOL_ROOT], name, text.p, text.len, FS_SYNC, &e) < 0)
		log_error("cannot write %s: %s", name, e.text);
	name[strlen("quarantine/") + 36] = '\0';
	if (symlinkat(target, d->spool.fd[SPOOL_ROOT], name) < 0 && errno != EEXIST)
		log_error("cannot link %s: %s", name, strerror(errno));
	spool_active_path(id, path);
	unlinkat(d->spool.fd[SPOOL_ROOT], path, 0);
	log_error("execution %s is in quarantine and will not go on: %s", id, reason);
	buf_printf(&line, "{\"type\":\"execution.quarantined\",\"at\":\"%s\",\"execution\":\"%s\",\"reason\":", when, id);
	buf_json_string(&line, reason, strlen(reason));
	buf_puts(&line, "}\n");
	when[10] = '\0';
	if (events_append(&d->spool, when, line.p, line.len, &e) < 0)
		log_error("%s", e.text);
}
