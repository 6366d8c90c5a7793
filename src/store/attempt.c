#include "store/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sha.h"
#include "codec/output.h"
#include "model/error.h"

enum { RESULT_MAX = 64 * 1024, ERROR_MAX = 64 * 1024, TAIL = 800 };

static const struct {
	const char *name;
	enum attempt_outcome outcome;
} outcomes[] = {
    {"exited", ATTEMPT_EXITED},   {"signalled", ATTEMPT_SIGNALLED},           {"timeout", ATTEMPT_TIMEOUT},
    {"terminated", ATTEMPT_TERMINATED}, {"not_executable", ATTEMPT_NOT_EXECUTABLE}, {"failed", ATTEMPT_FAILED},
};

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* ---- outputs and errors ---- */

json_t *attempt_location(const char *path, const char *bytes, size_t n)
{
	char sum[SHA256_HEX];

	sha256_hex(bytes, n, sum);
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:{}}", "provider", "local", "path", path, "size", (json_int_t)n,
			 "checksum", sum, "contentType", "application/json", "metadata");
}

static json_t *output_error(const char *why)
{
	json_t *error = error_new(ERROR_VALIDATION_FAILED, false, "its outputs cannot be used: %s", why);

	error_set_code(error, "output_malformed");
	error_set_suggestion(error, "write key=value lines or one JSON object to the file $CREEL_OUTPUT");
	return error;
}

static json_t *output_too_large(const char *why)
{
	json_t *error = output_error(why);

	error_set_suggestion(error, "let it leave a file and put out its path, or raise output_cap");
	return error;
}

/* What is too large for a commit is written and flushed before it: see creeld/turn.c. */
static void publish_output(int dir, const char *action, uint32_t attempt, size_t cap, struct attempt_report *out)
{
	AUTO_FREE char *bytes = json_dumps(out->output, JSON_COMPACT);
	char path[SPOOL_PATH_MAX];
	struct err e;

	out->bytes = strlen(bytes);
	if (out->bytes > cap && !out->error) {
		err_set(&e, EFBIG, "$CREEL_OUTPUT comes to %zu bytes of JSON, and output_cap lets it have %zu", out->bytes, cap);
		out->error = output_too_large(e.text);
	}
	if (out->bytes > cap) {
		json_decref(out->output);
		out->output = NULL;
		out->bytes = 0;
	}
	if (!out->output || out->bytes > OUTPUT_MAX)
		return;
	spool_attempt_file(action, attempt, "output.json", path);
	if (fs_publish(dir, "output.json", bytes, out->bytes, FS_ASIDE, &e) < 0) {
		/* The commit holds the outputs; only the convenience is missing. */
		json_object_set_new(out->more, "outputProblem", json_string(e.text));
		return;
	}
	json_object_set_new(out->more, "outputLocation", attempt_location(path, bytes, out->bytes));
}

/* -1 and *trouble: it cannot be read now. */
static int read_output(int dir, const char *action, uint32_t attempt, size_t cap, struct attempt_report *out,
		       struct err *trouble)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	struct err e = {0};
	struct stat st;
	enum fs_drop taken = fs_read_dropped(dir, "output", cap, &bytes, &st, &e);

	if (taken == FS_DROP_FAILED && err_is_passing(e.code)) {
		*trouble = e;
		return -1;
	}
	if (taken != FS_DROP_OK) {
		if (!e.text[0])
			err_set(&e, EFBIG, "$CREEL_OUTPUT is no regular file of at most %zu bytes (output_cap)", cap);
		if (!out->error)
			out->error = taken == FS_DROP_TOO_BIG ? output_too_large(e.text) : output_error(e.text);
		return 0;
	}
	out->output = output_parse(buf_str(&bytes), bytes.len, &e);
	if (!out->output && !out->error)
		out->error = output_error(e.text);
	if (out->output && json_object_size(out->output) > 0)
		publish_output(dir, action, attempt, cap, out);
	return 0;
}

/* What the action says its error is (schema error-detail): only what fits is taken over. */
static json_t *own_error(const char *bytes, size_t n)
{
	json_t *o = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, NULL), *error, *context, *v;
	const char *category = text(o, "category"), *message = text(o, "message"), *key;
	int c = category ? error_category_parse(category) : -1;

	if (c < 0 || !message) {
		json_decref(o);
		return NULL;
	}
	error = error_new((enum error_category)c, !json_is_false(json_object_get(o, "retryable")), "%s", message);
	if (text(o, "code"))
		error_set_code(error, text(o, "code"));
	if (text(o, "suggestion"))
		error_set_suggestion(error, text(o, "suggestion"));
	if (json_is_integer(json_object_get(o, "statusCode")))
		json_object_set(error, "statusCode", json_object_get(o, "statusCode"));
	if (text(o, "retryAfter"))
		json_object_set(error, "retryAfter", json_object_get(o, "retryAfter"));
	context = json_object_get(o, "context");
	json_object_foreach(context, key, v)
		if (json_is_string(v))
			error_set_context(error, key, json_string_value(v));
	json_decref(o);
	return error;
}

