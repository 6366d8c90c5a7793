#include "creeld/apis.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "creeld/apis_impl.h"
#include "model/error.h"
#include "store/trace.h"

/* ---- finding ---- */

struct api *apis_get(struct daemon *d, const char *key)
{
	uint32_t k = map_get(&d->apis->index, key);
	struct api *a;

	if (k != MAP_NONE)
		return d->apis->all.v[k];
	a = xcalloc(1, sizeof *a);
	a->key = xstrdup(key);
	a->name = strchr(a->key, ' ') ? strchr(a->key, ' ') + 1 : a->key;
	a->answer = -1;
	map_put(&d->apis->index, a->key, (uint32_t)d->apis->all.n);
	vec_push(&d->apis->all, a);
	return a;
}

struct limit *apis_limit(struct daemon *d, const char *key)
{
	uint32_t k = map_get(&d->apis->limit_index, key);
	struct limit *l;

	if (k != MAP_NONE)
		return d->apis->limits.v[k];
	l = xcalloc(1, sizeof *l);
	l->key = xstrdup(key);
	map_put(&d->apis->limit_index, l->key, (uint32_t)d->apis->limits.n);
	vec_push(&d->apis->limits, l);
	return l;
}

void apis_drop_limit(struct daemon *d, size_t place)
{
	struct limit *l = d->apis->limits.v[place], *last = d->apis->limits.v[--d->apis->limits.n];

	map_del(&d->apis->limit_index, l->key);
	if (last != l) {
		d->apis->limits.v[place] = last;
		map_put(&d->apis->limit_index, last->key, (uint32_t)place);
	}
	window_free(&l->w);
	free(l->key);
	free(l);
}

/* What is parked for this action; NULL: it sends nothing, or is one of a kind. */
static char *api_key(const struct action *a)
{
	if (a->http && a->api)
		return xasprintf("api %s", a->api->id);
	return a->http && a->pinned ? xasprintf("definition %s", a->pinned->id) : NULL;
}

static struct api *api_of(struct daemon *d, const struct action *a, bool make)
{
	AUTO_FREE char *key = api_key(a);

	if (!key || (!make && map_get(&d->apis->index, key) == MAP_NONE))
		return NULL;
	return apis_get(d, key);
}

static struct park_rule rule_of(const struct action *a)
{
	return a->api ? a->api->park : (struct park_rule){PARK_RESPECT_RESET, 1000, 15 * 60 * 1000};
}

static struct limit *limit_of(struct daemon *d, const struct exec *x, uint32_t i)
{
	const struct action *a = &x->plan->actions[i];
	const char *user = json_string_value(json_object_get(x->plan->submitted_by, "user"));
	AUTO_FREE char *key = NULL;

	if (!a->pinned || a->pinned->rate.requests == 0)
		return NULL;
	switch (a->pinned->rate.scope) {
	case RATE_PER_USER:
		key = xasprintf("per_user %s %s", a->pinned->id, user ? user : "");
		break;
	case RATE_PER_IP:
		key = xasprintf("per_ip %s", a->pinned->host);
		break;
	default:
		key = xasprintf("global %s", a->pinned->id);
		break;
	}
	return apis_limit(d, key);
}

/* ---- what is under way ---- */

static void count(struct daemon *d, const struct live *l, uint32_t i)
{
	struct limit *limit = limit_of(d, l->exec, i);

	if (limit)
		limit->under_way++;
}

/* Its end has arrived and is not folded: it still counts, and will be counted off then. */
static bool is_end(const struct live *l, const struct input *in)
{
	bool about_attempt = in->kind == INPUT_RESULT || in->kind == INPUT_LOST || in->kind == INPUT_UNSTARTED ||
			     in->kind == INPUT_WITHDRAWN;

	return about_attempt && in->action != NO_ACTION && l->exec->a[in->action].phase == PH_RUNNING &&
	       l->exec->a[in->action].attempt == in->attempt;
}

