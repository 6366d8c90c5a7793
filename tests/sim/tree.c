/*
 * tree.c - the file system as programs see it: names, links, bytes.  What of it survives is disk.c's business.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { LINKS_MAX = 8 };

/* ---- names ---- */

static size_t place_of(const struct entries *e, const char *name)
{
	size_t k;

	for (k = 0; k < e->n; k++)
		if (strcmp(e->v[k].name, name) == 0)
			break;
	return k;
}

struct node *entries_get(const struct entries *e, const char *name)
{
	size_t k = place_of(e, name);

	return k < e->n ? e->v[k].node : NULL;
}

/* node NULL: the name goes. */
void entries_set(struct entries *e, const char *name, struct node *node)
{
	size_t k = place_of(e, name);

	if (k < e->n && !node) {
		arena_free(e->v[k].name, strlen(name) + 1);
		e->v[k] = e->v[--e->n];
	} else if (k < e->n) {
		e->v[k].node = node;
	} else if (node) {
		e->v = arena_grow(e->v, &e->cap, e->n, sizeof *e->v);
		e->v[e->n++] = (struct entry){arena_text(name), node};
	}
}

struct node *tree_child(const struct node *dir, const char *name)
{
	return entries_get(&dir->names, name);
}

/* ---- paths ---- */

static struct node *new_node(enum kind kind, mode_t mode)
{
	struct node *n = arena_alloc(sizeof *n);

	*n = (struct node){.ino = ++W->next_ino, .kind = kind, .mode = mode, .mtime = W->wall, .ctime = W->wall};
	return n;
}

void tree_make(void)
{
	W->root = new_node(DIR_NODE, 0755);
	W->root->parent = W->root;
}

static int walk(struct node *from, const char *path, unsigned how, unsigned links, struct place *out);

/* Go on through a link. */
static int follow(struct node *dir, struct node *link, const char *rest, unsigned how, unsigned links, struct place *out)
{
	char path[1024];

	if ((how & WALK_NO_LINKS) || links == 0)
		return -ELOOP;
	snprintf(path, sizeof path, "%s%s%s", link->target, *rest ? "/" : "", rest);
	return walk(path[0] == '/' ? W->root : dir, path, how, links - 1, out);
}

static int walk(struct node *from, const char *path, unsigned how, unsigned links, struct place *out)
{
	struct node *dir = from;

	*out = (struct place){.dir = dir, .node = dir};
	for (;;) {
		const char *rest;
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			return 0;
		if (n >= sizeof out->name)
			return -ENAMETOOLONG;
		if (!out->node)
			return -ENOENT;
		if (out->node->kind != DIR_NODE)
			return -ENOTDIR;
		dir = out->node;
		rest = path + n + strspn(path + n, "/");
		if (n == 1 && path[0] == '.') {
			path = rest;
			*out = (struct place){.dir = dir, .node = dir};
			continue;
		}
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			if (how & WALK_BENEATH)
				return -EXDEV;
			path = rest;
			*out = (struct place){.dir = dir->parent, .node = dir->parent};
			continue;
		}
		*out = (struct place){.dir = dir};
		memcpy(out->name, path, n);
		out->node = tree_child(dir, out->name);
		if (out->node && out->node->kind == LINK_NODE && (*rest || !(how & WALK_NOFOLLOW)))
			return follow(dir, out->node, rest, how, links, out);
		path = rest;
	}
}

int tree_walk(struct node *from, const char *path, unsigned how, struct place *out)
{
	if (!*path)
		return -ENOENT;
	return walk(path[0] == '/' ? W->root : from, path, how, LINKS_MAX, out);
}

struct node *tree_at(const char *fmt, ...)
{
	struct place at;
	char path[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof path, fmt, ap);
	va_end(ap);
	return tree_walk(W->root, path, WALK_NOFOLLOW, &at) == 0 ? at.node : NULL;
}

/* ---- changes ---- */

