#!/usr/bin/env bats
# What survives: crashes, damage, copies (design section 2).

load helpers

setup() { spool_setup; }
teardown() {
	if [ -d "$T/small" ]; then
		rm -f "$T"/small/fill "$T"/small/inode.*
		touch "$T/gates/all"
		[ -z "$DAEMON" ] || daemon_crash
		end_leftovers
		umount -l "$T/small" 2>/dev/null || :
		S=$T/none
	fi
	spool_teardown
}

# An execution that has three commits and waits for a person; its id.
waiting_execution() {
	drop "${1:-waits}.yaml" <<-E
	name: ${1:-waits}
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran; echo n=1 > "\$CREEL_OUTPUT"'}}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [a]
	  inputs: {script: 'echo b\$N >> $T/ran', env: {N: "\${a.output.n}"}}
	  userConfirmation: {required: true, title: Go on?, message: with b}
	E
	drain
	[ "$status" -eq 2 ]
}

last_commit() {
	ls "$(where "$1")"/journal/*.json | tail -1
}

verify() {
	[ ! -x "$BIN/creel" ] || "$BIN/creel" --spool "$S" verify "$@"
}

@test "REC: verify tells an attempt that was only made ready from one that the journal should know" {
	waiting_execution
	mkdir -p "$(where)/actions/b/1"
	: >"$(where)/actions/b/1/lock"
	verify
	echo "pid=1 sid=1 start=1 boot=x dev=1 ino=1" >"$(where)/actions/b/1/lock"
	run verify
	[ "$status" -eq 1 ]
	[[ $output == *"actions/b/1"*"the journal does not know"* ]]
}

@test "EDGE-5: a last commit that was torn, and that nothing shows to have taken effect, is set aside and decided again" {
	waiting_execution
	id=$(id_of waits)
	last=$(last_commit)
	# As a power cut leaves it: the file is cut, and nothing that followed from it is there.
	chmod u+w "$last"
	truncate -s 40 "$last"
	rm "$S/confirm/$id.b.request.json" "$(where)/state.json"
	grep -v '"seq":2' "$S"/events/*.jsonl > "$T/events" || :
	cp "$T/events" "$(ls "$S"/events/*.jsonl)"
	drain
	[ "$status" -eq 2 ]
	[ -e "$last.torn" ]
	[ -z "$(ls "$S/quarantine")" ]
	[ "$(cat "$T/ran")" = a ]
	say "confirm/$id.b.approve"
	drain
	[ "$status" -eq 0 ]
	[ "$(cat "$T/ran")" = "$(printf 'a\nb1')" ]
	verify
}

@test "EDGE-5: a request that was answered and lies there still is no trace of a torn commit" {
	waiting_execution
	id=$(id_of waits)
	cp "$S/confirm/$id.b.request.json" "$T/request"
	say "confirm/$id.b.approve"
	drain
	[ "$status" -eq 0 ]
	last=$(last_commit)
	seq=$(jq .seq "$last")
	chmod u+w "$last"
	truncate -s 40 "$last"
	rm "$(where)/state.json"
	grep -v "\"seq\":$seq," "$S"/events/*.jsonl >"$T/events" || :
	cp "$T/events" "$(ls "$S"/events/*.jsonl)"
	cp "$T/request" "$S/confirm/$id.b.request.json"
	ln -s "../$(realpath --relative-to="$S" "$(where)")" "$S/active/$id"
	drain
	[ "$status" -eq 0 ]
	[ -e "$last.torn" ]
	is_state .status completed
	[ "$(cat "$T/ran")" = "$(printf 'a\nb1')" ]
	verify
}

@test "EDGE-5: a torn last commit that took effect puts this execution in quarantine, and no other" {
	waiting_execution waits
	waiting_execution other
	id=$(id_of waits)
	chmod u+w "$(last_commit waits)"
	truncate -s 40 "$(last_commit waits)"
	say "confirm/$(id_of other).b.approve"
	drain
	[ "$(jq -r .category "$S/quarantine/$id.reason.json")" = state_inconsistent ]
	jq -r .reason "$S/quarantine/$id.reason.json" | grep -q "took effect"
	[ -d "$S/quarantine/$id/" ]
	[ ! -e "$S/active/$id" ]
	grep -q '"type":"execution.quarantined"' "$S"/events/*.jsonl
	[ "$(jq -r .status "$(where other)/state.json")" = completed ]
}

@test "REC: of many executions that are read at once each is taken over once, and damage is that of its own" {
	local k id damaged
	for ((k = 0; k < 60; k++)); do
		drop "w$k.yaml" <<-E
		name: w$k
		actions:
		- {id: b, actionDefinitionId: shell.run, inputs: {script: 'echo $k >> $T/ran'}, userConfirmation: {required: true, title: Go on?, message: now}}
		E
	done
	drain
	[ "$status" -eq 2 ]
	damaged=$(id_of w20)
	sed -e 's/"seq":1/"seq":2/' -e "s/sha256:[0-9a-f]*/sha256:$(sha256sum <"$(where w3)/journal/00000001.json" | cut -c 1-64)/" \
		"$(where w3)/journal/00000001.json" | head -c 90 >"$(where w3)/journal/00000002.json"
	chmod u+w "$(where w20)/plan.json"
	echo "{" >"$(where w20)/plan.json"
	ln -s ../executions/2026-01-01/019b0000-0000-7000-8000-000000000000 "$S/active/019b0000-0000-7000-8000-000000000000"
	daemon_start
	[ ! -L "$S/active/019b0000-0000-7000-8000-000000000000" ]
	[ "$(ls "$S/quarantine")" = "$(printf '%s\n' "$damaged" "$damaged.reason.json")" ]
	jq -r .reason "$S/quarantine/$damaged.reason.json" | grep -q "plan.json is damaged: line 2"
	[ -e "$(where w3)/journal/00000002.json.torn" ]
	for id in $(ls "$S/active"); do
		say "confirm/$id.b.approve"
	done
	wait_until eval '[ -z "$(ls "$S/active")" ]'
	daemon_stop
	[ "$(sort -n "$T/ran" | tr '\n' ' ')" = "$(seq 0 59 | grep -vx 20 | tr '\n' ' ')" ]
}