void apis_count(struct daemon *d)
{
	size_t k, n;

	for (k = 0; k < d->apis->limits.n; k++) {
		d->apis->limits.v[k]->under_way = 0;
		d->apis->limits.v[k]->opens = 0;
	}
	for (k = 0; k < d->running.n; k++)
		count(d, d->running.v[k].live, d->running.v[k].action);
	for (k = 0; k < d->queue.n; k++) {
		const struct live *l = d->lives.v[d->queue.v[k]];

		for (n = l->queued_at; n < l->queued.n; n++)
			count(d, l, l->queued.v[n]);
	}
	for (k = 0; k < d->dirty.n; k++) {
		const struct live *l = d->lives.v[d->dirty.v[k]];

		for (n = 0; n < l->inputs.n; n++)
			if (is_end(l, &l->inputs.v[n]))
				count(d, l, l->inputs.v[n].action);
	}
}

/* ---- asking ---- */

static bool is_probe(const struct api *a, const struct exec *x, uint32_t i, uint32_t attempt)
{
	return a->p.state == PARK_PROBING && a->attempt == attempt && strcmp(a->execution, x->id) == 0 && a->action &&
	       strcmp(a->action, x->plan->actions[i].id) == 0;
}

/* An API with a health check is asked first, and instead of a probe. */
static bool waits_for_check(struct api *a, const struct action *pa, msec now)
{
	if (!pa->api || !pa->api->health)
		return false;
	if (a->entry != pa->api->entry) {
		json_decref(a->entry);
		a->entry = json_incref(pa->api->entry);
		a->rule = rule_of(pa);
	}
	if (!a->healthy || parking_due(&a->p, now))
		a->wanted = true;
	return a->wanted || a->check;
}

static bool is_parked(struct daemon *d, const struct exec *x, uint32_t i, msec now)
{
	const struct action *pa = &x->plan->actions[i];
	struct api *a = api_of(d, pa, pa->api && pa->api->health);

	if (!a)
		return false;
	if (parking_holds(&a->p, now))
		return x->a[i].phase != PH_RUNNING || !is_probe(a, x, i, x->a[i].attempt);
	return waits_for_check(a, pa, now);
}

static bool is_full(struct daemon *d, const struct exec *x, uint32_t i, msec now)
{
	struct limit *l = limit_of(d, x, i);
	const struct rate_limit *rate;
	msec opens;

	if (!l || x->a[i].phase == PH_RUNNING)
		return false;
	rate = &x->plan->actions[i].pinned->rate;
	if (window_has_room(&l->w, rate, l->under_way, now))
		return false;
	opens = window_opens(&l->w, rate, l->under_way, now);
	if (opens && (!l->opens || opens < l->opens))
		l->opens = opens;
	return true;
}

bool apis_hold(struct daemon *d, const struct exec *x, uint32_t i, msec now)
{
	if (!x->plan->actions[i].http)
		return false;
	return is_parked(d, x, i, now) || is_full(d, x, i, now);
}

static bool failed_input(const struct live *l, const struct input *in, const char *key)
{
	const struct attempt_result *r = &in->report.result;
	AUTO_FREE char *of = in->action == NO_ACTION ? NULL : api_key(&l->plan->actions[in->action]);

	return in->kind == INPUT_RESULT && of && strcmp(of, key) == 0 &&
	       (r->outcome != ATTEMPT_EXITED || r->status != 0 || r->error);
}

bool apis_unsettled(const struct daemon *d, const struct exec *x, uint32_t i)
{
	AUTO_FREE char *key = api_key(&x->plan->actions[i]);
	size_t k, n;

	for (k = 0; key && k < d->dirty.n; k++) {
		const struct live *l = d->lives.v[d->dirty.v[k]];

		for (n = 0; n < l->inputs.n; n++)
			if (failed_input(l, &l->inputs.v[n], key))
				return true;
	}
	return false;
}

/* ---- what happened ---- */

