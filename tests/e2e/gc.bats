#!/usr/bin/env bats
# How long things are kept: creel gc, and the daemon's retention.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

creel() {
	"$BIN/creel" --spool "$S" "$@"
}

# An execution named $1 that ends as $2 says: completed, failed or asking.
one() {
	local script=true more=
	[ "$2" != failed ] || script='exit 1'
	[ "$2" != asking ] || more='userConfirmation: {required: true, title: Go on?, message: now}'
	drop "$1.yaml" <<-E
	name: $1
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: '$script'}, $more}
	E
}

# parent: an execution that runs another, "child".
family() {
	mkdir -p "$S/catalog/plans"
	printf 'name: child\nactions:\n- {id: c, actionDefinitionId: command, inputs: {command: "true"}}\n' \
		>"$S/catalog/plans/child.yaml"
	drop parent.yaml <<-'E'
	name: parent
	actions:
	- {id: a, actionDefinitionId: plan.run, inputs: {plan: child}}
	- {id: b, actionDefinitionId: command, inputs: {command: "true"}}
	E
}

# The names of the plans of what is there, sorted.
there() {
	local dir
	for dir in "$S"/executions/*/*/; do
		[ ! -e "$dir/plan.json" ] || jq -r .name "$dir/plan.json"
	done | sort | paste -sd ' '
}

