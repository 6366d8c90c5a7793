#include "store/retention.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

static const char *const names[] = {
    [STORED_COMPLETED] = "completed", [STORED_FAILED] = "failed",         [STORED_CANCELLED] = "cancelled",
    [STORED_OPEN] = "not finished",   [STORED_UNREADABLE] = "unreadable",
};

const char *stored_status_name(enum stored_status s)
{
	return names[s];
}

int stored_status_parse(const char *name)
{
	int k;

	for (k = 0; k < STORED_ENDED_COUNT; k++)
		if (strcmp(names[k], name) == 0)
			return k;
	return -1;
}

/* ---- the rules ---- */

static const struct retention_rule no_limit = {RETENTION_NO_LIMIT, RETENTION_NO_LIMIT, RETENTION_NO_LIMIT};

void retention_clear(struct retention *r)
{
	int k;

	*r = (struct retention){.all = no_limit, .max_bytes = RETENTION_NO_LIMIT, .events = RETENTION_NO_LIMIT,
				.rejected = RETENTION_NO_LIMIT};
	for (k = 0; k < STORED_ENDED_COUNT; k++) {
		r->by[k] = no_limit;
		r->only[k] = true;
	}
}

static msec days(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return v ? (msec)(json_number_value(v) * 86400000) : RETENTION_NO_LIMIT;
}

static int64_t number(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return v ? json_integer_value(v) : RETENTION_NO_LIMIT;
}

static void read_rule(struct retention_rule *rule, const json_t *o)
{
	*rule = (struct retention_rule){days(o, "keep_days"), days(o, "min_days"), number(o, "max_executions")};
}

void retention_read(struct retention *r, const json_t *o)
{
	const json_t *by = json_object_get(o, "by_status");
	int k;

	retention_clear(r);
	read_rule(&r->all, o);
	for (k = 0; k < STORED_ENDED_COUNT; k++)
		read_rule(&r->by[k], json_object_get(by, names[k]));
	r->max_bytes = number(o, "max_bytes");
	r->events = days(o, "events_days");
	r->rejected = days(o, "rejected_days");
}

static msec keep_of(const struct retention *r, int status)
{
	return r->by[status].keep != RETENTION_NO_LIMIT ? r->by[status].keep : r->all.keep;
}

static msec min_of(const struct retention *r, int status)
{
	return r->by[status].min != RETENTION_NO_LIMIT ? r->by[status].min : r->all.min;
}

bool retention_limits_executions(const struct retention *r)
{
	int k;

	if (r->all.keep != RETENTION_NO_LIMIT || r->all.most != RETENTION_NO_LIMIT || r->max_bytes != RETENTION_NO_LIMIT)
		return true;
	for (k = 0; k < STORED_ENDED_COUNT; k++)
		if (r->by[k].keep != RETENTION_NO_LIMIT || r->by[k].most != RETENTION_NO_LIMIT)
			return true;
	return false;
}

bool retention_limits(const struct retention *r)
{
	return retention_limits_executions(r) || r->events != RETENTION_NO_LIMIT || r->rejected != RETENTION_NO_LIMIT;
}

static void narrow(struct retention_rule *rule, uint64_t stored)
{
	if (rule->most != RETENTION_NO_LIMIT && (uint64_t)rule->most >= stored)
		rule->most = RETENTION_NO_LIMIT;
}

void retention_narrow(struct retention *r, uint64_t stored)
{
	int k;

	narrow(&r->all, stored);
	for (k = 0; k < STORED_ENDED_COUNT; k++)
		narrow(&r->by[k], stored);
}

msec retention_cutoff(const struct retention *r, msec now)
{
	msec least = INT64_MAX;
	int k;

	if (r->all.most != RETENTION_NO_LIMIT || r->max_bytes != RETENTION_NO_LIMIT)
		return INT64_MAX;
	for (k = 0; k < STORED_ENDED_COUNT; k++) {
		if (!r->only[k])
			continue;
		if (r->by[k].most != RETENTION_NO_LIMIT)
			return INT64_MAX;
		if (keep_of(r, k) != RETENTION_NO_LIMIT && keep_of(r, k) < least)
			least = keep_of(r, k);
	}
	return least == INT64_MAX ? INT64_MIN : now - least;
}

