#!/usr/bin/env bats
# HTTP actions as the engine sees them: definitions are found, judged and pinned, attempts are handed to the executor with
# what they need and nothing else, and what the server demands is obeyed.

load helpers
load http_engine

setup() {
	spool_setup
	http_setup
}
teardown() {
	http_teardown
	spool_teardown
}

@test "S0-DEF: an action names a definition of the catalog; both it and its API are pinned in plan.json" {
	definition get '{"endpoint": {"url": "'"$URL"'/v1/things/{id}", "query": {"q": "{q}"}}, "inputSchema": {"id": "string", "q": "string?"}}'
	api things '{"baseUrl": "'"$URL"'/v1"}'
	api other
	drop p.yaml <<-'E'
	name: p
	actions:
	- {id: a, actionDefinitionId: get, inputs: {id: "x/y", q: "a b"}}
	- {id: b, actionDefinitionId: get, inputs: {id: 5, q: "${a.output.path}"}, dependencies: [a]}
	E
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(requests 'map(.path) | join(" ")')" = "/v1/things/x%2Fy?q=a+b /v1/things/5?q=%2Fv1%2Fthings%2Fx%252Fy%3Fq%3Da%2Bb" ] ||
		[ "$(requests 'map(.path) | join(" ")')" = "/v1/things/x%2Fy?q=a%20b /v1/things/5?q=%2Fv1%2Fthings%2Fx%252Fy%3Fq%3Da%2520b" ]
	plan=$(where)/plan.json
	[ "$(jq -c '[.definitions | keys, (.get | .id, .checksum)]' "$plan")" = '[["get"],"get","sha256:'"$(sha256sum <"$S/catalog/actions/get.json" | cut -d' ' -f1)"'"]' ]
	[ "$(jq -c '.apis | map_values(.quirks.emptyResponseOn204)' "$plan")" = '{"things":true}' ]
	[ "$(jq -c '.actions[0] | [.actionDefinitionId, .inputs]' "$plan")" = '["get",{"id":"x/y","q":"a b"}]' ]
	[ "$(jq -r .actions[1].inputs.id "$plan")" = 5 ]
	# what ran is what was judged, whatever the catalog says by then
	[ "$(jq -c '.http | [.definition.id, .api.apiId]' "$(where)/actions/b/1/request.json")" = '["get","things"]' ]
}

