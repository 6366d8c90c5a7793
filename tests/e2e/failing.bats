#!/usr/bin/env bats
# Shortages and devices that fail (design section 2): what cannot be told now is neither absent nor wrong.  It is said,
# tried again, and goes on by itself.

load helpers

# The daemon of these tests runs with failing.so: fail CALL ERRNO PATTERN… makes its calls fail until they heal.
setup() {
	spool_setup
	mkdir "$T/bin"
	for program in creel creeld; do
		printf '#!/bin/sh\nASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=%s FAILING=%s exec %s "$@"\n' \
			"$BIN/tests/failing.so" "$T/failing" "$BIN/$program" >"$T/bin/$program"
		chmod +x "$T/bin/$program"
	done
	BIN=$T/bin
}
teardown() { spool_teardown; }

EMFILE=24 EIO=5

fail() {
	echo "$*" >"$T/rule"
	: >"$T/failing.hits"
	mv "$T/rule" "$T/failing"
}

heal() { rm "$T/failing"; }

# It failed so many times at least.
failed() {
	[ "$(wc -l <"$T/failing.hits")" -ge "${1:-1}" ]
}

drop_one() {
	drop "${1:-one}.yaml" <<-E
	name: ${1:-one}
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran; ${2:-true}'}}
	E
}

# An execution that waits for a person.
drop_waiting() {
	drop waits.yaml <<-E
	name: waits
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran'}}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [a]
	  inputs: {script: 'echo b >> $T/ran'}
	  userConfirmation: {required: true, title: Go on?, message: with b}
	E
}

waits() {
	[ -e "$S/confirm/$(id_of waits).b.request.json" ]
}

nothing_was_refused() {
	[ -z "$(ls "$S/rejected" "$S/quarantine" | grep -v :)" ]
}

completes() {
	wait_until is_state .status completed
	nothing_was_refused
	[ "$(cat "$T/ran")" = "$1" ]
}

# --- plans ---

@test "EDGE-2: a plan that cannot be read for want of descriptors, or because the disk fails, is kept and tried again" {
	local rule
	for rule in "openat2 $EMFILE */claim.yaml" "read $EIO */claim.yaml" "getpwuid_r $EIO /uid" "openat2 11 */claim.yaml"; do
		fail "$rule"
		drop_one
		daemon_start
		wait_until failed
		[ -n "$(ls "$S"/tmp/*/claim.yaml)" ]
		heal
		completes a
		grep -q "one.yaml cannot be judged" "$T/serving"
		daemon_stop
		rm -rf "$S"/executions/* "$T/ran"
	done
}

@test "EDGE-2: a plan is not refused because one that it runs cannot be read now" {
	mkdir -p "$S/catalog/plans"
	printf 'name: part\nactions:\n- {id: a, actionDefinitionId: shell.run, inputs: {script: "echo a >> %s/ran"}}\n' "$T" \
		>"$S/catalog/plans/part.yaml"
	fail openat2 $EMFILE '*/plans/part.yaml'
	drop whole.yaml <<<'{name: whole, actions: [{id: p, actionDefinitionId: plan.run, inputs: {plan: part}}]}'
	daemon_start
	wait_until failed
	heal
	wait_until eval '[ "$(jq -r .status "$(where whole)/state.json")" = completed ]'
	nothing_was_refused
	daemon_stop
}

@test "EDGE-2: a claim of an earlier daemon is kept while it cannot be read" {
	drop_one
	fail openat2 $EMFILE '*/claim.yaml'
	daemon_start
	wait_until failed
	daemon_crash
	daemon_start
	wait_until failed 3
	heal
	completes a
	daemon_stop
}

@test "ORCH-014: an inbox that cannot be read is not empty" {
	fail openat $EMFILE '*/inbox/.'
	drop_one
	daemon_start --drain
	wait_until failed 3
	heal
	wait_until ended "$DAEMON"
	status=0
	wait "$DAEMON" || status=$?
	DAEMON=
	[ "$status" -eq 0 ]
	completes a
}

