#!/usr/bin/env bats
# Circuit breakers (STEP-BREAK): a tool that keeps failing is left alone for a while, across executions and restarts.
#
# The tool of the tests appends to $T/calls each time it is called, and works once $T/works is there.

load helpers

setup() {
	spool_setup
	CONFIG=$T/config.yaml
	TOOL=$T/tool
	cat >"$TOOL" <<-E
	#!/bin/sh
	echo "\$CREEL_ACTION_ID \$(date +%s%3N)" >>$T/calls
	[ -e $T/works ] || { echo "no route to host" >&2; exit 7; }
	E
	chmod +x "$TOOL"
	: >"$T/calls"
	rule 2 60 0.5
}
teardown() { spool_teardown; }

# failures, window and open time of the breaker `tool`
rule() {
	echo "breakers: {tool: {failures: $1, window_sec: $2, open_sec: $3}}" >"$CONFIG"
}

# A plan NAME of actions a0 to a(N-1) on the tool; MORE is added to each.
tool_plan() {
	jq -n --arg name "$1" --argjson n "$2" --arg tool "$TOOL" --argjson more "${3:-null}" '{name: $name, actions: [range($n)
		| {id: "a\(.)", actionDefinitionId: "command", inputs: {command: $tool}, onFailure: "continue", breaker: "tool"}
		+ ($more // {})]}' | drop "$1.json"
}

breaker() {
	jq -r "$1" "$S/breakers/tool.json"
}

breaker_is() {
	[ "$(breaker .state)" = "$1" ]
}

calls() {
	wc -l <"$T/calls"
}

ended_all() {
	[ -z "$(ls "$S/active")" ]
}

@test "STEP-BREAK: closed: single failures pass, a success clears them, and other breakers know nothing" {
	tool_plan one 1
	drain --config "$CONFIG"
	[ "$(breaker '"\(.name) \(.state) \(.failures) \(.lastError.category) \(.lastError.action)"')" = \
		"tool closed 1 api_unexpected_status a0" ]
	touch "$T/works"
	tool_plan two 1
	drain --config "$CONFIG"
	[ "$(breaker '"\(.state) \(.failures)"')" = "closed 0" ]
	[ "$(ls "$S/breakers")" = tool.json ]
	[ "$(calls)" -eq 2 ]
}

@test "STEP-BREAK: it opens after failures in a row, the rest waits, one probe goes, and its success lets all through" {
	rule 3 60 1
	drop p.yaml <<-E
	name: p
	actions:
	- {id: f0, actionDefinitionId: command, inputs: {command: $TOOL}, onFailure: continue, breaker: tool}
	- {id: f1, actionDefinitionId: command, inputs: {command: $TOOL}, onFailure: continue, breaker: tool, dependencies: [f0]}
	- {id: f2, actionDefinitionId: command, inputs: {command: $TOOL}, onFailure: continue, breaker: {name: tool}, dependencies: [f1]}
	- {id: w0, actionDefinitionId: command, inputs: {command: $TOOL}, breaker: {name: tool, onOpen: delay}, dependencies: [f2]}
	- {id: w1, actionDefinitionId: command, inputs: {command: $TOOL}, breaker: tool, dependencies: [f2]}
	- {id: other, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [f2]}
	E
	daemon_start --config "$CONFIG"
	wait_until breaker_is open
	touch "$T/works"
	wait_until has_status other completed
	[ "$(calls)" -eq 3 ] # what has no breaker went on; w0 and w1 did not
	[ "$(breaker '(.probeAt | sub("\\.[0-9]+Z"; "Z") | fromdate) - (.openedAt | sub("\\.[0-9]+Z"; "Z") | fromdate) | . >= 0 and . <= 2')" = true ]
	wait_until ended_all
	[ "$(calls)" -eq 5 ]
	breaker_is closed
	# the first of them was alone, and only when its time had come
	events '.' >"$T/events.json"
	jq -e '(map(select(.type == "action.failed" and .action == "f2"))[0].at) as $opened
		| map(select(.type == "action.execute.requested" and (.action | startswith("w")))) as $w
		| map(select(.type == "action.completed" and (.action | startswith("w")))) as $c
		| ($w | length) == 2 and $w[1].seq >= $c[0].seq and $w[0].at > $opened' "$T/events.json"
	[ $(($(sed -n 4p "$T/calls" | cut -d' ' -f2) - $(sed -n 3p "$T/calls" | cut -d' ' -f2))) -ge 1000 ]
	is_state .status completed
}

@test "STEP-BREAK: a probe that fails opens it for as long again" {
	tool_plan p 1 '{"retryPolicy": {"maxAttempts": 4, "initialDelay": 1, "maxDelay": 1, "backoffMultiplier": 1, "jitter": false, "retryableErrors": ["api_unexpected_status"]}}'
	drain --config "$CONFIG"
	# 1 and 2 opened it, 3 and 4 were probes that failed, each half a second later
	[ "$(calls)" -eq 4 ]
	breaker_is open
	[ "$(breaker .lastError.message)" = "exited with status 7" ]
	cut -d' ' -f2 "$T/calls" | { read -r a; read -r b; read -r c; read -r d; [ $((c - b)) -ge 500 ] && [ $((d - c)) -ge 500 ]; }
}

@test "STEP-BREAK: with many in line, at most what runs fails; the rest is never tried while it is open" {
	rule 2 60 3600
	tool_plan p 40
	daemon_start --config "$CONFIG" --max-concurrency 2
	wait_until breaker_is open
	drop other.yaml <<-'E'
	name: other
	actions: [{id: x, actionDefinitionId: command, inputs: {command: "true"}}]
	E
	id=$(id_of p)
	done_other() { [ "$(jq -r .status "$(where other)/state.json")" = completed ]; }
	wait_until done_other
	[ "$(calls)" -le 4 ]
	# cancel reaches those that wait
	say "control/$id.cancel"
	wait_until ended_all
	[ "$(calls)" -le 4 ]
	EX=$id
	is_state .status cancelled
}

@test "STEP-BREAK: onOpen: fail fails at once, without a call, and says until when" {
	rule 1 60 3600
	tool_plan p 1
	drain --config "$CONFIG"
	tool_plan q 1 '{"breaker": {"name": "tool", "onOpen": "fail"}}'
	drain --config "$CONFIG"
	[ "$(calls)" -eq 1 ]
	id=$(id_of p)
	EX=$(id_of q)
	[ "$(state '.actionStates.a0.result.error | "\(.category) \(.code) \(.retryable)"')" = "api_unexpected_status breaker_open true" ]
	[ "$(state .actionStates.a0.result.error.retryAfter)" = "$(breaker .probeAt)" ]
	[[ $(state .actionStates.a0.result.error.message) == *'"tool" is open'*'exited with status 7'* ]]
	[ "$(types)" = "execution.accepted execution.started action.execute.requested action.failed execution.completed" ]
	[ "$(breaker .lastError.execution)" = "$id" ] # a refusal is no failure of the tool
}

@test "STEP-BREAK: onOpen: fail with retries waits for the probe" {
	rule 1 60 0.6
	tool_plan p 1
	drain --config "$CONFIG"
	touch "$T/works"
	tool_plan q 1 '{"breaker": {"name": "tool", "onOpen": "fail"}, "retryPolicy": {"maxAttempts": 2, "initialDelay": 1, "maxDelay": 1, "backoffMultiplier": 1, "jitter": false, "retryableErrors": ["api_unexpected_status"]}}'
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	EX=$(id_of q)
	is_state .actionStates.a0.attempts 2
	breaker_is closed
}

@test "STEP-BREAK: a failure of the plan or of a person is none of the tool" {
	rule 1 60 3600
	drop p.yaml <<-E
	name: p
	actions:
	- {id: missing, actionDefinitionId: command, inputs: {command: $T/no-such-tool}, onFailure: continue, breaker: tool}
	- {id: promise, actionDefinitionId: command, inputs: {command: "true"}, provides: [x], onFailure: continue, breaker: tool}
	E
	drain --config "$CONFIG"
	[ ! -e "$S/breakers/tool.json" ]
	drop q.yaml <<-E
	name: q
	onAbort: terminate
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'touch $T/runs; $(gate never)'}, breaker: tool}
	E
	daemon_start --config "$CONFIG"
	wait_until test -e "$T/runs"
	say "control/$(id_of q).cancel"
	wait_until ended_all
	[ ! -e "$S/breakers/tool.json" ]
}

