#!/usr/bin/env bats
# The engine end to end: plans are dropped, the daemon runs them, and the files say what happened.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

# --- one execution, from the drop to its end ---

@test "ORCH-001: an execution gets an id of its own, a directory that follows from it, and its state" {
	drop hello.yaml <<-'E'
	name: hello
	actions:
	- {id: greet, actionDefinitionId: command, inputs: {command: echo, args: [hello]}}
	E
	drain
	[ "$status" -eq 0 ]
	id=$(id_of hello)
	[[ $id =~ ^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
	[ -d "$S/executions/$(date -u +%F)/$id" ] || [ -d "$S/executions/$(date -u -d yesterday +%F)/$id" ]
	is_state .id "$id"
	is_state .status completed
	is_state .actionStates.greet.status completed
	is_state .metrics.completedActions 1
	[ "$(stdout_of greet)" = hello ]
	[ "$(cat "$(where)/source.yaml" | head -1)" = "name: hello" ]
	[ -z "$(find "$S/inbox" "$S/active" "$S/tmp" "$S/results" "$S/rejected" -mindepth 1)" ]
}

@test "ORCH-001: the same file twice makes two executions" {
	for name in a b; do
		echo '{"name":"same","actions":[{"id":"x","actionDefinitionId":"command","inputs":{"command":"true"}}]}' | drop $name.json
	done
	drain
	[ "$status" -eq 0 ]
	[ "$(ls -d "$S"/executions/*/* | wc -l)" -eq 2 ]
	[ "$(jq -r .planId "$S"/executions/*/*/state.json | sort -u | wc -l)" -eq 1 ]
	[ "$(jq -s 'map(select(.status == "completed")) | length' "$S"/executions/*/*/state.json)" -eq 2 ]
}

@test "ORCH-002: a chain runs in the order of its dependencies, whatever the order in the file" {
	drop chain.yaml <<-'E'
	plan_id: chain
	steps:
	- {id: c, command: "true", depends_on: [b]}
	- {id: b, command: "true", depends_on: [a]}
	- {id: d, command: "true", depends_on: [c, a]}
	- {id: a, command: "true"}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(events '[.[] | select(.type == "action.execute.requested") | .action] | join("")')" = abcd ]
	starts_after_ends
	[ "$(types)" = "execution.accepted execution.started action.execute.requested action.completed action.execute.requested action.completed action.execute.requested action.completed action.execute.requested action.completed execution.completed" ]
}

@test "ORCH-003: a fan of 60 runs between its first and its last, each exactly once" {
	jq -n '{name: "fan", actions: ([{id: "first", actionDefinitionId: "command", inputs: {command: "true"}}]
		+ [range(60) | {id: "w\(.)", actionDefinitionId: "command", inputs: {command: "true"}, dependencies: ["first"]}]
		+ [{id: "last", actionDefinitionId: "command", inputs: {command: "true"}, dependencies: [range(60) | "w\(.)"]}])}' |
		drop fan.json
	drain --max-concurrency 4
	[ "$status" -eq 0 ]
	starts_after_ends
	is_state .metrics.completedActions 62
	[ "$(events '[.[] | select(.type == "action.execute.requested")] | [length, (map(.action) | unique | length)] | @csv')" = 62,62 ]
	[ "$(events '[.[] | select(.type == "action.completed")] | [length, (map(.action) | unique | length)] | @csv')" = 62,62 ]
	[ "$(events '.[-1].type')" = execution.completed ]
	[ "$(events '[.[] | select(.type == "action.completed") | .action] | [.[0], .[-1]] | join(" ")')" = "first last" ]
	[ "$(most_at_once)" -le 4 ]
}

@test "ORCH-004: what may start together is requested in one commit, one event an action" {
	jq -n '{name: "batch", actions: [range(4) | {id: "w\(.)", actionDefinitionId: "command", inputs: {command: "true"}}]}' | drop b.json
	drain --max-concurrency 4
	[ "$status" -eq 0 ]
	[ "$(jq '[.events[] | select(.type == "action.execute.requested") | .action] | sort | join(" ")' "$(where)/journal/00000001.json")" = '"w0 w1 w2 w3"' ]
}

