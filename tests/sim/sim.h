/*
 * sim.h - a machine in memory, for the daemon to live and die in.
 *
 * The simulation links the daemon's own objects and takes the place of the kernel below them (-Wl,--wrap): files,
 * clocks, random numbers, threads, processes.  One seed decides everything that happens, so a failure is replayed by
 * its seed.  The world lies in memory that is shared between processes: each life of the daemon is a child of the
 * simulation, which dies for real and leaves nothing but the world.
 *
 *   main.c     seeds, lives, the end                  check.c, final.c   what must hold
 *   world.c    memory, dice, the trace                people.c, plans.c  who drops plans, decisions, orders
 *   tree.c     the file system as programs see it     procs.c            supervisors and their actions
 *   disk.c     what of it survives a power cut        kernel.c           time, threads, waiting
 *   calls.c, call_files.c, call_dirs.c, call_procs.c  the wrapped calls
 *   mutants.c  lies of the kernel that must be noticed      sites.c  from where in the daemon a call comes
 */
#ifndef CREEL_TESTS_SIM_SIM_H
#define CREEL_TESTS_SIM_SIM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/sha.h"
#include "base/uuid.h"

#define UNUSED __attribute__((unused))
#define SPOOL "/spool"

enum { MS = 1000000, NEVER_MS = INT32_MAX };
#define NEVER INT64_MAX
#define SECOND ((int64_t)1000 * MS)

/* ---- the file system ---- */

enum kind { FILE_NODE, DIR_NODE, LINK_NODE };

struct bytes {
	char *p;
	size_t n, cap;
};

