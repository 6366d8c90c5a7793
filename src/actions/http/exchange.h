/*
 * exchange.h - one request sent and what came back, or why nothing whole came back.
 */
#ifndef CREEL_HTTP_EXCHANGE_H
#define CREEL_HTTP_EXCHANGE_H

#include <stdbool.h>

#include "actions/http/address.h"
#include "actions/http/body.h"
#include "actions/http/headers.h"
#include "actions/http/request.h"
#include "base/clock.h"

/* What we ourselves did not let pass; libcurl's code is then of no interest. */
enum stop {
	STOP_NONE,
	STOP_ADDRESS,   /* every address of the host is refused */
	STOP_URL,       /* a redirect that may not be followed */
	STOP_REDIRECTS, /* too many of them */
	STOP_REPLY,     /* it breaks the protocol in a way that libcurl lets pass */
	STOP_HEADERS,   /* too many fields, or too large ones */
	STOP_BODY,      /* larger than allowed */
	STOP_CODING,    /* content coding damaged, cut short, or not asked for */
	STOP_IDLE,      /* no byte for too long */
	STOP_CANCELLED, /* SIGTERM */
	STOP_DISK       /* the body could not be written */
};

struct timings {
	double dns, connect, tls;      /* duration of each, ms */
	double sent, first_byte, total; /* since the start, ms */
};

struct exchange {
	const char *kind; /* request, redirect, token, health */
	struct request request;
	char *shown_url;             /* without secrets; set by whoever sends it */
	struct headers sent_headers; /* as libcurl wrote them */
	bool sent;                   /* some of it may have reached the server */
	msec started, finished;      /* wall */
	struct timings timings;
	char remote[ADDRESS_TEXT + 8];
	bool reused;                 /* over a connection that was there */

	int curl;                    /* CURLcode */
	int os_error;                /* errno of a connection that broke; 0 */
	char message[400];           /* libcurl's or ours, if it failed */
	enum stop stop;

	int status;                  /* 0: no complete head of an answer came */
	char reason[64];
	const char *version;         /* "1.1", "2", … */
	struct headers reply;
	struct body body;
};

/* Did a whole answer come? */
static inline bool exchange_complete(const struct exchange *x)
{
	return x->curl == 0 && x->stop == STOP_NONE && x->status > 0;
}

/* The request becomes the exchange's. */
void exchange_init(struct exchange *x, const char *kind, struct request *request);
/* Also removes what was written of the body, unless keep. */
void exchange_free(struct exchange *x, bool keep);

#endif