@test "ORCH-004: actions of a batch really run at the same time" {
	drop together.yaml <<-E
	name: together
	actions:
	- id: one
	  actionDefinitionId: shell.run
	  inputs: {script: "touch $T/gates/one; $(gate two); test -e $T/gates/two"}
	- id: two
	  actionDefinitionId: shell.run
	  inputs: {script: "touch $T/gates/two; $(gate one); test -e $T/gates/one"}
	E
	drain --max-concurrency 2
	[ "$status" -eq 0 ]
	is_state .status completed
}

# --- limits ---

@test "ORCH-003: maxConcurrency of a plan is honoured" {
	jq -n '{name: "cap", maxConcurrency: 2, actions: [range(12) | {id: "w\(.)", actionDefinitionId: "shell.run", inputs: {script: "sleep 0.05"}}]}' | drop cap.json
	drain --max-concurrency 8
	[ "$status" -eq 0 ]
	[ "$(most_at_once)" -le 2 ]
	is_state .metrics.completedActions 12
}

@test "ORCH-003: --max-concurrency holds over all executions together" {
	for k in 1 2 3; do
		jq -n --arg k $k '{name: "cap\($k)", actions: [range(4) | {id: "w\(.)", actionDefinitionId: "shell.run",
			inputs: {script: "sleep 0.05"}}]}' | drop cap$k.json
	done
	drain --max-concurrency 3
	[ "$status" -eq 0 ]
	jq -s '[.[].events[] | select(.type == "action.completed") | [.startedAt, 1], [.completedAt, -1]] | sort_by(.[0], .[1])
		| reduce .[] as $x ({now: 0, most: 0}; .now += $x[1] | .most = ([.most, .now] | max)) | .most' \
		"$S"/executions/*/*/journal/*.json >"$T/most"
	[ "$(cat "$T/most")" -le 3 ]
}

# --- outputs ---

@test "EDGE-1: outputs pass to dependents with their type, in arguments, text and environment" {
	drop outputs.yaml <<-'E'
	name: outputs
	inputs: {who: world, list: [1, 2]}
	actions:
	- id: make
	  actionDefinitionId: shell.run
	  inputs:
	    script: |
	      printf '{"n": 42, "path": "/a b", "items": [{"k": "v"}], "yes": true}' > "$CREEL_OUTPUT"
	- id: lines
	  actionDefinitionId: shell.run
	  inputs: {script: 'printf "a=1\nlong<<END\nx\ny\nEND\n" > "$CREEL_OUTPUT"'}
	- id: use
	  actionDefinitionId: command
	  dependencies: [make, lines]
	  inputs:
	    command: printf
	    args: ["%s|", "${make.output.n}", "${make.output.path}", "{{steps.make.output.items[0].k}} and {{inputs.who}}", "${lines.output.long}", "${make.output.yes}"]
	- id: env
	  actionDefinitionId: shell.run
	  dependencies: [make]
	  inputs: {script: 'printf %s "$P"; jq -c .inputs.typed "$CREEL_INPUT"', env: {P: "${make.output.path}"}, cwd: /}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(status_of use)" = completed ]
	[ "$(stdout_of use)" = "$(printf '42|/a b|v and world|x\ny|true|')" ]
	[ "$(stdout_of env | head -1)" = "/a bnull" ]
	[ "$(events '.[] | select(.type == "action.completed" and .action == "make") | .output.n | type')" = number ]
	jq -e '.n == 42' "$(where)/actions/make/1/output.json"
	is_state .actionStates.make.result.output.n 42
	is_state '[.actionStates.make.result.output[] | type] | unique | tojson' '["string"]'
}

