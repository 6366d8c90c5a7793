#!/usr/bin/env bats
# What is dropped, however it is dropped; and daemons that die, and come back.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

good() {
	echo "{\"name\":\"${1:-good}\",\"actions\":[{\"id\":\"a\",\"actionDefinitionId\":\"command\",\"inputs\":{\"command\":\"true\"}}]}"
}

# What the error file of the refused file *-$1 says.
refused() {
	jq -r "${2:-.message}" "$S"/rejected/*-"$1".error.json
}

is_refused() {
	[ -n "$(refused "$1" 2>/dev/null)" ]
}

executions() {
	ls -d "$S"/executions/*/* 2>/dev/null | wc -l
}

count_is() {
	[ "$(executions)" -eq "$1" ]
}

all_completed() {
	[ "$(cat "$S"/executions/*/*/state.json | jq -rs 'map(.status == "completed") | length == '"$1"' and all')" = true ]
}

nothing_active() {
	[ -z "$(ls "$S/active")" ]
}

# --- good and bad together ---

@test "EDGE-2: twenty wrong plans at once are all refused with useful errors while good ones run" {
	n=0
	for dir in "$CORPUS"/invalid/*/; do
		[ $n -lt 20 ] || break
		n=$((n + 1))
		for f in "$dir"input.*; do cp "$f" "$T/bad$n.${f##*.}"; done
	done
	for k in 1 2 3 4 5; do good "good$k" >"$T/good$k.json"; done
	mv "$T"/bad*.* "$T"/good*.json "$S/inbox/"
	drain
	[ "$status" -eq 0 ]
	[ "$(executions)" -eq 5 ]
	all_completed 5
	[ "$(ls "$S"/rejected/*.error.json | wc -l)" -eq 20 ]
	[ "$(ls "$S/rejected" | wc -l)" -eq 40 ]
	[ "$(jq -s 'map((.message | length > 0) and .line >= 1 and .column >= 1 and (.errors | length >= 1) and .category == "validation_failed"
		and (.file | startswith("bad"))) | all' "$S"/rejected/*.error.json)" = true ]
	[ "$(jq -r .type "$S"/events/*.jsonl | grep -c plan.rejected)" -eq 20 ]
	[ -z "$(find "$S/inbox" "$S/tmp" "$S/active" -mindepth 1)" ]
}

@test "EDGE-2: an unknown action is refused with place, pointer and suggestion; the file is kept as it was" {
	cat >"$T/p.yaml" <<-'E'
	name: typo
	actions:
	- {id: build, actionDefinitionId: command, inputs: {command: "true"}}
	- id: test
	  actionDefinitionId: command
	  inputs: {command: "true"}
	  dependencies: [biuld]
	E
	cp "$T/p.yaml" "$T/kept"
	mv "$T/p.yaml" "$S/inbox/"
	drain
	[ "$status" -eq 0 ]
	[ "$(refused p.yaml '[.file, .line, .column, .pointer, .message, .suggestion, .uid] | map(tostring) | join("|")')" = \
		"p.yaml|7|18|/actions/1/dependencies/0|there is no action \"biuld\"|did you mean \"build\"?|$(id -u)" ]
	cmp "$T/kept" "$S"/rejected/*-p.yaml
}

# --- ways to drop ---

@test "ORCH-001: yaml, yml and json, by mv, by cp and by a shell that writes slowly" {
	daemon_start
	printf 'name: one\nactions:\n- {id: a, actionDefinitionId: command, inputs: {command: "true"}}\n' >"$T/one"
	cp "$T/one" "$S/inbox/one.yaml"
	cp "$T/one" "$T/two.yml"
	mv "$T/two.yml" "$S/inbox/"
	good three >"$S/inbox/three.json"
	wait_until count_is 3
	wait_until all_completed 3
	[ "$(ls "$S"/executions/*/*/source.* | sed 's/.*\.//' | sort | xargs)" = "json yaml yml" ]
}