void apis_because(struct api *a, const char *message, const char *execution, const char *action, msec now)
{
	char when[CLOCK_TEXT];

	clock_format(now, when);
	json_decref(a->last);
	a->last = json_pack("{s:s, s:s}", "message", message, "at", when);
	if (execution)
		json_object_set_new(a->last, "execution", json_string(execution));
	if (action)
		json_object_set_new(a->last, "action", json_string(action));
}

void apis_step(struct api *a, enum park_event event, msec reset, msec now)
{
	enum park_state before = a->p.state;
	const char *why = json_string_value(json_object_get(a->last, "message"));
	char when[CLOCK_TEXT];

	if (!parking_step(&a->p, &a->rule, event, reset, now))
		return;
	a->changed = true;
	if (a->p.state == before)
		return;
	clock_format(a->p.until, when);
	if (a->p.state == PARK_PARKED)
		log_warn("%s is left alone until %s: %s", a->key, when, why ? why : "it is limited");
	else
		log_info("%s %s", a->key, a->p.state == PARK_OPEN ? "is used again" : "is tried");
}

void apis_committed(struct daemon *d, const struct exec *x, uint32_t i, msec now)
{
	const struct action *pa = &x->plan->actions[i];
	struct limit *l = pa->http ? limit_of(d, x, i) : NULL;
	struct api *a = pa->http ? api_of(d, pa, false) : NULL;

	if (l)
		l->under_way++;
	if (!a || !parking_due(&a->p, now) || (pa->api && pa->api->health))
		return;
	strcpy(a->execution, x->id);
	free(a->action);
	a->action = xstrdup(pa->id);
	a->attempt = x->a[i].attempt;
	a->rule = rule_of(pa);
	apis_step(a, PARK_PROBE, 0, now);
}

/* What the replies said. */
struct said {
	bool limited;
	bool empty;  /* nothing is left until the reset */
	msec reset;  /* 0: not said */
	bool answered;
};

static msec time_in(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	msec at;

	return text && clock_parse(text, &at) ? at : 0;
}

static struct said listen(const json_t *trace, const json_t *error, msec now)
{
	enum error_category c = error ? error_category_of(error) : ERROR_CATEGORY_COUNT;
	struct said s = {.reset = time_in(error, "retryAfter")};
	size_t k;

	s.limited = c == ERROR_RATE_LIMIT_BURST || c == ERROR_RATE_LIMIT_DAILY;
	for (k = json_array_size(trace); k-- > 0;) {
		json_t *entry = json_array_get(trace, k), *limit = json_object_get(entry, "rateLimit");
		json_t *left = json_object_get(limit, "remaining");

		s.answered = s.answered || json_object_get(entry, "response");
		if (!limit)
			continue;
		s.limited = s.limited || json_is_true(json_object_get(limit, "limited"));
		if (time_in(limit, "resetAt"))
			s.reset = time_in(limit, "resetAt");
		s.empty = json_is_number(left) && json_number_value(left) < 1 && s.reset > now;
		break; /* the last one that says something about it */
	}
	return s;
}

/* Did it reach the server, as far as one can tell? */
static bool was_sent(const json_t *entry)
{
	const char *kind = json_string_value(json_object_get(entry, "kind"));
	json_t *error = json_object_get(entry, "error");

	if (kind && strcmp(kind, "token") == 0)
		return false;
	/* A connection that was reset is no refusal if the request had been written by then. */
	return json_object_get(entry, "response") || !error ||
	       error_category_of(error) != ERROR_NETWORK_CONNECTION_REFUSED ||
	       json_number_value(json_object_get(json_object_get(entry, "timings"), "sent")) > 0;
}

/* When the server had counted the last request, at the latest: its reply had begun by then.  Reckoned back from the end
 * of the attempt, so that nothing is lost that came before its first time stamp. */