@test "EDGE-1: an output of the wrong type is a validation_failed that says so" {
	drop types.yaml <<-'E'
	name: types
	actions:
	- id: make
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo "{\"args\": 7}" > "$CREEL_OUTPUT"'}
	- id: use
	  actionDefinitionId: command
	  dependencies: [make]
	  inputs: {command: echo, args: "${make.output.args}"}
	E
	drain
	[ "$status" -eq 1 ]
	is_state .status failed
	is_state .actionStates.use.result.error.category validation_failed
	[[ $(state .actionStates.use.result.error.message) == *args*array* ]]
	[ ! -e "$(where)/actions/use/1/stdout" ]
}

@test "EDGE-1: an output that is missing is a validation_failed that names the reference" {
	drop missing.yaml <<-'E'
	name: missing
	actions:
	- {id: make, actionDefinitionId: command, inputs: {command: "true"}}
	- id: use
	  actionDefinitionId: command
	  dependencies: [make]
	  inputs: {command: echo, args: ["${make.output.path}"]}
	E
	drain
	[ "$status" -eq 1 ]
	is_state .actionStates.use.result.error.category validation_failed
	[[ $(state .actionStates.use.result.error.message) == *make.output.path* ]]
}

# --- what a failure is ---

@test "STEP-EXEC: exit status, signal, no such program and timeout are told apart" {
	drop failures.yaml <<-'E'
	plan_id: failures
	steps:
	- {id: exit3, command: sh, args: [-c, "echo out; echo err >&2; exit 3"], on_failure: continue}
	- {id: killed, command: sh, args: [-c, "kill -9 $$"], on_failure: continue}
	- {id: nothere, command: no-such-program-at-all, on_failure: continue}
	- {id: exit127, command: sh, args: [-c, "exit 127"], on_failure: continue}
	- {id: slow, command: sleep, args: [60], timeout_sec: 0.2, on_failure: continue}
	E
	drain
	is_state .status completed
	is_state .metrics.failedActions 5
	is_state '.actionStates.exit3 | [.result.error.category, .result.error.code, .exitCode] | @csv' '"api_unexpected_status","exit:3",3'
	is_state '.actionStates.killed.result.error | [.category, .code] | @csv' '"api_unexpected_status","signal:9"'
	is_state '.actionStates.exit127.result.error.code' exit:127
	[ "$(state .actionStates.nothere.result.error.code)" != exit:127 ]
	[[ $(state .actionStates.nothere.result.error.message) == *no-such-program-at-all* ]]
	is_state .actionStates.slow.result.error.category network_timeout
	[ "$(stdout_of exit3)" = out ]
	[ "$(cat "$(where)/actions/exit3/1/stderr")" = err ]
	[ "$(events '.[] | select(.type == "action.failed" and .action == "exit3") | [.durationMs >= 0, .startedAt <= .completedAt, .exitCode] | @csv')" = "true,true,3" ]
}

@test "STEP-EXEC: cwd, env and arguments are passed as they stand" {
	mkdir "$T/some dir"
	drop exec.yaml <<-E
	plan_id: exec
	globals: {env: {A: plan, B: plan}}
	steps:
	- id: show
	  step_def: {type: shell, script: 'pwd; echo "\$A \$B"'}
	  cwd: $T/some dir
	  env: {B: step}
	- {id: args, command: printf, args: ["<%s>", "a b", "*", "\$HOME", "", 7]}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(stdout_of show)" = "$(printf '%s\nplan step' "$T/some dir")" ]
	[ "$(stdout_of args)" = '<a b><*><$HOME><><7>' ]
}

@test "STEP-EXEC: the environment is clean but for what is named" {
	export SNEAKED=in
	drop env.json <<<'{"name":"env","actions":[{"id":"e","actionDefinitionId":"command","inputs":{"command":"env"}}]}'
	drain
	[ -z "$(stdout_of e | grep -v -E '^(PATH|HOME|LANG|TZ|CREEL_[A-Z_]+)=')" ]
	stdout_of e | grep -x CREEL_ACTION_ID=e
	stdout_of e | grep -x CREEL_ATTEMPT=1
	stdout_of e | grep -x "CREEL_EXECUTION_ID=$(id_of)"
}

