#include "actions/http/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

void body_init(struct body *b, int dir, const char *name, const struct body_limits *limits, const struct redact *secrets)
{
	*b = (struct body){.limits = *limits, .dir = dir, .name = name, .secrets = {.secrets = secrets}, .fd = -1};
}

/* Hidden on the way: the file is a record. */
static int store(struct body *b, const char *p, size_t n, bool last, struct err *e)
{
	AUTO_BUF struct buf shown = BUF_INIT;

	redact_feed(&b->secrets, p, n, last, &shown);
	if (fs_write_all(b->fd, buf_str(&shown), shown.len, e) < 0)
		return err_prefix(e, "%s", b->name);
	sha_add(b->sha, buf_str(&shown), shown.len);
	b->stored += shown.len;
	return 0;
}

static int open_file(struct body *b, struct err *e)
{
	/* Its name says that it is not whole, until body_keep(). */
	b->part = xasprintf("%s.part", b->name);
	b->fd = openat(b->dir, b->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (b->fd < 0)
		return err_sys(e, errno, "cannot create %s", b->part);
	b->sha = sha_begin();
	return store(b, buf_str(&b->head), b->head.len, false, e);
}

bool body_whole(const struct body *b)
{
	return b->size == b->head.len;
}

int body_take(struct body *b, const char *p, size_t n, struct err *e)
{
	size_t room = b->head.len < b->limits.memory ? (size_t)b->limits.memory - b->head.len : 0;

	if (n > b->limits.most - b->size)
		return err_set(e, EFBIG, "the body has more than the %llu bytes that are allowed",
			       (unsigned long long)b->limits.most);
	if (b->fd < 0 && n > room && b->limits.spill && open_file(b, e) < 0)
		return -1;
	if (b->fd >= 0 && store(b, p, n, false, e) < 0)
		return -1;
	if (body_whole(b))
		buf_put(&b->head, p, n < room ? n : room);
	b->size += n;
	return 0;
}

int body_keep(struct body *b, struct err *e)
{
	int r = b->fd < 0 ? open_file(b, e) : 0;

	if (r == 0)
		r = store(b, "", 0, true, e);
	if (b->fd >= 0 && close(b->fd) < 0 && r == 0)
		r = err_sys(e, errno, "cannot write %s", b->name);
	b->fd = -1;
	if (b->sha)
		sha_end(b->sha, b->sum);
	b->sha = NULL;
	if (r == 0 && renameat(b->dir, b->part, b->dir, b->name) < 0)
		r = err_sys(e, errno, "cannot rename %s into place", b->name);
	return r;
}

json_t *body_location(const struct body *b, const char *path, const char *content_type, json_t *metadata)
{
	if (b->secrets.hits > 0) {
		char text[24];

		snprintf(text, sizeof text, "%zu", b->secrets.hits);
		json_object_set_new(metadata, "hiddenSecrets", json_string(text));
	}
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:o}", "provider", "local", "path", path, "size", (json_int_t)b->stored,
			 "checksum", b->sum, "contentType", content_type, "metadata", metadata);
}

void body_free(struct body *b)
{
	char sum[SHA256_HEX];

	if (b->fd >= 0)
		close(b->fd);
	if (b->sha)
		sha_end(b->sha, sum);
	redact_stream_free(&b->secrets);
	buf_free(&b->head);
	free(b->part);
	b->part = NULL;
	b->fd = -1;
	b->sha = NULL;
}

void body_discard(struct body *b)
{
	if (b->part && unlinkat(b->dir, b->part, 0) < 0)
		unlinkat(b->dir, b->name, 0);
	body_free(b);
}
