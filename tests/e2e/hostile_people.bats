#!/usr/bin/env bats
# Decisions and results that are not what they say they are (design sections 3 and 5; ATTACKS.md).

load helpers

setup() { spool_setup; }
teardown() {
	[ -z "${HELPER:-}" ] || kill -9 "$HELPER" 2>/dev/null || :
	spool_teardown
}

ME=$(id -un)

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "NOT TESTED: $1 needs root"
}

# One action b that asks; more of its userConfirmation in $1.
drop_asking() {
	drop ask.yaml <<-E
	name: ask
	actions:
	- {id: first, actionDefinitionId: shell.run, inputs: {script: '${2:-true}'}}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [first]
	  inputs: {script: 'echo b >> $T/ran'}
	  userConfirmation: {required: true, title: t, message: m, ${1:-timeout: 0}}
	E
}

asks() {
	[ -e "$S/confirm/$(id_of ask).b.request.json" ]
}

refused() {
	jq -r .message "$S"/rejected/*"$1".error.json
}

is_refused() {
	[ -n "$(refused "$1" 2>/dev/null)" ]
}

answers() {
	events '[.[] | select(.type == "user.confirmation.received")] | length'
}

# A file is looked at when one that was dropped later has been: an order that is refused.
fence() {
	FENCE=$((${FENCE:-0} + 1))
	say "control/fence$FENCE"
	wait_until is_refused "fence$FENCE"
}

own_directory() {
	mkdir -m "${2:-700}" "$S/confirm/by/${1:-$ME}"
}

# --- by whom ---

@test "ATK-WRONG-USER ATK-FORGED-MOVE: a decision counts only from a directory and a file of the approver's own" {
	need_root "giving files to other users"
	drop_asking 'approvers: [nobody, daemon], quorum: 2'
	daemon_start
	wait_until asks
	chmod 755 "$T" "$S" "$S/confirm" "$S/confirm/by" # for creel would not be run by others otherwise
	decision=$(id_of ask).b.approve
	# Somebody else's directory, and one that others can write.
	own_directory nobody
	say "confirm/by/nobody/$decision"
	own_directory daemon 777
	chown daemon "$S/confirm/by/daemon"
	chmod 777 "$S/confirm/by/daemon"
	say "confirm/by/daemon/$decision"
	chown daemon "$S/confirm/by/daemon/$decision"
	# One who may decide moves in what another one wrote elsewhere.
	chown nobody "$S/confirm/by/daemon/$decision"
	chmod 700 "$S/confirm/by/daemon"
	wait_until grep -rq "does not belong to whom the directory belongs to" "$S/rejected"
	fence
	[ "$(answers)" -eq 0 ]
	# In confirm/ itself nobody's file counts, whoever owns it.
	: >"$T/moved"
	chown nobody "$T/moved"
	mv "$T/moved" "$S/confirm/$decision"
	wait_until grep -rq "counts only from confirm/by/nobody" "$S/rejected"
	[ "$(answers)" -eq 0 ]
	# The real ones do.
	rm "$S/confirm/by"/*/*
	chown nobody "$S/confirm/by/nobody"
	for user in nobody daemon; do
		: >"$T/said"
		chown "$user" "$T/said"
		mv "$T/said" "$S/confirm/by/$user/$decision"
	done
	wait_until is_state .status completed
	[ "$(events '[.[] | select(.type == "user.confirmation.received") | .by.user] | sort | join(" ")')" = "daemon nobody" ]
	daemon_stop
}

@test "ATK-WRONG-USER: who submitted a plan does not decide about it where that is asked for" {
	drop_asking 'noSelfApproval: true'
	daemon_start
	wait_until asks
	own_directory
	say "confirm/by/$ME/$(id_of ask).b.approve"
	wait_until grep -rq "submitted this plan and must not decide about it" "$S/rejected"
	asks
	[ "$(answers)" -eq 0 ]
	daemon_stop
}

