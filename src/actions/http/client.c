#include "actions/http/client.h"

#include <arpa/inet.h>
#include <curl/curl.h> /* its numbers; nothing of it is linked */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/http/decode.h"
#include "actions/http/reply.h"
#include "actions/http/url.h"
#include "base/mem.h"

volatile sig_atomic_t client_cancelled;

/* The other process has its own clock; ours is for when it hangs. */
enum { GRACE_MS = 300, TICK_MS = 100 };

struct transfer {
	struct client *client;
	struct exchange *x;
	struct reply_reader reader;
	struct decoder *decoder;
	bool spill;
	bool done; /* all that there is to say was said */
	bool tls_closed;
	msec last_byte_mono; /* 0: no byte of an answer came yet */
};

void client_find_way(struct client_way *w)
{
	static const char name[] = "creel-http-wire";
	ssize_t n = readlink("/proc/self/exe", w->program, sizeof w->program - sizeof name - 1);
	char *slash;

	w->pool = getenv("CREEL_POOL");
	w->program[n > 0 ? n : 0] = '\0';
	slash = strrchr(w->program, '/');
	strcpy(slash ? slash + 1 : w->program, name);
}

void client_open(struct client *c, const struct job *j, int dir, const struct redact *secrets, const struct client_way *w)
{
	*c = (struct client){.job = j, .secrets = secrets, .dir = dir};
	channel_open(&c->channel, w->pool, w->program);
}

void client_close(struct client *c)
{
	channel_close(&c->channel);
}

static void stop(struct exchange *x, enum stop why, const char *text)
{
	if (x->stop != STOP_NONE)
		return;
	x->stop = why;
	snprintf(x->message, sizeof x->message, "%s", text);
}

static void broke(struct exchange *x, int code, const char *text)
{
	x->curl = code;
	snprintf(x->message, sizeof x->message, "%s", text);
}

/* ---- what comes ---- */

static int to_body(void *data, const char *p, size_t n, struct err *e)
{
	return body_take(data, p, n, e);
}

static bool begin_body(struct transfer *t, struct err *e)
{
	struct exchange *x = t->x;
	const struct limits *l = &t->client->job->limits;
	struct body_limits limits = {l->response, l->inline_body, t->spill && x->status < 300};

	body_init(&x->body, t->client->dir, "body", &limits, t->client->secrets);
	t->decoder = decoder_new(headers_get(&x->reply, "Content-Encoding"), to_body, &x->body, e);
	return t->decoder != NULL;
}

static void take_data(struct transfer *t, const char *p, size_t n)
{
	struct err e = {0};

	if ((t->decoder || begin_body(t, &e)) && decoder_feed(t->decoder, p, n, &e) == 0)
		return;
	stop(t->x, e.code == EFBIG ? STOP_BODY : e.code == EBADMSG ? STOP_CODING : STOP_DISK, e.text);
}

/* The request's head as it went out. */
static void take_sent(struct exchange *x, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p)), *colon;
		size_t length = newline ? (size_t)(newline - p) : (size_t)(end - p);
		AUTO_FREE char *line = xstrndup(p, length);

		line[strcspn(line, "\r")] = '\0';
		colon = strchr(line, ':');
		if (colon && colon > line) {
			AUTO_FREE char *name = xstrndup(line, (size_t)(colon - line));

			if (header_name_ok(name))
				headers_add(&x->sent_headers, name, colon + 1 + strspn(colon + 1, " "));
		}
		p += length + 1;
	}
}

static double ms(const json_t *list, size_t i)
{
	return json_number_value(json_array_get(list, i));
}

static void take_timings(struct timings *t, const json_t *list)
{
	t->dns = ms(list, 0);
	t->connect = ms(list, 1) > t->dns ? ms(list, 1) - t->dns : 0;
	t->tls = ms(list, 2) > ms(list, 1) ? ms(list, 2) - ms(list, 1) : 0;
	t->sent = ms(list, 3);
	t->first_byte = ms(list, 4);
	t->total = ms(list, 5);
}

