#!/usr/bin/env bats
# creel-http alone: credentials, redirects, and that no secret is left anywhere (S0-DEF, S0-TRACE).

load http.bash

setup() { http_setup; }
teardown() { http_teardown; }

SECRET='s3cr3t/Tok+en="quoted" &more'

# ---- bearer, api_key ----

@test "http auth: bearer, api_key in a header and in the query (S0-DEF)" {
	rules <<'R'
{"*": {"echo": true}}
R
	server
	attempt <<'J'
{"definition": {"authentication": {"type": "bearer", "token": "MY_TOKEN", "tokenFrom": "env"}}, "secrets": {"token": "hunter22token"}}
J
	succeeded
	[ "$(asked '.[-1].headers.authorization')" = "Bearer hunter22token" ]
	[ "$(output '.echo.headers.authorization')" = "Bearer ***" ]
	[ "$(trace '.[0].request.headers.Authorization')" = "Bearer ***" ]
	attempt <<'J'
{"definition": {"authentication": {"type": "api_key", "header": "X-Key", "value": "K", "valueFrom": "env"}}, "secrets": {"value": "hunter22key"}}
J
	succeeded
	[ "$(asked '.[-1].headers["x-key"]')" = hunter22key ]
	[ "$(trace '.[0].request.headers["X-Key"]')" = "***" ]
	attempt <<'J'
{"definition": {"authentication": {"type": "api_key", "header": "Authorization", "prefix": "Token ", "value": "K", "valueFrom": "env"}}, "secrets": {"value": "hunter22key"}}
J
	[ "$(asked '.[-1].headers.authorization')" = "Token hunter22key" ]
	attempt <<'J'
{"definition": {"endpoint": {"url": "$URL/a?b=c"}, "authentication": {"type": "api_key", "header": "key", "location": "query", "value": "K", "valueFrom": "env"}}, "secrets": {"value": "hunter22 key&"}}
J
	succeeded
	[ "$(asked '.[-1].target')" = "/a?b=c&key=hunter22%20key%26" ]
	[ "$(trace '.[0].request.url')" = "$URL/a?b=c&key=***" ]
	nowhere hunter22
}

@test "http auth: what is missing or cannot stand in a header is auth_invalid, and nothing is sent" {
	server
	attempt <<<'{"definition": {"authentication": {"type": "bearer", "token": "T", "tokenFrom": "env"}}}'
	failed_as "auth_invalid auth_missing"
	attempt <<<'{"definition": {"authentication": {"type": "bearer", "token": "T", "tokenFrom": "env"}}, "secrets": {"token": "hunter22\r\nX-Evil: 1"}}'
	failed_as "auth_invalid auth_value"
	attempt <<<'{"definition": {"authentication": {"type": "api_key", "header": "Content-Length", "value": "T", "valueFrom": "env"}}, "secrets": {"value": "hunter22"}}'
	failed_as "auth_invalid auth_header"
	attempt <<<'{"definition": {"authentication": {"type": "kerberos"}}}'
	failed_as "auth_invalid auth_type"
	[ ! -s "$T/main.log" ]
	nowhere hunter22
}

