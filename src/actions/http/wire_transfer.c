/*
 * wire_transfer.c - one request, by libcurl.
 *
 * No redirects, no cookies, no netrc, no proxy but the one that is named, no authentication, no decoding of bodies, http
 * and https only, certificates verified; every socket's address is checked as it is made, and again before a connection
 * is used that somebody else made.  A request that must not be done twice gets a connection of its own: libcurl repeats
 * one by itself when a connection that it used before turns out to be dead.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actions/http/wire.h"
#include "base/mem.h"
#include "base/text.h"

/* Where Debian's ca-certificates keeps them by name's hash: one file is read instead of all (30 ms each time). */
#define SYSTEM_CERTIFICATES "/etc/ssl/certs"

/* So much may wait for an attempt that is slow to take it. */
enum { WAITING_MAX = 256 << 10, MAX_AGE_S = 50 };

struct transfer {
	struct transfer *next; /* all that run: on_tls_info() looks for one */
	struct link *link;
	CURL *curl;
	struct curl_slist *fields;
	struct address_ranges allowed;
	bool proxy, paused, connected;
	const SSL *ssl;      /* its connection's, once an answer came over it */
	bool tls_closed;     /* the other side has said that it sends no more */
	char refused[160];   /* an address that was not connected to */
	char problem[CURL_ERROR_SIZE];
};

static struct transfer *running;

/* ---- what libcurl asks and tells ---- */

static bool refuse(struct transfer *t, const struct sockaddr *sa)
{
	/* The way to a proxy is the configuration's; where it goes from there is not for us to see. */
	const char *why = t->proxy ? NULL : address_refused(sa, &t->allowed);
	char text[ADDRESS_TEXT];

	if (!why)
		return false;
	address_text(sa, text);
	snprintf(t->refused, sizeof t->refused, "%s is %s", text, why);
	return true;
}

static curl_socket_t on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = data;

	(void)purpose;
	if (refuse(t, &address->addr))
		return CURL_SOCKET_BAD;
	t->connected = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* On a connection, before anything is sent: the last moment at which nothing has happened. */
static int on_start(void *data, char *their_ip, char *our_ip, int their_port, int our_port)
{
	struct transfer *t = data;
	union {
		struct sockaddr sa;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a = {.sa.sa_family = AF_UNSPEC};

	(void)our_ip, (void)their_port, (void)our_port;
	if (inet_pton(AF_INET, their_ip, &a.four.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, their_ip, &a.six.sin6_addr) == 1)
		a.sa.sa_family = AF_INET6;
	if (refuse(t, &a.sa)) {
		t->connected = false;
		return CURL_PREREQFUNC_ABORT;
	}
	link_put(t->link, FRAME_STARTING, "", 0);
	return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *p, size_t size, size_t n, void *data)
{
	struct transfer *t = data;
	struct curl_tlssessioninfo *tls = NULL;

	if (!t->ssl && curl_easy_getinfo(t->curl, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls &&
	    tls->backend == CURLSSLBACKEND_OPENSSL)
		t->ssl = tls->internals;
	link_put(t->link, FRAME_LINE, p, size * n);
	return t->link->over || link_waiting(t->link) > FRAME_MAX ? 0 : size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *data)
{
	struct transfer *t = data;

	if (t->link->over)
		return 0;
	if (link_waiting(t->link) > WAITING_MAX) {
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	link_put(t->link, FRAME_DATA, p, size * n);
	return size * n;
}

static int on_debug(CURL *curl, curl_infotype type, char *p, size_t n, void *data)
{
	struct transfer *t = data;

	(void)curl;
	if (type == CURLINFO_HEADER_OUT)
		link_put(t->link, FRAME_SENT, p, n < FRAME_MAX ? n : FRAME_MAX);
	return 0;
}

/* libcurl takes a TLS connection that just ends for one that was closed: whoever cuts it could shorten an answer that
 * has no length (RFC 9112 section 9.8).  So the closing alert is noted here. */
static void on_tls_info(const SSL *ssl, int where, int value)
{
	struct transfer *t;

	if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
		return;
	for (t = running; t; t = t->next)
		t->tls_closed = t->tls_closed || t->ssl == ssl;
}

static CURLcode on_tls(CURL *curl, void *context, void *data)
{
	(void)curl, (void)data;
	SSL_CTX_set_info_callback(context, on_tls_info);
	return CURLE_OK;
}

/* ---- setting up ---- */

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static long number(const json_t *o, const char *key)
{
	return (long)json_integer_value(json_object_get(o, key));
}

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

static void set_trust(CURL *curl, const json_t *r)
{
	static int hashed = -1;
	const char *only = text(r, "caFile"), *more = text(r, "moreCaFile");

	if (hashed < 0)
		hashed = has_hashed_certificates();
	if (only) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, only);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	} else if (hashed) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, more);
		curl_easy_setopt(curl, CURLOPT_CAPATH, SYSTEM_CERTIFICATES);
	} else if (more) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, more);
	}
}

