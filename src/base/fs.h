/*
 * fs.h - files: reading under a cap, writing durably, opening what strangers dropped.
 *
 * Directory arguments are descriptors (AT_FDCWD works), names are relative to them.  Everything retries EINTR
 * and short writes.  Errors come back in *e with the name in them.
 */
#ifndef CREEL_BASE_FS_H
#define CREEL_BASE_FS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

struct buf;

/* Write all n bytes to fd.  0 or -1. */
int fs_write_all(int fd, const void *p, size_t n, struct err *e);

/* Append what is left to read from fd to b, at most max bytes.  More than that is EFBIG. */
int fs_read_fd(int fd, const char *name, size_t max, struct buf *b, struct err *e);
/* The same for a file of our own. */
int fs_read(int dir, const char *name, size_t max, struct buf *b, struct err *e);

enum fs_write_flags {
	FS_SYNC = 1,      /* flush the file before the rename and the directory after it */
	FS_READ_ONLY = 2, /* mode 0444 instead of 0644 */
	FS_NEW = 4,       /* refuse to replace: EEXIST */
	FS_ASIDE = 8      /* others may drop here: a directory in the way is moved aside under a dotted name */
};

/* Publish n bytes as dir/name: write an exclusive temporary beside it (".name.tmp"), check every step, rename.
 * On failure nothing is left behind and an old file stays as it was. */
int fs_publish(int dir, const char *name, const void *p, size_t n, unsigned flags, struct err *e);

/* Rename, but never replace: EEXIST. */
int fs_rename_new(int from_dir, const char *from, int to_dir, const char *to, struct err *e);

/* Flush the directory itself, so that names made or renamed in it survive a power cut. */
int fs_sync_dir(int dir, const char *name, struct err *e);

/* mkdir that does not mind the directory being there already (as a directory). */
int fs_mkdir(int dir, const char *name, mode_t mode, struct err *e);
/* Every missing directory of path. */
int fs_mkdir_all(int dir, const char *path, mode_t mode, struct err *e);
/* The same where others may write: what is in the way and no directory (a link neither) goes aside under a dotted name. */
int fs_mkdir_all_aside(int dir, const char *path, mode_t mode, struct err *e);

/* A hint to ext4: what is made in this directory is a tree of its own (chattr +T), so its directories get block groups of
 * their own.  In a group where much was removed lately making a file costs many times as much.  Other file systems do not
 * know it, and nothing depends on it. */
void fs_spread(int dir);

/* Open a directory below dir, following no links.  A descriptor or -1. */
int fs_open_dir(int dir, const char *name, struct err *e);

/* Remove name below dir with everything in it, without following links or crossing file systems. */
int fs_remove_tree(int dir, const char *name, struct err *e);

bool fs_exists(int dir, const char *name);
/* The same where the answer decides something: 1 there is such a name (a link is not followed), 0 there is none, -1 it
 * cannot be told, and *e says why. */
int fs_there(int dir, const char *name, struct err *e);

/* A directory's names, without "." and "..".  fs_dir_open follows no link at the end of name.  fs_dir_next: NULL at
 * the end with e->code 0, or when the rest cannot be read, and *e says why: an end that is none must never pass for
 * a directory that has no more. */
DIR *fs_dir_open(int dir, const char *name, struct err *e);
const char *fs_dir_next(DIR *d, struct err *e);
/* Call visit for each name that begins with no dot, until it fails.  -1 too if the directory cannot be read to its
 * end. */
typedef int (*fs_visit)(void *ctx, int dir, const char *name, struct err *e);
int fs_each(int dir, const char *name, fs_visit visit, void *ctx, struct err *e);

/* Why a dropped file cannot be taken now, or at all. */
enum fs_drop {
	FS_DROP_OK,
	FS_DROP_GONE,     /* no longer there */
	FS_DROP_KIND,     /* a directory, link, FIFO, socket or device */
	FS_DROP_LINKS,    /* more than one link: the publisher may be between link and unlink */
	FS_DROP_TOO_BIG,  /* above the cap */
	FS_DROP_FAILED    /* cannot be read; *e says why */
};

/* Take a private copy of the dropped file dir/name: opened with openat2 (beneath, no links, no other file
 * system), checked to be a regular file with one link, read under the cap.  *st is what fstat said. */
enum fs_drop fs_read_dropped(int dir, const char *name, size_t max, struct buf *b, struct stat *st, struct err *e);

#endif
