#!/usr/bin/env bats
# What people decide: confirmations, cancel, pause, retry and skip; also while no daemon was there to see it.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

# One action that asks, one after it, and one branch of its own.  $1: more members of userConfirmation.
drop_asking() {
	drop ask.yaml <<-E
	name: ask
	actions:
	- id: publish
	  actionDefinitionId: command
	  inputs: {command: echo, args: [published]}
	  userConfirmation: {required: true, title: Publish it?, message: It goes to all., ${1:-timeout: 0}}
	- {id: after, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [publish]}
	- {id: branch, actionDefinitionId: command, inputs: {command: "true"}}
	E
}

request() {
	jq -r "$1" "$S/confirm/$(id_of).${2:-publish}.request.json"
}

asked() {
	[ -e "$S/confirm/$(id_of).${1:-publish}.request.json" ]
}

# decide VERB [ACTION] [-]
decide() {
	if [ "${2:-}" = - ]; then set -- "$1" publish -; fi
	say "confirm/$(id_of).${2:-publish}.$1" "${3:-}"
}

order() {
	say "control/$(id_of).$1" "${2:-}"
}

# The message of the error file of what was refused, whose name ends in $1.
refused() {
	jq -r .message "$S"/rejected/*"$1".error.json
}

is_refused() {
	[ -n "$(refused "$1" 2>/dev/null)" ]
}

execution_is() {
	is_state .status "$1"
}

later_than() {
	[ "$(date -u +%FT%T.%3NZ)" \> "$1" ]
}

# --- confirmations ---

@test "ORCH-005: a confirmation pauses what depends on it, asks in confirm/, and other branches go on" {
	drop_asking
	drain
	[ "$status" -eq 2 ]
	grep -q '"publish" waits for a decision' "$T/log"
	is_state .status paused_for_confirmation
	is_state '[.actionStates | .publish, .after, .branch | .status] | join(" ")' "pending pending completed"
	[ "$(request '[.kind, .title, .message, .action, .number, (.choices | join("/"))] | join("|")')" = \
		"confirm|Publish it?|It goes to all.|publish|1|approve/reject" ]
	[ "$(request .what.inputs.args[0])" = published ]
	[[ $(request .commands.approve) == "creel approve $(id_of) publish"* ]]
	[ "$(events '[.[] | select(.type == "user.confirmation.requested") | .action] | join(" ")')" = publish ]
}

@test "ORCH-005: while another branch runs the execution is running" {
	drop two.yaml <<-E
	name: two
	actions:
	- id: publish
	  actionDefinitionId: command
	  inputs: {command: "true"}
	  userConfirmation: {required: true, title: t, message: m}
	- {id: busy, actionDefinitionId: shell.run, inputs: {script: "$(gate busy)"}}
	E
	daemon_start
	wait_until asked
	wait_until has_status busy running
	is_state .status running
	open_gate busy
	wait_until execution_is paused_for_confirmation
}

@test "ORCH-006: approve resumes it; who decided is the owner of the file; the request is kept" {
	drop_asking
	daemon_start
	wait_until asked
	decide approve - <<<'comment: looks good'
	wait_until execution_is completed
	not asked
	[ "$(stdout_of publish)" = published ]
	[ "$(events '.[] | select(.type == "user.confirmation.received") | [.decision, .confirmed, .by.uid, .comment] | tojson')" = \
		"[\"approve\",true,$(id -u),\"looks good\"]" ]
	[ "$(jq -r .title "$(where)/actions/publish/confirm-1/request.json")" = "Publish it?" ]
	[ -z "$(ls "$S/rejected")" ]
	[ "$(ls "$S/confirm")" = by ]
}

@test "CHK-DECIDE: continue and abort are other words for approve and reject" {
	drop_asking
	daemon_start
	wait_until asked
	decide continue
	wait_until execution_is completed
	daemon_stop
	rm -r "$S"/executions/*
	drop_asking
	daemon_start
	wait_until asked
	decide abort
	wait_until execution_is cancelled
}

@test "ORCH-007: reject cancels the execution, and says who and why" {
	drop_asking
	daemon_start
	wait_until asked
	decide reject - <<<'comment: not today'
	wait_until execution_is cancelled
	not asked
	is_state '[.actionStates | .publish, .after, .branch | .status] | join(" ")' "skipped skipped completed"
	[ "$(events '.[] | select(.type == "user.confirmation.received") | .confirmed')" = false ]
	[[ $(events '.[-1].error | .category + .message') == user_cancelled*"not today"* ]]
	[ ! -e "$(where)/actions/publish/1" ]
}

@test "ORCH-008: without an answer in time it counts as rejected" {
	drop_asking 'timeout: 2000'
	drain
	[ "$status" -eq 2 ]
	wait_until later_than "$(events '.[] | select(.type == "user.confirmation.requested") | .deadline')"
	drain
	[ "$status" -eq 1 ]
	is_state .status cancelled
	[ "$(events '.[] | select(.type == "user.confirmation.received") | [.decision, .timedOut] | tojson')" = '["reject",true]' ]
}

@test "ORCH-008: the deadline is met by a daemon that waits" {
	drop_asking 'timeout: 150'
	daemon_start
	wait_until execution_is cancelled
	[ "$(events '.[] | select(.type == "user.confirmation.received") | .timedOut')" = true ]
}

@test "EDGE-4: a decision dropped in time while no daemon ran counts, though the deadline has passed since" {
	drop_asking 'timeout: 3000'
	drain
	[ "$status" -eq 2 ]
	decide approve
	wait_until later_than "$(request .deadline)"
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(events '.[] | select(.type == "user.confirmation.received") | [.decision, .timedOut] | tojson')" = '["approve",null]' ]
}

@test "EDGE-4: a decision dropped after the deadline while no daemon ran comes too late" {
	drop_asking 'timeout: 2000'
	drain
	[ "$status" -eq 2 ]
	wait_until later_than "$(request .deadline)"
	decide approve
	drain
	[ "$status" -eq 1 ]
	is_state .status cancelled
	[[ $(refused approve) == *deadline* ]]
}

@test "CHK-DECIDE: among contrary decisions of one turn reject wins, and the other is refused" {
	drop_asking
	drain
	[ "$status" -eq 2 ]
	decide approve
	decide reject
	drain
	[ "$status" -eq 1 ]
	is_state .status cancelled
	is_refused publish.approve
	[ "$(ls "$S/rejected" | wc -l)" -eq 2 ]
}

@test "CHK-DECIDE: the first decision counts; a contrary one later is refused with the reason" {
	drop one.yaml <<-E
	name: one
	actions:
	- id: publish
	  actionDefinitionId: shell.run
	  inputs: {script: "$(gate on)"}
	  userConfirmation: {required: true, title: t, message: m}
	E
	daemon_start
	wait_until asked
	decide approve
	wait_until has_status publish running
	decide reject
	wait_until is_refused publish.reject
	[[ $(refused publish.reject) == *"decided already"* ]]
	decide approve
	wait_until test ! -e "$S/confirm/$(id_of).publish.approve"
	open_gate on
	wait_until execution_is completed
	# The identical repeat is harmless.
	[ "$(ls "$S/rejected" | grep -c approve)" -eq 0 ]
}

@test "CHK-DECIDE: early, unknown and misnamed decisions are refused, each with its reason" {
	drop early.yaml <<-E
	name: early
	actions:
	- {id: first, actionDefinitionId: shell.run, inputs: {script: "$(gate on)"}}
	- id: publish
	  actionDefinitionId: command
	  inputs: {command: "true"}
	  dependencies: [first]
	  userConfirmation: {required: true, title: t, message: m}
	E
	daemon_start
	wait_until has_status first running
	decide approve
	wait_until is_refused publish.approve
	[[ $(refused publish.approve) == *"does not wait for a decision"* ]]
	say confirm/00000000-0000-7000-8000-000000000000.x.approve
	wait_until is_refused x.approve
	[[ $(refused x.approve) == *"no execution"* ]]
	decide approve nosuch
	wait_until is_refused nosuch.approve
	[[ $(refused nosuch.approve) == *"no action"* ]]
	say confirm/hello.txt
	wait_until is_refused hello.txt
	[[ $(refused hello.txt) == *ID.ACTION.VERB* ]]
	open_gate on
	wait_until asked
	decide maybe
	wait_until is_refused publish.maybe
	decide retry
	wait_until is_refused publish.retry
	decide approve - <<<'coment: typo'
	wait_until grep -rq coment "$S/rejected"
	asked
	decide approve
	wait_until execution_is completed
	# Nothing was deleted unread: the file lies beside each error.
	for f in "$S"/rejected/*.error.json; do [ -f "${f%.error.json}" ]; done
	[ "$(jq -r .type "$S"/events/*.jsonl | grep -c plan.rejected)" -ge 6 ]
}

@test "CHK-DECIDE: modifications are checked, recorded and used" {
	drop_asking
	daemon_start
	wait_until asked
	decide approve - <<<'modifications: {inputs: {args: 7}}'
	wait_until is_refused publish.approve
	[[ $(refused publish.approve) == *args* ]]
	asked
	decide approve - <<<'{"comment": "smaller", "modifications": {"inputs": {"args": ["less", 2]}}}'
	wait_until execution_is completed
	[ "$(stdout_of publish)" = "less 2" ]
	[ "$(events '.[] | select(.type == "user.confirmation.received") | .modifications.inputs.args | tojson')" = '["less",2]' ]
}

@test "CHK-DECIDE: with approvers a decision counts only from the approver's own directory" {
	drop_asking "approvers: [$(id -un)]"
	daemon_start
	wait_until asked
	decide approve
	wait_until is_refused publish.approve
	asked
	mkdir -m 700 "$S/confirm/by/$(id -un)"
	decide_path=confirm/by/$(id -un)/$(id_of).publish.approve
	say "$decide_path"
	wait_until execution_is completed
	# It is read there and remembered, not moved.
	[ -e "$S/$decide_path" ]
}

@test "CHK-DECIDE: who is not among the approvers cannot decide" {
	drop_asking 'approvers: [somebody-else]'
	drain
	[ "$status" -eq 2 ]
	mkdir -m 700 "$S/confirm/by/$(id -un)"
	say "confirm/by/$(id -un)/$(id_of).publish.approve"
	drain
	[ "$status" -eq 2 ]
	[[ $(refused publish.approve) == *approvers* ]]
	execution_is paused_for_confirmation
}

# --- cancel ---

@test "ORCH-012: cancel ends what runs with every descendant, and skips the rest" {
	drop cancel.yaml <<-E
	name: cancel
	actions:
	- id: busy
	  actionDefinitionId: shell.run
	  inputs:
	    script: |
	      sleep 300 & echo \$! > $T/child
	      setsid sh -c 'echo \$\$ > $T/daemon; exec sleep 300' &
	      until [ -s $T/daemon ]; do sleep 0.02; done
	      touch $T/ready
	      wait
	- {id: after, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [busy]}
	E
	daemon_start
	wait_until test -e "$T/ready"
	order cancel - <<<'reason: changed my mind'
	wait_until execution_is cancelled
	ended "$(cat "$T/child")"
	ended "$(cat "$T/daemon")"
	is_state '[.actionStates.busy.status, .actionStates.busy.result.error.category, .actionStates.after.status] | join(" ")' \
		"failed user_cancelled skipped"
	[[ $(events '.[] | select(.type == "execution.cancel.requested") | .reason') == "changed my mind" ]]
	[ -n "$(ls "$(where)/control")" ]
	[ -z "$(ls "$S/control" "$S/active" | grep -v :)" ]
	order cancel
	wait_until is_refused .cancel
	[[ $(refused .cancel) == *ended* ]]
}

@test "ORCH-012: an action that ignores TERM is killed after the grace time" {
	echo 'grace_sec: 0.2' >"$T/config.yaml"
	drop stubborn.yaml <<-E
	name: stubborn
	actions:
	- {id: busy, actionDefinitionId: shell.run, inputs: {script: "trap '' TERM; touch $T/ready; $(gate never)"}}
	E
	daemon_start --config "$T/config.yaml"
	wait_until test -e "$T/ready"
	order cancel
	wait_until execution_is cancelled
}

@test "ORCH-012: cancel while a person is asked takes the request away" {
	drop_asking
	daemon_start
	wait_until asked
	order cancel
	wait_until execution_is cancelled
	not asked
	is_state .actionStates.publish.status skipped
}

@test "ORCH-012: a cancel that was dropped while no daemon ran is obeyed at the next start" {
	drop_asking
	drain
	[ "$status" -eq 2 ]
	order cancel
	drain
	[ "$status" -eq 1 ]
	is_state .status cancelled
}

# --- pause and resume ---

@test "WF-ENGINE: pause lets what runs finish and starts nothing; resume goes on" {
	drop pause.yaml <<-E
	name: pause
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: "$(gate a)"}}
	- {id: b, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [a]}
	E
	daemon_start
	wait_until has_status a running
	order pause
	wait_until is_state .paused true
	open_gate a
	wait_until has_status a completed
	is_state '[.status, .actionStates.b.status] | join(" ")' "running pending"
	daemon_stop
	drain
	[ "$status" -eq 2 ]
	is_state '[.paused, .actionStates.b.status] | map(tostring) | join(" ")' "true pending"
	order resume
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(types | tr ' ' '\n' | grep -E 'paused|resumed' | xargs)" = "execution.paused execution.resumed" ]
}

# --- retry and skip ---

@test "RUN-MANUAL: retry of a finished execution opens it again and keeps what completed" {
	drop again.yaml <<-E
	name: again
	actions:
	- {id: good, actionDefinitionId: shell.run, inputs: {script: "echo x >> $T/good; echo v=1 > \"\$CREEL_OUTPUT\""}}
	- {id: bad, actionDefinitionId: shell.run, dependencies: [good], inputs: {script: "test -e $T/gates/mended"}}
	- {id: last, actionDefinitionId: command, dependencies: [bad, good], inputs: {command: echo, args: ["\${good.output.v}"]}}
	E
	drain
	[ "$status" -eq 1 ]
	is_state '[.status, .actionStates.last.status] | join(" ")' "failed skipped"
	open_gate mended
	order bad.retry - <<<'reason: mended'
	drain
	[ "$status" -eq 0 ]
	is_state '[.status, .actionStates.bad.status, .actionStates.last.status] | join(" ")' "completed completed completed"
	[ "$(wc -l <"$T/good")" -eq 1 ]
	[ "$(stdout_of last)" = 1 ]
	[ "$(ls "$(where)/actions/bad" | xargs)" = "1 2" ]
	[ "$(events '[.[] | select(.type == "execution.reopened") | .reason] | join("")')" = mended ]
	[ "$(events '.[-1].type')" = execution.completed ]
	[ -z "$(ls "$S/active")" ]
}

@test "RUN-MANUAL: retry with changed inputs, and the retry budget starts anew" {
	drop again.yaml <<-E
	name: again
	actions:
	- id: bad
	  actionDefinitionId: command
	  inputs: {command: "false"}
	  retryPolicy: {maxAttempts: 2, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, retryableErrors: [api_unexpected_status], jitter: false}
	E
	drain
	[ "$status" -eq 1 ]
	order bad.retry
	drain
	[ "$(ls "$(where)/actions/bad" | xargs)" = "1 2 3 4" ]
	order bad.retry - <<<'inputs: {command: "true"}'
	drain
	[ "$status" -eq 0 ]
	[ "$(ls "$(where)/actions/bad" | xargs)" = "1 2 3 4 5" ]
	is_state .actionStates.bad.attempts 5
}

@test "RUN-MANUAL: an order that is given twice is kept twice" {
	drop_asking
	daemon_start
	wait_until asked
	order pause - <<<'reason: lunch'
	wait_until is_state .paused true
	order pause - <<<'reason: still lunch'
	wait_until test ! -e "$S/control/$(id_of).pause"
	order pause - <<<'reason: coffee'
	wait_until test ! -e "$S/control/$(id_of).pause"
	order resume
	wait_until is_state .paused null
	decide approve
	wait_until execution_is completed
	[ "$(sed -n 's/reason: //p' "$(where)"/control/* | sort | xargs)" = "coffee lunch still lunch" ]
}

@test "RUN-MANUAL: what cannot be retried or skipped is refused with the reason" {
	drop done.yaml <<<'{"name":"done","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"true"}}]}'
	drain
	order a.retry
	drain
	[ "$status" -eq 0 ] # what was opened to look is let go once
	[[ $(refused a.retry) == *completed* ]]
	[ -z "$(ls "$S/active")" ]
	is_state .status completed
	order a.skip
	drain
	[[ $(refused a.skip) == *ended* ]]
	order restart
	drain
	is_refused .restart
	is_state .seq "$(ls "$(where)/journal" | wc -l)"
}

@test "RUN-MANUAL: skip passes over an action that waits for a person" {
	drop_asking
	daemon_start
	wait_until asked
	order publish.skip - <<<'reason: not needed'
	wait_until execution_is completed
	not asked
	is_state '[.actionStates | .publish, .after | .status] | join(" ")' "skipped skipped"
	[[ $(events '.[] | select(.type == "action.skipped" and .action == "publish") | .reason') == *"not needed"* ]]
}

@test "RUN-MANUAL: onFailure ask: a person may retry with other inputs, go on, or abort" {
	drop ask.yaml <<-'E'
	name: ask
	actions:
	- {id: bad, actionDefinitionId: command, inputs: {command: "false"}, onFailure: ask}
	- {id: next, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [bad]}
	E
	daemon_start
	wait_until asked bad
	[ "$(request '[.kind, (.choices | join(" "))] | join(": ")' bad)" = "failed: retry skip approve reject" ]
	decide retry bad
	wait_until test -e "$(where)/actions/bad/confirm-2" -o -e "$(where)/actions/bad/2/result.json"
	wait_until asked bad
	[ "$(request .number bad)" = 2 ]
	decide retry bad - <<<'modifications: {inputs: {command: "true"}}'
	wait_until execution_is completed
	is_state .actionStates.bad.attempts 3
}

# --- lost attempts ---

# Wait for the action to run, and kill its supervisor and the action at once: nobody saw the end.
lose() {
	local run
	wait_until test -e "$T/ready"
	rm "$T/ready"
	run=$(ps -o ppid= -p "$(cat "$T/pid")" | tr -d ' ')
	[ "$(cat "/proc/$run/comm")" = creel-run ]
	kill -9 "$run"
}

drop_losing() {
	drop lost.yaml <<-E
	name: lost
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: "echo \$CREEL_IDEMPOTENCY_KEY >> $T/keys; echo \$\$ > $T/pid; touch $T/ready; $(gate on)"}
	  onLost: $1
	E
}

@test "EDGE-5: onLost ask: a person decides about an attempt whose end nobody saw" {
	drop_losing ask
	daemon_start
	lose
	wait_until asked a
	[ "$(request .kind a)" = lost ]
	ended "$(cat "$T/pid")"
	[ "$(events '.[] | select(.type == "action.lost") | .then')" = ask ]
	decide retry a
	wait_until test -e "$T/ready"
	open_gate on
	wait_until execution_is completed
	[ "$(wc -l <"$T/keys")" -eq 2 ]
}

@test "EDGE-5: onLost rerun: the action runs again with the same idempotency key" {
	drop_losing rerun
	daemon_start
	lose
	wait_until test -e "$T/ready"
	open_gate on
	wait_until execution_is completed
	[ "$(wc -l <"$T/keys")" -eq 2 ]
	[ "$(sort -u "$T/keys" | wc -l)" -eq 1 ]
	[ "$(events '[.[] | select(.type == "action.lost") | [.attempt, .then]] | tojson')" = '[[1,"rerun"]]' ]
}

@test "EDGE-5: onLost fail: lost is its own outcome, state_inconsistent, and never success" {
	drop_losing fail
	daemon_start
	lose
	wait_until execution_is failed
	is_state .actionStates.a.result.error.category state_inconsistent
	[ "$(wc -l <"$T/keys")" -eq 1 ]
}
