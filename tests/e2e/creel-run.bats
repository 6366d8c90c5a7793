#!/usr/bin/env bats
# The attempt supervisor (STEP-EXEC), and what of an attempt outlives a crash (EDGE-5).

load run_spec

setup() { spec_setup; }
teardown() { spec_teardown; }

# --- what came of it ---

@test "STEP-EXEC: success: exited, 0, and nothing but lock and result.json" {
	run_spec arg=true
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(result '[.execution,.action,.attempt,.token,.outcome,.exitCode,.killed]|@csv')" = '"E","a",1,"secret","exited",0,0' ]
	[ "$(result '[.reason,.signal,.stdout,.stderr,.output,.error]|map(. == null)|all')" = true ]
	[ "$(ls -A "$DIR" | xargs)" = "lock result.json" ]
}

@test "STEP-EXEC: started, finished, duration and resources are plausible" {
	run_spec arg=true
	result '.startedAt, .finishedAt' | grep -Ecx '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z' | grep -x 2
	[ "$(result '.startedAt <= .finishedAt and .durationMs >= 0 and .resources.maxRssKiB > 0')" = true ]
	[ "$(result '.resources|keys|@csv')" = '"maxRssKiB","systemMs","userMs"' ]
}

@test "STEP-EXEC: exit codes, 127 too" {
	local code
	for code in 1 75 127 255; do
		DIR=$T/actions/a/$code
		run_spec arg=sh arg=-c "arg=exit $code"
		[ "$status" -eq 0 ]
		[ "$(result .outcome) $(result .exitCode)" = "exited $code" ]
	done
}

@test "STEP-EXEC: death by a signal" {
	run_spec arg=sh arg=-c 'arg=kill -SEGV $$'
	[ "$status" -eq 0 ]
	[ "$(result '[.outcome,.signal,.exitCode]|@csv')" = '"signalled",11,' ]
}

@test "STEP-EXEC: a program that is missing is not_executable, with the reason" {
	run_spec arg=no-such-program
	[ "$status" -eq 0 ]
	[ "$(result .outcome)" = not_executable ]
	[ "$(result .reason)" = 'cannot execute "no-such-program": No such file or directory' ]
	[ "$(result '.exitCode == null and .signal == null')" = true ]
	DIR=$T/actions/a/2
	run_spec arg=/no/such/program
	[ "$(result .reason)" = 'cannot execute "/no/such/program": No such file or directory' ]
	DIR=$T/actions/a/3
	run_spec arg=
	[ "$(result .reason)" = 'cannot execute "": No such file or directory' ]
}

@test "STEP-EXEC: no permission to execute" {
	printf '#!/bin/sh\n' >"$T/tool"
	run_spec "arg=$T/tool"
	[ "$(result .outcome)" = not_executable ]
	[ "$(result .reason)" = "cannot execute \"$T/tool\": Permission denied" ]
}

@test "STEP-EXEC: a file that is no program is not handed to a shell" {
	echo 'touch ran' >"$T/tool"
	chmod +x "$T/tool"
	run_spec "cwd=$T" "arg=$T/tool"
	[ "$(result .outcome)" = not_executable ]
	[ "$(result .reason)" = "cannot execute \"$T/tool\": Exec format error" ]
	[ ! -e "$T/ran" ]
}

@test "STEP-EXEC: a missing interpreter is told from a missing program" {
	printf '#!/no/such/interpreter\n' >"$T/tool"
	chmod +x "$T/tool"
	run_spec "arg=$T/tool"
	[ "$(result .outcome)" = not_executable ]
	[ "$(result .reason)" = "cannot execute \"$T/tool\": its interpreter is missing: No such file or directory" ]
	DIR=$T/actions/a/2
	run_spec "env=X=1" arg=env "arg=PATH=$T" arg=tool
	[ "$(result '.outcome + " " + (.exitCode|tostring)')" = "exited 127" ]
}

@test "STEP-EXEC: a working directory that cannot be entered" {
	run_spec "cwd=$T/none" arg=true
	[ "$status" -eq 0 ]
	[ "$(result .outcome)" = not_executable ]
	[ "$(result .reason)" = "cannot change to directory \"$T/none\": No such file or directory" ]
}