@test "ATK-FORGED-LINK: links to decisions, and decisions through links, count for nobody" {
	drop_asking "approvers: [$ME]"
	daemon_start
	wait_until asks
	decision=$(id_of ask).b.approve
	own_directory
	: >"$T/a"
	ln -s "$T/a" "$S/confirm/by/$ME/$decision"
	wait_until is_refused "$decision"
	rm "$S/confirm/by/$ME/$decision" "$S"/rejected/*
	ln "$T/a" "$S/confirm/by/$ME/$decision"
	wait_until is_refused "$decision"
	rm "$S/confirm/by/$ME/$decision"
	# The whole directory as a link to one of one's own elsewhere.
	rmdir "$S/confirm/by/$ME"
	mkdir -m 700 "$T/elsewhere"
	: >"$T/elsewhere/$decision"
	ln -s "$T/elsewhere" "$S/confirm/by/$ME"
	mkfifo "$S/confirm/$(id_of ask).b.reject"
	mkdir "$S/confirm/$(id_of ask).b.continue"
	ln -s "$T/a" "$S/confirm/$(id_of ask).b.abort"
	ln -s "$T/a" "$S/control/$(id_of ask).cancel"
	wait_until is_refused .cancel
	fence
	[ "$(answers)" -eq 0 ]
	is_state .status paused_for_confirmation
	daemon_stop
}

# --- when ---

@test "ATK-EARLY: what was there before the question does not answer it, in confirm/by neither" {
	drop_asking "approvers: [$ME]" "$(gate go)"
	daemon_start
	wait_until has_status first running
	own_directory
	decision=confirm/by/$ME/$(id_of ask).b.approve
	say "$decision"
	wait_until grep -rq "does not wait for a decision" "$S/rejected"
	open_gate go
	wait_until asks
	fence
	# Nor does it after a restart, nor when only its name changes.
	daemon_stop
	drain
	[ "$status" -eq 2 ]
	[ "$(answers)" -eq 0 ]
	# A change of it is a decision.
	touch "$S/$decision"
	drain
	[ "$status" -eq 0 ]
	[ "$(answers)" -eq 1 ]
}

@test "ATK-REPLAY: a decision that cites an earlier question, or was kept from it, answers no later one" {
	drop ask.yaml <<-E
	name: ask
	actions:
	- id: b
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo b >> $T/ran; echo n=\$(wc -l < $T/ran) > "\$CREEL_OUTPUT"'}
	  userConfirmation: {required: true, title: t, message: m}
	  loop: {until: 'b.output.n == "3"', backTo: b, maxIterations: 5}
	E
	daemon_start
	wait_until asks
	decision=confirm/$(id_of ask).b.approve
	say "$decision" - <<<'{"number": 1}'
	wait_until eval 'asks && [ "$(request_number)" -eq 2 ]'
	# The same content again.
	say "$decision" - <<<'{"number": 1}'
	wait_until grep -rq "it cites request 1" "$S/rejected"
	# The file that was kept, by its old name: it cites what it was about.
	kept=$(ls "$(where ask)"/actions/b/confirm-1/approve)
	rm "$S"/rejected/*
	cp -p "$kept" "$T/again"
	mv "$T/again" "$S/$decision"
	wait_until grep -rq "it cites request 1" "$S/rejected"
	[ "$(wc -l <"$T/ran")" -eq 1 ]
	daemon_stop
}

request_number() {
	jq .number "$S/confirm/$(id_of ask).b.request.json"
}

@test "ATK-RACE: many contrary decisions at once have one outcome, and the action starts once or never" {
	drop_asking
	daemon_start
	wait_until asks
	perl -e '
		my ($spool, $id) = @ARGV;
		for my $n (1 .. 20) {
			next if fork;
			for my $verb ($n % 2 ? "approve" : "reject", "continue", "abort") {
				open(my $f, ">", "$spool/tmp/../.$n.$verb") or next; close($f);
				rename("$spool/.$n.$verb", "$spool/confirm/$id.b.$verb");
			}
			exit;
		}
		while (wait != -1) {}' "$S" "$(id_of ask)"
	wait_until eval '[[ $(jq -r .status "$(where ask)/state.json") =~ completed|cancelled ]]'
	wait_until eval '[ -z "$(ls "$S/confirm" | grep -v "^by$")" ]'
	[ "$(answers)" -eq 1 ]
	case $(state .status) in
	completed) [ "$(wc -l <"$T/ran")" -eq 1 ] ;;
	*) [ ! -e "$T/ran" ] ;;
	esac
	daemon_stop
}

# --- results ---

has_started() {
	[ -s "$(where)/actions/$1/1/lock" ]
}

@test "ATK-FORGED-RESULT: announcements and results that are not the supervisor's end nothing, and take no slots" {
	drop two.yaml <<-E
	name: two
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo real; $(gate a)'}}
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'echo b >> $T/ran; $(gate b)'}}
	- {id: c, actionDefinitionId: shell.run, inputs: {script: 'echo c >> $T/ran'}, dependencies: [b]}
	E
	daemon_start --max-concurrency 2
	wait_until has_started a
	wait_until has_started b
	id=$(id_of two)
	dir=$(where two)/actions/a/1
	# Announced without a result, again and again, also what nobody knows.
	for n in 1 2 3 4 5; do
		: >"$S/results/$id.a.1.json"
		: >"$S/results/$id.c.1.json"
		: >"$S/results/$id.zz.9.json"
		: >"$S/results/no-such-thing"
		wait_until eval '[ -z "$(ls "$S/results")" ]'
	done
	# A result of somebody's making: with no token, with another's, for another attempt.
	for token in "" "$(printf '0%.0s' {1..32})" "$(events '.[] | select(.type == "action.execute.requested" and .action == "b") | .token')"; do
		jq -n --arg e "$id" --arg t "$token" '{execution: $e, action: "a", attempt: 1, token: $t, outcome: "exited", exitCode: 0,
			startedAt: "2026-01-01T00:00:00.000Z", finishedAt: "2026-01-01T00:00:01.000Z", durationMs: 1000}' >"$T/result"
		mv "$T/result" "$dir/result.json"
		: >"$S/results/$id.a.1.json"
		wait_until eval '[ -z "$(ls "$S/results")" ]'
	done
	has_status a running
	# b's slot is free again when b ends.
	open_gate b
	wait_until has_status c completed
	open_gate a
	wait_until is_state .status completed
	[ "$(stdout_of a)" = real ]
	[ "$(events '[.[] | select(.action == "a" and (.type | IN("action.completed", "action.lost"))) | .type] | join(" ")')" = action.completed ]
	daemon_stop
}

none_left() {
	[ -z "$(pgrep -f "$T/survivor" || :)" ]
}

@test "ATK-KILL-SUPERVISOR: an action that kills its supervisor is lost, nothing of it goes on, and others do" {
	cat >"$T/survivor" <<-'E'
	#!/bin/sh
	# Another session, another name for the lock: held so that no new supervisor could have it.
	exec 9<>"$1/lock"
	flock 9
	sleep 600
	E
	chmod +x "$T/survivor"
	drop kills.yaml <<-E
	name: kills
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  onLost: fail
	  inputs:
	    script: |
	      echo a >> $T/ran
	      setsid $T/survivor "\$CREEL_DIR" > /dev/null 2>&1 &
	      kill -9 \$PPID
	      sleep 600
	E
	drop fine.yaml <<<'{name: fine, actions: [{id: a, actionDefinitionId: command, inputs: {command: "true"}}]}'
	daemon_start --max-concurrency 1
	wait_until eval '[ "$(jq -r .status "$(where kills)/state.json")" = failed ]'
	wait_until eval '[ "$(jq -r .status "$(where fine)/state.json")" = completed ]'
	EX=$(id_of kills)
	[ "$(state .actionStates.a.result.error.category)" = state_inconsistent ]
	[[ $(state .actionStates.a.result.error.message) == *"ended by signal 9"* ]]
	[ "$(cat "$T/ran")" = a ]
	none_left
	daemon_stop
}

@test "ATK-KILL-SUPERVISOR: what was there before the daemon, as its child, is none of what an attempt left" {
	# As in a container whose first program starts something and then becomes the daemon.
	mkdir "$T/bin"
	printf '#!/bin/sh\nsleep 600 &\necho $! >%s\nexec %s "$@"\n' "$T/bystander" "$BIN/creeld" >"$T/bin/creeld"
	chmod +x "$T/bin/creeld"
	drop kills.yaml <<-E
	name: kills
	actions:
	- {id: a, actionDefinitionId: shell.run, onLost: fail, inputs: {script: 'setsid sleep 601 & kill -9 \$PPID; sleep 602'}}
	E
	BIN=$T/bin daemon_start
	HELPER=$(cat "$T/bystander")
	wait_until is_state .status failed
	kill -0 "$HELPER"
	# What the attempt left is gone all the same.
	[ -z "$(pgrep -x -P "$DAEMON" sleep | grep -vx "$HELPER")" ]
	daemon_stop
}
