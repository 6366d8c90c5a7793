/*
 * daemon.h - what creeld holds while it runs, and the modules around it.
 *
 * One thread runs the loop: it waits, gathers what arrived, lets the core decide, hands one job at a time to the
 * flusher, and starts and ends supervisors.  Threads serve it: the watcher (inotify says where to look), the flusher
 * (writes and flushes; a second one flushes names, a third writes back what attempts leave), and at the start readers
 * of what is active (store/load.h).  Nothing here is truth: all of it can be rebuilt from the spool (recover.c).
 *
 *   wait ─→ intake, children, timers ─→ turn: decide ─→ job ─→ flusher ─→ perform: dispatch, end
 *
 * Invariants:
 *   one job is in the flusher at most, and no execution's events are decided while its commit is in it;
 *   an effect outside the spool (a start, a signal) happens only after its commit is durable;
 *   running attempts are counted from the list of them, never by a counter that could leak.
 */
#ifndef CREEL_CREELD_DAEMON_H
#define CREEL_CREELD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/sha.h"
#include "base/vec.h"
#include "core/decide.h"
#include "store/attempt.h"
#include "store/spool.h"

struct config {
	char *spool;
	uint32_t max_concurrency;
	msec rescan;
	msec grace;
	long long stdout_cap, stderr_cap; /* bytes */
	long long output_cap; /* bytes of the outputs of one action */
	bool no_new_privs;
	int log_level;
	json_t *env;    /* object of text: what every action's environment gets; owned */
	json_t *queues; /* name -> {concurrency}; owned */
	json_t *breakers; /* name -> {failures, window_sec, open_sec}; owned */
	json_t *retention; /* how long executions are kept; NULL: for ever; owned */
	msec retry_after_most; /* how long a server may make an action wait */
	json_t *http;   /* {executor, allow_private, …}; owned */
	char *secrets_dir; /* where secrets are, beside $CREDENTIALS_DIRECTORY; or NULL */
	bool drain;
};

enum input_kind { INPUT_RESULT, INPUT_LOST, INPUT_UNSTARTED, INPUT_ADOPTED, INPUT_WITHDRAWN, INPUT_DECISION, INPUT_CONTROL,
		  INPUT_ORDER /* from the parent execution */ };

/* Something that happened to an execution, waiting for its turn. */
struct input {
	enum input_kind kind;
	uint32_t action, attempt;
	struct attempt_report report; /* RESULT */
	char *reason;                 /* LOST, UNSTARTED */
	struct request request;       /* DECISION, CONTROL, ORDER: its pointers are owned by the fields below */
	enum spool_dir dir;           /* where the file is */
	char *file;                   /* its name there */
	char *verb, *user, *comment;
	json_t *by, *inputs;
	char *typed; /* DECISION: what a person typed in; wiped with the input */
	long uid;
	json_t *mark;    /* CONTROL: which file it is */
	json_t *parent;  /* ORDER: the attempt that it comes from */
	uint32_t number; /* of the request that a decision cites; 0: none */
};

/* An execution that is not finished. */
struct live {
	uint32_t slot; /* its place in daemon.lives */
	struct plan *plan;
	struct exec *exec;
	uint32_t seq;
	char prev[SHA256_TAGGED];
	char plan_digest[SHA256_TAGGED]; /* of plan.json: what a request and its decision are about */
	uint32_t events_seq; /* commits whose lines were appended to events/ */
	uint32_t events_flushed; /* and are known to be on disk */
	uint64_t told_in;        /* the job that appended the last of them */
	bool ended_before;   /* loaded to be opened again */
	bool dirty;          /* in daemon.dirty */
	bool waiting_start;  /* in daemon.ready */
	bool is_parked;      /* in daemon.parked */
	bool state_old;      /* in daemon.stale */
	msec state_written;  /* monotonic */
	msec state_cost;     /* of the last writing, ms */
	msec deadline;       /* its entry in daemon.timers */
	struct events out;   /* decided in this turn */
	VEC(struct input) inputs;
	VEC(uint32_t) queued; /* actions committed to and not handed to a supervisor; from queued_at on */
	size_t queued_at;
	bool queuing; /* in daemon.queue */
};

