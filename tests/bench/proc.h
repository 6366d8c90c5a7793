/*
 * proc.h - processes and what they used, from /proc, for the programs of this directory.
 *
 * A tree is a process, its living descendants, and whatever these have waited for.  Processes of which the kernel
 * gave the end to somebody outside the tree are missing, so the root of a tree that is to be measured is a subreaper
 * (keeper.c, measure.c).
 */
#ifndef CREEL_BENCH_PROC_H
#define CREEL_BENCH_PROC_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct proc {
	pid_t pid, parent;
	long long ticks; /* user and system, own and of children that were waited for */
	bool in;         /* belongs to the tree */
};

struct proc_list {
	struct proc *at;
	size_t n, cap;
};

/* One process; false: it has gone. */
static inline bool proc_read(pid_t pid, struct proc *p)
{
	char path[64], line[1024], *after;
	long long user, sys, cuser, csys;
	int parent;
	FILE *f;
	bool ok;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(line, sizeof line, f) != NULL;
	fclose(f);
	after = ok ? strrchr(line, ')') : NULL; /* the name may hold anything */
	if (!after || sscanf(after + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld", &parent,
			     &user, &sys, &cuser, &csys) != 5)
		return false;
	*p = (struct proc){.pid = pid, .parent = parent, .ticks = user + sys + cuser + csys};
	return true;
}

static inline void proc_scan(struct proc_list *l)
{
	struct dirent *d;
	struct proc p;
	DIR *dir = opendir("/proc");

	l->n = 0;
	if (!dir) {
		perror("/proc");
		exit(1);
	}
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9' || !proc_read((pid_t)atoi(d->d_name), &p))
			continue;
		if (l->n == l->cap) {
			l->cap = l->cap ? l->cap * 2 : 256;
			l->at = realloc(l->at, l->cap * sizeof *l->at);
			if (!l->at)
				abort();
		}
		l->at[l->n++] = p;
	}
	closedir(dir);
}

/* Mark the tree below root, root included. */
static inline void proc_mark(struct proc_list *l, pid_t root)
{
	bool grew = true;
	size_t i, k;

	for (i = 0; i < l->n; i++)
		l->at[i].in = l->at[i].pid == root;
	while (grew) {
		grew = false;
		for (i = 0; i < l->n; i++)
			for (k = 0; !l->at[i].in && k < l->n; k++)
				if (l->at[k].in && l->at[k].pid == l->at[i].parent)
					grew = l->at[i].in = true;
	}
}

/* Microseconds of processor time that the tree has used. */
static inline long long proc_tree_cpu(pid_t root)
{
	static struct proc_list l;
	long long ticks = 0;
	size_t i;

	proc_scan(&l);
	proc_mark(&l, root);
	for (i = 0; i < l.n; i++)
		if (l.at[i].in)
			ticks += l.at[i].ticks;
	return ticks * (1000000 / sysconf(_SC_CLK_TCK));
}

#endif
