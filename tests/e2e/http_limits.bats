#!/usr/bin/env bats
# Rate limits before sending, APIs that are left alone, health checks and Retry-After (S0-DEF rateLimit, S0-API
# rateLimiting and healthCheck): shared by all executions, fair, and the same after a restart.

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

# A plan NAME of actions a0 to a(N-1) of a definition; MORE is added to each.
many() {
	jq -n --arg name "$1" --argjson n "$2" --arg of "$3" --argjson more "${4:-null}" '{name: $name, actions: [range($n)
		| {id: "a\(.)", actionDefinitionId: $of} + ($more // {})]}' | drop "$1.json"
}

rate() {
	echo "{\"rateLimit\": {\"requests\": $1, \"window\": $2, \"scope\": \"${3:-global}\"}}"
}

both() {
	jq -n --argjson a "$1" --argjson b "$2" '$a * $b'
}

asked() {
	[ "$(requests length)" -ge "$1" ]
}

api_file() {
	jq -r "$2" "$S/apis/api.$1.json"
}

is_parked() {
	[ "$(api_file "$1" .state)" = parked ]
}

@test "S0-DEF rateLimit: ten actions through a rate-limited flaky server complete, with no more requests than the limit" {
	definition get "$(both "$(rate 3 500)" "$(retries 5 10)")"
	echo '{"requests": 3, "window": 0.5}' >"$W/limit"
	echo 4 >"$W/flaky"
	many p 10 get
	drain --config "$CONFIG" --max-concurrency 8
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(most_within 0.5)" -le 3 ]
	[ "$(requests 'map(.status) | group_by(.) | map("\(.[0]) \(length)") | join(" ")')" = "200 10 503 3" ]
	# a wait is no attempt: what was retried is what the server failed
	[ "$(state '[.actionStates[].attempts] | add')" -eq 13 ]
	[ -z "$(ls "$S/apis")" ] || [ "$(ls "$S/apis")" = global.get.json ]
}

@test "S0-DEF rateLimit: what waits holds no slot, and what follows from nothing else goes on" {
	definition get "$(rate 1 1500)"
	many p 3 get
	daemon_start --config "$CONFIG" --max-concurrency 1
	wait_until asked 1
	drop q.yaml <<-'E'
	name: q
	actions: [{id: x, actionDefinitionId: command, inputs: {command: "true"}}]
	E
	done_q() { [ "$(jq -r .status "$(where q)/state.json")" = completed ]; }
	wait_until done_q
	[ "$(requests length)" -le 2 ]
	counted() { "$BIN/creel" --spool "$S" status | grep -E '^rate limit +global get: 1 sent in the last'; }
	wait_until counted
	wait_until ended_all
	[ "$(most_within 1.5)" -le 1 ]
}

@test "S0-DEF rateLimit: the window outlives the daemon, whether it is stopped or killed" {
	local n
	definition get "$(rate 2 1000)"
	many p 7 get
	for n in 1 3 5; do
		daemon_start --config "$CONFIG"
		wait_until asked "$n"
		if [ "$n" -eq 3 ]; then daemon_stop; else daemon_crash; fi
	done
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(requests length)" -eq 7 ]
	[ "$(most_within 1)" -le 2 ]
}

@test "S0-DEF rateLimit: a request under way counts, also in the next life of the daemon" {
	definition get "$(rate 1 300)"
	touch "$W/hold"
	many p 2 get
	daemon_start --config "$CONFIG" --max-concurrency 4
	wait_until asked 1
	daemon_crash
	daemon_start --config "$CONFIG" --max-concurrency 4
	# far more than the window passes for something that has no limit
	drop q.yaml <<-'E'
	name: q
	actions: [{id: x, actionDefinitionId: command, inputs: {command: sleep, args: ["0.6"]}}]
	E
	done_q() { [ "$(jq -r .status "$(where q)/state.json")" = completed ]; }
	wait_until done_q
	[ "$(requests length)" -eq 1 ]
	rm "$W/hold"
	wait_until ended_all
	[ "$(requests length)" -eq 2 ]
}

@test "S0-DEF rateLimit: executions share it, one start each in turn" {
	definition get "$(rate 1 150)"
	touch "$W/hold"
	many one 6 get
	daemon_start --config "$CONFIG" --max-concurrency 4
	wait_until asked 1
	many two 6 get
	accepted() { [ -n "$(where two)" ]; }
	wait_until accepted
	rm "$W/hold"
	wait_until ended_all
	[ "$(requests length)" -eq 12 ]
	[ "$(most_within 0.15)" -le 1 ]
	# in the order of the starts: after the first, each of the two has one in every two
	for name in one two; do
		EX=$(id_of "$name")
		events '.[] | select(.type == "action.execute.requested") | .at' | sed "s/\$/ $name/"
	done | sort | cut -d' ' -f2 | sed -n '2,11p' >"$T/order"
	cat "$T/order"
	[ "$(paste -d' ' - - <"$T/order" | sort | uniq -c | awk '$2 != $3 {n += $1} END {print n}')" -eq 5 ]
}

@test "S0-DEF rateLimit: per_user counts by who submitted the plan, per_ip by the host, each definition by its own rule" {
	definition byuser "$(rate 1 60000 per_user)"
	definition ip1 "$(rate 2 60000 per_ip)"
	definition ip2 "$(rate 3 60000 per_ip)"
	many u 2 byuser
	many i 2 ip1
	many j 2 ip2
	daemon_start --config "$CONFIG" --max-concurrency 8
	wait_until asked 4
	wait_until test -s "$S/apis/per_ip.127.0.0.1:$(cat "$W/port").json"
	drop q.yaml <<-'E'
	name: q
	actions: [{id: x, actionDefinitionId: command, inputs: {command: sleep, args: ["0.3"]}}]
	E
	done_q() { [ "$(jq -r .status "$(where q)/state.json")" = completed ]; }
	wait_until done_q
	# one of u; of i and j together three: a third by ip2's rule, no more than two while ip1's counts
	[ "$(requests 'map(.path) | map(select(. == "/byuser")) | length')" -eq 1 ]
	[ "$(requests 'map(.path) | map(select(startswith("/ip"))) | length')" -eq 3 ]
	[ "$(requests 'map(.path) | map(select(. == "/ip1")) | length')" -le 2 ]
	[ -e "$S/apis/per_user.byuser.$(id -un).json" ]
	for id in $(ls "$S/active"); do say "control/$id.cancel"; done
	wait_until ended_all
}

@test "S0-API rateLimiting: an API that says too much is left alone by everybody, and one probe tries it again" {
	definition get "$(retries 3 1)"
	definition other "$(retries 3 1)"
	api shop '{"rateLimiting": {"detection": {"statusCodes": [429], "headers": []}, "extraction": {}, "backoffStrategy": {"type": "respect_reset"}}}'
	touch "$W/limited"
	echo '{"Retry-After": "2"}' >"$W/headers"
	many one 1 get
	daemon_start --config "$CONFIG" --max-concurrency 8
	wait_until test -s "$S/apis/api.shop.json"
	is_parked shop
	[ "$(api_file shop '.reason.action')" = a0 ]
	"$BIN/creel" --spool "$S" status >"$T/out"
	grep -E '^left alone +api shop until .* UTC: .*429' "$T/out"
	[ "$("$BIN/creel" --spool "$S" status --json | jq -c '[.apis[] | [.key, .state]]')" = '[["api shop","parked"]]' ]
	rm "$W/limited" "$W/headers"
	touch "$W/hold"
	many two 4 other
	# nothing until its time has come, then one and no more
	wait_until asked 2
	[ "$(requests '(.[1].at - .[0].at) >= 1.9')" = true ]
	[ "$(api_file shop .state)" = probing ]
	daemon_stop # the probe outlives it
	daemon_start --config "$CONFIG" --max-concurrency 8
	[ "$(api_file shop .state)" = probing ]
	[ "$(requests length)" -eq 2 ]
	rm "$W/hold"
	wait_until ended_all
	[ "$(requests length)" -eq 6 ]
	[ ! -e "$S/apis/api.shop.json" ]
}

@test "S0-API rateLimiting: a reply that leaves nothing until the reset parks it without a failure; maxDelay caps what it asks for" {
	definition get
	api shop '{"rateLimiting": {"detection": {"statusCodes": [429], "headers": []},
		"extraction": {"remainingHeader": "X-Left", "resetHeader": "X-Reset", "resetFormat": "unix_ms"},
		"backoffStrategy": {"type": "respect_reset", "maxDelay": 1500}}}'
	echo "{\"X-Left\": \"0\", \"X-Reset\": \"$(($(date +%s%3N) + 3600000))\"}" >"$W/headers"
	drop p.yaml <<-'E'
	name: p
	actions:
	- {id: a, actionDefinitionId: get}
	- {id: b, actionDefinitionId: get, dependencies: [a]}
	E
	daemon_start --config "$CONFIG"
	wait_until test -s "$S/apis/api.shop.json"
	rm "$W/headers"
	wait_until ended_all
	is_state .status completed
	[ "$(requests '(.[1].at - .[0].at) | . >= 1.4 and . < 30')" = true ]
}

