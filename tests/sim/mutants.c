/*
 * mutants.c - daemons that break a promise: a simulation that does not notice one is worth nothing.
 *
 * Some are lies of the kernel, or of a supervisor, that are named here.  The others are made by themselves: each place
 * in the daemon that flushes, locks, creates what must be new, or moves without replacing (sites.c) is made to lose
 * that call alone.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

static const struct {
	const char *name, *what;
} mutants[] = {
    {"no-flush-at-all", "fsync, fdatasync and syncfs do nothing"},
    {"no-fdatasync", "fdatasync does nothing"},
    {"no-syncfs", "syncfs does nothing"},
    {"syncfs-of-bytes-only", "syncfs flushes bytes and no names"},
    {"no-flush-of-directories", "fsync of a directory does nothing"},
    {"flushes-come-late", "a flush of a file takes effect at the next one"},
    {"claims-go-early", "the claim of a plan goes before it is in place"},
    {"claims-are-copies", "the claim of a plan leaves the plan in the inbox"},
    {"no-active-links", "the link in active/ is not made"},
    {"active-links-go-early", "the link in active/ goes before the end is durable"},
    {"locks-exclude-nobody", "flock is always granted"},
    {"void-is-not-made", "an attempt that is void is not marked"},
    {"survivors-live-on", "survivors of an attempt are not found, nor killed"},
    {"creates-are-not-exclusive", "O_EXCL is not heeded"},
    {"renames-replace", "a rename that must not replace does"},
    {"torn-writes", "a write keeps its first half and reports all of it"},
    {"failures-are-successes", "a result says 0 whatever the action's exit status was"},
    {"unknown-is-success", "a supervisor that is killed leaves a result that says 0"},
};

static const struct {
	const char *call, *what;
} kinds[] = {
    {"fsync", "this flush does nothing"},
    {"fdatasync", "this flush does nothing"},
    {"syncfs", "this flush does nothing"},
    {"flock", "this lock is always granted, and not held"},
    {"O_EXCL", "this create takes a file that is there"},
    {"NOREPLACE", "this rename replaces"},
};

/* Nothing is lost without these, and why they are made all the same. */
static const struct {
	const char *site, *why;
} spared[] = {
    {"fdatasync:problem_reserve", "it makes a file system give room now, for the day when there is none; no promise"},
    {"fsync:drop_claim", "only for a link that a power cut took: the start has flushed all else; tried by reorder-weak, scene claimed"},
    {"fsync:fs_sync_dir<fs_publish<mend_request", "each start makes a request again that is not there"},
    {"fdatasync:write_temporary<fs_publish<mend_request", "each start makes a request again that is not whole"},
    {"flock:take<lock_take", "here one daemon serves at a time; two real ones are tried in tests/e2e"},
    {"flock:examine<attempt_examine<check_adopted", "an attempt that seems to be over is examined again, at a place of its own"},
    {"flock:examine<attempt_examine<take_away", "after a power cut, when this is asked, no lock of before is held by anybody"},
    {"fsync:fs_sync_dir<fs_publish<last_commit", "a syncfs or the next commit's flush follows; it takes a failed flush, a kill and a power cut in a row"},
    {"flock:lock<hold_shared", "it keeps creel gc away, which is not simulated"},
    {"flock:append_lines", "O_APPEND keeps whole lines apart; it matters when one is cut short at the same moment"},
    {"O_EXCL:create_file", "what lies there is removed at the start; only after a failure of its own is it met"},
    {"O_EXCL:write_temporary", "the same create as creates-are-not-exclusive, on a way that is seldom taken"},
    {"fsync:fs_sync_dir<set_aside", "the next commit flushes journal/ before anything follows; till then it is set aside again"},
};

bool mutant(const char *name)
{
	if (!W->mutant || strcmp(W->mutant, name) != 0)
		return false;
	W->mutant_used++;
	return true;
}

/* ---- the run ---- */

/* What the seeds that were asked for do not notice gets so many times as many: how often a mutant matters changes with
 * everything else that happens in a world. */
