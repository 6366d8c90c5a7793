/*
 * health.h - creel-http --health: is the API there? (S0 healthCheck)
 */
#ifndef CREEL_HTTP_HEALTH_H
#define CREEL_HTTP_HEALTH_H

#include "actions/http/client.h"

/* Read the request from standard input, ask, write one line of JSON to standard output.  The exit status. */
int health_main(const struct client_way *way);

#endif
