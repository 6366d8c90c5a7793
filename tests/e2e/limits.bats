#!/usr/bin/env bats
# Named locks, queues, priorities, and that one large plan starves nobody.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

@test "EDGE-7: actions of two executions that want one resource never run at once" {
	for name in one two; do
		jq -n --arg dir "$T/held" '{name: "locks", actions: [range(5) | {id: "a\(.)", actionDefinitionId: "shell.run",
			resources: ["db"], inputs: {script: "mkdir \($dir) && sleep 0.02 && rmdir \($dir)"}}]}' | drop $name.json
	done
	drain --max-concurrency 4
	# mkdir fails where another holds the directory: every action succeeded, so none met another.
	[ "$status" -eq 0 ]
	[ "$(jq -s '[.[].metrics.completedActions] | add' "$S"/executions/*/*/state.json)" -eq 10 ]
}

@test "EDGE-7: a lock is free again after its holder failed, timed out or was lost" {
	drop locks.json <<-'E'
	{"name": "locks", "actions": [
	  {"id": "fails", "actionDefinitionId": "command", "resources": ["x"], "priority": 2, "inputs": {"command": "false"}, "errorHandling": {"continueOnFailure": true}},
	  {"id": "hangs", "actionDefinitionId": "command", "resources": ["x"], "priority": 1, "timeoutMs": 50, "inputs": {"command": "sleep", "args": [60]}, "errorHandling": {"continueOnFailure": true}},
	  {"id": "last", "actionDefinitionId": "command", "resources": ["x", "y"], "inputs": {"command": "true"}}]}
	E
	drain
	[ "$status" -eq 0 ]
	has_status last completed
}

@test "PIPE-QUEUE: a queue runs as many at once as the configuration gives it" {
	printf 'max_concurrency: 8\nqueues:\n  narrow: {concurrency: 2}\n' > "$T/creeld.yaml"
	jq -n --arg dir "$T" '{name: "queue", actions: [range(8) | {id: "a\(.)", actionDefinitionId: "shell.run", queue: "narrow",
		inputs: {script: "mkdir \($dir)/n1 2>/dev/null && { sleep 0.02; rmdir \($dir)/n1; exit 0; }; mkdir \($dir)/n2 && sleep 0.02 && rmdir \($dir)/n2"}}]}' | drop queue.json
	drain --config "$T/creeld.yaml"
	[ "$status" -eq 0 ]
	is_state .metrics.completedActions 8
}

@test "ORCH-003: maxConcurrency of a plan holds while the daemon could do more" {
	jq -n --arg dir "$T" '{name: "one at a time", maxConcurrency: 1, actions: [range(6) | {id: "a\(.)",
		actionDefinitionId: "shell.run", inputs: {script: "mkdir \($dir)/n && sleep 0.01 && rmdir \($dir)/n"}}]}' | drop narrow.json
	drain --max-concurrency 4
	[ "$status" -eq 0 ]
}

@test "ORCH-003: actions of higher priority start first, then in the order of the plan" {
	drop order.json <<-'E'
	{"name": "order", "maxConcurrency": 1, "actions": [
	  {"id": "c", "actionDefinitionId": "command", "inputs": {"command": "true"}},
	  {"id": "b", "actionDefinitionId": "command", "inputs": {"command": "true"}, "priority": 1},
	  {"id": "a", "actionDefinitionId": "command", "inputs": {"command": "true"}, "priority": 9},
	  {"id": "d", "actionDefinitionId": "command", "inputs": {"command": "true"}}]}
	E
	drain
	[ "$(events '[.[] | select(.type == "action.execute.requested") | .action] | join("")')" = abcd ]
}

