#!/usr/bin/env bats
# `make demo` ends well, shows what it promises, and cleans up.

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	BIN=${BUILD:-build}
	case $BIN in
	/*) ;;
	*) BIN=$ROOT/$BIN ;;
	esac
	T=$(mktemp -d)
	export TMPDIR=$T
}
teardown() { rm -rf "$T"; }

@test "demo: a release, its digest, the retry, the stand-in, the journal, a refusal; nothing is left" {
	run sh "$ROOT/contrib/demo.sh" "$BIN"
	[ "$status" -eq 0 ]
	[[ $output == *"tally-1.1.0.tar.gz: OK"* ]]
	[[ $output == *'"action":"publish","attempt":1,"nextAttempt":2'* ]]
	[[ $output == *'"standIn":"notes_from_log"'* ]]
	[[ $output == *"execution.completed"* ]]
	[[ $output == *'there is no action "biuld"'* ]]
	[ -z "$(ls -A "$T")" ]
}

@test "demo: CREEL_DEMO_KEEP=1 leaves the spool and says where" {
	CREEL_DEMO_KEEP=1 run sh "$ROOT/contrib/demo.sh" "$BIN"
	[ "$status" -eq 0 ]
	dir=$(echo "$T"/creel-demo.*)
	[[ $output == *"still there: $dir"* ]]
	[ "$(jq -r .status "$dir"/spool/executions/*/*/state.json)" = completed ]
	# No daemon goes on.
	flock --nonblock "$dir/spool/creeld.lock" true
}