@test "STEP-EXEC: too long an argument list is not_executable" {
	local long
	long=$(head -c 200000 /dev/zero | tr '\0' x)
	run_spec arg=true "arg=$long"
	[ "$(result .outcome)" = not_executable ]
	[ "$(result .reason)" = 'cannot execute "true": Argument list too long' ]
}

# --- what the action is given ---

@test "STEP-EXEC: arguments arrive as they are" {
	run_spec arg=printf 'arg=<%s>\n' 'arg=a b' arg= 'arg=$HOME;*' $'arg=two\nlines' 'arg=k=v'
	[ "$(cat "$DIR/stdout")" = $'<a b>\n<>\n<$HOME;*>\n<two\nlines>\n<k=v>' ]
}

@test "STEP-EXEC: the environment is what is given, and may be empty" {
	run_spec 'env=A=1' 'env=B=x=y' arg=env
	[ "$(sort "$DIR/stdout")" = $'A=1\nB=x=y\nPATH=/usr/local/bin:/usr/bin:/bin' ]
	DIR=$T/actions/a/2
	printf '%s\0' "dir=$DIR" execution=E action=a attempt=2 token=x arg=env >"$T/spec"
	SECRET=1 run "$RUN" <"$T/spec"
	[ "$(result '[.exitCode, .stdout]|@json')" = '[0,null]' ]
}

@test "STEP-EXEC: programs are looked for along the action's own PATH, in order" {
	mkdir "$T/one" "$T/two"
	printf '#!/bin/sh\necho "$0"\n' | tee "$T/one/tool" >"$T/two/tool"
	chmod +x "$T/two/tool"
	printf '%s\0' "dir=$DIR" execution=E action=a attempt=1 token=x "env=PATH=$T/none:$T/one:$T/two" arg=tool >"$T/spec"
	run "$RUN" <"$T/spec"
	[ "$(cat "$DIR/stdout")" = "$T/two/tool" ]
}

@test "STEP-EXEC: the working directory, and /dev/null for input" {
	run_spec "cwd=$T" arg=sh arg=-c 'arg=pwd -P; readlink /proc/self/fd/0'
	[ "$(cat "$DIR/stdout")" = "$(cd "$T" && pwd -P)"$'\n/dev/null' ]
}

@test "STEP-EXEC: no inherited descriptors" {
	spec arg=ls arg=/proc/self/fd
	run "$RUN" <"$T/spec" 7<"$T/spec" 9>"$T/other"
	[ "$status" -eq 0 ]
	# 3 is the directory that ls reads
	[ "$(xargs <"$DIR/stdout")" = "0 1 2 3" ]
}

@test "STEP-EXEC: a session of its own and no terminal" {
	# fields: pid, group, session, terminal
	run_spec arg=cut 'arg=-d ' arg=-f1,5,6,7 arg=/proc/self/stat
	read -r pid group session terminal <"$DIR/stdout"
	[ "$pid" = "$group" ]
	[ "$pid" = "$session" ]
	[ "$terminal" = 0 ]
	grep -q "^pid=$pid sid=$pid " "$DIR/lock"
}

@test "STEP-EXEC: no signal is ignored or blocked, whatever the daemon ignores" {
	spec arg=grep arg=-E 'arg=^Sig(Blk|Ign):' arg=/proc/self/status
	run timeout -k 5 60 env --ignore-signal=PIPE,HUP,CHLD,USR1,RTMAX --block-signal=USR2 "$RUN" <"$T/spec"
	[ "$status" -eq 0 ]
	[ "$(result .exitCode)" = 0 ]
	[ "$(cut -f2 "$DIR/stdout" | sort -u)" = 0000000000000000 ]
}

@test "STEP-EXEC: NO_NEW_PRIVS unless told otherwise" {
	run_spec arg=grep arg=NoNewPrivs arg=/proc/self/status
	[ "$(cut -f2 "$DIR/stdout")" = 1 ]
	DIR=$T/actions/a/2
	run_spec no_new_privs=0 arg=grep arg=NoNewPrivs arg=/proc/self/status
	# inherited, if the tests themselves run with it
	cmp "$DIR/stdout" <(grep NoNewPrivs /proc/self/status)
}

