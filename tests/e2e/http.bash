# http.bash - creel-http alone: a server that is told what to say, a request made by hand, and what came of it.
#
#	http_setup; http_teardown       a directory $T, and the end of all servers
#	rules <<E … E                   what the server says (http_server.py), before it starts
#	server [NAME] [tls]             start one: $URL, $PORT; NAME_URL for a second one; its log is $T/NAME.log
#	attempt <<E … E                 run creel-http: a JSON object with what differs from a plain GET of $URL/
#	                                {definition, api, inputs, secrets, input, mask, http, tokens, …}; $URL is filled in
#	                                sets $status; files are in $A
#	output JQ, error JQ, trace JQ   of what it left
#	asked JQ                        over the list of requests that the server saw

http_setup() {
	local root
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	BIN=${BUILD:-build}
	case $BIN in
	/*) ;;
	*) BIN=$root/$BIN ;;
	esac
	E2E=$root/tests/e2e
	CORPUS=$root/tests/corpus
	T=$(mktemp -d)
	A=$T/attempt
	mkdir "$A"
	SERVERS=()
	FEEDS=()
	ALLOW='["127.0.0.0/8"]'
	cd "$T" || return 1
}

# `! command` fails no test unless it comes last: this does.
not() {
	if "$@"; then
		echo "it should not hold: $*"
		return 1
	fi
}

http_teardown() {
	local fd pid
	for fd in "${FEEDS[@]}"; do
		exec {fd}>&-
	done
	for pid in "${SERVERS[@]}"; do
		wait "$pid" 2>/dev/null || :
	done
	cd / && rm -rf "$T"
}

wait_for_file() {
	local n
	for ((n = 0; n < 1000; n++)); do
		[ ! -e "$1" ] || return 0
		sleep 0.02
	done
	echo "waited in vain for $1" >&2
	return 1
}

rules() {
	cat >"$T/${1:-main}.rules"
}

# A certificate authority, and a certificate of it for localhost and 127.0.0.1.
certificates() {
	[ ! -e "$T/ca.pem" ] || return 0
	{
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/ca.key" -out "$T/ca.pem" \
			-days 2 -subj /CN=creel-test
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/tls.key" -out "$T/tls.csr" \
			-subj /CN=localhost
		printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$T/tls.ext"
		openssl x509 -req -in "$T/tls.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -out "$T/tls.pem" \
			-days 2 -extfile "$T/tls.ext"
	} 2>/dev/null
}

server() {
	local name=main tls=() feed
	[ $# -eq 0 ] || [ "$1" = tls ] || { name=$1 && shift; }
	if [ "${1:-}" = tls ]; then
		certificates
		tls=("$T/tls.pem" "$T/tls.key")
	fi
	[ -e "$T/$name.rules" ] || echo '{}' >"$T/$name.rules"
	mkfifo "$T/$name.feed"
	/usr/bin/python3 "$E2E/http_server.py" "$T/$name.ready" "$T/$name.log" "$T/$name.rules" "${tls[@]}" \
		<"$T/$name.feed" 2>"$T/$name.err" 3>&- 4>&- &
	SERVERS+=($!)
	exec {feed}>"$T/$name.feed"
	FEEDS+=("$feed")
	wait_for_file "$T/$name.ready" || { cat "$T/$name.err"; return 1; }
	PORT=$(cat "$T/$name.ready")
	URL=http${tls:+s}://127.0.0.1:$PORT
	printf -v "${name}_URL" %s "$URL"
}

# request.json from what differs.
make_request() {
	sed "s|\$URL|$URL|g; s|\$OTHER|${other_URL:-}|g; s|\$T/|$T/|g" >"$A/given.json"
	jq --arg url "$URL/" --argjson allow "$ALLOW" '{execution: "0190-x", action: "a", attempt: (.attempt // 1),
		idempotencyKey: "0190-x.a", actionDefinitionId: "d", inputs: (.inputs // {}),
		http: ({definition: ({id: "d", endpoint: {url: $url, method: "GET", headers: {}, timeout: 20000},
			inputSchema: {}, outputSchema: {}} * (.definition // {})), api: .api,
			allowPrivate: $allow} + (.http // {}))}
		+ (if .timeoutMs then {timeoutMs} else {} end)' "$A/given.json" >"$A/request.json"
	jq -c '{secrets: (.secrets // {}), input: (.input // {}), mask: (.mask // [])}' "$A/given.json" >"$A.secrets"
	rm "$A/given.json"
}

# As creel-run does: its directory, nothing but CREEL_ variables, the secrets on 3 and the tokens on 4.
run_executor() {
	rm -f "$A"/output "$A"/error "$A"/http-trace.json "$A"/body "$A"/error-body
	[ -e "$T/tokens" ] || : >"$T/tokens"
	status=0
	(cd "$A" && exec env -i CREEL_INPUT="$A/request.json" CREEL_OUTPUT="$A/output" CREEL_ERROR="$A/error" CREEL_DIR="$A" \
		CREEL_EXECUTION_ID=0190-x CREEL_ACTION_ID=a CREEL_ATTEMPT=1 CREEL_IDEMPOTENCY_KEY=0190-x.a \
		CREEL_SECRETS_FD=3 CREEL_TOKENS_FD=4 ${EXTRA_ENV:-} timeout -k 5 60 "$BIN/creel-http" 3<"$A.secrets" 4<>"$T/tokens" \
		>"$A/stdout" 2>"$A/stderr") || status=$?
}

attempt() {
	make_request
	run_executor
}

output() { jq -r "$1" "$A/output"; }
error() { jq -r "$1" "$A/error"; }
trace() { jq -r "$1" "$A/http-trace.json"; }
asked() { jq -s -r "$1" "$T/${2:-main}.log"; }

# The error is of that category and code, and nothing passes for an output.
failed_as() {
	local found
	[ "$status" -eq 1 ] || { echo "exit $status"; return 1; }
	[ ! -e "$A/output" ] || { echo "it left an output"; return 1; }
	found=$(error '"\(.category) \(.code)"')
	[ "$found" = "$1" ] || { echo "it failed as $found: $(error .message)"; return 1; }
}

succeeded() {
	[ "$status" -eq 0 ] || { echo "exit $status: $(cat "$A/stderr")"; return 1; }
	[ ! -e "$A/error" ]
}

# No file of the attempt has the text in it.
nowhere() {
	! grep -rlF -- "$1" "$A" || { echo "\"$1\" is in these"; return 1; }
}
