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

# ---- httpbin ----

@test "httpbin: methods, bodies, encodings, redirects, streams, files, credentials (S0-DEF, S0-API, S0-ERR)" {
	in_background /usr/bin/python3 -m gunicorn -b 127.0.0.1:0 --threads 8 httpbin:app
	wait_until grep -q 'Listening at: ' "$T/server.log"
	URL=$(sed -n 's/.*Listening at: \(http:[^ ]*\).*/\1/p' "$T/server.log")
	definition put '{"endpoint": {"url": "'"$URL"'/anything/{id}?q={q}", "method": "PUT", "headers": {"X-Text": "{text}"}},
		"authentication": {"type": "bearer", "token": "A_TOKEN", "tokenFrom": "env"}}'
	definition bearer '{"endpoint": {"url": "'"$URL"'/bearer"}, "authentication": {"type": "bearer", "token": "A_TOKEN", "tokenFrom": "env"},
		"outputSchema": {"authenticated": "boolean", "token": "string"}}'
	definition nobody '{"endpoint": {"url": "'"$URL"'/bearer"}}'
	definition few '{"endpoint": {"url": "'"$URL"'/redirect/3"}, "followRedirects": 2}'
	jq -n --arg u "$URL" '{name: "p", actions: ([
		{id: "put", actionDefinitionId: "put", inputs: {id: "a/b ä", q: "1&2=3", text: "t", n: 5, list: [1, null]}},
		{id: "bearer", actionDefinitionId: "bearer"}]
		+ ([["gzip", "/gzip"], ["deflate", "/deflate"], ["redirects", "/redirect/3"], ["away", "/absolute-redirect/2"],
			["stream", "/stream-bytes/3000"], ["drip", "/drip?numbytes=5&duration=0&delay=0"], ["utf8", "/encoding/utf8"], ["xml", "/xml"],
			["png", "/image/png"], ["big", "/bytes/100000"], ["range", "/range/1000"], ["cookies", "/cookies/set?a=b"], ["empty", "/status/204"]]
			| map({id: .[0], actionDefinitionId: "http.request", inputs: {url: ($u + .[1])}}))
		+ ([["nobody", "nobody"], ["few", "few"]] | map({id: .[0], actionDefinitionId: .[1], errorHandling: {continueOnFailure: true}}))
		+ ([["s404", "/status/404"], ["s429", "/status/429"], ["s503", "/status/503"], ["s418", "/status/418"], ["brotli", "/brotli"]]
			| map({id: .[0], actionDefinitionId: "http.request", inputs: {url: ($u + .[1])}, errorHandling: {continueOnFailure: true},
				retryPolicy: {maxAttempts: 1, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, jitter: false, retryableErrors: []}})))}' | drop p.json
	A_TOKEN=tok-66ab12 drain --config "$CONFIG"
	[ "$(of_state)" = "nobody few s404 s429 s503 s418 brotli" ] || { state "[.actionStates[] | {(.actionId): (.result.error | \"\\(.category) \\(.message)\")}]"; false; }
	out() { jq -r "$2" "$(where)/actions/$1/1/output.json"; }
	[ "$(out put '.method, .args.q, .headers["X-Text"], .headers.Authorization, (.json | tojson)' | tr '\n' ' ')" = \
		'PUT 1&2=3 t Bearer *** {"list":[1,null],"n":5} ' ] ||
		{ out put .; false; }
	[ "$("$BIN/creel" trace --json last put | jq -r '.[0].request.url')" = "$URL/anything/a%2Fb%20%C3%A4?q=1%262%3D3" ]
	[ "$(out bearer '.authenticated, .token' | tr '\n' ' ')" = "true *** " ]
	[ "$(out gzip .gzipped) $(out deflate .deflated)" = "true true" ]
	[ "$("$BIN/creel" trace --json last redirects | jq -r 'map("\(.kind) \(.response.status)") | join(", ")')" = \
		"request 302, redirect 302, redirect 302, redirect 200" ]
	[ "$(out utf8 .text | sha256sum)" = "$(curl -sS "$URL/encoding/utf8" | sed -e '$a\' | sha256sum)" ]
	[ "$(out xml '.text[:5]')" = "<?xml" ]
	[ "$(out png '.body.contentType')" = image/png ]
	[ "$(jq -r .body.checksum "$(where)/actions/big/1/output.json")" = "sha256:$(sha256sum <"$(where)/actions/big/1/body" | cut -d' ' -f1)" ] ||
		[ "$(jq -r .body.checksum "$(where)/actions/big/1/output.json")" = "$(sha256sum <"$(where)/actions/big/1/body" | cut -d' ' -f1)" ]
	[ "$(out cookies '.cookies | length')" = 0 ] # none is kept
	category() { state ".actionStates[\"$1\"].result.error | \"\(.category) \(.statusCode)\""; }
	[ "$(category nobody)" = "auth_invalid 401" ]
	[ "$(category s404)" = "api_endpoint_removed 404" ]
	[ "$(category s429)" = "rate_limit_burst 429" ]
	[ "$(category s503)" = "api_unexpected_status 503" ]
	[ "$(state '.actionStates.brotli.result.error.category')" = api_response_malformed ] # it was not asked for
	[ "$(category s418)" = "api_unexpected_status 418" ]
}