/* A supervisor and the ways to talk to it (spares.h). */
struct supervisor {
	pid_t pid; /* 0: not known (adopted in its last moments) */
	int spec;  /* where the specification goes; -1: it is an earlier daemon's */
	int words; /* a socket for the words; -1: as above */
};

/* An attempt that a supervisor runs. */
struct running {
	struct live *live;
	uint32_t action, attempt;
	struct supervisor supervisor;
	int pidfd;        /* adopted: becomes readable when the supervisor ends; else -1 */
	bool adopted;
	bool before; /* an earlier daemon started it */
	bool ending; /* TERM was sent */
	msec again;   /* monotonic: not to be looked at before */
	msec trouble; /* monotonic: since when nothing can be said of it; 0: all is well */
};

/* One that a supervisor has, and that starts when its commit is durable. */
struct ready_child {
	struct live *live;
	uint32_t action, attempt;
	struct supervisor supervisor;
	bool done;   /* it was started, and is finished already */
	bool reaped; /* the supervisor ended, with this status */
	int status;
};

/* An attempt that is an execution of its own. */
struct sub {
	struct live *parent;
	uint32_t action, attempt;
	struct live *child; /* NULL: not begun */
	bool told_to_end;
	msec again; /* monotonic: it could not be begun, and is tried again then; or 0 */
	bool told;  /* that it could not */
};

/* A dropped plan that could not be judged yet: tmp/ID/claim.EXT. */
struct claim {
	char id[UUID_TEXT];
	const char *ext;
	char *name;    /* as it was dropped */
	msec at, wait; /* monotonic: tried again then; and after how long */
};

/* Which spool in which boot of which machine. */
struct lock_mark {
	unsigned long long dev, ino;
	char boot[40];
};

struct flush_job;
struct breakers;
struct apis;
struct http_catalog;
struct typed_item;

struct daemon {
	struct config config;
	const char *config_file;
	struct spool spool;
	int lock_fd;
	struct lock_mark mark; /* what creeld.lock says once this daemon has taken over */
	bool settled;          /* and it does */
	unsigned long long soft_nofile, soft_core; /* limits that we were started with */
	int epoll, signals, watch_event, flush_event;
	bool rebooted; /* the machine has been started anew since the last daemon */
	bool restored; /* the spool is a copy of the one that creeld.lock speaks of */
	VEC(char *) unloaded; /* active executions that could not be read, or closed, for want of descriptors, room and the like */
	msec unloaded_at;     /* monotonic: when they are tried again */
	unsigned unloaded_tries;
	bool reloading;
	bool recovering;   /* what an earlier daemon left is being taken over */
	bool among_others; /* processes may become our children that no attempt made */

	VEC(struct live *) lives; /* by slot; NULL where free */
	VEC(uint32_t) free_slots;
	struct map by_id;
	uint32_t n_lives;
	VEC(uint32_t) dirty; /* have inputs or timers */
	VEC(uint32_t) slow;  /* have conditions that the last turn had no time for */
	VEC(uint32_t) ready; /* have actions that may start */
	VEC(uint32_t) queue; /* have attempts for a supervisor */
	VEC(uint32_t) parked; /* have actions that wait for a lock or a queue */
	struct map held;      /* "r:RESOURCE" or "q:QUEUE" -> how many; keys in held_keys */
	VEC(char *) held_keys;
	struct breakers *breakers;
	struct apis *apis;            /* apis.h */
	struct http_catalog *catalog; /* definitions of HTTP actions */
	VEC(uint32_t) stale; /* have a state.json that lags */
	msec next_state; /* monotonic: not before then is a state.json of a busy execution written */
	struct heap timers;

	VEC(struct running) running;
	VEC(struct ready_child) ready_children; /* their slots are taken; empty without a job */
	VEC(struct supervisor) spares;
	size_t spares_wanted;
	msec last_start; /* monotonic */
	VEC(pid_t) lingering; /* supervisors, children of ours, whose result was taken before their end */
	struct http_pool *http_pool; /* connections that they share; NULL: no HTTP attempt was started yet */
	unsigned place; /* of the next supervisor: which processor it keeps to */
	int tokens; /* a file in memory that HTTP attempts share: access tokens, on no disk */
	VEC(struct sub) subs;
	msec deadlock_looked; /* monotonic: deadlock.c */
	size_t held_bytes; /* of outputs that were read since the last turn */
	int64_t steps;  /* on patterns in this turn: see core_has_more */
	bool reopening; /* an execution that had ended was loaded in this turn */
	uint32_t admitted_starts; /* committed to by admissions of this turn */
	msec dispatch_retry; /* monotonic: no supervisor could be started; again then; 0: all is well */