@test "S0-API rateLimiting: a probe that is limited again parks it for longer, by the strategy" {
	definition get "$(retries 4 1)"
	api shop '{"rateLimiting": {"detection": {"statusCodes": [429], "headers": []}, "extraction": {},
		"backoffStrategy": {"type": "exponential", "initialDelay": 200}}}'
	touch "$W/limited"
	many p 1 get
	drain --config "$CONFIG"
	[ "$status" -eq 1 ]
	[ "$(requests 'length')" -eq 4 ]
	[ "$(requests '[.[].at] | [.[1] - .[0], .[2] - .[1], .[3] - .[2]] | .[0] >= 0.2 and .[1] >= 0.4 and .[2] >= 0.8')" = true ]
	[ "$(api_file shop .times)" -eq 4 ]
}

@test "S0-API rateLimiting: a definition without an API is one of its own" {
	definition get "$(retries 2 1)"
	definition other
	touch "$W/limited"
	echo '{"Retry-After": "1"}' >"$W/headers"
	many p 1 get
	daemon_start --config "$CONFIG"
	wait_until test -s "$S/apis/definition.get.json"
	rm "$W/limited" "$W/headers"
	many q 1 other
	many r 1 get
	wait_until ended_all
	# other went before get came back
	[ "$(requests '[.[] | select(.status == 200) | .path][0]')" = /other ]
	[ "$(requests '[.[] | select(.path == "/get")] | .[1].at - .[0].at >= 0.9')" = true ]
}

