# run_spec.bash - specifications for creel-run, and what it left.
#
#	setup() { spec_setup; }  teardown() { spec_teardown; }
#	run_spec timeout_ms=100 arg=sleep arg=9     runs it as bats' `run` does: $status, $output
#	start_spec arg=sleep arg=9                  runs it in the background: $supervisor
#	result .exitCode                            jq -r over result.json
#	wait_for test -s FILE                       until it holds, 20 seconds at most

spec_setup() {
	local root
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	RUN=${BUILD:-build}
	case $RUN in
	/*) ;;
	*) RUN=$root/$RUN ;;
	esac
	RUN=$RUN/creel-run
	T=$(mktemp -d)
	DIR=$T/actions/a/1
	mkdir "$T/actions" "$T/results"
	supervisor=
}

# What a failed test may have left: the process that a lock without a result names, if it is still that one.
end_leftover() {
	local pid start rest
	[ -s "$1/lock" ] && [ ! -e "$1/result.json" ] || return 0
	read -r pid rest <"$1/lock"
	pid=${pid#pid=}
	start=${rest#*start=}
	[ "$(cut -d ' ' -f 22 "/proc/$pid/stat" 2>/dev/null)" = "${start%% *}" ] || return 0
	kill -9 -- "-$pid" 2>/dev/null || :
}

spec_teardown() {
	local dir
	[ -z "$supervisor" ] || kill -9 "$supervisor" 2>/dev/null || :
	for dir in "$T"/actions/a/*; do end_leftover "$dir"; done
	rm -rf "$T"
}

# The strings given, after those that every specification has.
spec() {
	printf '%s\0' "dir=$DIR" "results=$T/results" link=E.a.1.json execution=E action=a attempt=1 token=secret \
		env=PATH=/usr/local/bin:/usr/bin:/bin "$@" >"$T/spec"
}

run_spec() {
	spec "$@"
	# a supervisor that waits for ever fails its test instead of holding up all others
	run timeout -k 5 60 "$RUN" <"$T/spec"
}

start_spec() {
	spec "$@"
	rm -f "$T/supervisor" "$T/code"
	# A shell of its own keeps the exit code: one that forks as much as wait_for may meet the number again and
	# forget it.
	sh -c '"$0" <"$1/spec" >/dev/null 2>"$1/messages" &
		echo $! >"$1/supervisor"
		wait $!
		echo $? >"$1/code"' "$RUN" "$T" 3>&- &
	wait_for filled "$T/supervisor"
	supervisor=$(cat "$T/supervisor")
}

# End of a supervisor from start_spec: its exit code in $status.
# shellcheck disable=SC2034
finish() {
	wait_for filled "$T/code"
	status=$(cat "$T/code")
	supervisor=
}

result() {
	jq -r "$1" "$DIR/result.json"
}

wait_for() {
	local n
	for ((n = 0; n < 1000; n++)); do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.02
	done
	echo "waited in vain for: $*" >&2
	return 1
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

lock_free() {
	flock --nonblock "$DIR/lock" true
}

lock_held() {
	! lock_free
}

none_runs() {
	! pgrep -f "$1"
}

# Is every one of these files there and not empty?
filled() {
	local f
	for f; do [ -s "$f" ] || return 1; done
}
