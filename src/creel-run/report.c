#include "creel-run/report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_EXITED] = "exited",
    [OUTCOME_SIGNALLED] = "signalled",
    [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_TERMINATED] = "terminated",
    [OUTCOME_NOT_EXECUTABLE] = "not_executable",
    [OUTCOME_FAILED] = "failed",
};

static void put_text(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, ",\"%s\":", key);
	buf_json_string(b, value, strlen(value));
}

static void put_time(struct buf *b, const char *key, msec wall)
{
	char text[CLOCK_TEXT];

	clock_format(wall, text);
	put_text(b, key, text);
}

static void put_stream(struct buf *b, const struct capture *c)
{
	if (c->size == 0)
		return;
	buf_printf(b, ",\"%s\":{\"size\":%llu,\"stored\":%llu,\"truncated\":%s", c->name, (unsigned long long)c->size,
		   (unsigned long long)c->stored, capture_truncated(c) ? "true" : "false");
	if (c->problem.code)
		put_text(b, "problem", c->problem.text);
	buf_putc(b, '}');
}

void report_free(struct result *r)
{
	buf_free(&r->reason);
	capture_close(&r->out);
	capture_close(&r->err);
}

enum { NONE = -1, UNKNOWN = -2, NO_FILE = -3 };

/* The size of a file that the action made; NO_FILE: something else has its name. */
static long long size_of(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NONE : UNKNOWN;
	return S_ISREG(st.st_mode) ? (long long)st.st_size : NO_FILE;
}

void report_write(const struct result *r, const struct spec *s, int dir, struct buf *b)
{
	long long output = size_of(dir, "output"), error = size_of(dir, "error");
	/* Outputs that cannot be seen now are not outputs that were never made. */
	bool unknown = output == UNKNOWN || error == UNKNOWN;

	buf_reserve(b, 800);
	buf_puts(b, "{\"execution\":");
	buf_json_string(b, s->execution, strlen(s->execution));
	put_text(b, "action", s->action);
	buf_printf(b, ",\"attempt\":%llu", (unsigned long long)s->attempt);
	put_text(b, "token", s->token);
	put_text(b, "outcome", outcome_names[unknown ? OUTCOME_FAILED : r->outcome]);
	if (r->started && WIFEXITED(r->status))
		buf_printf(b, ",\"exitCode\":%d", WEXITSTATUS(r->status));
	else if (r->started && WIFSIGNALED(r->status))
		buf_printf(b, ",\"signal\":%d", WTERMSIG(r->status));
	if (unknown)
		put_text(b, "reason", "it cannot be told what the action left");
	else if (r->reason.len)
		put_text(b, "reason", r->reason.p);
	put_time(b, "startedAt", r->started_wall);
	put_time(b, "finishedAt", r->finished_wall);
	buf_printf(b, ",\"durationMs\":%lld", (long long)r->duration);
	put_stream(b, &r->out);
	put_stream(b, &r->err);
	if (output >= 0)
		buf_printf(b, ",\"output\":{\"size\":%lld}", output);
	if (output == NO_FILE) /* which the daemon refuses: outputs were meant, and are not to be passed over */
		buf_puts(b, ",\"output\":{\"size\":0,\"irregular\":true}");
	if (error >= 0)
		buf_puts(b, ",\"error\":true");
	buf_printf(b, ",\"killed\":%zu", r->killed);
	buf_printf(b, ",\"resources\":{\"userMs\":%lld,\"systemMs\":%lld,\"maxRssKiB\":%ld}", r->user_us / 1000,
		   r->system_us / 1000, r->max_rss);
	buf_puts(b, "}\n");
}

int report_publish(const struct buf *text, int dir, struct err *e)
{
	/* The action may have put anything in its place. */
	return fs_publish(dir, "result.json", text->p, text->len, FS_ASIDE, e);
}

/* A daemon that dies after it was asked for here has a successor that finds the result by looking; one that died
 * before has none that would notice our end. */
int report_announce(const struct spec *s, int dir, struct err *e)
{
	AUTO_FREE char *path = NULL;

	if (!s->link || getppid() == (pid_t)s->parent)
		return 0;
	path = xasprintf("%s/%s", s->results, s->link);
	if (linkat(dir, "result.json", AT_FDCWD, path, 0) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot link result.json to %s", path);
	return 0;
}
