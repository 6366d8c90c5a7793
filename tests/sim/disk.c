/*
 * disk.c - what is on the disk, and what a power cut leaves.
 *
 * Bytes of a file and names in a directory are on the disk once they were flushed.  Of what was not, a power cut keeps
 * any legal part:
 *
 *   ORDERED  as ext4 and xfs do: changes of names in the order in which they were made, up to some point; any flush of
 *            a file or directory takes all earlier changes of names with it
 *   WEAK     as POSIX allows: each change of a name on its own; a flush of a directory takes those of its own names
 *            with it, a flush of a file its bytes alone
 *
 * In both a rename is never lost with both names; the old one may stay as well if it crossed directories (WEAK).
 * Nothing is kept in a directory that is not kept itself, and none goes before what was in it.  Bytes that were not flushed are there up to some point,
 * or, in the weak model, as zeros.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { BLOCK = 512 };

/* ---- bytes ---- */

void disk_touched(struct node *file, size_t same, size_t least)
{
	if (same < file->same)
		file->same = same;
	if (!file->dirty || least < file->least)
		file->least = least;
	if (file->dirty)
		return;
	file->dirty = true;
	W->dirty = arena_grow(W->dirty, &W->dirty_cap, W->ndirty, sizeof *W->dirty);
	W->dirty[W->ndirty++] = file;
}

static void clean(struct node *file)
{
	size_t k;

	if (!file->dirty)
		return;
	file->dirty = false;
	for (k = 0; k < W->ndirty; k++)
		if (W->dirty[k] == file) {
			W->dirty[k] = W->dirty[--W->ndirty];
			return;
		}
}

static void keep_bytes(struct node *file)
{
	if (!file->dirty)
		return;
	if (file->kept.n > file->data.n)
		bytes_cut(&file->kept, file->data.n);
	bytes_put(&file->kept, file->same, file->data.p + file->same, file->data.n - file->same);
	file->same = file->data.n;
}

void disk_forget(struct node *file)
{
	if (!file->dirty)
		return;
	say("the kernel forgets what it could not write of inode %u", file->ino);
	file->same = file->data.n;
	clean(file);
}

/* ---- names ---- */

void disk_named(struct node *dir, const char *name, struct node *node, uint64_t group, bool across)
{
	W->changes = arena_grow(W->changes, &W->changes_cap, W->nchanges, sizeof *W->changes);
	W->changes[W->nchanges++] = (struct change){group, dir, arena_text(name), node, across};
}

static void apply(const struct change *c)
{
	entries_set(&c->dir->kept_names, c->name, c->node);
}

static void drop_change(size_t k)
{
	arena_free(W->changes[k].name, strlen(W->changes[k].name) + 1);
	memmove(W->changes + k, W->changes + k + 1, (W->nchanges - k - 1) * sizeof *W->changes);
	W->nchanges--;
}

static void keep_all_names(void)
{
	size_t k;

	for (k = 0; k < W->nchanges; k++) {
		apply(&W->changes[k]);
		arena_free(W->changes[k].name, strlen(W->changes[k].name) + 1);
	}
	W->nchanges = 0;
}

/* This change, and all earlier ones of the same name. */
static void keep_change(size_t last)
{
	const struct change this = W->changes[last];
	char name[256];
	size_t k;

	snprintf(name, sizeof name, "%s", this.name);
	for (k = 0; k < W->nchanges && W->changes[k].group <= this.group;) {
		if (W->changes[k].dir == this.dir && strcmp(W->changes[k].name, name) == 0) {
			apply(&W->changes[k]);
			drop_change(k);
		} else {
			k++;
		}
	}
}

/* A directory is where it is now, and so are those above it: what came into it was not lost on the way. */
static void keep_path(const struct node *dir)
{
	size_t k;

	for (; dir != W->root; dir = dir->parent)
		for (k = 0; k < W->nchanges; k++)
			if (W->changes[k].dir == dir->parent && W->changes[k].node == dir) {
				keep_change(k);
				break;
			}
}

/* The other half of a rename: what came must be there before what went is gone; of a directory both go together. */
static bool keep_other(uint64_t group, bool arrival)
{
	size_t k;

	for (k = 0; k < W->nchanges; k++)
		if (W->changes[k].group == group && !W->changes[k].node == !arrival) {
			struct node *dir = W->changes[k].dir;

			keep_change(k);
			if (arrival)
				keep_path(dir);
			return true;
		}
	return false;
}

/* Is that a directory with something in it, on the disk? */
static bool is_full(const struct node *dir, const char *name)
{
	const struct node *n = entries_get(&dir->kept_names, name);

	return n && n->kind == DIR_NODE && n->kept_names.n > 0;
}

/* What was in a directory that goes has gone before: so that nothing is lost with it. */
static void keep_emptied(const struct node *gone)
{
	size_t k;

	for (k = 0; k < W->nchanges;) {
		struct change c = W->changes[k];

		if (c.dir != gone) {
			k++;
		} else {
			if (!c.node)
				keep_other(c.group, true);
			for (k = 0; k < W->nchanges && (W->changes[k].dir != gone || W->changes[k].group != c.group); k++)
				continue;
			if (k < W->nchanges)
				keep_change(k);
			k = 0;
		}
	}
}

