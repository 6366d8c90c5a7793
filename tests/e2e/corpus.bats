#!/usr/bin/env bats
# Real workflow graphs (tests/corpus/workflow-graphs) as plans: the order, the counts and the cap hold on shapes
# that nobody made up for a test.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

# A graph as a plan, with $2 as the command of each step and $3, if given, as the step that fails.  Their ids may
# hold dots and be long: each gets a short one from its place.
plan_of() {
	jq --arg run "$2" --arg bad "${3:-}" '
		([.steps | to_entries[] | {key: .value.id, value: "s\(.key)"}] | from_entries) as $short
		| {plan_id: .name, globals: {max_concurrency: 3}, steps: [.steps[] | {
			id: $short[.id], name: .id, command: (if $short[.id] == $bad then "false" else $run end),
			depends_on: [.depends_on[] | $short[.]], on_failure: "skip_dependents"}]}' "$1"
}

each_once() {
	local n
	n=$(jq '.actions | length' "$(where)/plan.json")
	[ "$(events '[.[] | select(.type == "action.execute.requested") | .action] | [length, (unique | length)] | @csv')" = "$n,$n" ]
	[ "$(events '[.[] | select(.type == "action.completed") | .action] | [length, (unique | length)] | @csv')" = "$n,$n" ]
	is_state .metrics.completedActions "$n"
}

run_graph() {
	plan_of "$CORPUS/workflow-graphs/$1.plan.json" true | drop graph.json
	drain --max-concurrency 8
	[ "$status" -eq 0 ]
	is_state .status completed
	each_once
	starts_after_ends
	[ "$(most_at_once)" -le 3 ]
}

@test "ORCH-002: a recorded fork-join runs: each step once, in order, under the cap" {
	run_graph helloworld-forkjoin-10-chameleon
}

@test "ORCH-002: a recorded bacterial assembly runs: each step once, in order, under the cap" {
	run_graph bacass-dirt02-001
}

@test "ORCH-003: a recorded epigenomics pipeline runs: each step once, in order, under the cap" {
	run_graph epigenomics-chameleon-hep-1seq-100k-001
}

@test "STEP-FAIL: when a step of a recorded workflow fails, exactly what depends on it is skipped" {
	graph=$CORPUS/workflow-graphs/epigenomics-chameleon-hep-1seq-100k-001.plan.json
	bad=s1
	plan_of "$graph" true $bad | drop graph.json
	drain --max-concurrency 4
	[ "$status" -eq 1 ]
	is_state .status failed
	# Everything that leads to it, by following dependencies again and again.
	jq -r --arg bad $bad '
		.actions as $a | [$bad]
		| until(. as $hit | [$a[] | select(.id as $i | ($hit | index($i) | not) and any(.dependencies[]; . as $d | $hit | index($d)))] == [];
			. as $hit | . + [$a[] | select(.id as $i | ($hit | index($i) | not) and any(.dependencies[]; . as $d | $hit | index($d))) | .id])
		| .[1:] | sort | join(" ")' "$(where)/plan.json" >"$T/expected"
	[ -s "$T/expected" ]
	[ "$(state '[.actionStates[] | select(.status == "skipped") | .actionId] | sort | join(" ")')" = "$(cat "$T/expected")" ]
	is_state '[.actionStates[] | select(.status == "failed") | .actionId] | join(" ")' $bad
}

@test "ORCH-003: 1 to 500 to 1: every start after its dependencies' ends" {
	jq -n '{name: "fan", actions: ([{id: "first", actionDefinitionId: "command", inputs: {command: "true"}}]
		+ [range(500) | {id: "w\(.)", actionDefinitionId: "command", inputs: {command: "true"}, dependencies: ["first"]}]
		+ [{id: "last", actionDefinitionId: "command", inputs: {command: "true"}, dependencies: [range(500) | "w\(.)"]}])}' |
		drop fan.json
	drain --max-concurrency 8
	[ "$status" -eq 0 ]
	each_once
	starts_after_ends
	[ "$(most_at_once)" -le 8 ]
	# A fan-out costs a handful of commits, not one an action.
	[ "$(state .seq)" -lt 400 ]
}