@test "STEP-BREAK: open across a restart: nothing is tried before the probe's time, and the plan then completes" {
	rule 2 60 2
	tool_plan p 3 '{"retryPolicy": {"maxAttempts": 1, "initialDelay": 1, "maxDelay": 1, "backoffMultiplier": 1, "jitter": false, "retryableErrors": []}}'
	daemon_start --config "$CONFIG" --max-concurrency 1
	wait_until breaker_is open
	daemon_crash
	touch "$T/works"
	daemon_start --config "$CONFIG" --max-concurrency 1
	breaker_is open
	wait_until ended_all
	[ "$(calls)" -eq 3 ]
	[ $(($(sed -n 3p "$T/calls" | cut -d' ' -f2) - $(sed -n 2p "$T/calls" | cut -d' ' -f2))) -ge 2000 ]
	breaker_is closed
}

@test "STEP-BREAK: a probe that outlives the daemon still decides" {
	rule 1 60 0.05
	drop p.yaml <<-E
	name: p
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: $TOOL}, onFailure: continue, breaker: tool}
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'touch $T/probing; $(gate probe)'}, breaker: tool, dependencies: [a]}
	- {id: c, actionDefinitionId: command, inputs: {command: "true"}, breaker: tool, dependencies: [a]}
	E
	daemon_start --config "$CONFIG"
	wait_until test -e "$T/probing"
	wait_until breaker_is half_open
	[ "$(breaker '"\(.probe.action) \(.probe.attempt)"')" = "b 1" ]
	daemon_crash
	daemon_start --config "$CONFIG"
	breaker_is half_open
	has_status c pending
	open_gate probe
	wait_until ended_all
	breaker_is closed
	is_state .status completed
}

