/*
 * finished - fill a spool with executions that ended long ago.
 *
 *   finished EXECUTION N [FIRST]
 *
 * EXECUTION is the directory of one that ended, in its spool.  N others get the same layout beside it, with ids and
 * days of their own, ten thousand a day, the days before the year 2020; FIRST numbers the first of them (default 0).
 * Their files are hard links to those of EXECUTION, renewed by a copy when a file has as many links as it may have:
 * such an execution costs its directories and nothing else.  What is in the files is therefore about EXECUTION; a
 * daemon that starts must not look.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ENTRIES_MAX = 64, A_DAY = 10000 };

/* What an execution consists of: directories before what is in them. */
struct entry {
	char name[256];  /* relative to the execution */
	char from[4400]; /* of a file: where it is linked from; "" for a directory */
};
static struct entry entries[ENTRIES_MAX];
static size_t entries_n;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "finished: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void learn(const char *execution, const char *below)
{
	char path[4400];
	struct dirent *d;
	struct entry *e;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof path, "%.4000s/%.255s", execution, below);
	dir = opendir(path);
	if (!dir)
		die(path);
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (entries_n == ENTRIES_MAX) {
			errno = E2BIG;
			die(execution);
		}
		e = &entries[entries_n++];
		if (snprintf(e->name, sizeof e->name, "%s%s%s", below, *below ? "/" : "", d->d_name) >= (int)sizeof e->name) {
			errno = ENAMETOOLONG;
			die(d->d_name);
		}
		snprintf(path, sizeof path, "%.4000s/%.255s", execution, e->name);
		if (lstat(path, &st))
			die(path);
		if (S_ISDIR(st.st_mode))
			learn(execution, e->name);
		else
			memcpy(e->from, path, sizeof path);
	}
	closedir(dir);
}

static void copy(const char *from, const char *to)
{
	char buf[1 << 16];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, (size_t)n) != n)
			die(to);
	if (n < 0 || close(out) || close(in))
		die(to);
}

static void place(struct entry *e, const char *execution)
{
	char path[4400];

	snprintf(path, sizeof path, "%.4000s/%.255s", execution, e->name);
	if (!*e->from) {
		if (mkdir(path, 0755))
			die(path);
	} else if (link(e->from, path)) {
		if (errno != EMLINK)
			die(path);
		copy(e->from, path);
		memcpy(e->from, path, sizeof path);
	}
}

int main(int argc, char **argv)
{
	char executions[4096], day[4200], execution[4300], date[16];
	unsigned long k, first, n, ms;
	struct tm tm;
	time_t t;
	size_t i;
	char *s;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: finished EXECUTION N [FIRST]\n");
		return 64;
	}
	n = strtoul(argv[2], NULL, 10);
	first = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	learn(argv[1], "");
	if (!realpath(argv[1], executions))
		die(argv[1]);
	for (i = 0; i < 2; i++) { /* up from DAY/ID */
		s = strrchr(executions, '/');
		if (s)
			*s = 0;
	}
	for (k = first; k < first + n; k++) {
		t = 1577836800 - 86400 * (time_t)(k / A_DAY + 1); /* back from 2020-01-01 */
		ms = (unsigned long)t * 1000 + k % A_DAY;
		gmtime_r(&t, &tm);
		strftime(date, sizeof date, "%F", &tm);
		snprintf(day, sizeof day, "%s/%s", executions, date);
		if ((k == first || k % A_DAY == 0) && mkdir(day, 0755) && errno != EEXIST)
			die(day);
		snprintf(execution, sizeof execution, "%s/%08lx-%04lx-7000-8000-%012lx", day, ms >> 16, ms & 0xffff, k);
		if (mkdir(execution, 0755))
			die(execution);
		for (i = 0; i < entries_n; i++)
			place(&entries[i], execution);
	}
	return 0;
}
