/*
 * crashpt - run a tree of processes under ptrace and strike at its N-th system call that changes something.
 *
 *	crashpt [-l FILE] -- COMMAND…                  list the points: number, pid, name, call, path
 *	crashpt -n N [-a] ACTION [-o FILE] -- COMMAND… strike at point N, before the call or (-a) after it
 *
 * Points are counted over all processes and threads in the order in which the kernel reports them, so the number of
 * a point varies a little from run to run.  ACTION is one of
 *
 *	-k all | root | self | NAME   SIGKILL to every process, to the first one, to the one that made the call, to
 *	                              those of this name
 *	-c DIR                        cut the power of the file system of DIR (FS_IOC_SHUTDOWN, its log not flushed), then
 *	                              kill every process
 *	-H                            hold the process until SIGUSR1 comes; -k root beside it kills the first process
 *	-e ERRNO                      the call fails with this number without having been made
 *	-s                            half of a write is written
 *	-z                            the call is skipped and says that it succeeded
 *
 * and beside it
 *
 *	-f MS     with -e: every further point that can fail in this way does so for so many milliseconds
 *	-p all    points are all calls that can fail for want of something, not only those that change something
 *	-W        at the point everything stands still until SIGUSR1 comes, and then it strikes
 *	-w NAME   only calls of processes of this name are points
 *	-t CALL   only calls of this name are points
 *	-P TEXT   only calls about a path that ends with this text
 *	-o FILE   where to say "point N before|after CALL NAME[PID] PATH" when it strikes, and at the end "exit STATUS"
 *
 * The calls are stopped by a seccomp filter, so that all others run at full speed.  A process that has this filter
 * and no tracer gets ENOSYS: those that live on after a kill are traced until they end, and crashpt ends with the
 * last of them.  Exit: 0 it struck (or listed), 3 the point was never reached, 64 usage, 125 no ptrace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "crashpt knows the registers of x86-64 only"
#endif

/* ---- calls ---- */

enum where { PATH0, PATH1, PATH2, FD, NONE }; /* the argument that says what the call is about */

/* Errors that a call can have; EINTR only where it may wait. */
enum { F_SPACE = 1, F_IO = 2, F_FILES = 4, F_MEMORY = 8, F_INTR = 16 };

