#include "actions/http/defaults.h"

#include <stddef.h>

/* ---- HTTP statuses ---- */

#define RETRY true
#define NO_RETRY false

/* Ranges from special to general: the first that fits. */
static const struct {
	int from, to;
	struct default_error error;
} statuses[] = {
    {400, 400, {ERROR_VALIDATION_FAILED, NO_RETRY, "the service does not take these inputs; see the message and http-trace.json"}},
    {401, 401, {ERROR_AUTH_INVALID, NO_RETRY, "check the definition's authentication and the secret it names"}},
    {402, 402, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, "the service wants to be paid"}},
    {403, 403, {ERROR_AUTH_INVALID, NO_RETRY, "the credentials are known but may not do this: check their rights"}},
    {404, 404, {ERROR_API_ENDPOINT_REMOVED, NO_RETRY, "check endpoint.url and the inputs in its path: there is nothing there"}},
    {405, 405, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, "check endpoint.method: the service has no such method there"}},
    {406, 406, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, "give another Accept in endpoint.headers"}},
    {407, 407, {ERROR_AUTH_INVALID, NO_RETRY, "the proxy wants credentials"}},
    {408, 408, {ERROR_NETWORK_TIMEOUT, RETRY, NULL}},
    {409, 409, {ERROR_STATE_INCONSISTENT, NO_RETRY, "what is there contradicts the request: look at it before trying again"}},
    {410, 410, {ERROR_API_ENDPOINT_REMOVED, NO_RETRY, "the service has removed this for good: the definition needs a new URL"}},
    {411, 411, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, NULL}},
    {412, 412, {ERROR_STATE_INCONSISTENT, NO_RETRY, "what is there has changed: read it again"}},
    {413, 414, {ERROR_VALIDATION_FAILED, NO_RETRY, "the inputs are too large for the service"}},
    {415, 415, {ERROR_VALIDATION_FAILED, NO_RETRY, "give another Content-Type in endpoint.headers"}},
    {416, 417, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, NULL}},
    {421, 421, {ERROR_API_UNEXPECTED_STATUS, RETRY, NULL}},
    {422, 422, {ERROR_VALIDATION_FAILED, NO_RETRY, "the service does not take these inputs; see the message and http-trace.json"}},
    {423, 424, {ERROR_STATE_INCONSISTENT, RETRY, "what is asked for is locked, or waits for something else"}},
    {425, 425, {ERROR_API_UNEXPECTED_STATUS, RETRY, NULL}},
    {426, 426, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, "the service wants another protocol"}},
    {428, 428, {ERROR_VALIDATION_FAILED, NO_RETRY, "the service wants a condition, such as If-Match in endpoint.headers"}},
    {429, 429, {ERROR_RATE_LIMIT_BURST, RETRY, "give the definition a rateLimit, so that creel asks no more than is allowed"}},
    {431, 431, {ERROR_VALIDATION_FAILED, NO_RETRY, "the headers are too large for the service"}},
    {440, 440, {ERROR_AUTH_EXPIRED, NO_RETRY, "the session has ended: renew the credentials"}},
    {451, 451, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, "the service may not answer this for legal reasons"}},
    {498, 498, {ERROR_AUTH_EXPIRED, NO_RETRY, "the token has expired: renew it"}},
    {400, 499, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, NULL}},
    {501, 501, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, "check endpoint.method: the service does not have it"}},
    {504, 504, {ERROR_NETWORK_TIMEOUT, RETRY, "a gateway waited in vain for the service"}},
    {505, 506, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, NULL}},
    {508, 508, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, NULL}},
    {509, 509, {ERROR_RATE_LIMIT_DAILY, RETRY, "the traffic that the service allows is used up"}},
    {510, 510, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, NULL}},
    {511, 511, {ERROR_AUTH_INVALID, NO_RETRY, "the network wants a login before it lets anything through"}},
    {521, 521, {ERROR_NETWORK_CONNECTION_REFUSED, RETRY, "the gateway cannot reach the service"}},
    {522, 522, {ERROR_NETWORK_TIMEOUT, RETRY, "the gateway waited in vain for the service"}},
    {523, 523, {ERROR_NETWORK_CONNECTION_REFUSED, RETRY, "the gateway cannot reach the service"}},
    {524, 524, {ERROR_NETWORK_TIMEOUT, RETRY, "the gateway waited in vain for the service"}},
    {525, 526, {ERROR_NETWORK_CONNECTION_REFUSED, NO_RETRY, "the gateway does not trust the service's certificate"}},
    {500, 599, {ERROR_API_UNEXPECTED_STATUS, RETRY, "the service failed; if it goes on, ask those who run it"}},
    {300, 399, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, "the service sends us elsewhere: see Location in http-trace.json, and followRedirects"}},
    {200, 299, {ERROR_API_UNEXPECTED_STATUS, NO_RETRY, NULL}}, /* with an error in the body */
};