static msec sent_at(const json_t *trace, msec ended)
{
	json_t *timings = json_object_get(json_array_get(trace, json_array_size(trace) - 1), "timings");
	json_t *first = json_object_get(timings, "firstByte"), *total = json_object_get(timings, "total");
	double reply = json_number_value(total) - json_number_value(first);

	return json_is_number(first) && json_is_number(total) && reply > 0 && reply < 1e9 ? ended - (msec)reply : ended;
}

static void count_off(struct limit *l, const json_t *trace, bool sent, msec ended)
{
	uint32_t n = 0;
	size_t k;
	json_t *entry;

	if (l->under_way > 0)
		l->under_way--;
	if (!sent)
		return;
	l->changed = true;
	json_array_foreach((json_t *)trace, k, entry)
		n += was_sent(entry);
	window_sent(&l->w, trace ? sent_at(trace, ended) : ended, trace ? n : 1);
}

static bool says_nothing(const json_t *error, bool sent)
{
	return !sent || (error && error_category_of(error) == ERROR_USER_CANCELLED);
}

void apis_ended(struct daemon *d, const struct exec *x, uint32_t i, uint32_t attempt, const json_t *error, msec ended,
		msec now)
{
	const struct action *pa = &x->plan->actions[i];
	struct limit *l = pa->http ? limit_of(d, x, i) : NULL;
	json_t *trace = NULL;
	bool probe, sent = ended != NOT_SENT;
	struct said s;
	struct api *a;

	if (!pa->http)
		return;
	if (ended > now)
		ended = now;
	if (sent)
		trace = trace_read(&d->spool, x->id, pa->id, attempt);
	if (l)
		count_off(l, trace, sent, ended);
	s = listen(trace, error, now);
	json_decref(trace);
	a = api_of(d, pa, s.limited || s.empty);
	if (!a)
		return;
	a->rule = rule_of(pa);
	probe = is_probe(a, x, i, attempt);
	if (s.limited || s.empty)
		apis_because(a, s.limited ? json_string_value(json_object_get(error, "message"))
					    ? json_string_value(json_object_get(error, "message"))
					    : "a reply said that it is limited"
					  : "nothing is left of its limit",
			     x->id, pa->id, now);
	if (probe)
		apis_step(a, s.limited ? PARK_PROBE_LIMITED : says_nothing(error, sent) ? PARK_PROBE_GONE : PARK_PROBE_PASSED,
			  s.reset, now);
	if (!probe && s.limited)
		apis_step(a, PARK_LIMITED, s.reset, now);
	if (!s.limited && s.empty)
		apis_step(a, PARK_LIMITED, s.reset, now);
}

static bool probe_runs(struct daemon *d, const struct api *a)
{
	const struct live *l = live_find(d, a->execution);
	uint32_t i = l && a->action ? plan_find(l->plan, a->action) : NO_ACTION;

	if (!a->execution[0])
		return a->check != 0;
	return i != NO_ACTION && l->exec->a[i].phase == PH_RUNNING && l->exec->a[i].attempt == a->attempt;
}

void apis_check(struct daemon *d, msec now)
{
	size_t k;

	d->apis->checked = now;
	for (k = 0; k < d->apis->all.n; k++)
		if (d->apis->all.v[k]->p.state == PARK_PROBING && !probe_runs(d, d->apis->all.v[k]))
			apis_step(d->apis->all.v[k], PARK_PROBE_GONE, 0, now);
}

static msec sooner(msec a, msec b)
{
	return !a || (b && b < a) ? b : a;
}

/* What is due already was looked at in the last turn; whoever it held could go. */
msec apis_deadline(const struct daemon *d)
{
	msec at = 0;
	size_t k;

	for (k = 0; k < d->apis->all.n; k++) {
		const struct parking *p = &d->apis->all.v[k]->p;

		if (p->state == PARK_PARKED && p->until > d->apis->checked)
			at = sooner(at, p->until);
	}
	for (k = 0; k < d->apis->limits.n; k++)
		if (d->apis->limits.v[k]->opens > d->apis->checked)
			at = sooner(at, d->apis->limits.v[k]->opens);
	return at;
}
