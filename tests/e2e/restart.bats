#!/usr/bin/env bats
# A daemon that starts: what it looks at, what it takes over, what has become due meanwhile.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

later_than() {
	[[ $(date -u +%FT%T.%3NZ) > $1 ]]
}

@test "a restart looks at what is active, not at what is stored" {
	local n
	drop ended.yaml <<-'E'
	name: ended
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "true"}}
	E
	drain
	ended=$(id_of ended)
	drop waits.yaml <<-'E'
	name: waits
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "true"}, userConfirmation: {required: true, title: Go on?, message: now}}
	E
	drain
	[ "$status" -eq 2 ]
	waits=$(id_of waits)
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/calls" -e trace=%file "$BIN/creeld" --spool "$S" --drain 2>>"$T/log" || [ $? -eq 2 ]
	# Names are relative to directories that are open: neither the name of the ended one nor a list of its day.
	grep -q "$waits" "$T/calls"
	not grep -q "$ended" "$T/calls"
	not eval 'grep -E "\"executions/[0-9-]*\"|\"$(basename "$(dirname "$(where ended)")")\"" "$T/calls" | grep -v mkdir'
}

@test "EDGE-4: what became due while no daemon ran happens once, however often one starts" {
	cat >"$T/plan" <<-E
	name: again
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo again >> $T/ran; [ \$CREEL_ATTEMPT = 2 ] || exit 75'}
	  retryPolicy: {maxAttempts: 3, initialDelay: 1500, maxDelay: 1500, backoffMultiplier: 1, jitter: false, retryableErrors: []}
	---
	name: asks
	actions:
	- id: a
	  actionDefinitionId: command
	  inputs: {command: "true"}
	  userConfirmation: {required: true, title: Go on?, message: now, timeout: 1500}
	---
	name: late
	timeoutMs: 1500
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo late >> $T/ran; $(gate never)'}}
	---
	name: slow
	actions:
	- {id: a, actionDefinitionId: shell.run, timeoutMs: 1500, inputs: {script: 'echo slow >> $T/ran; $(gate never)'}}
	E
	csplit -s -z -f "$T/part" "$T/plan" '/^---$/' '{*}'
	daemon_start --max-concurrency 4
	for part in "$T"/part*; do sed '/^---$/d' "$part" | drop "$(basename "$part").yaml"; done
	wait_until eval '[ "$(sort -u "$T/ran" | wc -l)" -eq 3 ] && [ "$(ls "$S"/executions/*/ | wc -l)" -eq 4 ]'
	wait_until eval 'grep -q action.retry.scheduled "$S"/events/*.jsonl && grep -q confirmation.requested "$S"/events/*.jsonl'
	daemon_crash
	wait_until later_than "$(date -u -d '+2 seconds' +%FT%T.%3NZ)"
	for n in 1 2 3; do
		daemon_start --max-concurrency 4
		daemon_crash
	done
	drain --max-concurrency 4
	[ "$status" -le 1 ] # 0: they had all ended before it came
	EX=$(EX= id_of again)
	is_state .status completed
	[ "$(events '[.[] | select(.type == "action.execute.requested")] | length')" -eq 2 ]
	EX=$(EX= id_of asks)
	is_state .status cancelled
	[ "$(events '[.[] | select(.type == "user.confirmation.received")] | length')" -eq 1 ]
	[ "$(events '[.[] | select(.type == "execution.cancelled")] | length')" -eq 1 ]
	EX=$(EX= id_of late)
	is_state .status failed
	[ "$(events '[.[] | select(.type == "execution.failed")] | length')" -eq 1 ]
	EX=$(EX= id_of slow)
	is_state '.actionStates.a.result.error.category' network_timeout
	[ "$(events '[.[] | select(.type == "action.failed")] | length')" -eq 1 ]
	[ "$(sort "$T/ran" | uniq -c | awk '{print $2 $1}' | paste -sd ' ')" = "again2 late1 slow1" ]
	"$BIN/creel" --spool "$S" verify --quiet
}

@test "S0-STATELESS: a daemon that is stopped, replaced and started under load interrupts nothing" {
	local n
	mkdir "$T/bin"
	cp "$BIN"/creel* "$T/bin/"
	BIN=$T/bin
	jq -n --arg ran "$T/ran" --arg gate "$(gate go)" '{name: "fan", actions: ([range(40) | {id: "a\(.)", actionDefinitionId: "shell.run",
		dependencies: (if . > 7 then ["a\(. - 8)"] else [] end),
		inputs: {script: "echo a\(.) >> \($ran); sleep 0.\(1 + . % 3); echo n=\(.) > $CREEL_OUTPUT"}}]
		+ [{id: "long", actionDefinitionId: "shell.run", inputs: {script: "echo long >> \($ran); \($gate)"}}])}' | drop fan.json
	for n in 0 5 12 20 28 36; do
		daemon_start --max-concurrency 6
		wait_until eval '[ "$(cat "$T/ran" 2>/dev/null | wc -l)" -gt '$n' ]'
		daemon_stop
		[ "$status" -eq 0 ]
		# As a package does it: a new file under the same name.
		for program in "$BIN"/creel*; do
			cp "$program" "$T/new"
			mv "$T/new" "$program"
		done
	done
	daemon_start --max-concurrency 6
	wait_until eval '[ "$(wc -l <"$T/ran")" -eq 41 ]'
	open_gate go
	wait_until is_state .status completed
	daemon_stop
	[ "$(events '[.[] | select(.type == "action.lost" or .type == "action.failed")] | length')" -eq 0 ]
	[ "$(events '[.[] | select(.type == "action.adopted" and .action == "long")] | length')" -ge 1 ]
	[ "$(sort "$T/ran" | uniq -d | wc -l)" -eq 0 ]
	[ "$(events '[.[] | select(.type == "action.completed") | .action] | length')" -eq 41 ]
	"$BIN/creel" --spool "$S" verify --quiet
}