static void set_behaviour(CURL *curl, const json_t *r)
{
	const char *proxy = text(r, "proxy");

	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_PROXY, proxy ? proxy : "");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
	curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(curl, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs does not hold us */
	curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)MAX_AGE_S);
	curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
	set_trust(curl, r);
}

static void set_callbacks(struct transfer *t)
{
	curl_easy_setopt(t->curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(t->curl, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_PREREQFUNCTION, on_start);
	curl_easy_setopt(t->curl, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_DEBUGFUNCTION, on_debug);
	curl_easy_setopt(t->curl, CURLOPT_DEBUGDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->problem);
	curl_easy_setopt(t->curl, CURLOPT_PRIVATE, t);
}

static struct curl_slist *field_list(const json_t *headers)
{
	struct curl_slist *list = NULL;
	bool typed = false;
	size_t i;
	json_t *h;

	json_array_foreach((json_t *)headers, i, h) {
		const char *name = json_string_value(json_array_get(h, 0)), *value = json_string_value(json_array_get(h, 1));
		AUTO_FREE char *line = NULL;

		if (!name || !value)
			continue;
		line = *value ? xasprintf("%s: %s", name, value) : xasprintf("%s;", name);
		list = curl_slist_append(list, line);
		typed = typed || strcasecmp(name, "Content-Type") == 0;
	}
	/* Not asked for by libcurl's own rules. */
	list = curl_slist_append(list, "Expect:");
	return typed ? list : curl_slist_append(list, "Content-Type:");
}

static void set_request(struct transfer *t, const json_t *r)
{
	const char *method = text(r, "method") ? text(r, "method") : "GET";
	bool unsafe = strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0, head = strcmp(method, "HEAD") == 0;
	CURL *curl = t->curl;

	curl_easy_setopt(curl, CURLOPT_URL, text(r, "url"));
	if (json_is_true(json_object_get(r, "hasBody")) || strcmp(method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->link->body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buf_str(&t->link->body));
	}
	if (head)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, unsafe ? 1L : 0L);
	/* Wait for a connection that is being made, if it may be HTTP/2: over TLS that is known before the first request, else
	 * only after its answer. */
	curl_easy_setopt(curl, CURLOPT_PIPEWAIT, strncasecmp(text(r, "url") ? text(r, "url") : "", "https:", 6) == 0 ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, number(r, "timeoutMs"));
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, number(r, "connectMs"));
	t->fields = field_list(json_object_get(r, "headers"));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, t->fields);
}

/* ---- start and end ---- */

static void say_done(struct link *l, json_t *o)
{
	char *said = json_dumps(o, JSON_COMPACT);

	link_put(l, FRAME_DONE, said ? said : "{}", said ? strlen(said) : 2);
	free(said);
	json_decref(o);
}

static void fail_start(struct link *l, CURLcode code, const char *why)
{
	say_done(l, json_pack("{s:i, s:s}", "curl", (int)code, "message", why));
}