@test "http auth: a 401 with a fixed token is not tried again; one that has expired is auth_expired" {
	rules <<'R'
{"/bad": {"status": 401, "body": "no"}, "/old": {"status": 401, "headers": {"WWW-Authenticate": "Bearer error=\"invalid_token\""}}}
R
	server
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/bad"}, "authentication": {"type": "bearer", "token": "T", "tokenFrom": "env"}}, "secrets": {"token": "hunter22"}}'
	failed_as "auth_invalid http:401"
	[ "$(asked length)" = 1 ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/old"}, "authentication": {"type": "bearer", "token": "T", "tokenFrom": "env"}}, "secrets": {"token": "hunter22"}}'
	failed_as "auth_expired http:401"
	[ "$(error .retryable)" = false ]
}

# ---- oauth2 ----

OAUTH='"authentication": {"type": "oauth2", "clientId": "my id", "clientSecret": "secret:x", "tokenUrl": "$URL/token", "scope": ["read", "write"]}'

@test "http oauth2: client credentials, kept for the next attempt, refreshed once on a 401 (S0-DEF)" {
	rules <<'R'
{"POST /token": [{"json": {"access_token": "token-hunter-1", "token_type": "Bearer", "expires_in": 3600}},
                 {"json": {"access_token": "token-hunter-2", "token_type": "bearer", "expires_in": "3600"}}],
 "/": [{"echo": true}, {"echo": true}, {"status": 401, "body": "token expired"}, {"echo": true}]}
R
	server
	attempt <<<"{\"definition\": {$OAUTH}, \"secrets\": {\"clientSecret\": \"hunter22:%secret\"}}"
	succeeded
	[ "$(asked '.[0].headers.authorization' | sed 's/Basic //' | base64 -d)" = "my+id:hunter22%3A%25secret" ]
	[ "$(asked '.[0].body')" = "grant_type=client_credentials&scope=read%20write" ] || [ "$(asked '.[0].body')" = "grant_type=client_credentials&scope=read+write" ]
	[ "$(asked '.[1].headers.authorization')" = "Bearer token-hunter-1" ]
	[ "$(trace '[.[].kind] | join(" ")')" = "token request" ]
	attempt <<<"{\"definition\": {$OAUTH}, \"secrets\": {\"clientSecret\": \"hunter22:%secret\"}}"
	succeeded
	[ "$(asked 'length')" = 3 ]
	[ "$(trace 'length')" = 1 ]
	attempt <<<"{\"definition\": {$OAUTH}, \"secrets\": {\"clientSecret\": \"hunter22:%secret\"}}"
	succeeded
	[ "$(asked '.[3:] | map(.target) | join(" ")')" = "/ /token /" ]
	[ "$(asked '.[-1].headers.authorization')" = "Bearer token-hunter-2" ]
	[ "$(trace '[.[] | "\(.kind) \(.response.status)"] | join(", ")')" = "request 401, token 200, request 200" ]
	nowhere hunter
}

@test "http oauth2: many that wait ask once" {
	local n pids=() failed=0
	rules <<R
{"POST /token": {"until": "$T/all-wait", "json": {"access_token": "token-once"}},
 "/": {"echo": true}}
R
	server
	: >"$T/tokens"
	for ((n = 0; n < 10; n++)); do
		A=$T/attempt$n
		mkdir "$A"
		make_request <<<"{\"definition\": {$OAUTH}, \"secrets\": {\"clientSecret\": \"hunter22\"}}"
		(run_executor && [ "$status" -eq 0 ]) 3>&- &
		pids+=($!)
	done
	# One asks; the others hold nothing but their place.
	for ((n = 0; n < 1000; n++)); do
		[ ! -s "$T/main.log" ] || break
		sleep 0.02
	done
	touch "$T/all-wait"
	for n in "${pids[@]}"; do
		wait "$n" || failed=1
	done
	[ "$failed" -eq 0 ]
	[ "$(asked '[.[] | select(.target == "/token")] | length')" = 1 ]
	[ "$(asked '[.[] | select(.headers.authorization == "Bearer token-once")] | length')" = 10 ]
}

@test "http oauth2: a refresh token, rotated, kept, and the first one again when the last is lost" {
	rules <<'R'
{"POST /token": [{"json": {"access_token": "token-hunter-1", "expires_in": 0, "refresh_token": "refresh-hunter-2"}},
                 {"json": {"access_token": "token-hunter-2", "expires_in": 0, "refresh_token": "refresh-hunter-3"}},
                 {"status": 400, "json": {"error": "invalid_grant", "error_description": "refresh-hunter-3 is unknown"}},
                 {"json": {"access_token": "token-hunter-4", "expires_in": 0}},
                 {"status": 400, "json": {"error": "invalid_grant"}}],
 "/": {"echo": true}}
R
	server
	local request="{\"definition\": {${OAUTH/\"scope\"/\"refreshToken\": \"secret:r\", \"clientAuth\": \"body\", \"scope\"}}, \"secrets\": {\"clientSecret\": \"hunter22\", \"refreshToken\": \"refresh-hunter-1\"}}"
	attempt <<<"$request"
	succeeded
	[ "$(asked '.[0].body')" = "grant_type=refresh_token&refresh_token=refresh-hunter-1&scope=read+write&client_id=my+id&client_secret=hunter22" ]
	[ "$(asked '.[0].headers | has("authorization")')" = false ]
	attempt <<<"$request"
	succeeded
	asked '.[2].body' | grep -q 'refresh_token=refresh-hunter-2&'
	attempt <<<"$request"
	succeeded
	asked '.[4].body' | grep -q 'refresh_token=refresh-hunter-3&'
	asked '.[5].body' | grep -q 'refresh_token=refresh-hunter-1&'
	nowhere hunter
	attempt <<<"$request"
	failed_as "auth_invalid invalid_grant"
	[ "$(error .retryable)" = false ]
	nowhere hunter
}

@test "http oauth2: what the token endpoint says wrong" {
	rules <<'R'
{"POST /token": [{"status": 401, "json": {"error": "invalid_client"}}, {"status": 503, "headers": {"Retry-After": "7"}},
                 {"json": {"token": "what?"}}, {"body": "access_token=token-hunter-9"}, {"json": {"access_token": "token-hunter-1", "token_type": "mac"}},
                 {"status": 302, "headers": {"Location": "/elsewhere"}}, {"json": {"access_token": "token\r\nX: 1"}}]}
R
	server
	local request="{\"definition\": {$OAUTH, \"endpoint\": {\"method\": \"POST\"}}, \"secrets\": {\"clientSecret\": \"hunter22\"}}"
	attempt <<<"$request"
	failed_as "auth_invalid invalid_client"
	attempt <<<"$request"
	failed_as "api_unexpected_status http:503"
	[ "$(error '"\(.retryable) \(has("retryAfter")) \(.context.kind) \(.context.outcome)"')" = "true true token null" ]
	attempt <<<"$request"
	failed_as "api_response_malformed token_malformed"
	attempt <<<"$request"
	failed_as "api_response_malformed token_malformed"
	attempt <<<"$request"
	failed_as "api_response_malformed token_malformed"
	attempt <<<"$request"
	failed_as "api_unexpected_status http:302"
	attempt <<<"$request"
	failed_as "auth_invalid auth_value"
	[ "$(asked 'map(.target) | unique | join(" ")')" = /token ]
	nowhere hunter
}

@test "http oauth2: one that asks for a token and dies holds nobody up" {
	rules <<R
{"POST /token": [{"steps": [{"until": "$T/never"}]}, {"json": {"access_token": "token-two", "expires_in": 600}}], "/": {"echo": true}}
R
	server
	make_request <<<"{\"definition\": {$OAUTH}, \"secrets\": {\"clientSecret\": \"hunter22\"}}"
	: >"$T/tokens"
	(cd "$A" && exec env -i CREEL_INPUT="$A/request.json" CREEL_OUTPUT="$A/output" CREEL_TOKENS_FD=4 CREEL_SECRETS_FD=3 \
		"$BIN/creel-http" 3<"$A.secrets" 4<>"$T/tokens") &
	local pid=$! n
	for ((n = 0; n < 1000; n++)); do
		[ ! -s "$T/main.log" ] || break
		sleep 0.02
	done
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || :
	run_executor
	succeeded
	[ "$(asked '.[-1].headers.authorization')" = "Bearer token-two" ]
	touch "$T/never"
}

# ---- custom ----

@test "http auth: a program signs the request, and signs it anew when that is refused (S0-DEF)" {
	rules <<'R'
{"/a": [{"status": 401}, {"echo": true}], "/b": {"echo": true}}
R
	server
	cat >"$T/sign" <<'H'
#!/usr/bin/python3
import hashlib, json, os, sys
asked = json.load(sys.stdin)
assert asked["secrets"] == {"key": "hunter22"} and asked["idempotencyKey"] == "0190-x.a"
assert sorted(k for k in os.environ if k.startswith("CREEL_")) == ["CREEL_ACTION_ID", "CREEL_ATTEMPT", "CREEL_DIR", "CREEL_EXECUTION_ID", "CREEL_IDEMPOTENCY_KEY"], os.environ
assert not [fd for fd in os.listdir("/proc/self/fd") if int(fd) > 3], os.listdir("/proc/self/fd")
text = asked["method"] + asked["url"] + asked["body"] + asked["headers"]["Content-Type"] + asked["secrets"]["key"]
signature = hashlib.sha256(text.encode()).hexdigest() + ("-again" if asked["renew"] else "")
answer = {"headers": {"X-Signature": signature, "X-Signed-By": "signer-of-mine"}}
if asked["url"].endswith("/b"):
    answer["url"] = asked["url"] + "?sig=" + signature
json.dump(answer, sys.stdout)
H
	chmod 755 "$T/sign"
	local request='{"inputs": {"x": 1}, "definition": {"endpoint": {"url": "$URL/PATH", "method": "POST"}, "authentication": {"type": "custom", "handler": "sign"}}, "http": {"handler": "$T/sign"}, "secrets": {"key": "hunter22"}}'
	attempt <<<"${request/PATH/a}"
	succeeded
	local want
	want=$(printf 'POST%s/a{"x":1}application/jsonhunter22' "$URL" | sha256sum | cut -d ' ' -f 1)
	[ "$(asked '.[0].headers["x-signature"]')" = "$want" ]
	[ "$(asked '.[1].headers["x-signature"]')" = "$want-again" ]
	[ "$(trace '.[1].request.headers["X-Signature"] + .[1].request.headers["X-Signed-By"]')" = "******" ]
	nowhere "$want"
	nowhere signer-of-mine
	attempt <<<"${request/PATH/b}"
	succeeded
	[ "$(asked '.[2].target' | cut -c 1-7)" = "/b?sig=" ]
	[ "$(trace '.[0].request.url')" = "$URL/b?sig=***" ]
	nowhere "$(asked '.[2].target' | cut -c 8-)"
}

# handler TEXT: a program that does this.
handler() {
	printf '#!/bin/sh\n%s\n' "$1" >"$T/sign"
	chmod 755 "$T/sign"
	attempt <<<'{"definition": {"endpoint": {"timeout": 800}, "authentication": {"type": "custom", "handler": "$T/sign"}}}'
}

@test "http auth: a signing program that fails, says nonsense, hangs or leads elsewhere" {
	server
	handler 'exit 3'
	failed_as "auth_invalid handler"
	[ "$(error .retryable)" = false ]
	handler 'exit 75'
	failed_as "auth_invalid handler"
	[ "$(error .retryable)" = true ]
	handler 'kill -9 $$'
	failed_as "auth_invalid handler"
	handler 'echo nonsense'
	failed_as "auth_invalid handler_answer"
	handler 'echo "{\"headers\": {\"X-A\": 5}}"'
	failed_as "auth_invalid handler_answer"
	handler 'echo "{\"headers\": {\"Host\": \"evil\"}}"'
	failed_as "auth_invalid auth_header"
	handler 'printf %s "{\"headers\": {\"X-A\": \"a\\r\\nb\"}}"'
	failed_as "auth_invalid auth_value"
	handler 'echo "{\"url\": \"http://127.0.0.1:1/\"}"'
	failed_as "auth_invalid handler_answer"
	handler 'echo "{\"url\": \"file:///etc/passwd\"}"'
	failed_as "auth_invalid handler_answer"
	handler "echo \$\$ >$T/pid; sleep 1000"
	failed_as "auth_invalid handler_timeout"
	not kill -0 "$(cat "$T/pid")" 2>/dev/null
	handler 'head -c 3000000 /dev/zero'
	[ "$status" -eq 1 ]
	attempt <<<'{"definition": {"authentication": {"type": "custom", "handler": "$T/not-there"}}}'
	failed_as "auth_invalid handler"
	attempt <<<'{"definition": {"authentication": {"type": "custom", "handler": "sign"}}}'
	failed_as "auth_invalid handler"
	[ ! -s "$T/main.log" ]
}

# ---- redirects ----

@test "http redirects: methods and bodies by status" {
	local code
	{
		printf '{"/end": {"echo": true}'
		for code in 301 302 303 307 308; do
			printf ', "/%s": {"status": %s, "headers": {"Location": "/end?from=%s"}}' $code $code $code
		done
		printf '}'
	} | rules
	server
	local method want
	while read -r method code want; do
		attempt <<<"{\"inputs\": {\"x\": 1}, \"definition\": {\"endpoint\": {\"url\": \"\$URL/$code\", \"method\": \"$method\"}}}"
		succeeded
		[ "$(asked '.[-1] | "\(.method) \(.body) \(.headers | has("content-type"))"')" = "$want" ] ||
			{ echo "$method $code: $(asked '.[-1]')"; return 1; }
		[ "$(trace '[.[].kind] | join(" ")')" = "request redirect" ]
		[ "$(trace '.[0].response.headers.Location')" = "/end?from=$code" ]
	done <<'E'
GET 301 GET  false
GET 303 GET  false
GET 308 GET  false
POST 301 GET  false
POST 302 GET  false
POST 303 GET  false
POST 307 POST {"x":1} true
POST 308 POST {"x":1} true
PUT 301 PUT {"x":1} true
PUT 302 PUT {"x":1} true
PUT 303 GET  false
PATCH 307 PATCH {"x":1} true
DELETE 302 DELETE  false
DELETE 303 GET  false
E
}

@test "http redirects: credentials stay with their origin, also on a way that leads back" {
	rules <<'R'
{"/same": {"status": 302, "headers": {"Location": "/end"}}, "/end": {"echo": true}, "/back": {"echo": true}}
R
	server
	local home=$URL
	rules other <<R
{"/end": {"echo": true}, "/home": {"status": 302, "headers": {"Location": "$home/back"}}}
R
	server other
	# The first server's rules are read; a second one that knows the other.
	jq --arg o "$other_URL" '.["/away"] = {status: 307, headers: {Location: ($o + "/end")}} | .["/around"] = {status: 302, headers: {Location: ($o + "/home")}}
		| .["/userinfo"] = {status: 302, headers: {Location: ($o | sub("//"; "//me:hunter22@") + "/end")}}' "$T/main.rules" >"$T/third.rules"
	server third
	local auth='"authentication": {"type": "bearer", "token": "T", "tokenFrom": "env"}' headers='{"X-Session-Token": "static-hunter", "Cookie": "a=hunter-b", "X-Plain": "stays", "X-Carries": "{s}"}'
	r() {
		attempt <<<"{\"input\": {\"s\": \"hunter22 inside\"}, \"mask\": [\"hunter22\"], \"definition\": {\"endpoint\": {\"url\": \"\$URL/$1\", \"method\": \"$2\", \"headers\": $headers, \"body\": $3}, $auth}, \"secrets\": {\"token\": \"hunter-token\"}}"
	}
	r same GET null
	succeeded
	[ "$(asked '.[-1].headers | "\(.authorization) \(.cookie) \(.["x-session-token"]) \(.["x-plain"]) \(.["x-carries"])"' third)" = \
		"Bearer hunter-token a=hunter-b static-hunter stays hunter22 inside" ]
	r away POST '{"a": 1}'
	succeeded
	[ "$(asked '.[-1] | "\(.method) \(.body)"' other)" = 'POST {"a":1}' ]
	[ "$(asked '.[-1].headers | "\(.authorization) \(.cookie) \(.["x-session-token"]) \(.["x-plain"]) \(.["x-carries"])"' other)" = \
		"null null null stays null" ]
	r around GET null
	succeeded
	[ "$(asked '.[-1].target' main)" = /back ]
	[ "$(asked '.[-1].headers | "\(.authorization) \(.cookie)"' main)" = "null null" ]
	r userinfo GET null
	succeeded
	[ "$(asked '.[-1].headers | has("authorization")' other)" = false ]
	nowhere hunter22
	# A body with a secret in it does not go there at all.
	r away POST '{"a": "{s}"}'
	failed_as "api_unexpected_status redirect_refused"
	[ "$(error '"\(.retryable) \(.context.outcome)"')" = "false null" ]
	nowhere hunter22
}

@test "http redirects: too many, none allowed, to nowhere, to other schemes, to private addresses" {
	rules <<'R'
{"/loop": {"status": 302, "headers": {"Location": "/loop"}}, "/ftp": {"status": 302, "headers": {"Location": "ftp://127.0.0.1/"}},
 "/file": {"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "/none": {"status": 302}, "/blank": {"status": 302, "headers": {"Location": ""}},
 "/metadata": {"status": 302, "headers": {"Location": "http://169.254.169.254/latest"}},
 "/crlf": {"steps": [{"send": "HTTP/1.1 302 X\r\nLocation: /a\rX-Evil: 1\r\nContent-Length: 0\r\n\r\n"}]},
 "/one": {"status": 302, "headers": {"Location": "/end"}}, "/end": {"echo": true}}
R
	server
	local path want
	while read -r path want; do
		attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL/$path\"}}}"
		failed_as "$want" || { echo "$path"; return 1; }
	done <<'E'
loop api_unexpected_status too_many_redirects
ftp api_unexpected_status redirect_refused
file api_unexpected_status redirect_refused
none api_unexpected_status http:302
blank api_unexpected_status http:302
metadata validation_failed address_refused
crlf api_response_malformed reply_malformed
E
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/loop"}}}'
	[ "$(trace length)" = 6 ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/loop"}, "followRedirects": 2}}'
	[ "$(trace length)" = 3 ]
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/one"}, "followRedirects": 0}}'
	failed_as "api_unexpected_status http:302"
	attempt <<<'{"definition": {"endpoint": {"url": "$URL/one"}, "followRedirects": 1}}'
	succeeded
}

@test "http redirects: never from https to http" {
	rules <<'R'
{"/": {"echo": true}}
R
	server
	printf '{"/": {"status": 302, "headers": {"Location": "%s/"}}}' "$URL" >"$T/secure.rules"
	server secure tls
	attempt <<<'{"definition": {"caFile": "$T/ca.pem"}}'
	failed_as "api_unexpected_status redirect_refused"
	[ ! -s "$T/main.log" ]
}

# ---- secrets ----

@test "http secrets: in no file of the attempt, whatever the server does with them (S0-TRACE)" {
	local spelled
	spelled=$(jq -rn --arg s "$SECRET" '$s | @uri')
	jq -n --arg s "$SECRET" --arg u "$spelled" --arg b "$(printf 'x:%s' "$SECRET" | base64 -w0)" '{
		"/ok": {headers: {"X-Echo": $s, "Set-Cookie": ("t=" + $u)}, json: {raw: $s, url: $u, nested: [{b: $b}], ($s): 1}},
		"/text": {headers: {"Content-Type": "text/html"}, body: ("<title>" + ($s | @html) + "</title>" + $s)},
		"/error": {status: 400, json: {error: {message: ("bad token " + $s), code: $s}}},
		"/redirect": {status: 302, headers: {Location: ("/ok?q=" + $u + "&access_token=other-secret")}},
		"/file": {headers: {"Content-Type": "application/octet-stream"}, body: ("....." + $s + "......")},
		"/malformed": {steps: [{send: ("HTTP/1.1 200 OK\r\nX-Bad " + $s + "\r\n\r\n")}]}}' >"$T/main.rules"
	server
	local path secret
	for path in ok text error redirect file malformed; do
		jq -n --arg s "$SECRET" --arg p "$path" '{inputs: {q: "***", deep: "***"}, input: {q: $s, deep: {list: [("a " + $s)]}}, mask: [$s],
			secrets: {token: ($s + "-token")}, definition: {endpoint: {url: ("$URL/" + $p + "?q={q}"), method: "POST",
			headers: {"X-In": "{q}"}}, authentication: {type: "bearer", token: "T", tokenFrom: "env"}}}' >"$T/given"
		attempt <"$T/given"
		[ "$path" = error ] || [ "$path" = malformed ] || succeeded
		# It did reach the server.
		[ "$(asked 'map(select(.method == "POST"))[-1].headers["x-in"]')" = "$SECRET" ]
		for secret in "$SECRET" "$spelled" 's3cr3t' 'Tok+en' 'Tok%2Ben' other-secret "$(printf %s "$SECRET" | base64 -w0 | cut -c 3-20)"; do
			nowhere "$secret" || { echo "after $path"; grep -rF -- "$secret" "$A"; return 1; }
		done
	done
}

@test "http secrets: no beginning of one is left where a text is cut" {
	local n filler path
	jq -n --arg s s3cr3t-of-mine '{
		"/message": [(288, 294, 299) | {status: 400, body: (("a" * .) + $s + " and more")}],
		"/code": [(290, 295, 299) | {status: 400, json: {code: (("a" * .) + $s)}}],
		"/reason": [(52, 57, 62) | {steps: [{send: ("HTTP/1.1 400 " + ("a" * .) + $s + "\r\nContent-Length: 0\r\n\r\n")}]}],
		"/length": [(366, 371, 376) | {steps: [{send: ("HTTP/1.1 200 OK\r\nContent-Length: " + ("a" * .) + $s + "\r\n\r\n")}]}],
		"/json": [(0, 20, 40) | {headers: {"Content-Type": "application/json"}, body: ("{\"x\": \"" + ("a" * .) + $s + "\" \"" + $s)}],
		"/value": [(0, 20, 40) | {json: {x: (("a" * .) + $s)}}],
		"/location": [(180, 340, 360) | {status: 302, headers: {Location: ("ftp://h/" + ("a" * .) + $s)}}],
		"/body": [(0, 10, 19) | {headers: {"Content-Type": "text/plain"}, body: (("a" * .) + $s)}]}' >"$T/main.rules"
	server
	for path in message code reason length json value location body; do
		for ((n = 0; n < 3; n++)); do
			attempt <<<"{\"definition\": {\"endpoint\": {\"url\": \"\$URL/$path\"}, \"outputSchema\": {\"type\": \"object\", \"properties\": {\"x\": {\"enum\": [\"b\"]}}}}, \"secrets\": {\"x\": \"s3cr3t-of-mine\"}, \"http\": {\"limits\": {\"traceBody\": 20}}}"
			nowhere s3cr || { echo "$path $n"; grep -r s3cr "$A"; return 1; }
		done
	done
	# And what we ourselves could not use.
	for ((n = 0; n < 60; n += 20)); do
		filler=$(head -c "$n" /dev/zero | tr '\0' a)
		attempt <<<"{\"input\": {\"x\": \"${filler}s3cr3t-of-mine\"}, \"mask\": [\"s3cr3t-of-mine\"], \"definition\": {\"inputSchema\": {\"type\": \"object\", \"properties\": {\"x\": {\"enum\": [\"b\"]}}}}}"
		failed_as "validation_failed input_schema"
		nowhere s3cr
	done
}

