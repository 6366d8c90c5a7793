#!/usr/bin/env bats
# One execution from spool to spool: creel export, creel import.

load helpers

setup() {
	spool_setup
	O=$T/other # the spool that it goes to
	spool_new "$O"
}
teardown() { spool_teardown; }

creel() {
	"$BIN/creel" --spool "$S" "$@"
}

# The same for the other spool.
there() {
	"$BIN/creel" --spool "$O" "$@"
}

# Do what follows with the other spool as the test's own.
in_other() {
	local status_of_it=0
	S=$O "$@" || status_of_it=$?
	return "$status_of_it"
}

# A finished execution of some variety: outputs, a failure that is retried, a decision, files of its own.
varied() {
	mkdir -p "$S/catalog/plans"
	printf 'name: child\nactions:\n- {id: c, actionDefinitionId: shell.run, inputs: {script: "echo n=7 > \\"$CREEL_OUTPUT\\""}}\n' \
		>"$S/catalog/plans/child.yaml"
	drop varied.yaml <<-'E'
	name: varied
	actions:
	- {id: a, actionDefinitionId: plan.run, inputs: {plan: child}}
	- id: b
	  actionDefinitionId: shell.run
	  retryPolicy: {maxAttempts: 2, initialDelay: 1, maxDelay: 1, backoffMultiplier: 1, jitter: false, retryableErrors: []}
	  inputs: {script: 'echo out; echo err >&2; echo x > "$CREEL_DIR/mine"; [ "$CREEL_ATTEMPT" = 2 ] && echo k=v > "$CREEL_OUTPUT" || exit 75'}
	- id: each
	  actionDefinitionId: shell.run
	  forEach: {items: [1, 2]}
	  inputs: {script: 'echo "i=$CREEL_ACTION_ID" > "$CREEL_OUTPUT"'}
	- id: d
	  actionDefinitionId: command
	  dependencies: [a, b, each]
	  inputs: {command: echo, args: ["${b.output.k}"]}
	  userConfirmation: {required: true, title: Go on?, message: now}
	E
	drain
	[ "$status" -eq 2 ]
	say "confirm/$(id_of varied).d.approve"
	drain
	[ "$status" -eq 0 ]
}

# The archive of an execution that is named $1.
archive() {
	creel export -q -o "$T/$1.tar" "$(id_of "$1")"
	echo "$T/$1.tar"
}

refused() {
	status=0
	there import "$@" >"$T/said" 2>&1 || status=$?
	[ "$status" -eq 1 ] || { echo "status $status"; cat "$T/said"; return 1; }
	# nothing of it is there
	[ -z "$(ls "$O/tmp" "$O"/active)" ] || [ "$(ls -A "$O/tmp"; ls -A "$O/active")" = "" ]
}

@test "S0-STATE: what was exported is imported as it was, with all that it ran, and is read there as here" {
	varied
	id=$(id_of varied)
	for suffix in tar tar.gz tar.zst; do
		creel export -o "$T/x.$suffix" "$id" >"$T/said"
		[ "$(wc -l <"$T/said")" -eq 2 ]
		digest=$(sed -n "s/^$id .*\(sha256:[0-9a-f]*\).*/\1/p" "$T/said")
		[ "$digest" = "sha256:$(sha256sum <"$(last_commit)" | cut -d ' ' -f 1)" ]
		rm -rf "$O"
		spool_new "$O"
		there import --digest "$digest" "$T/x.$suffix" >"$T/said"
		there verify --quiet
		diff -r -x state.json -x lock "$S/executions" "$O/executions"
		# state.json says the same, but for what it says of events/.
		for s in "$S"/executions/*/*/state.json; do
			diff <(jq 'del(.eventsSeq)' "$s") <(jq 'del(.eventsSeq)' "$O${s#"$S"}")
		done
		[ "$(jq -r 'select(.type == "execution.imported") | .status' "$O"/events/*.jsonl | sort -u)" = completed ]
		[ -z "$(ls "$O/active"; ls -A "$O/tmp")" ]
	done
	there show "$id" | grep -q "k = v"
	there log "$id" d --stdout | grep -qx v
	[ "$(there import --list "$T/x.tar.gz" | wc -l)" -eq 2 ]
	# Once is enough; --alone leaves out what it runs.
	refused "$T/x.tar"
	grep -q "is there already" "$T/said"
	creel export --alone -q -o "$T/alone.tar" "$id"
	[ "$(there import --list "$T/alone.tar" | wc -l)" -eq 1 ]
	creel export -q -o - --format tar "$id" | tar -tf - | grep -q plan.json
	# A retry of what was imported goes on from there.
	say_there "control/$id.d.retry"
}

