/*
 * first - say when the first instruction of an action ran, by the monotonic clock.
 *
 *   first FILE		writes NANOSECONDS to FILE
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec t;
	char text[32];
	int fd, n;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (argc != 2)
		return 64;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	n = snprintf(text, sizeof text, "%lld\n", t.tv_sec * 1000000000LL + t.tv_nsec);
	return fd < 0 || write(fd, text, (size_t)n) != n || close(fd) ? 1 : 0;
}
