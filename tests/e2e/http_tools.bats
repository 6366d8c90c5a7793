#!/usr/bin/env bats
# creel trace and creel action: what people use to see and to try HTTP actions.

load helpers
load http_engine

setup() {
	spool_setup
	http_setup
	export CREEL_SPOOL=$S
}
teardown() {
	http_teardown
	spool_teardown
}

# grep finds nothing.
absent() {
	! grep "$@"
}

# One action of a definition "it", with the inputs $1.
run_it() {
	drop p.json <<<'{"name": "p", "actions": [{"id": "a", "actionDefinitionId": "it", "inputs": '"${1:-{\}}"'}]}'
	drain --config "$CONFIG"
}

@test "creel trace: a block for each request, with answer, times, limits and error (S0-TRACE)" {
	definition it '{"endpoint": {"url": "'"$URL"'/it?q={q}"}, "retryPolicy": {"maxAttempts": 2, "initialDelay": 1,
		"maxDelay": 2, "retryableErrors": ["api_unexpected_status"]}}'
	api things '{"rateLimiting": {"detection": {"statusCodes": [429], "headers": []},
		"extraction": {"limitHeader": "X-Limit", "remainingHeader": "X-Left"}, "backoffStrategy": {"type": "linear"}}}'
	echo 2 >"$W/flaky"
	echo '{"X-Limit": "60", "X-Left": "7", "X-Odd": "tab\there"}' >"$W/headers"
	run_it '{"q": "x'\''y"}'
	[ "$status" -eq 0 ]
	run "$BIN/creel" trace last a
	[ "$status" -eq 0 ]
	echo "$output"
	[[ ${lines[0]} == "1  GET $URL/it?q=x"* ]]
	[[ $output == *" to 127.0.0.1:${URL##*:}"* ]]
	[[ $output == *"answer     200 OK, HTTP/1.1, "*" of application/json"* ]]
	[[ $output == *"times (ms) name "*"connect "*"first byte after "*"all "* ]]
	[[ $output == *"rate limit 7 left of 60"* ]]
	[[ $output != *X-Odd* ]]
	run "$BIN/creel" trace -v last a
	[[ $output == *"     < X-Odd: tab"*"here"* ]]
	[[ $output == *'     < {"ok": true'* ]]
	[ "$("$BIN/creel" trace --json last a | jq -r '.[0] | .request.method, .response.status' | tr '\n' ' ')" = "GET 200 " ]
}

@test "creel trace --attempt: a failed attempt shows its error, one that sent nothing says so (S0-TRACE, S0-ERR)" {
	definition it "$(retries 2 1)"
	echo 503 >"$W/status"
	run_it
	run "$BIN/creel" trace --attempt 1 last a
	[ "$status" -eq 0 ]
	[[ $output == *"answer     503 Service Unavailable"* ]]
	[[ $output == *"error      api_unexpected_status: "*"; may be tried again"* ]]
	run "$BIN/creel" trace --attempt 3 last a
	[ "$status" -eq 1 ]
	run "$BIN/creel" trace last ../a
	[ "$status" -eq 1 ]
	run "$BIN/creel" trace --har --curl last a
	[ "$status" -eq 2 ]
	definition it '{"endpoint": {"url": "http://127.0.0.1:1/"}}'
	run_it
	run "$BIN/creel" trace last a
	[[ $output == *"answer     none"* ]]
	[[ $output == *"network_connection_refused"* ]]
}

