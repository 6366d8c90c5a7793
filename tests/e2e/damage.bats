#!/usr/bin/env bats
# Damaged records: what creel verify finds, what its reasons say, and how an operator gets going again.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

creel() {
	"$BIN/creel" --spool "$S" "$@"
}

# An execution named $1 that waits for a person after its first action.
waits() {
	drop "$1.yaml" <<-E
	name: $1
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran; echo n=1 > "\$CREEL_OUTPUT"'}}
	- id: b
	  actionDefinitionId: shell.run
	  dependencies: [a]
	  inputs: {script: 'echo b >> $T/ran'}
	  userConfirmation: {required: true, title: Go on?, message: with b}
	E
	drain
	[ "$status" -eq 2 ]
}

ends() {
	drop "$1.yaml" <<-E
	name: $1
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo n=1 > "\$CREEL_OUTPUT"'}}
	E
	drain
}

# creel verify ends with $1 and says $2.
verify_says() {
	local expected=$1 words=$2
	shift 2
	status=0
	creel verify "$@" >"$T/said" 2>&1 || status=$?
	[ "$status" -eq "$expected" ] || { echo "status $status"; cat "$T/said"; return 1; }
	grep -q -- "$words" "$T/said" || { echo "not said: $words"; cat "$T/said"; return 1; }
}

damage_first_commit() {
	chmod u+w "$1/journal/00000001.json"
	sed -i 's/"name":"/"name":"X/' "$1/journal/00000001.json"
}

@test "EDGE-5: quarantine, put back from a backup, released: the execution goes on where it was" {
	waits one
	id=$(id_of one)
	dir=$(where one)
	rsync -a "$S/" "$T/backup/"
	damage_first_commit "$dir"
	verify_says 1 "does not follow what is before it.*the daemon puts it into quarantine at its next start"
	drain
	[ "$status" -eq 0 ]
	reason=$S/quarantine/$id.reason.json
	jq -r .reason "$reason" | grep -q "the history was changed"
	[ "$(jq -r .execution "$reason")" = "$id" ]
	verify_says 1 "it is in quarantine, and its reason there says what to do"
	# What the reason says, done to the letter.
	path=$(jq -r .path "$reason")
	jq -r .suggestion "$reason" | grep -q -F "rsync -a BACKUP/$path/journal BACKUP/$path/plan.json $path/"
	jq -r .suggestion "$reason" | grep -q -F "\"creel verify --repair $id\""
	chmod -R u+w "$dir/journal"
	rsync -a "$T/backup/$path/journal" "$T/backup/$path/plan.json" "$S/$path/"
	verify_says 1 "it is in quarantine, and adds up; creel verify --repair takes it out" "$id"
	verify_says 0 "repaired: quarantine/$id: .*moved to quarantine/aside/" --repair "$id"
	[ -L "$S/active/$id" ]
	[ ! -e "$reason" ]
	[ "$(find "$S/quarantine/aside" -name "$id.reason.json" | wc -l)" -eq 1 ]
	verify_says 0 "0 damaged"
	say "confirm/$id.b.approve"
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(paste -sd ' ' "$T/ran")" = "a b" ]
}

@test "EDGE-5: what was released while a daemon serves goes on without a restart" {
	waits one
	id=$(id_of one)
	cp -a "$(where)" "$T/backup"
	damage_first_commit "$(where)"
	printf 'rescan_sec: 0.2\n' >"$T/config.yaml"
	daemon_start --config "$T/config.yaml"
	wait_until test -e "$S/quarantine/$id.reason.json"
	chmod -R u+w "$(where)/journal"
	rsync -a "$T/backup/journal" "$(where)/"
	verify_says 0 repaired --repair "$id"
	wait_until test -e "$S/confirm/$id.b.request.json"
	say "confirm/$id.b.approve"
	wait_until is_state .status completed
	daemon_stop
}

@test "orphans: unfinished and not active, active and not there; --repair links the one and moves the other aside" {
	waits one
	id=$(id_of one)
	other=01a1fc7b-9a04-7000-9fb3-707953140dc8
	rm "$S/active/$id"
	ln -s "../executions/2026-11-21/$other" "$S/active/$other"
	verify_says 1 "active/$id: the execution has not ended and is not linked as active"
	grep -q "active/$other: it leads to an execution that is not there" "$T/said"
	verify_says 0 "repaired: active/$id" --repair
	[ -L "$S/active/$id" ]
	[ ! -e "$S/active/$other" ]
	find "$S/quarantine/aside" -name "$other" | grep -q "/active/$other"
	say "confirm/$id.b.approve"
	drain
	[ "$status" -eq 0 ]
}

@test "S0-STATE: an execution that creel state opens again is active, and the next daemon goes on with it" {
	drop bad.yaml <<-E
	name: bad
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo ran >> $T/ran; [ -e $T/fixed ]'}}
	E
	drain
	[ "$status" -eq 1 ]
	id=$(id_of bad)
	touch "$T/fixed"
	creel state update-status "$id" a pending
	[ -L "$S/active/$id" ]
	verify_says 0 "0 damaged"
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
	[ "$(wc -l <"$T/ran")" -eq 2 ]
}

