#!/usr/bin/env bats
# creel-http with shared connections: what is shared, and that nobody's end is another's.

load http.bash

setup() { http_setup; }
teardown() { http_teardown; }

# given NAME <<J … J: an attempt's directory.
given() {
	A=$T/$1
	mkdir -p "$A"
	make_request
}

pooled() {
	/usr/bin/python3 "$E2E/http_pool.py" "$BIN" "$@" 3>&- >"$T/statuses"
}

# status_is NAME N
status_is() {
	grep -qx "$T/$1 $2" "$T/statuses" || { cat "$T/statuses" "$T/$1/stderr"; return 1; }
}

@test "http pool: one connection serves attempt after attempt; what must not be done twice has its own" {
	local n
	rules <<'R'
{"*": {"echo": true}}
R
	server
	for n in 1 2 3 4; do
		given "get$n" <<<'{}'
	done
	given post <<<'{"definition": {"endpoint": {"method": "POST"}}}'
	given again <<<'{}'
	pooled run "$T/get1" run "$T/get2" run "$T/get3" run "$T/post" run "$T/get4" run "$T/again"
	for n in get1 get2 get3 post get4 again; do
		status_is $n 0
	done
	[ "$(asked 'map(.connection) | .[0:3] | unique | length')" = 1 ]
	[ "$(asked '.[0].connection != .[3].connection')" = true ]
	[ "$(jq -r '.[0].connectionReused' "$T/get1/http-trace.json")" = null ]
	[ "$(jq -r '.[0].connectionReused' "$T/get2/http-trace.json")" = true ]
	[ "$(jq -r '.[0].connectionReused' "$T/post/http-trace.json")" = null ]
}

@test "http pool: a redirect and a token are asked for apart, and credentials are each attempt's own" {
	rules <<'R'
{"/a": {"status": 302, "headers": {"Location": "/b"}}, "/b": {"echo": true}, "POST /token": {"json": {"access_token": "token-1"}}}
R
	server
	given one <<<'{"definition": {"endpoint": {"url": "$URL/a"}, "authentication": {"type": "bearer", "token": "T", "tokenFrom": "env"}}, "secrets": {"token": "of-one"}}'
	given two <<<'{"definition": {"endpoint": {"url": "$URL/a"}}}'
	given three <<<'{"definition": {"endpoint": {"url": "$URL/b"}, "authentication": {"type": "oauth2", "clientId": "c", "clientSecret": "secret:x", "tokenUrl": "$URL/token", "scope": []}}, "secrets": {"clientSecret": "of-three"}}'
	pooled run "$T/one" run "$T/two" run "$T/three"
	status_is one 0
	status_is two 0
	status_is three 0
	[ "$(asked '.[0:4] | map(.headers.authorization // "none") | join(" ")')" = "Bearer of-one Bearer of-one none none" ]
	[ "$(asked '.[-1].headers.authorization')" = "Bearer token-1" ]
}

@test "http pool: an attempt that is killed harms no other" {
	rules <<R
{"/slow": {"until": "$T/go", "json": {"a": 1}}}
R
	server
	given killed <<<'{"definition": {"endpoint": {"url": "$URL/slow"}}}'
	given lives <<<'{"definition": {"endpoint": {"url": "$URL/slow"}}}'
	given later <<<'{"definition": {"endpoint": {"url": "$URL/slow"}}}'
	pooled start "$T/killed" start "$T/lives" lines 2 "$T/main.log" kill "$T/killed" wait "$T/killed" touch "$T/go" wait "$T/lives" run "$T/later"
	status_is killed -9
	status_is lives 0
	status_is later 0
	[ "$(jq .a "$T/lives/output")" = 1 ]
}

@test "http pool: when the shared process ends, what was sent has an unknown outcome, and all else goes on" {
	rules <<R
{"/slow": {"until": "$T/go", "json": {"a": 1}}, "/": {"json": {"b": 2}}}
R
	server
	given get <<<'{"definition": {"endpoint": {"url": "$URL/slow"}}}'
	given post <<<'{"definition": {"endpoint": {"url": "$URL/slow", "method": "POST"}}}'
	given put <<<'{"definition": {"endpoint": {"url": "$URL/slow", "method": "PUT"}}}'
	given next <<<'{}'
	given after <<<'{}'
	pooled start "$T/get" start "$T/post" start "$T/put" lines 3 "$T/main.log" crash wait "$T/get" wait "$T/post" wait "$T/put" run "$T/next" run "$T/after"
	touch "$T/go"
	status_is get 1
	status_is post 1
	status_is put 1
	[ "$(jq -r '"\(.category) \(.code) \(.retryable) \(.context.outcome)"' "$T/get/error")" = "network_connection_refused curl:56 true null" ]
	[ "$(jq -r '"\(.category) \(.code) \(.retryable) \(.context.outcome)"' "$T/post/error")" = "network_connection_refused curl:56 false unknown" ]
	[ "$(jq -r '"\(.retryable)"' "$T/put/error")" = true ]
	status_is next 0
	status_is after 0
}

@test "http pool: one that hangs, and one that is not there, are gone around" {
	rules <<'R'
{"/": {"json": {"b": 2}}}
R
	server
	local n
	for n in first hangs works gone; do
		given $n <<<'{"definition": {"endpoint": {"method": "POST"}}}'
	done
	pooled run "$T/first" stop run "$T/hangs" continue run "$T/works" crash-pool run "$T/gone"
	for n in first hangs works gone; do
		status_is $n 0
	done
	[ "$(asked length)" = 4 ]
	# And one whose way leads to nobody.
	given alone <<<'{}'
	EXTRA_ENV=CREEL_POOL=creel-nobody-is-there
	run_executor
	succeeded
}

@test "http pool: a slow attempt does not hold up another" {
	rules <<'R'
{"/large": {"steps": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n"}, {"repeat": 3000000, "send": "0123456789"}]}, "/": {"json": {"b": 2}}}
R
	server
	given large <<<'{"definition": {"endpoint": {"url": "$URL/large"}}}'
	given small <<<'{}'
	pooled start "$T/large" lines 1 "$T/main.log" run "$T/small" wait "$T/large"
	status_is large 0
	status_is small 0
	[ "$(jq .body.size "$T/large/output")" = 30000000 ]
}
