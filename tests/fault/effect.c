/*
 * effect - an action whose effect can be counted from outside of the spool.
 *
 *	effect FILE [WORD…]
 *
 * It appends to FILE, one write and one flush each,
 *
 *	EXECUTION ACTION ATTEMPT begin WORD…
 *	EXECUTION ACTION ATTEMPT end STATUS
 *
 * and does between the two what its words say: `first:N`: the first attempt ends with status N; `exit:N`: every
 * attempt does; `slow:MS`: it takes so long; `forever`: it waits until it is ended, and writes no end; `out:TEXT`:
 * TEXT goes to $CREEL_OUTPUT.  Other words are recorded only: values that were handed to it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "?";
}

static void append(const char *file, const char *line, size_t n)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, line, n) != (ssize_t)n || fsync(fd) < 0) {
		perror(file);
		_exit(70);
	}
	close(fd);
}

static int put_output(const char *text)
{
	int fd = open(env("CREEL_OUTPUT"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0 || dprintf(fd, "%s\n", text) < 0 || close(fd) < 0)
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	char line[1024];
	int n, k, status = 0, forever = 0;

	if (argc < 2)
		return 64;
	n = snprintf(line, sizeof line, "%s %s %s begin", env("CREEL_EXECUTION_ID"), env("CREEL_ACTION_ID"),
		     env("CREEL_ATTEMPT"));
	for (k = 2; k < argc && n < (int)sizeof line - 2; k++)
		n += snprintf(line + n, sizeof line - (size_t)n - 1, " %s", argv[k]);
	line[n++] = '\n';
	append(argv[1], line, (size_t)n);
	for (k = 2; k < argc; k++) {
		if (strcmp(argv[k], "forever") == 0)
			forever = 1;
		else if (strncmp(argv[k], "slow:", 5) == 0)
			usleep(1000u * (unsigned)atoi(argv[k] + 5));
		else if (strncmp(argv[k], "exit:", 5) == 0)
			status = atoi(argv[k] + 5);
		else if (strncmp(argv[k], "first:", 6) == 0 && strcmp(env("CREEL_ATTEMPT"), "1") == 0)
			status = atoi(argv[k] + 6);
		else if (strncmp(argv[k], "out:", 4) == 0 && put_output(argv[k] + 4) < 0)
			status = 70;
	}
	while (forever)
		pause();
	n = snprintf(line, sizeof line, "%s %s %s end %d\n", env("CREEL_EXECUTION_ID"), env("CREEL_ACTION_ID"),
		     env("CREEL_ATTEMPT"), status);
	append(argv[1], line, (size_t)n);
	return status;
}
