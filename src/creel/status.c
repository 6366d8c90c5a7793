#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "creel/breakers.h"
#include "creel/common.h"
#include "creel/http_status.h"
#include "creel/json.h"
#include "creel/options.h"
#include "creel/show_text.h"

/* Below these things are about to go wrong. */
enum { FEW_INODES = 100000, FEW_BYTES = 256 * 1024 * 1024 };

struct report {
	struct daemon_info daemon;
	long active, asking, inbox, rejected, quarantined; /* -1: cannot be read */
	unsigned long long bytes, inodes;
	bool room;         /* bytes and inodes are known */
	bool no_inodes;    /* the file system does not count them */
	json_t *problem;   /* problem.json, or NULL */
	json_t *breakers;  /* those that are not closed; NULL: cannot be read */
	json_t *http;      /* http_status.h */
};

static bool any_drop(const char *name)
{
	return !spool_ignored_name(name);
}

static bool is_request(const char *name)
{
	return !spool_ignored_name(name) && text_ends_with(name, ".request.json");
}

static bool is_rejection(const char *name)
{
	return !spool_ignored_name(name) && text_ends_with(name, ".error.json");
}

static long count(struct cli *c, enum spool_dir d, bool (*fits)(const char *))
{
	int fd = openat(c->spool.fd[SPOOL_ROOT], spool_dir_name(d), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *handle = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	long n = 0;

	if (!handle) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(handle)))
		n += fits(entry->d_name);
	closedir(handle);
	return n;
}

static void look(struct cli *c, struct report *r)
{
	*r = (struct report){0};
	daemon_look(c, &r->daemon);
	r->active = count(c, SPOOL_ACTIVE, uuid_is_v7);
	r->asking = count(c, SPOOL_CONFIRM, is_request);
	r->inbox = count(c, SPOOL_INBOX, any_drop);
	r->rejected = count(c, SPOOL_REJECTED, is_rejection);
	r->quarantined = count(c, SPOOL_QUARANTINE, uuid_is_v7);
	r->room = spool_room(&c->spool, &r->bytes, &r->inodes) == 0;
	r->no_inodes = r->room && r->inodes == 0; /* btrfs and the like report none */
	r->problem = json_read(c->spool.fd[SPOOL_ROOT], "problem.json", NULL);
	r->breakers = breakers_read(c);
	r->http = http_status_read(c);
}

static bool few_inodes(const struct report *r)
{
	return r->room && !r->no_inodes && r->inodes < FEW_INODES;
}

static bool few_bytes(const struct report *r)
{
	return r->room && r->bytes < FEW_BYTES;
}

/* ---- for programs ---- */

static void set_count(json_t *o, const char *key, long n)
{
	json_object_set_new(o, key, n < 0 ? json_null() : json_integer(n));
}

static void print_json(struct cli *c, const struct report *r)
{
	json_t *o = json_object(), *d = json_object();
	uint64_t pid;

	json_object_set_new(d, "running", r->daemon.unknown ? json_null() : json_boolean(r->daemon.runs));
	if (text_to_u64(r->daemon.pid, &pid))
		json_object_set_new(d, "pid", json_integer((json_int_t)pid));
	if (*r->daemon.version)
		json_object_set_new(d, "version", json_string(r->daemon.version));
	json_object_set_new(o, "spool", json_string(c->spool.path));
	json_object_set_new(o, "daemon", d);
	set_count(o, "active", r->active);
	set_count(o, "asking", r->asking);
	set_count(o, "inbox", r->inbox);
	set_count(o, "rejected", r->rejected);
	set_count(o, "quarantined", r->quarantined);
	if (r->room) {
		json_object_set_new(o, "freeBytes", json_integer((json_int_t)r->bytes));
		json_object_set_new(o, "freeInodes", r->no_inodes ? json_null() : json_integer((json_int_t)r->inodes));
	}
	json_object_set(o, "problem", r->problem ? r->problem : json_null());
	json_object_set(o, "breakers", r->breakers ? r->breakers : json_null());
	json_object_update(o, r->http);
	json_print(o);
	json_decref(o);
}

/* ---- for people ---- */

static void put_daemon(struct buf *b, struct cli *c, const struct term *t, const struct report *r)
{
	buf_puts(b, "daemon       ");
	if (r->daemon.unknown) {
		buf_puts(b, "unknown: creeld.lock cannot be read\n");
		return;
	}
	if (r->daemon.runs) {
		put_tone(b, t, TONE_GOOD, "running");
		buf_puts(b, ", pid ");
		put_safe(b, r->daemon.pid);
		buf_puts(b, ", version ");
		put_safe(b, r->daemon.version);
		buf_putc(b, '\n');
		return;
	}
	put_tone(b, t, TONE_BAD, "not running");
	buf_puts(b, "; start it with \"creeld --spool ");
	put_safe(b, c->spool.path);
	buf_puts(b, "\"\n");
	if (r->daemon.moved)
		buf_puts(b, "             (the spool was copied from elsewhere: the next start scans all of it)\n");
}

