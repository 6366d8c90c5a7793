#!/usr/bin/env bats
# creel-http alone: requests, answers, outputs, errors, limits (S0-DEF, S0-API, S0-ERR, S0-TRACE).

load http.bash

setup() { http_setup; }
teardown() { http_teardown; }

# ---- what is sent, and what comes out ----

@test "http: a request is what the definition and the inputs say; the trace shows it (S0-DEF, S0-TRACE)" {
	rules <<'R'
{"/v1/a%2Fb/x": {"echo": true}}
R
	server
	attempt <<'J'
{"inputs": {"id": "a/b", "q": "x y&z", "n": 5, "on": true, "who": "me"},
 "definition": {"endpoint": {"url": "$URL/v1/{id}/x?q={q}", "method": "POST", "headers": {"X-Who": "it is {who}"}, "query": {"on": "{on}"}}}}
J
	succeeded
	[ "$(output .echo.method)" = POST ]
	[ "$(output .echo.target)" = '/v1/a%2Fb/x?q=x%20y%26z&on=true' ]
	[ "$(output '.echo.headers["x-who"]')" = "it is me" ]
	[ "$(output '.echo.headers["idempotency-key"]')" = 0190-x.a ]
	[ "$(output '.echo.headers["content-type"]')" = application/json ]
	[ "$(output .echo.body)" = '{"n":5}' ]
	[ "$(trace length)" = 1 ]
	[ "$(trace '.[0].request.method + " " + .[0].request.url')" = "POST $URL/v1/a%2Fb/x?q=x%20y%26z&on=true" ]
	[ "$(trace '.[0].request.headers["X-Who"]')" = "it is me" ]
	[ "$(trace '.[0].request.body')" = '{"n":5}' ]
	[ "$(trace '.[0].response.status')" = 200 ]
	[ "$(trace '.[0].timings | [.dns, .connect, .tls, .sent, .firstByte, .total] | all(type == "number")')" = true ]
	[ "$(trace '.[0] | .timings.firstByte <= .timings.total and .attempt == 1 and .kind == "request"')" = true ]
	[ "$(trace '.[0].remoteAddress')" = "127.0.0.1:$PORT" ]
}

@test "http: outputs by content: object, other JSON, text in its charset, nothing" {
	rules <<'R'
{"/object": {"json": {"a": 1}}, "/list": {"json": [1, 2]}, "/none": {"status": 204}, "/empty": {"body": ""},
 "/text": {"headers": {"Content-Type": "text/plain"}, "body": "hällo"},
 "/latin": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Length: 2\r\n\r\n"}, {"hex": "e4f6"}]},
 "/bom": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"}, {"hex": "efbbbf"}, {"send": "{\"b\":2}"}]},
 "/unsaid": {"body": "{\"c\": 3}"}, "/vendor": {"headers": {"Content-Type": "application/vnd.x+json"}, "body": "{\"d\": 4}"}}
R
	server
	local path want
	while read -r path want; do
		attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL$path\"}}}"
		succeeded
		[ "$(output tojson)" = "$want" ] || { echo "$path: $(cat "$A/output")"; return 1; }
	done <<'E'
/object {"a":1}
/list {"body":[1,2]}
/none {}
/empty {}
/text {"text":"hällo"}
/latin {"text":"äö"}
/bom {"b":2}
/unsaid {"c":3}
/vendor {"d":4}
E
}

@test "http: HEAD asks for the head alone" {
	rules <<'R'
{"/": {"headers": {"Content-Type": "application/json"}, "body": "{\"a\": 1}"}, "/moved": {"status": 303, "headers": {"Location": "/"}}}
R
	server
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/moved", "method": "HEAD"}}}'
	succeeded
	[ "$(output tojson)" = '{}' ]
	[ "$(asked 'map(.method) | join(" ")')" = "HEAD HEAD" ]
	[ "$(trace '.[1].response.headers["Content-Length"]')" = 8 ]
}

# 64 bytes, so that a chunk of 1000 can be written in a rule.
CHUNK=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-

@test "http: what is large or no text goes to a file with size and SHA-256, and not into the journal" {
	rules <<R
{"/large": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"},
   {"repeat": 30000, "send": "40\r\n$CHUNK\r\n"}, {"send": "0\r\n\r\n"}]},
 "/binary": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n"}, {"hex": "89504e47"}]},
 "/odd": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"}, {"hex": "ff00fe"}]}}