# --- decisions and orders ---

@test "CHK-DECIDE: a decision or an order that cannot be read stays where it is and is obeyed later" {
	drop_waiting
	daemon_start
	wait_until waits
	fail openat2 $EMFILE '*.pause'
	say "control/$(id_of waits).pause"
	wait_until failed
	heal
	wait_until is_state .paused true
	fail openat2 $EIO '*.approve'
	say "confirm/$(id_of waits).b.approve"
	wait_until failed
	fail getpwuid_r $EMFILE /uid
	say "control/$(id_of waits).resume"
	wait_until failed 2
	[ "$(ls "$S/control" "$S/confirm" | grep -cE '\.(approve|resume)$')" -eq 2 ]
	heal
	completes $'a\nb'
	daemon_stop
}

# --- at the start ---

@test "REC: directories that cannot be read are not empty: a daemon that cannot tell what was left does not serve" {
	drop_waiting
	drain
	[ "$status" -eq 2 ]
	cp -a "$S" "$T/copy"
	for dir in tmp active confirm; do
		fail readdir $EIO "*/$dir"
		drain
		[ "$status" -eq 111 ]
	done
	# In a copy every execution is looked at; one try that failed does not make it a spool of its own.
	S=$T/copy
	rm "$S"/active/*
	for rule in "openat $EMFILE */executions/." "readdir $EIO */executions/20*" "readdir $EIO */results"; do
		fail "$rule"
		drain
		[ "$status" -eq 111 ]
	done
	heal
	say "confirm/$(id_of waits).b.approve"
	drain
	[ "$status" -eq 0 ]
	completes $'a\nb'
}

@test "REC: an execution whose records cannot be read now is neither forgotten, nor damaged, nor cut short" {
	drop_waiting
	drain
	[ "$status" -eq 2 ]
	commits=$(ls "$(where)/journal" | wc -l)
	for rule in "fstatat $EIO */executions/*/*-*" "openat2 $EMFILE */executions/*" "openat $EMFILE *journal/00000002.json" \
		"read $EIO *journal/00000002.json" "readdir $EIO */journal" "pread $EIO */state.json" "openat $EMFILE */plan.json"; do
		fail "$rule"
		daemon_start
		wait_until failed
		grep -q "stays active and is tried again" "$T/serving"
		[ -L "$S/active/$(id_of)" ]
		heal
		wait_until grep -q "is loaded" "$T/serving"
		daemon_stop
		nothing_was_refused
		[ "$(ls "$(where)/journal" | wc -l)" -eq "$commits" ]
	done
	# What is asked of it meanwhile waits with it.
	fail openat2 $EMFILE '*/executions/*'
	daemon_start
	wait_until failed
	say "confirm/$(id_of).b.approve"
	wait_until grep -q "approve cannot be looked at" "$T/serving"
	heal
	completes $'a\nb'
	daemon_stop
}

@test "REC: --drain waits a while for what cannot be loaded, then says so and fails" {
	drop_waiting
	drain
	fail openat2 $EMFILE '*/executions/*'
	drain
	[ "$status" -eq 1 ]
	grep -q "execution $(id_of) cannot be loaded and is left as it is" "$T/log"
	[ -L "$S/active/$(id_of)" ]
}

