/*
 * Runs a fuzz target over files, without libFuzzer: TARGET FILE|DIRECTORY…
 *
 * Every input that ever showed something is kept in the target's corpus, so this is its regression test.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 16 << 20, SECONDS_MAX = 60 };

static char running[4096];
static unsigned long inputs;

/* Which input it was, for whoever sees the end of the process. */
static void say_which(int sig)
{
	if (write(STDERR_FILENO, running, strlen(running)) < 0 || write(STDERR_FILENO, "\n", 1) < 0) {
		/* nobody is left to tell */
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static int run_file(int dir, const char *name, const char *shown)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	uint8_t *exact;
	struct err e;

	if (fs_read(dir, name, INPUT_MAX, &bytes, &e) < 0) {
		fprintf(stderr, "%s: %s\n", shown, e.text);
		return -1;
	}
	snprintf(running, sizeof running, "this was the input: %s", shown);
	/* A copy of exactly that size: a sanitizer sees the first byte read beyond it. */
	exact = malloc(bytes.len ? bytes.len : 1);
	if (!exact)
		return -1;
	memcpy(exact, buf_str(&bytes), bytes.len);
	alarm(SECONDS_MAX);
	LLVMFuzzerTestOneInput(exact, bytes.len);
	alarm(0);
	free(exact);
	inputs++;
	return 0;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int run_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n, k, r = 0;
	struct dirent **list;

	if (fd < 0 || (n = scandirat(fd, ".", &list, visible, alphasort)) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	for (k = 0; k < n; k++) {
		AUTO_FREE char *shown = xasprintf("%s/%s", path, list[k]->d_name);

		r |= run_file(fd, list[k]->d_name, shown);
		free(list[k]);
	}
	free(list);
	close(fd);
	return r;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	int k, r = 0;

	signal(SIGABRT, say_which);
	signal(SIGALRM, say_which);
	signal(SIGSEGV, say_which);
	for (k = 1; k < argc; k++) {
		struct stat st;

		if (stat(argv[k], &st) == 0 && S_ISDIR(st.st_mode))
			r |= run_directory(argv[k]);
		else
			r |= run_file(AT_FDCWD, argv[k], argv[k]);
	}
	printf("fuzz corpus %s: %lu inputs\n", name ? name + 1 : argv[0], inputs);
	return r ? 1 : 0;
}
