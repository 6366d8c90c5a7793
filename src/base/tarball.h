/*
 * tarball.h - tar archives, compressed by their suffix (.tar.zst, .tar.gz, .tgz, .tar), through libarchive.
 *
 * Writing:  t = tarball_create(dir, name, &e); tarball_add_…; tarball_finish(t, &e)
 *   The archive is .NAME.tmp beside the name until it is whole: written, flushed, read back and compared entry by
 *   entry, renamed (never over another), the directory flushed.  After an error tarball_abort() removes it; what a
 *   kill left the next one of that name replaces.
 *
 * Reading:  t = tarball_open(path, &e); while (tarball_next(t, &entry, &e) > 0) … tarball_read(t, …); tarball_close(t)
 *   Nothing that is read is trusted: paths are as they stand in the archive, sizes are what it claims.
 */
#ifndef CREEL_BASE_TARBALL_H
#define CREEL_BASE_TARBALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"

/* Does the name end as one of these archives does?  Its suffix without the first dot, or NULL. */
const char *tarball_suffix(const char *name);

struct tarball;

struct tarball *tarball_create(int dir, const char *name, struct err *e);
/* To a descriptor that cannot be read back (a pipe); suffix says how it is compressed. */
struct tarball *tarball_to_fd(int fd, const char *suffix, struct err *e);

int tarball_add_dir(struct tarball *t, const char *path, time_t mtime, struct err *e);
int tarball_add_bytes(struct tarball *t, const char *path, const void *p, size_t n, time_t mtime, struct err *e);
/* As many bytes as the file has now: one that grows is cut there, one that shrinks is filled up with NULs.  1 and *e:
 * it could not be read to its end, and is filled up likewise. */
int tarball_add_fd(struct tarball *t, const char *path, int fd, struct err *e);
int tarball_add_link(struct tarball *t, const char *path, const char *target, time_t mtime, struct err *e);
/* 0: it is whole and in place, and t is gone.  -1: nothing is there, and t is gone. */
int tarball_finish(struct tarball *t, struct err *e);
void tarball_abort(struct tarball *t);

enum tarball_kind { TARBALL_FILE, TARBALL_DIR, TARBALL_LINK, TARBALL_OTHER };

struct tarball_entry {
	enum tarball_kind kind;
	const char *path; /* until the next entry */
	uint64_t size;
	time_t mtime;
};

struct tarball *tarball_open(const char *path, struct err *e);
/* 1: an entry; 0: the end; -1: *e. */
int tarball_next(struct tarball *t, struct tarball_entry *out, struct err *e);
/* Up to n bytes of the entry; 0 at its end; -1 and *e. */
ssize_t tarball_read(struct tarball *t, void *p, size_t n, struct err *e);
void tarball_close(struct tarball *t);

#endif
