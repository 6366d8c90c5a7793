#include "actions/http/client.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actions/http/decode.h"
#include "actions/http/reply.h"
#include "actions/http/url.h"
#include "base/mem.h"
#include "base/text.h"

volatile sig_atomic_t client_cancelled;

/* Where Debian's ca-certificates keeps them by name's hash: one file is read instead of all (30 ms each time). */
#define SYSTEM_CERTIFICATES "/etc/ssl/certs"

/* A transfer, as the callbacks see it. */
struct transfer {
	struct client *client;
	struct exchange *x;
	struct reply_reader reader;
	struct decoder *decoder;
	bool spill;
	msec last_byte_mono; /* 0: none came yet */
	char refused[160];   /* addresses that were not connected to */
	bool connected;      /* a socket was made */
};

static void stop(struct exchange *x, enum stop why, const char *text)
{
	if (x->stop != STOP_NONE)
		return;
	x->stop = why;
	snprintf(x->message, sizeof x->message, "%s", text);
}

/* ---- what libcurl asks and tells ---- */

static curl_socket_t on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = data;
	const char *why = NULL;
	char text[ADDRESS_TEXT];

	(void)purpose;
	/* The way to a proxy is the configuration's; where it goes from there is not for us to see. */
	if (!t->client->job->proxy)
		why = address_refused(&address->addr, &t->client->job->allowed);
	if (why) {
		address_text(&address->addr, text);
		snprintf(t->refused, sizeof t->refused, "%s is %s", text, why);
		return CURL_SOCKET_BAD;
	}
	t->connected = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_header(char *p, size_t size, size_t n, void *data)
{
	struct transfer *t = data;

	t->last_byte_mono = clock_mono();
	return reply_line(&t->reader, p, size * n) ? size * n : 0;
}

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

static size_t on_body(char *p, size_t size, size_t n, void *data)
{
	struct transfer *t = data;
	struct err e = {0};

	t->last_byte_mono = clock_mono();
	if ((t->decoder || begin_body(t, &e)) && decoder_feed(t->decoder, p, size * n, &e) == 0)
		return size * n;
	stop(t->x, e.code == EFBIG ? STOP_BODY : e.code == EBADMSG ? STOP_CODING : STOP_DISK, e.text);
	return 0;
}

static int on_progress(void *data, curl_off_t all, curl_off_t done, curl_off_t up_all, curl_off_t up)
{
	struct transfer *t = data;
	const struct limits *l = &t->client->job->limits;
	char text[80];

	(void)all, (void)done, (void)up_all;
	if (up > 0)
		t->x->sent = true;
	if (client_cancelled)
		stop(t->x, STOP_CANCELLED, "the attempt was ended from outside");
	/* Until an answer begins the server may think as long as the whole may take. */
	if (t->last_byte_mono && l->idle > 0 && clock_mono() - t->last_byte_mono >= l->idle) {
		snprintf(text, sizeof text, "no byte of the answer came for %lld ms", (long long)l->idle);
		stop(t->x, STOP_IDLE, text);
	}
	return t->x->stop != STOP_NONE;
}

/* The request's head as it went out. */
static void note_sent(struct exchange *x, const char *p, size_t n)
{
	const char *end = p + n;

	x->sent = true;
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

static int on_debug(CURL *curl, curl_infotype type, char *p, size_t n, void *data)
{
	struct transfer *t = data;

	(void)curl;
	if (type == CURLINFO_HEADER_OUT)
		note_sent(t->x, p, n);
	else if (type == CURLINFO_DATA_OUT)
		t->x->sent = true;
	return 0;
}

/* ---- setting up ---- */

static bool has_hashed_certificates(void)
{
	DIR *d = opendir(SYSTEM_CERTIFICATES);
	struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d)))
		found = text_ends_with(entry->d_name, ".0");
	if (d)
		closedir(d);
	return found;
}

