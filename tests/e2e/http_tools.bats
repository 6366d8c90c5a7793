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

# ---- creel action ----

@test "creel action ls: what there is, what is wrong with a file, and where (S0-DEF, S0-API)" {
	definition it
	api things
	run "$BIN/creel" action ls
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "action  it                           1.0.0 GET $URL/it" ]
	[ "${lines[1]}" = "api     things                       1 $URL" ]
	printf 'id: odd\nname: odd\nversion: one\n' >"$S/catalog/actions/odd.yaml"
	definition twin
	cp "$S/catalog/actions/twin.json" "$S/catalog/actions/twin2.json"
	run "$BIN/creel" action ls
	[ "$status" -eq 1 ]
	echo "$output"
	[[ $output == *"action  odd                          wrong  catalog/actions/odd.yaml"* ]]
	[[ $output == *"catalog/actions/odd.yaml:3:10: /version: a version is three numbers with points between"* ]]
	[[ $output == *'the id "twin" is also that of catalog/actions/twin2.json; remove one of them'* ]]
	[ "$("$BIN/creel" action ls --json | jq -c 'map([.kind, .id, .ok])')" = \
		'[["action","it",true],["action","odd",false],["action","twin",false],["action","twin",false],["api","things",true]]' ]
	[ "$("$BIN/creel" action ls --json | jq -r '.[] | select(.id == "odd") | .errors[] | select(.pointer == "/version") | "\(.line):\(.column)"')" = 3:10 ]
}

@test "creel action show: what it sends, wants and gives, and how a plan names it (S0-DEF)" {
	definition it '{"name": "It", "endpoint": {"method": "POST"}, "inputSchema": {"a": "string", "n": "integer?"},
		"authentication": {"type": "bearer", "token": "THE_TOKEN", "tokenFrom": "env"},
		"rateLimit": {"requests": 3, "window": 60000, "scope": "per_user"},
		"outputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
		"examples": [{"name": "one", "input": {"a": "x y"}, "output": {"id": 1}}]}'
	api things
	run "$BIN/creel" action show it
	[ "$status" -eq 0 ]
	echo "$output"
	[ "${lines[0]}" = "it 1.0.0: It" ]
	[[ $output == *"file        catalog/actions/it.json"* ]]
	[[ $output == *"sends       POST $URL/it, at most 10.0 s"* ]] || [[ $output == *"sends       POST $URL/it, at most 10 s"* ]]
	[[ $output == *"API         things: things, version 1, $URL"* ]]
	[[ $output == *"credentials bearer: the variable THE_TOKEN of creeld's environment"* ]]
	[[ $output == *"inputs      a                string"* ]]
	[[ $output == *"            n                integer, may be left out"* ]]
	[[ $output == *"rate limit  3 requests in "*", per_user"* ]]
	[[ $output == *'examples    one: {"a":"x y"} gives {"id":1}'* ]]
	# what it prints for a plan is one
	sed -n '/^in a plan:/,$p' <<<"$output" | sed '1s/.*/name: p\nactions:/; s/^  //; s/NAME/a/' >"$T/p.yaml"
	run "$BIN/creel" validate "$T/p.yaml"
	[ "$status" -eq 0 ]
	[ "$("$BIN/creel" action show --json it | jq -r '.definition.id, .api.apiId, .file' | tr '\n' ' ')" = \
		"it things catalog/actions/it.json " ]
	run "$BIN/creel" action show itt
	[ "$status" -eq 1 ]
	[[ $output == *'no definition "itt"; did you mean "it"?'* ]]
}

@test "creel action test: the examples against the API, field by field (S0-DEF)" {
	definition it '{"endpoint": {"url": "'"$URL"'/it/{n}"}, "inputSchema": {"n": "integer"},
		"authentication": {"type": "bearer", "token": "THE_TOKEN", "tokenFrom": "env"},
		"examples": [{"name": "one", "input": {"n": "7"}, "output": {"ok": "true", "path": "/it/7"}},
			{"name": "two", "input": {"n": 8}, "output": {"path": "/it/9", "more": {"x": 1}}}]}'
	export THE_TOKEN=tok-1188ab
	run "$BIN/creel" action test --config "$CONFIG" it
	echo "$output"
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "one: as expected" ]
	[ "${lines[1]}" = "two: differs" ]
	[ "${lines[2]}" = '    path: expected /it/9, came /it/8' ]
	[ "${lines[3]}" = '    more: expected {"x":1}, which did not come' ]
	[ "$(requests 'map(.headers.Authorization) | unique | join(",")')" = "Bearer tok-1188ab" ]
	run "$BIN/creel" action test --config "$CONFIG" --example one it
	[ "$status" -eq 0 ]
	[ "$("$BIN/creel" action test --config "$CONFIG" --json it | jq -c 'map([.ok, (.differences | length)])')" = '[[true,0],[false,2]]' ]
	# nothing stays behind, and addresses that the configuration does not allow are refused here too
	run "$BIN/creel" action test --example one it
	[ "$status" -eq 1 ]
	[[ $output == *"it failed: validation_failed: "* ]] || [[ $output == *"it failed: network_connection_refused: "* ]]
	unset THE_TOKEN
	run "$BIN/creel" action test --config "$CONFIG" it
	[ "$status" -eq 2 ]
	[[ $output == *"the variable THE_TOKEN is not set"* ]]
}