@test "STEP-BREAK: a probe that is cancelled leaves its place to another" {
	rule 1 60 0.05
	tool_plan p 1
	drain --config "$CONFIG"
	drop q.yaml <<-E
	name: q
	onAbort: terminate
	actions:
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'touch $T/probing; $(gate never)'}, breaker: tool}
	E
	daemon_start --config "$CONFIG"
	wait_until test -e "$T/probing"
	touch "$T/works"
	tool_plan r 1
	say "control/$(id_of q).cancel"
	wait_until ended_all
	breaker_is closed
	[ "$(tail -1 "$T/calls" | cut -d' ' -f1)" = a0 ]
	[ "$(calls)" -eq 2 ]
}

@test "STEP-BREAK: a damaged file counts as closed, and is reported" {
	mkdir -p "$S/breakers"
	echo '{"state": "ajar"' >"$S/breakers/tool.json"
	echo 'not ours' >"$S/breakers/.tool.json.tmp"
	touch "$T/works"
	tool_plan p 1
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	grep -F 'breakers/tool.json cannot be used' "$T/log"
	breaker_is closed
}

@test "STEP-BREAK: in a plan of steps, and wrong ones are refused with the place" {
	rule 1 60 3600
	drop p.yaml <<-E
	plan_id: p
	steps:
	- {id: a, command: $TOOL, on_failure: continue, breaker: tool}
	- {id: b, command: $TOOL, on_failure: continue, breaker: {name: tool, on_open: fail}, depends_on: [a]}
	E
	drain --config "$CONFIG"
	[ "$(calls)" -eq 1 ]
	is_state .actionStates.b.result.error.code breaker_open
	[ "$(jq -c '[.actions[].breaker]' "$(where)/plan.json")" = '["tool",{"name":"tool","onOpen":"fail"}]' ]
	drop q.yaml <<-E
	name: q
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "true"}, breaker: "../x"}
	- {id: b, actionDefinitionId: command, inputs: {command: "true"}, breaker: {name: x, onOpen: explode}}
	- {id: c, actionDefinitionId: command, inputs: {command: "true"}, breaker: {onOpen: fail}}
	E
	drain --config "$CONFIG"
	[ "$(jq -c '[.errors[] | .line]' "$S"/rejected/*q.yaml.error.json)" = '[3,4,5]' ]
}

@test "STEP-BREAK: the items of a forEach share the breaker of their action" {
	rule 1 60 3600
	drop p.yaml <<-E
	name: p
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: $TOOL}, forEach: {items: [1, 2, 3, 4], width: 1}, onFailure: continue, breaker: {name: tool, onOpen: fail}}
	E
	drain --config "$CONFIG"
	[ "$(calls)" -eq 1 ]
	[ "$(events '[.[] | select(.type == "action.failed" and .error.code == "breaker_open") | .action] | join(" ")')" = "a.1 a.2 a.3" ]
}

@test "STEP-BREAK: creel status shows what is not closed, and why" {
	rule 1 60 3600
	touch "$T/works"
	tool_plan good 1 '{"breaker": "quiet"}'
	drain --config "$CONFIG"
	"$BIN/creel" --spool "$S" status >"$T/out" || [ $? -eq 1 ]
	not grep breaker "$T/out"
	rm "$T/works"
	tool_plan bad 1
	drain --config "$CONFIG"
	"$BIN/creel" --spool "$S" status >"$T/out" || [ $? -eq 1 ]
	grep -E '^breaker +tool is open, tried again from .*; last failure: exited with status 7$' "$T/out"
	"$BIN/creel" --spool "$S" status --json >"$T/out" || [ $? -eq 1 ]
	[ "$(jq -c '[.breakers[] | [.name, .state]]' "$T/out")" = '[["tool","open"]]' ]
}
