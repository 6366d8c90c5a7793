/*
NAME
	creel-http-wire - have the connections of HTTP actions

SYNOPSIS
	creel-http-wire
	creel-http-wire --keep
	creel-http-wire --pool PID

DESCRIPTION
	creel-http has no connection of its own: it asks this program over a socket (frame.h).  So what reads bytes from the
	network is another process than what holds the spool's files, and several attempts can use one connection.

	Without an option it serves the one attempt at the other end of descriptor 0, and ends with it.  creel-http starts it
	so when there is nobody else to ask.

	--keep: descriptor 0 is a socket (SOCK_SEQPACKET) on which sockets of attempts come in.  Their requests share
	connections, over HTTP/2 at the same time.  It ends when nobody can send it one any more, or when for a minute nobody
	did.

	--pool: descriptor 0 is a listening socket (SOCK_SEQPACKET, abstract) of the daemon with the number PID.  On it attempts
	bring their sockets, each with a key (API and origin of the URL), and for each key there is one process with --keep,
	started when it is first asked for and again when it has ended.  This process itself never reads anything that did not
	come from an attempt.  It ends with the daemon.

	What runs in an attempt cannot harm another: it sends frames, and its end is the end of a socket.  What a server sends
	can at most end the process with --keep for its own key; then attempts whose request was not yet sent go on with a
	process of their own, and those whose request was have an unknown outcome, as when a connection breaks.

EXIT STATUS
	0 there was nothing left to do; 100 the command line is wrong; 111 the environment failed
*/
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/common/executor.h"
#include "actions/http/wire.h"
#include "base/log.h"

enum { IDLE_MS = 60000, CONNECTIONS_KEPT = 32 };

static int serve(bool keep)
{
	struct wire w = {.control = -1};
	int result;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(w.multi = curl_multi_init())) {
		log_error("libcurl cannot be started");
		return EXECUTOR_ENVIRONMENT;
	}
	curl_multi_setopt(w.multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(w.multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	if (keep)
		w.control = STDIN_FILENO;
	else
		link_new(&w, STDIN_FILENO);
	result = wire_loop(&w, IDLE_MS);
	/* An attempt waits for our end: nothing is gained by taking leave of servers one by one. */
	if (!keep)
		_exit(result);
	curl_multi_cleanup(w.multi);
	return result;
}

int main(int argc, char **argv)
{
	sigset_t none;

	log_open("creel-http-wire", LOG_LEVEL_INFO);
	/* Whoever started us may have kept signals for itself. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	executor_shield();
	if (argc == 1)
		return serve(false);
	if (argc == 2 && strcmp(argv[1], "--keep") == 0)
		return serve(true);
	if (argc == 3 && strcmp(argv[1], "--pool") == 0)
		return pool_main((pid_t)strtol(argv[2], NULL, 10));
	log_error("usage: creel-http-wire [--keep | --pool PID]; it is started by creel, not by hand");
	return EXECUTOR_USAGE;
}