@test "LOAD: a plan of three actions is not kept waiting by one of 5,000 that came before" {
	# The large plan's first action holds every slot until both plans are there.
	jq -n --arg gate "$(gate both)" '{name: "large", actions: ([{id: "first", actionDefinitionId: "shell.run", inputs: {script: $gate}}]
		+ [range(5000) | {id: "w\(.)", actionDefinitionId: "command", dependencies: ["first"], inputs: {command: "true"}}])}' | drop large.json
	daemon_start --max-concurrency 2
	wait_until sh -c "ls '$S/active' | grep -q ."
	jq -n --arg gate "$(gate both)" '{name: "small", actions: [
		{id: "x", actionDefinitionId: "shell.run", inputs: {script: $gate}},
		{id: "y", actionDefinitionId: "command", dependencies: ["x"], inputs: {command: "true"}},
		{id: "z", actionDefinitionId: "command", dependencies: ["y"], inputs: {command: "true"}}]}' | drop small.json
	wait_until sh -c "test \$(ls '$S/active' | wc -l) -eq 2"
	open_gate both
	small=$(id_of small)
	wait_until sh -c "grep -q '^\"status\":\"completed\"' '$S'/executions/*/$small/state.json"
	# What of the large plan was committed to before the small one had ended: the starts ahead of the slots, and its
	# turns beside the small one's three.
	end=$(jq -s '[.[] | select(.execution == "'"$small"'" and .type == "execution.completed")][0].at' "$S"/events/*.jsonl)
	before=$(jq -s "[.[] | select(.execution != \"$small\" and .type == \"action.execute.requested\" and .at < $end)] | length" "$S"/events/*.jsonl)
	echo "started before the small plan's end: $before"
	[ "$before" -le 60 ]
	daemon_stop
}

@test "EDGE-7: a plan that wants what the action that runs it holds is refused, however deep" {
	mkdir -p "$S/catalog/plans"
	cat >"$S/catalog/plans/inner.yaml" <<-'E'
	name: inner
	actions:
	- {id: uses, actionDefinitionId: command, resources: [other, db], queue: q, inputs: {command: "true"}}
	E
	cat >"$S/catalog/plans/outer.yaml" <<-'E'
	name: outer
	actions:
	- {id: runs, actionDefinitionId: plan.run, inputs: {plan: inner}}
	E
	drop waits.yaml <<-'E'
	name: waits
	actions:
	- id: a
	  actionDefinitionId: plan.run
	  resources: [x, db]
	  inputs: {plan: outer}
	- {id: b, actionDefinitionId: plan.run, queue: q, inputs: {plan: inner}}
	E
	drain
	[ "$(jq -r '.errors[] | [.line, .pointer, .message] | join(" ")' "$S"/rejected/*-waits.yaml.error.json)" = \
'5 /actions/0/resources/1 it holds the lock "db" while its plan runs, and "uses" in there waits for it
7 /actions/1/queue it takes a place in the queue "q" while its plan runs, and "uses" in there waits for one' ]
	# creel validate sees the same.
	run "$BIN/creel" --spool "$S" validate "$(ls "$S"/rejected/*-waits.yaml)"
	[ "$status" -eq 1 ]
	[[ $output == *'it holds the lock "db"'* ]]
}

@test "EDGE-7: plans that wait for one another's locks do not wait for ever: one fails, and says why" {
	for pair in "one x y" "two y x"; do
		set -- $pair
		drop "$1.yaml" <<-E
		name: $1
		actions:
		- id: holds
		  actionDefinitionId: plan.run
		  resources: [$2]
		  inputs:
		    plan:
		      name: inside-$1
		      actions:
		      - {id: first, actionDefinitionId: shell.run, inputs: {script: '$(gate go)'}}
		      - {id: wants, actionDefinitionId: shell.run, resources: [$3], dependencies: [first], inputs: {script: 'echo $1 >> $T/ran'}}
		E
	done
	daemon_start --max-concurrency 4
	wait_until eval '[ "$(ls "$S"/executions/*/*/actions/first/1/lock | wc -l)" -eq 2 ]'
	open_gate go
	wait_until eval '[ -z "$(ls "$S/active")" ]'
	cat "$S"/executions/*/*/state.json | jq -s '[.[] | select(.name | startswith("inside") | not) | .status] | sort' >"$T/ends"
	[ "$(jq -c . "$T/ends")" = '["completed","failed"]' ]
	[ "$(wc -l <"$T/ran")" -eq 1 ]
	cat "$S"/executions/*/*/state.json | jq -r '.actionStates.wants.result.error | select(.code == "deadlock") | .message' >"$T/why"
	[[ $(cat "$T/why") == '"wants" would wait for ever for "'?'": what holds it waits for this execution' ]]
	daemon_stop
}

# What the action may use, and what its supervisor may.
processors() {
	cat <<-'E'
	grep -h Cpus_allowed_list: /proc/self/status /proc/$PPID/status | cut -f 2
	E
}

@test "STEP-EXEC: with a slot for each processor supervisors keep to one each, their actions to none" {
	local slots ours

	slots=$(nproc)
	[ "$slots" -gt 1 ] || skip "there is one processor"
	ours=$(grep Cpus_allowed_list: /proc/self/status | cut -f 2)
	# Both run at once: there are two supervisors.
	jq -n --arg t "$T" --arg look "$(processors)" '{name: "places", actions: [["a", "b"], ["b", "a"] | {id: .[0],
		actionDefinitionId: "shell.run", timeoutMs: 60000,
		inputs: {script: "\($look); : >\($t)/\(.[0]); until [ -e \($t)/\(.[1]) ]; do sleep 0.01; done"}}]}' | drop places.json
	drain --max-concurrency "$slots"
	[ "$status" -eq 0 ]
	[ "$(stdout_of a | sed -n 1p)" = "$ours" ]
	[ "$(stdout_of b | sed -n 1p)" = "$ours" ]
	[[ $(stdout_of a | sed -n 2p) =~ ^[0-9]+$ ]]
	[[ $(stdout_of b | sed -n 2p) =~ ^[0-9]+$ ]]
	[ "$(stdout_of a | sed -n 2p)" != "$(stdout_of b | sed -n 2p)" ]
}

@test "STEP-EXEC: with fewer slots than processors supervisors may use all of them" {
	local ours

	[ "$(nproc)" -gt 1 ] || skip "there is one processor"
	ours=$(grep Cpus_allowed_list: /proc/self/status | cut -f 2)
	jq -n --arg look "$(processors)" '{name: "free", actions: [{id: "a", actionDefinitionId: "shell.run", inputs: {script: $look}}]}' |
		drop free.json
	drain --max-concurrency 1
	[ "$status" -eq 0 ]
	[ "$(stdout_of a)" = "$ours"$'\n'"$ours" ]
}