/* ---- trees ---- */

/* One tree, or one execution where trees are broken. */
struct group {
	uint32_t root;
	enum stored_status status;
	msec ended;
	uint64_t bytes;
	uint32_t members;
	bool stuck; /* one of it must stay */
	enum verdict verdict;
};

static uint32_t find_root(uint32_t *above, uint32_t k)
{
	uint32_t root = k, next;

	while (above[root] != root)
		root = above[root];
	for (; k != root; k = next) { /* the next one has a shorter way */
		next = above[k];
		above[k] = root;
	}
	return root;
}

/* The root of each.  Where trees are broken, too, a child stays as long as its parent is active: that may still ask
 * what came of it. */
static void find_roots(const struct retention *r, struct stored *v, size_t n)
{
	uint32_t *above = xcalloc(n ? n : 1, sizeof *above);
	struct map by_id = MAP_INIT;
	uint32_t k;

	for (k = 0; k < n; k++)
		map_put(&by_id, v[k].id, k);
	for (k = 0; k < n; k++) {
		uint32_t parent = v[k].parent[0] ? map_get(&by_id, v[k].parent) : MAP_NONE;

		if (parent != MAP_NONE && r->break_trees && !v[parent].active && !v[parent].quarantined)
			parent = MAP_NONE;
		/* Ids grow with time, and a child is younger than its parent: records that say otherwise make no circle. */
		above[k] = parent != MAP_NONE && strcmp(v[parent].id, v[k].id) < 0 ? parent : k;
	}
	for (k = 0; k < n; k++)
		v[k].root = find_root(above, k);
	map_free(&by_id);
	free(above);
}

static enum verdict stays(const struct stored *s)
{
	if (s->active)
		return KEEP_ACTIVE;
	if (s->quarantined)
		return KEEP_QUARANTINED;
	return s->status >= STORED_ENDED_COUNT ? KEEP_UNREADABLE : KEEP;
}

static struct group *make_groups(struct stored *v, size_t n, size_t *count)
{
	struct group *g = xcalloc(n ? n : 1, sizeof *g);
	uint32_t *place = xcalloc(n ? n : 1, sizeof *place), k;

	*count = 0;
	for (k = 0; k < n; k++) {
		v[k].verdict = stays(&v[k]);
		if (v[k].root != k)
			continue;
		place[k] = (uint32_t)*count;
		g[(*count)++] = (struct group){.root = k, .status = v[k].status};
	}
	for (k = 0; k < n; k++) {
		struct group *own = &g[place[v[k].root]];

		own->stuck |= v[k].verdict != KEEP;
		own->members++;
		own->bytes += v[k].bytes;
		if (v[k].ended > own->ended)
			own->ended = v[k].ended;
	}
	free(place);
	return g;
}

/* ---- judging ---- */

static int oldest_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->ended != y->ended)
		return x->ended < y->ended ? -1 : 1;
	return x->root < y->root ? -1 : x->root > y->root;
}

static bool can_go(const struct retention *r, const struct group *g)
{
	return !g->stuck && g->status < STORED_ENDED_COUNT && r->only[g->status] && g->verdict == KEEP;
}

static bool is_protected(const struct retention *r, const struct group *g, msec now)
{
	msec min = min_of(r, g->status);

	return min != RETENTION_NO_LIMIT && g->ended > now - min;
}

static void by_age(const struct retention *r, struct group *g, size_t n, msec now)
{
	size_t k;

	for (k = 0; k < n; k++) {
		msec keep = can_go(r, &g[k]) ? keep_of(r, g[k].status) : RETENTION_NO_LIMIT;

		if (keep != RETENTION_NO_LIMIT && g[k].ended <= now - keep)
			g[k].verdict = GO_AGE;
	}
}

