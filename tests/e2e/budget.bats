#!/usr/bin/env bats
# What an action costs: commits, flushes, bytes and system calls, counted and not timed.  A budget is what was counted
# when it was set and a quarter more; a change that exceeds one has to say why it is worth it.

load helpers

setup() {
	spool_setup
	# A sanitizer's own calls are no part of it.
	! nm "$BIN/creeld" | grep -q __asan_init || skip "built with a sanitizer"
}
teardown() { spool_teardown; }

# plan SHAPE N
plan() {
	jq -cn --arg shape "$1" --argjson n "$2" '
		def a(i; d): {id: "a\(i)", actionDefinitionId: "command", inputs: {command: "/bin/true"}, dependencies: d};
		{name: $shape, actions: [range($n) | . as $i |
			if $shape == "chain" then a($i; if $i > 0 then ["a\($i - 1)"] else [] end)
			elif $shape == "fan" then a($i; if $i == 0 then [] elif $i == $n - 1 then [range(1; $n - 1) | "a\(.)"] else ["a0"] end)
			else a($i; []) end]}'
}

# run_counted SHAPE N [PLANS]: in a new spool; calls/SHAPE-N has the counts, and so have the variables
run_counted() {
	local k
	S=$T/$1-$2
	spool_new "$S"
	mkdir -p "$T/calls"
	for ((k = 0; k < ${3:-1}; k++)); do plan "$1" "$2" >"$S/inbox/p$k.json"; done
	strace -f -qq -e signal=none -o "$T/trace" "$BIN/creeld" --spool "$S" --drain --max-concurrency 2 2>"$T/log"
	awk -f "$BATS_TEST_DIRNAME/calls.awk" "$T/trace" >"$T/calls/$1-$2"
	COMMITS=$(find "$S"/executions -path '*/journal/*.json' | wc -l)
	JOURNAL=$(find "$S"/executions -path '*/journal/*.json' -printf '%s\n' | jq -s add)
	EVENTS=$(cat "$S"/events/*.jsonl | wc -c)
	FLUSHES=$(awk '$1 == "daemon" && $2 ~ /^(fsync|fdatasync|syncfs)$/ {n += $3} END {print n}' "$T/calls/$1-$2")
	DAEMON_CALLS=$(awk '$1 == "daemon" && $2 == "all" {print $3}' "$T/calls/$1-$2")
	SUPERVISOR_CALLS=$(awk '$1 == "supervisor" && $2 == "all" {print $3}' "$T/calls/$1-$2")
	SPAWNED=$(grep -c 'creel-run"' "$T/trace" || :)
	[ "$(jq -r .status "$S"/executions/*/*/state.json | sort -u)" = completed ]
}

# within WHAT COUNTED BUDGET
within() {
	echo "# $1: $2 (budget $3)" >&3
	[ "$2" -le "$3" ] || { echo "$1: $2 is more than $3"; return 1; }
}

# per_action BEFORE AFTER: of the hundred actions between two sizes, so that starting and ending do not count
per_action() {
	echo $((($2 - $1 + 50) / 100))
}

@test "LOAD: a chain costs one commit and two flushes an action, and no new supervisor" {
	run_counted chain 20
	local calls=$DAEMON_CALLS supervisor=$SUPERVISOR_CALLS journal=$JOURNAL events=$EVENTS flushes=$FLUSHES spawned=$SPAWNED
	run_counted chain 120
	[ "$COMMITS" -eq 121 ]
	within "flushes of a hundred actions" $((FLUSHES - flushes)) 202
	within "journal bytes an action" "$(per_action "$journal" "$JOURNAL")" 850
	within "events/ bytes an action" "$(per_action "$events" "$EVENTS")" 950
	within "daemon's calls an action" "$(per_action "$calls" "$DAEMON_CALLS")" 56
	within "supervisor's calls an action" "$(per_action "$supervisor" "$SUPERVISOR_CALLS")" 68
	within "supervisors beyond those of the short one" $((SPAWNED - spawned)) 2
}

@test "LOAD: independent actions share commits, and cost no more in a large plan than in a small one" {
	run_counted independent 20
	local calls=$DAEMON_CALLS supervisor=$SUPERVISOR_CALLS journal=$JOURNAL
	run_counted independent 120
	within "commits of 120 actions" "$COMMITS" 100
	within "flushes beyond two a commit" $((FLUSHES - 2 * COMMITS)) 8
	within "journal bytes an action" "$(per_action "$journal" "$JOURNAL")" 750
	within "daemon's calls an action" "$(per_action "$calls" "$DAEMON_CALLS")" 56
	within "supervisor's calls an action" "$(per_action "$supervisor" "$SUPERVISOR_CALLS")" 68
	# Neither does anybody ask again and again whether something is due, nor fetch memory anew for each attempt.
	within "looks that did not wait and found nothing" "$(grep -cE 'epoll_wait\(.*, 0\) += 0$' "$T/trace" || :)" 10
	within "pieces of memory that supervisors gave back" \
		"$(awk '$1 == "supervisor" && $2 == "munmap" {n = $3} END {print n + 0}' "$T/calls/independent-120")" 20
}

@test "LOAD: a fan costs no more than its actions" {
	run_counted fan 20
	local calls=$DAEMON_CALLS
	run_counted fan 120
	within "commits of 120 actions" "$COMMITS" 102
	within "flushes beyond two a commit" $((FLUSHES - 2 * COMMITS)) 8
	within "daemon's calls an action" "$(per_action "$calls" "$DAEMON_CALLS")" 56
}

@test "LOAD: a plan of one action costs two commits, or three if it had to wait, with two flushes each at most" {
	run_counted single 1
	[ "$COMMITS" -eq 2 ]
	within "flushes of one plan" "$FLUSHES" 10
	local calls=$DAEMON_CALLS
	rm -r "$S"
	run_counted single 1 41
	within "commits of 41 plans" "$COMMITS" 123
	# Most of them share a syncfs; how many do depends on what the disk was found to be good at.
	within "flushes beyond two a commit" $((FLUSHES - 2 * COMMITS)) 8
	within "daemon's calls a plan" $(((DAEMON_CALLS - calls) / 40)) 130
}