@test "STEP-EXEC: exit 75 is retried within the budget, whatever retryableErrors says" {
	drop temp.yaml <<-E
	name: temp
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo x >> $T/count; [ \$(wc -l < $T/count) -ge 3 ] || exit 75'}
	  retryPolicy: {maxAttempts: 3, initialDelay: 10, maxDelay: 50, backoffMultiplier: 2, retryableErrors: [], jitter: false}
	- {id: b, actionDefinitionId: shell.run, inputs: {script: exit 75}, errorHandling: {continueOnFailure: true}}
	E
	drain
	is_state .actionStates.a.status completed
	[ "$(wc -l <"$T/count")" -eq 3 ]
	is_state .actionStates.b.status failed
	[ "$(events '[.[] | select(.type == "action.retry.scheduled") | [.action, .delayMs]] | tojson')" = '[["a",10],["a",20]]' ]
	[ "$(ls "$(where)/actions/b")" = 1 ]
	[ "$(ls "$(where)/actions/a")" = "$(printf '1\n2\n3')" ]
}

@test "STEP-EXEC: an action may name its error itself in CREEL_ERROR" {
	drop err.yaml <<-'E'
	name: err
	actions:
	- id: limited
	  actionDefinitionId: shell.run
	  inputs:
	    script: |
	      echo '{"category":"rate_limit_burst","code":"429","message":"slow down","retryable":true,"retryAfter":5}' > "$CREEL_ERROR"
	      exit 1
	  errorHandling: {continueOnFailure: true}
	- id: never
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo "{\"category\":\"network_timeout\",\"code\":\"x\",\"message\":\"no use\",\"retryable\":false}" > "$CREEL_ERROR"; exit 75'}
	  retryPolicy: {maxAttempts: 3, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, retryableErrors: [network_timeout], jitter: false}
	  errorHandling: {continueOnFailure: true}
	- id: nonsense
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo "{\"category\":\"bad luck\"}" > "$CREEL_ERROR"; exit 4'}
	  errorHandling: {continueOnFailure: true}
	E
	drain
	is_state .status completed
	is_state '.actionStates.limited.result.error | [.category, .code, .message] | join("|")' 'rate_limit_burst|429|slow down'
	is_state .actionStates.never.result.error.category network_timeout
	is_state .actionStates.nonsense.status failed
	[ "$(state .actionStates.nonsense.result.error.category)" != "bad luck" ]
}