static void put_number(struct buf *b, const struct term *t, const char *label, long n, enum tone tone,
		       const char *hint)
{
	char number[24];

	buf_printf(b, "%-12s ", label);
	if (n < 0) {
		buf_puts(b, "you may not read it\n");
		return;
	}
	snprintf(number, sizeof number, "%ld", n);
	put_tone(b, t, n > 0 ? tone : TONE_PLAIN, number);
	if (n > 0 && hint)
		buf_printf(b, "   %s", hint);
	buf_putc(b, '\n');
}

static void put_room(struct buf *b, const struct term *t, const struct report *r)
{
	if (!r->room)
		return;
	buf_puts(b, "free         ");
	put_bytes(b, r->bytes);
	if (!r->no_inodes)
		buf_printf(b, ", %llu inodes", r->inodes);
	buf_putc(b, '\n');
	if (few_bytes(r) || few_inodes(r)) {
		put_tone(b, t, TONE_BAD, "warning");
		buf_printf(b, "      few %s are left; every commit is a file, and what is over stays until it is removed: see "
			      "\"creel help gc\", and the retention at the end of what \"creel init\" prints\n",
			   few_inodes(r) ? "inodes" : "bytes");
	}
}

static void print_text(struct cli *c, const struct report *r)
{
	AUTO_BUF struct buf b = BUF_INIT;
	struct term t;

	term_look(STDOUT_FILENO, &t);
	buf_puts(&b, "spool        ");
	put_safe(&b, c->spool.path);
	buf_putc(&b, '\n');
	put_daemon(&b, c, &t, r);
	if (r->problem) {
		put_tone(&b, &t, TONE_BAD, "problem");
		buf_puts(&b, "      ");
		put_safe(&b, json_text_or_empty(r->problem, "message"));
		buf_puts(&b, ", since ");
		put_time(&b, json_text(r->problem, "since"));
		buf_puts(&b, " UTC: nothing new starts; it goes on by itself when writing works again\n");
	}
	put_number(&b, &t, "active", r->active, TONE_BUSY, "creel ls --active");
	put_number(&b, &t, "asking", r->asking, TONE_WARN, "creel pending");
	put_number(&b, &t, "inbox", r->inbox, TONE_PLAIN, r->daemon.runs ? NULL : "wait for a daemon");
	put_number(&b, &t, "rejected", r->rejected, TONE_WARN, "the reasons are in rejected/*.error.json");
	put_number(&b, &t, "quarantined", r->quarantined, TONE_BAD, "the reasons are in quarantine/*.reason.json");
	put_breakers(&b, &t, r->breakers);
	put_http_status(&b, &t, r->http);
	put_room(&b, &t, r);
	put_out(&b, stdout);
}

static int run(struct cli *c, int argc, char **argv)
{
	bool json = false;
	const struct opt opts[] = {{"json", 0, OPT_FLAG, &json}};
	struct report r;
	int status;

	if (!options(c, &verb_status, opts, COUNT(opts), &argc, &argv, &status))
		return status;
	if (argc > 0)
		return usage(&verb_status, "it is about the whole spool; \"creel show %s\" shows an execution", argv[0]);
	if (cli_spool(c) < 0)
		return EXIT_UNABLE;
	look(c, &r);
	if (json)
		print_json(c, &r);
	else
		print_text(c, &r);
	status = (r.daemon.runs || r.daemon.unknown) && !r.problem ? EXIT_DONE : EXIT_NO;
	json_decref(r.problem);
	json_decref(r.breakers);
	json_decref(r.http);
	return status;
}

const struct verb verb_status = {
    "status",
    "[--json]",
    "show how the daemon and the spool are\n"
    "\n"
    "Whether a daemon is alive, how many executions are active, how many decisions\n"
    "are asked for, what lies in the inbox, in rejected/ and in quarantine/, which\n"
    "circuit breakers are open, which APIs are left alone, what counts against rate\n"
    "limits, which files of the catalog cannot be used, and how much room there is.\n"
    "\n"
    "  --json  {spool, daemon: {running, pid, version}, active, asking, inbox,\n"
    "          rejected, quarantined, freeBytes, freeInodes, problem: null or\n"
    "          {since, message}, breakers: [those not closed, as in breakers/], apis:\n"
    "          [those left alone, as in apis/], limits: [{key, windowMs, sent}],\n"
    "          catalog: {definitions, apis, wrong: [{file, line, column, message,\n"
    "          suggestion}]}}\n"
    "\n"
    "exit status: 0 a daemon runs and can write; 1 none runs, or it cannot; 2 the\n"
    "spool cannot be read\n",
    run,
};
