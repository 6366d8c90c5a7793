/*
 * common.h - finding the spool, and telling people what is the matter.
 */
#ifndef CREEL_CREEL_COMMON_H
#define CREEL_CREEL_COMMON_H

#include <sys/types.h>

#include "base/clock.h"
#include "creel/verb.h"

/* One message on stderr, after "creel: "; control characters in it are escaped. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same without "creel: ". */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Find and open the spool: --spool, $CREEL_SPOOL, ./spool, then `spool` in /etc/creel/creeld.yaml.  Opens the root
 * only, because a user may read executions/ and not rejected/.  -1 after complaining. */
int cli_spool(struct cli *c);
/* The same where it does not matter if there is none: only one that was named and is none is complained of. */
int cli_spool_if_any(struct cli *c);
void cli_close(struct cli *c);

/* Open a directory of the spool; -1 after complaining. */
int cli_open_dir(struct cli *c, enum spool_dir d);

struct daemon_info {
	bool runs;
	bool unknown;     /* creeld.lock cannot be looked at */
	bool moved;       /* the lock file speaks of another device or inode: the spool is a copy */
	char pid[16];     /* of the daemon that runs or ran last; "" if none ever did */
	char version[32];
};

/* Is a daemon alive?  The kernel's lock says, never the pid in the file. */
void daemon_look(struct cli *c, struct daemon_info *out);
/* Say so if none runs; true if one does. */
bool daemon_or_note(struct cli *c);

#endif
