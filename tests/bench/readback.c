/*
 * readback - the floor of a restart: read once what the active executions of a spool are, and do nothing with it.
 *
 *   readback SPOOL
 *
 * Of each execution in active/: plan.json, state.json and every file of journal/.  One line: MICROSECONDS FILES BYTES.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long files, bytes;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "readback: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_file(int dir, const char *name)
{
	static char buf[1 << 16];
	ssize_t n;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(name);
	while ((n = read(fd, buf, sizeof buf)) > 0)
		bytes += n;
	if (n < 0 || close(fd))
		die(name);
	files++;
}

static DIR *open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		die(name);
	return dir;
}

static void read_execution(int active, const char *id)
{
	DIR *execution = open_dir(active, id), *journal = open_dir(dirfd(execution), "journal");
	struct dirent *d;

	read_file(dirfd(execution), "plan.json");
	while ((d = readdir(journal)) != NULL)
		if (d->d_name[0] != '.')
			read_file(dirfd(journal), d->d_name);
	read_file(dirfd(execution), "state.json");
	closedir(journal);
	closedir(execution);
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	struct dirent *d;
	char path[4200];
	DIR *active;

	if (argc != 2) {
		fprintf(stderr, "usage: readback SPOOL\n");
		return 64;
	}
	snprintf(path, sizeof path, "%s/active", argv[1]);
	clock_gettime(CLOCK_MONOTONIC, &from);
	active = open_dir(AT_FDCWD, path);
	while ((d = readdir(active)) != NULL)
		if (d->d_name[0] != '.')
			read_execution(dirfd(active), d->d_name);
	closedir(active);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%lld\t%lld\t%lld\n", (to.tv_sec - from.tv_sec) * 1000000LL + (to.tv_nsec - from.tv_nsec) / 1000, files,
	       bytes);
	return 0;
}