static const struct call {
	int number;
	const char *name;
	enum where where;
	bool changes; /* else only a point with -p all */
	unsigned fails;
} calls[] = {
    {SYS_open, "open", PATH0, true, F_SPACE | F_IO | F_FILES | F_MEMORY | F_INTR},
    {SYS_openat, "openat", PATH1, true, F_SPACE | F_IO | F_FILES | F_MEMORY | F_INTR},
    {SYS_openat2, "openat2", PATH1, false, F_IO | F_FILES | F_MEMORY | F_INTR},
    {SYS_creat, "creat", PATH0, true, F_SPACE | F_IO | F_FILES | F_MEMORY},
    {SYS_write, "write", FD, true, F_SPACE | F_IO | F_INTR},
    {SYS_pwrite64, "pwrite64", FD, true, F_SPACE | F_IO | F_INTR},
    {SYS_writev, "writev", FD, true, F_SPACE | F_IO | F_INTR},
    {SYS_read, "read", FD, false, F_IO | F_INTR},
    {SYS_pread64, "pread64", FD, false, F_IO | F_INTR},
    {SYS_getdents64, "getdents64", FD, false, F_IO | F_MEMORY},
    {SYS_fstat, "fstat", FD, false, F_IO | F_MEMORY},
    {SYS_newfstatat, "newfstatat", PATH1, false, F_IO | F_MEMORY},
    {SYS_fsync, "fsync", FD, true, F_SPACE | F_IO | F_INTR},
    {SYS_fdatasync, "fdatasync", FD, true, F_SPACE | F_IO | F_INTR},
    {SYS_syncfs, "syncfs", FD, true, F_SPACE | F_IO},
    {SYS_close, "close", FD, false, F_SPACE | F_IO | F_INTR},
    {SYS_rename, "rename", PATH0, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_renameat, "renameat", PATH1, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_renameat2, "renameat2", PATH1, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_link, "link", PATH0, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_linkat, "linkat", PATH1, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_unlink, "unlink", PATH0, true, F_IO | F_MEMORY},
    {SYS_unlinkat, "unlinkat", PATH1, true, F_IO | F_MEMORY},
    {SYS_mkdir, "mkdir", PATH0, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_mkdirat, "mkdirat", PATH1, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_rmdir, "rmdir", PATH0, true, F_IO | F_MEMORY},
    {SYS_symlink, "symlink", PATH1, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_symlinkat, "symlinkat", PATH2, true, F_SPACE | F_IO | F_MEMORY},
    {SYS_ftruncate, "ftruncate", FD, true, F_SPACE | F_IO | F_INTR},
    {SYS_truncate, "truncate", PATH0, true, F_SPACE | F_IO},
    {SYS_fallocate, "fallocate", FD, true, F_SPACE | F_IO | F_INTR},
    {SYS_copy_file_range, "copy_file_range", FD, true, F_SPACE | F_IO},
    {SYS_fchmod, "fchmod", FD, true, F_SPACE | F_IO},
    {SYS_fchown, "fchown", FD, true, F_SPACE | F_IO},
    {SYS_flock, "flock", FD, true, F_MEMORY | F_INTR},
    {SYS_lseek, "lseek", FD, false, 0},
    {SYS_memfd_create, "memfd_create", NONE, false, F_FILES | F_MEMORY},
    {SYS_pipe2, "pipe2", NONE, false, F_FILES | F_MEMORY},
    {SYS_pidfd_open, "pidfd_open", NONE, false, F_FILES | F_MEMORY},
    {SYS_epoll_ctl, "epoll_ctl", NONE, false, F_MEMORY},
    {SYS_signalfd4, "signalfd4", NONE, false, F_FILES | F_MEMORY},
    {SYS_eventfd2, "eventfd2", NONE, false, F_FILES | F_MEMORY},
    {SYS_inotify_add_watch, "inotify_add_watch", PATH1, false, F_SPACE | F_MEMORY},
    {SYS_mmap, "mmap", NONE, false, F_MEMORY},
    {SYS_poll, "poll", NONE, false, F_MEMORY | F_INTR},
    {SYS_epoll_wait, "epoll_wait", NONE, false, F_INTR},
    {SYS_sendto, "sendto", FD, true, F_MEMORY | F_INTR},
    {SYS_recvfrom, "recvfrom", FD, false, F_MEMORY},
    {SYS_socketpair, "socketpair", NONE, false, F_FILES | F_MEMORY},
    {SYS_statx, "statx", PATH1, false, F_IO | F_MEMORY},
    {SYS_stat, "stat", PATH0, false, F_IO | F_MEMORY},
    {SYS_lstat, "lstat", PATH0, false, F_IO | F_MEMORY},
    {SYS_kill, "kill", NONE, true, 0},
    {SYS_pidfd_send_signal, "pidfd_send_signal", NONE, true, 0},
    {SYS_clone, "clone", NONE, true, F_MEMORY},
    {SYS_clone3, "clone3", NONE, true, F_MEMORY},
    {SYS_fork, "fork", NONE, true, F_MEMORY},
    {SYS_vfork, "vfork", NONE, true, F_MEMORY},
    {SYS_execve, "execve", PATH0, true, F_IO | F_FILES | F_MEMORY},
    {SYS_setsid, "setsid", NONE, true, 0},
    {SYS_exit_group, "exit_group", NONE, true, 0},
};
enum { CALLS = sizeof calls / sizeof *calls };

static unsigned class_of(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return F_SPACE;
	case EIO:
		return F_IO;
	case EMFILE:
	case ENFILE:
		return F_FILES;
	case ENOMEM:
	case EAGAIN:
		return F_MEMORY;
	case EINTR:
		return F_INTR;
	default:
		return ~0u;
	}
}

/* ---- what is asked ---- */

static struct {
	long point;
	bool after, hold, half, skip, all_calls, wait;
	const char *kill, *cut, *only_name, *only_call, *only_path;
	int error, for_ms;
	FILE *list, *report;
} want = {.point = -1};

/* ---- processes ---- */