static void set_name(struct node *dir, const char *name, struct node *node, uint64_t group, bool across)
{
	entries_set(&dir->names, name, node);
	dir->mtime = dir->ctime = W->wall;
	disk_named(dir, name, node, group, across);
}

int tree_create(struct node *dir, const char *name, enum kind kind, mode_t mode, struct node **out)
{
	struct node *n;

	if (tree_child(dir, name))
		return -EEXIST;
	n = new_node(kind, mode);
	n->nlink = 1;
	if (kind == DIR_NODE)
		n->parent = dir;
	set_name(dir, name, n, ++W->next_group, false);
	*out = n;
	return 0;
}

int tree_link(struct node *node, struct node *dir, const char *name)
{
	if (tree_child(dir, name))
		return -EEXIST;
	node->nlink++;
	node->ctime = W->wall;
	set_name(dir, name, node, ++W->next_group, false);
	return 0;
}

int tree_unlink(struct place *at, bool is_dir)
{
	struct node *n = at->node;

	if (!at->name[0])
		return -EBUSY;
	if (!n)
		return -ENOENT;
	if (is_dir && n->kind != DIR_NODE)
		return -ENOTDIR;
	if (!is_dir && n->kind == DIR_NODE)
		return -EISDIR;
	if (is_dir && n->names.n > 0)
		return -ENOTEMPTY;
	n->nlink--;
	n->ctime = W->wall;
	set_name(at->dir, at->name, NULL, ++W->next_group, false);
	return 0;
}

static bool is_above(const struct node *dir, const struct node *below)
{
	for (; below != W->root; below = below->parent)
		if (below == dir)
			return true;
	return dir == W->root;
}

int tree_rename(struct place *from, struct place *to, bool keep)
{
	uint64_t group = ++W->next_group;
	struct node *n = from->node;
	bool across = from->dir != to->dir && n && n->kind != DIR_NODE;

	if (!from->name[0] || !to->name[0])
		return -EBUSY;
	if (!n)
		return -ENOENT;
	if (to->node && keep)
		return -EEXIST;
	if (to->node == n)
		return 0;
	if (to->node && n->kind == DIR_NODE && to->node->kind != DIR_NODE)
		return -ENOTDIR;
	if (to->node && n->kind != DIR_NODE && to->node->kind == DIR_NODE)
		return -EISDIR;
	if (to->node && to->node->kind == DIR_NODE && to->node->names.n > 0)
		return -ENOTEMPTY;
	if (n->kind == DIR_NODE && is_above(n, to->dir))
		return -EINVAL;
	if (to->node)
		to->node->nlink--;
	if (n->kind == DIR_NODE)
		n->parent = to->dir;
	n->ctime = W->wall;
	set_name(to->dir, to->name, n, group, across);
	set_name(from->dir, from->name, NULL, group, across);
	return 0;
}

void tree_write(struct node *file, size_t at, const void *p, size_t n)
{
	size_t was = file->data.n;

	bytes_put(&file->data, at, p, n);
	file->mtime = file->ctime = W->wall;
	disk_touched(file, at < was ? at : was, was);
}

void tree_cut(struct node *file, size_t n)
{
	size_t was = file->data.n;

	bytes_cut(&file->data, n);
	file->mtime = file->ctime = W->wall;
	disk_touched(file, n < was ? n : was, n < was ? n : was);
}

/* A file as people and supervisors write it: under a dotted name, then renamed. */
struct node *tree_put(struct node *dir, const char *name, const char *text, size_t n, mode_t mode)
{
	struct place from = {.dir = dir}, to = {.dir = dir};
	struct node *file;

	snprintf(from.name, sizeof from.name, ".%.200s.new", name);
	snprintf(to.name, sizeof to.name, "%.250s", name);
	from.node = tree_child(dir, from.name);
	if (from.node)
		tree_unlink(&from, false);
	if (tree_create(dir, from.name, FILE_NODE, mode, &file) < 0)
		return NULL;
	tree_write(file, 0, text, n);
	from.node = file;
	to.node = tree_child(dir, name);
	return tree_rename(&from, &to, false) == 0 ? file : NULL;
}