@test "EDGE-5: a torn commit is set aside only if it is certain that nothing came of it" {
	drop_waiting
	drain
	id=$(id_of)
	last=$(ls "$(where)"/journal/*.json | tail -1)
	chmod u+w "$last"
	truncate -s 40 "$last"
	rm "$S/confirm/$id.b.request.json" "$(where)/state.json"
	fail read $EIO '*/events/*.jsonl'
	daemon_start
	wait_until failed
	[ -e "$last" ]
	heal
	# events/ tells of it.
	wait_until test -L "$S/quarantine/$id"
	[ -e "$last" ]
	daemon_stop
}

# --- attempts ---

@test "EDGE-5: a result or an output that cannot be read now is taken when it can" {
	for rule in "openat2 $EMFILE */1/result.json" "read $EIO */1/result.json" "openat2 $EMFILE */1/output" \
		"openat2 $EMFILE */actions/a/1"; do
		fail "$rule"
		drop_one one 'echo v=7 > "$CREEL_OUTPUT"'
		daemon_start
		wait_until failed 2
		heal
		completes a
		is_state .actionStates.a.result.output.v 7
		daemon_stop
		rm -rf "$S"/executions/* "$T/ran"
	done
}

@test "EDGE-5: the error that an action names is not replaced by a guess because it cannot be read now" {
	fail openat2 $EMFILE '*/1/error'
	drop_one one 'echo "{\"category\":\"auth_expired\",\"message\":\"ask again\"}" > "$CREEL_ERROR"; exit 1'
	daemon_start
	wait_until failed 2
	heal
	wait_until is_state .actionStates.a.result.error.category auth_expired
	daemon_stop
}

has_started() {
	[ -s "$(where)/actions/a/1/lock" ]
}

supervisor_of_a() {
	local pid
	pid=$(sed 's/pid=\([0-9]*\).*/\1/;q' "$(where)/actions/a/1/lock")
	cut -d ' ' -f 4 "/proc/$pid/stat"
}

@test "EDGE-5: an attempt is not lost, and not run again, while it cannot be told what is left of it" {
	for rule in "openat $EMFILE /proc" "readdir $EIO /proc" "open $EMFILE /proc/[0-9]*/stat" "openat $EMFILE */1/lock" \
		"openat 28 */1/void" "pread $EIO */1/lock"; do
		drop_one one "$(gate never)"
		daemon_start
		wait_until has_started
		fail "$rule"
		kill -9 "$(supervisor_of_a)"
		wait_until failed
		wait_until grep -q "looked at again and again" "$T/serving"
		[ "$(wc -l <"$T/ran")" -eq 1 ]
		touch "$T/gates/never"
		heal
		wait_until is_state .status completed
		[ "$(cat "$T/ran")" = $'a\na' ]
		[ "$(events '[.[] | select(.type == "action.lost")] | length')" -eq 1 ]
		daemon_stop
		rm -rf "$S"/executions/* "$T/ran" "$T/gates/never"
	done
}

@test "EDGE-5: a running attempt is adopted, though its directory could not be read at first" {
	drop_one one "$(gate go)"
	daemon_start
	wait_until has_started
	daemon_crash
	fail openat2 $EMFILE '*/actions/a/1' 
	daemon_start
	wait_until failed
	heal
	open_gate go
	completes a
	[ "$(events '[.[] | select(.type == "action.lost")] | length')" -eq 0 ]
	daemon_stop
}

@test "EDGE-5: after a power cut an empty lock proves nothing, though the attempt could not be looked at at first" {
	drop lost.yaml <<-E
	name: lost
	actions:
	- {id: a, actionDefinitionId: shell.run, onLost: fail, inputs: {script: 'echo a >> $T/ran; $(gate a)'}}
	E
	daemon_start
	wait_until test -s "$T/ran"
	kill -STOP "$DAEMON"
	pgrep -P "$DAEMON" creel-run | xargs -r kill -KILL
	daemon_crash
	end_leftovers
	wait_until all_settled
	sed -i 's/^boot=.*/boot=00000000-0000-4000-8000-000000000000/' "$S/creeld.lock"
	: >"$(where)/actions/a/1/lock"
	fail openat2 $EMFILE '*/actions/a/1'
	daemon_start
	wait_until failed
	heal
	wait_until is_state .status failed
	[ "$(cat "$T/ran")" = a ]
	[ "$(events '[.[] | select(.type == "action.lost")] | length')" -eq 1 ]
	daemon_stop
}

@test "REC: verify does not call right, nor damaged, what it could not read" {
	drop_waiting
	drain
	for rule in "readdir $EIO */executions/20*" "readdir $EIO */active" "openat $EMFILE *journal/00000002.json" \
		"fstatat $EIO */active/*"; do
		fail "$rule"
		run "$BIN/creel" --spool "$S" verify
		[ "$status" -eq 2 ]
		[[ $output != *damage* ]]
		failed
	done
	heal
	"$BIN/creel" --spool "$S" verify
}

# --- between a commit and what follows from it ---

@test "RUN-MANUAL: an order that a crash left in control/ after it was obeyed is not obeyed again" {
	drop fails.yaml <<-E
	name: fails
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran; false'}}
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'true'}, dependencies: [a], userConfirmation: {required: true, title: t, message: m}}
	E
	drain
	[ "$status" -eq 1 ]
	fail renameat $EIO '*/control/*a.retry'
	say "control/$(id_of fails).a.retry"
	daemon_start
	wait_until failed
	daemon_crash
	heal
	[ -n "$(ls "$S/control")" ]
	drain
	[ "$(wc -l <"$T/ran")" -eq 2 ]
	nothing_was_refused
	[ -z "$(ls "$S/control")" ]
	[ -n "$(ls "$(where)/control")" ]
}