struct task {
	pid_t pid;
	bool stopped; /* at a point, held */
};

static struct task tasks[4096];
static size_t ntasks;
static pid_t root;
static long count;
static bool struck;
static pid_t armed;       /* waits for the end of its call */
static struct call armed_call;
static pid_t held;
static pid_t closing;     /* waits for the end of a close that is to fail */
static struct timespec failing_until;
static bool failing;
static volatile sig_atomic_t release;

static void add(pid_t pid)
{
	for (size_t k = 0; k < ntasks; k++)
		if (tasks[k].pid == pid)
			return;
	if (ntasks < sizeof tasks / sizeof *tasks)
		tasks[ntasks++].pid = pid;
}

static void drop(pid_t pid)
{
	for (size_t k = 0; k < ntasks; k++)
		if (tasks[k].pid == pid) {
			tasks[k] = tasks[--ntasks];
			return;
		}
}

static void name_of(pid_t pid, char out[32])
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, 31);
		close(fd);
	}
	out[n > 0 ? n - 1 : 0] = '\0';
}

/* The first process and its threads. */
static bool is_root(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d", root, pid);
	return pid == root || access(path, F_OK) == 0;
}

static void read_text(pid_t pid, unsigned long at, char *out, size_t size)
{
	size_t got = 0;

	while (got + 1 < size) {
		size_t most = 4096 - ((at + got) & 4095), n = most < size - 1 - got ? most : size - 1 - got;
		struct iovec local = {out + got, n}, remote = {(void *)(at + got), n};
		ssize_t r = process_vm_readv(pid, &local, 1, &remote, 1, 0);

		if (r <= 0)
			break;
		if (memchr(out + got, '\0', (size_t)r))
			return;
		got += (size_t)r;
	}
	out[got] = '\0';
}

static void about(pid_t pid, const struct call *c, const struct user_regs_struct *r, char *out, size_t size)
{
	const unsigned long args[] = {r->rdi, r->rsi, r->rdx};
	char link[64];
	ssize_t n;

	out[0] = '\0';
	if (c->where == NONE)
		return;
	if (c->where != FD) {
		read_text(pid, args[c->where - PATH0], out, size);
		return;
	}
	snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, (int)r->rdi);
	n = readlink(link, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
}

/* ---- which calls are points ---- */

/* Could this call fail with the wanted error?  Of files only those on a disk have errors of a disk. */
static bool can_fail(pid_t pid, const struct call *c, const struct user_regs_struct *r)
{
	char path[512];
	bool disk;

	if (want.error && !(c->fails & class_of(want.error)))
		return false;
	if (want.half && (c->number != SYS_write && c->number != SYS_pwrite64))
		return false;
	if (c->where == NONE)
		return true;
	about(pid, c, r, path, sizeof path);
	if (strncmp(path, "anon_inode:", 11) == 0) /* none of them waits, nor lies on a disk */
		return false;
	if (c->where == FD && (c->number == SYS_write) && (int)r->rdi == STDERR_FILENO)
		return false;
	disk = strncmp(path, "/proc", 5) != 0 && strncmp(path, "/sys/", 5) != 0 && strncmp(path, "/dev/null", 9) != 0 &&
	       (c->where != FD || path[0] == '/') && strncmp(path, "/memfd:", 7) != 0;
	return disk || (want.error && class_of(want.error) != F_IO && class_of(want.error) != F_SPACE);
}

static bool is_point(pid_t pid, const struct call *c, const struct user_regs_struct *r)
{
	char text[512];

	if (want.only_call && strcmp(want.only_call, c->name) != 0)
		return false;
	if (want.only_name) {
		name_of(pid, text);
		if (strcmp(text, want.only_name) != 0)
			return false;
	}
	if (want.only_path) {
		size_t n = strlen(want.only_path), m;

		about(pid, c, r, text, sizeof text);
		m = strlen(text);
		if (m < n || strcmp(text + m - n, want.only_path) != 0)
			return false;
	}
	if (want.all_calls)
		return can_fail(pid, c, r);
	if (c->number == SYS_open && !(r->rsi & (O_CREAT | O_TRUNC)))
		return false;
	if (c->number == SYS_openat && !(r->rdx & (O_CREAT | O_TRUNC)))
		return false;
	if (c->number == SYS_write || c->number == SYS_pwrite64) {
		/* Messages, and what wakes a thread of the same process, change nothing. */
		if ((int)r->rdi == STDERR_FILENO && !is_root(pid))
			return true;
		about(pid, c, r, text, sizeof text);
		return (int)r->rdi != STDERR_FILENO && strncmp(text, "anon_inode:", 11) != 0 &&
		       strncmp(text, "/memfd:", 7) != 0;
	}
	return true;
}