static int read_error(int dir, struct attempt_report *out, struct err *trouble)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	struct err e = {0};
	struct stat st;
	enum fs_drop taken = fs_read_dropped(dir, "error", ERROR_MAX, &bytes, &st, &e);

	if (taken == FS_DROP_FAILED && err_is_passing(e.code)) {
		*trouble = e;
		return -1;
	}
	if (taken == FS_DROP_OK)
		out->error = own_error(buf_str(&bytes), bytes.len);
	if (!out->error)
		json_object_set_new(out->more, "errorProblem",
				    json_string("$CREEL_ERROR is not an error detail: category and message are needed"));
	return 0;
}

/* The end of what it wrote to stderr says most often why it failed. */
static char *stderr_tail(int dir)
{
	int fd = openat(dir, "stderr", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	AUTO_BUF struct buf shown = BUF_INIT;
	char bytes[TAIL];
	struct stat st;
	ssize_t n;
	char *start = bytes, *newline;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return NULL;
	}
	n = pread(fd, bytes, sizeof bytes, st.st_size > TAIL ? st.st_size - TAIL : 0);
	close(fd);
	if (n <= 0)
		return NULL;
	if (st.st_size > TAIL && (newline = memchr(bytes, '\n', (size_t)n)))
		start = newline + 1;
	while (n > 0 && bytes[n - 1] == '\n')
		n--;
	if (start >= bytes + n)
		return NULL;
	buf_json_string(&shown, start, (size_t)(bytes + n - start)); /* makes it UTF-8 */
	return buf_steal(&shown);
}

/* ---- the result ---- */

static int parse(const json_t *root, const char *id, const char *action, uint32_t attempt, const char *token,
		 struct attempt_report *out, struct err *e)
{
	const char *outcome = text(root, "outcome"), *started = text(root, "startedAt");
	const char *finished = text(root, "finishedAt"), *given = text(root, "token");
	struct attempt_result *r = &out->result;
	size_t k, n = sizeof outcomes / sizeof *outcomes;

	if (!given || strcmp(given, token) != 0)
		return err_set(e, EBADMSG, "its token is not the attempt's");
	if (!text(root, "execution") || strcmp(text(root, "execution"), id) != 0 || !text(root, "action") ||
	    strcmp(text(root, "action"), action) != 0 ||
	    json_integer_value(json_object_get(root, "attempt")) != (json_int_t)attempt)
		return err_set(e, EBADMSG, "it is another attempt's");
	for (k = 0; k < n; k++)
		if (outcome && strcmp(outcomes[k].name, outcome) == 0)
			break;
	if (k == n)
		return err_set(e, EBADMSG, "it has no valid \"outcome\"");
	if (!started || !finished || !clock_parse(started, &r->started) || !clock_parse(finished, &r->finished))
		return err_set(e, EBADMSG, "it has no valid times");
	r->outcome = outcomes[k].outcome;
	if (r->outcome == ATTEMPT_EXITED && !json_is_integer(json_object_get(root, "exitCode")))
		return err_set(e, EBADMSG, "it has no exit code");
	r->status = (int)json_integer_value(
	    json_object_get(root, r->outcome == ATTEMPT_SIGNALLED ? "signal" : "exitCode"));
	out->reason = xstrdup_opt(text(root, "reason"));
	return 0;
}

/* The outputs are as long as the supervisor left them.  Neither they nor the result were flushed: of the two, a power cut
 * may have taken one. */
