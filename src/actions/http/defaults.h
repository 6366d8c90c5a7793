/*
 * defaults.h - what a failure is when neither the API nor the definition says: for every code of libcurl, for every
 * HTTP status, for everything that we stop ourselves.
 */
#ifndef CREEL_HTTP_DEFAULTS_H
#define CREEL_HTTP_DEFAULTS_H

#include <stdbool.h>

#include "actions/http/exchange.h"
#include "model/error.h"

struct default_error {
	enum error_category category;
	bool retryable;         /* trying again could help */
	const char *suggestion; /* or NULL */
};

/* "CURLE_COULDNT_CONNECT"; "CURLE_?" for a number that this libcurl does not have. */
const char *curl_code_name(int code);
/* answered: an answer had begun, which makes some codes say something about it. */
struct default_error curl_code_default(int code, bool answered);
/* Is there an entry for the code?  A test asks for every one that libcurl has. */
bool curl_code_known(int code);

struct default_error status_default(int status);
/* "Not Found"; "" for a status without a registered phrase. */
const char *status_phrase(int status);
/* A gateway gave up waiting: what was asked for may have been done. */
bool status_is_unknown_outcome(int status);

struct default_error stop_default(enum stop stop);
/* "address_refused": goes into the error's code. */
const char *stop_name(enum stop stop);

/* Could trying again ever help with this kind of error, when nothing else is known? */
bool category_retryable(enum error_category c);

#endif
