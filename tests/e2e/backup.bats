#!/usr/bin/env bats
# rsync -a of a spool at work, restored elsewhere (creel-spool(5), BACKUP).

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

# Plans of four kinds.  Each action appends a line to a ledger outside of the spool: where it ran, and what it is.
plans() { # the number of this round
	jq -n --arg n "$1" --arg ledger "$T/ledger" '
		def note: "echo \"$CREEL_DIR\" $CREEL_EXECUTION_ID $CREEL_ACTION_ID $CREEL_ATTEMPT >> \($ledger);";
		def act($id; $deps; $more): {id: $id, actionDefinitionId: "shell.run", dependencies: $deps,
			inputs: {script: (note + $more)}};
		[{name: "chain\($n)", actions: [range(12) | act("a\(.)"; (if . > 0 then ["a\(. - 1)"] else [] end);
			"sleep 0.03; echo n=\(.) > \"$CREEL_OUTPUT\"")]},
		{name: "fan\($n)", actions: ([act("first"; []; "true")] + [range(20) | act("a\(.)"; ["first"]; "sleep 0.0\(3 + . % 7)")]
			+ [act("last"; [range(20) | "a\(.)"]; "true")])},
		{name: "confirm\($n)", actions: [range(6) | act("a\(.)"; (if . > 0 then ["a\(. - 1)"] else [] end); "sleep 0.05")
			+ (if . % 3 == 2 then {userConfirmation: {required: true, title: "Go on?", message: "now"}} else {} end)]},
		{name: "retry\($n)", actions: [range(6) | act("a\(.)"; (if . > 0 then ["a\(. - 1)"] else [] end);
			"[ $CREEL_ATTEMPT -ge 2 ] || exit 75") + {retryPolicy: {maxAttempts: 4, initialDelay: 20, maxDelay: 20,
			backoffMultiplier: 1, jitter: false, retryableErrors: []}}]}][]' -c | while read -r plan; do
		echo "$plan" | drop "$(jq -r .name <<<"$plan").json"
	done
}

# Give every answer that is asked for.
approve_all() {
	local request
	for request in "$S"/confirm/*.request.json; do
		[ -e "$request" ] || continue
		: >"${request%.request.json}.approve"
	done
}

# Everything that is in the spool to its end.
to_the_end() {
	local n
	for ((n = 0; n < 60; n++)); do
		drain --max-concurrency 8
		[ "$status" -eq 2 ] || break
		approve_all
	done
	[ "$status" -eq 0 ] || { echo "drain ended with $status"; return 1; }
}

# "execution action" of each that the journals of the spool say completed.
completed() {
	jq -r 'input_filename as $f | ($f | split("/")[-3]) as $id | .events[] | select(.type == "action.completed")
		| "\($id) \(.action)"' "$S"/executions/*/*/journal/*.json | sort
}

# Attempts beyond the first without a failure that is tried again or a loss that is told.
unexplained() {
	local dir
	for dir in "$S"/executions/*/*/; do
		jq -s -r '[.[].events[]] as $e | $e[] | select(.type == "action.execute.requested" and .attempt > 1) as $r
			| select([$e[] | select(.action == $r.action and .attempt == $r.attempt - 1
				and (.type == "action.lost" or (.type == "action.failed" and .then == "retry")))] == [])
			| "\(.action) \(.attempt)"' "$dir"/journal/*.json
	done
}

lines() {
	cat "$T/ledger" 2>/dev/null | wc -l
}

@test "S0-STATELESS: copies of a spool under load, made one over the other: each goes on, and nothing that completed is done again" {
	local round
	daemon_start --max-concurrency 8
	for round in 1 2 3; do
		plans "$round"
		begun=$(lines)
		wait_until eval '[ "$(lines)" -ge $((begun + 5)) ]'
		approve_all
		# 24: files vanished while it copied.
		rsync -a --delete "$S/" "$T/copy/" || [ $? -eq 24 ]
		cp -a "$T/copy" "$T/copy.$round"
		approve_all
	done
	daemon_stop
	to_the_end
	[ "$(completed | wc -l)" -eq "$(completed | uniq | wc -l)" ]
	original=$S
	for round in 1 2 3; do
		S=$T/copy.$round
		completed >"$T/before"
		"$BIN/creel" --spool "$S" status >"$T/status" || :
		grep -q "the spool was copied from elsewhere" "$T/status"
		echo "round $round: $(ls "$S/active" | wc -l) active, $(wc -l <"$T/before") actions completed"
		to_the_end
		[ -z "$(ls "$S/quarantine" "$S/active" | grep -v :)" ]
		"$BIN/creel" --spool "$S" verify --quiet
		# Each execution has ended well, with every action done once.
		jq -r '.status' "$S"/executions/*/*/state.json | sort -u | grep -qx completed
		[ "$(completed | wc -l)" -eq "$(completed | uniq | wc -l)" ]
		[ -z "$(unexplained)" ] || { unexplained; false; }
		# What had completed when the copy was made did not run in it.
		grep "^$S/" "$T/ledger" | cut -d ' ' -f 2,3 | sort -u >"$T/ran" || :
		[ -z "$(comm -12 "$T/before" "$T/ran")" ] || { comm -12 "$T/before" "$T/ran"; false; }
	done
	# The last of them was made of a spool that had work in hand.
	[ "$(grep -c "^$T/copy" "$T/ledger")" -gt 0 ]
	S=$original
}