@test "S0-DEF: an unknown id, a wrong file, wrong inputs and a reference that cannot fit are refused with the place" {
	definition get '{"inputSchema": {"id": "string", "n": "number?"}, "outputSchema": {"size": "integer", "name": "string"}}'
	echo '{"id": "broken", "name": 5' >"$S/catalog/actions/broken.json"
	drop p.yaml <<-'E'
	name: p
	actions:
	- {id: a, actionDefinitionId: get, inputs: {id: x}}
	- {id: b, actionDefinitionId: gets, inputs: {id: x}}
	- {id: c, actionDefinitionId: broken}
	- {id: d, actionDefinitionId: get, inputs: {n: x, m: 1}}
	- {id: e, actionDefinitionId: get, inputs: {id: "${a.output.size}"}, dependencies: [a]}
	- {id: f, actionDefinitionId: get, inputs: {id: "${a.output.nam}"}, dependencies: [a]}
	- {id: g, actionDefinitionId: get, inputs: {id: "size {{a.output.size}}", n: "${a.output.size}"}, dependencies: [a]}
	E
	drain --config "$CONFIG"
	report=$(ls "$S"/rejected/*.error.json)
	jq -r '.errors[] | "\(.line):\(.column) \(.message); \(.suggestion // "")"' "$report" >"$T/found"
	cat "$T/found"
	[ "$(cut -d: -f1 "$T/found" | sort | uniq -c | tr -s ' ' | tr '\n' ';')" = " 1 4; 1 5; 3 6; 1 7; 1 8;" ]
	grep -F '4:31 there is no action definition "gets"; did you mean "get"?' "$T/found"
	grep -E '^5:31 the definition "broken" cannot be used: catalog/actions/broken.json:[12]:' "$T/found"
	grep -F '6: missing property "id"' <(sed 's/^6:[0-9]* /6: /' "$T/found")
	grep -F 'unknown property "m"; did you mean "n"?' "$T/found"
	grep -F '"a.output.size" is declared as integer, and the input "id" takes string' "$T/found"
	grep -F '"a" does not declare: "nam"; did you mean "name"?' "$T/found"
	[ -z "$(ls "$S/executions")" ]
	[ "$(requests length)" -eq 0 ]
}

@test "S0-DEF: the catalog is read again when it changes, before the inbox; an execution keeps what it pinned" {
	definition get
	daemon_start --config "$CONFIG"
	touch "$W/hold"
	drop one.yaml <<-'E'
	name: one
	actions:
	- {id: a, actionDefinitionId: get}
	- {id: b, actionDefinitionId: get, dependencies: [a]}
	E
	asked() { [ "$(requests length)" -ge "$1" ]; }
	wait_until asked 1
	definition get '{"version": "2.0.0", "endpoint": {"url": "'"$URL"'/new"}}'
	drop two.yaml <<-'E'
	name: two
	actions: [{id: a, actionDefinitionId: get}]
	E
	wait_until asked 2
	rm "$W/hold"
	wait_until ended_all
	[ "$(requests 'map(.path) | join(" ")')" = "/get /new /get" ]
	[ "$(jq -r .definitions.get.version "$(where one)/plan.json") $(jq -r .definitions.get.version "$(where two)/plan.json")" = "1.0.0 2.0.0" ]
	rm "$S/catalog/actions/get.json"
	drop three.yaml <<-'E'
	name: three
	actions: [{id: a, actionDefinitionId: get}]
	E
	refused() { ls "$S"/rejected/*three.yaml.error.json; }
	wait_until refused
}

@test "S0-DEF: a wrong file is in the log once for each version, and in creel status with its place; it breaks only what names it" {
	definition get
	definition bad '{"version": "1"}'
	api shop '{"baseUrl": "ftp://x"}'
	echo "rescan_sec: 0.1" >"$T/quick.yaml"
	daemon_start --config "$T/quick.yaml"
	told() { [ "$(grep -c "catalog/actions/bad.json cannot be used: line [0-9]*, column [0-9]*: $1" "$T/serving")" -eq 1 ]; }
	wait_until told 'a version is three numbers'
	"$BIN/creel" --spool "$S" status >"$T/out"
	grep -E '^catalog +catalog/actions/bad.json:[0-9]+:[0-9]+ cannot be used: a version is three numbers' "$T/out"
	grep -E '^catalog +catalog/apis/shop.json:[0-9]+:[0-9]+ cannot be used: a base URL is' "$T/out"
	[ "$("$BIN/creel" --spool "$S" status --json | jq -c '.catalog | [.definitions, .apis, (.wrong | length)]')" = '[1,0,2]' ]
	definition bad '{"version": "1.0.0", "endpoint": {"method": "BREW"}}'
	wait_until told 'must be .*GET'
	told 'a version is three numbers' # not again and again
	definition bad
	mended() { [ "$("$BIN/creel" --spool "$S" status --json | jq -c '[.catalog.wrong[].file]')" = '["catalog/apis/shop.json"]' ]; }
	wait_until mended
}

@test "S0-DEF: creel validate and creel submit know the catalog" {
	definition get
	cat >"$T/p.yaml" <<-'E'
	name: p
	actions: [{id: a, actionDefinitionId: get}]
	E
	"$BIN/creel" --spool "$S" validate "$T/p.yaml"
	sed -i 's/get}/gt}/' "$T/p.yaml"
	run "$BIN/creel" --spool "$S" validate "$T/p.yaml"
	[ "$status" -eq 1 ]
	[[ $output == *'there is no action definition "gt"; did you mean "get"?'* ]]
	run "$BIN/creel" --spool "$S" submit "$T/p.yaml"
	[ "$status" -eq 1 ]
	[ -z "$(ls "$S/inbox")" ]
}

@test "S0-DEF: the definition's retry policy is the default of the action's, which wins" {
	definition get "$(retries 3 5)"
	sed -i 's/"GET"/"POST"/' "$S/catalog/actions/get.json"
	echo 503 >"$W/status"
	drop p.yaml <<-'E'
	name: p
	actions:
	- {id: a, actionDefinitionId: get, onFailure: continue}
	- id: b
	  actionDefinitionId: get
	  onFailure: continue
	  retryPolicy: {maxAttempts: 2, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, jitter: false, retryableErrors: [api_unexpected_status]}
	E
	drain --config "$CONFIG"
	[ "$(state '[.actionStates.a.attempts, .actionStates.b.attempts] | tostring')" = "[3,2]" ]
	[ "$(requests 'map(.headers["Idempotency-Key"]) | unique | length')" -eq 2 ]
}

@test "S0-DEF: inputs that come from others are checked at the attempt (EDGE-1)" {
	definition get '{"inputSchema": {"id": "string"}}'
	drop p.yaml <<-'E'
	name: p
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo "{\"n\": 5}" >$CREEL_OUTPUT'}}
	- {id: b, actionDefinitionId: get, inputs: {id: "${a.output.n}"}, dependencies: [a]}
	E
	drain --config "$CONFIG"
	[ "$status" -eq 1 ]
	[ "$(state '.actionStates.b.result.error | "\(.category) \(.code)"')" = "validation_failed inputs" ]
	[[ $(state .actionStates.b.result.error.message) == *'/id: must be a string'* ]]
	[ "$(requests length)" -eq 0 ]
}

@test "STEP-DEF: a step_def of type api is one request, and http.request in the first form" {
	drop s.yaml <<-E
	plan_id: s
	steps:
	- id: a
	  step_def: {type: api, url: "$URL/{x}", method: POST, headers: {X-A: "{{execution.name}}"}, query: {q: "1"}, body: {n: [1, "{b}"]}}
	- {id: b, step_def: {type: api, url: "$URL/{{a.output.n}}"}, depends_on: [a]}
	E
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(requests '.[0] | "\(.method) \(.path) \(.headers["X-A"]) \(.body | fromjson | tojson)"')" = 'POST /%7Bx%7D?q=1 s {"n":[1,"{b}"]}' ]
	[ "$(requests '.[1] | "\(.method) \(.path)"')" = "GET /1" ]
	drop p.yaml <<-E
	name: p
	actions:
	- {id: a, actionDefinitionId: http.request, inputs: {url: "ftp://x"}}
	- {id: b, actionDefinitionId: http.request, inputs: {url: "$URL", method: BREW}}
	- {id: c, actionDefinitionId: http.request, inputs: {uri: "$URL"}}
	E
	drain --config "$CONFIG"
	[ "$(jq -c '[.errors[].line] | unique' "$S"/rejected/*p.yaml.error.json)" = "[3,4,5]" ]
}

@test "S0-TRACE: what was sent stands in http-trace.json of the attempt and, bounded, in state.json" {
	definition get "$(retries 3 5)"
	echo 2 >"$W/flaky"
	drop p.yaml <<-'E'
	name: p
	actions:
	- {id: a, actionDefinitionId: get}
	- {id: b, actionDefinitionId: get, dependencies: [a]}
	- {id: c, actionDefinitionId: command, inputs: {command: "true"}}
	E
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(state '[.actionStates | .a, .b, .c | .httpTrace | map(.response.status)] | tojson')" = "[[200],[503,200],[]]" ]
	[ "$(state '.actionStates.b.httpTrace | map(.attempt) | tojson')" = "[1,2]" ]
	[ "$(state '.actionStates.a.httpTrace[0].request | "\(.method) \(.url)"')" = "GET $URL/get" ]
	jq -e 'length == 1' "$(where)/actions/b/2/http-trace.json"
	# rebuilt from the records it is the same
	cp "$(where)/state.json" "$T/before.json"
	rm "$(where)/state.json"
	"$BIN/creel" --spool "$S" rebuild "$(id_of p)" >/dev/null
	jq -e --slurpfile b "$T/before.json" '.actionStates == $b[0].actionStates' "$(where)/state.json"
}