static void take_done(struct transfer *t, const char *p, size_t n)
{
	json_t *o = json_loadb(p, n, 0, NULL);
	struct exchange *x = t->x;
	const char *message = job_text(o, "message"), *refused = job_text(o, "refused"), *version = job_text(o, "version");
	static const char *const versions[] = {"1.0", "1.1", "2", "3"};
	size_t i;

	t->done = true;
	x->curl = json_is_integer(json_object_get(o, "curl")) ? (int)json_integer_value(json_object_get(o, "curl"))
							      : CURLE_FAILED_INIT;
	x->os_error = (int)json_integer_value(json_object_get(o, "osError"));
	x->reused = json_is_true(json_object_get(o, "reused"));
	t->tls_closed = json_is_true(json_object_get(o, "tlsClosed"));
	take_timings(&x->timings, json_object_get(o, "timings"));
	snprintf(x->remote, sizeof x->remote, "%s", job_text(o, "remote") ? job_text(o, "remote") : "");
	for (i = 0; version && i < sizeof versions / sizeof *versions; i++)
		if (strcmp(version, versions[i]) == 0)
			x->version = versions[i];
	if (x->curl != 0 && refused && *refused)
		stop(x, STOP_ADDRESS, refused);
	else if (x->curl != 0 && x->stop == STOP_NONE)
		snprintf(x->message, sizeof x->message, "%s", message ? message : "it failed");
	json_decref(o);
}

/* ---- one exchange ---- */

/* Through a proxy no address is seen; one that stands in the URL is. */
static bool check_literal(const struct client *c, struct exchange *x)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a = {.sa.sa_family = AF_UNSPEC};
	AUTO_FREE char *host = url_host(x->request.url);
	const char *why;

	if (!c->job->proxy)
		return true;
	/* Also 127.1 and 0x7f000001, as the proxy may read it. */
	if (inet_aton(host, &a.four.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &a.six.sin6_addr) == 1)
		a.sa.sa_family = AF_INET6;
	else
		return true;
	why = address_refused(&a.sa, &c->job->allowed);
	if (why) {
		x->stop = STOP_ADDRESS;
		snprintf(x->message, sizeof x->message, "%.60s is %s", host, why);
	}
	return !why;
}

/* What is left of the time for everything; 0: no limit; 1 ms if none is. */
static msec left(const struct job *j)
{
	msec ms_left;

	if (!j->deadline_mono)
		return 0;
	ms_left = j->deadline_mono - clock_mono();
	return ms_left > 0 ? ms_left : 1;
}

static void set_text(json_t *o, const char *key, const char *value)
{
	if (value)
		json_object_set_new(o, key, json_string(value));
}

static void put_request(const struct client *c, const struct request *r, struct buf *out)
{
	const struct job *j = c->job;
	msec all = left(j), connect = j->limits.connect;
	json_t *o = json_object(), *headers = json_array(), *allow = json_object_get(json_object_get(j->request, "http"), "allowPrivate");
	size_t i, n;
	char *text;

	for (i = 0; i < r->headers.n; i++)
		json_array_append_new(headers, json_pack("[s, s]", r->headers.v[i].name, r->headers.v[i].value));
	set_text(o, "method", r->method);
	set_text(o, "url", r->url);
	json_object_set_new(o, "headers", headers);
	json_object_set_new(o, "hasBody", json_boolean(r->has_body));
	json_object_set_new(o, "timeoutMs", json_integer(all));
	json_object_set_new(o, "connectMs", json_integer(all > 0 && all < connect ? all : connect));
	if (!allow)
		allow = json_object_get(j->request, "allowPrivate");
	if (allow)
		json_object_set(o, "allow", allow);
	set_text(o, "caFile", j->ca_file);
	set_text(o, "moreCaFile", j->more_ca_file);
	set_text(o, "proxy", j->proxy);
	text = json_dumps(o, JSON_COMPACT);
	frame_put(out, FRAME_REQUEST, text, strlen(text));
	explicit_bzero(text, strlen(text));
	free(text);
	json_decref(o);
	for (i = 0; r->has_body && i < r->body.len; i += n) {
		n = r->body.len - i < FRAME_PIECE ? r->body.len - i : FRAME_PIECE;
		frame_put(out, FRAME_BODY, r->body.p + i, n);
	}
	frame_put(out, FRAME_GO, "", 0);
}

static void check_clock(struct transfer *t)
{
	const struct job *j = t->client->job;
	char text[80];

	if (client_cancelled)
		stop(t->x, STOP_CANCELLED, "the attempt was ended from outside");
	/* Until an answer begins the server may think as long as the whole may take. */
	if (t->last_byte_mono && j->limits.idle > 0 && clock_mono() - t->last_byte_mono >= j->limits.idle) {
		snprintf(text, sizeof text, "no byte of the answer came for %lld ms", (long long)j->limits.idle);
		stop(t->x, STOP_IDLE, text);
	}
	if (j->deadline_mono && clock_mono() >= j->deadline_mono + GRACE_MS)
		broke(t->x, CURLE_OPERATION_TIMEDOUT, "the time for the request is over");
}