removed_in_events() {
	cat "$S"/events/*.jsonl | jq -r 'select(.type == "execution.removed") | .execution' | sort -u | wc -l
}

is_gone() {
	[ -z "$(there)" ]
}

@test "PIPE-FAILED: retention by age and by status: failed ones stay longer, active ones stay" {
	one good completed
	one bad failed
	one waits asking
	drain
	[ "$status" -eq 2 ]
	cat >"$T/config.yaml" <<-E
	retention:
	  keep_days: 0
	  by_status: {failed: {keep_days: 365}}
	E
	creel gc --config "$T/config.yaml" --dry-run >"$T/said"
	grep -q "good: ended .* ago, kept for 0 seconds" "$T/said"
	grep -q "would remove 1 execution (" "$T/said"
	[ "$(there)" = "bad good waits" ]
	id=$(id_of good)
	creel gc --config "$T/config.yaml" >"$T/said"
	grep -q "removed 1 execution (" "$T/said"
	[ "$(there)" = "bad waits" ]
	# It stands in events/, and nothing lies around.
	[ "$(jq -r "select(.type == \"execution.removed\" and .execution == \"$id\") | .status" "$S"/events/*.jsonl)" = completed ]
	[ -z "$(ls "$S/tmp")" ]
	creel verify --quiet
	# What waited goes on as if nothing had been.
	say "confirm/$(id_of waits).a.approve"
	drain
	[ "$(there)" = "bad waits" ]
	[ "$(state_named waits .status)" = completed ]
}

state_named() {
	jq -r "$2" "$(where "$1")/state.json"
}

@test "retention by count takes those that ended first; --status and --min-days narrow it down" {
	for n in 1 2 3 4; do
		one "p$n" "$([ "$n" = 2 ] && echo failed || echo completed)"
		drain
	done
	[ "$(creel gc --max-executions 2 --min-days 1)" = "removed nothing" ]
	creel gc --max-executions 1 --status completed --json >"$T/json"
	[ "$(jq -r '[.executions[].name] | join(" ")' "$T/json")" = "p1 p3" ]
	[ "$(jq -r '.executions[0].reason' "$T/json")" = "more than 1 executions" ]
	[ "$(there)" = "p2 p4" ]
	creel gc --max-executions 0 -q
	is_gone
}

@test "retention by size takes the oldest until the rest fits" {
	for n in 1 2 3; do
		drop "p$n.yaml" <<-E
		name: p$n
		actions:
		- {id: a, actionDefinitionId: shell.run, inputs: {script: 'head -c 300000 /dev/zero > "\$CREEL_DIR/x"'}}
		E
		drain
	done
	[ "$(creel gc --max-bytes 2M)" = "removed nothing" ]
	creel gc --max-bytes 800K -q
	[ "$(there)" = "p2 p3" ]
}

@test "RUN-TREE: what belongs together goes together, and stays while one of it is not over" {
	family
	drain
	child=$(id_of child)
	# Somebody looks at the child: its parent stays, too.
	ln -s "../executions/$(date -u +%F)/$child" "$S/quarantine/$child"
	[ "$(creel gc --keep-days 0)" = "removed nothing" ]
	rm "$S/quarantine/$child"
	creel gc --keep-days 0 --dry-run >"$T/said"
	grep -q "child, with it" "$T/said"
	[ "$(creel gc --keep-days 0 --break-trees --max-executions 0 --status failed)" = "removed nothing" ]
	creel gc --keep-days 0 -q
	is_gone
	[ "$(removed_in_events)" -eq 2 ]
}

@test "what does not say that it ended stays, with a word about it" {
	one good completed
	one other completed
	drain
	rm "$(where good)/state.json"
	last=$(ls "$(where other)"/journal/*.json | tail -1)
	mv "$last" "$T/last"
	status=0
	creel gc --keep-days 0 >"$T/said" 2>&1 || status=$?
	[ "$status" -eq 1 ]
	[ "$(there)" = "good other" ]
	grep -q "$(id_of good) stays: its records do not say that it ended" "$T/said"
	grep -q "$(id_of other) stays: state.json does not reflect its last commit" "$T/said"
	mv "$T/last" "$last"
	creel rebuild "$(id_of good)"
	creel gc --keep-days 0 -q
	is_gone
}

@test "RUN-MANUAL: a retry of what was removed is refused in so many words, and so is every look at it" {
	one bad failed
	drain
	id=$(id_of bad)
	daemon_start
	creel gc --keep-days 0 -q
	say "control/$id.a.retry"
	wait_until sh -c "test -e '$S'/rejected/*.error.json"
	jq -r .message "$S"/rejected/*.error.json | grep -q "there is no execution $id: it never was here, or creel gc has removed it"
	status=0
	creel show "$id" 2>"$T/said" || status=$?
	[ "$status" -eq 1 ]
	grep -q "creel gc removed it" "$T/said"
	daemon_stop
}

@test "what an action left behind goes, too: read-only, deep, links that lead elsewhere" {
	mkdir "$T/mine"
	touch "$T/mine/file"
	drop p.yaml <<-E
	name: p
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs:
	    script: |
	      cd "\$CREEL_DIR"
	      ln -s $T/mine link; mkfifo fifo; mkdir -p ro/below; touch ro/below/x; chmod 555 ro/below ro
	      n=0; while [ \$n -lt 300 ]; do mkdir d; touch f; cd d; n=\$((n + 1)); done
	E
	drain
	[ "$status" -eq 0 ]
	creel gc --keep-days 0 -q
	is_gone
	[ -z "$(ls -A "$S/tmp")" ]
	[ -e "$T/mine/file" ]
}

@test "events/, rejected/ and days that are empty: by age, and never what recovery may need" {
	one waits asking
	drain
	mkdir "$S/executions/2020-01-01" "$S/executions/2020-01-02"
	touch "$S/executions/2020-01-02/notes"
	echo '{}' >"$S/events/2020-01-01.jsonl"
	cp "$S/events/2020-01-01.jsonl" "$S/events/notes.jsonl"
	for n in 20200101T000000000Z-old.yaml "20200101T000000000Z.2-old.yaml" "$(date -u +%Y%m%dT%H%M%S000Z)-new.yaml"; do
		touch "$S/rejected/$n" "$S/rejected/$n.error.json"
	done
	mkdir "$S/rejected/20200101T000000000Z-dir"
	touch "$S/rejected/20200101T000000000Z-dir/x" "$S/rejected/20200101T000000000Z-dir.error.json" "$S/rejected/mine"
	# Something is active and no daemon serves: the next one reads the end of events/.
	creel gc --events-days 3 --rejected-days 7 >"$T/said" 2>&1
	grep -q "events/ stays as it is" "$T/said"
	grep -q "removed 6 files of rejected/, 1 empty day" "$T/said"
	[ -e "$S/events/2020-01-01.jsonl" ]
	[ "$(ls "$S/rejected" | wc -l)" -eq 3 ]
	[ ! -e "$S/executions/2020-01-01" ]
	[ -e "$S/executions/2020-01-02/notes" ]
	say "confirm/$(id_of waits).a.approve"
	drain
	[ "$(creel gc --events-days 3)" = "removed 1 file of events/" ]
	[ -e "$S/events/notes.jsonl" ]
	[ -e "$S/events/$(date -u +%F).jsonl" ]
	status=0
	creel gc --events-days 1 2>"$T/said" || status=$?
	[ "$status" -eq 2 ]
	grep -q "number of days from 3" "$T/said"
}

@test "the daemon does it by itself, in a process of its own, and what is at work is not touched" {
	cat >"$T/config.yaml" <<-E
	rescan_sec: 1
	retention: {max_executions: 1, every_sec: 0.1, archive: $T/kept, rejected_days: 0}
	E
	mkdir "$T/kept"
	drop waits.yaml <<-E
	name: waits
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: '$(gate go)'}}
	E
	daemon_start --config "$T/config.yaml"
	for n in 1 2 3; do one "p$n" completed; done
	echo 'nonsense: [' >"$S/inbox/bad.yaml"
	wait_until eval '[ "$(removed_in_events)" -eq 2 ] && [ -z "$(ls "$S/rejected"; ls "$S/tmp")" ]'
	open_gate go
	wait_until eval '[ "$(removed_in_events)" -eq 3 ]'
	[ "$(there)" = waits ]
	daemon_stop
	grep -q "creel gc info: retention: removed 2 executions\|creel gc info: retention: removed 1 execution" "$T/log"
	for f in "$T"/kept/*.tar.zst; do tar -tf "$f" >>"$T/names"; done
	[ "$(grep -c 'plan.json$' "$T/names")" -eq 3 ]
	creel verify --quiet
}

@test "EDGE-5: what an interrupted removal left is cleared at the next start, without any retention" {
	one good completed
	drain
	id=$(id_of good)
	mv "$(where good)" "$S/tmp/$id.gone"
	rm "$S/tmp/$id.gone/plan.json"
	creel verify --quiet
	daemon_start
	wait_until eval '[ -z "$(ls "$S/tmp")" ]'
	[ "$(removed_in_events)" -eq 1 ]
	daemon_stop
}

@test "one gc at a time; and only as the user whose spool it is" {
	one good completed
	drain
	exec 8<"$S/executions"
	flock --nonblock 8
	status=0
	creel gc --keep-days 0 2>"$T/said" || status=$?
	[ "$status" -eq 2 ]
	grep -q "another creel gc or creel import is at work" "$T/said"
	exec 8<&-
	if [ "$(id -u)" -eq 0 ]; then
		chown 1 "$S/executions"
		status=0
		creel gc --keep-days 0 2>"$T/said" || status=$?
		[ "$status" -eq 2 ]
		grep -q "belongs to uid 1: run this as that user" "$T/said"
		chown 0 "$S/executions"
	fi
	creel gc --keep-days 0 -q
	is_gone
}

@test "without limits nothing is removed, and limits that are wrong are refused with what they should be" {
	one good completed
	drain
	for words in "" "--keep-days x" "--keep-days -1" "--max-bytes 5X" "--max-executions many" "--keep-days 1 --status open" \
		"--keep-days 1 nonsense" "--config $T/none.yaml"; do
		status=0
		# shellcheck disable=SC2086
		creel gc $words >"$T/said" 2>&1 || status=$?
		[ "$status" -eq 2 ] || { echo "$words: $status"; false; }
	done
	for lines in 'keep_days: -1' 'keep_days: many' 'by_status: {running: {keep_days: 1}}' 'events_days: 1' 'archive: here' \
		'keep: 3' 'archive_format: zip' 'every_sec: 0'; do
		printf 'retention:\n  %s\n' "$lines" >"$T/config.yaml"
		status=0
		creel gc --config "$T/config.yaml" >"$T/said" 2>&1 || status=$?
		[ "$status" -eq 2 ] || { echo "$lines: $status"; false; }
		grep -q "config.yaml:2:" "$T/said" || { cat "$T/said"; false; }
	done
	[ "$(there)" = good ]
}

@test "an archive is whole before anything is removed, and is never written over another" {
	family
	one good completed
	drain
	ids=$(ls "$S"/executions/*/ | sort)
	for suffix in tar tar.gz tgz tar.zst; do
		rm -rf "$T/copy"
		cp -a "$S" "$T/copy"
		"$BIN/creel" --spool "$T/copy" gc --keep-days 0 --archive "$T/a.$suffix" >"$T/said"
		tar -C "$T" -tf "$T/a.$suffix" | sed -n 's|^executions/[^/]*/\([^/]*\)/plan.json$|\1|p' | sort >"$T/names"
		[ "$(cat "$T/names")" = "$ids" ]
		[ -z "$(ls "$T"/copy/executions/*/)" ]
		grep -h execution.removed "$T"/copy/events/*.jsonl | jq -r .archive | sort -u | grep -qx "$T/a.$suffix"
	done
	[ "$(find "$T" -maxdepth 1 -name '.a.*' | wc -l)" -eq 0 ]
	for bad in "$T/a.tar.zst" "$T/a.zip" "$T/none/a.tar"; do
		status=0
		creel gc --keep-days 0 --archive "$bad" 2>"$T/said" || status=$?
		[ "$status" -eq 2 ] || { echo "$bad: $status"; false; }
	done
	[ "$(there)" = "child good parent" ]
	# tar puts it back as it was.
	rm -rf "$T/copy"
	"$BIN/creel" init -q "$T/copy"
	tar -C "$T/copy" -xf "$T/a.tar.gz"
	"$BIN/creel" --spool "$T/copy" verify --quiet
	# What no execution has stays where it is, and its execution with it.
	echo mine >"$(where good)/notes"
	status=0
	creel gc --keep-days 0 --archive "$T/b.tar" 2>"$T/said" || status=$?
	[ "$status" -eq 1 ]
	grep -q "an archive would not have all of it: .*/notes: no execution has a file of that name" "$T/said"
	[ "$(there)" = good ]
}

@test "what cannot be read is not archived, and stays" {
	one good completed
	drop bad.yaml <<-'E'
	name: bad
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo x > "$CREEL_DIR/mine"'}}
	E
	drain
	status=0
	strace -f -qq -o /dev/null -P "$(where bad)/actions/a/1/mine" -e trace=read -e inject=read:error=EIO \
		"$BIN/creel" --spool "$S" gc --keep-days 0 --archive "$T/a.tar" >"$T/said" 2>&1 || status=$?
	[ "$status" -eq 1 ]
	grep -q "stays: an archive would not have all of it: .*/mine: .*Input/output error" "$T/said"
	[ "$(there)" = bad ]
	creel import "$T/a.tar" "$(tar -tf "$T/a.tar" | sed -n 's|.*/\(.*\)/journal/00000001.json|\1|p' | grep -v "$(id_of bad)")"
	[ "$(there)" = "bad good" ]
}