static void install_filter(void)
{
	struct sock_filter f[CALLS + 4];
	unsigned short n = 0;
	struct sock_fprog program = {.filter = f};

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int k = 0; k < CALLS; k++)
		if (calls[k].changes || want.all_calls)
			n++;
	program.len = (unsigned short)(n + 2);
	n = 1;
	for (int k = 0; k < CALLS; k++)
		if (calls[k].changes || want.all_calls) {
			f[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[k].number,
							    (unsigned char)(program.len - 2 - n), 0);
			n++;
		}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	if (geteuid() != 0)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("crashpt: seccomp");
		_exit(125);
	}
}

/* ---- striking ---- */

static void say(const struct call *c, pid_t pid, const char *path)
{
	char name[32];

	name_of(pid, name);
	if (want.report) {
		fprintf(want.report, "point %ld %s %s %s[%d] %s\n", count, want.after ? "after" : "before", c->name, name, pid,
			path);
		fflush(want.report);
	}
}

/* Stop all others, as far as they can be stopped: one that waits in vfork does nothing anyway. */
static void stop_others(pid_t pid)
{
	for (size_t k = 0; k < ntasks; k++)
		if (tasks[k].pid != pid && !tasks[k].stopped)
			ptrace(PTRACE_INTERRUPT, tasks[k].pid, 0, 0);
	for (size_t k = 0; k < ntasks; k++) {
		struct timespec pause = {0, 100000};
		int status;

		if (tasks[k].pid == pid || tasks[k].stopped)
			continue;
		for (int tries = 0; tries < 100; tries++) {
			pid_t got = waitpid(tasks[k].pid, &status, __WALL | WNOHANG);

			if (got != 0)
				break;
			nanosleep(&pause, NULL);
		}
	}
}

static void cut_power(const char *dir)
{
	uint32_t no_log_flush = 2;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, _IOR('X', 125, uint32_t), &no_log_flush) < 0)
		perror("crashpt: FS_IOC_SHUTDOWN");
	if (fd >= 0)
		close(fd);
}

static bool is_victim(pid_t pid, pid_t self)
{
	char name[32];

	if (strcmp(want.kill, "all") == 0)
		return true;
	if (strcmp(want.kill, "self") == 0)
		return pid == self;
	if (strcmp(want.kill, "root") == 0)
		return is_root(pid);
	name_of(pid, name);
	return strcmp(name, want.kill) == 0;
}

static void kill_victims(pid_t self)
{
	bool victim[sizeof tasks / sizeof *tasks];

	/* Judged before the first dies: names and threads vanish with the process. */
	for (size_t k = 0; k < ntasks; k++)
		victim[k] = is_victim(tasks[k].pid, self);
	for (size_t k = 0; k < ntasks; k++)
		if (victim[k])
			kill(tasks[k].pid, SIGKILL);
}

/* Make the call return a value without being made. */
static void answer(pid_t pid, struct user_regs_struct r, long value)
{
	r.orig_rax = (unsigned long long)-1;
	r.rax = (unsigned long long)value;
	ptrace(PTRACE_SETREGS, pid, 0, &r);
}

static void go_on(pid_t pid)
{
	ptrace(pid == armed ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, 0);
}