struct entry {
	char *name;
	struct node *node;
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

struct node {
	uint32_t ino;
	enum kind kind;
	mode_t mode;
	uint32_t nlink;      /* names of a file */
	int64_t mtime, ctime; /* wall clock, ns */
	struct node *parent; /* of a directory */
	char *target;        /* of a link */
	struct bytes data;   /* what programs see */
	struct bytes kept;   /* what is on the disk */
	size_t same;         /* so many bytes of both are the same */
	size_t least;        /* how short it was at most since it became dirty: what it had before is there still */
	bool dirty;          /* in W->dirty */
	struct entries names, kept_names; /* of a directory: the same two */
	uint64_t lock;       /* who holds the flock; 0: nobody */
	uint64_t seen;       /* mark of a walk */
};

/* A change of a name that is not on the disk yet.  Those of one rename have the same group. */
struct change {
	uint64_t group;
	struct node *dir;
	char *name;
	struct node *node; /* NULL: the name goes */
	bool across;       /* of a rename between two directories */
};

enum model { ORDERED, WEAK };

/* ---- processes ---- */

/* A memory file, and the socket between a daemon and a supervisor: each end may be gone. */
struct memory {
	struct bytes text;
};

enum { WORDS_MOST = 8 };

struct channel {
	bool daemon_there, run_there;
	struct bytes words[WORDS_MOST]; /* to the supervisor, oldest first */
	unsigned n;
	unsigned done; /* D, to the daemon */
};

enum proc_state { PROC_FREE, PROC_LIVES, PROC_ZOMBIE };

struct proc {
	enum proc_state state;
	pid_t pid, parent, session;
	uint64_t start;   /* ticks since boot */
	int status;       /* of a zombie */
	bool supervisor;  /* else what an action left running */
	bool asked_to_end;
	int step;
	int64_t wake;     /* monotonic */
	int64_t ends;     /* when the action ends, monotonic */
	bool timed_out;
	pid_t main;       /* the action */
	uint64_t holder;  /* of the flock */
	struct node *lock; /* the file that it holds the flock on */
	struct channel *words;
	struct memory *spec;
	bool waits; /* before it runs the action: for a G */
	char token[40];
	uint32_t number;
	char id[UUID_TEXT], action[80];
	uint32_t attempt; /* index into W->attempts */
	char dir[256], link[256];
	pid_t told_parent;
	struct node *at;  /* the attempt's directory */
};

/* What really became of an attempt. */
struct attempt_truth {
	char id[UUID_TEXT], action[80], token[40];
	uint32_t number;
	unsigned ran;          /* how often */
	bool succeeded;        /* it ran to its end and exited 0 */
	bool ended;            /* it ran to its end */
};

/* ---- people ---- */

enum drop_kind { DROP_PLAN, DROP_BAD_PLAN, DROP_DECISION, DROP_ORDER };

struct drop {
	enum drop_kind kind;
	unsigned tag;
	bool refused_before; /* a refusal was seen: it must not run as well */
};

/* ---- what was promised ---- */

struct promise {
	char id[UUID_TEXT];
	uint32_t seq; /* somebody could see that this commit happened */
	char digest[SHA256_TAGGED];
};

/* ---- faults ---- */

enum aim { AIM_NOWHERE, AIM_COMMIT, AIM_EXECUTION };
enum death { DEATH_NONE, DEATH_KILL, DEATH_KILL_ALL, DEATH_POWER };

struct faults {
	unsigned one_in;  /* calls that fail; 0: none */
	unsigned flush_one_in; /* flushes that fail with EIO, besides; 0: none */
	int storm;        /* an errno value that calls of its kind fail with, or 0 */
	uint64_t from, to; /* storm: calls of this life */
};

struct world {
	uint64_t seed, dice;
	bool loud;
	const char *mutant; /* or NULL */
	uint64_t mutant_used;
	int64_t wall, mono; /* ns */
	unsigned boot;
	char boot_id[40];
	/* memory */
	char *next, *end;
	void *bins[48];
	/* files */
	struct node *root;
	uint32_t next_ino;
	uint64_t next_group, next_walk, next_holder;
	enum model model;
	struct change *changes;
	size_t nchanges, changes_cap;
	struct node **dirty;
	size_t ndirty, dirty_cap;
	bool child_ended; /* SIGCHLD is pending */
	/* processes */
	struct proc procs[64];
	pid_t next_pid, daemon;
	struct attempt_truth *attempts;
	size_t nattempts, attempts_cap;
	/* people */
	int64_t people_wake;
	unsigned plans_left;
	struct drop *drops;
	size_t ndrops, drops_cap;
	unsigned news[64]; /* queue of what inotify would say: spool_dir */
	unsigned nnews;
	/* promises */
	struct promise *promises;
	size_t npromises, promises_cap;
	/* the life */
	unsigned life;
	uint64_t calls;       /* of this life */
	uint64_t dies_at;     /* call; 0: never */
	/* In some worlds, deaths are aimed: soon after the n-th commit or execution of a life has got its name, when that
	 * is not on disk yet. */
	bool aimed;
	enum aim aim;
	uint32_t aim_after, aim_calls;
	enum death death;     /* how it will die, or died */
	int64_t stops_at;     /* monotonic: SIGTERM; NEVER */
	bool term_sent, recovered, calm; /* calm: no faults, no deaths, people answer */
	int64_t calm_since;
	struct faults faults;
	uint64_t failed_calls; /* of this life */
	bool finished;         /* in a calm life: all is done */
	/* statistics */
	uint64_t all_calls, lives, deaths[4], injected, executions, ran, states;
	char broken[1200]; /* the first thing that did not hold; empty: all is well */
};

extern struct world *W;

/* ---- world.c ---- */

void world_map(void);
void world_reset(uint64_t seed);
void *arena_alloc(size_t n); /* zeroed */
void arena_free(void *p, size_t n);
char *arena_text(const char *s);
void *arena_grow(void *v, size_t *cap, size_t n, size_t size); /* room for one more than n */
void bytes_put(struct bytes *b, size_t at, const void *p, size_t n);
void bytes_cut(struct bytes *b, size_t n);
void bytes_free(struct bytes *b);

uint64_t dice64(void);
uint32_t below(uint32_t n);
bool one_in(uint32_t n);
int64_t between(int64_t least, int64_t most);

/* A line of the trace, when it is asked for. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Something does not hold: the simulation of this seed ends here. */
void broke(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Is this the mutant that is tested? */
bool mutant(const char *name);
/* --mutants: each, or those whose names begin like one of these, on the seeds from...to until one breaks, and six times as
 * many for one that none notices; exit status. */
int mutants_run(uint64_t from, uint64_t to, char **only, bool (*run)(uint64_t seed, const char *name));

/* ---- sites.c ---- */

/* A place in the daemon from which one of the calls is made that a mutant may lose. */
struct site {
	char *name;
	uint64_t *seeds; /* that come by there */
	size_t n;
};

void sites_begin(void);
/* In a life: a call is made.  Is this the place that lies? */
bool site_lies(const char *call);
/* Before a seed: which place lies; 0: none.  After it: what it came across is named, and counted if none lied. */
void sites_lie(int k);
void sites_note(uint64_t seed);
/* From 1 on; NULL: there are no more. */
const struct site *site_at(int k);

/* ---- tree.c: results are 0 or -errno ---- */

struct place {
	struct node *dir; /* of the last part */
	char name[256];   /* the last part; empty: the path is dir itself */
	struct node *node; /* NULL: it is not there */
};

enum { WALK_NOFOLLOW = 1, WALK_NO_LINKS = 2, WALK_BENEATH = 4 };

void tree_make(void);
struct node *tree_child(const struct node *dir, const char *name);
int tree_walk(struct node *from, const char *path, unsigned how, struct place *out);
int tree_create(struct node *dir, const char *name, enum kind kind, mode_t mode, struct node **out);
int tree_link(struct node *node, struct node *dir, const char *name);
int tree_unlink(struct place *at, bool is_dir);
int tree_rename(struct place *from, struct place *to, bool keep);
void tree_write(struct node *file, size_t at, const void *p, size_t n);
void tree_cut(struct node *file, size_t n);
/* For people, supervisors and checks: paths from the root, no faults. */
struct node *tree_at(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct node *tree_put(struct node *dir, const char *name, const char *text, size_t n, mode_t mode);
void entries_set(struct entries *e, const char *name, struct node *node);
struct node *entries_get(const struct entries *e, const char *name);

/* ---- disk.c ---- */

void disk_touched(struct node *file, size_t same, size_t least); /* its bytes from `same` on are new, and it was as short as `least` */
void disk_named(struct node *dir, const char *name, struct node *node, uint64_t group, bool across);
void disk_flush_file(struct node *file);
void disk_flush_dir(struct node *dir);
void disk_flush_bytes(void); /* a mutant's: no names */
void disk_flush_all(void);
void disk_forget(struct node *file); /* a flush failed: the kernel takes the pages for clean */
void disk_power_cut(void);

/* ---- procs.c ---- */

int procs_spawn(struct memory *spec, struct channel *words, pid_t *pid);
void procs_words(struct channel *c); /* something came, or the daemon's end went */
void procs_step(struct proc *p);
struct proc *procs_find(pid_t pid);
int procs_kill(pid_t pid, int sig);
pid_t procs_wait(pid_t pid, int *status);
bool procs_child_ended(void);
void procs_daemon_died(void);
void procs_kill_some(void);
void procs_power_cut(void);
bool procs_any(void);
struct attempt_truth *attempt_truth(const char *id, const char *action, uint32_t number);
/* The text of a file below /proc, or -1. */
int procs_file(const char *path, struct bytes *out);

/* ---- people.c, plans.c ---- */

void people_start(void);
void people_step(void);
bool people_done(void);
char *plan_text(unsigned tag, bool *good, const char **ext);
void people_tell(unsigned dir);

/* ---- kernel.c ---- */

/* What happens by itself until then: supervisors and people act, time goes by. */
void world_until(int64_t mono);
int64_t world_next(void);
/* In a daemon's life: may die here, fail here (an errno value), or go on later. */
int enter(unsigned kind, const char *what, const char *path);
void daemon_dies(void) __attribute__((noreturn));
bool sim_live(void); /* inside a daemon's life, and not in a check */
void quiet_begin(void); /* calls neither fail nor take time: a check looks */
void quiet_end(void);
void life_begin(void);
/* The calling thread waits until that holds, or the time has come. */
void threads_block(bool (*until)(void *ctx), void *ctx, int64_t deadline);
bool threads_all_wait(void); /* but for the calling one */
void calls_forget(void); /* the process is gone: so are its descriptors and their locks */

/* Kinds of calls, for faults. */
enum {
	CALL_READ = 1, CALL_WRITE = 2, CALL_MAKE = 4, CALL_LOOK = 8, CALL_FLUSH = 16, CALL_FD = 32, CALL_PROC = 64,
	CALL_WAIT = 128, CALL_REMOVE = 256, CALL_NEVER = 512
};

/* ---- check.c, final.c ---- */

void check_witness(void);   /* what an observer may have seen by now is promised */
void check_image(void);     /* at any time */
void check_left(void);      /* after a crash, before anybody looks */
void check_idle(void);      /* the daemon waits and was not disturbed */
void check_final(void);     /* all is done */
bool all_is_done(void);
const char *what_is_left(void);

#endif