last_commit() {
	ls "$(where varied)"/journal/*.json | tail -1
}

say_there() {
	: >"$T/.said"
	mv "$T/.said" "$O/$1"
}

@test "S0-STATELESS: one that runs is exported whole as of a commit, and goes on elsewhere; what ran is lost there, not killed here" {
	drop runs.yaml <<-E
	name: runs
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'echo a >> $T/ran; echo n=1 > "\$CREEL_OUTPUT"'}}
	- {id: b, actionDefinitionId: shell.run, dependencies: [a], inputs: {script: 'echo b >> $T/ran; $(gate go); echo done >> $T/ran'}}
	- {id: c, actionDefinitionId: shell.run, dependencies: [b], inputs: {script: 'echo c\$N >> $T/ran', env: {N: "\${a.output.n}"}},
	   userConfirmation: {required: true, title: Go on?, message: now}}
	- {id: p, actionDefinitionId: command, inputs: {command: "true"}, userConfirmation: {required: true, title: P?, message: now}}
	E
	daemon_start
	wait_until grep -qx b "$T/ran"
	id=$(id_of runs)
	creel export -q -o "$T/x.tar.zst" "$id"
	here=$DAEMON
	# Only who says so goes on with it.
	refused "$T/x.tar.zst"
	grep -q "has not ended (running): with --continue" "$T/said"
	printf 'rescan_sec: 0.2\n' >"$T/config.yaml"
	DAEMON= S=$O
	daemon_start --config "$T/config.yaml"
	"$BIN/creel" --spool "$O" import -q --continue "$T/x.tar.zst"
	# Its daemon finds it without being started anew, asks what was asked, and does again what ran.
	wait_until test -e "$O/confirm/$id.p.request.json"
	wait_until eval '[ "$(grep -cx b "$T/ran")" -eq 2 ]'
	EX=$id
	[ "$(events '[.[] | select(.type == "action.lost") | .action] | join(" ")')" = b ]
	events '.[] | select(.type == "action.lost") | .reason' | grep -q "it ran where this copy of the execution was taken from"
	# The original has not noticed.
	kill -0 "$here"
	[ "$(grep -cx done "$T/ran" || :)" -eq 0 ]
	open_gate go
	wait_until eval '[ "$(grep -cx done "$T/ran")" -eq 2 ]'
	wait_until test -e "$O/confirm/$id.c.request.json"
	say "confirm/$id.c.approve"
	say "confirm/$id.p.reject"
	wait_until is_state .status cancelled
	daemon_stop
	"$BIN/creel" --spool "$O" verify --quiet
	S=$T/spool DAEMON=$here EX=
	wait_until test -e "$S/confirm/$id.c.request.json"
	daemon_stop
	[ "$(grep -cx a "$T/ran")" -eq 1 ]
}

@test "one that was imported while no daemon ran is taken up by the next" {
	drop waits.yaml <<-E
	name: waits
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "true"}, userConfirmation: {required: true, title: Go on?, message: now}}
	E
	drain
	id=$(id_of waits)
	archive waits
	there import --continue "$T/waits.tar" >"$T/said" 2>&1
	grep -q "no daemon is running" "$T/said"
	[ -L "$O/active/$id" ]
	: >"$O/confirm/$id.a.approve"
	S=$O
	drain
	[ "$status" -eq 0 ]
	is_state .status completed
}

@test "an export of one that runs, again and again: each archive adds up" {
	jq -n --arg gate "$(gate go)" '{name: "busy", maxConcurrency: 3, actions: [range(60) | {id: "a\(.)", actionDefinitionId: "shell.run",
		dependencies: (if . > 2 then ["a\(. - 3)"] else [] end),
		inputs: {script: ((if . == 30 then $gate + ";" else "" end) + "echo \(.); echo n=\(.) > $CREEL_OUTPUT")}}]}' | drop busy.json
	daemon_start
	wait_until where busy
	id=$(id_of busy)
	for ((n = 0; n < 200; n++)); do
		[ "$n" -ne 5 ] || open_gate go
		creel export -q -o "$T/x$n.tar" "$id"
		! is_state .status completed >/dev/null 2>&1 || break
	done
	wait_until is_state .status completed
	daemon_stop
	[ "$n" -ge 5 ]
	for x in "$T"/x*.tar; do
		rm -rf "$O"
		spool_new "$O"
		there import -q --continue "$x"
		there verify --quiet
	done
	# The first of them is done to the end: nothing that had completed is done again.
	rm -rf "$O"
	spool_new "$O"
	there import -q --continue "$T/x0.tar"
	S=$O
	done_before=$(events '[.[] | select(.type == "action.completed") | .action] | length')
	drain
	[ "$status" -eq 0 ]
	[ "$(events '[.[] | select(.type == "action.completed") | .action] | length')" -eq 60 ]
	[ "$(events '[.[] | select(.type == "action.completed") | .action] | unique | length')" -eq 60 ]
	echo "$n exports while it ran, $done_before done in the first"
}

# $T/in holds an unpacked archive of "varied"; make $T/bad.tar of it.
unpacked() {
	rm -rf "$T/in" "$T/bad.tar"
	mkdir "$T/in"
	tar -C "$T/in" -xf "$1"
	chmod -R u+w "$T/in"
	dir=$(echo "$T"/in/executions/*/"$2")
}