@test "S0-API healthCheck: asked before the first use, and while the API is left alone; nothing is sent before it is healthy" {
	definition get
	api shop '{"healthCheck": {"endpoint": "/health", "expectedStatus": 200, "timeout": 5000},
		"rateLimiting": {"detection": {"statusCodes": [429], "headers": []}, "extraction": {}, "backoffStrategy": {"type": "linear", "initialDelay": 100}}}'
	echo 503 >"$W/health"
	many p 3 get
	daemon_start --config "$CONFIG"
	checked() { [ "$(requests '[.[] | select(.path == "/health")] | length')" -ge "$1" ]; }
	wait_until checked 3
	[ "$(requests '[.[] | select(.path == "/get")] | length')" -eq 0 ]
	[[ $(api_file shop .reason.message) == *"health check failed"* ]]
	rm "$W/health"
	wait_until ended_all
	is_state .status completed
	[ "$(requests '[.[] | select(.path == "/get")] | length')" -eq 3 ]
	n=$(requests '[.[] | select(.path == "/health")] | length')
	many q 1 get
	wait_until ended_all
	[ "$(requests '[.[] | select(.path == "/health")] | length')" -eq "$n" ] # not before each use
	daemon_stop
	many r 1 get
	drain --config "$CONFIG"
	[ "$(requests '[.[] | select(.path == "/health")] | length')" -eq $((n + 1)) ] # after each start
}

