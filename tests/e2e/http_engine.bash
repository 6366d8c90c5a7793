# http_engine.bash - for the tests of HTTP actions: a server, the executor, and definitions in the catalog.
#
#	http_setup / http_teardown  beside those of the spool; the server's files are in $W (see http/server.py)
#	definition ID [JSON]        catalog/actions/ID.json: a GET of $URL/ID; JSON is merged over it
#	api ID [JSON]               catalog/apis/ID.json for $URL
#	requests [JQ]               jq -s over what the server was asked
#	$CONFIG                     a configuration; http_config JSON sets its http:
#
# The executor is creel-http where it is built, else a stand-in; CREEL_TEST_EXECUTOR chooses.

http_setup() {
	HTTP=$BATS_TEST_DIRNAME/http
	W=$T/server
	mkdir "$W"
	"$HTTP/server.py" "$W" 2>"$T/server.log" 3>&- &
	SERVER=$!
	wait_until test -s "$W/port"
	URL=http://127.0.0.1:$(cat "$W/port")
	CONFIG=$T/config.yaml
	EXECUTOR=${CREEL_TEST_EXECUTOR:-$BIN/creel-http}
	[ -x "$EXECUTOR" ] || EXECUTOR=$HTTP/standin.py
	mkdir -m 700 "$T/secrets"
	http_config '{}'
}

http_teardown() {
	[ -z "${SERVER:-}" ] || { kill "$SERVER" 2>/dev/null && wait "$SERVER" 2>/dev/null; } || :
	SERVER=
}

http_config() {
	jq -n --arg executor "$EXECUTOR" --arg secrets "$T/secrets" --argjson more "$1" \
		'{secrets_dir: $secrets, http: ({executor: $executor, allow_private: ["127.0.0.0/8"]} + $more)}' >"$CONFIG"
}

definition() {
	jq -n --arg id "$1" --arg url "$URL/$1" --argjson more "${2:-null}" '{id: $id, name: $id, description: "", version: "1.0.0",
		endpoint: {url: $url, method: "GET", headers: {}, timeout: 10000}, inputSchema: {}, outputSchema: {},
		retryPolicy: {maxAttempts: 1, initialDelay: 1, maxDelay: 10, backoffMultiplier: 1, jitter: false, retryableErrors: []},
		knownErrors: [], examples: []} * ($more // {})' >"$T/.def"
	mv "$T/.def" "$S/catalog/actions/$1.json"
}

api() {
	jq -n --arg id "$1" --arg url "$URL" --argjson more "${2:-null}" '{apiId: $id, name: $id, version: "1", baseUrl: $url,
		errorMappings: [], quirks: {}} * ($more // {})' >"$T/.api"
	mv "$T/.api" "$S/catalog/apis/$1.json"
}

# A retry policy for a definition: ATTEMPTS DELAY-MS
retries() {
	echo "{\"retryPolicy\": {\"maxAttempts\": $1, \"initialDelay\": $2, \"maxDelay\": $2,
		\"retryableErrors\": [\"rate_limit_burst\", \"api_unexpected_status\", \"network_connection_refused\", \"network_timeout\"]}}"
}

requests() {
	if [ -e "$W/requests" ]; then jq -s -r "${1:-.}" "$W/requests"; else echo '[]' | jq -r "${1:-.}"; fi
}

# Were there ever more than N accepted requests within SECONDS, as the server saw them?
most_within() {
	requests "[.[] | select((.path | startswith(\"/health\") or startswith(\"/token\")) | not) | .at] as \$t
		| [\$t[] as \$from | [\$t[] | select(. >= \$from and . < \$from + $1)] | length] | max // 0"
}

# Nothing that was dropped waits to be taken, is being admitted, or runs: in the order in which it moves on.
ended_all() {
	[ -z "$(ls "$S/inbox")" ] && [ -z "$(ls "$S/tmp")" ] && [ -z "$(ls "$S/active")" ]
}