@test "EDGE-5: a history that was altered, reordered or cut in the middle shows" {
	waiting_execution
	id=$(id_of waits)
	first=$(where)/journal/00000001.json
	chmod u+w "$first"
	sed -i 's/"name":"waits"/"name":"waitz"/' "$first"
	if [ -x "$BIN/creel" ]; then
		status=0
		verify > "$T/said" || status=$?
		[ "$status" -eq 1 ]
		grep -q "does not follow what is before it" "$T/said"
	fi
	drain
	jq -r .reason "$S/quarantine/$id.reason.json" | grep -q "history was changed"
	[ "$(cat "$T/ran")" = a ]
}

@test "S0-STATELESS: a copy of a spool at work goes on elsewhere from its last whole commits" {
	command -v rsync >/dev/null
	jq -n --arg gate "$(gate go)" --arg ran "$T/ran" '{name: "chain", actions: [range(12) | {id: "a\(.)", actionDefinitionId: "shell.run",
		dependencies: (if . > 0 then ["a\(. - 1)"] else [] end),
		inputs: {script: (if . == 6 then $gate + "; echo 6 >> \($ran)" else "echo \(.) >> \($ran)" end)}}]}' | drop chain.json
	daemon_start
	wait_until sh -c "test -s '$S'/executions/*/*/actions/a6/1/lock"
	rsync -a "$S/" "$T/copy/"
	daemon_stop
	touch "$T/gates/go"
	original=$S
	S=$T/copy
	drain
	[ "$status" -eq 0 ]
	[ -z "$(ls "$S/quarantine")" ]
	grep -q "copy of one from elsewhere" "$T/log"
	is_state .status completed
	# What had completed before the copy was taken is not done again; the attempt that ran is lost in the copy, and
	# reported, and done again.
	[ "$(events '[.[] | select(.type == "action.lost") | .action] | join(" ")')" = a6 ]
	verify
	S=$original
	drain
	is_state .status completed
}

@test "EDGE-5: kill -9 of the daemon again and again: everything is done, nothing that completed is done twice" {
	jq -n --arg ran "$T/ran" '{name: "killed", maxConcurrency: 2, actions: [range(40) | {id: "a\(.)", actionDefinitionId: "shell.run",
		dependencies: (if . > 2 then ["a\(. - 3)"] else [] end), inputs: {script: "echo \(.) >> \($ran)"}}]}' | drop killed.json
	for n in 3 8 14 21 29 36; do
		daemon_start
		wait_until sh -c "test \$(cat '$S'/executions/*/*/journal/*.json 2>/dev/null | grep -o action.completed | wc -l) -ge $n"
		daemon_crash
	done
	drain
	[ "$status" -eq 0 ]
	[ "$(sort -n "$T/ran" | uniq | wc -l)" -eq 40 ]
	# Only the daemon died: its supervisors went on and were adopted, so nothing was lost or done twice.
	[ "$(wc -l < "$T/ran")" -eq 40 ]
	[ "$(events '[.[] | select(.type == "action.completed") | .action] | length')" -eq 40 ]
	# No event is missing in events/; after a crash one may stand there twice.
	events '.[] | "\(.seq) \(.type) \(.action // "")"' | sort -u > "$T/journal"
	cat "$S"/events/*.jsonl | jq -r '"\(.seq) \(.type) \(.action // "")"' | sort -u > "$T/told"
	diff "$T/journal" "$T/told"
	verify
}

# As after a power cut: another boot, and nothing is left of what ran.
power_cut() {
	if [ -n "$DAEMON" ]; then
		kill -STOP "$DAEMON"
		pgrep -P "$DAEMON" creel-run | xargs -r kill -KILL
		daemon_crash
		end_leftovers
		wait_until all_settled
	fi
	sed -i 's/^boot=.*/boot=00000000-0000-4000-8000-000000000000/' "$S/creeld.lock"
}

