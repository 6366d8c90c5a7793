#!/usr/bin/env bats
# What people dropped counts once: across restarts, crashes, copies, and clocks that are set.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

ME=$(id -un)

# An action b that asks, with more members of its userConfirmation in $1.
drop_asking() {
	drop ask.yaml <<-E
	name: ask
	actions:
	- id: b
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo b >> $T/ran; ${2:-true}'}
	  userConfirmation: {required: true, title: t, message: m, ${1:-timeout: 0}}
	E
}

asks() {
	[ -e "$S/confirm/$(id_of ask).b.request.json" ]
}

refusals() {
	ls "$S/rejected" | wc -l
}

own_directory() {
	mkdir -m 700 "$S/confirm/by/$ME"
}

# As a crash leaves it: nothing was noted.
forget_looks() {
	rm -f "$S/confirm/by/.looked"
}

# --- confirm/by ---

@test "CHK-DECIDE: what lies in confirm/by is looked at once, also across restarts: no refusal appears twice" {
	drop_asking "approvers: [$ME], quorum: 2"
	drain
	[ "$status" -eq 2 ]
	own_directory
	say "confirm/by/$ME/$(id_of ask).b.approve"
	say "confirm/by/$ME/$(id_of ask).b.nonsense"
	printf x >"$S/confirm/by/$ME/odd"$'\n'"näme %41.approve"
	drain
	[ "$status" -eq 2 ]
	[ "$(events '[.[] | select(.type == "user.confirmation.received")] | length')" -eq 1 ]
	before=$(refusals)
	[ "$before" -eq 2 ] # what is refused stays where it is; only the reason is in rejected/
	drain
	drain
	[ "$(refusals)" -eq "$before" ]
	# Changed, it is looked at again.
	touch "$S/confirm/by/$ME/$(id_of ask).b.nonsense"
	drain
	[ "$(refusals)" -gt "$before" ]
	# The note does not grow beyond what is there.
	rm "$S/confirm/by/$ME"/odd* "$S/confirm/by/$ME"/*nonsense
	drain
	[ "$(wc -l <"$S/confirm/by/.looked")" -eq 1 ]
}

@test "CHK-DECIDE: an approval that counted is harmless when the note of it was lost, and so is one whose execution ended" {
	drop_asking "approvers: [$ME], quorum: 2"
	drain
	own_directory
	say "confirm/by/$ME/$(id_of ask).b.approve"
	drain
	[ "$status" -eq 2 ]
	forget_looks
	drain
	[ "$status" -eq 2 ]
	[ "$(refusals)" -eq 0 ]
	[ "$(events '[.[] | select(.type == "user.confirmation.received")] | length')" -eq 1 ]
	# Said a second time, it is refused: another person must.
	say "confirm/by/$ME/$(id_of ask).b.approve"
	drain
	[ "$(refusals)" -eq 1 ]
	rm "$S"/rejected/*
	say "control/$(id_of ask).cancel"
	drain
	[ "$status" -eq 1 ]
	forget_looks
	drain
	[ "$status" -eq 0 ]
	[ "$(refusals)" -eq 0 ]
}

@test "CHK-DECIDE: a note that a crash took before its decision was durable leaves the decision to count" {
	drop_asking "approvers: [$ME]"
	daemon_start
	wait_until asks
	own_directory
	say "confirm/by/$ME/$(id_of ask).b.approve"
	wait_until is_state .status completed
	[ "$(wc -l <"$S/confirm/by/.looked")" -eq 1 ]
	daemon_stop
}

@test "CHK-DECIDE: in a copy of the spool an old decision does not answer a new request" {
	drop ask.yaml <<-E
	name: ask
	actions:
	- id: b
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo b >> $T/ran; echo n=\$(wc -l < $T/ran) > "\$CREEL_OUTPUT"'}
	  userConfirmation: {required: true, title: t, message: m, approvers: [$ME]}
	  loop: {until: 'b.output.n == "3"', backTo: b, maxIterations: 5}
	E
	drain
	own_directory
	say "confirm/by/$ME/$(id_of ask).b.approve"
	drain
	[ "$status" -eq 2 ]
	[ "$(wc -l <"$T/ran")" -eq 1 ]
	cp -a "$S" "$T/copy"
	S=$T/copy
	drain
	drain
	[ "$status" -eq 2 ]
	[ "$(wc -l <"$T/ran")" -eq 1 ]
	[ "$(refusals)" -eq 0 ]
	# One that is new counts.
	say "confirm/by/$ME/$(id_of ask).b.approve"
	drain
	[ "$(wc -l <"$T/ran")" -eq 2 ]
}

# --- orders ---

@test "RUN-MANUAL: an order that stands in a copy though its commit is there is not obeyed again; a new one is" {
	drop fails.yaml <<-E
	name: fails
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran; false'}}
	E
	drain
	[ "$status" -eq 1 ]
	id=$(id_of fails)
	say "control/$id.a.retry"
	drain
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$T/ran")" -eq 2 ]
	[ "$(events '[.[] | .obeyed.name | select(.)] | join(" ")')" = "$id.a.retry" ]
	# A copy that was taken between the commit and the move has both.
	kept=$(ls "$(where)"/control/*retry)
	mark=$(events '[.[] | .obeyed | select(.)][0] | "\(.inode) \(.mtime)"')
	[ "$mark" = "$(stat -c '%i %.9Y' "$kept")" ]
	cp -a "$S" "$T/copy"
	cp -a "$kept" "$T/copy/control/$id.a.retry"
	S=$T/copy
	drain
	[ "$(wc -l <"$T/ran")" -eq 2 ]
	[ -z "$(ls "$S/control" "$S/rejected" | grep -v :)" ]
	# The same name again, dropped anew, is a new order.
	say "control/$id.a.retry"
	drain
	[ "$(wc -l <"$T/ran")" -eq 3 ]
}