	pid_t gc;    /* the process that looks at the retention; 0: none */
	msec gc_due; /* monotonic: when the next one starts; 0: never */

	struct flush_job *job; /* in the flusher, or waiting to be tried again */
	uint64_t jobs;         /* that were done */
	uint64_t told_on_disk; /* what jobs before this one appended to events/ is on disk */
	msec job_retry;        /* monotonic: when; 0: it is in the flusher */
	char problem[400];     /* why nothing can be written; empty if it can */

	unsigned scan; /* bits 1 << enum spool_dir: look there */
	msec last_scan;
	msec held_since; /* monotonic: a turn is held back since then; 0: none is */
	/* Microseconds, of late: until a commit is durable; from one result to the next; and when the last one came. */
	int64_t flush_us, result_us, last_result;
	bool stop, reload;
	bool any_failed; /* an execution that ended in this life did not complete */
	uint64_t random;
	VEC(struct typed_item *) typed; /* typed.h */
	json_t *later;    /* dropped names that must wait: name -> what it looked like; forgotten at each rescan */
	json_t *personal; /* files below confirm/by/ that were looked at, and how they looked; see personal.c */
	msec last_look;   /* monotonic: when those of `later` were looked at */
	unsigned scan_number;
	bool more_in_inbox;
	VEC(struct claim) claims;
	json_t *stuck;    /* names in the inbox that cannot be moved, as of the last scan */
	json_t *told;     /* what was said of drops that stay where they are: not at each scan again */
	msec told_since;  /* monotonic */
	msec since;        /* wall clock: when this daemon started */
	msec clock_offset; /* wall clock minus monotonic, when it was looked at last: */
	msec clock_looked; /* monotonic */
	msec again_at, again_wait; /* something that was dropped could not be looked at: scan again then; 0: no need */
};

/* config.c */
int config_load(struct config *c, const char *file, struct err *e);
void config_free(struct config *c);

/* lives.c */
struct live *live_add(struct daemon *d, struct plan *plan, struct exec *x);
/* Let references of an execution load outputs that stand in a file only. */
void live_loads(struct daemon *d, struct exec *x);
struct live *live_find(struct daemon *d, const char *id);
void live_dirty(struct daemon *d, struct live *l);
struct input *live_input(struct daemon *d, struct live *l, enum input_kind kind, uint32_t action);
void input_free(struct input *in);
void live_remove(struct daemon *d, struct live *l);
void live_quarantine(struct daemon *d, const char *id, const char *reason);

/* recover.c */
int recover(struct daemon *d, struct err *e);
/* Try those again that could not be loaded.  Only between jobs. */
void recover_again(struct daemon *d);
/* Is this one of them? */
bool recover_waits(const struct daemon *d, const char *id);
/* restored.c: link every execution that has not ended as active, and forget what was announced. */
int restored_rebuild(struct daemon *d, struct err *e);
/* Take up what was put into active/ since: called at each rescan. */
void recover_joined(struct daemon *d);
/* Open a finished execution again, for a retry.  NULL: *e says why not. */
struct live *recover_finished(struct daemon *d, const char *id, struct err *e);

/* watch.c */
int watch_start(struct daemon *d, struct err *e);
unsigned watch_take(void); /* directories with news since the last call */

/* intake.c, drops.c */
void intake_scan(struct daemon *d, struct flush_job *j);
bool intake_is_empty(struct daemon *d);
/* Read the catalog and say which of its files are wrong, once for each version. */
void intake_report_catalog(struct daemon *d);
/* Finish what an earlier daemon had claimed.  -1: what there is cannot be told. */
int intake_claims(struct daemon *d, struct flush_job *j, struct err *e);
/* Is the dropped file whole: not open for writing, one link?  Remembers what must wait. */
bool drop_is_ready(struct daemon *d, int dir, const char *name);
/* Move a dropped file to rejected/ with its error file, and say so in events/. */
void drop_reject(struct daemon *d, int dir, const char *name, const char *shown, json_t *report);
/* The same for one that may hold what somebody typed in: what is kept of it only says so. */
void drop_reject_typed(struct daemon *d, int dir, const char *name, json_t *report);
json_t *drop_report(const char *file, const char *category, const char *message, const char *suggestion, long uid);
/* Something that was dropped could not be looked at: a scan follows, soon at first, then less often. */
void drop_again(struct daemon *d);
/* Say something about this drop?  Once in a while only: others can make as many as they like. */
bool drop_tell(struct daemon *d, const char *name, int code);
/* {uid, user}; NULL: it cannot be told now. */
json_t *person_of(long uid, struct err *e);