# --- clocks ---

YEAR=31536000

@test "EDGE-5: when the clock is set back by a year, retries wait no longer, and decisions are no older than what they answer" {
	drop clock.yaml <<-E
	name: clock
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo a >> $T/ran; [ \$(wc -l < $T/ran) -gt 1 ]'}
	  retryPolicy: {maxAttempts: 2, initialDelay: 1500, maxDelay: 1500, backoffMultiplier: 2, retryableErrors: [api_unexpected_status], jitter: false}
	- id: b
	  actionDefinitionId: shell.run
	  inputs: {script: 'true'}
	  userConfirmation: {required: true, title: t, message: m}
	E
	fail clock $YEAR '*'
	daemon_start
	wait_until eval '[ "$(events "[.[] | select(.type == \"action.retry.scheduled\")] | length")" -eq 1 ]'
	wait_until test -e "$S/confirm/$(id_of clock).b.request.json"
	heal
	wait_until grep -q "the clock was set back" "$T/serving"
	say "confirm/$(id_of clock).b.approve"
	wait_until is_state .status completed
	nothing_was_refused
	daemon_stop
}

@test "EDGE-5: the same, when nobody looked while it was set back" {
	drop clock.yaml <<-E
	name: clock
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo a >> $T/ran; [ \$(wc -l < $T/ran) -gt 1 ]'}
	  retryPolicy: {maxAttempts: 2, initialDelay: 500, maxDelay: 500, backoffMultiplier: 2, retryableErrors: [api_unexpected_status], jitter: false}
	- id: b
	  actionDefinitionId: shell.run
	  inputs: {script: 'true'}
	  userConfirmation: {required: true, title: t, message: m}
	E
	fail clock $YEAR '*'
	daemon_start
	wait_until eval '[ "$(events "[.[] | select(.type == \"action.retry.scheduled\")] | length")" -eq 1 ]'
	wait_until test -e "$S/confirm/$(id_of clock).b.request.json"
	daemon_crash
	heal
	say "confirm/$(id_of clock).b.approve"
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
	nothing_was_refused
}

@test "EDGE-5: a year forward: deadlines are met once, what runs is not lost" {
	drop clock.yaml <<-E
	name: clock
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran; $(gate go)'}, timeoutMs: 60000}
	- id: b
	  actionDefinitionId: shell.run
	  inputs: {script: 'true'}
	  userConfirmation: {required: true, title: t, message: m, timeout: 3600000}
	E
	daemon_start
	wait_until test -s "$T/ran"
	wait_until test -e "$S/confirm/$(id_of clock).b.request.json"
	fail clock $YEAR '*'
	wait_until has_status b skipped
	[ "$(events '[.[] | select(.type == "user.confirmation.received" and .timedOut)] | length')" -eq 1 ]
	open_gate go
	wait_until is_state .status cancelled
	[ "$(status_of a)" = completed ]
	daemon_stop
}

