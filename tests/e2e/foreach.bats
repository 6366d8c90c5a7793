#!/usr/bin/env bats
# forEach: one action over a list.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

@test "forEach: an instance for each item, in order, with their outputs collected" {
	drop each.yaml <<-'E'
	name: each
	actions:
	- id: list
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo "{\"names\": [\"x\", {\"deep\": [7]}, 3]}" > "$CREEL_OUTPUT"'}
	- id: work
	  actionDefinitionId: shell.run
	  dependencies: [list]
	  forEach: "${list.output.names}"
	  inputs:
	    script: 'echo "got=$I:$V" > "$CREEL_OUTPUT"'
	    env: {I: "${vars.index}", V: "={{vars.item}}"}
	- {id: sum, actionDefinitionId: command, dependencies: [work], inputs: {command: echo, args: ["${work.output.count}", "${work.output.items[1].got}"]}}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(stdout_of sum)" = '3 1:={"deep":[7]}' ]
	[ "$(jq -c '[.items[].got]' "$(where)/actions/work/1/output.json")" = '["0:=x","1:={\"deep\":[7]}","2:=3"]' ]
	[ -d "$(where)/actions/work.2/1" ]
	has_status work.1 completed
	[ "$(state '.actionStates.work.result.outputLocation.path')" = actions/work/1/output.json ]
}

@test "forEach: an empty list is done at once" {
	drop none.json <<< '{"name":"none","actions":[{"id":"n","actionDefinitionId":"command","forEach":[],"inputs":{"command":"false"}}]}'
	drain
	[ "$status" -eq 0 ]
	[ "$(jq -c . "$(where)/actions/n/1/output.json")" = '{"items":[],"count":0}' ]
}

@test "forEach: width limits how many are under way at once" {
	jq -n --arg dir "$T" '{name: "width", actions: [{id: "w", actionDefinitionId: "shell.run", forEach: {items: [range(6)], width: 1},
		inputs: {script: "mkdir \($dir)/n && sleep 0.01 && rmdir \($dir)/n"}}]}' | drop width.json
	drain --max-concurrency 4
	[ "$status" -eq 0 ]
}

@test "forEach: what is no list fails with a reason that says so" {
	drop text.json <<< '{"name":"text","inputs":{"x":"no list"},"actions":[{"id":"n","actionDefinitionId":"command","forEach":"${inputs.x}","inputs":{"command":"true"}}]}'
	drain
	[ "$status" -eq 1 ]
	[ "$(state '.actionStates.n.result.error.message')" = "the items are no list" ]
	[ "$(state '.actionStates.n.result.error.category')" = validation_failed ]
}

@test "forEach: items are retried each by the action's own policy" {
	drop flaky.yaml <<-'E'
	name: flaky
	actions:
	- id: f
	  actionDefinitionId: shell.run
	  forEach: [1, 2, 3]
	  retryPolicy: {maxAttempts: 3, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, retryableErrors: [], jitter: false}
	  inputs: {script: 'test "$V" != 2 || test "$CREEL_ATTEMPT" -ge 3 || exit 75', env: {V: "${vars.item}"}}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(state '[.actionStates["f.0","f.1","f.2"].attempts] | join(" ")')" = "1 3 1" ]
}

@test "RUN-MANUAL forEach: a retry does the items that failed again and keeps those that completed" {
	cat > "$T/plan.yaml" <<-E
	name: partly
	actions:
	- id: f
	  actionDefinitionId: shell.run
	  forEach: [1, 2, 3]
	  inputs: {script: 'echo \$V >> $T/runs; test \$V != 2 || test -e $T/mended', env: {V: "\${vars.item}"}}
	- {id: after, actionDefinitionId: command, dependencies: [f], inputs: {command: "true"}}
	E
	drop partly.yaml < "$T/plan.yaml"
	drain
	[ "$status" -eq 1 ]
	[ "$(state '.actionStates.f.result.error.message')" = "1 of 3 items failed; the first: exited with status 1" ]
	has_status after skipped
	touch "$T/mended"
	say "control/$(id_of partly).f.1.retry"
	drain
	[ "$status" -eq 0 ]
	[ "$(sort "$T/runs" | tr -d '\n')" = 1223 ]
	has_status after completed
}

@test "S0-STATELESS forEach: the daemon is killed in the middle and the next one goes on" {
	jq -n --arg runs "$T/runs" --arg gate "$(gate go)" '{name: "killed", actions: [{id: "w", actionDefinitionId: "shell.run", forEach: [range(4)],
		inputs: {script: "\($gate); echo $V >> \($runs)", env: {V: "${vars.item}"}}}]}' | drop killed.json
	daemon_start --max-concurrency 2
	wait_until sh -c "test -s '$S'/executions/*/*/actions/w.1/1/lock"
	daemon_crash
	open_gate go
	drain
	[ "$status" -eq 0 ]
	[ "$(sort "$T/runs" | tr -d '\n')" = 0123 ]
}

@test "ORCH-012 forEach: a cancel ends every item" {
	jq -n --arg gate "$(gate never)" '{name: "cancelled", actions: [{id: "w", actionDefinitionId: "shell.run", forEach: [range(5)],
		inputs: {script: $gate}}]}' | drop cancelled.json
	daemon_start --max-concurrency 2
	wait_until sh -c "test -s '$S'/executions/*/*/actions/w.1/1/lock"
	say "control/$(id_of cancelled).cancel"
	wait_until is_state .status cancelled
	has_status w failed
	[ "$(state '.actionStates.w.result.error.category')" = user_cancelled ]
	daemon_stop
}