struct default_error status_default(int status)
{
	size_t i;

	for (i = 0; i < sizeof statuses / sizeof *statuses; i++)
		if (status >= statuses[i].from && status <= statuses[i].to)
			return statuses[i].error;
	return (struct default_error){ERROR_API_RESPONSE_MALFORMED, false, "that is no status of HTTP"};
}

bool status_is_unknown_outcome(int status)
{
	return status == 502 || status == 504 || status == 520 || status == 522 || status == 524;
}

const char *status_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
	    {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {206, "Partial Content"},
	    {300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"},
	    {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"},
	    {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
	    {406, "Not Acceptable"}, {407, "Proxy Authentication Required"}, {408, "Request Timeout"}, {409, "Conflict"},
	    {410, "Gone"}, {411, "Length Required"}, {412, "Precondition Failed"}, {413, "Content Too Large"},
	    {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"}, {417, "Expectation Failed"},
	    {421, "Misdirected Request"}, {422, "Unprocessable Content"}, {423, "Locked"}, {424, "Failed Dependency"},
	    {425, "Too Early"}, {426, "Upgrade Required"}, {428, "Precondition Required"}, {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"}, {451, "Unavailable For Legal Reasons"}, {500, "Internal Server Error"},
	    {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"}, {508, "Loop Detected"},
	    {511, "Network Authentication Required"},
	};
	size_t i;

	for (i = 0; i < sizeof phrases / sizeof *phrases; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "";
}

/* ---- what we stop ---- */

static const struct {
	const char *name;
	struct default_error error;
} stops[] = {
    [STOP_NONE] = {"none", {ERROR_STATE_INCONSISTENT, false, NULL}},
    [STOP_ADDRESS] = {"address_refused", {ERROR_VALIDATION_FAILED, false,
		      "name the range in http.allow_private of the configuration if this address is meant"}},
    [STOP_URL] = {"redirect_refused", {ERROR_API_UNEXPECTED_STATUS, false,
		  "see Location in http-trace.json; if it is meant, write the new URL into the definition"}},
    [STOP_REDIRECTS] = {"too_many_redirects", {ERROR_API_UNEXPECTED_STATUS, false,
			"see the URLs in http-trace.json; followRedirects says how many are followed"}},
    [STOP_REPLY] = {"reply_malformed", {ERROR_API_RESPONSE_MALFORMED, true,
		    "what the service sent is no HTTP answer that can be trusted; see http-trace.json"}},
    [STOP_HEADERS] = {"headers_too_large", {ERROR_API_RESPONSE_MALFORMED, false, NULL}},
    [STOP_BODY] = {"body_too_large", {ERROR_API_RESPONSE_MALFORMED, false,
		   "raise maxResponseSize in the definition if so much is expected"}},
    [STOP_CODING] = {"body_encoding", {ERROR_API_RESPONSE_MALFORMED, true, NULL}},
    [STOP_IDLE] = {"idle_timeout", {ERROR_NETWORK_TIMEOUT, true, NULL}},
    [STOP_CANCELLED] = {"cancelled", {ERROR_USER_CANCELLED, false, NULL}},
    [STOP_DISK] = {"not_stored", {ERROR_STATE_INCONSISTENT, true, "check the room on the spool's disk"}},
};

struct default_error stop_default(enum stop stop)
{
	return stops[stop].error;
}

const char *stop_name(enum stop stop)
{
	return stops[stop].name;
}

bool category_retryable(enum error_category c)
{
	switch (c) {
	case ERROR_RATE_LIMIT_BURST:
	case ERROR_RATE_LIMIT_DAILY:
	case ERROR_NETWORK_TIMEOUT:
	case ERROR_NETWORK_CONNECTION_REFUSED:
	case ERROR_API_RESPONSE_MALFORMED:
	case ERROR_API_UNEXPECTED_STATUS:
	case ERROR_STATE_INCONSISTENT:
		return true;
	default:
		return false;
	}
}
