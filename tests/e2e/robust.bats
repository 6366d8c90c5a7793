#!/usr/bin/env bats
# What must hold when things go wrong in ways that are rare: shortages, obstacles, processes that stand still.

load helpers

setup() { spool_setup; }
teardown() {
	[ -z "${STOPPED:-}" ] || kill -CONT "$STOPPED" 2>/dev/null || :
	spool_teardown
}

today() {
	echo "$S/events/$(date -u +%F).jsonl"
}

no_such() {
	! compgen -G "$1" >/dev/null
}

there_is() {
	compgen -G "$1" >/dev/null
}

has_started() {
	[ -s "$(where)/actions/$1/1/lock" ]
}

# The process that runs the attempt of action $1: the parent of its main process.
supervisor_of() {
	local pid
	pid=$(sed 's/pid=\([0-9]*\).*/\1/;q' "$(where)/actions/$1/1/lock")
	cut -d ' ' -f 4 "/proc/$pid/stat"
}

@test "a commit is read back however large the outputs in it were (EVT: nothing accepted is lost)" {
	drop large.yaml <<-E
	name: large
	actions:
	- id: each
	  actionDefinitionId: shell.run
	  forEach: {items: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}
	  inputs: {script: '{ printf "v="; head -c 7000000 /dev/zero | tr "\\0" x; echo; } > "\$CREEL_OUTPUT"'}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [each]
	  inputs: {script: 'true'}
	  userConfirmation: {required: true, title: Go on?, message: with b}
	E
	drain
	[ "$status" -eq 2 ]
	[ "$(status_of each)" = completed ]
	drain
	[ "$status" -eq 2 ]
	no_such "$S/quarantine/*"
}

@test "running attempts are adopted, not lost, where descriptors are short (REC)" {
	local n
	{
		echo "name: many"
		echo "actions:"
		for ((n = 0; n < 40; n++)); do
			echo "- {id: a$n, actionDefinitionId: shell.run, inputs: {script: 'echo a$n >> $T/ran; $(gate go)'}}"
		done
	} | drop many.yaml
	daemon_start --max-concurrency 40
	wait_until eval '[ "$(wc -l <"$T/ran")" -eq 40 ]'
	daemon_crash
	mkdir "$T/short"
	printf '#!/bin/sh\nulimit -n 56\nexec %s "$@"\n' "$BIN/creeld" >"$T/short/creeld"
	chmod +x "$T/short/creeld"
	BIN=$T/short daemon_start --max-concurrency 40
	open_gate go
	wait_until is_state .status completed
	[ "$(events '[.[] | select(.type == "action.lost")] | length')" -eq 0 ]
	[ "$(wc -l <"$T/ran")" -eq 40 ]
	daemon_stop
}

@test "a line of events/ that was cut short does not take the next one with it" {
	printf '{"type":"execution.acc' >"$(today)"
	drop one.yaml <<-E
	name: one
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'true'}}
	E
	drain
	[ "$status" -eq 0 ]
	jq -se 'map(.type) | index("execution.accepted")' "$(today)"
}

@test "an execution that ends while its supervisor lingers is let go with it" {
	local id token dir
	drop lingers.yaml <<-E
	name: lingers
	actions:
	- {id: a, actionDefinitionId: shell.run, forEach: {items: [1]}, inputs: {script: '$(gate never)'}}
	E
	daemon_start --max-concurrency 1
	wait_until has_started a.0
	id=$(id_of lingers)
	dir=$(where lingers)
	STOPPED=$(supervisor_of a.0)
	kill -STOP "$STOPPED"
	token=$(events '.[] | select(.type == "action.execute.requested" and .action == "a.0") | .token')
	jq -n --arg e "$id" --arg t "$token" '{execution: $e, action: "a.0", attempt: 1, token: $t, outcome: "exited",
		exitCode: 0, startedAt: "2026-01-01T00:00:00.000Z", finishedAt: "2026-01-01T00:00:01.000Z", durationMs: 1000}' \
		>"$T/result.json"
	mv "$T/result.json" "$dir/actions/a.0/1/result.json"
	: >"$T/said"
	mv "$T/said" "$S/results/$id.a.0.1.json"
	EX=$id wait_until is_state .status completed
	drop next.yaml <<-E
	name: next
	actions:
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'true'}}
	E
	wait_until there_is "$S/executions/*/*/actions/b/1/result.json"
	kill -0 "$DAEMON"
	kill -KILL "$STOPPED"
	touch "$T/gates/all"
	daemon_stop
}

problem_is_known() {
	[ -e "$S/problem.json" ]
}

# The events of the day cannot be written, by root neither.
obstruct() {
	mv "$(today)" "$T/kept.jsonl"
	mkdir "$(today)"
}

clear_way() {
	rmdir "$(today)"
	mv "$T/kept.jsonl" "$(today)"
}