@test "STEP-BREAK: retries wait as the policy says: doubled, capped, recorded" {
	drop retry.yaml <<-'E'
	plan_id: retry
	steps:
	- {id: a, command: "false", retries: 3, retry_delay_sec: 0.02, on_failure: continue}
	E
	drain
	is_state .status completed
	[ "$(events '[.[] | select(.type == "action.retry.scheduled") | .delayMs] | tojson')" = '[20,40,80]' ]
	[ "$(events '[.[] | select(.type == "action.failed") | .then] | join(" ")')" = "retry retry retry continue" ]
	[ "$(events '[.[] | select(.type == "action.execute.requested") | .attempt] | tojson')" = '[1,2,3,4]' ]
	# No attempt started before its time.
	[ "$(events '[.[] | select(.type == "action.retry.scheduled")] as $s | [.[] | select(.type == "action.failed") | .startedAt] as $f
		| [range(3) | $s[.].notBefore <= $f[. + 1]] | all')" = true ]
}

@test "ORCH-009: a category that is not among retryableErrors is not retried" {
	drop no.yaml <<-'E'
	name: no
	actions:
	- id: a
	  actionDefinitionId: command
	  inputs: {command: "false"}
	  retryPolicy: {maxAttempts: 5, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, retryableErrors: [network_timeout], jitter: false}
	E
	drain
	[ "$status" -eq 1 ]
	[ "$(ls "$(where)/actions/a")" = 1 ]
}

# --- failure policies ---

@test "STEP-FAIL: abort lets what runs finish, skips the rest, and the execution is failed" {
	drop abort.yaml <<-E
	name: abort
	actions:
	- {id: bad, actionDefinitionId: shell.run, inputs: {script: "$(gate bad); exit 1"}}
	- {id: runs, actionDefinitionId: shell.run, inputs: {script: "touch $T/gates/bad; $(gate goon); echo done"}}
	- {id: later, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [runs]}
	- {id: never, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [bad]}
	E
	daemon_start --max-concurrency 2
	wait_until has_status bad failed
	open_gate goon
	wait_until is_state .status failed
	is_state '[.actionStates[] | .status] | sort | join(" ")' "completed failed skipped skipped"
	[ "$(stdout_of runs)" = done ]
	is_state .actionStates.runs.status completed
}

@test "STEP-FAIL: onAbort terminate ends what runs, with all its descendants" {
	drop abort.yaml <<-E
	name: abort
	onAbort: terminate
	actions:
	- {id: bad, actionDefinitionId: shell.run, inputs: {script: "$(gate bad); exit 1"}}
	- {id: runs, actionDefinitionId: shell.run, inputs: {script: "sleep 300 & echo \$! > $T/pid; touch $T/gates/bad; wait"}}
	E
	drain --max-concurrency 2
	[ "$status" -eq 1 ]
	is_state .status failed
	ended "$(cat "$T/pid")"
	is_state .actionStates.runs.status failed
	is_state .actionStates.runs.result.error.category user_cancelled
}

@test "STEP-FAIL: skip_dependents goes on with the rest, and the execution is failed" {
	drop skip.yaml <<-'E'
	plan_id: skip
	steps:
	- {id: bad, command: "false", on_failure: skip_dependents}
	- {id: theirs, command: "true", depends_on: [bad]}
	- {id: theirs2, command: "true", depends_on: [theirs]}
	- {id: other, command: "true"}
	- {id: other2, command: "true", depends_on: [other]}
	E
	drain
	[ "$status" -eq 1 ]
	is_state .status failed
	is_state '[.actionStates | .bad, .theirs, .theirs2, .other, .other2 | .status] | join(" ")' \
		"failed skipped skipped completed completed"
}

@test "ORCH-010: continueOnFailure lets dependents run, and the execution completes" {
	drop go-on.yaml <<-'E'
	name: go-on
	actions:
	- {id: bad, actionDefinitionId: command, inputs: {command: "false"}, errorHandling: {continueOnFailure: true}}
	- {id: next, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [bad]}
	E
	drain
	[ "$status" -eq 0 ]
	is_state '[.status, .actionStates.bad.status, .actionStates.next.status] | join(" ")' "completed failed completed"
}

@test "STEP-FAIL: a critical action that fails makes the execution failed, though it goes on" {
	drop critical.yaml <<-'E'
	plan_id: critical
	steps:
	- {id: bad, command: "false", on_failure: continue, critical: true}
	- {id: next, command: "true", depends_on: [bad]}
	E
	drain
	[ "$status" -eq 1 ]
	is_state '[.status, .actionStates.next.status] | join(" ")' "failed completed"
}

@test "ORCH-009: fallbackValue stands in for the outputs, with its types" {
	drop fallback.yaml <<-'E'
	name: fallback
	actions:
	- id: bad
	  actionDefinitionId: command
	  inputs: {command: "false"}
	  errorHandling: {continueOnFailure: false, fallbackValue: {n: 7, list: [a, b], path: /none}}
	- id: next
	  actionDefinitionId: command
	  dependencies: [bad]
	  inputs: {command: echo, args: "${bad.output.list}"}
	- id: text
	  actionDefinitionId: command
	  dependencies: [bad]
	  inputs: {command: echo, args: ["${bad.output.n}", "{{bad.output.path}}"]}
	  when: bad.output.n > 6
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(stdout_of next)" = "a b" ]
	[ "$(stdout_of text)" = "7 /none" ]
	is_state .status completed
	is_state .actionStates.bad.status failed
}

@test "ORCH-011: the alternative runs once, only when called for, and its outputs count as the primary's" {
	drop alt.yaml <<-'E'
	name: alt
	actions:
	- id: fast
	  actionDefinitionId: command
	  inputs: {command: "false"}
	  errorHandling: {continueOnFailure: false, alternativeActionId: slow}
	- id: fast2
	  actionDefinitionId: command
	  inputs: {command: "false"}
	  errorHandling: {continueOnFailure: false, alternativeActionId: slow}
	- {id: slow, actionDefinitionId: shell.run, inputs: {script: 'echo v=slow > "$CREEL_OUTPUT"'}}
	- {id: good, actionDefinitionId: command, inputs: {command: "true"}, errorHandling: {continueOnFailure: false, alternativeActionId: unused}}
	- {id: unused, actionDefinitionId: command, inputs: {command: "true"}}
	- id: use
	  actionDefinitionId: command
	  dependencies: [fast, fast2]
	  inputs: {command: echo, args: ["${fast.output.v}", "${fast2.output.v}"]}
	E
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(stdout_of use)" = "slow slow" ]
	[ "$(events '[.[] | select(.type == "action.execute.requested" and .action == "slow")] | length')" -eq 1 ]
	is_state .actionStates.unused.status skipped
	[ "$(events '[.[] | select(.type == "action.execute.requested" and .action == "unused")] | length')" -eq 0 ]
}

@test "STEP-FAIL: fallback_step that fails too: the primary's own policy counts" {
	drop fb.yaml <<-'E'
	plan_id: fb
	steps:
	- {id: a, command: "false", on_failure: fallback_step, fallback_step: b}
	- {id: b, command: "false"}
	- {id: c, command: "true", depends_on: [a]}
	E
	drain
	[ "$status" -eq 1 ]
	is_state '[.status, .actionStates.a.status, .actionStates.b.status, .actionStates.c.status] | join(" ")' \
		"failed failed failed skipped"
}

@test "EDGE-3: two of three fail, each by its own policy, and the third's result is kept" {
	drop partial.yaml <<-'E'
	name: partial
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "false"}, onFailure: skip_dependents}
	- {id: b, actionDefinitionId: command, inputs: {command: "false"}, errorHandling: {continueOnFailure: true}}
	- {id: c, actionDefinitionId: shell.run, inputs: {script: 'echo kept=1 > "$CREEL_OUTPUT"'}}
	- {id: after-a, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [a]}
	- {id: after-b, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [b, c]}
	E
	drain
	[ "$status" -eq 1 ]
	is_state '[.actionStates | .a, .b, .c, ."after-a", ."after-b" | .status] | join(" ")' \
		"failed failed completed skipped completed"
	is_state .actionStates.c.result.output.kept 1
}