@test "EDGE-5: a commit that cannot be flushed does not stand under its name: who came next would trust it" {
	drop_one one "$(gate go)"
	daemon_start
	wait_until test -s "$T/ran"
	wait_until is_state .status running
	commits=$(ls "$(where)/journal")
	fail fdatasync "$EIO" "*/journal/*"
	open_gate go
	wait_until test -e "$S/problem.json"
	daemon_crash
	[ "$(ls "$(where)/journal")" = "$commits" ]
	heal
	drain
	[ "$status" -eq 0 ]
	[ "$(cat "$T/ran")" = a ]
}

@test "EDGE-5: what could not be flushed at the end of an execution is written anew before it is flushed again" {
	drop_one one "$(gate go)"
	daemon_start
	wait_until test -s "$T/ran"
	wait_until is_state .status running
	fail syncfs "$EIO" "*"
	open_gate go
	wait_until test -e "$S/problem.json"
	heal
	wait_until eval '[ -z "$(ls "$S/active")" ]'
	is_state .status completed
	# After a flush that failed nobody knows which lines are on disk: they stand there twice.
	[ "$(grep -c '"type":"execution.completed"' "$S"/events/*.jsonl)" -ge 2 ]
	daemon_stop
}

# --- nothing can be written ---

@test "what is wrong is told when no file can be made, and told no more when it is over" {
	drop_one one "$(gate go)"
	daemon_start
	wait_until test -s "$T/ran"
	wait_until is_state .status running
	fail openat 28 '*.tmp'
	open_gate go
	wait_until eval '"$BIN/creel" --spool "$S" status | grep -q "No space left on device"'
	jq -e '.message and .since' "$S/problem.json"
	heal
	wait_until is_state .status completed
	[ ! -e "$S/problem.json" ]
	# It can be told again.
	drop_one two "$(gate go2)"
	wait_until eval '[ "$(wc -l <"$T/ran")" -eq 2 ]'
	fail openat 28 '*.tmp'
	open_gate go2
	wait_until test -e "$S/problem.json"
	heal
	daemon_stop
}

# Outputs of 9 MB, which stand in no journal, and an action that wants a value of them when a person lets it.
drop_large() {
	drop waits.yaml <<-E
	name: waits
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo a >> $T/ran; ${1:-true}; { echo key=k; printf fill=; head -c 9000000 /dev/zero | tr "\\0" x; } > "\$CREEL_OUTPUT"'}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [a]
	  inputs: {script: 'echo "b \$K" >> $T/ran', env: {K: "\${a.output.key}"}}
	  userConfirmation: {required: true, title: Go on?, message: with b}
	E
}

@test "outputs in a file that cannot be opened for want of descriptors, or for another reason, are waited for" {
	local code
	drop_large
	daemon_start
	wait_until waits
	code=13 # EACCES
	fail openat2 $code '*/actions/a/1/output.json'
	touch "$S/confirm/$(id_of waits).b.approve"
	wait_until failed 2
	fail openat2 $EMFILE '*/actions/a/1/output.json'
	wait_until failed
	is_state .status running
	heal
	completes $'a\nb k'
	daemon_stop
	grep 'the outputs of "a" of .* cannot be read.*; trying again' "$T/log"
}

@test "outputs that their disk does not take are in no commit until it does" {
	drop_large "$(gate go)"
	daemon_start
	wait_until test -s "$T/ran"
	fail openat 28 '*/actions/a/1/.output.json.tmp'
	open_gate go
	wait_until test -e "$S/problem.json"
	[ "$(types)" = "execution.accepted execution.started action.execute.requested" ]
	not test -e "$(where)/actions/a/1/output.json"
	heal
	wait_until waits
	touch "$S/confirm/$(id_of waits).b.approve"
	completes $'a\nb k'
	daemon_stop
}
