#include "store/member.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/spool.h"

static int refuse(struct err *e, const char *why)
{
	return err_set(e, EBADMSG, "%s", why);
}

/* Parts that no file of ours can have, whatever it belongs to. */
static int check_parts(const char *path, struct err *e)
{
	unsigned depth = 0;
	const char *at;
	size_t n;

	if (path[0] == '/')
		return refuse(e, "it is absolute");
	if (strlen(path) > MEMBER_PATH_MAX)
		return refuse(e, "its name is too long");
	for (at = path; *at; at += n + (at[n] == '/')) {
		n = strcspn(at, "/");
		if (n == 0 || (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
			return refuse(e, "it leads elsewhere");
		if (n > MEMBER_NAME_MAX)
			return refuse(e, "its name is too long");
		if (++depth > MEMBER_DEPTH_MAX)
			return refuse(e, "it lies too deep");
	}
	return 0;
}

/* A number of ours: digits, no zero in front. */
static bool to_number(const char *s, size_t n, uint32_t *out)
{
	char text[16];
	uint64_t value;

	if (n == 0 || n > 10 || (s[0] == '0' && n > 1))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (!text_to_u64(text, &value) || value == 0 || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* 00000007.json, 00000007.json.torn */
static bool take_commit(const char *name, struct member *m)
{
	uint64_t seq = 0;
	size_t k;

	for (k = 0; k < 8; k++) {
		if (name[k] < '0' || name[k] > '9')
			return false;
		seq = seq * 10 + (uint64_t)(name[k] - '0');
	}
	m->number = (uint32_t)seq;
	m->kind = strcmp(name + 8, ".json") == 0 ? MEMBER_COMMIT : MEMBER_TORN;
	return seq > 0 && (m->kind == MEMBER_COMMIT || strcmp(name + 8, ".json.torn") == 0);
}

/* 00000007-cancel */
static bool take_control(const char *name, struct member *m)
{
	unsigned seq;
	int end = 0;

	m->kind = MEMBER_CONTROL;
	if (strspn(name, "0123456789") != 8 || name[8] != '-' || !name[9] || strchr(name, '/') ||
	    sscanf(name, "%8u%n", &seq, &end) != 1)
		return false;
	m->number = seq;
	return true;
}

/* ACTION, ACTION/N/…, ACTION/confirm-N/… */
static bool take_action(const char *name, struct member *m)
{
	static const char confirm[] = "confirm-";
	size_t n = strcspn(name, "/"), skip;
	const char *next;

	if (n == 0 || n >= sizeof m->action)
		return false;
	memcpy(m->action, name, n);
	m->action[n] = '\0';
	if (!instance_id_is(m->action))
		return false;
	m->kind = MEMBER_ACTION;
	next = name + n + (name[n] == '/');
	if (!*next)
		return true;
	skip = text_starts_with(next, confirm) ? strlen(confirm) : 0;
	m->kind = skip ? MEMBER_CONFIRM : MEMBER_ATTEMPT;
	n = strcspn(next, "/");
	if (n < skip || !to_number(next + skip, n - skip, &m->number))
		return false;
	m->below = next + n + (next[n] == '/');
	return true;
}

static bool take_rest(const char *rest, struct member *m)
{
	static const struct {
		const char *name;
		enum member_kind kind;
	} fixed[] = {
	    {"", MEMBER_TOP},	      {"journal", MEMBER_TOP},	      {"journal/", MEMBER_TOP},
	    {"actions", MEMBER_TOP},  {"actions/", MEMBER_TOP},	      {"control", MEMBER_TOP},
	    {"control/", MEMBER_TOP}, {"plan.json", MEMBER_PLAN},     {"state.json", MEMBER_STATE},
	    {"empty.json", MEMBER_EMPTY}, {"source.yaml", MEMBER_SOURCE}, {"source.yml", MEMBER_SOURCE},
	    {"source.json", MEMBER_SOURCE},
	};
	size_t k;

	for (k = 0; k < sizeof fixed / sizeof *fixed; k++)
		if (strcmp(fixed[k].name, rest) == 0) {
			m->kind = fixed[k].kind;
			return true;
		}
	if (text_starts_with(rest, "journal/"))
		return take_commit(rest + 8, m);
	if (text_starts_with(rest, "control/"))
		return take_control(rest + 8, m);
	return text_starts_with(rest, "actions/") && take_action(rest + 8, m);
}

int member_parse_rest(const char *rest, struct member *m, struct err *e)
{
	if (check_parts(rest, e) < 0)
		return -1;
	m->rest = rest;
	m->below = "";
	m->action[0] = '\0';
	m->number = 0;
	return take_rest(rest, m) ? 0 : refuse(e, "no execution has a file of that name");
}

int member_parse(const char *path, struct member *m, struct err *e)
{
	char day[SPOOL_PATH_MAX];
	const char *top = spool_dir_name(SPOOL_EXECUTIONS), *at = path;
	size_t n = strlen(top);

	*m = (struct member){.rest = "", .below = ""};
	if (check_parts(path, e) < 0)
		return -1;
	if (strncmp(at, top, n) != 0 || (at[n] && at[n] != '/'))
		return refuse(e, "it does not lie in a directory of executions");
	at += n + (at[n] == '/');
	n = strcspn(at, "/");
	if (!*at || !at[n + (at[n] == '/')])
		return 0; /* ABOVE */
	at += n + 1;
	n = strcspn(at, "/");
	if (n != UUID_TEXT - 1)
		return refuse(e, "it does not belong to an execution");
	memcpy(m->id, at, n);
	if (!uuid_is_v7(m->id))
		return refuse(e, "it does not belong to an execution");
	spool_execution_day(m->id, day);
	if (strncmp(path, day, strlen(day)) != 0 || path[strlen(day)] != '/')
		return refuse(e, "its day is not that of its execution");
	return member_parse_rest(at + n + (at[n] == '/'), m, e);
}

bool member_is_dir(const struct member *m)
{
	switch (m->kind) {
	case MEMBER_ABOVE:
	case MEMBER_TOP:
	case MEMBER_ACTION:
		return true;
	case MEMBER_ATTEMPT:
	case MEMBER_CONFIRM:
		return !*m->below;
	default:
		return false;
	}
}