@test "EDGE-5: after a power cut that took creeld.lock's content an empty lock proves nothing" {
	drop lost.yaml <<-E
	name: lost
	actions:
	- {id: a, actionDefinitionId: shell.run, onLost: fail, inputs: {script: 'echo a >> $T/ran; $(gate a)'}}
	E
	daemon_start
	wait_until test -s "$T/ran"
	power_cut
	: >"$S/creeld.lock"
	: >"$(where)/actions/a/1/lock"
	drain
	[ "$status" -eq 1 ]
	[ "$(cat "$T/ran")" = a ]
	[ "$(events '[.[] | select(.type == "action.lost")] | length')" -eq 1 ]
}

@test "EDGE-5: files that a power cut left empty are made anew from the journal" {
	waiting_execution
	id=$(id_of waits)
	power_cut
	: >"$(where)/actions/a/1/output.json"
	: >"$S/confirm/$id.b.request.json"
	: >"$S/confirm/.$id.c.request.json.tmp" # a rename that was cut in two
	truncate -s -40 "$(where)/state.json" # its beginning is right
	drain
	[ "$status" -eq 2 ]
	is_state .status paused_for_confirmation
	[ "$(cat "$(where)/actions/a/1/output.json")" = '{"n":"1"}' ]
	[ "$(jq -r .action "$S/confirm/$id.b.request.json")" = b ]
	[ ! -e "$S/confirm/.$id.c.request.json.tmp" ]
	say "confirm/$id.b.approve"
	drain
	[ "$status" -eq 0 ]
	jq -r '.actionStates[].result.outputLocation | select(.) | "\(.checksum)  \(.path)"' "$(where)/state.json" >"$T/sums"
	cd "$(where)" && sha256sum -c "$T/sums"
}

@test "EDGE-5: the first daemon of a spool is killed by its first action: nothing that had not started counts as lost" {
	drop first.yaml <<-E
	name: first
	actions:
	- {id: a, priority: 1, actionDefinitionId: shell.run, inputs: {script: 'kill -9 \$(sed -n "s/^pid=//p" $S/creeld.lock); echo a >> $T/ran'}}
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'echo b >> $T/ran'}}
	- {id: c, actionDefinitionId: shell.run, inputs: {script: 'echo c >> $T/ran'}}
	E
	# Its first turn does not come to an end: whoever holds this lock holds up the flusher, when the start is durable.
	exec {held}>>"$S/events/$(date -u +%F).jsonl"
	flock "$held"
	drain --max-concurrency 1
	exec {held}>&-
	[ "$status" -eq 137 ]
	drain --max-concurrency 1
	[ "$status" -eq 0 ]
	[ "$(sort "$T/ran" | xargs)" = "a b c" ]
	[ "$(events '[.[] | select(.type == "action.lost")] | length')" -eq 0 ]
}