@test "http secrets: nothing in arguments or environment, no dump, no descriptor left" {
	rules <<R
{"*": {"steps": [{"until": "$T/looked"}, {"send": "HTTP/1.1 204 No Content\r\n\r\n"}]}}
R
	server
	make_request <<<'{"definition": {"authentication": {"type": "bearer", "token": "T", "tokenFrom": "env"}}, "secrets": {"token": "hunter22-token"}}'
	(cd "$A" && exec env -i CREEL_INPUT="$A/request.json" CREEL_OUTPUT="$A/output" CREEL_ERROR="$A/error" CREEL_SECRETS_FD=3 \
		"$BIN/creel-http" 3<"$A.secrets") &
	local pid=$! n
	for ((n = 0; n < 1000; n++)); do
		[ ! -s "$T/main.log" ] || break
		sleep 0.02
	done
	not eval 'tr '\''\0'\'' '\''\n'\'' <"/proc/$pid/cmdline" | grep -q hunter'
	not eval 'tr '\''\0'\'' '\''\n'\'' <"/proc/$pid/environ" | grep -q hunter'
	not eval 'ls -l "/proc/$pid/fd" | grep -q attempt.secrets'
	# Undumpable: what is in /proc is no longer ours.
	[ "$(id -u)" -eq 0 ] || [ "$(stat -c %u "/proc/$pid/environ")" -eq 0 ]
	grep -q '^Max core file size *0 *0 ' "/proc/$pid/limits"
	touch "$T/looked"
	wait "$pid"
	[ "$(cat "$A/output")" = '{}' ]
}