static uint64_t weight(const struct group *g, enum verdict why)
{
	return why == GO_SIZE ? g->bytes : g->members;
}

/* Of the groups with this status (any: STORED_ENDED_COUNT) the oldest go until no more than most is left. */
static void by_amount(const struct retention *r, struct group *g, size_t n, enum stored_status status, int64_t most,
		      enum verdict why, msec now)
{
	uint64_t there = 0;
	size_t k;

	if (most == RETENTION_NO_LIMIT)
		return;
	for (k = 0; k < n; k++)
		if (can_go(r, &g[k]) && (status == STORED_ENDED_COUNT || g[k].status == status))
			there += weight(&g[k], why);
	for (k = 0; k < n && there > (uint64_t)most; k++) {
		if (!can_go(r, &g[k]) || is_protected(r, &g[k], now) ||
		    (status != STORED_ENDED_COUNT && g[k].status != status))
			continue;
		g[k].verdict = why;
		there -= weight(&g[k], why);
	}
}

void retention_choose(const struct retention *r, struct stored *v, size_t n, msec now)
{
	struct group *g;
	size_t count, k;
	uint32_t *place;
	int s;

	find_roots(r, v, n);
	g = make_groups(v, n, &count);
	qsort(g, count, sizeof *g, oldest_first);
	by_age(r, g, count, now);
	for (s = 0; s < STORED_ENDED_COUNT; s++)
		by_amount(r, g, count, (enum stored_status)s, r->by[s].most, GO_STATUS_COUNT, now);
	by_amount(r, g, count, STORED_ENDED_COUNT, r->all.most, GO_COUNT, now);
	by_amount(r, g, count, STORED_ENDED_COUNT, r->max_bytes, GO_SIZE, now);
	place = xcalloc(n ? n : 1, sizeof *place);
	for (k = 0; k < count; k++)
		place[g[k].root] = (uint32_t)k;
	for (k = 0; k < n; k++) {
		const struct group *own = &g[place[v[k].root]];

		if (v[k].verdict == KEEP)
			v[k].verdict = own->stuck ? KEEP_TREE : own->verdict;
	}
	free(place);
	free(g);
}

/* ---- in words ---- */

/* "112 days", "5 hours", "0 seconds" */
static void put_time(struct buf *b, msec ms)
{
	static const struct {
		msec unit;
		const char *name;
	} units[] = {{86400000, "day"}, {3600000, "hour"}, {60000, "minute"}, {1000, "second"}};
	size_t k = 0;
	long long n;

	while (k < 3 && ms < units[k].unit)
		k++;
	n = ms / units[k].unit;
	buf_printf(b, "%lld %s%s", n, units[k].name, n == 1 ? "" : "s");
}

void retention_why(struct buf *b, const struct retention *r, const struct stored *v, const struct stored *all,
		   msec now)
{
	enum stored_status status = all[v->root].status;

	switch (v->verdict) {
	case KEEP:
		buf_puts(b, "no limit asks for it");
		break;
	case KEEP_ACTIVE:
		buf_puts(b, "it is not finished");
		break;
	case KEEP_QUARANTINED:
		buf_puts(b, "it is in quarantine");
		break;
	case KEEP_UNREADABLE:
		buf_puts(b, "its records do not say that it ended: see creel verify");
		break;
	case KEEP_TREE:
		buf_puts(b, "another of its tree must stay");
		break;
	case GO_AGE:
		buf_puts(b, "ended ");
		put_time(b, now - v->ended);
		buf_puts(b, " ago, kept for ");
		put_time(b, keep_of(r, status));
		break;
	case GO_STATUS_COUNT:
		buf_printf(b, "more than %lld %s ones", (long long)r->by[status].most, names[status]);
		break;
	case GO_COUNT:
		buf_printf(b, "more than %lld executions", (long long)r->all.most);
		break;
	case GO_SIZE:
		buf_printf(b, "more than %lld bytes", (long long)r->max_bytes);
		break;
	}
}