@test "STEP-EXEC: request.json is there before the action, byte for byte" {
	run_spec $'request={"a":"\xc3\xa9"}\n' arg=cat "arg=$DIR/request.json"
	[ "$(cat "$DIR/stdout")" = $'{"a":"\xc3\xa9"}' ]
	cmp "$DIR/request.json" "$DIR/stdout"
}

# --- what it writes ---

@test "STEP-EXEC: stdout and stderr are kept apart, and made only when written to" {
	run_spec arg=sh arg=-c 'arg=echo out; echo err >&2'
	[ "$(cat "$DIR/stdout")" = out ]
	[ "$(cat "$DIR/stderr")" = err ]
	[ "$(result '[.stdout,.stderr]|@json')" = '[{"size":4,"stored":4,"truncated":false},{"size":4,"stored":4,"truncated":false}]' ]
	DIR=$T/actions/a/2
	run_spec arg=sh arg=-c 'arg=echo err >&2'
	[ ! -e "$DIR/stdout" ]
	[ "$(result .stdout)" = null ]
	[ "$(cat "$DIR/stderr")" = err ]
}

@test "STEP-EXEC: output larger than a pipe is kept whole" {
	run_spec arg=seq arg=300000
	seq 300000 | cmp - "$DIR/stdout"
	[ "$(result '.stdout.truncated')" = false ]
}