enum { PATIENCE = 6 };

static bool (*run)(uint64_t seed, const char *name);
static uint64_t first, last, most; /* seeds */
static unsigned tried, caught;

static bool is_wanted(const char *name, char **only)
{
	bool any = *only != NULL;

	for (; *only; only++)
		if (strncmp(name, *only, strlen(*only)) == 0)
			return true;
	return !any;
}

/* Why it need not be caught, or NULL. */
static const char *is_spared(const char *name)
{
	size_t k;

	for (k = 0; k < sizeof spared / sizeof *spared; k++)
		if (strncmp(name, spared[k].site, strlen(spared[k].site)) == 0)
			return spared[k].why;
	return NULL;
}

static void tell(const char *name, const char *what, size_t seeds, uint64_t used, uint64_t seed)
{
	if (!W->broken[0] && is_spared(name)) {
		printf("%-62s | %-50s | %3zu | no mutant: %s\n", name, what, seeds, is_spared(name));
		fflush(stdout);
		return;
	}
	tried++;
	if (W->broken[0]) {
		caught++;
		W->broken[strcspn(W->broken, "\n")] = '\0';
		printf("%-62s | %-50s | %3zu | seed %llu: %.150s\n", name, what, seeds, (unsigned long long)seed, W->broken);
	} else {
		printf("%-62s | %-50s | %3zu | MISSED: it lied %llu times\n", name, what, seeds, (unsigned long long)used);
	}
	fflush(stdout);
}

static void try_named(const char *name, const char *what)
{
	uint64_t seed, used = 0;
	bool well = true;

	for (seed = first; well && seed <= most; seed++) {
		well = run(seed, name);
		used += W->mutant_used;
	}
	tell(name, what, (size_t)(seed - first), used, seed - 1);
}

/* The seeds that come across it, and if those were not enough others. */
static void try_site(int k, const char *what)
{
	const struct site *s = site_at(k);
	uint64_t seed = 0, later = last, used = 0;
	bool well = true;
	size_t n;

	for (n = 0; well && (n < s->n || (!is_spared(s->name) && later < most)); n++) {
		seed = n < s->n ? s->seeds[n] : ++later;
		sites_lie(k);
		well = run(seed, s->name);
		sites_note(seed);
		used += W->mutant_used;
	}
	sites_lie(0);
	tell(s->name, what, n, used, seed);
}

static bool wants_sites(char **only)
{
	for (; *only; only++)
		if (strchr(*only, ':'))
			return true;
	return false;
}

static void try_sites(char **only)
{
	size_t c;
	int k;

	for (c = 0; c < sizeof kinds / sizeof *kinds; c++)
		for (k = 1; site_at(k); k++) {
			const char *name = site_at(k)->name;
			size_t n = strlen(kinds[c].call);

			if (strncmp(name, kinds[c].call, n) == 0 && name[n] == ':' && is_wanted(name, only))
				try_site(k, kinds[c].what);
		}
}

int mutants_run(uint64_t from, uint64_t to, char **only, bool (*run_one)(uint64_t seed, const char *name))
{
	uint64_t seed;
	size_t k;

	run = run_one;
	first = from;
	last = to;
	most = from + PATIENCE * (to - from + 1) - 1;
	printf("%-62s | %-50s | %s | what the checker said\n", "mutant", "what it breaks", "tries");
	for (k = 0; k < sizeof mutants / sizeof *mutants; k++)
		if (is_wanted(mutants[k].name, only))
			try_named(mutants[k].name, mutants[k].what);
	if (!*only || wants_sites(only))
		sites_begin();
	for (seed = first; seed <= last && (!*only || wants_sites(only)); seed++) {
		if (!run(seed, NULL)) {
			printf("seed %llu breaks without any mutant: %s\n", (unsigned long long)seed, W->broken);
			return 1;
		}
		sites_note(seed);
	}
	try_sites(only);
	printf("mutants: %u of %u caught\n", caught, tried);
	return caught < tried || tried == 0;
}