@test "S0-API healthCheck: a check that cannot be made says nothing about the API" {
	definition get
	api shop '{"healthCheck": {"endpoint": "/health", "expectedStatus": 200, "timeout": 1000}}'
	printf '#!/bin/sh\n[ "$1" != --health ] || exit 9\nexec %s "$@"\n' "$EXECUTOR" >"$T/executor"
	chmod +x "$T/executor"
	EXECUTOR=$T/executor http_config '{}'
	many p 1 get
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	grep -F 'the health check of api shop could not be made (it ended with status 9)' "$T/log"
}

@test "S0-ERR retryAfter: a wait that a server demands is a timer that survives a restart, whatever the policy's longest" {
	definition get "$(retries 2 1)"
	echo 503 >"$W/status"
	echo '{"Retry-After": "2"}' >"$W/headers"
	many p 1 get
	daemon_start --config "$CONFIG"
	scheduled() { events '.[].type' | grep -qx action.retry.scheduled; }
	wait_until scheduled
	rm "$W/status" "$W/headers"
	daemon_crash
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(requests '(.[1].at - .[0].at) | . >= 1.9')" = true ]
}

@test "S0-ERR retryAfter: the operator's cap bounds what a server may demand" {
	definition get "$(retries 2 1)"
	http_config '{"max_retry_after_sec": 0.5}'
	echo 503 >"$W/status"
	echo '{"Retry-After": "86400"}' >"$W/headers"
	many p 1 get
	drain --config "$CONFIG"
	[ "$status" -eq 1 ]
	[ "$(requests '(.[1].at - .[0].at) | . >= 0.45 and . < 30')" = true ]
}

@test "S0-API errorMappings: the backoff strategy of an error says how the waits after it grow" {
	definition get '{"retryPolicy": {"maxAttempts": 4, "initialDelay": 100, "maxDelay": 5000, "retryableErrors": ["api_unexpected_status"]}}'
	api shop '{"errorMappings": [{"status": 500, "category": "api_unexpected_status", "retryable": true, "backoffStrategy": "exponential"},
		{"status": 502, "category": "api_unexpected_status", "retryable": true, "backoffStrategy": "linear"}]}'
	echo 500 >"$W/status"
	many p 1 get '{"breaker": "none1"}'
	drain --config "$CONFIG"
	[ "$(events '[.[] | select(.type == "action.retry.scheduled") | .delayMs] | tojson')" = "[100,200,400]" ]
	echo 502 >"$W/status"
	many q 1 get '{"breaker": "none2"}'
	drain --config "$CONFIG"
	EX=$(id_of q)
	[ "$(events '[.[] | select(.type == "action.retry.scheduled") | .delayMs] | tojson')" = "[100,200,300]" ]
}

@test "STEP-BREAK: actions of an API share a breaker of its name; refusals that say nothing against it do not open it" {
	definition get
	definition post '{"endpoint": {"method": "POST"}}'
	api shop.eu
	jq '.breakers = {shop_eu: {failures: 2, window_sec: 60, open_sec: 3600}}' "$CONFIG" >"$T/new" && mv "$T/new" "$CONFIG"
	echo 404 >"$W/status"
	many p 3 get '{"onFailure": "continue"}'
	drain --config "$CONFIG"
	[ "$(requests length)" -eq 3 ]
	[ ! -e "$S/breakers/shop_eu.json" ] || [ "$(jq -r .state "$S/breakers/shop_eu.json")" = closed ]
	echo 500 >"$W/status"
	many q 3 post '{"onFailure": "continue"}'
	daemon_start --config "$CONFIG" --max-concurrency 1
	opened() { [ "$(jq -r .state "$S/breakers/shop_eu.json")" = open ]; }
	wait_until opened
	[ "$(requests length)" -eq 5 ]
	say "control/$(id_of q).cancel"
	wait_until ended_all
}