void disk_flush_dir(struct node *dir)
{
	size_t k;

	if (W->model == ORDERED) {
		keep_all_names();
		return;
	}
	for (k = 0; k < W->nchanges;) {
		struct change c = W->changes[k];

		if (c.dir != dir) {
			k++;
			continue;
		}
		if (!c.node && keep_other(c.group, true)) {
			k = 0; /* the list has changed */
			continue;
		}
		if (!c.node && is_full(dir, c.name)) {
			keep_emptied(entries_get(&dir->kept_names, c.name));
			k = 0;
			continue;
		}
		apply(&c);
		drop_change(k);
		if (c.node && !c.across && keep_other(c.group, false))
			k = 0;
	}
}

void disk_flush_file(struct node *file)
{
	keep_bytes(file);
	clean(file);
	if (W->model == ORDERED)
		keep_all_names();
}

void disk_flush_bytes(void)
{
	while (W->ndirty > 0) {
		struct node *file = W->dirty[0];

		keep_bytes(file);
		clean(file);
	}
}

void disk_flush_all(void)
{
	disk_flush_bytes();
	keep_all_names();
}

/* ---- the cut ---- */

/* Of bytes that were not flushed: none, all, or the first of them; the rest what was there before, not there, or zeros. */
static void cut_bytes(struct node *file)
{
	size_t base = file->same, before = file->least < file->kept.n ? file->least : file->kept.n, to, written;

	if (one_in(4))
		return; /* nothing of it was written */
	if (before < base)
		before = base;
	to = one_in(3) ? file->data.n : (size_t)between((int64_t)before, (int64_t)file->data.n);
	written = to;
	if (W->model == WEAK && one_in(3)) {
		written = (size_t)between((int64_t)base, (int64_t)to);
		written -= written % BLOCK < written - base ? written % BLOCK : 0;
	}
	bytes_cut(&file->kept, before);
	bytes_put(&file->kept, base, file->data.p + base, written - base);
	bytes_cut(&file->kept, to);
}

static void cut_names_ordered(void)
{
	size_t k, upto = (size_t)between(0, (int64_t)W->nchanges);

	/* A rename happens whole. */
	while (upto > 0 && upto < W->nchanges && W->changes[upto].group == W->changes[upto - 1].group)
		upto++;
	for (k = 0; k < upto; k++)
		apply(&W->changes[k]);
}

static bool reachable(const struct node *dir)
{
	for (; dir != W->root; dir = dir->parent) {
		const struct entries *e = &dir->parent->kept_names;
		size_t k;

		for (k = 0; k < e->n && e->v[k].node != dir; k++)
			continue;
		if (k == e->n)
			return false;
	}
	return true;
}

/* Arrivals stand before departures, and directories before what is in them. */
static void cut_names_weak(void)
{
	uint32_t keep_of = 1 + below(8);
	uint64_t arrived = 0;
	size_t k;

	for (k = 0; k < W->nchanges; k++) {
		struct change *c = &W->changes[k];
		bool rename = (k > 0 && W->changes[k - 1].group == c->group) ||
			      (k + 1 < W->nchanges && W->changes[k + 1].group == c->group);

		if (rename && !c->node) {
			/* It went: only if it came, and then in most cases; within one directory always. */
			if (arrived == c->group && (!c->across || !one_in(4)))
				apply(c);
			continue;
		}
		if (below(8) >= keep_of || !reachable(c->dir) || (!c->node && is_full(c->dir, c->name)))
			continue;
		apply(c);
		if (rename)
			arrived = c->group;
	}
}

static void copy_names(struct entries *to, const struct entries *from)
{
	size_t k;

	for (k = 0; k < to->n; k++)
		arena_free(to->v[k].name, strlen(to->v[k].name) + 1);
	to->n = 0;
	for (k = 0; k < from->n; k++)
		entries_set(to, from->v[k].name, from->v[k].node);
}

/* What programs see from now on is what is on the disk. */
static void look_again(struct node *node)
{
	bool again = node->seen == W->next_walk;
	size_t k;

	node->lock = 0;
	if (node->kind == FILE_NODE && !again) {
		bytes_cut(&node->data, 0);
		bytes_put(&node->data, 0, node->kept.p, node->kept.n);
		node->same = node->data.n;
	}
	node->nlink = again ? node->nlink + 1 : 1;
	node->seen = W->next_walk;
	if (node->kind != DIR_NODE)
		return;
	copy_names(&node->names, &node->kept_names);
	for (k = 0; k < node->names.n; k++) {
		if (node->names.v[k].node->kind == DIR_NODE)
			node->names.v[k].node->parent = node;
		look_again(node->names.v[k].node);
	}
}

void disk_power_cut(void)
{
	size_t k;

	for (k = 0; k < W->ndirty; k++)
		cut_bytes(W->dirty[k]);
	if (W->model == ORDERED)
		cut_names_ordered();
	else
		cut_names_weak();
	for (k = 0; k < W->ndirty; k++)
		W->dirty[k]->dirty = false;
	for (k = 0; k < W->nchanges; k++)
		arena_free(W->changes[k].name, strlen(W->changes[k].name) + 1);
	W->ndirty = W->nchanges = 0;
	W->next_walk++;
	look_again(W->root);
}