/* The process stands at the point (before or after the call). */
static void strike(pid_t pid, const struct call *c, const char *path)
{
	struck = true;
	armed = 0;
	if (want.wait || want.cut)
		stop_others(pid);
	say(c, pid, path);
	while (want.wait && !release) {
		struct timespec pause = {0, 200000};

		nanosleep(&pause, NULL);
	}
	if (want.cut)
		cut_power(want.cut);
	if (want.hold) {
		held = pid;
		for (size_t k = 0; k < ntasks; k++)
			if (tasks[k].pid == pid)
				tasks[k].stopped = true;
	}
	if (want.kill)
		kill_victims(pid);
	for (size_t k = 0; k < ntasks && (want.wait || want.cut); k++)
		if (!tasks[k].stopped && tasks[k].pid != pid)
			ptrace(PTRACE_CONT, tasks[k].pid, 0, 0);
	if (!want.hold)
		go_on(pid);
}

static bool still_failing(const struct call *c)
{
	struct timespec now;

	if (!failing || !(c->fails & class_of(want.error)))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	failing = now.tv_sec < failing_until.tv_sec ||
		  (now.tv_sec == failing_until.tv_sec && now.tv_nsec < failing_until.tv_nsec);
	return failing;
}

static void begin_failing(void)
{
	clock_gettime(CLOCK_MONOTONIC, &failing_until);
	failing_until.tv_sec += want.for_ms / 1000;
	failing_until.tv_nsec += want.for_ms % 1000 * 1000000L;
	if (failing_until.tv_nsec >= 1000000000L) {
		failing_until.tv_sec++;
		failing_until.tv_nsec -= 1000000000L;
	}
	failing = want.for_ms > 0;
}

/* A close that fails has closed all the same: it is made, and its answer is replaced. */
static void fail(pid_t pid, const struct call *c, const struct user_regs_struct *r)
{
	if (c->number == SYS_close) {
		closing = pid;
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
		return;
	}
	answer(pid, *r, -want.error);
	ptrace(PTRACE_CONT, pid, 0, 0);
}

/* An injected answer instead of a strike: true if the process was sent on. */
static bool inject(pid_t pid, const struct call *c, const struct user_regs_struct *r, const char *path)
{
	struct user_regs_struct changed = *r;

	if (!want.error && !want.half && !want.skip)
		return false;
	struck = true;
	say(c, pid, path);
	if (want.error) {
		begin_failing();
		fail(pid, c, r);
		return true;
	}
	if (want.skip) {
		answer(pid, *r, 0);
	} else if (r->rdx > 1) {
		changed.rdx /= 2;
		ptrace(PTRACE_SETREGS, pid, 0, &changed);
	}
	ptrace(PTRACE_CONT, pid, 0, 0);
	return true;
}

static void at_call(pid_t pid)
{
	struct user_regs_struct r;
	const struct call *c = NULL;
	char path[512] = "", name[32];

	if (ptrace(PTRACE_GETREGS, pid, 0, &r) < 0)
		return;
	for (int k = 0; k < CALLS; k++)
		if (calls[k].number == (int)r.orig_rax)
			c = &calls[k];
	if (!c || !is_point(pid, c, &r)) {
		go_on(pid);
		return;
	}
	if (failing && still_failing(c)) {
		fail(pid, c, &r);
		return;
	}
	count++;
	if (want.list || count == want.point)
		about(pid, c, &r, path, sizeof path);
	if (want.list) {
		name_of(pid, name);
		fprintf(want.list, "%ld\t%d\t%s\t%s\t%u\t%s\n", count, pid, name, c->name, c->fails, path);
	}
	if (count != want.point) {
		go_on(pid);
		return;
	}
	if (inject(pid, c, &r, path))
		return;
	if (!want.after) {
		strike(pid, c, path);
		return;
	}
	armed = pid;
	armed_call = *c;
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
}

/* ---- following ---- */

static void on_release(int sig)
{
	(void)sig;
	release = 1;
}

static void let_go(void)
{
	for (size_t k = 0; k < ntasks; k++)
		tasks[k].stopped = false;
	ptrace(PTRACE_CONT, held, 0, 0);
	held = 0;
}

/* The next report; what is held is let go when that is asked for. */
static pid_t next(int *status)
{
	for (;;) {
		struct timespec pause = {0, 1000000};
		pid_t pid;

		if (held && release)
			let_go();
		pid = waitpid(-1, status, __WALL | (held ? WNOHANG : 0));
		if (pid > 0 || (pid < 0 && errno != EINTR))
			return pid;
		if (held)
			nanosleep(&pause, NULL);
	}
}

