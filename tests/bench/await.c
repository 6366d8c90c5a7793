/*
 * await - wait until N executions of a spool have completed, by their state.json; or until a file is there.
 *
 *   await SPOOL N
 *   await FILE
 *
 * Looks every half millisecond for what is not there yet, and at a state.json when the kernel says that there is a new
 * one: whoever is measured must not pay for being looked at.  Exits 1 as soon as one is found that ended otherwise, and
 * after five minutes without any progress.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 5 * 60, NAP_US = 500, EVENT_MS = 100 };

/* A list of paths. */
struct list {
	char **at;
	size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct list *l)
{
	if (l->n)
		qsort(l->at, l->n, sizeof *l->at, by_text);
}

static void add(struct list *l, char *path)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->at = realloc(l->at, l->cap * sizeof *l->at);
		if (!l->at)
			abort();
	}
	l->at[l->n++] = path;
}

/* The names in a directory that do not begin with a dot, with the directory before them. */
static void read_names(struct list *l, const char *dir)
{
	struct dirent *d;
	char *path;
	DIR *stream = opendir(dir);

	if (!stream)
		return;
	while ((d = readdir(stream)) != NULL)
		if (d->d_name[0] != '.') {
			if (asprintf(&path, "%s/%s", dir, d->d_name) < 0)
				abort();
			add(l, path);
		}
	closedir(stream);
}

/* Executions that are not in found yet go to its end, the oldest first.  Called only when all in it have completed. */
static void find(struct list *found, const char *spool)
{
	struct list days = {0}, all = {0};
	size_t i, known = found->n;
	char *root;

	if (asprintf(&root, "%s/executions", spool) < 0)
		abort();
	read_names(&days, root);
	free(root);
	for (i = 0; i < days.n; i++) {
		read_names(&all, days.at[i]);
		free(days.at[i]);
	}
	free(days.at);
	sort(&all);
	sort(found);
	for (i = 0; i < all.n; i++)
		if (!known || !bsearch(&all.at[i], found->at, known, sizeof *found->at, by_text))
			add(found, all.at[i]);
		else
			free(all.at[i]);
	free(all.at);
}

/* 1: completed, 0: not yet, -1: ended otherwise. */
static int look(const char *execution)
{
	char path[8300], text[600], *status;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/state.json", execution);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	status = strstr(text, "\"status\":\""); /* the execution's own comes first */
	if (!status)
		return 0;
	status += strlen("\"status\":\"");
	if (strncmp(status, "completed\"", 10) == 0)
		return 1;
	if (strncmp(status, "failed\"", 7) == 0 || strncmp(status, "cancelled\"", 10) == 0) {
		fprintf(stderr, "await: %s: %.10s\n", path, status);
		return -1;
	}
	return 0;
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* To be told of what is renamed into this directory, and of no other. */
static void watch(int news, const char *execution)
{
	static int watched = -1;

	if (watched >= 0)
		inotify_rm_watch(news, watched);
	watched = inotify_add_watch(news, execution, IN_MOVED_TO);
}

static void wait_for_news(int news)
{
	struct pollfd fd = {news, POLLIN, 0};
	char events[4096];

	if (poll(&fd, 1, EVENT_MS) > 0 && read(news, events, sizeof events) < 0)
		perror("await: inotify");
}

static int await_file(const char *name)
{
	time_t since = now();

	while (access(name, F_OK) != 0) {
		if (now() > since + PATIENCE_S) {
			fprintf(stderr, "await: there is no %s after a long time\n", name);
			return 1;
		}
		usleep(NAP_US);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int got, news = inotify_init1(IN_CLOEXEC);
	struct list found = {0};
	size_t done = 0, want, watched = SIZE_MAX;
	time_t since = now();

	if (argc == 2)
		return await_file(argv[1]);
	if (argc != 3 || atol(argv[2]) < 1) {
		fprintf(stderr, "usage: await SPOOL N\n       await FILE\n");
		return 64;
	}
	want = (size_t)atol(argv[2]);
	while (done < want) {
		if (done == found.n)
			find(&found, argv[1]);
		if (done < found.n && done != watched) {
			watch(news, found.at[done]); /* before it is looked at: no news is missed */
			watched = done;
		}
		got = done < found.n ? look(found.at[done]) : 0;
		if (got < 0)
			return 1;
		if (got > 0) {
			done++;
			since = now();
			continue;
		}
		if (now() > since + PATIENCE_S) {
			fprintf(stderr, "await: %zu of %zu after a long time\n", done, want);
			return 1;
		}
		if (done < found.n)
			wait_for_news(news);
		else
			usleep(NAP_US);
	}
	return 0;
}