packed() {
	tar -C "$T/in" -cf "$T/bad.tar" executions
}

@test "SEC: an archive that was tampered with is refused, whatever was changed" {
	varied
	id=$(id_of varied)
	a=$(archive varied)
	one() {
		unpacked "$a" "$id"
		(cd "$dir" && eval "$1") || return 1
		packed
		refused "$T/bad.tar" || { echo "taken: $1"; return 1; }
		grep -q -- "$2" "$T/said" || { echo "$1:"; cat "$T/said"; return 1; }
		[ -z "$(ls "$O"/executions/*/ 2>/dev/null)" ] || return 1
	}
	one 'sed -i s/varied/Varied/ journal/00000001.json' "the history was changed"
	one 'sed -i "s/\"command\": \"echo\"/\"command\": \"evil\"/" plan.json' "the history was changed"
	one 'rm journal/00000002.json' "journal/00000002.json"
	one 'mv journal/00000002.json x; mv journal/00000003.json journal/00000002.json; mv x journal/00000003.json' "it says that it is commit"
	one 'rm -r journal; mkdir journal' "its journal is empty"
	one 'echo x >> actions/b/2/output.json' "is not the output that its journal speaks of"
	one 'rm actions/b/2/output.json' "output.json"
	one 'mkdir actions/b/3; touch actions/b/3/result.json' "its journal does not know actions/b/3"
	one 'mkdir -p actions/b/confirm-1; touch actions/b/confirm-1/x' "its journal does not know actions/b/confirm-1"
	one 'mkdir -p actions/zz/1; touch actions/zz/1/x' "its plan has no action"
	one 'rm plan.json' "plan.json"
	one 'echo "{" > plan.json' "plan.json is no JSON"
	one 'truncate -s 30 $(ls journal/*.json | tail -1)' "is damaged"
	one 'rm $(ls journal/*.json | tail -1)' "with --continue"
	one 'touch notes' "no execution has a file of that name"
	one 'mkdir journal/x' "no execution has a file of that name"
	one 'rm state.json; mkdir state.json' "no execution has a file of that name"
	one 'rm -r control; touch control' "it is not a directory"
	# A whole history that is another one is told by the digest of its last commit.
	status=0
	there import --digest "sha256:$(printf '%064d' 0)" "$a" 2>"$T/said" || status=$?
	[ "$status" -eq 1 ]
	grep -q "no execution in it ends with the commit" "$T/said"
	# And what was not touched is taken.
	unpacked "$a" "$id"
	packed
	there import -q "$T/bad.tar"
	there verify --quiet
}