R
	server
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/large"}}}'
	succeeded
	[ "$(output .body.size)" = 1920000 ]
	[ "$(stat -c %s "$A/body")" = 1920000 ]
	[ "$(output .body.checksum)" = "$(sha256sum "$A/body" | cut -d ' ' -f 1)" ]
	[ "$(output '.body | .provider + " " + .path + " " + .contentType')" = "local actions/a/1/body application/json" ]
	[ "$(output '.body.metadata.url')" = "$URL/large" ]
	[ "$(trace '.[0].responseBodyTruncated')" = true ]
	[ "$(trace '.[0].response.body | length')" = 16384 ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/binary"}}}'
	succeeded
	[ "$(output '.body | "\(.size) \(.contentType)"')" = "4 image/png" ]
	[ "$(od -An -tx1 "$A/body" | tr -d ' ')" = 89504e47 ]
	[ "$(trace '.[0].response.body')" = "[4 bytes that are no text]" ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/odd"}}}'
	succeeded
	[ "$(output '.body | "\(.size) \(.contentType)"')" = "3 application/octet-stream" ]
}

@test "http: memory does not grow with the body" {
	rules <<R
{"/": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 51200000\r\n\r\n"}, {"repeat": 800000, "send": "$CHUNK"}]}}
R
	server
	make_request <<<'{"definition": {"maxResponseSize": 60000000}}'
	(cd "$A" && exec env -i CREEL_INPUT="$A/request.json" CREEL_OUTPUT="$A/output" CREEL_ERROR="$A/error" \
		/usr/bin/python3 -c 'import os, resource, sys
status = os.spawnv(os.P_WAIT, sys.argv[1], sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, status)' "$BIN/creel-http") >"$T/usage"
	read -r kib code <"$T/usage"
	[ "$code" -eq 0 ]
	[ "$(output .body.size)" = 51200000 ]
	# What a sanitizer keeps beside it counts too.
	nm "$BIN/creel-http" | grep -q __asan_init || [ "$kib" -lt 40000 ] || { echo "$kib KiB"; return 1; }
}

@test "http: inputs are checked against inputSchema, outputs against outputSchema, in both forms (S0-DEF)" {
	rules <<'R'
{"/": {"json": {"n": "5", "list": [1]}}, "/list": {"json": [1, "x"]}}
R
	server
	attempt <<<'{"inputs": {"id": 5}, "definition": {"inputSchema": {"id": "string"}}}'
	failed_as "validation_failed input_schema"
	attempt <<<'{"inputs": {"id": "5"}, "definition": {"inputSchema": {"type": "object", "properties": {"id": {"maxLength": 0}}}}}'
	failed_as "validation_failed input_schema"
	[ ! -s "$T/main.log" ]
	attempt <<<'{"definition": {"outputSchema": {"n": "number"}}}'
	failed_as "validation_failed output_schema"
	[ "$(error .retryable)" = false ]
	error .message | grep -q 'n: '
	attempt <<<'{"definition": {"outputSchema": {"n": "string", "list": "array", "more": "object?"}}}'
	succeeded
	attempt <<<'{"definition": {"outputSchema": {"type": "object", "properties": {"list": {"items": {"minimum": 2}}}}}}'
	failed_as "validation_failed output_schema"
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/list"}, "outputSchema": {"body": "array"}}}'
	succeeded
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/list"}, "outputSchema": {"type": "array", "items": {"type": "integer"}}}}'
	failed_as "validation_failed output_schema"
	attempt <<<'{"definition": {"outputSchema": {"n": "numbr"}}}'
	failed_as "validation_failed output_schema"
}

@test "http: an answer that says it is JSON and is none is malformed, never an output" {
	rules <<'R'
{"*": {"headers": {"Content-Type": "application/json"}, "body": "{\"a\": 1"}}
R
	server
	attempt <<<'{}'
	failed_as "api_response_malformed json"
	[ "$(error .retryable)" = true ]
	attempt <<<'{"definition": {"endpoint": {"method": "POST"}}}'
	failed_as "api_response_malformed json"
	[ "$(error '"\(.retryable) \(.context.outcome)"')" = "false done" ]
	attempt <<<'{"definition": {"endpoint": {"method": "POST"}, "retryUnsafe": true}}'
	[ "$(error .retryable)" = true ]
}

@test "http: header injection is refused and nothing is sent" {
	server
	attempt <<<'{"inputs": {"x": "a\r\nX-Evil: 1"}, "definition": {"endpoint": {"headers": {"X-A": "{x}"}}}}'
	failed_as "validation_failed request"
	attempt <<<'{"inputs": {"x": ".."}, "definition": {"endpoint": {"url": "$URL/a/{x}/b"}}}'
	failed_as "validation_failed request"
	[ ! -s "$T/main.log" ]
	[ ! -e "$A/http-trace.json" ]
}

# ---- errors ----

@test "http: statuses, mappings, known errors, messages of the service (S0-ERR, S0-API)" {
	rules <<'R'
{"/404": {"status": 404, "json": {"error": {"code": "NOPE", "message": "no such thing"}}}, "/500": {"status": 500, "body": "boom"},
 "/409": {"status": 409, "headers": {"X-Conflict": "version 7"}}}
R
	server
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/404"}}}'
	failed_as "api_endpoint_removed NOPE"
	[ "$(error '"\(.statusCode) \(.retryable) \(.message)"')" = "404 false GET $URL/404 answered 404 Reply: no such thing" ]
	[ "$(error '.context.url')" = "$URL/404" ]
	[ "$(trace '.[0].error.category')" = api_endpoint_removed ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/500"}, "knownErrors": [{"pattern": "^boom$", "category": "state_inconsistent", "suggestion": "defuse it"}]}}'
	failed_as "state_inconsistent http:500"
	[ "$(error .suggestion)" = "defuse it" ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/409"}}, "api": {"apiId": "x", "errorMappings": [{"header": {"name": "x-conflict", "pattern": "version [0-9]+"}, "category": "validation_failed", "retryable": true, "backoffStrategy": "linear"}]}}'
	failed_as "validation_failed http:409"
	[ "$(error '"\(.retryable) \(.context.backoffStrategy) \(.context.api)"')" = "true linear x" ]
}

@test "http: 429, Retry-After and reset headers arrive as retryAfter and in the trace (S0-API)" {
	local reset wait api
	reset=$(($(date +%s) + 40))
	rules <<R
{"/429": {"status": 429, "headers": {"Retry-After": "30"}},
 "/left": {"headers": {"X-Limit": "60", "X-Left": "0", "X-Reset": "$reset"}, "json": {}},
 "/busy": {"status": 403, "headers": {"X-Limit": "60", "X-Left": "0", "X-Reset": "${reset}000"}}}
R
	server
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/429"}}}'
	failed_as "rate_limit_burst http:429"
	wait=$(error '(.retryAfter | sub("\\.[0-9]+Z"; "Z") | fromdateiso8601) - now | floor')
	[ "$wait" -ge 20 ] && [ "$wait" -le 30 ]
	[ "$(trace '.[0].rateLimit.limited')" = true ]
	api='{"apiId": "x", "errorMappings": [], "quirks": {}, "rateLimiting": {"detection": {"statusCodes": [], "headers": ["X-Throttled"], "bodyPatterns": []},
		"extraction": {"limitHeader": "X-Limit", "remainingHeader": "X-Left", "resetHeader": "X-Reset", "resetFormat": "FORMAT"}, "backoffStrategy": {"type": "respect_reset"}}}'
	attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL/left\"}}, \"api\": ${api/FORMAT/unix_seconds}}"
	succeeded
	[ "$(trace '.[0].rateLimit | "\(.limited) \(.limit) \(.remaining)"')" = "false 60 0" ]
	[ "$(trace '.[0].rateLimit.resetAt | sub("\\.[0-9]+Z"; "Z") | fromdateiso8601')" = "$reset" ]
	attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL/busy\"}}, \"api\": ${api/FORMAT/unix_ms}}"
	failed_as "auth_invalid http:403"
	api=${api/X-Throttled/X-Left}
	attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL/busy\"}}, \"api\": ${api/FORMAT/unix_ms}}"
	failed_as "rate_limit_burst http:403"
	[ "$(error '.retryAfter | sub("\\.[0-9]+Z"; "Z") | fromdateiso8601')" = "$reset" ]
}

# q PATH QUIRKS: an attempt against an API with these.
q() {
	attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL$1\"}}, \"api\": {\"apiId\": \"x\", \"quirks\": {$2}}}"
}

@test "http: all seven quirks (S0-API)" {
	rules <<'R'
{"/ok": {"json": {"ok": false, "error": {"code": "E7", "message": "hidden"}}},
 "/type": {"headers": {"Content-Type": "application/x-problem"}, "body": "{\"code\": \"P1\"}"},
 "/204": {"status": 204},
 "/bin": {"steps": [{"send": "HTTP/1.1 500 X\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n"}, {"hex": "00ff10ab"}]},
 "/json": {"headers": {"Content-Type": "text/x-json"}, "body": "{\"a\": 1}"},
 "/agent": {"echo": true}, "/big": {"body": "0123456789"}}
R
	server
	q /ok ''
	succeeded
	q /ok '"successWithErrorBody": true'
	failed_as "api_unexpected_status E7"
	q /type '"successWithErrorBody": true'
	succeeded
	q /type '"successWithErrorBody": true, "errorContentType": "application/x-problem"'
	failed_as "api_unexpected_status P1"
	q /204 ''
	succeeded
	q /204 '"emptyResponseOn204": true'
	succeeded
	q /204 '"emptyResponseOn204": false'
	failed_as "api_response_malformed empty"
	q /bin '"binaryErrorResponses": true'
	failed_as "api_unexpected_status http:500"
	[ "$(error '.context | .errorBody + " " + .errorBodyType')" = "error-body image/png" ]
	[ "$(od -An -tx1 "$A/error-body" | tr -d ' ')" = 00ff10ab ]
	q /json ''
	succeeded
	[ "$(output .text)" = '{"a": 1}' ]
	q /json '"nonStandardJsonContentType": "text/x-json"'
	succeeded
	[ "$(output .a)" = 1 ]
	q /agent '"requiresUserAgent": "Special/1"'
	[ "$(output '.echo.headers["user-agent"]')" = Special/1 ]
	q /big '"maxResponseSize": 9'
	failed_as "api_response_malformed body_too_large"
	q /big '"maxResponseSize": 10'
	succeeded
}

# ---- limits ----

@test "http: more than maxResponseSize is refused: declared, chunked, compressed" {
	rules <<'R'
{"/declared": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"}, {"repeat": 500, "send": "0123456789"}]},
 "/chunked": {"steps": [{"send": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}, {"repeat": 500, "send": "a\r\n0123456789\r\n"}, {"send": "0\r\n\r\n"}]},
 "/bomb": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"}, {"gzip": "0000000000", "times": 5000000}]},
 "/small": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"}, {"gzip": "hello"}]},
 "/cut": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"}, {"gzip": "hello ", "times": 5000, "cut": 9}]}}
R
	server
	local path
	for path in declared chunked bomb; do
		attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL/$path\"}, \"maxResponseSize\": 4000}}"
		failed_as "api_response_malformed body_too_large"
		[ ! -e "$A/body" ]
		[ ! -e "$A/body.part" ]
	done
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/bomb"}}, "http": {"limits": {"inlineBody": 1000, "maxResponseSize": 1000000}}}'
	failed_as "api_response_malformed body_too_large"
	[ ! -e "$A/body" ]
	[ ! -e "$A/body.part" ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/small"}}}'
	succeeded
	[ "$(output .text)" = hello ]
	# libcurl itself would take it for whole.
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/cut"}}}'
	failed_as "api_response_malformed body_encoding"
}

# go PATH TIMEOUT IDLE
go() {
	attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL/$1\", \"timeout\": $2}}, \"http\": {\"limits\": {\"idleTimeoutMs\": $3}}}"
}

@test "http: too many headers, endless headers, too slow: each ends the attempt" {
	rules <<R
{"/many": {"steps": [{"send": "HTTP/1.1 200 OK\r\n"}, {"repeat": 600, "send": "X-A: b\r\n"}, {"send": "\r\nbody"}]},
 "/endless": {"steps": [{"send": "HTTP/1.1 200 OK\r\n"}, {"repeat": 100000, "send": "X-A: b\r\n"}]},
 "/continue": {"steps": [{"repeat": 1000, "send": "HTTP/1.1 100 Continue\r\n\r\n"}, {"send": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}]},
 "/silent": {"steps": [{"until": "$T/never"}]},
 "/stalls": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01"}, {"until": "$T/never"}]},
 "/drips": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}, {"pace": 0.05, "repeat": 100, "send": "0123456789"}]}}
R
	server
	go many 20000 0
	failed_as "api_response_malformed headers_too_large"
	go endless 20000 0
	failed_as "api_response_malformed headers_too_large"
	go continue 20000 0
	failed_as "api_response_malformed headers_too_large"
	go silent 300 0
	failed_as "network_timeout curl:28"
	[ "$(trace '.[0] | "\(has("response")) \(.error.category)"')" = "false network_timeout" ]
	go stalls 20000 300
	failed_as "network_timeout idle_timeout"
	go drips 700 600
	failed_as "network_timeout curl:28"
	touch "$T/never"
}

@test "http: the attempt's own limit is kept with a word about it" {
	rules <<R
{"*": {"steps": [{"until": "$T/never"}]}}
R
	server
	attempt <<<'{"timeoutMs": 600, "definition": {"endpoint": {"timeout": 20000}}}'
	failed_as "network_timeout curl:28"
	attempt <<<'{"timeoutMs": 600, "definition": {"endpoint": {"timeout": 0}}}'
	failed_as "network_timeout curl:28"
	touch "$T/never"
}

@test "http: SIGTERM ends it with a trace and an error" {
	rules <<R
{"*": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01"}, {"until": "$T/never"}]}}
R
	server
	make_request <<<'{"definition": {"endpoint": {"method": "POST"}}}'
	(cd "$A" && exec env -i CREEL_INPUT="$A/request.json" CREEL_OUTPUT="$A/output" CREEL_ERROR="$A/error" "$BIN/creel-http" 2>/dev/null 3>&-) &
	local pid=$! n
	for ((n = 0; n < 1000; n++)); do
		[ ! -s "$T/main.log" ] || break
		sleep 0.02
	done
	# While it waits, the trace says that the request is on its way.
	[ "$(trace '.[0] | has("response") or has("error")')" = false ]
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	failed_as "user_cancelled cancelled"
	[ "$(error '"\(.retryable) \(.context.outcome)"')" = "false unknown" ]
	[ "$(trace '.[0].error.code')" = cancelled ]
	touch "$T/never"
}

# ---- safety ----

@test "http: private addresses are refused by what the name resolves to, unless allowed" {
	rules <<'R'
{"/": {"json": {}}}
R
	server
	local host
	ALLOW='[]'
	for host in 127.0.0.1 localhost 127.1 2130706433 0x7f000001 '[::ffff:127.0.0.1]' 0.0.0.0 10.0.0.1 169.254.169.254 192.168.0.1; do
		attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"http://$host:$PORT/\"}}}"
		failed_as "validation_failed address_refused" || { echo "$host"; return 1; }
		[ "$(error .retryable)" = false ]
	done
	[ ! -s "$T/main.log" ]
	ALLOW='["10.0.0.0/8"]'
	attempt <<<'{}'
	failed_as "validation_failed address_refused"
	ALLOW='["127.0.0.1/32"]'
	attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"http://localhost:$PORT/\"}}}"
	succeeded
	ALLOW='["127.0.0.1/8"]'
	attempt <<<'{}'
	failed_as "validation_failed request"
	error .message | grep -q 'allowPrivate: .*bits are set behind the prefix'
}

@test "http: other schemes, and user and password in the URL, are refused" {
	local url
	URL=none
	for url in ftp://127.0.0.1/ file:///etc/passwd gopher://127.0.0.1/ https://u:p@127.0.0.1/; do
		attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"$url\"}}}"
		failed_as "validation_failed request"
	done
}

@test "http: proxies of the environment, netrc and cookies play no part" {
	rules <<'R'
{"/set": {"status": 302, "headers": {"Set-Cookie": "a=b", "Location": "/get"}}, "/get": {"echo": true}}
R
	server
	printf 'machine 127.0.0.1 login me password hunter22\n' >"$T/.netrc"
	EXTRA_ENV="HOME=$T http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1"
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/set"}}}'
	succeeded
	[ "$(output '.echo.headers | has("cookie") or has("authorization")')" = false ]
}

@test "http: a proxy is used where the configuration names one, and not for private addresses in the URL" {
	rules <<'R'
{"*": {"echo": true}}
R
	server
	ALLOW='[]'
	attempt <<<'{"definition": {"endpoint": {"url": "http://api.example/x"}}, "http": {"proxy": "$URL"}}'
	succeeded
	[ "$(output '.echo.target')" = http://api.example/x ]
	attempt <<<'{"definition": {"endpoint": {"url": "http://127.1/x"}}, "http": {"proxy": "$URL"}}'
	failed_as "validation_failed address_refused"
	attempt <<<'{"definition": {"endpoint": {"url": "http://[::1]:80/x"}}, "http": {"proxy": "$URL"}}'
	failed_as "validation_failed address_refused"
	[ "$(asked length)" = 1 ]
}

@test "http: a text made to be slow for a pattern does not hold the attempt up" {
	printf '{"/": {"status": 400, "body": "%s!"}}' "$(head -c 30000 /dev/zero | tr '\0' a)" | rules
	server
	jq -n '{definition: {knownErrors: [range(40) | {pattern: "(a|aa)+$", category: "auth_invalid", suggestion: "x"}]}}' >"$T/given"
	attempt <"$T/given"
	failed_as "validation_failed http:400"
	[ "$(grep -c 'too many steps' "$A/stderr")" -eq 3 ]
}

@test "http: TLS is verified; a private CA can be named, for the definition and for all" {
	rules <<'R'
{"/": {"json": {"ok": true}}}
R
	server tls
	attempt <<<'{}'
	failed_as "network_connection_refused curl:60"
	[ "$(error .retryable)" = false ]
	[ "$(trace '.[0].curl | "\(.code) \(.name)"')" = "60 CURLE_PEER_FAILED_VERIFICATION" ]
	attempt <<<'{"definition": {"caFile": "$T/ca.pem"}}'
	succeeded
	attempt <<<'{"http": {"caFile": "$T/ca.pem"}}'
	succeeded
	# The right authority and the wrong name.
	printf 'subjectAltName=DNS:other.example\n' >"$T/other.ext"
	openssl x509 -req -in "$T/tls.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -out "$T/tls.pem" -days 2 \
		-extfile "$T/other.ext" 2>/dev/null
	cp "$T/main.rules" "$T/second.rules"
	server second tls
	attempt <<<'{"definition": {"caFile": "$T/ca.pem"}}'
	failed_as "network_connection_refused curl:60"
	attempt <<<'{"definition": {"caFile": "$T/no.pem"}}'
	failed_as "validation_failed curl:77"
}

# ---- health ----

health() {
	status=0
	printf '{"allowPrivate": ["127.0.0.1"], "api": {"apiId": "x", "baseUrl": "%s/base/", "healthCheck": %s}}' "$URL" "$1" |
		"$BIN/creel-http" --health >"$T/health" || status=$?
}

@test "http: --health (S0-API)" {
	rules <<'R'
{"/base/up": {"status": 204}, "/base/down": {"status": 503}}
R
	server
	health '{"endpoint": "/up", "expectedStatus": 204, "timeout": 5000}'
	[ "$status" -eq 0 ]
	[ "$(jq -r '"\(.healthy) \(.statusCode)"' "$T/health")" = "true 204" ]
	health '{"endpoint": "down", "expectedStatus": 204, "timeout": 5000}'
	[ "$status" -eq 1 ]
	[ "$(jq -r '"\(.healthy) \(.statusCode)"' "$T/health")" = "false 503" ]
	health '{"endpoint": "http://127.0.0.1:1/", "expectedStatus": 204, "timeout": 5000}'
	[ "$status" -eq 1 ]
	[ "$(jq -r '"\(.healthy) \(has("statusCode"))"' "$T/health")" = "false false" ]
	status=0
	echo '{}' | "$BIN/creel-http" --health >"$T/health" || status=$?
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$T/health")" -eq 1 ]
}

@test "http: a wrong command line, a missing and a broken request" {
	run "$BIN/creel-http" --what
	[ "$status" -eq 100 ]
	run env -i "$BIN/creel-http"
	[ "$status" -eq 111 ]
	echo '{}' >"$A.secrets"
	echo '{"x": 1}' >"$A/request.json"
	run_executor
	failed_as "validation_failed request"
	echo '{"x": 1' >"$A/request.json"
	run_executor
	failed_as "validation_failed request"
}
