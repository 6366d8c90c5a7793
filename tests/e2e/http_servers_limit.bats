#!/usr/bin/env bats
# HTTP actions against servers that others wrote: httpbin under gunicorn, nginx with TLS and HTTP/2, oauth2-mock-server,
# mountebank.  All on 127.0.0.1, each ended by its process id.

load helpers
load http_engine

setup_file() {
	SERVERS_DIR=$(sh "$BATS_TEST_DIRNAME/../http/install.sh") || return 1
	export SERVERS_DIR
}

setup() {
	spool_setup
	export CREEL_SPOOL=$S
	W=$T/server
	mkdir "$W"
	mkdir -m 700 "$T/secrets"
	PIDS=()
	CONFIG=$T/config.yaml
	EXECUTOR=$BIN/creel-http
	http_config '{}'
}
teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || :
	done
	spool_teardown
}

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

in_background() {
	"$@" >"$T/server.out" 2>"$T/server.log" 3>&- &
	PIDS+=($!)
}

answers() {
	curl -s -o /dev/null "$@"
}

of_state() {
	state "[.actionStates[] | select(.status != \"completed\") | .actionId] | join(\" \")"
}

# ---- mountebank ----

@test "mountebank: ten actions through a rate-limited, flaky server end complete, with no more requests than the limit allows (S0-DEF, S0-API)" {
	local api
	api=$(free_port)
	in_background node "$SERVERS_DIR/node_modules/mountebank/bin/mb" --port "$api" --host 127.0.0.1 --localOnly --nologfile --pidfile "$W/pid"
	wait_until answers "http://127.0.0.1:$api/imposters"
	# each third request that it lets in is a 503, and one connection is broken
	jq -n '{protocol: "http", host: "127.0.0.1", recordRequests: true, stubs: [{predicates: [{equals: {path: "/get"}}], responses: [
		{is: {statusCode: 200, headers: {"Content-Type": "application/json"}, body: {ok: true}}, repeat: 2},
		{is: {statusCode: 503, headers: {"Retry-After": "0"}, body: "not now"}},
		{is: {statusCode: 200, headers: {"Content-Type": "application/json"}, body: {ok: true}}, repeat: 2},
		{fault: "CONNECTION_RESET_BY_PEER"}]}]}' >"$W/imposter"
	URL=http://127.0.0.1:$(curl -sS --data-binary "@$W/imposter" "http://127.0.0.1:$api/imposters" | jq .port)
	definition get "$(jq -nc --argjson r "$(retries 6 10)" '$r + {rateLimit: {requests: 3, window: 400, scope: "global"},
		outputSchema: {ok: "boolean"}}')"
	jq -n '{name: "p", actions: [range(10) | {id: "a\(.)", actionDefinitionId: "get"}]}' | drop p.json
	drain --config "$CONFIG" --max-concurrency 8
	[ "$status" -eq 0 ]
	is_state .status completed
	curl -sS "${URL%:*}:$api/imposters/${URL##*:}" >"$W/recorded"
	# ten answers, and a request more for each that went wrong: 2 good of 3
	[ "$(jq '.requests | length' "$W/recorded")" -eq "$(state '[.actionStates[].attempts] | add')" ]
	[ "$(jq '.requests | length' "$W/recorded")" -ge 14 ]
	jq -c "[.requests[].timestamp[17:23]]" "$W/recorded"
	# mountebank's own clock: never more than three within the window
	[ "$(jq 'def ms: (.[:19] + "Z" | fromdateiso8601) * 1000 + (.[20:23] | tonumber);
		[.requests[].timestamp | ms] as $t | [$t[] as $from | [$t[] | select(. >= $from and . < $from + 390)] | length] | max' "$W/recorded")" -le 3 ]
}