/* libcurl takes a TLS connection that just ends for one that was closed: whoever cuts it could shorten an answer that
 * has no length (RFC 9112 section 9.8).  So we look for the closing alert ourselves.  One transfer runs at a time. */
static bool tls_was_closed;

static void on_tls_info(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xff) == SSL_AD_CLOSE_NOTIFY)
		tls_was_closed = true;
}

static CURLcode on_tls(CURL *curl, void *context, void *data)
{
	(void)curl, (void)data;
	SSL_CTX_set_info_callback(context, on_tls_info);
	return CURLE_OK;
}

static void trust(struct client *c)
{
	const struct job *j = c->job;

	if (j->ca_file) {
		curl_easy_setopt(c->curl, CURLOPT_CAINFO, j->ca_file);
		curl_easy_setopt(c->curl, CURLOPT_CAPATH, NULL);
	} else if (has_hashed_certificates()) {
		curl_easy_setopt(c->curl, CURLOPT_CAINFO, j->more_ca_file);
		curl_easy_setopt(c->curl, CURLOPT_CAPATH, SYSTEM_CERTIFICATES);
	} else if (j->more_ca_file) {
		curl_easy_setopt(c->curl, CURLOPT_CAINFO, j->more_ca_file);
	}
}

int client_open(struct client *c, const struct job *j, int dir, const struct redact *secrets, struct err *e)
{
	*c = (struct client){.job = j, .secrets = secrets, .dir = dir};
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c->curl = curl_easy_init()))
		return err_set(e, ENOMEM, "libcurl cannot be started");
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c->curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, j->proxy ? j->proxy : "");
	curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(c->curl, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(c->curl, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c->curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs does not hold us */
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c->curl, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(c->curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c->curl, CURLOPT_DEBUGFUNCTION, on_debug);
	trust(c);
	return 0;
}

void client_close(struct client *c)
{
	curl_easy_cleanup(c->curl);
	c->curl = NULL;
}

/* ---- one request ---- */

static struct curl_slist *field_list(const struct request *r)
{
	struct curl_slist *list = NULL;
	size_t i;

	for (i = 0; i < r->headers.n; i++) {
		const struct header *h = &r->headers.v[i];
		AUTO_FREE char *line = *h->value ? xasprintf("%s: %s", h->name, h->value) : xasprintf("%s;", h->name);

		list = curl_slist_append(list, line);
	}
	/* Not asked for by libcurl's own rules. */
	list = curl_slist_append(list, "Expect:");
	if (!headers_get(&r->headers, "Content-Type"))
		list = curl_slist_append(list, "Content-Type:");
	return list;
}

static void set_request(CURL *curl, const struct request *r)
{
	bool unsafe = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PATCH") == 0;

	curl_easy_setopt(curl, CURLOPT_URL, r->url);
	if (r->has_body || strcmp(r->method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buf_str(&r->body));
	} else {
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(r->method, "HEAD") == 0 ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, unsafe ? 1L : 0L);
}

/* Through a proxy no address is seen; one that stands in the URL is. */
static bool check_literal(const struct client *c, struct exchange *x)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a = {.sa.sa_family = AF_UNSPEC};
	AUTO_FREE char *origin = url_origin(x->request.url), *host = xstrdup(strstr(origin, "//") ? strstr(origin, "//") + 2 : "");
	char *end = *host == '[' ? strchr(host, ']') : strrchr(host, ':');
	const char *why;

	if (!c->job->proxy || !end)
		return true;
	*end = '\0';
	if (inet_pton(AF_INET, host, &a.four.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else if (*host == '[' && inet_pton(AF_INET6, host + 1, &a.six.sin6_addr) == 1)
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

/* What is left of the time for everything; 1 ms if none is. */
static long left(const struct job *j)
{
	msec ms;

	if (!j->deadline_mono)
		return 0;
	ms = j->deadline_mono - clock_mono();
	return ms > 0 ? (long)ms : 1;
}

static void set_limits(CURL *curl, const struct job *j)
{
	long all = left(j), connect = (long)j->limits.connect;

	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, all);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, all > 0 && all < connect ? all : connect);
}

static double seconds(CURL *curl, CURLINFO which)
{
	curl_off_t us = 0;

	curl_easy_getinfo(curl, which, &us);
	return (double)us / 1000;
}

static void read_timings(CURL *curl, struct timings *t)
{
	double dns = seconds(curl, CURLINFO_NAMELOOKUP_TIME_T), connect = seconds(curl, CURLINFO_CONNECT_TIME_T);
	double tls = seconds(curl, CURLINFO_APPCONNECT_TIME_T);

	t->dns = dns;
	t->connect = connect > dns ? connect - dns : 0;
	t->tls = tls > connect ? tls - connect : 0;
	t->sent = seconds(curl, CURLINFO_PRETRANSFER_TIME_T);
	t->first_byte = seconds(curl, CURLINFO_STARTTRANSFER_TIME_T);
	t->total = seconds(curl, CURLINFO_TOTAL_TIME_T);
}

static void read_facts(CURL *curl, struct exchange *x)
{
	long version = 0, port = 0, size = 0, os_error = 0;
	char *ip = NULL;

	read_timings(curl, &x->timings);
	curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(curl, CURLINFO_PRIMARY_IP, &ip);
	curl_easy_getinfo(curl, CURLINFO_PRIMARY_PORT, &port);
	curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &size);
	x->version = version == CURL_HTTP_VERSION_1_0   ? "1.0"
		     : version == CURL_HTTP_VERSION_1_1 ? "1.1"
		     : version == CURL_HTTP_VERSION_2   ? "2"
		     : version == CURL_HTTP_VERSION_3   ? "3"
							: NULL;
	if (ip && *ip)
		snprintf(x->remote, sizeof x->remote, strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip, port);
	if (x->curl == CURLE_RECV_ERROR || x->curl == CURLE_SEND_ERROR)
		curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	x->os_error = (int)os_error;
	x->sent = x->sent || size > 0;
}