static void on_stop(pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_SECCOMP) {
		at_call(pid);
	} else if (sig == (SIGTRAP | 0x80) && pid == closing) {
		struct user_regs_struct r;

		closing = 0;
		if (ptrace(PTRACE_GETREGS, pid, 0, &r) == 0) {
			r.rax = (unsigned long long)-want.error;
			ptrace(PTRACE_SETREGS, pid, 0, &r);
		}
		ptrace(PTRACE_CONT, pid, 0, 0);
	} else if (sig == (SIGTRAP | 0x80)) {
		if (pid == armed)
			strike(pid, &armed_call, "");
		else
			ptrace(PTRACE_CONT, pid, 0, 0);
	} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		unsigned long child = 0;

		ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
		add((pid_t)child);
		go_on(pid);
	} else if (event == PTRACE_EVENT_STOP) {
		add(pid);
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
			ptrace(PTRACE_LISTEN, pid, 0, 0);
		else
			go_on(pid);
	} else if (event) {
		go_on(pid);
	} else {
		ptrace(pid == armed ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, sig);
	}
}

static int follow(void)
{
	int status, root_status = 0;
	pid_t pid;

	/* To the last child: those that were made while others were killed show up late, and what was killed before its
	 * parent becomes ours. */
	while ((pid = next(&status)) > 0) {
		if (WIFSTOPPED(status)) {
			if (struck && want.kill && strcmp(want.kill, "all") == 0 && !want.hold)
				kill(pid, SIGKILL);
			on_stop(pid, status);
			continue;
		}
		drop(pid);
		if (pid == root)
			root_status = status;
		if (pid == held)
			held = 0;
		if (pid == armed) /* its last call, or one that an exec or a death cut short */
			strike(pid, &armed_call, "");
	}
	if (want.report)
		fprintf(want.report, "exit %d\n", WIFEXITED(root_status) ? WEXITSTATUS(root_status) : 128 + WTERMSIG(root_status));
	return want.point < 0 || struck ? 0 : 3;
}

static void start(char **command)
{
	const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	int status;

	/* What outlives its parent comes to us and not to init, which may be no good parent in a container. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	root = fork();
	if (root == 0) {
		raise(SIGSTOP);
		install_filter();
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	waitpid(root, &status, WUNTRACED);
	if (ptrace(PTRACE_SEIZE, root, 0, options) < 0) {
		perror("crashpt: ptrace");
		kill(root, SIGKILL);
		exit(125);
	}
	add(root);
	kill(root, SIGCONT);
}

static FILE *must_open(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f) {
		perror(path);
		exit(64);
	}
	return f;
}

int main(int argc, char **argv)
{
	struct sigaction on_usr1 = {.sa_handler = on_release};
	int o;

	while ((o = getopt(argc, argv, "+l:n:ak:c:He:f:szp:Ww:t:o:P:")) != -1)
		switch (o) {
		case 'l': want.list = must_open(optarg); break;
		case 'n': want.point = strtol(optarg, NULL, 10); break;
		case 'a': want.after = true; break;
		case 'k': want.kill = optarg; break;
		case 'c': want.cut = optarg; want.kill = "all"; break;
		case 'H': want.hold = true; break;
		case 'e': want.error = (int)strtol(optarg, NULL, 10); break;
		case 'f': want.for_ms = (int)strtol(optarg, NULL, 10); break;
		case 's': want.half = true; break;
		case 'z': want.skip = true; break;
		case 'p': want.all_calls = strcmp(optarg, "all") == 0; break;
		case 'W': want.wait = true; break;
		case 'w': want.only_name = optarg; break;
		case 'P': want.only_path = optarg; break;
		case 't': want.only_call = optarg; break;
		case 'o': want.report = must_open(optarg); break;
		default: return 64;
		}
	if (optind >= argc)
		return 64;
	sigaction(SIGUSR1, &on_usr1, NULL);
	start(argv + optind);
	o = follow();
	if (want.list)
		fclose(want.list);
	if (want.report)
		fclose(want.report);
	return o;
}