@test "creel action test --record, --recorded: without a network (S0-DEF, SEC)" {
	definition it '{"endpoint": {"url": "'"$URL"'/it/{n}"}, "inputSchema": {"n": "integer"}, "outputSchema": {"path": "string"},
		"authentication": {"type": "api_key", "header": "X-Key", "value": "the-key", "valueFrom": "secret"},
		"examples": [{"name": "one", "input": {"n": "7"}, "output": {"path": "/it/7"}}]}'
	printf 'key-99ab12\n' >"$T/secrets/the-key"
	chmod 600 "$T/secrets/the-key"
	mkdir "$T/recorded" "$T/tmp"
	TMPDIR=$T/tmp run "$BIN/creel" action test --config "$CONFIG" --record "$T/recorded" it
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$(ls -A "$T/tmp")" ]
	absent -r key-99ab12 "$T/recorded"
	jq -e '.example == "one" and .output.path == "/it/7" and (.trace | length) == 1' "$T/recorded/it.1.json"
	[ "$(requests '.[0].headers["X-Key"]')" = key-99ab12 ]
	http_teardown
	run "$BIN/creel" action test --recorded "$T/recorded" it
	[ "$status" -eq 0 ]
	# what was recorded is held against the definition as it stands now
	definition it '{"endpoint": {"url": "'"$URL"'/it/{n}"}, "inputSchema": {"n": "integer"}, "outputSchema": {"path": "integer"},
		"examples": [{"name": "one", "input": {"n": "8"}, "output": {"path": "/it/8"}}]}'
	run "$BIN/creel" action test --recorded "$T/recorded/it.1.json" it
	[ "$status" -eq 1 ]
	[[ $output == *"path: expected /it/8, came /it/7"* ]]
	[[ $output == *"output/path: "*"integer"* ]]
	[[ $output == *"record it again"* ]]
	run "$BIN/creel" action test --recorded "$T/none" it
	[ "$status" -eq 2 ]
}

@test "creel-action(7): its definition, its API and its plan are right as they stand there (S0-DEF, S0-API)" {
	local man=$BATS_TEST_DIRNAME/../../man/creel-action.7 n
	for n in 1 2 3; do
		awk -v n=$n '/^\.Ed/ { on = 0 } on { print } /^\.Bd/ { on = ++k == n }' "$man" >"$T/$n.yaml"
	done
	cp "$T/2.yaml" "$S/catalog/actions/a.yaml"
	cp "$T/3.yaml" "$S/catalog/apis/t.yaml"
	run "$BIN/creel" action ls
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	run "$BIN/creel" validate "$T/1.yaml"
	echo "$output"
	[ "$status" -eq 0 ]
	# every field of the schemas is in the manual
	/usr/bin/python3 - "$man" "$BATS_TEST_DIRNAME/../.." <<-'E'
	import os, sys
	os.chdir(sys.argv[2])
	sys.dont_write_bytecode = True
	sys.path.insert(0, "tests/lint")
	import fields
	text = open("man/creel-action.7").read()
	missing = [f for f in fields.fields() if f.split()[1].replace("[]", "").split(".")[-1] not in text]
	assert not missing, missing
	E
}

@test "creel trace: a NUL in a body does not make the trace unreadable (S0-TRACE)" {
	definition it
	printf 'a\000b' >"$W/body"
	run_it
	[ "$(status_of a)" = failed ]
	[ "$("$BIN/creel" trace --json last a | jq -r '.[0].response.body')" = "a�b" ]
	[ "$(state '.actionStates.a.httpTrace | length')" = 1 ]
	# as an escape it is text like any other, in the body and in what comes of it
	printf '%s' '{"a": "x\u0000y", "b": 1}' >"$W/body"
	definition two
	drop q.json <<<'{"name": "q", "actions": [{"id": "a", "actionDefinitionId": "two"}]}'
	drain --config "$CONFIG"
	EX=$(id_of q)
	[ "$(state '.actionStates.a.httpTrace | length')" = 1 ]
}