# ATK-HALF
@test "ORCH-001: a file that is open for writing is left until it is closed" {
	daemon_start
	exec 7>"$S/inbox/slow.json"
	good slow | head -c 20 >&7
	# One that was dropped later is through: the slow one was seen, and left.
	good quick | drop quick.json
	wait_until all_completed 1
	good quick2 | drop quick2.json
	wait_until all_completed 2
	[ -e "$S/inbox/slow.json" ]
	good slow | tail -c +21 >&7
	exec 7>&-
	wait_until all_completed 3
	[ -z "$(ls "$S/rejected")" ]
}

@test "ORCH-001: names that begin with a dot, or end in ~ .tmp .swp .part are left alone" {
	for name in .hidden.json back.json~ a.tmp b.swp c.part; do good >"$S/inbox/$name"; done
	drain
	[ "$status" -eq 0 ]
	[ "$(executions)" -eq 0 ]
	[ "$(ls -A "$S/inbox" | wc -l)" -eq 5 ]
	[ -z "$(ls "$S/rejected")" ]
}

# --- what is no plain file ---

# ATK-SYMLINK ATK-HARDLINK ATK-FIFO ATK-DIR ATK-UTF8
@test "SEC: FIFO, links, directory, a name without an ending, an oversized and an unreadable name are refused, none stops the daemon" {
	good secret >"$T/secret.json"
	mkfifo "$S/inbox/fifo.json"
	ln -s "$T/secret.json" "$S/inbox/symlink.json"
	ln -s /nowhere "$S/inbox/dangling.yaml"
	ln "$T/secret.json" "$S/inbox/hard.json"
	mkdir "$S/inbox/dir.yaml"
	good >"$S/inbox/noending"
	good >"$S/inbox/$(printf 'bad\377name.json')"
	head -c 17000000 /dev/zero | tr '\0' ' ' >"$S/inbox/huge.json"
	: >"$S/inbox/empty.yaml"
	good fine >"$S/inbox/fine.json"
	drain
	[ "$status" -eq 0 ]
	[ "$(executions)" -eq 1 ]
	all_completed 1
	[ -z "$(ls -A "$S/inbox")" ]
	[[ $(refused fifo.json) == *"regular file"* ]]
	[[ $(refused symlink.json) == *"regular file"* ]]
	[[ $(refused dangling.yaml) == *"regular file"* ]]
	[[ $(refused dir.yaml) == *"regular file"* ]]
	[[ $(refused hard.json) == *link* ]]
	[[ $(refused noending) == *.yaml* ]]
	[[ $(refused huge.json) == *larger* ]]
	[[ $(refused empty.yaml) == *empty* ]]
	[ "$(grep -l 'UTF-8' "$S"/rejected/*.error.json | wc -l)" -eq 1 ]
	# Every refused thing was kept, whatever it is.
	[ "$(find "$S/rejected" -mindepth 1 -maxdepth 1 ! -name '*.error.json' | wc -l)" -eq 9 ]
}

# --- one daemon a spool ---

@test "ORCH-001: a second daemon is refused in plain words" {
	daemon_start
	drain
	[ "$status" -eq 75 ]
	grep -q "another creeld (pid $DAEMON) serves" "$T/log"
	kill -0 "$DAEMON"
}

@test "ORCH-014: --drain exits 0 if all completed, 1 if any did not, 2 if people are awaited" {
	drain
	[ "$status" -eq 0 ]
	good | drop a.json
	drain
	[ "$status" -eq 0 ]
	drop ask.json <<<'{"name":"ask","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"true"},"userConfirmation":{"required":true,"title":"t","message":"m"}}]}'
	drain
	[ "$status" -eq 2 ]
	drop bad.json <<<'{"name":"bad","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"false"}}]}'
	say "confirm/$(id_of ask).a.approve"
	drain
	[ "$status" -eq 1 ]
	drain
	[ "$status" -eq 0 ]
}

# --- daemons that go and come back ---