@test "EVT: a hole that a power cut left in events/ becomes blank, and what stood there is told again" {
	local day
	waiting_execution
	power_cut
	day=$(ls "$S"/events/*.jsonl)
	cp "$day" "$T/before"
	rm "$(where)/state.json"
	# Of the lines the first two, and half of the third, were not written; what follows was.
	size=$(head -n 2 "$T/before" | wc -c)
	{ head -c $((size + 40)) /dev/zero; tail -c +$((size + 41)) "$T/before"; } >"$day"
	[ "$(wc -c <"$day")" -eq "$(wc -c <"$T/before")" ]
	drain
	[ "$status" -eq 2 ]
	jq -cS . "$day" | sort -u >"$T/told"
	jq -cS . "$T/before" | sort -u >"$T/all"
	diff "$T/all" "$T/told"
}

@test "EVT: lines that were told again do not count as flushed" {
	waiting_execution
	: >"$(ls "$S"/events/*.jsonl)"
	rm "$(where)/state.json"
	drain
	[ "$status" -eq 2 ]
	[ "$(state .seq)" -gt 1 ]
	[ "$(state .eventsSeq)" -eq 0 ]
	# As if they had not been: they are told once more.
	: >"$(ls "$S"/events/*.jsonl)"
	drain
	[ "$(jq -r .seq "$S"/events/*.jsonl | sort -u | wc -l)" -eq "$(state .seq)" ]
}

# Of a result and the outputs, neither of which was flushed, a power cut may take one.
@test "EDGE-5: a result without its outputs is no result: the attempt is lost, and nothing goes on with half of a value" {
	for cut in 0 3 gone; do
		drop "$cut.yaml" <<-E
		name: "$cut"
		actions:
		- {id: a, actionDefinitionId: shell.run, onLost: fail, inputs: {script: 'echo v=12 > \$CREEL_OUTPUT; $(gate a)'}}
		- {id: b, actionDefinitionId: shell.run, dependencies: [a], inputs: {script: 'echo b >> $T/ran', env: {V: "\${a.output.v}"}}}
		E
	done
	daemon_start --max-concurrency 3
	wait_until eval '[ "$(cat "$S"/executions/*/*/actions/a/1/output | wc -l)" -eq 3 ]'
	daemon_crash
	open_gate a
	for cut in 0 3 gone; do
		wait_until test -e "$(where "$cut")/actions/a/1/result.json"
		if [ "$cut" = gone ]; then rm "$(where gone)/actions/a/1/output"; else truncate -s "$cut" "$(where "$cut")/actions/a/1/output"; fi
	done
	drain
	[ "$status" -eq 1 ]
	[ ! -e "$T/ran" ]
	for cut in 0 3 gone; do
		EX=$(id_of "$cut")
		[ "$(events '[.[] | select(.type == "action.lost") | .action] | join(" ")')" = a ]
		[ "$(state .actionStates.a.result.error.category)" = state_inconsistent ]
	done
}

zombie_is_made() {
	[ -s "$T/zombie" ] && grep -q '^State:[[:space:]]*Z' "/proc/$(cut -d ' ' -f 2 "$T/zombie")/status"
}

# A parent that left the session never reaps what it made there: the daemon must not wait for that.
@test "EDGE-5: what is left of a lost attempt is killed, and what has ended already is not waited for" {
	drop zombie.yaml <<-E
	name: zombie
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  onLost: fail
	  inputs:
	    script: |
	      echo \$\$ > $T/main
	      perl -MPOSIX -e '\$z = fork; exit 0 unless \$z; setsid; open F, ">", "$T/zombie"; print F "\$\$ \$z\n"; close F; sleep 60' &
	      wait
	E
	daemon_start
	wait_until zombie_is_made
	read -r parent zombie <"$T/zombie"
	supervisor=$(cut -d ' ' -f 4 "/proc/$(cat "$T/main")/stat")
	daemon_crash
	kill -KILL "$supervisor"
	strace -f -o "$T/calls" -e trace=kill "$BIN/creeld" --spool "$S" --drain 2>>"$T/log" 3>&- || :
	kill -KILL "$parent"
	[ "$(state .status)" = failed ]
	grep -q "kill($(cat "$T/main"), SIGKILL)" "$T/calls"
	not grep -q "kill($zombie," "$T/calls"
}

@test "EDGE-5: announcements of adopted attempts are cleared by the daemon that took them" {
	for n in 1 2 3 4 5 6; do
		echo "- {id: a$n, actionDefinitionId: shell.run, inputs: {script: '$(gate go)'}}"
	done | { echo "name: announced"; echo "actions:"; cat; } | drop announced.yaml
	daemon_start --max-concurrency 6
	wait_until eval '[ "$(cat "$S"/executions/*/*/actions/*/1/lock | wc -l)" -eq 6 ]'
	daemon_crash
	daemon_start --max-concurrency 6 --drain
	open_gate go
	wait_until ended "$DAEMON"
	DAEMON=
	is_state .status completed
	[ -z "$(ls "$S/results")" ]
}

@test "EDGE-5: a full disk stops the starts, is reported, and work goes on when there is room" {
	[ "$(id -u)" -eq 0 ] || skip "mounts need root"
	mkdir "$T/small"
	mount -t tmpfs -o size=2m,nr_inodes=400 none "$T/small" || skip "tmpfs cannot be mounted here"
	S=$T/small/spool
	spool_new "$S"
	jq -n --arg gate "$(gate go)" '{name: "full", actions: [{id: "a", actionDefinitionId: "shell.run", inputs: {script: $gate}},
		{id: "b", actionDefinitionId: "command", dependencies: ["a"], inputs: {command: "true"}}]}' | drop full.json
	daemon_start
	wait_until sh -c "test -s '$S'/executions/*/*/actions/a/1/lock"
	dd if=/dev/zero of="$T/small/fill" bs=64k 2>/dev/null || :
	n=0
	while touch "$T/small/inode.$n" 2>/dev/null; do n=$((n + 1)); done
	open_gate go
	wait_until grep -q "No space left on device" "$T/serving"
	rm "$T"/small/fill "$T"/small/inode.*
	wait_until is_state .status completed
	daemon_stop
	[ -z "$(ls "$S/quarantine")" ]
}
