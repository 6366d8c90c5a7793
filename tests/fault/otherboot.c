/*
 * otherboot - run a command as if the machine had been started anew: it sees another boot id.
 *
 *	otherboot FILE COMMAND…
 *
 * FILE has the boot id to be seen; it is bound over the kernel's, in a mount namespace of its own.  Needs root.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 64;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(argv[1], "/proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL) < 0) {
		perror("otherboot");
		return 125;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