/* Is the end of the connection all that says where the body ends, and was it cut? */
static bool was_cut(const struct transfer *t)
{
	const struct exchange *x = t->x;
	bool framed = t->reader.has_length || headers_get(&x->reply, "Transfer-Encoding") || x->status == 204 ||
		      x->status == 304 || strcmp(x->request.method, "HEAD") == 0 || (x->version && *x->version != '1');

	return url_is_https(x->request.url) && !framed && !tls_was_closed;
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

void client_send(struct client *c, struct exchange *x, bool spill)
{
	struct transfer t = {.client = c, .x = x, .spill = spill, .reader = {.x = x, .limits = &c->job->limits, .secrets = c->secrets}};
	struct curl_slist *fields = field_list(&x->request);
	char problem[CURL_ERROR_SIZE] = "";

	x->started = x->finished = clock_wall();
	if (!check_literal(c, x)) {
		curl_slist_free_all(fields);
		return;
	}
	set_request(c->curl, &x->request);
	set_limits(c->curl, c->job);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, problem);
	curl_easy_setopt(c->curl, CURLOPT_OPENSOCKETDATA, &t);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, &t);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &t);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, &t);
	curl_easy_setopt(c->curl, CURLOPT_DEBUGDATA, &t);
	tls_was_closed = false;
	x->curl = curl_easy_perform(c->curl);
	x->finished = clock_wall();
	read_facts(c->curl, x);
	if (x->curl == CURLE_OK)
		finish(&t);
	else if (!t.connected && *t.refused)
		stop(x, STOP_ADDRESS, t.refused);
	if (x->curl != CURLE_OK && x->stop == STOP_NONE)
		snprintf(x->message, sizeof x->message, "%s", *problem ? problem : curl_easy_strerror((CURLcode)x->curl));
	decoder_free(t.decoder);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(fields);
}