@test "attempts, requests and results that no journal knows" {
	waits one
	id=$(id_of one)
	dir=$(where)
	# Made ready, never begun: nothing to worry about.
	mkdir "$dir/actions/b/1" 2>/dev/null || mkdir -p "$dir/actions/b/1"
	touch "$dir/actions/b/1/lock"
	verify_says 0 "actions/b/1: it was made ready for an attempt that never began"
	# Begun, and nobody knows of it.
	mkdir "$dir/actions/a/2" "$dir/actions/a/7"
	echo 'pid=1' >"$dir/actions/a/2/lock"
	touch "$dir/actions/a/7/result.json"
	mkdir -p "$dir/actions/zz/1" "$dir/actions/a/confirm-1" "$dir/actions/a/notes"
	touch "$S/results/$id.a.1.json" "$S/results/01a1fc7b-9a04-7000-9fb3-707953140dc8.a.1.json" "$S/results/x"
	touch "$S/tmp/$id.gone" "$S/tmp/$id.import" "$S/tmp/$id.9.tmp"
	verify_says 1 "actions/a/2: it is an attempt that the journal does not know"
	for words in "actions/a/7: it is an attempt that" "actions/zz/1: it is an attempt that" "actions/a/confirm-1: it is of a request" \
		"actions/a/notes: no execution has" "results/$id.a.1.json: a result was announced and not taken" \
		"results/01a1fc7b.*: it is a result that nobody waits for" "results/x: its name is not of a result" \
		"tmp/$id.gone: it is what is left of an execution" "tmp/$id.import: it is what is left of an import" \
		"tmp/$id.9.tmp: it was being written"; do
		grep -q "$words" "$T/said" || { echo "not said: $words"; cat "$T/said"; false; }
	done
	# Beside a daemon they may be in use: nothing is moved.
	daemon_start
	status=0
	creel verify --repair >"$T/said" || status=$?
	[ -e "$dir/actions/a/7/result.json" ]
	daemon_stop
	verify_says 0 "moved to quarantine/aside/.*/actions/a/7" --repair
	[ ! -e "$dir/actions/a/7" ]
	[ ! -e "$dir/actions/zz/1" ]
	[ -e "$(find "$S/quarantine/aside" -path "*/actions/a/7/result.json")" ]
	say "confirm/$id.b.approve"
	drain
	[ "$status" -eq 0 ]
}

@test "S0-STATE: a state.json that says another thing, is torn, or is gone, is damage, and creel rebuild makes it anew" {
	ends one
	id=$(id_of one)
	file=$(where)/state.json
	cp "$file" "$T/good"
	for change in 's/"status":"completed"/"status":"failed"/' 's/"attempts":1/"attempts":2/' 's/"seq":[0-9]*/"seq":99/'; do
		sed -i "$change" "$file"
		verify_says 1 "damage: .*state.json"
		creel rebuild "$id" >"$T/said" || [[ $change == *99* ]]
		[[ $change != *99* ]] || cp "$T/good" "$file"
		verify_says 0 "0 damaged"
	done
	truncate -s 100 "$file"
	verify_says 1 "it is not whole; creel rebuild"
	rm "$file"
	verify_says 1 "it is not there; creel rebuild"
	creel rebuild "$id"
	diff <(jq 'del(.eventsSeq)' "$T/good") <(jq 'del(.eventsSeq)' "$file")
	verify_says 0 "0 damaged"
}

@test "outputs: --outputs compares digests, and creel rebuild writes those again that the journal holds" {
	ends one
	id=$(id_of one)
	output=$(where)/actions/a/1/output.json
	cp "$output" "$T/good"
	echo '{"n":"2"}' >"$output"
	verify_says 0 "0 damaged"
	verify_says 1 "is not the output that its journal speaks of" --outputs
	creel rebuild "$id" | grep -q "output.json made anew"
	cmp "$output" "$T/good"
	verify_says 0 "0 damaged" --outputs
	rm "$output" "$(where)/empty.json"
	verify_says 1 "output.json" --outputs
	creel rebuild "$id"
	cmp "$output" "$T/good"
	[ "$(cat "$(where)/empty.json")" = "{}" ]
	verify_says 0 "0 damaged" --outputs
}

@test "EDGE-5: a torn last commit that took no effect is a warning, with a daemon or without" {
	waits one
	id=$(id_of one)
	last=$(ls "$(where)"/journal/*.json | tail -1)
	chmod u+w "$last"
	truncate -s 40 "$last"
	rm "$S/confirm/$id.b.request.json" "$(where)/state.json"
	grep -v '"seq":2' "$S"/events/*.jsonl >"$T/events" || :
	cp "$T/events" "$(ls "$S"/events/*.jsonl)"
	verify_says 0 "its last commit is damaged, and nothing shows that it took effect; the daemon sets it aside"
	drain
	[ "$status" -eq 2 ]
	verify_says 0 "0 damaged, 0 warnings"
}

@test "verify beside a daemon at work finds nothing wrong, however often it looks" {
	local n
	jq -n '{name: "busy", maxConcurrency: 4, actions: [range(80) | {id: "a\(.)", actionDefinitionId: "shell.run",
		dependencies: (if . > 3 then ["a\(. - 4)"] else [] end), inputs: {script: "echo n=1 > $CREEL_OUTPUT"}}]}' >"$T/busy.json"
	daemon_start --max-concurrency 4
	for n in 1 2 3 4 5; do
		drop "busy$n.json" <"$T/busy.json"
		status=0
		creel verify >"$T/said" 2>&1 || status=$?
		[ "$status" -eq 0 ] || { cat "$T/said"; false; }
	done
	wait_until eval '[ "$(ls "$S"/executions/*/ | wc -l)" -eq 5 ]'
	for ((n = 0; n < 100; n++)); do
		status=0
		creel verify >"$T/said" 2>&1 || status=$?
		[ "$status" -eq 0 ] || { cat "$T/said"; false; }
		[ -n "$(ls "$S/active")" ] || break
	done
	daemon_stop
	verify_says 0 "5 executions, .*0 damaged, 0 warnings"
}