# --- conditions ---

@test "STEP-COND: condition and skip_if decide from what earlier steps did" {
	drop cond.yaml <<-'E'
	plan_id: cond
	globals: {env: {MODE: dry}}
	steps:
	- {id: a, step_def: {type: shell, script: 'echo n=3 > "$CREEL_OUTPUT"'}}
	- {id: bad, command: "false", on_failure: continue}
	- {id: yes, command: "true", depends_on: [a, bad], condition: "prev.a.status == 'success' and a.output.n > 2 and prev.bad.status == 'failed'"}
	- {id: no, command: "true", depends_on: [a], condition: "a.output.n > 3"}
	- {id: skipped, command: "true", depends_on: [a], skip_if: ["a.output.n == 4", "env.MODE == 'dry'"]}
	- {id: after-no, command: "true", depends_on: [no]}
	- {id: join, command: "true", depends_on: [no, yes]}
	E
	drain
	[ "$status" -eq 0 ]
	is_state '[.actionStates | .yes, .no, .skipped, ."after-no", .join | .status] | join(" ")' \
		"completed skipped skipped skipped completed"
	[ "$(events '[.[] | select(.type == "action.skipped") | .reason] | map(length > 0) | all')" = true ]
}

@test "EDGE-6: condition.if of S0: else skip passes over, else fail fails, nonsense is validation_failed" {
	drop if.yaml <<-'E'
	name: if
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'printf "t=yes\nf=off\nx=maybe\n" > "$CREEL_OUTPUT"'}}
	- {id: t, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [a], condition: {if: "${a.output.t}", then: execute, else: skip}}
	- {id: f, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [a], condition: {if: "${a.output.f}", then: execute, else: skip}}
	- {id: ff, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [a], condition: {if: "${a.output.f}", then: execute, else: fail}, errorHandling: {continueOnFailure: true}}
	- {id: x, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [a], condition: {if: "${a.output.x}", then: execute, else: skip}, errorHandling: {continueOnFailure: true}}
	E
	drain
	[ "$status" -eq 0 ]
	is_state '[.actionStates | .t, .f, .ff, .x | .status] | join(" ")' "completed skipped failed failed"
	is_state .actionStates.x.result.error.category validation_failed
}

