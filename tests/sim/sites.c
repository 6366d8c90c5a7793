/*
 * sites.c - from where in the daemon a call comes, so that each place can be made to lie alone.
 *
 * A site is a call and the innermost three functions of creel that lead to it: "fsync:fs_sync_dir<journal_flush<
 * flush_journals".  A life notes the return addresses; the simulation names them between two seeds (addr2line, which
 * knows inlined functions, too).  The table lies in memory that is shared with the lives.
 */
#include <execinfo.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

enum { SITES = 1024, FRAMES = 12, NAMED = 3, UNNAMED = 0 };

struct place_called {
	char call[16];
	void *frame[FRAMES];
	int n, name; /* of names; UNNAMED: not looked up yet */
	bool used;   /* by this seed */
};

static struct {
	int n, lying; /* the name of the site that lies, or UNNAMED */
	bool on;
	struct place_called v[SITES];
} *table;

static struct site names[SITES]; /* names[0] is nobody's */
static int nnames = 1;
static uintptr_t base;

ssize_t __real_readlink(const char *path, char *out, size_t n);

static int find_base(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	base = info->dlpi_addr;
	return 1; /* the first one is the program */
}

void sites_begin(void)
{
	void *frame[2];

	table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (table == MAP_FAILED) {
		perror("sim: mmap");
		exit(111);
	}
	dl_iterate_phdr(find_base, NULL);
	backtrace(frame, 2); /* loads what it needs now, and not in a life */
	table->on = true;
}

void sites_lie(int name)
{
	if (table)
		table->lying = name;
}

/* ---- in a life ---- */

bool site_lies(const char *call)
{
	struct place_called here = {.n = 0}, *at;
	int k;

	if (!table || !sim_live())
		return false;
	here.n = backtrace(here.frame, FRAMES);
	for (k = 0; k < table->n; k++) {
		at = &table->v[k];
		if (at->n == here.n && strcmp(at->call, call) == 0 &&
		    memcmp(at->frame, here.frame, (size_t)here.n * sizeof *here.frame) == 0)
			break;
	}
	if (k == SITES)
		broke("the daemon has more places than the simulation knows");
	at = &table->v[k];
	if (k == table->n) {
		*at = here;
		snprintf(at->call, sizeof at->call, "%s", call);
		table->n++;
	}
	at->used = true;
	if (at->name == UNNAMED || at->name != table->lying)
		return false;
	W->mutant_used++;
	say("    (it lies)");
	return true;
}

/* ---- between seeds ---- */

/* The functions of creel that are on the way to a call, innermost first. */
static void name_place(const struct place_called *p, char *out, size_t size)
{
	char self[PATH_MAX] = "", command[PATH_MAX + 40 * FRAMES], function[400], where[PATH_MAX + 400];
	ssize_t len = __real_readlink("/proc/self/exe", self, sizeof self - 1);
	int k, n = 0, at = snprintf(out, size, "%s:", p->call);
	FILE *lines;

	self[len > 0 ? len : 0] = '\0';
	n = snprintf(command, sizeof command, "addr2line -fie '%s'", self);
	for (k = 0; k < p->n; k++)
		n += snprintf(command + n, sizeof command - (size_t)n, " %lx", (unsigned long)((uintptr_t)p->frame[k] - base - 1));
	lines = popen(command, "r");
	for (n = 0; lines && fgets(function, sizeof function, lines) && fgets(where, sizeof where, lines);) {
		function[strcspn(function, ".\n")] = '\0'; /* not what the compiler calls a part of it */
		if (n < NAMED && strstr(where, "/src/") && !strstr(where, "/tests/sim/"))
			at += snprintf(out + at, size - (size_t)at, "%s%s", n++ ? "<" : "", function);
	}
	if (!lines || pclose(lines) != 0 || n == 0) {
		fprintf(stderr, "sim: addr2line cannot name the functions of %s: build it with -g, and install binutils\n", self);
		exit(111);
	}
}

static int find_name(const char *text)
{
	int k;

	for (k = 1; k < nnames; k++)
		if (strcmp(names[k].name, text) == 0)
			return k;
	if (nnames == SITES) {
		fprintf(stderr, "sim: too many places\n");
		exit(111);
	}
	names[nnames].name = xstrdup(text);
	return nnames++;
}

/* What this seed came across. */
void sites_note(uint64_t seed)
{
	char text[400];
	int k;

	for (k = 0; k < table->n; k++) {
		struct place_called *p = &table->v[k];
		struct site *s;

		if (p->name == UNNAMED) {
			name_place(p, text, sizeof text);
			p->name = find_name(text);
		}
		s = &names[p->name];
		if (p->used && !table->lying && (s->n == 0 || s->seeds[s->n - 1] != seed)) {
			s->seeds = xrealloc(s->seeds, (s->n + 1) * sizeof *s->seeds);
			s->seeds[s->n++] = seed;
		}
		p->used = false;
	}
}

const struct site *site_at(int k)
{
	return k < nnames ? &names[k] : NULL;
}