static bool obey(struct transfer *t, const struct frame *f)
{
	switch (f->type) {
	case FRAME_STARTING:
		t->x->sent = true;
		break;
	case FRAME_SENT:
		headers_free(&t->x->sent_headers);
		take_sent(t->x, f->p, f->n);
		break;
	case FRAME_LINE:
		t->last_byte_mono = clock_mono();
		reply_line(&t->reader, f->p, f->n);
		break;
	case FRAME_DATA:
		t->last_byte_mono = clock_mono();
		take_data(t, f->p, f->n);
		break;
	case FRAME_DONE:
		take_done(t, f->p, f->n);
		return false;
	default:
		broke(t->x, CURLE_RECV_ERROR, "the process with the connection speaks another language");
	}
	return t->x->stop == STOP_NONE && t->x->curl == 0;
}

/* Frames until the end, or until we have had enough.  false: the other process is gone. */
static bool converse(struct transfer *t)
{
	struct channel *c = &t->client->channel;
	struct frame f;

	for (;;) {
		int r = channel_next(c, &f, clock_mono() + TICK_MS);

		if (r < 0)
			return false;
		if (r > 0 && !obey(t, &f))
			return true;
		check_clock(t);
		if (t->x->stop != STOP_NONE || t->x->curl != 0)
			return true;
	}
}

/* Is the end of the connection all that says where the body ends, and was it cut? */
static bool was_cut(const struct transfer *t)
{
	const struct exchange *x = t->x;
	bool framed = t->reader.has_length || headers_get(&x->reply, "Transfer-Encoding") || x->status == 204 ||
		      x->status == 304 || strcmp(x->request.method, "HEAD") == 0 || (x->version && *x->version != '1');

	return url_is_https(x->request.url) && !framed && !t->tls_closed;
}

/* libcurl is content; are we? */
static void finish(struct transfer *t)
{
	struct exchange *x = t->x;
	struct err e = {0};

	if (was_cut(t)) {
		stop(x, STOP_REPLY, "the connection was cut where only its proper end would say that the answer is whole");
		return;
	}
	/* No byte of a body came: whatever its coding was to be. */
	if (!t->decoder && !begin_body(t, &e))
		return;
	if (decoder_end(t->decoder, &e) < 0)
		stop(x, STOP_CODING, e.text);
}

/* Who shares a process: those who ask one origin for one API.  Tokens and what redirects lead to are asked apart. */
static char *key_of(const struct client *c, const struct exchange *x)
{
	AUTO_FREE char *origin = url_origin(x->request.url);
	bool api = c->job->api_id && strcmp(x->kind, "request") == 0;

	return xasprintf("%.200s %.200s", api ? c->job->api_id : "", origin);
}

/* false: the other process is gone, and nothing was sent. */
static bool try_once(struct client *c, struct exchange *x, bool spill)
{
	struct transfer t = {.client = c, .x = x, .spill = spill,
			     .reader = {.x = x, .limits = &c->job->limits, .secrets = c->secrets}};
	AUTO_FREE char *key = key_of(c, x);
	struct buf out = BUF_INIT;
	struct err e = {0};
	bool there;

	if (channel_begin(&c->channel, key, &e) < 0) {
		broke(x, CURLE_FAILED_INIT, e.text);
		return true;
	}
	put_request(c, &x->request, &out);
	there = channel_write(&c->channel, &out, c->job->deadline_mono, &e) == 0 && converse(&t);
	explicit_bzero(out.p, out.cap);
	buf_free(&out);
	if (!there && x->sent)
		broke(x, CURLE_RECV_ERROR, "the process with the connection ended");
	if (x->curl == 0 && x->stop == STOP_NONE && there)
		finish(&t);
	decoder_free(t.decoder);
	/* What is given up must not go on, and what comes of it must not be taken for the next answer. */
	if (!there)
		channel_give_up(&c->channel);
	else if (!t.done)
		channel_drop(&c->channel);
	return there || x->sent;
}

void client_send(struct client *c, struct exchange *x, bool spill)
{
	x->started = x->finished = clock_wall();
	if (!check_literal(c, x))
		return;
	if (!try_once(c, x, spill) && !try_once(c, x, spill) && !client_cancelled)
		broke(x, CURLE_FAILED_INIT, "the process with the connection ended before anything was sent");
	if (client_cancelled && x->status == 0 && x->stop == STOP_NONE && x->curl == 0)
		stop(x, STOP_CANCELLED, "the attempt was ended from outside");
	x->finished = clock_wall();
	/* Not from when it was asked for: the process with the connection may have had to be started, or had others. */
	if (x->timings.total > 0 && x->finished - (msec)x->timings.total > x->started)
		x->started = x->finished - (msec)x->timings.total;
}