@test "SEC: a hostile archive: paths that lead elsewhere, links, devices, what comes twice, bombs" {
	varied
	id=$(id_of varied)
	a=$(archive varied)
	day=$(basename "$(dirname "$(where varied)")")
	base=executions/$day/$id
	add() { # options of tar, then what the refusal says; $T/x is what is added
		local says=$1
		shift
		cp "$a" "$T/bad.tar"
		tar -C "$T" -P -rf "$T/bad.tar" "$@" || return 1
		refused "$T/bad.tar" || { echo "taken: $*"; return 1; }
		grep -q -- "$says" "$T/said" || { echo "$*:"; cat "$T/said"; return 1; }
		[ -z "$(ls "$O"/executions/*/ 2>/dev/null)" ] || return 1
	}
	echo evil >"$T/x"
	add "it is absolute" --transform "s|^x|$T/evil|" x
	add "it leads elsewhere" --transform "s|^x|../../evil|" x
	add "it leads elsewhere" --transform "s|^x|$base/actions/b/1/../../../../../../evil|" x
	add "it does not lie in a directory of executions" --transform "s|^x|active/$id|" x
	add "its day is not that" --transform "s|^x|executions/2020-01-01/$id/plan.json|" x
	add "no execution has a file" --transform "s|^x|$base/../$id/x|;s|/\.\./$id||" x
	add "stands in the archive twice" --transform "s|^x|$base/plan.json|" x
	add "stands in the archive twice" --transform "s|^x|$base/actions/b/1/stdout|" x
	add "cannot make\|directory" --transform "s|^x|$base/actions/b/1/stdout/below|" x
	ln -s /etc "$T/l"
	add "it is a link" --transform "s|^l$|$base/actions/b/1/l|" l
	add "it is a link" --transform "s|^l$|$base/journal|" l
	add "it is a link" --transform "s|^l$|$base|" l
	ln "$T/x" "$T/y"
	add "it is a link" --transform "s|^x$|$base/actions/b/1/x|;s|^y$|$base/actions/b/1/y|" x y
	mkfifo "$T/f"
	add "device, a FIFO or a socket" --transform "s|^f$|$base/actions/b/1/f|" f
	if [ "$(id -u)" -eq 0 ]; then
		mknod "$T/n" c 1 3
		add "device, a FIFO or a socket" --transform "s|^n$|$base/actions/b/1/n|" n
	fi
	# A file with a hole of a terabyte, and one that is large when it is unpacked.
	truncate -s 1T "$T/hole"
	add "larger than" --sparse --transform "s|^hole$|$base/actions/b/1/hole|" hole
	head -c 20000000 /dev/zero >"$T/zeros"
	cp "$a" "$T/bad.tar"
	tar -C "$T" -rf "$T/bad.tar" --transform "s|^zeros$|$base/actions/b/1/zeros|" zeros
	gzip -9 <"$T/bad.tar" >"$T/bomb.tar.gz"
	[ "$(stat -c %s "$T/bomb.tar.gz")" -lt 100000 ]
	refused --max-bytes 10M "$T/bomb.tar.gz"
	grep -q "larger than 10485760 bytes: --max-bytes" "$T/said"
	refused --max-files 20 "$a"
	grep -q "more than 20 entries" "$T/said"
	[ ! -e "$T/evil" ]
	# Cut off, and no archive at all.
	head -c 5000 "$a" >"$T/bad.tar"
	refused "$T/bad.tar"
	echo nonsense >"$T/bad.tar"
	refused "$T/bad.tar"
	: >"$T/bad.tar"
	refused "$T/bad.tar"
	grep -q "damaged\|cannot read it" "$T/said"
	mkdir "$T/executions"
	tar -C "$T" -cf "$T/bad.tar" executions
	refused "$T/bad.tar"
	grep -q "holds no execution" "$T/said"
	# What an action made itself: the link is left out if one says so.
	unpacked "$a" "$id"
	ln -s /etc "$dir/actions/b/1/l"
	packed
	refused "$T/bad.tar"
	grep -q -- "--without-links" "$T/said"
	there import -q --without-links "$T/bad.tar"
	[ ! -e "$O/$base/actions/b/1/l" ]
	there verify --quiet
}

@test "what gc put into an archive comes back, one of many or all" {
	for n in 1 2 3; do
		drop "p$n.yaml" <<-E
		name: p$n
		actions:
		- {id: a, actionDefinitionId: command, inputs: {command: echo, args: [p$n]}}
		E
	done
	drain
	id=$(id_of p2)
	cp -a "$S" "$T/before"
	creel gc -q --keep-days 0 --archive "$T/kept.tar.zst"
	[ "$(creel import --list "$T/kept.tar.zst" | wc -l)" -eq 3 ]
	creel import -q "$T/kept.tar.zst" "$id"
	[ "$(ls "$S"/executions/*/)" = "$id" ]
	status=0
	creel import "$T/kept.tar.zst" 01a1fc7b-9a04-7000-9fb3-707953140dc8 2>"$T/said" || status=$?
	[ "$status" -eq 1 ]
	grep -q "does not hold execution 01a1fc7b" "$T/said"
	creel gc -q --keep-days 0
	creel import -q "$T/kept.tar.zst"
	diff -r -x state.json -x lock "$T/before/executions" "$S/executions"
	creel verify --quiet
}