# ---- nginx ----

make_certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/ca.key" -out "$W/ca.pem" -days 2 -subj /CN=creel-test
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/tls.key" -out "$W/tls.csr" -subj /CN=localhost
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$W/tls.ext"
	openssl x509 -req -in "$W/tls.csr" -CA "$W/ca.pem" -CAkey "$W/ca.key" -CAcreateserial -out "$W/tls.pem" -days 2 -extfile "$W/tls.ext"
}

@test "nginx: TLS with a CA of one's own, HTTP/2, and no trust in it without that CA (S0-DEF, S0-TRACE)" {
	local port plain
	make_certificates 2>/dev/null
	port=$(free_port)
	plain=$(free_port)
	cat >"$W/nginx.conf" <<-E
	daemon off; master_process off; pid $W/pid; error_log $W/error.log;
	events {}
	http {
		access_log $W/access.log; default_type application/json;
		client_body_temp_path $W/b; proxy_temp_path $W/p; fastcgi_temp_path $W/f; uwsgi_temp_path $W/u; scgi_temp_path $W/s;
		server {
			listen 127.0.0.1:$port ssl http2;
			ssl_certificate $W/tls.pem; ssl_certificate_key $W/tls.key;
			location / { return 200 '{"protocol": "\$server_protocol", "key": "\$http_x_key", "agent": "\$http_user_agent"}'; }
			location /down { return 302 http://127.0.0.1:$plain/; }
		}
		server { listen 127.0.0.1:$plain; location / { return 200 '{"protocol": "\$server_protocol"}'; } }
	}
	E
	in_background /usr/sbin/nginx -e "$W/error.log" -p "$W" -c "$W/nginx.conf"
	wait_until answers --cacert "$W/ca.pem" "https://127.0.0.1:$port/"
	URL=https://127.0.0.1:$port
	definition known '{"caFile": "'"$W/ca.pem"'", "authentication": {"type": "api_key", "header": "X-Key", "value": "A_KEY", "valueFrom": "env"}}'
	definition unknown
	definition down '{"caFile": "'"$W/ca.pem"'"}'
	definition plain '{"endpoint": {"url": "http://127.0.0.1:'"$plain"'/"}}'
	for k in known unknown down plain; do
		echo "{\"id\": \"$k\", \"actionDefinitionId\": \"$k\", \"errorHandling\": {\"continueOnFailure\": true}}"
	done | jq -s '{name: "p", actions: .}' | drop p.json
	A_KEY=key-1188cd drain --config "$CONFIG"
	[ "$(of_state)" = "unknown down" ]
	jq -e '.protocol == "HTTP/2.0" and .key == "***" and (.agent | startswith("creel"))' "$(where)/actions/known/1/output.json"
	"$BIN/creel" trace --json last known | jq -e '.[0] | .httpVersion == "2" and .timings.tls > 0 and .remoteAddress == "127.0.0.1:'"$port"'"'
	jq -e '.protocol == "HTTP/1.1"' "$(where)/actions/plain/1/output.json"
	[[ "$("$BIN/creel" trace last unknown)" == *"ertificate"* ]]
	[ "$("$BIN/creel" trace --json last down | jq length)" = 1 ] # from https never to http
	[ "$(grep -c . "$W/access.log")" -ge 3 ]
	[ "$("$BIN/creel" trace --har last known | jq -r '.log.entries[0] | .request.httpVersion, (.timings.ssl > 0)' | tr '\n' ' ')" = "HTTP/2 true " ]
}

# ---- oauth2-mock-server ----

tokens() {
	jq -s -r "$1" "$W/tokens"
}

@test "oauth2-mock-server: one token for many that wait, a new one when it is over and after a 401, rotated refresh tokens, none on disk (S0-DEF, SEC)" {
	echo 1 >"$W/expires"
	: >"$W/secrets"
	in_background node "$SERVERS_DIR/oauth.mjs" "$W"
	wait_until test -s "$W/port"
	URL=http://127.0.0.1:$(cat "$W/port")
	printf first-refresh >"$T/secrets/first"
	chmod 600 "$T/secrets/first"
	definition get '{"endpoint": {"url": "'"$URL"'/userinfo"}, "authentication": {"type": "oauth2", "clientId": "me", "clientSecret": "env:CLIENT",
		"tokenUrl": "'"$URL"'/token", "scope": ["a", "b"], "refreshToken": "secret:first"}}'
	echo client-secret-4411 >>"$W/secrets"
	jq -n --arg over "$(gate over)" --arg again "$(gate again)" '
		def many($name; $n; $after): [range($n) | {id: "\($name)\(.)", actionDefinitionId: "get", dependencies: $after}];
		{name: "p", actions: (many("a"; 8; [])
			+ [{id: "over", actionDefinitionId: "shell.run", inputs: {script: $over}, dependencies: [range(8) | "a\(.)"]}]
			+ many("b"; 6; ["over"])
			+ [{id: "again", actionDefinitionId: "shell.run", inputs: {script: $again}, dependencies: [range(6) | "b\(.)"]}]
			+ many("c"; 1; ["again"]) + many("d"; 4; ["c0"]))}' | drop p.json
	CLIENT=client-secret-4411 daemon_start --config "$CONFIG" --max-concurrency 8
	wait_until has_status over running
	[ "$(tokens length)" -eq 1 ] # for eight that waited
	wait_until test -e "$W/expired"
	echo 3600 >"$W/expires"
	open_gate over
	wait_until has_status again running
	[ "$(tokens length)" -eq 2 ] # the first one was over: once for six
	: >"$W/revoke"
	open_gate again
	is_over() { [ -z "$(ls "$S/active")" ]; }
	wait_until is_over
	is_state .status completed
	[ "$(tokens length)" -eq 3 ] # one 401, one new token, which the four after it share
	[ "$(jq -s -r 'map(.status) | group_by(.) | map("\(.[0]) \(length)") | join(" ")' "$W/asked")" = "200 19 401 1" ]
	[ "$(state '[.actionStates[].attempts] | max')" -eq 1 ]
	# each refresh token was used once, the last one each time
	[ "$(tokens 'map("\(.grant) \(.status)") | unique | join(",")')" = "refresh_token 200" ]
	[ "$(tokens 'map(.given) | unique | length')" -eq 3 ]
	[ "$(tokens '.[0].given')" = first-refresh ]
	echo first-refresh >>"$W/secrets"
	[ "$(grep -c . "$W/secrets")" -eq 8 ]
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../http/leaks.py" "$W/secrets" "$S"
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