# --- outcomes ---

@test "ORCH-013: validations of the expected outcome run after success" {
	drop outcome.yaml <<-'E'
	name: outcome
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'printf "n=42\ntext=hello world\n" > "$CREEL_OUTPUT"'}}
	expectedOutcome:
	  validations:
	  - {name: there, reference: "${a.output.n}", operator: exists}
	  - {name: same, reference: "${a.output.n}", operator: equals, value: "42"}
	  - {name: part, reference: "${a.output.text}", operator: contains, value: lo wo}
	  - {name: like, reference: "${a.output.text}", operator: matches, value: "^h.*d$"}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(events '[.[] | select(.type == "outcome.validated") | [.name, .holds]] | tojson')" = \
		'[["there",true],["same",true],["part",true],["like",true]]' ]
	is_state .status completed
}

@test "ORCH-013: an outcome that does not hold makes the execution failed, and says which" {
	drop outcome.yaml <<-'E'
	name: outcome
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo n=41 > "$CREEL_OUTPUT"'}}
	expectedOutcome:
	  validations:
	  - {name: answer, reference: "${a.output.n}", operator: equals, value: "42"}
	  - {name: gone, reference: "${a.output.m}", operator: exists}
	E
	drain
	[ "$status" -eq 1 ]
	is_state .status failed
	is_state .actionStates.a.status completed
	[ "$(events '[.[] | select(.type == "outcome.validated") | .holds] | tojson')" = '[false,false]' ]
	[[ $(events '.[-1].error.message') == *answer* ]]
}

@test "ORCH-014: the final status is right, and jq over all states counts them" {
	for k in 1 2 3; do echo '{"name":"good","actions":[{"id":"x","actionDefinitionId":"command","inputs":{"command":"true"}}]}' | drop good$k.json; done
	for k in 1 2; do echo '{"name":"bad","actions":[{"id":"x","actionDefinitionId":"command","inputs":{"command":"false"}}]}' | drop bad$k.json; done
	drain
	[ "$status" -eq 1 ]
	[ "$(jq -sc 'group_by(.status) | map({(.[0].status): length}) | add' "$S"/executions/*/*/state.json)" = '{"completed":3,"failed":2}' ]
}