@test "STEP-EXEC: what is still in the pipe when the last process ends is kept" {
	# a pipe that holds more than one read takes, filled while the supervisor stands still
	mkfifo "$T/gate"
	start_spec arg=perl arg=-e 'arg=fcntl(STDOUT, 1031, 1 << 20) or die; open(G, "<", $ARGV[0]); <G>;
		syswrite(STDOUT, "x" x 500000) == 500000 or die' "arg=$T/gate"
	wait_for filled "$DIR/lock"
	read -r line <"$DIR/lock"
	line=${line#pid=}
	kill -STOP "$supervisor"
	wait_for grep -q '^State:.T' "/proc/$supervisor/status"
	echo >"$T/gate"
	wait_for grep -q '^State:.Z' "/proc/${line%% *}/status"
	kill -CONT "$supervisor"
	finish
	[ "$status" -eq 0 ]
	[ "$(result '[.exitCode,.stdout.size,.stdout.stored,.stdout.truncated]|@csv')" = '0,500000,500000,false' ]
	[ "$(wc -c <"$DIR/stdout")" -eq 500000 ]
}

@test "STEP-EXEC: output can be read while the action runs" {
	start_spec arg=sh arg=-c 'arg=echo early; exec sleep 1000'
	wait_for filled "$DIR/stdout"
	[ "$(cat "$DIR/stdout")" = early ]
	kill -TERM "$supervisor"
	finish
}

@test "STEP-EXEC: beyond the cap output is dropped, marked, and counted" {
	run_spec stdout_cap=10 stderr_cap=0 arg=sh arg=-c 'arg=printf 0123456789abc; printf x >&2'
	[ "$(cat "$DIR/stdout")" = $'0123456789\n[creel: cut here; 13 bytes in all were written]' ]
	[ "$(cat "$DIR/stderr")" = $'\n[creel: cut here; 1 bytes in all were written]' ]
	[ "$(result '[.stdout,.stderr]|@json')" = '[{"size":13,"stored":10,"truncated":true},{"size":1,"stored":0,"truncated":true}]' ]
	DIR=$T/actions/a/2
	run_spec stdout_cap=10 arg=printf arg=0123456789
	[ "$(cat "$DIR/stdout")" = 0123456789 ]
	[ "$(result .stdout.truncated)" = false ]
}

@test "STEP-EXEC: an action far beyond the cap does not block" {
	run_spec stdout_cap=100000 arg=head arg=-c arg=5000000 arg=/dev/zero
	[ "$(result '[.exitCode,.stdout.size,.stdout.stored,.stdout.truncated]|@csv')" = '0,5000000,100000,true' ]
	[ "$(tail -n 1 "$DIR/stdout")" = '[creel: cut here; 5000000 bytes in all were written]' ]
}

@test "STEP-EXEC: output that cannot be stored is noted in the result, which is still published" {
	mkdir -p "$DIR/stdout"
	run_spec arg=echo arg=hello
	[ "$status" -eq 0 ]
	[ "$(result '.stdout|[.size,.stored,.truncated,.problem]|@csv')" = '6,0,true,"cannot create stdout: Is a directory"' ]
	[ "$(result '.exitCode')" = 0 ]
	DIR=$T/actions/a/2
	spec arg=head arg=-c arg=100000 arg=/dev/zero
	run bash -c 'ulimit -f 8; exec "$0" <"$1"' "$RUN" "$T/spec"
	[ "$status" -eq 0 ]
	[ "$(result '.stdout|[.size,.stored,.truncated,.problem]|@csv')" = '100000,8192,true,"cannot write stdout: File too large"' ]
}

@test "STEP-EXEC: sizes of the files output and error" {
	run_spec arg=sh arg=-c "arg=printf k=v >$DIR/output; echo '{}' >$DIR/error"
	[ "$(result '[.output,.error]|@json')" = '[{"size":3},true]' ]
	DIR=$T/actions/a/2
	run_spec arg=ln arg=-s arg=/etc/passwd "arg=$DIR/output"
	[ "$(result '.output|@json')" = '{"size":0,"irregular":true}' ]
}

# --- ending it ---

# Three ways to hide from a supervisor, each deaf to TERM; each leaves its pid.
hiding_places="
	trap '' TERM
	setsid sh -c 'echo \$\$ >$BATS_TEST_TMPDIR/one; exec sleep 1000' &
	( ( sh -c 'echo \$\$ >$BATS_TEST_TMPDIR/two; exec sleep 1000' & ) & )
	( setsid sh -c 'sh -c \"echo \\\$\\\$ >$BATS_TEST_TMPDIR/three; exec sleep 1000\" & wait' & )
	until [ -s $BATS_TEST_TMPDIR/one ] && [ -s $BATS_TEST_TMPDIR/two ] && [ -s $BATS_TEST_TMPDIR/three ]; do :; done
"

all_gone() {
	local f
	for f in one two three; do gone "$(cat "$BATS_TEST_TMPDIR/$f")" || return 1; done
}

@test "STEP-EXEC: a timeout ends every descendant, also deaf ones in other sessions" {
	run_spec timeout_ms=500 grace_ms=50 arg=sh arg=-c "arg=$hiding_places exec sleep 1000"
	[ "$status" -eq 0 ]
	[ "$(result '[.outcome,.signal,.reason]|@csv')" = '"timeout",9,"it ran longer than 500 ms"' ]
	[ "$(result '.killed >= 4')" = true ]
	all_gone
}

@test "STEP-EXEC: an action that heeds TERM after a timeout is not killed" {
	run_spec timeout_ms=100 grace_ms=60000 arg=sh arg=-c 'arg=trap "exit 9" TERM; sleep 1000 & wait'
	[ "$(result '[.outcome,.exitCode,.killed]|@csv')" = '"timeout",9,0' ]
}

@test "STEP-EXEC: a stopped action hears TERM, too" {
	run_spec timeout_ms=100 grace_ms=60000 arg=sh arg=-c 'arg=kill -STOP $$'
	[ "$(result '[.outcome,.signal,.killed]|@csv')" = '"timeout",15,0' ]
}

@test "STEP-EXEC: no timeout without timeout_ms, none before its time" {
	run_spec timeout_ms=60000 arg=true
	[ "$(result '[.outcome,.exitCode]|@csv')" = '"exited",0' ]
}

@test "STEP-EXEC: what the main process leaves is ended before the result" {
	run_spec grace_ms=50 arg=sh arg=-c "arg=$hiding_places exit 4"
	[ "$(result '[.outcome,.exitCode]|@csv')" = '"exited",4' ]
	[ "$(result '.killed >= 3')" = true ]
	all_gone
}

@test "STEP-EXEC: leftovers that heed TERM are not killed, and their last words are kept" {
	run_spec grace_ms=60000 arg=sh arg=-c \
		"arg=sh -c 'trap \"echo bye; exit\" TERM; echo \$\$ >$T/ready; while :; do sleep 0.01; done' &
		until [ -s $T/ready ]; do :; done"
	[ "$(result '[.outcome,.exitCode,.killed]|@csv')" = '"exited",0,0' ]
	[ "$(cat "$DIR/stdout")" = bye ]
}

@test "STEP-EXEC: signals to the supervisor end the action: terminated" {
	local sig
	for sig in TERM INT HUP; do
		DIR=$T/actions/a/$sig
		start_spec grace_ms=60000 arg=sleep arg=1000
		wait_for filled "$DIR/lock"
		kill "-$sig" "$supervisor"
		finish
		[ "$status" -eq 0 ]
		[ "$(result '[.outcome,.signal,.reason]|@csv')" = "\"terminated\",15,\"the supervisor was asked to end it (SIG$sig)\"" ]
	done
}

@test "STEP-EXEC: a terminated action that is deaf is killed with all of its own" {
	start_spec grace_ms=50 arg=sh arg=-c "arg=$hiding_places echo ready; exec sleep 1000"
	wait_for filled "$DIR/stdout"
	kill -TERM "$supervisor"
	finish
	[ "$(result '[.outcome,.signal]|@csv')" = '"terminated",9' ]
	all_gone
}

@test "STEP-EXEC: a family that keeps forking into new sessions is ended" {
	# a process that keeps forking generations, each in a session of its own
	cat >"$T/breed" <<-'END'
		#!/bin/sh
		trap '' TERM
		setsid "$0" &
		sleep 0.01
	END
	chmod +x "$T/breed"
	run_spec timeout_ms=200 grace_ms=0 "arg=$T/breed"
	[ "$status" -eq 0 ]
	none_runs "$T/breed"
}

@test "STEP-EXEC: somebody outside who holds the pipe delays nothing" {
	mkfifo "$T/gate"
	start_spec arg=sh arg=-c "arg=echo ready; read x <$T/gate"
	wait_for filled "$DIR/stdout"
	read -r line <"$DIR/lock"
	line=${line#pid=}
	exec {outside}>"/proc/${line%% *}/fd/1"
	echo >"$T/gate"
	finish
	exec {outside}>&-
	[ "$status" -eq 0 ]
	[ "$(result .exitCode)" = 0 ]
}

# --- the lock, and who else is there ---

@test "EDGE-5: the lock's line names process, session, start, boot and the lock itself" {
	run_spec arg=cut 'arg=-d ' arg=-f1,22 arg=/proc/self/stat
	read -r pid start <"$DIR/stdout"
	[ "$(cat "$DIR/lock")" = "pid=$pid sid=$pid start=$start boot=$(cat /proc/sys/kernel/random/boot_id) $(stat -c 'dev=%d ino=%i' "$DIR/lock")" ]
	[ "$(wc -l <"$DIR/lock")" -eq 1 ]
}

@test "EDGE-5: the lock is empty if the action never came to its exec" {
	run_spec "cwd=$T/none" arg=true
	[ -e "$DIR/lock" ]
	[ ! -s "$DIR/lock" ]
}

@test "EDGE-5: the lock is held while the action runs" {
	start_spec arg=sleep arg=1000
	wait_for filled "$DIR/lock"
	lock_held
	kill -TERM "$supervisor"
	finish
	lock_free
}

@test "EDGE-5: a lock that somebody holds: leaves at once, exit 2" {
	mkdir -p "$DIR"
	exec {held}>"$DIR/lock"
	flock --nonblock "$held"
	run_spec arg=touch "arg=$T/ran"
	exec {held}>&-
	[ "$status" -eq 2 ]
	[[ $output == *"somebody else holds the lock"* ]]
	[ ! -e "$T/ran" ]
	[ "$(ls -A "$DIR")" = lock ]
}

is_stopped() {
	grep -q '^State:[[:space:]]*[tT]' "/proc/$1/status"
}

# A daemon that found the lock free before this supervisor had it has the same attempt started anew.
@test "EDGE-5: a lock that is no longer the file of that name: leaves, exit 3" {
	mkdir -p "$DIR"
	spec arg=touch "arg=$T/ran"
	ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e trace=flock -e inject=flock:signal=STOP:when=1 "$RUN" <"$T/spec" 2>"$T/messages" 3>&- &
	tracer=$!
	wait_for test -e "$DIR/lock"
	supervisor=$(pgrep -P "$tracer")
	wait_for is_stopped "$supervisor"
	rm "$DIR/lock"
	kill -CONT "$supervisor"
	status=0
	wait "$tracer" || status=$?
	supervisor=
	[ "$status" -eq 3 ]
	grep -q "started anew" "$T/messages"
	[ ! -e "$T/ran" ]
	[ -z "$(ls -A "$DIR")" ]
}

@test "EDGE-5: outputs that cannot be seen are not taken for none: the outcome is failed" {
	spec arg=sh arg=-c "arg=echo n=1 > $DIR/output"
	ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -P output -e inject=newfstatat,statx,stat,lstat:error=EIO "$RUN" <"$T/spec" 3>&-
	[ "$(result '[.outcome,.output == null]|@csv')" = '"failed",true' ]
	[[ $(result .reason) == *"cannot be told what the action left"* ]]
}

@test "EDGE-5: a request that cannot be written whole is not there" {
	spec "request=$(head -c 5000 /dev/zero | tr '\0' r)" arg=true
	(ulimit -S -f 1 && exec "$RUN") <"$T/spec"
	[ "$(result .outcome)" = failed ]
	[[ $(result .reason) == *request.json* ]]
	[ ! -e "$DIR/request.json" ]
}

@test "EDGE-5: void, a result, or a lock that was written in: leaves at once, exit 3" {
	mkdir -p "$DIR"
	: >"$DIR/void"
	run_spec arg=touch "arg=$T/ran"
	[ "$status" -eq 3 ]
	[[ $output == *"declared void"* ]]
	rm "$DIR/void"
	echo '{}' >"$DIR/result.json"
	run_spec arg=touch "arg=$T/ran"
	[ "$status" -eq 3 ]
	[[ $output == *"has a result already"* ]]
	[ "$(cat "$DIR/result.json")" = '{}' ]
	rm "$DIR/result.json"
	echo 'pid=1' >"$DIR/lock"
	run_spec arg=touch "arg=$T/ran"
	: >"$DIR/lock"
	[ "$status" -eq 3 ]
	[[ $output == *"was started before"* ]]
	[ ! -e "$T/ran" ]
}

@test "EDGE-5: an empty lock that nobody holds does not stop a second start" {
	mkdir -p "$DIR"
	: >"$DIR/lock"
	run_spec arg=true
	[ "$status" -eq 0 ]
	[ "$(result .outcome)" = exited ]
}

@test "EDGE-5: kill -9 of the supervisor: the lock is free though the action lives, and there is no result" {
	start_spec arg=sleep arg=1000
	wait_for filled "$DIR/lock"
	kill -9 "$supervisor"
	finish
	lock_free
	[ ! -e "$DIR/result.json" ]
	read -r line <"$DIR/lock"
	line=${line#pid=}
	kill -0 "${line%% *}"
	kill -9 "${line%% *}"
}

@test "EDGE-5: a result is linked into results/ when the daemon is gone, and only then" {
	spec arg=true
	# the parent is there: the shell that started it
	run bash -c 'printf "parent=%s\0" $$ >>"$1"; "$0" <"$1"; exit $?' "$RUN" "$T/spec"
	[ "$status" -eq 0 ]
	[ -e "$DIR/result.json" ]
	[ -z "$(ls "$T/results")" ]
	# the parent goes while the action runs
	DIR=$T/actions/a/2
	mkfifo "$T/gate"
	spec arg=sh arg=-c "arg=read x <$T/gate"
	bash -c 'printf "parent=%s\0" $$ >>"$1"; "$0" <"$1" & exit 0' "$RUN" "$T/spec"
	wait_for filled "$DIR/lock"
	[ -z "$(ls "$T/results")" ]
	echo >"$T/gate"
	wait_for test -e "$T/results/E.a.1.json"
	[ "$T/results/E.a.1.json" -ef "$DIR/result.json" ]
}

@test "EDGE-5: a link that is there already is no error" {
	: >"$T/results/E.a.1.json"
	run_spec parent=1 arg=true
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "EDGE-5: the supervisor survives the signals and the terminal of its daemon's session" {
	spec arg=sleep arg=1000
	setsid bash -c '"$0" <"$1" >/dev/null 2>&1 3>&- & echo $! >"$2"; wait' "$RUN" "$T/spec" "$T/pid" &
	daemon=$!
	wait_for filled "$DIR/lock" "$T/pid"
	kill -9 -- "-$daemon"
	supervisor=$(cat "$T/pid")
	lock_held
	kill -TERM "$supervisor"
	wait_for test -e "$T/results/E.a.1.json"
	[ "$(result .outcome)" = terminated ]
	supervisor=
}

@test "EDGE-5: a result that cannot be written is tried again, with the lock held" {
	# a limit in place of a full disk: the result, with its long reason, does not fit
	local long
	long=$(head -c 4000 /dev/zero | tr '\0' x)
	printf '#!/bin/sh\nulimit -S -f 2\nexec "%s"\n' "$RUN" >"$T/limited"
	chmod +x "$T/limited"
	RUN=$T/limited
	start_spec "arg=/$long"
	wait_for grep 'trying again every second' "$T/messages"
	lock_held
	[ "$(ls -A "$DIR")" = lock ]
	prlimit --fsize=unlimited: --pid "$supervisor"
	finish
	[ "$status" -eq 0 ]
	[ "$(result .outcome)" = not_executable ]
	[ "$(wc -l <"$T/messages")" -eq 1 ]
	DIR=$T/actions/a/2
	start_spec "arg=/$long"
	wait_for grep 'trying again every second' "$T/messages"
	kill -TERM "$supervisor"
	finish
	[ "$status" -eq 112 ]
	[ "$(ls -A "$DIR")" = lock ]
}

@test "STEP-EXEC: an environment that does not even allow a directory: exit 111" {
	rmdir "$T/actions"
	run_spec arg=true
	[ "$status" -eq 111 ]
	[[ $output == *"cannot make directory"*"nothing was started"* ]]
}

# --- the specification ---

# refuses PATTERN STRING...
refuses() {
	local message=$1
	shift
	printf '%s\0' "$@" >"$T/spec"
	run "$RUN" <"$T/spec"
	[ "$status" -eq 100 ]
	[[ $output == *"bad specification: "$message"; nothing was started"* ]] || {
		echo "$output"
		return 1
	}
}

@test "STEP-EXEC: bad specifications are refused with the reason, exit 100" {
	local all=("dir=$DIR" execution=E action=a attempt=1 token=x arg=true)
	refuses 'unknown key "arguments"' "${all[@]}" arguments=x
	refuses 'string 7 is no key=value: "hello"' "${all[@]}" hello
	refuses 'dir is missing' "${all[@]:1}"
	refuses 'token is missing' "${all[@]:0:4}" arg=true
	refuses 'there is no arg' "${all[@]:0:5}"
	refuses 'dir is given twice' "${all[@]}" dir=/x
	refuses 'dir is not an absolute path: "x"' dir=x "${all[@]:1}"
	refuses 'timeout_ms is not a number from 0 to *: "-1"' "${all[@]}" timeout_ms=-1
	refuses 'timeout_ms is not a number from 0 to *: ""' "${all[@]}" timeout_ms=
	refuses 'no_new_privs is not a number from 0 to 1: "yes"' "${all[@]}" no_new_privs=yes
	refuses 'results and link go together' "${all[@]}" results=/x
	refuses 'link is not the name of a file: "../x"' "${all[@]}" results=/x link=../x
	refuses 'env is no NAME=VALUE: "NAME"' "${all[@]}" env=NAME
	[ ! -e "$DIR" ]
}

@test "STEP-EXEC: an empty, cut or overlong specification is refused" {
	run "$RUN" </dev/null
	[ "$status" -eq 100 ]
	[[ $output == *"it is empty"* ]]
	spec arg=true
	printf 'arg=no end' >>"$T/spec"
	run "$RUN" <"$T/spec"
	[ "$status" -eq 100 ]
	[[ $output == *"cut short"* ]]
	truncate -s 33M "$T/spec"
	run "$RUN" <"$T/spec"
	[ "$status" -eq 100 ]
	[[ $output == *"at most 33554432 are read"* ]]
	[ ! -e "$DIR" ]
}

@test "STEP-EXEC: arguments are refused, a pipe is as good as a file" {
	run "$RUN" --help
	[ "$status" -eq 100 ]
	spec arg=true
	cat "$T/spec" | "$RUN"
	[ "$(result .outcome)" = exited ]
}
