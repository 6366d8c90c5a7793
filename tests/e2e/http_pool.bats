#!/usr/bin/env bats
# HTTP attempts share connections, and nothing depends on it.

load helpers.bash
load http_engine.bash

setup() {
	spool_setup
	http_setup
}
teardown() {
	spool_teardown
	http_teardown
}

# chain N: as many actions, one after the other.
chain() {
	jq -n --argjson n "$1" '{name: "chain", actions: [range($n) | {id: "a\(.)", actionDefinitionId: "get", inputs: {},
		dependencies: (if . == 0 then [] else ["a\(. - 1)"] end)}]}' | drop chain.json
}

# Of how many actions the connection was there already.
reused() {
	state '[.actionStates[].httpTrace[] | select(.connectionReused)] | length'
}

# The router of the daemon.
router() {
	local pid
	for pid in $(cat "/proc/$DAEMON/task/$DAEMON/children"); do
		! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'creel-http-wire --pool' || echo "$pid"
	done
}

ended_all() {
	local pid
	for pid in "$@"; do
		[ ! -e "/proc/$pid" ] || return 1
	done
}

@test "http pool: actions of an execution use one connection, unless the configuration says otherwise" {
	definition get
	chain 5
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(reused)" -ge 4 ]
	rm -rf "$S"/executions/*/*
	http_config '{"share_connections": false}'
	chain 3
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(reused)" -eq 0 ]
}

@test "http pool: when its processes are killed actions go on, and nothing stays when the daemon ends" {
	definition get
	daemon_start --config "$CONFIG"
	chain 2
	wait_until is_done chain
	local first processes
	first=$(router)
	[ -n "$first" ]
	processes=$(cat "/proc/$first/task/$first/children")
	kill -9 "$first"
	jq -n '{name: "next", actions: [{id: "b", actionDefinitionId: "get", inputs: {}}, {id: "c", actionDefinitionId: "get", inputs: {}, dependencies: ["b"]}]}' | drop next.json
	wait_until is_done next
	[ "$(jq -r .status "$(where next)/state.json")" = completed ]
	wait_until ended_all $processes
	first=$(router)
	daemon_stop
	wait_until ended_all $first
}

is_done() {
	[ "$(jq -r .status "$(where "$1")/state.json")" = completed ]
}

@test "http pool: an attempt that is under way outlives the daemon and its processes are let finish" {
	definition get
	touch "$W/hold"
	daemon_start --config "$CONFIG"
	chain 1
	wait_until has_status a0 running
	wait_until test -s "$W/requests"
	daemon_crash
	rm "$W/hold"
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	is_state .status completed
	is_state '.actionStates.a0.attempts' 1
}