void transfer_start(struct link *l)
{
	struct transfer *t = xcalloc(1, sizeof *t);
	struct err e;

	t->link = l;
	t->curl = curl_easy_init();
	if (!t->curl || address_ranges_parse(json_object_get(l->request, "allow"), &t->allowed, &e) < 0) {
		fail_start(l, CURLE_FAILED_INIT, t->curl ? e.text : "libcurl cannot be started");
		curl_easy_cleanup(t->curl);
		free(t);
		return;
	}
	t->proxy = text(l->request, "proxy") != NULL;
	l->transfer = t;
	t->next = running;
	running = t;
	set_behaviour(t->curl, l->request);
	set_callbacks(t);
	set_request(t, l->request);
	curl_multi_add_handle(l->wire->multi, t->curl);
}

static double ms(CURL *curl, CURLINFO which)
{
	curl_off_t us = 0;

	curl_easy_getinfo(curl, which, &us);
	return (double)us / 1000;
}

static const char *version_name(long version)
{
	switch (version) {
	case CURL_HTTP_VERSION_1_0:
		return "1.0";
	case CURL_HTTP_VERSION_1_1:
		return "1.1";
	case CURL_HTTP_VERSION_2:
		return "2";
	case CURL_HTTP_VERSION_3:
		return "3";
	default:
		return "";
	}
}

/* libcurl may quote what came. */
static const char *ascii(char *message)
{
	char *p;

	for (p = message; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	return message;
}

static json_t *facts(struct transfer *t, CURLcode code)
{
	long version = 0, port = 0, connects = 0, os_error = 0;
	char *ip = NULL, remote[ADDRESS_TEXT + 8] = "";

	curl_easy_getinfo(t->curl, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(t->curl, CURLINFO_PRIMARY_IP, &ip);
	curl_easy_getinfo(t->curl, CURLINFO_PRIMARY_PORT, &port);
	curl_easy_getinfo(t->curl, CURLINFO_NUM_CONNECTS, &connects);
	if (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR)
		curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &os_error);
	if (ip && *ip)
		snprintf(remote, sizeof remote, strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip, port);
	return json_pack("{s:i, s:s, s:i, s:s, s:s, s:b, s:b, s:s, s:[f,f,f,f,f,f]}", "curl", (int)code, "message",
			 *t->problem ? ascii(t->problem) : code ? curl_easy_strerror(code) : "", "osError", (int)os_error, "version",
			 version_name(version), "remote", remote, "reused", (int)(connects == 0 && *remote), "tlsClosed",
			 (int)t->tls_closed, "refused", t->connected ? "" : t->refused, "timings",
			 ms(t->curl, CURLINFO_NAMELOOKUP_TIME_T), ms(t->curl, CURLINFO_CONNECT_TIME_T),
			 ms(t->curl, CURLINFO_APPCONNECT_TIME_T), ms(t->curl, CURLINFO_PRETRANSFER_TIME_T),
			 ms(t->curl, CURLINFO_STARTTRANSFER_TIME_T), ms(t->curl, CURLINFO_TOTAL_TIME_T));
}

void transfer_done(CURL *curl, CURLcode code)
{
	struct transfer *t = NULL;
	struct link *l;
	json_t *o;

	curl_easy_getinfo(curl, CURLINFO_PRIVATE, &t);
	l = t->link;
	o = facts(t, code);
	transfer_free(t);
	say_done(l, o);
}

void transfer_go_on(struct transfer *t)
{
	if (!t->paused)
		return;
	t->paused = false;
	curl_easy_pause(t->curl, CURLPAUSE_CONT);
}

void transfer_free(struct transfer *t)
{
	struct transfer **at;

	for (at = &running; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	t->link->transfer = NULL;
	curl_multi_remove_handle(t->link->wire->multi, t->curl);
	curl_easy_cleanup(t->curl);
	curl_slist_free_all(t->fields);
	address_ranges_free(&t->allowed);
	free(t);
}
