#include "store/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sha.h"
#include "codec/commit.h"
#include "store/journal.h"
#include "store/member.h"

enum { CHUNK = 128 * 1024 };

/* ---- checking ---- */

static int digest_file(int dir, const char *path, char sum[SHA256_HEX], long long *size, struct err *e)
{
	AUTO_FREE char *chunk = xmalloc(CHUNK);
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct sha_stream *d;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	d = sha_begin();
	for (*size = 0; (n = read(fd, chunk, CHUNK)) > 0 || (n < 0 && errno == EINTR);)
		if (n > 0) {
			sha_add(d, chunk, (size_t)n);
			*size += n;
		}
	if (n < 0)
		err_sys(e, errno, "cannot read %s", path);
	sha_end(d, sum);
	close(fd);
	return n < 0 ? -1 : 0;
}

static int check_one(int dir, const json_t *location, struct err *e)
{
	const char *path = json_string_value(json_object_get(location, "path"));
	const char *checksum = json_string_value(json_object_get(location, "checksum"));
	char sum[SHA256_HEX];
	struct member m = {0};
	long long size = 0;

	if (!location)
		return 0;
	if (!path || !checksum || member_parse_rest(path, &m, e) < 0 ||
	    (m.kind != MEMBER_ATTEMPT && m.kind != MEMBER_EMPTY) || member_is_dir(&m))
		return err_set(e, EBADMSG, "its journal names an output that cannot be");
	if (digest_file(dir, path, sum, &size, e) < 0)
		return -1;
	if (size != json_integer_value(json_object_get(location, "size")) || strcmp(sum, checksum) != 0)
		return err_set(e, EBADMSG, "%s is not the output that its journal speaks of", path);
	return 0;
}

int outputs_check(int dir, const struct exec *x, struct err *e)
{
	uint32_t i;

	for (i = 0; i < x->plan->n; i++)
		if (x->a[i].phase == PH_COMPLETED && check_one(dir, json_object_get(x->a[i].record, "outputLocation"), e) < 0)
			return err_prefix(e, "action \"%s\"", x->plan->actions[i].id);
	return 0;
}

/* ---- loading ---- */

static json_t *parse_checked(const struct buf *bytes, const json_t *location, struct err *e)
{
	const char *checksum = json_string_value(json_object_get(location, "checksum"));
	char sum[SHA256_HEX];
	json_error_t why;
	json_t *output;

	sha256_hex(bytes->p, bytes->len, sum);
	if (!checksum || strcmp(sum, checksum) != 0) {
		err_set(e, EBADMSG, "the file is not the one that the journal speaks of");
		return NULL;
	}
	output = json_loadb(bytes->p, bytes->len, 0, &why);
	if (!output)
		err_set(e, json_error_code(&why) == json_error_out_of_memory ? ENOMEM : EBADMSG, "the file cannot be parsed: %s",
			why.text);
	return output;
}

json_t *outputs_load(const struct spool *s, const struct exec *x, const json_t *data, size_t most, struct err *e)
{
	const json_t *location = json_object_get(data, "outputLocation");
	const char *path = json_string_value(json_object_get(location, "path"));
	json_int_t size = json_integer_value(json_object_get(location, "size"));
	AUTO_BUF struct buf bytes = BUF_INIT;
	char dir[SPOOL_PATH_MAX];
	enum fs_drop taken;
	struct member m = {0};
	struct stat st;
	int fd;

	if (!path || size < 0 || member_parse_rest(path, &m, e) < 0 || m.kind != MEMBER_ATTEMPT) {
		err_set(e, EBADMSG, "its journal names a file that cannot be");
		return NULL;
	}
	if ((unsigned long long)size > most) {
		err_set(e, E2BIG, "they have %lld bytes, and output_cap lets %zu be loaded: see %s", (long long)size, most, path);
		return NULL;
	}
	spool_execution_path(x->id, dir);
	fd = fs_open_dir(s->fd[SPOOL_ROOT], dir, e);
	if (fd < 0)
		return NULL;
	taken = fs_read_dropped(fd, path, (size_t)size, &bytes, &st, e);
	close(fd);
	if (taken == FS_DROP_OK)
		return parse_checked(&bytes, location, e);
	if (taken == FS_DROP_GONE)
		err_set(e, ENODATA, "%s is not there any more", path);
	else if (taken != FS_DROP_FAILED)
		err_set(e, EBADMSG, "%s is not the file that the journal speaks of", path);
	return NULL;
}

/* ---- making them anew ---- */

struct mending {
	const struct spool *s;
	const struct exec *x;
	outputs_told told;
	void *ctx;
};

static bool is_whole(const struct spool *s, const char *path, const char *text, size_t n)
{
	AUTO_BUF struct buf bytes = BUF_INIT;

	return fs_read(s->fd[SPOOL_ROOT], path, n, &bytes, NULL) == 0 && bytes.len == n &&
	       memcmp(buf_str(&bytes), text, n) == 0;
}

static void write_again(struct mending *m, const char *dir, const char *name, const char *text)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct err e = {0};

	if (is_whole(m->s, path, text, strlen(text)))
		return;
	if (fs_mkdir_all(m->s->fd[SPOOL_ROOT], dir, 0755, &e) < 0 ||
	    fs_publish(m->s->fd[SPOOL_ROOT], path, text, strlen(text), 0, &e) < 0)
		m->told(m->ctx, path, &e);
	else
		m->told(m->ctx, path, NULL);
}

static void mend_output(struct mending *m, const struct event *ev)
{
	json_t *output = json_object_get(ev->data, "output");
	const char *where = json_string_value(json_object_get(json_object_get(ev->data, "outputLocation"), "path"));
	char dir[SPOOL_PATH_MAX], file[SPOOL_PATH_MAX];
	AUTO_FREE char *text = NULL;

	if (!output)
		output = json_object_get(ev->data, "partialOutput");
	if (!where || !output || ev->action == NO_ACTION || ev->attempt == 0)
		return; /* one without outputs points to a file that came with the admission */
	spool_attempt_file(m->x->plan->actions[ev->action].id, ev->attempt, "output.json", file);
	if (strcmp(where, file) != 0)
		return;
	spool_attempt_path(m->x->id, m->x->plan->actions[ev->action].id, ev->attempt, dir);
	text = json_dumps(output, JSON_COMPACT);
	write_again(m, dir, "output.json", text);
}

static void mend_commit(void *ctx, const char *text, size_t n, uint32_t seq)
{
	struct mending *m = ctx;
	struct commit c;
	struct err e;
	size_t k;

	(void)seq;
	if (commit_decode(text, n, m->x->plan, &c, NULL, NULL, &e) < 0)
		return; /* it was readable a moment ago; the journal stays the truth */
	for (k = 0; k < c.events.n; k++)
		mend_output(m, &c.events.v[k]);
	events_free(&c.events);
}

int outputs_mend(const struct spool *s, const struct exec *x, uint32_t from, outputs_told told, void *ctx,
		 struct err *e)
{
	struct mending m = {s, x, told, ctx};
	char dir[SPOOL_PATH_MAX];

	spool_execution_path(x->id, dir);
	write_again(&m, dir, "empty.json", "{}");
	return journal_each(s, x->id, x->plan, from, mend_commit, &m, e);
}
