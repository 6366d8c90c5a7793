# helpers.bash - a spool of its own for each test, a daemon on it, and what came of it.
#
#	setup() { spool_setup; }  teardown() { spool_teardown; }
#	drop NAME <<E … E           puts a plan into the inbox: written elsewhere, moved in
#	drain [OPTION…]             creeld --drain in the foreground: $status
#	daemon_start [OPTION…]      creeld in the background: $DAEMON; returns when it serves
#	daemon_stop / daemon_crash  SIGTERM / SIGKILL, and wait for its end
#	wait_until COMMAND…         until it holds, 20 seconds at most
#	state JQ / events JQ        jq -r over state.json, and over the list of the journal's events
#	gate NAME                   shell text for an action: wait until the test calls open_gate NAME
#
# With one execution in the spool, state and events need not be told which; EX=ID chooses.

spool_setup() {
	local root
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	BIN=${BUILD:-build}
	case $BIN in
	/*) ;;
	*) BIN=$root/$BIN ;;
	esac
	CORPUS=$root/tests/corpus
	T=$(mktemp -d)
	S=$T/spool
	DAEMON= EX=
	mkdir "$T/gates"
	spool_new "$S"
	cd "$T" || return 1
}

spool_new() {
	if [ -x "$BIN/creel" ]; then
		"$BIN/creel" init "$1" >/dev/null
	else
		mkdir -m 700 "$1"
		(cd "$1" && umask 077 && mkdir inbox confirm confirm/by control rejected results executions active \
			quarantine catalog events tmp)
	fi
}

# What a failed test may have left running: processes that a lock without a result names, if they are still those.
end_leftovers() {
	local lock pid sid start rest
	for lock in "$S"/executions/*/*/actions/*/*/lock; do
		[ -s "$lock" ] || continue
		read -r pid sid start rest <"$lock" || continue
		pid=${pid#pid=}
		[ "$(cut -d ' ' -f 22 "/proc/$pid/stat" 2>/dev/null)" = "${start#start=}" ] || continue
		kill -9 -- "-$pid" 2>/dev/null || :
	done
}

# No supervisor holds the lock of an attempt any more.
all_settled() {
	local lock
	for lock in "$S"/executions/*/*/actions/*/*/lock; do
		[ ! -e "$lock" ] || flock --nonblock "$lock" true || return 1
	done
}

spool_teardown() {
	touch "$T/gates/all"
	[ -z "$DAEMON" ] || daemon_crash
	end_leftovers
	wait_until all_settled || :
	if [ -z "$BATS_TEST_COMPLETED" ] && [ -s "$T/log" ]; then
		echo "--- what creeld said:"
		cat "$T/log"
	fi
	cd / && rm -rf "$T"
}

# `! command` fails no test unless it comes last: this does.
not() {
	if "$@"; then
		echo "it should not hold: $*"
		return 1
	fi
}

wait_until() {
	local n
	for ((n = 0; n < 1000; n++)); do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.02
	done
	echo "waited in vain for: $*" >&2
	return 1
}

# ---- the daemon ----

drain() {
	status=0
	timeout -k 5 "${DRAIN_LIMIT:-60}" "$BIN/creeld" --spool "$S" --drain "$@" 2>>"$T/log" 3>&- || status=$?
}

serves() {
	grep -q " serves " "$T/serving"
}

daemon_start() {
	: >"$T/serving"
	"$BIN/creeld" --spool "$S" "$@" 2>"$T/serving" 3>&- &
	DAEMON=$!
	wait_until serves || { cat "$T/serving"; return 1; }
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

daemon_end() {
	kill "-$1" "$DAEMON" 2>/dev/null || :
	status=0
	wait "$DAEMON" 2>/dev/null || status=$?
	cat "$T/serving" >>"$T/log"
	DAEMON=
}

daemon_stop() { daemon_end TERM; }
daemon_crash() { daemon_end KILL; }

# ---- what goes in ----

drop() {
	cat >"$T/.$1"
	mv "$T/.$1" "$S/inbox/$1"
}

# A decision or an order: confirm/NAME or control/NAME, with what stands on standard input if - is given.
say() {
	if [ "$2" = - ]; then cat >"$T/.said"; else : >"$T/.said"; fi
	mv "$T/.said" "$S/$1"
}

# Shell text that waits for open_gate NAME, a minute at most.
gate() {
	echo "n=0; until [ -e $T/gates/$1 ] || [ -e $T/gates/all ] || [ \$n -ge 3000 ]; do sleep 0.02; n=\$((n + 1)); done"
}

open_gate() {
	touch "$T/gates/$1"
}

# ---- what came of it ----

# The directory of the execution; of the only one, or of the one whose plan has the name $1.
where() {
	local dir found=
	if [ -n "${EX:-}" ]; then
		echo "$S"/executions/*/"$EX"
		return
	fi
	for dir in "$S"/executions/*/*; do
		[ -d "$dir" ] || continue
		[ -z "${1:-}" ] || [ "$(jq -r .name "$dir/plan.json")" = "$1" ] || continue
		[ -z "$found" ] || { echo "more than one execution" >&2; return 1; }
		found=$dir
	done
	[ -n "$found" ] && echo "$found"
}

# The id of the execution whose plan has the name $1.
id_of() {
	local dir
	dir=$(where "${1:-}") && basename "$dir"
}

state() {
	jq -r "$1" "$(where)/state.json"
}

status_of() {
	state ".actionStates[\"$1\"].status"
}

has_status() {
	[ "$(status_of "$1")" = "$2" ]
}

is_state() {
	local found
	found=$(state "$1")
	[ "$found" = "$2" ] || { echo "state $1 is $found, not $2"; return 1; }
}

# jq over the list of all events of the journal, each with at and seq.
events() {
	jq -s '[.[] as $c | $c.events[] | {at: $c.at, seq: $c.seq} + .]' "$(where)"/journal/*.json | jq -r "$1"
}

# Types of the events, in order, on one line.
types() {
	events '[.[].type] | join(" ")'
}

stdout_of() {
	cat "$(where)/actions/$1/${2:-1}/stdout"
}

# Every first start stands in the journal behind the ends of all that the action depends on (ORCH-003).
starts_after_ends() {
	events 'to_entries | map({at: .key} + (.value | {type, action, "then"})) | tojson' >"$T/places.json"
	jq -r --slurpfile e "$T/places.json" '
		($e[0] | map(select(.type == "action.execute.requested")) | reverse
			| map({key: .action, value: .at}) | from_entries) as $start
		| ($e[0] | map(select((.type | IN("action.completed", "action.failed", "action.skipped")) and .then != "retry"))
			| map({key: .action, value: .at}) | from_entries) as $over
		| .actions[] | .id as $id | select($start[$id]) | .dependencies[]
		| select($over[.] == null or $over[.] > $start[$id]) | "\($id) started before \(.) ended"
		' "$(where)/plan.json" >"$T/too-early"
	cat "$T/too-early"
	[ ! -s "$T/too-early" ]
}

# How many actions the journal says ran at once, at most: from the supervisors' own times.
most_at_once() {
	events '[.[] | select(.startedAt and .completedAt and (.type | IN("action.completed", "action.failed")))
		| [.startedAt, 1], [.completedAt, -1]] | sort_by(.[0], .[1])
		| reduce .[] as $x ({now: 0, most: 0}; .now += $x[1] | .most = ([.most, .now] | max)) | .most'
}
