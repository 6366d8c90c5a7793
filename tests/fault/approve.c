/*
 * approve - the person who says yes at once.
 *
 *	approve CONFIRM ACKS
 *
 * Whenever a request appears in the directory CONFIRM, it is written down in the file ACKS, outside of the spool, and the
 * decision ID.ACTION.approve is dropped beside it.  Runs until it is killed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static const char end[] = ".request.json";

static void decide(int dir, int acks, const char *name)
{
	size_t n = strlen(name), k = sizeof end - 1;
	char decision[300];
	int fd;

	if (n <= k || n > 250 || strcmp(name + n - k, end) != 0)
		return;
	dprintf(acks, "request %.*s\n", (int)(n - k), name);
	snprintf(decision, sizeof decision, "%.*s.approve", (int)(n - k), name);
	fd = openat(dir, decision, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

static void look(const char *path, int dir, int acks)
{
	DIR *handle = opendir(path);
	struct dirent *entry;

	while (handle && (entry = readdir(handle)))
		decide(dir, acks, entry->d_name);
	if (handle)
		closedir(handle);
}

int main(int argc, char **argv)
{
	char news[4096];
	int watch, dir, acks;

	if (argc != 3)
		return 64;
	watch = inotify_init1(IN_CLOEXEC);
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	acks = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (watch < 0 || dir < 0 || acks < 0 || inotify_add_watch(watch, argv[1], IN_MOVED_TO) < 0) {
		perror(argv[1]);
		return 1;
	}
	look(argv[1], dir, acks);
	while (read(watch, news, sizeof news) > 0 || errno == EINTR)
		look(argv[1], dir, acks);
	return 0;
}