@test "STEP-PLAN: a step plan's globals: time-outs, concurrency, environment, the longest a step may take" {
	drop globals.yaml <<-'E'
	plan_id: G-1
	version: 1.0
	globals: {max_concurrency: 1, default_timeout_sec: 0.2, max_step_duration_sec: 0.6, env: {X: "1"}}
	steps:
	- {id: slow, command: sleep, args: [30], on_failure: continue}
	- {id: greedy, command: sleep, args: [30], timeout_sec: 100, on_failure: continue, retries: 5}
	- {id: x, step_def: {type: command, command: printenv, args: [X]}}
	E
	drain
	is_state .actionStates.slow.result.error.category network_timeout
	is_state .actionStates.greedy.result.error.category network_timeout
	[ "$(stdout_of x)" = 1 ]
	[ "$(most_at_once)" -eq 1 ]
	jq -e '.planKey == "G-1" and .version == "1.0" and .sourceForm == "steps"' "$(where)/plan.json"
}

# --- records ---

@test "STEP-EVENTS: events/ has every event of the journal once, in full, one a line" {
	for k in 1 2; do
		jq -n --arg k $k '{name: "e\($k)", actions: [{id: "a", actionDefinitionId: "command", inputs: {command: "true"}},
			{id: "b", actionDefinitionId: "command", inputs: {command: "true"}, dependencies: ["a"]}]}' | drop e$k.json
	done
	drain
	[ "$status" -eq 0 ]
	for name in e1 e2; do
		id=$(id_of $name)
		cat "$S"/events/*.jsonl | jq -c --arg id "$id" 'select(.execution == $id) | [.seq, .n, .type, .action]' >"$T/told"
		jq -c '. as $c | .events | to_entries[] | [$c.seq, .key, .value.type, .value.action]' "$S"/executions/*/"$id"/journal/*.json >"$T/kept"
		sort "$T/told" >"$T/told.sorted"
		sort "$T/kept" | diff - "$T/told.sorted" || { sed 's/^/told: /' "$T/told"; false; }
	done
	[ "$(cat "$S"/events/*.jsonl | jq -c 'select((.type and .at and .execution and .seq and (.n | type == "number")) | not)')" = "" ]
}

@test "STEP-EXEC: what a durable commit started does not wait for the lines that tell of it" {
	local told
	told=$S/events/$(date -u +%F).jsonl
	daemon_start --max-concurrency 1
	# Whoever holds this lock keeps the daemon from telling, which comes after the commit and before all that follows.
	exec 7>>"$told"
	flock 7
	drop three.json <<-END
		{"name": "three", "actions": [
			{"id": "a", "actionDefinitionId": "command", "inputs": {"command": "/bin/touch", "args": ["$T/a"]}},
			{"id": "b", "actionDefinitionId": "command", "inputs": {"command": "/bin/touch", "args": ["$T/b"]}},
			{"id": "c", "actionDefinitionId": "command", "inputs": {"command": "/bin/touch", "args": ["$T/c"]}}]}
	END
	wait_until [ -e "$T/a" ]
	wait_until [ -e "$T/b" ]
	wait_until [ -e "$T/c" ]
	[ ! -s "$told" ]
	exec 7>&-
	wait_until eval '[ "$(state .status)" = completed ]'
	[ "$(events '[.[] | select(.type == "action.completed")] | length')" -eq 3 ]
}

@test "S0-STATELESS: the journal is a chain of hashes from plan.json, in read-only files" {
	jq -n '{name: "chain", actions: [range(3) | {id: "a\(.)", actionDefinitionId: "command", inputs: {command: "true"},
		dependencies: (if . > 0 then ["a\(. - 1)"] else [] end)}]}' | drop c.json
	drain
	last=$(sha256sum <"$(where)/plan.json" | cut -c 1-64)
	seq=0
	for f in "$(where)"/journal/*.json; do
		seq=$((seq + 1))
		[ "$(basename "$f")" = "$(printf %08d.json $seq)" ]
		[ "$(stat -c %a "$f")" = 444 ]
		[ "$(jq -r '[.seq, .prev] | join(" ")' "$f")" = "$seq sha256:$last" ]
		last=$(sha256sum <"$f" | cut -c 1-64)
	done
	is_state .seq $seq
}
