#include "creel-run/family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"

struct member {
	pid_t pid;
	pid_t parent; /* when it was found */
};

typedef VEC(struct member) member_list;

int proc_stat_read(const char *path, struct proc_stat *out)
{
	char text[1024];
	char *p;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n < 0)
		return -1;
	text[n] = '\0';
	/* The second field is the command in parentheses, and may itself hold blanks and parentheses. */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || !p[2]) {
		errno = EBADMSG;
		return -1;
	}
	out->state = p[2];
	p += 3;
	out->parent = (pid_t)strtol(p, &p, 10);
	for (int field = 5; field < 22 && p; field++)
		p = strchr(p + 1, ' ');
	if (!p) {
		errno = EBADMSG;
		return -1;
	}
	out->start = strtoull(p, NULL, 10);
	return 0;
}

static int stat_of(pid_t pid, struct proc_stat *out)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	return proc_stat_read(path, out);
}

/* The number that a name in /proc is, or 0. */
static pid_t pid_of(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);

	return *end == '\0' && n > 0 ? (pid_t)n : 0;
}

/* Append the children of one process: the kernel lists them by the thread that made them.  false: this kernel
 * has no such lists. */
static bool add_children(pid_t pid, member_list *list)
{
	AUTO_BUF struct buf text = BUF_INIT;
	char path[80];
	struct dirent *d;
	bool known = true;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return true; /* it has ended: its children are ours now, and the next walk finds them */
	while ((d = readdir(tasks))) {
		char *p, *end;

		if (!pid_of(d->d_name))
			continue;
		snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)pid, d->d_name);
		buf_reset(&text);
		if (fs_read(AT_FDCWD, path, SIZE_MAX / 2, &text, NULL) < 0) {
			known = pid != getpid();
			continue;
		}
		for (p = text.p; p; p = end) {
			long child = strtol(p, &end, 10);

			if (end == p)
				break;
			vec_push(list, (struct member){(pid_t)child, pid});
		}
	}
	closedir(tasks);
	return known;
}

static bool holds(const member_list *list, pid_t pid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].pid == pid)
			return true;
	return false;
}

/* The way for kernels without CONFIG_PROC_CHILDREN: all processes, and then again and again those whose parent
 * was found. */
static void scan_all(member_list *list)
{
	member_list all = {0};
	pid_t self = getpid();
	struct dirent *d;
	DIR *proc = opendir("/proc");
	size_t before;

	while (proc && (d = readdir(proc))) {
		pid_t pid = pid_of(d->d_name);
		struct proc_stat st;

		if (pid && stat_of(pid, &st) == 0)
			vec_push(&all, (struct member){pid, st.parent});
	}
	if (proc)
		closedir(proc);
	do {
		before = list->n;
		for (size_t i = 0; i < all.n; i++)
			if ((all.v[i].parent == self || holds(list, all.v[i].parent)) && !holds(list, all.v[i].pid))
				vec_push(list, all.v[i]);
	} while (list->n > before);
	vec_free(&all);
}

static void find_all(member_list *list)
{
	if (!add_children(getpid(), list)) {
		scan_all(list);
		return;
	}
	for (size_t i = 0; i < list->n; i++)
		add_children(list->v[i].pid, list);
}

/* Signal through a descriptor, after a look whether the process is still the one that was found: the number
 * alone may by now be somebody else's. */
static bool signal_member(const struct member *m, int sig)
{
	int fd = (int)syscall(SYS_pidfd_open, m->pid, 0);
	struct proc_stat st;
	bool reached;

	if (fd < 0 && errno == ESRCH)
		return false;
	reached = stat_of(m->pid, &st) == 0 && (st.parent == m->parent || st.parent == getpid()) &&
		  st.state != 'Z' && st.state != 'X';
	/* Out of descriptors or in a sandbox that forbids them: the number it is. */
	if (reached)
		reached = (fd < 0 ? kill(m->pid, sig) : (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0)) == 0;
	if (fd >= 0)
		close(fd);
	return reached;
}

size_t family_signal(int sig, bool again, pid_list *reached)
{
	member_list list = {0};
	size_t fresh = 0;

	find_all(&list);
	for (size_t i = 0; i < list.n; i++) {
		bool known = false;

		for (size_t j = 0; j < reached->n && !known; j++)
			known = reached->v[j] == list.v[i].pid;
		if ((known && !again) || !signal_member(&list.v[i], sig) || known)
			continue;
		vec_push(reached, list.v[i].pid);
		fresh++;
	}
	vec_free(&list);
	return fresh;
}