static int check_output(int dir, const json_t *root, struct err *e)
{
	const json_t *size = json_object_get(json_object_get(root, "output"), "size");
	struct stat st = {0};

	if (!json_object_get(root, "output") || json_is_true(json_object_get(json_object_get(root, "output"), "irregular")))
		return 0; /* what is no file is refused when it is read */
	if (!json_is_integer(size))
		return err_set(e, EBADMSG, "it does not say how long its outputs are");
	if (fstatat(dir, "output", &st, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot look at output");
	if ((json_int_t)st.st_size != json_integer_value(size))
		return err_set(e, EBADMSG, "its outputs have %lld bytes, and it was left with %lld", (long long)st.st_size,
			       (long long)json_integer_value(size));
	return 0;
}

static void copy_facts(const json_t *root, json_t *more)
{
	static const char *const facts[] = {"stdout", "stderr", "killed", "resources"};
	size_t k;

	for (k = 0; k < sizeof facts / sizeof *facts; k++) {
		json_t *v = json_object_get(root, facts[k]);

		if (v && !(json_is_integer(v) && json_integer_value(v) == 0))
			json_object_set(more, facts[k], v);
	}
}

static void add_stderr(int dir, struct attempt_report *out)
{
	AUTO_FREE char *tail = stderr_tail(dir);
	json_t *value = tail ? json_loads(tail, JSON_DECODE_ANY, NULL) : NULL;

	if (value)
		json_object_set_new(out->more, "stderrTail", value);
}

static int fill(int dir, const json_t *root, const char *action, uint32_t attempt, size_t cap, struct attempt_report *out,
		struct err *trouble)
{
	bool success = out->result.outcome == ATTEMPT_EXITED && out->result.status == 0;
	char empty[SPOOL_PATH_MAX] = "empty.json";

	out->more = json_object();
	copy_facts(root, out->more);
	if (!success && json_is_true(json_object_get(root, "error")) && read_error(dir, out, trouble) < 0)
		return -1;
	if (json_object_get(root, "output") && read_output(dir, action, attempt, cap, out, trouble) < 0)
		return -1;
	if (success && !out->error && !json_object_get(out->more, "outputLocation") && out->bytes <= OUTPUT_MAX)
		json_object_set_new(out->more, "outputLocation", attempt_location(empty, "{}", 2));
	if ((!success || out->error) && json_object_get(root, "stderr"))
		add_stderr(dir, out);
	out->result.reason = out->reason;
	out->result.error = out->error;
	out->result.output = out->output;
	out->result.more = out->more;
	return 0;
}

enum attempt_read attempt_read(const struct spool *s, const char *id, const char *action, uint32_t attempt,
			       const char *token, size_t output_cap, struct attempt_report *out, struct err *e)
{
	AUTO_BUF struct buf bytes = BUF_INIT;
	char path[SPOOL_PATH_MAX];
	enum fs_drop taken;
	struct stat st;
	json_t *root;
	int dir, r;

	*out = (struct attempt_report){0};
	spool_attempt_path(id, action, attempt, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return err_is_passing(e->code) ? ATTEMPT_READ_LATER : ATTEMPT_READ_NONE;
	/* An adopted supervisor links its result into results/: two links are as good as one here. */
	taken = fs_read_dropped(dir, "result.json", RESULT_MAX, &bytes, &st, e);
	if (taken == FS_DROP_LINKS)
		taken = fs_read(dir, "result.json", RESULT_MAX, &bytes, e) == 0 ? FS_DROP_OK : FS_DROP_FAILED;
	if (taken != FS_DROP_OK) {
		close(dir);
		if (taken == FS_DROP_GONE)
			return ATTEMPT_READ_NONE;
		if (taken == FS_DROP_FAILED && err_is_passing(e->code))
			return ATTEMPT_READ_LATER;
		if (!e->text[0])
			err_set(e, EBADMSG, "result.json is no regular file of at most %d bytes", RESULT_MAX);
		return ATTEMPT_READ_BAD;
	}
	root = json_loadb(buf_str(&bytes), bytes.len, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		err_set(e, EBADMSG, "result.json is not JSON");
	if (!root || parse(root, id, action, attempt, token, out, e) < 0) {
		json_decref(root);
		close(dir);
		attempt_report_free(out);
		return ATTEMPT_READ_BAD;
	}
	r = check_output(dir, root, e);
	if (r == 0)
		r = fill(dir, root, action, attempt, output_cap, out, e);
	json_decref(root);
	close(dir);
	if (r == 0)
		return ATTEMPT_READ_OK;
	attempt_report_free(out);
	return err_is_passing(e->code) ? ATTEMPT_READ_LATER : ATTEMPT_READ_BAD;
}

void attempt_report_free(struct attempt_report *r)
{
	free(r->reason);
	json_decref(r->error);
	json_decref(r->output);
	json_decref(r->more);
	*r = (struct attempt_report){0};
}

/* ---- the lock ---- */

/* Whoever runs as we do may have written it: what cannot be, or is our own session, is nobody to be ended.  In a copy
 * of the spool the file is another one than the line says, and the pid is somebody else's. */
static void parse_process(const char *line, const struct stat *lock, struct attempt_process *p)
{
	unsigned long long dev, ino;
	int pid, sid;
	bool whole = sscanf(line, "pid=%d sid=%d start=%llu boot=%39s dev=%llu ino=%llu", &pid, &sid, &p->start, p->boot, &dev,
			    &ino) == 6;
	bool here = whole && dev == (unsigned long long)lock->st_dev && ino == (unsigned long long)lock->st_ino;

	p->known = here && pid > 1 && sid == pid && sid != getsid(0);
	p->elsewhere = whole ? !here : strcmp(line, "imported\n") == 0;
	if (p->known) {
		p->pid = pid;
		p->sid = sid;
	}
}

/* *n: the length of what it says. */
static int read_process(int fd, struct attempt_process *p, ssize_t *n, struct err *e)
{
	char line[256] = "";
	struct stat st;

	*n = pread(fd, line, sizeof line - 1, 0);
	if (*n < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read lock");
	if (*n > 0)
		parse_process(line, &st, p);
	return 0;
}

/* The lock is ours: nobody can publish now, and with `void` nobody will start. */
static enum attempt_lock examine_free(int dir, int fd, struct attempt_process *p, struct err *e)
{
	int there, made;
	ssize_t n;

	/* Look again at what may have come before we had it. */
	there = fs_there(dir, "result.json", e);
	if (there != 0)
		return there > 0 ? ATTEMPT_LOCK_RESULT : ATTEMPT_LOCK_HELD;
	made = openat(dir, "void", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (made < 0)
		err_sys(e, errno, "cannot make void");
	else
		close(made);
	if (made < 0 && err_is_passing(e->code))
		return ATTEMPT_LOCK_HELD;
	if (read_process(fd, p, &n, e) < 0)
		return err_is_passing(e->code) ? ATTEMPT_LOCK_HELD : ATTEMPT_LOCK_LOST;
	return n == 0 ? ATTEMPT_LOCK_UNUSED : ATTEMPT_LOCK_LOST;
}

static enum attempt_lock examine(int dir, struct attempt_process *p, struct err *e)
{
	int fd, there = fs_there(dir, "result.json", e);
	enum attempt_lock r = ATTEMPT_LOCK_HELD;
	ssize_t n;

	if (there != 0)
		return there > 0 ? ATTEMPT_LOCK_RESULT : ATTEMPT_LOCK_HELD;
	fd = openat(dir, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT) {
		p->made = true;
		fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	}
	if (fd < 0) {
		err_sys(e, errno, "cannot open lock");
		return err_is_passing(e->code) ? ATTEMPT_LOCK_HELD : ATTEMPT_LOCK_LOST;
	}
	if (read_process(fd, p, &n, e) < 0) /* what somebody put in its place is no lock, and holds nobody off */
		r = err_is_passing(e->code) ? ATTEMPT_LOCK_HELD : ATTEMPT_LOCK_LOST;
	else if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		r = examine_free(dir, fd, p, e);
	else if (errno != EWOULDBLOCK)
		err_sys(e, errno, "cannot lock the attempt");
	close(fd);
	return r;
}

static int open_attempt(const struct spool *s, const char *path, struct err *e)
{
	if (fs_mkdir_all(s->fd[SPOOL_ROOT], path, 0755, e) < 0)
		return -1;
	return fs_open_dir(s->fd[SPOOL_ROOT], path, e);
}

enum attempt_lock attempt_examine(const struct spool *s, const char *id, const char *action, uint32_t attempt,
				  struct attempt_process *p, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	enum attempt_lock r;
	int dir;

	*p = (struct attempt_process){0};
	*e = (struct err){0};
	spool_attempt_path(id, action, attempt, path);
	dir = open_attempt(s, path, e);
	if (dir < 0)
		return err_is_passing(e->code) ? ATTEMPT_LOCK_HELD : ATTEMPT_LOCK_LOST;
	r = examine(dir, p, e);
	close(dir);
	return r;
}

int attempt_reset(const struct spool *s, const char *id, const char *action, uint32_t attempt, struct err *e)
{
	char path[SPOOL_PATH_MAX];
	int dir;

	spool_attempt_path(id, action, attempt, path);
	dir = fs_open_dir(s->fd[SPOOL_ROOT], path, e);
	if (dir < 0)
		return -1;
	/* The lock first: a late supervisor that still sees `void` leaves, and one that does not may run it. */
	if ((unlinkat(dir, "lock", 0) < 0 && errno != ENOENT) || (unlinkat(dir, "void", 0) < 0 && errno != ENOENT)) {
		err_sys(e, errno, "cannot reset attempt %u of \"%s\"", attempt, action);
		close(dir);
		return -1;
	}
	close(dir);
	return 0;
}
