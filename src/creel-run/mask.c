#include "creel-run/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char stars[] = "***";

void mask_set_init(struct mask_set *set, char **values)
{
	*set = (struct mask_set){.values = values};
	for (; values && values[set->n]; set->n++)
		set->first[(unsigned char)values[set->n][0]] = true;
}

/* Length of the longest secret that begins at p, or 0.  *begun: what is there may yet become one. */
static size_t match(const struct mask_set *set, const char *p, size_t n, bool *begun)
{
	size_t best = 0;

	*begun = false;
	for (size_t k = 0; k < set->n; k++) {
		size_t length = strlen(set->values[k]);

		if (memcmp(set->values[k], p, length < n ? length : n) != 0)
			continue;
		if (length > n)
			*begun = true;
		else if (length > best)
			best = length;
	}
	return best;
}

/* The byte at p was decided about: show it, or count it off. */
static void pass(struct mask *m, char c, struct buf *out)
{
	if (m->covered > 0)
		m->covered--;
	else
		buf_putc(out, c);
}

void mask_feed(struct mask *m, const char *p, size_t n, bool last, struct buf *out)
{
	size_t i, length;
	bool begun;

	if (m->set->n == 0) {
		buf_put(out, p, n);
		return;
	}
	buf_put(&m->held, p, n);
	for (i = 0; i < m->held.len; i++) {
		if (m->set->first[(unsigned char)m->held.p[i]]) {
			length = match(m->set, m->held.p + i, m->held.len - i, &begun);
			if (begun && !last)
				break;
			/* One that begins inside another hides what reaches beyond it. */
			if (length > 0 && m->covered == 0)
				buf_puts(out, stars);
			if (length > m->covered)
				m->covered = length;
			m->hits += length > 0;
		}
		pass(m, m->held.p[i], out);
	}
	memmove(m->held.p, m->held.p + i, m->held.len - i);
	m->held.len -= i;
}

void mask_free(struct mask *m)
{
	buf_free(&m->held);
}

/* ---- files ---- */

static int put_at(int fd, const struct buf *b, off_t at, struct err *e)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = pwrite(fd, b->p + done, b->len - done, at + (off_t)done);

		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot write");
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

/* What is written stays behind what was read. */
static int work_through(struct mask *m, int fd, struct err *e)
{
	static char chunk[65536];
	struct buf out = BUF_INIT;
	off_t from = 0, to = 0;
	ssize_t n;
	int r = 0;

	do {
		n = pread(fd, chunk, sizeof chunk, from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = err_sys(e, errno, "cannot read");
			break;
		}
		from += n;
		buf_reset(&out);
		mask_feed(m, chunk, (size_t)n, n == 0, &out);
		if (m->hits > 0)
			r = put_at(fd, &out, to, e);
		to += (off_t)out.len;
	} while (n != 0 && r == 0);
	if (r == 0 && m->hits > 0 && ftruncate(fd, to) < 0)
		r = err_sys(e, errno, "cannot cut");
	buf_free(&out);
	return r;
}

static int open_file(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	/* The action may have made it read-only; it is the same user's. */
	if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0600, 0) == 0)
		fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? err_sys(e, errno, "cannot open") : fd;
}

static int mask_regular(const struct mask_set *set, int dir, const char *name, const struct stat *st, struct err *e)
{
	struct mask m = {.set = set};
	int fd, r;

	if (st->st_nlink > 1)
		return err_set(e, EMLINK, "it has another name elsewhere");
	if (st->st_size > MASK_FILE_MAX)
		return err_set(e, EFBIG, "it has more than %d bytes", MASK_FILE_MAX);
	fd = open_file(dir, name, e);
	if (fd < 0)
		return -1;
	r = work_through(&m, fd, e);
	mask_free(&m);
	close(fd);
	return r;
}

int mask_file(const struct mask_set *set, int dir, const char *name, struct err *e)
{
	struct stat st;

	/* Other kinds of file hold nothing here, and the daemon refuses them. */
	if (set->n == 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (mask_regular(set, dir, name, &st, e) == 0)
		return 0;
	err_prefix(e, "secrets cannot be masked in the file \"%s\", so it was removed", name);
	unlinkat(dir, name, 0);
	return -1;
}