drop_gated() {
	drop gated.yaml <<-E
	name: gated
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: "echo x >> $T/runs; $(gate on); echo done; echo v=7 > \"\$CREEL_OUTPUT\""}}
	- {id: b, actionDefinitionId: command, inputs: {command: echo, args: ["\${a.output.v}"]}, dependencies: [a]}
	E
}

running() {
	[ -s "$T/runs" ] && [ -s "$(where)/actions/a/1/lock" ]
}

finished_right() {
	EX=$(id_of gated)
	is_state '[.status, .actionStates.a.attempts] | map(tostring) | join(" ")' "completed 1"
	[ "$(wc -l <"$T/runs")" -eq 1 ]
	[ "$(stdout_of a)" = done ]
	[ "$(stdout_of b)" = 7 ]
}

@test "S0-STATELESS: SIGTERM leaves actions running, and the next daemon adopts them" {
	drop_gated
	daemon_start
	wait_until running
	daemon_stop
	[ "$status" -eq 0 ]
	read -r pid rest <"$(where)/actions/a/1/lock"
	kill -0 "${pid#pid=}"
	[ ! -e "$(where)/actions/a/1/result.json" ]
	daemon_start
	wait_until eval '[ "$(events "[.[] | select(.type == \"action.adopted\")] | length")" -eq 1 ]'
	open_gate on
	wait_until nothing_active
	finished_right
}

@test "S0-STATELESS: a result that comes while no daemon is there is taken by the next" {
	drop_gated
	daemon_start
	wait_until running
	daemon_stop
	open_gate on
	wait_until test -e "$(where)/actions/a/1/result.json"
	drain
	[ "$status" -eq 0 ]
	finished_right
	[ -z "$(ls "$S/results")" ]
}

@test "EDGE-5: kill -9 of the daemon in the middle: nothing is lost, nothing is done twice" {
	drop_gated
	daemon_start
	wait_until running
	daemon_crash
	daemon_start
	open_gate on
	wait_until nothing_active
	finished_right
	[ "$(events '[.[] | select(.type == "action.execute.requested" and .action == "a")] | length')" -eq 1 ]
}

@test "EDGE-5: kill -9 of daemon, supervisor and action together: the attempt is lost and runs again" {
	drop_gated
	daemon_start
	wait_until running
	read -r pid rest <"$(where)/actions/a/1/lock"
	run=$(ps -o ppid= -p "${pid#pid=}" | tr -d ' ')
	kill -9 "$DAEMON" "$run" "${pid#pid=}"
	daemon_crash
	open_gate on
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(wc -l <"$T/runs")" -eq 2 ]
	[ "$(events '[.[] | select(.type == "action.lost") | .then] | join(" ")')" = rerun ]
	# What its shell had left behind is not running any more.
	[ "$(events '[.[] | select(.type == "action.completed") | [.action, .attempt]] | tojson')" = '[["a",2],["b",1]]' ]
}

@test "EDGE-5: crash after crash, a chain of twenty completes each action once" {
	jq -n --arg t "$T" '{name: "chain", actions: [range(20) | {id: "s\(.)", actionDefinitionId: "shell.run",
		inputs: {script: "echo \(.) >> \($t)/order"}, dependencies: (if . > 0 then ["s\(. - 1)"] else [] end)}]}' | drop chain.json
	for k in 3 6 9 12 15; do
		daemon_start
		wait_until eval "[ \"\$(cat '$T/order' 2>/dev/null | wc -l)\" -ge $k ]"
		daemon_crash
	done
	drain
	[ "$status" -eq 0 ]
	[ "$(xargs <"$T/order")" = "$(seq 0 19 | xargs)" ]
	is_state .metrics.completedActions 20
	starts_after_ends
	[ -z "$(find "$S/active" "$S/results" "$S/tmp" -mindepth 1)" ]
}