/* children.c */
int child_start(struct daemon *d, struct live *l, uint32_t action, struct err *e);
/* An attempt's supervisor ended (status as from waitpid) or may have (-1).  What came of it goes to the execution's
 * inputs; where it lives it is adopted; where nothing can be said now it is looked at again. */
void child_ended(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, int status);
/* Its supervisor is finished with it, and may take another. */
void child_done(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt, struct supervisor s, bool ending);
/* Somebody says that it has a result: only that counts. */
void child_announced(struct daemon *d, struct live *l, uint32_t action, uint32_t attempt);
void children_reap(struct daemon *d);
void child_adopt(struct daemon *d, struct live *l, uint32_t action, const struct attempt_process *p);
/* A descriptor of a supervisor is readable: its pidfd, or its words. */
void child_speaks(struct daemon *d, int fd);
void children_check_adopted(struct daemon *d);
void child_end(struct daemon *d, struct running *r);

/* spec.c, spec_http.c: the specification of an attempt for creel-run. -1: *e is why it cannot be made: EKEYREJECTED, it
 * cannot prove who it is; ENOKEY, what a person typed in is gone; EBADMSG, all else */
int spec_make(struct daemon *d, struct live *l, uint32_t action, struct buf *spec, struct err *e);

/* clock_back.c: before a turn, and again when it has seen what was dropped, whose time may be that of another clock. */
void clock_look(struct daemon *d);

/* turn.c */
enum { TURN_HOLD_MS = 10 };
void turn(struct daemon *d);
/* A turn of the core whose events go to out. */
struct turn turn_of(struct daemon *d, struct events *out, msec now);
bool turn_held(const struct daemon *d); /* the next turn waits for more results, but no longer than that */
/* turn_inputs.c: fold what arrived for l, and forget it.  Files that were dropped are kept, moved or refused by the job. */
void turn_take_inputs(struct daemon *d, struct live *l, struct turn *t, struct flush_job *j);
/* The starts that an admission's own commit can hold, so that a plan of one action costs two commits. */
void turn_first_starts(struct daemon *d, struct exec *x, struct turn *t);
/* What has to be written beside a commit: before its text is made, and after. */
void turn_before_commit(struct live *l, struct events *events, struct flush_job *j);
void turn_after_commit(struct daemon *d, struct live *l, const struct events *events, struct flush_job *j);
msec turn_deadline(struct daemon *d); /* wall clock, or 0 */

/* limits.c: what holds across executions: named locks and queues.  Counted anew in each turn, from what is committed
 * to and from nothing else, so that no slot can leak. */
void limits_count(struct daemon *d);
bool limits_allow(const struct daemon *d, const struct action *a);
/* Is there no room in lock ('r') or queue ('q') name? */
bool limits_full(const struct daemon *d, char kind, const char *name);
void limits_take(struct daemon *d, const struct action *a);
void limits_clear(struct daemon *d);

/* retention.c: what was kept long enough goes, by a process of its own (creel gc --background). */
void retention_plan(struct daemon *d, bool starting);
void retention_run(struct daemon *d);
void retention_stop(struct daemon *d);
/* Was this child that process? */
bool retention_ended(struct daemon *d, pid_t pid, int status);

/* dispatch.c */
void dispatch(struct daemon *d);
/* Could this attempt be handed to a supervisor now? */
bool dispatch_may(struct daemon *d, const struct live *l, uint32_t i, msec now);

/* flush.c */
int flusher_start(struct daemon *d, struct err *e);
void flusher_done(struct daemon *d); /* there is news of the job: it is durable, or done, or it failed */
void flusher_retry(struct daemon *d);
void flusher_finish(struct daemon *d); /* wait for the job in hand; at exit */

#endif
