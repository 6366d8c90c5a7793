#include "creel/common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "codec/source.h"

static const char config_file[] = "/etc/creel/creeld.yaml";

enum { CONFIG_MAX = 1024 * 1024 };

static void put_message(const char *before, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void put_message(const char *before, const char *fmt, va_list ap)
{
	AUTO_BUF struct buf text = BUF_INIT;
	AUTO_BUF struct buf line = BUF_INIT;

	buf_vprintf(&text, fmt, ap);
	buf_puts(&line, before);
	text_escape(&line, buf_str(&text), text.len);
	buf_putc(&line, '\n');
	fflush(stdout); /* in the order in which things were said */
	fwrite(line.p, 1, line.len, stderr);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_message("creel: ", fmt, ap);
	va_end(ap);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_message("", fmt, ap);
	va_end(ap);
}

/* ---- the spool ---- */

/* `spool` in the daemon's configuration, or NULL. */
static char *configured_spool(void)
{
	AUTO_BUF struct buf text = BUF_INIT;
	struct diags errors = DIAGS_INIT;
	struct source source = {0};
	char *path = NULL;

	if (fs_read(AT_FDCWD, config_file, CONFIG_MAX, &text, NULL) < 0)
		return NULL;
	if (source_parse(SOURCE_YAML, buf_str(&text), text.len, &source_plan_limits, &source, &errors))
		path = xstrdup_opt(json_string_value(json_object_get(source.root, "spool")));
	source_free(&source);
	diags_free(&errors);
	return path;
}

static char *find_spool(const struct cli *c)
{
	const char *env = getenv("CREEL_SPOOL");

	if (c->spool_arg)
		return xstrdup(c->spool_arg);
	if (env && *env)
		return xstrdup(env);
	if (spool_is("spool"))
		return xstrdup("spool");
	return configured_spool();
}

int cli_spool(struct cli *c)
{
	AUTO_FREE char *path = NULL;
	struct stat st;
	int d;

	if (c->opened)
		return 0;
	path = find_spool(c);
	if (!path) {
		complain("no spool: name one with --spool DIR or CREEL_SPOOL=DIR, or make one with \"creel init spool\"");
		return -1;
	}
	for (d = 0; d < SPOOL_DIR_COUNT; d++)
		c->spool.fd[d] = -1;
	c->spool.path = realpath(path, NULL);
	if (!c->spool.path) {
		complain("cannot find the spool %s: %s; make one with \"creel init %s\"", path, strerror(errno), path);
		return -1;
	}
	c->spool.fd[SPOOL_ROOT] = open(c->spool.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->spool.fd[SPOOL_ROOT] < 0 || fstat(c->spool.fd[SPOOL_ROOT], &st) < 0) {
		complain("cannot open the spool %s: %s", path, strerror(errno));
		cli_close(c);
		return -1;
	}
	if (!spool_is(c->spool.path)) {
		complain("%s is not a spool: make one with \"creel init %s\"", path, path);
		cli_close(c);
		return -1;
	}
	c->spool.dev = st.st_dev;
	c->spool.ino = st.st_ino;
	c->opened = true;
	return 0;
}

int cli_spool_if_any(struct cli *c)
{
	AUTO_FREE char *path = c->spool_arg ? NULL : find_spool(c);

	return c->spool_arg || (path && spool_is(path)) ? cli_spool(c) : 0;
}

void cli_close(struct cli *c)
{
	if (c->spool.path)
		spool_close(&c->spool);
	c->opened = false;
}

int cli_open_dir(struct cli *c, enum spool_dir d)
{
	int fd = openat(c->spool.fd[SPOOL_ROOT], spool_dir_name(d), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		complain("cannot open %s/%s: %s", c->spool.path, spool_dir_name(d), strerror(errno));
	return fd;
}

/* ---- the daemon ---- */

static void copy_line(const char *text, const char *key, char *out, size_t n)
{
	const char *at = strstr(text, key);
	size_t k = 0;

	if (at)
		for (at += strlen(key); k + 1 < n && at[k] && at[k] != '\n'; k++)
			out[k] = at[k];
	out[k] = '\0';
}

void daemon_look(struct cli *c, struct daemon_info *out)
{
	char text[512] = "", dev[24], ino[24];
	ssize_t n;
	int fd = openat(c->spool.fd[SPOOL_ROOT], "creeld.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*out = (struct daemon_info){0};
	if (fd < 0) {
		out->unknown = errno != ENOENT;
		return;
	}
	n = pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	copy_line(text, "pid=", out->pid, sizeof out->pid);
	copy_line(text, "version=", out->version, sizeof out->version);
	copy_line(text, "dev=", dev, sizeof dev);
	copy_line(text, "ino=", ino, sizeof ino);
	/* A shared lock, given back at once: a daemon that starts in this moment tries for two seconds. */
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		flock(fd, LOCK_UN);
	else if (errno == EWOULDBLOCK)
		out->runs = true;
	else
		out->unknown = true;
	out->moved = *ino && (strtoull(dev, NULL, 10) != (unsigned long long)c->spool.dev ||
			      strtoull(ino, NULL, 10) != (unsigned long long)c->spool.ino);
	close(fd);
}

bool daemon_or_note(struct cli *c)
{
	struct daemon_info d;

	daemon_look(c, &d);
	if (d.unknown)
		return true;
	if (!d.runs)
		note("no daemon is running on this spool: start one with \"creeld --spool %s\"", c->spool.path);
	return d.runs;
}