@test "ORCH-001: a claim that a crash left behind is finished, once" {
	id=$(date +%s%3N | xargs printf '%012x' | sed 's/\(.\{8\}\)\(.\{4\}\)/\1-\2/')-7abc-8def-0123456789ab
	mkdir "$S/tmp/$id"
	good claimed >"$S/tmp/$id/claim.json"
	mkdir -p "$S/tmp/$id/new/journal"
	echo half >"$S/tmp/$id/new/plan.json"
	drain
	[ "$status" -eq 0 ]
	[ "$(executions)" -eq 1 ]
	[ "$(id_of claimed)" = "$id" ]
	all_completed 1
	[ -z "$(ls "$S/tmp")" ]
	# The claim of an execution that is in place is dropped.
	mkdir "$S/tmp/$id"
	good claimed >"$S/tmp/$id/claim.json"
	drain
	[ "$(executions)" -eq 1 ]
	[ -z "$(ls "$S/tmp" "$S/active" | grep -v :)" ]
}

@test "S0-STATELESS: state.json can be lost: it is rebuilt from the journal" {
	drop ask.json <<<'{"name":"ask","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"true"},"userConfirmation":{"required":true,"title":"t","message":"m"}}]}'
	drain
	[ "$status" -eq 2 ]
	cp "$(where)/state.json" "$T/before"
	rm "$(where)/state.json" "$S/confirm/$(id_of).a.request.json"
	drain
	[ "$status" -eq 2 ]
	[ -e "$S/confirm/$(id_of).a.request.json" ]
	diff <(jq -S 'del(.eventsSeq)' "$T/before") <(jq -S 'del(.eventsSeq)' "$(where)/state.json")
}

@test "EDGE-5: a request that was answered before a crash is taken away at the next start" {
	drop ask.yaml <<-E
	name: ask
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: "$(gate on)"}
	  userConfirmation: {required: true, title: t, message: m}
	E
	drain
	[ "$status" -eq 2 ]
	cp "$S/confirm/$(id_of).a.request.json" "$T/request"
	daemon_start
	say "confirm/$(id_of).a.approve"
	wait_until eval '[ "$(status_of a)" = running ]'
	daemon_crash
	mv "$T/request" "$S/confirm/$(id_of).a.request.json"
	daemon_start
	wait_until test ! -e "$S/confirm/$(id_of).a.request.json"
	open_gate on
	wait_until all_completed 1
}

@test "S0-STATELESS: a spool that was copied while it ran continues from the copy" {
	drop ask.json <<<'{"name":"ask","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"true"},"userConfirmation":{"required":true,"title":"t","message":"m"}}]}'
	daemon_start
	wait_until eval '[ -e "$S/confirm/$(id_of).a.request.json" ]'
	cp -a "$S" "$T/copy"
	daemon_stop
	S=$T/copy
	rm "$S"/active/* "$S"/confirm/*.json
	drain
	[ "$status" -eq 2 ]
	say "confirm/$(id_of).a.approve"
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
}

@test "SEC: damage to one execution's journal sets it apart and leaves the others alone" {
	for name in hurt well; do
		drop $name.json <<<"{\"name\":\"$name\",\"actions\":[{\"id\":\"a\",\"actionDefinitionId\":\"command\",\"inputs\":{\"command\":\"true\"}},{\"id\":\"b\",\"actionDefinitionId\":\"command\",\"dependencies\":[\"a\"],\"inputs\":{\"command\":\"true\"},\"userConfirmation\":{\"required\":true,\"title\":\"t\",\"message\":\"m\"}}]}"
	done
	drain
	[ "$status" -eq 2 ]
	hurt=$(where hurt) well=$(id_of well)
	chmod 644 "$hurt/journal/00000001.json"
	sed -i 's/"hurt"/"harm"/' "$hurt/journal/00000001.json"
	say "confirm/$well.b.approve"
	drain
	[ "$(jq -r .status "$S/executions/"*"/$well/state.json")" = completed ]
	[ -L "$S/quarantine/$(basename "$hurt")" ]
	[ "$(jq -r '.reason | length > 0' "$S/quarantine/$(basename "$hurt").reason.json")" = true ]
	[ "$(cat "$S"/events/*.jsonl | jq -r 'select(.type == "execution.quarantined") | .execution')" = "$(basename "$hurt")" ]
}