@test "creel trace --har: HTTP Archive 1.2 (S0-TRACE)" {
	definition it '{"endpoint": {"url": "'"$URL"'/it", "method": "POST", "query": {"q": "{q}", "empty": ""}, "body": {"n": "{n}"}}}'
	run_it '{"q": "a b&c=ä", "n": 3}'
	"$BIN/creel" trace --har last a >"$T/har"
	# every member that the format demands, with its type
	jq -e '.log | .version == "1.2" and (.creator | .name == "creel" and (.version | type) == "string")
		and (.pages[0] | .id == "attempt" and (.startedDateTime | fromdateiso8601? // test("^[0-9T:.-]+Z$")) and .pageTimings == {})
		and (.entries | length) == 1' "$T/har"
	jq -e '.log.entries[0] | .pageref == "attempt" and .cache == {} and .serverIPAddress == "127.0.0.1"
		and (.request | .method == "POST" and .cookies == [] and .headersSize == -1 and .bodySize == 7
			and .queryString == [{name: "q", value: "a b&c=ä"}, {name: "empty", value: ""}]
			and (.headers | map(select(.name == "Content-Type")) == [{name: "Content-Type", value: "application/json"}])
			and .postData == {mimeType: "application/json", text: "{\"n\":3}"})
		and (.response | .status == 200 and .statusText == "OK" and .httpVersion == "HTTP/1.1" and .redirectURL == ""
			and .content.mimeType == "application/json" and (.content.text | fromjson.ok) and .content.size > 10)' "$T/har"
	# the parts make up the whole; ssl is within connect
	jq -e '.log.entries[0] | (.timings | [.blocked, .dns, .connect, .send, .wait, .receive] | add) as $sum
		| (.time - $sum | fabs) < 0.01 and (.timings | all(. >= 0 or . == -1))' "$T/har"
}

@test "creel trace --curl: the same request again, whatever stands in it; secrets are variables (S0-TRACE, SEC)" {
	definition it '{"endpoint": {"url": "'"$URL"'/it", "method": "PUT", "query": {"q": "{q}"}, "body": "{text}",
			"headers": {"X-Text": "{field}", "X-Empty": "", "Content-Type": "text/plain"}},
		"authentication": {"type": "bearer", "token": "THE_TOKEN", "tokenFrom": "env"}, "idempotencyKeyHeader": false}'
	jq -n '{q: "[1-3]{a,b}$(id)`id`", field: "it'\''s $HOME \\ \"x\"", text: "@/etc/passwd\n$(id) '\''\u0007\u001b[31m\u009b ä\n"}' >"$T/in"
	THE_TOKEN=tok-5e0c71 run_it "$(cat "$T/in")"
	[ "$status" -eq 0 ]
	"$BIN/creel" trace --curl last a >"$T/command"
	cat -v "$T/command"
	absent -F tok-5e0c71 "$T/command"
	absent -F '***' "$T/command"
	grep -F '"${THE_TOKEN:?}"' "$T/command"
	# nothing in it that a terminal obeys
	LC_ALL=C absent -P '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$T/command"
	# without the variable the shell says which it wants
	run sh "$T/command"
	[ "$status" -ne 0 ]
	[[ $output == *THE_TOKEN* ]]
	THE_TOKEN=tok-5e0c71 sh "$T/command" >/dev/null 2>&1
	[ "$(requests length)" -eq 2 ]
	requests '.[] | {method, path, body, headers: (.headers | with_entries(.key |= ascii_downcase)
		| del(.["accept-encoding"]))} | tojson' >"$T/both"
	[ "$(uniq "$T/both" | wc -l)" -eq 1 ] || { cat "$T/both"; false; }
}

@test "creel trace --curl: a key in a field or in the URL, a client secret, each by its name (S0-TRACE)" {
	definition it '{"authentication": {"type": "api_key", "header": "X-Key", "value": "THE_KEY", "valueFrom": "env", "prefix": "Token "}}'
	THE_KEY=key-77121 run_it
	"$BIN/creel" trace --curl last a >"$T/command"
	grep -F "'X-Key: ''Token '\"\${THE_KEY:?}\"" "$T/command"
	THE_KEY=key-77121 sh "$T/command" >/dev/null 2>&1
	[ "$(requests 'map(.headers["X-Key"]) | unique | join(",")')" = "Token key-77121" ]
	definition it '{"authentication": {"type": "api_key", "header": "key", "value": "THE_KEY", "valueFrom": "env", "location": "query"}}'
	THE_KEY=key-77122 run_it
	"$BIN/creel" trace --curl last a >"$T/command"
	THE_KEY=key-77122 KEY=key-77122 sh "$T/command" >/dev/null 2>&1
	[ "$(requests '.[-2:] | map(.path) | unique | join(",")')" = "/it?key=key-77122" ]
	definition it '{"authentication": {"type": "oauth2", "clientId": "me", "clientSecret": "env:THE_SECRET", "tokenUrl": "'"$URL"'/token", "scope": []}}'
	THE_SECRET=client-88123 run_it
	"$BIN/creel" trace --curl last a >"$T/command"
	THE_SECRET=client-88123 ACCESS_TOKEN=x sh "$T/command" >/dev/null 2>&1
	[ "$(requests 'map(select(.path == "/token") | .headers.Authorization) | unique | length')" = 1 ]
	absent -rE 'key-7712|client-88123' "$S"
}