@test "while nothing can be written nothing more is started (ENG: flush)" {
	drop two.yaml <<-E
	name: two
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: '$(gate a)'}}
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'echo b >> $T/ran'}}
	E
	daemon_start --max-concurrency 1
	wait_until has_started a
	wait_until has_status a running
	obstruct
	# An order that has to be written; a alone has the only place.
	say "control/$(id_of two).pause"
	wait_until problem_is_known
	open_gate a
	wait_until test -e "$(where two)/actions/a/1/result.json"
	wait_until eval '! kill -0 "$(pgrep -P "$DAEMON" creel-run)" 2>/dev/null'
	# Whatever the daemon does on hearing of that end is done when it has tried to write once more.
	before=$(stat -c %Y.%y "$T/serving")
	kill -HUP "$DAEMON"
	wait_until grep -q "configuration read again" "$T/serving"
	[ ! -e "$(where two)/actions/b/1" ]
	clear_way
	wait_until test -e "$(where two)/actions/b/1/result.json"
	wait_until test ! -e "$S/problem.json"
	daemon_stop
}

@test "what an earlier daemon could not write is not a problem of the next" {
	drop one.yaml <<-E
	name: one
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: '$(gate a)'}}
	E
	daemon_start
	wait_until has_started a
	obstruct
	open_gate a
	wait_until problem_is_known
	daemon_stop
	clear_way
	drain
	[ "$status" -eq 0 ]
	[ ! -e "$S/problem.json" ]
}

@test "directories in the way of a request stop nobody (SEC: everything dropped is hostile)" {
	drop asks.yaml <<-E
	name: asks
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: '$(gate a)'}}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [a]
	  inputs: {script: 'true'}
	  userConfirmation: {required: true, title: Go on?, message: with b}
	E
	daemon_start
	wait_until has_started a
	mkdir -p "$S/confirm/$(id_of asks).b.request.json/sub" "$S/confirm/.$(id_of asks).b.request.json.tmp/sub"
	open_gate a
	wait_until is_state .status paused_for_confirmation
	[ -f "$S/confirm/$(id_of asks).b.request.json" ]
	say "confirm/$(id_of asks).b.approve"
	wait_until is_state .status completed
	daemon_stop
}

@test "a file of two links is refused whatever bytes its name has" {
	local name=$'bad\xff.yaml'
	echo "name: x" >"$T/x"
	ln "$T/x" "$S/inbox/$name"
	daemon_start
	wait_until there_is "$S/rejected/*.error.json"
	daemon_stop
}

@test "more files that must wait than are remembered do not wait for ever" {
	echo "name: x" >"$T/x"
	seq 12000 | (cd "$S/inbox" && while read -r n; do echo "$n"; done | xargs -I{} -P 8 ln "$T/x" "$S/inbox/{}.yaml")
	daemon_start
	wait_until there_is "$S/rejected/*.error.json"
	daemon_stop
}

events_told() {
	jq -r --arg e "$(id_of asks)" 'select(.execution == $e) | "\(.seq).\(.n) \(.type)"' "$(today)" | sort -u
}

@test "an event whose line a crash cut off, and what follows it in its commit, is told again" {
	drop asks.yaml <<-E
	name: asks
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'true'}}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [a]
	  inputs: {script: 'true'}
	  userConfirmation: {required: true, title: Go on?, message: with b}
	E
	drain
	[ "$status" -eq 2 ]
	events_told >"$T/all"
	[ "$(tail -1 "$(today)" | jq .n)" -gt 0 ]
	for cut in $(($(tail -1 "$(today)" | wc -c))) 10; do
		cp "$(today)" "$T/kept.jsonl"
		truncate -s "-$cut" "$(today)"
		drain
		[ "$status" -eq 2 ]
		events_told | diff "$T/all" -
		# And after an end in good order nothing stands there twice.
		cp "$T/kept.jsonl" "$(today)"
		drain
		diff "$T/kept.jsonl" "$(today)"
	done
}

@test "a plan that cannot be moved to rejected/ is kept" {
	daemon_start
	rmdir "$S/rejected"
	echo "name: [wrong" | drop wrong.yaml
	wait_until grep -q "cannot move wrong.yaml" "$T/serving"
	wait_until test ! -e "$S/inbox/wrong.yaml"
	daemon_stop
	mkdir -m 700 "$S/rejected"
	drain
	wait_until there_is "$S/rejected/*claim.yaml"
}

# Five looks in a row find that the daemon used no processor time.
is_quiet() {
	local now
	now=$(cut -d ' ' -f 14,15 "/proc/$DAEMON/stat")
	if [ "$now" = "${before:-}" ]; then looks=$((looks + 1)); else looks=0; fi
	before=$now
	[ "$looks" -ge 5 ]
}

@test "an inbox that cannot be emptied is looked at again after a while, not at once" {
	local n
	daemon_start
	rmdir "$S/tmp"
	mkdir "$T/many"
	for ((n = 0; n < 200; n++)); do echo "name: x" >"$T/many/$n.yaml"; done
	mv "$T"/many/*.yaml "$S/inbox/"
	wait_until grep -q "cannot take" "$T/serving"
	wait_until is_quiet
	mkdir -m 700 "$S/tmp"
	daemon_stop
}
