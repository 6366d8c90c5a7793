#!/usr/bin/env bats
# The command line: what it reads out of a spool, what it drops into one, what it says and how it exits.

load helpers

setup() {
	spool_setup
	export CREEL_SPOOL=$S
	unset NO_COLOR
}
teardown() { spool_teardown; }

creel() {
	"$BIN/creel" "$@"
}

# Run creel with its two outputs apart: $status, $T/out, $T/err.
try() {
	status=0
	"$BIN/creel" "$@" >"$T/out" 2>"$T/err" </dev/null || status=$?
}

# The same, expecting an exit status.
exits() {
	local want=$1
	shift
	try "$@"
	[ "$status" -eq "$want" ] || { echo "creel $* exited with $status, not $want"; cat "$T/out" "$T/err"; return 1; }
}

out() { grep -qF -e "$1" "$T/out" || { echo "not said: $1"; cat "$T/out"; return 1; }; }
err() { grep -qF -e "$1" "$T/err" || { echo "not said: $1"; cat "$T/err"; return 1; }; }
# bats does not notice a plain "! command"
no() { ! "$@"; }
silent() { [ ! -s "$T/$1" ] || { cat "$T/$1"; return 1; }; }

# plan NAME [SCRIPT [MORE]] > FILE: one action "work"
plan() {
	cat <<-E
	name: $1
	actions:
	- id: work
	  actionDefinitionId: shell.run
	  inputs: {script: '${2:-true}'}
	  ${3:-}
	E
}

wrong() {
	cat <<-E
	name: wrong
	actions:
	- id: first
	  actionDefinitionId: command
	  dependencies: [secnd]
	  inputs: {command: "true"}
	- id: second
	  actionDefinitionId: command
	  inputs: {command: "true"}
	E
}

asking() {
	cat <<-E
	name: asking
	actions:
	- id: work
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo to \$CHANNEL', env: {CHANNEL: stable}}
	  userConfirmation: {required: true, title: Publish it?, message: It goes to all., ${1:-timeout: 0}}
	E
}

# Submit the plan on standard input; its id is in $EX.
submit() {
	cat >"$T/plan.yaml"
	EX=$(creel submit "$T/plan.yaml")
	[ ${#EX} -eq 36 ]
}

said() { creel log "$EX" | grep -q "$1"; }

# --- validate ---

@test "STEP-CHECK: a plan that is right: ok, exit 0, nothing else" {
	plan fine >fine.yaml
	exits 0 validate fine.yaml
	[ "$(cat "$T/out")" = "fine.yaml: ok (1 action)" ]
	silent err
	exits 0 validate --quiet fine.yaml
	silent out
}

@test "STEP-CHECK: findings have file, line, column, pointer and advice; exit 1" {
	wrong >wrong.yaml
	exits 1 validate wrong.yaml
	[ "$(cat "$T/out")" = 'wrong.yaml:5:18: /actions/0/dependencies/0: there is no action "secnd"; did you mean "second"?' ]
}

@test "STEP-CHECK: several files: the worst decides; what cannot be read is 2" {
	plan fine >fine.yaml
	wrong >wrong.yaml
	exits 1 validate fine.yaml wrong.yaml
	out "fine.yaml: ok"
	exits 2 validate fine.yaml wrong.yaml missing.yaml
	out "wrong.yaml:5:18:"
	err "cannot open missing.yaml"
	exits 2 validate .
	exits 2 validate
}

@test "STEP-CHECK: validate reads standard input, knows JSON by its look, and answers in JSON" {
	wrong | { ! creel validate - >"$T/out"; }
	out "<stdin>:5:18: "
	echo '{"name": "j", "actions": [{"id": "a", "actionDefinitionId": "command", "inputs": {"command": "true"}}]}' |
		creel validate -
	wrong >wrong.yaml
	plan fine >fine.yaml
	exits 1 validate --json fine.yaml wrong.yaml
	[ "$(jq -c '[.[] | {file, ok, n: (.errors | length), line: .errors[0].line}]' "$T/out")" = \
		'[{"file":"fine.yaml","ok":true,"n":0,"line":null},{"file":"wrong.yaml","ok":false,"n":1,"line":5}]' ]
}

@test "STEP-CHECK: validate needs no spool" {
	plan fine >fine.yaml
	CREEL_SPOOL=/no/such exits 0 validate fine.yaml
}

# --- usage ---

@test "the command line: unknown words are 2, and what was meant is named" {
	exits 2
	exits 2 statsu
	err 'did you mean "status"?'
	exits 2 ls --jsn
	err 'did you mean "--json"?'
	exits 2 ls --number many
	exits 2 ls --number
	exits 2 ls --status faild
	err 'did you mean "failed"?'
	exits 2 --spool
	exits 2 show
	exits 2 show a b
}

@test "the command line: every verb has help, and help lists every verb" {
	local verb n=0
	exits 0 help
	cp "$T/out" "$T/list"
	for verb in $(sed -n 's/^  \([a-z]*\) .*/\1/p' "$T/list"); do
		exits 0 "$verb" --help
		out "usage: creel [--spool DIR] $verb"
		n=$((n + 1))
	done
	[ "$n" -ge 20 ]
	exits 0 --version
}

@test "the spool: --spool, then CREEL_SPOOL, then ./spool" {
	creel init -q "$T/one/spool"
	creel init -q "$T/two"
	cd "$T/one"
	[ "$(creel path)" = "$S" ]
	[ "$(creel --spool "$T/two" path)" = "$T/two" ]
	[ "$(creel path --spool "$T/two")" = "$T/two" ]
	unset CREEL_SPOOL
	[ "$(creel path)" = "$T/one/spool" ]
	cd "$T/two"
	exits 2 path
	err "creel init"
	exits 2 --spool "$T/one" path
	err "is not a spool"
}

@test "init: makes every directory, leaves modes alone, suggests a retention" {
	exits 0 init "$T/new"
	out "creeld --spool $T/new"
	out "keep_days: 90"
	[ "$(stat -c %a "$T/new/inbox")" = 700 ]
	chmod 750 "$T/new/inbox"
	exits 0 init "$T/new"
	[ "$(stat -c %a "$T/new/inbox")" = 750 ]
	exits 2 init --group no-such-group "$T/other"
	err "no group"
	exits 0 init --group "$(id -gn)" "$T/shared"
	[ "$(stat -c %a "$T/shared/inbox")" = 3770 ]
	[ "$(stat -c %a "$T/shared/results")" = 2750 ]
}

# --- submit ---

@test "submit: without a daemon plans wait in the inbox, under names of their own, and that is said" {
	plan one >a.yaml
	exits 0 submit a.yaml
	silent out
	err "no daemon is running"
	mkdir sub && plan two >sub/a.yaml
	exits 0 submit a.yaml sub/a.yaml a.yaml
	[ "$(ls "$S/inbox" | wc -l)" -eq 4 ]
	[ "$(ls -A "$S/inbox" | grep -c '^\.')" -eq 0 ]
	drain
	[ "$status" -eq 0 ]
	[ "$(creel ls --json | jq length)" -eq 4 ]
}

@test "submit: the bytes arrive as they are, from standard input too, readable whatever the umask" {
	plan bytes >a.yaml
	(umask 077 && creel submit --name 'deploy to ../prod' - <a.yaml 2>/dev/null)
	[[ $(ls "$S/inbox") == *Z-*-prod.yaml ]]
	cmp a.yaml "$S"/inbox/*
	[ "$(stat -c %a "$S"/inbox/*)" = 644 ]
}

@test "submit: a plan that is wrong is not dropped" {
	wrong >wrong.yaml
	exits 1 submit wrong.yaml
	err 'wrong.yaml:5:18: /actions/0/dependencies/0: there is no action "secnd"'
	silent out
	[ -z "$(ls -A "$S/inbox")" ]
	plan fine >fine.yaml
	exits 1 submit wrong.yaml fine.yaml
	[ "$(ls "$S/inbox" | wc -l)" -eq 1 ]
	exits 2 submit missing.yaml
	exits 2 submit
}

@test "submit: what the daemon refuses is told with its place" {
	daemon_start
	wrong >wrong.yaml
	exits 1 submit --no-validate wrong.yaml
	silent out
	err 'wrong.yaml:5:18: /actions/0/dependencies/0: there is no action "secnd"; did you mean "second"?'
	exits 1 submit --no-validate --wait --json wrong.yaml
	[ "$(jq -r '.[0].rejected.type' "$T/out")" = plan.rejected ]
}

@test "submit: prints the execution's id; with many at once each gets its own" {
	local n
	daemon_start
	for n in 1 2 3 4 5; do plan "p$n" >"p$n.yaml"; done
	exits 0 submit p1.yaml p2.yaml p3.yaml p4.yaml p5.yaml
	[ "$(sort -u "$T/out" | wc -l)" -eq 5 ]
	n=0
	while read -r EX; do
		n=$((n + 1))
		[ "$(jq -r .name "$(where)/plan.json")" = "p$n" ]
	done <"$T/out"
	EX=
	exits 0 submit --json p1.yaml
	[[ $(jq -r '.[0] | .file + " " + .execution' "$T/out") =~ ^p1.yaml\ [0-9a-f-]{36}$ ]]
}

@test "submit --wait: 0 completed, 1 failed; the state is final when it returns" {
	daemon_start
	plan good 'echo x=1 >$CREEL_OUTPUT' >good.yaml
	plan bad 'exit 3' >bad.yaml
	exits 0 submit --wait good.yaml
	EX=$(cat "$T/out")
	is_state .status completed
	[ ! -e "$S/active/$EX" ]
	err "work: completed (exit 0"
	exits 1 submit --wait bad.yaml
	err "work: failed (exit 3"
	exits 1 submit --wait --quiet --json good.yaml bad.yaml
	[ "$(jq -c '[.[].status]' "$T/out")" = '["completed","failed"]' ]
	exits 0 submit --wait --quiet good.yaml
	silent err
}

@test "submit --wait: 3 when all that is left waits for people, with the commands; --through goes on" {
	daemon_start
	asking >ask.yaml
	exits 3 submit --wait ask.yaml
	EX=$(cat "$T/out")
	err "creel approve $EX work"
	exits 3 wait "$EX"
	exits 3 wait --timeout 0.1 --through "$EX"
	err "not over yet"
	creel wait --through "$EX" >"$T/out" 2>"$T/err" 3>&- &
	waiter=$!
	wait_until grep -q "waits for you" "$T/err"
	creel approve "$EX"
	wait "$waiter"
}

@test "submit --wait: waits for a daemon that comes later" {
	plan later >later.yaml
	creel submit --wait later.yaml >"$T/out" 2>"$T/err" 3>&- &
	waiter=$!
	wait_until grep -q "waiting for one" "$T/err"
	drain
	wait "$waiter"
	[ "$(wc -l <"$T/out")" -eq 1 ]
}

# --- waiting ---

@test "wait: an action that failed and asks ends the wait, with its own choices; skip answers" {
	daemon_start
	submit <<-E
	name: each
	actions:
	- {id: each, forEach: [a, b], actionDefinitionId: command, inputs: {command: "false"}, onFailure: ask}
	E
	exits 3 wait "$EX"
	err "creel skip $EX each"
	exits 0 skip "$EX" --comment "not needed"
	out "decided: skip by"
	try wait "$EX"
	[ "$status" -lt 2 ]
	[ "$(status_of each)" = skipped ]
}

@test "wait: what ended before is known at once; several: the worst decides" {
	plan good >"$S/inbox/good.yaml"
	plan bad false >"$S/inbox/bad.yaml"
	drain
	exits 0 wait "$(id_of good)"
	exits 1 wait "$(id_of good)" "$(id_of bad)"
	exits 1 wait --json "$(id_of bad)" "$(id_of good)"
	[ "$(jq -c '[.[] | [.name, .status]]' "$T/out")" = '[["bad","failed"],["good","completed"]]' ]
	exits 1 wait 0000
	exits 2 wait
}

@test "wait: an execution that is quarantined does not keep anybody waiting" {
	daemon_start
	submit <<<"$(plan held "$(gate go)")"
	daemon_crash
	ln -s "../$(cd "$S" && echo executions/*/"$EX")" "$S/quarantine/$EX"
	exits 1 wait "$EX"
	err "quarantined"
	exits 0 ls --status quarantined
	out "${EX: -8}"
}

@test "wait: a terminal shows one line for each action, redrawn in place; no colours with NO_COLOR" {
	daemon_start
	plan shown "$(gate go)" >shown.yaml
	(wait_until grep -q "running *work\|running.*work" "$T/screen" && open_gate go) 3>&- &
	TERM=xterm script -qefc "$BIN/creel submit --wait $T/shown.yaml" "$T/screen" >/dev/null
	grep -q $'\033\[32mcompleted' "$T/screen"
	grep -q $'\033\[2A' "$T/screen"
	NO_COLOR=1 TERM=xterm script -qefc "$BIN/creel submit --wait $T/shown.yaml" "$T/screen" >/dev/null
	grep -q "completed  shown" "$T/screen"
	no grep -q $'\033\[[0-9]*m' "$T/screen"
	TERM=dumb script -qefc "$BIN/creel submit --wait $T/shown.yaml" "$T/screen" >/dev/null
	no grep -q $'\033' "$T/screen"
}

# --- looking ---

@test "ls: newest first, limited, by status, as JSON" {
	plan one >"$S/inbox/1.yaml"
	drain
	plan two false >"$S/inbox/2.yaml"
	drain
	asking >"$S/inbox/3.yaml"
	drain
	[ "$(creel ls --json | jq -c '[.[].name]')" = '["asking","two","one"]' ]
	[ "$(creel ls --json --active | jq -c '[.[] | [.name, .status, .active]]')" = \
		'[["asking","paused_for_confirmation",true]]' ]
	[ "$(creel ls --json --finished | jq -c '[.[].name]')" = '["two","one"]' ]
	[ "$(creel ls --json --status failed | jq -c '[.[].name]')" = '["two"]' ]
	[ "$(creel ls --json --status asking | jq -c '[.[].name]')" = '["asking"]' ]
	[ "$(creel ls --json -n 1 | jq -c '[.[].name]')" = '["asking"]' ]
	[ "$(creel ls --json --status cancelled)" = '[]' ]
	exits 0 ls -n 2
	[ "$(wc -l <"$T/out")" -eq 3 ]
	err "there are more"
	exits 0 ls
	silent err
	out "$(id_of one | tail -c 9)"
}

@test "ids: whole, beginning, end, path, last; what is ambiguous lists candidates" {
	plan one >"$S/inbox/1.yaml"
	drain
	plan two >"$S/inbox/2.yaml"
	drain
	one=$(id_of one) two=$(id_of two)
	[ "$(creel path "$one")" = "$(where one)" ]
	[ "$(creel path "${one: -8}")" = "$(where one)" ]
	[ "$(creel path "${two:0:18}")" = "$(where two)" ] || [ "${one:0:18}" = "${two:0:18}" ]
	[ "$(creel path "$(where two)/")" = "$(where two)" ]
	[ "$(creel path "${two^^}")" = "$(where two)" ]
	[ "$(creel path last)" = "$(where two)" ]
	exits 1 show "${one:0:4}"
	err "fits 2 executions"
	err "$one"
	exits 2 show "${one: -3}"
	exits 2 show ../../etc
	exits 1 show 0000ffff
	exits 1 show 00000000-0000-7000-8000-000000000000
}

@test "show: actions with status, exit, error and outputs; --json is state.json" {
	drop p.yaml <<-E
	name: shown
	actions:
	- {id: made, actionDefinitionId: shell.run, inputs: {script: 'echo "rev=abc" >\$CREEL_OUTPUT'}}
	- {id: broke, actionDefinitionId: shell.run, inputs: {script: exit 9}, dependencies: [made]}
	- {id: never, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [broke]}
	E
	drain
	exits 0 show last
	out "rev = abc"
	grep -q "broke *failed.*exit 9" "$T/out"
	grep -q "never *skipped" "$T/out"
	exits 0 show --json last
	[ "$(jq -S . "$T/out")" = "$(jq -S . "$(where)/state.json")" ]
}

@test "log: events with their times; --json as in events/; --follow until the end" {
	daemon_start
	submit <<<"$(plan slow "$(gate go)")"
	creel log --follow "$EX" >"$T/followed" 3>&- &
	follower=$!
	wait_until grep -q "work: starts" "$T/followed"
	open_gate go
	wait "$follower"
	grep -q "work: completed (exit 0" "$T/followed"
	wait_until said "completed after"
	exits 0 log --json "$EX"
	[ "$(jq -sc '[.[] | del(.at)] | sort_by(.seq, .n)' "$T/out")" = \
		"$(jq -sc '[.[] | del(.at)] | sort_by(.seq, .n)' "$S"/events/*.jsonl)" ]
	[ "$(jq -s 'all(.at | test("Z$"))' "$T/out")" = true ]
}

@test "log ACTION: what an attempt wrote, each stream on its own; earlier attempts too" {
	drop p.yaml <<-E
	name: talk
	actions:
	- id: talk
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo out \$CREEL_ATTEMPT; echo err \$CREEL_ATTEMPT >&2; [ \$CREEL_ATTEMPT = 2 ]'}
	  retryPolicy: {maxAttempts: 2, initialDelay: 1, maxDelay: 10, backoffMultiplier: 1, jitter: false, retryableErrors: [api_unexpected_status]}
	E
	drain
	exits 0 log last talk
	[ "$(cat "$T/out")" = "out 2" ]
	[ "$(cat "$T/err")" = "err 2" ]
	exits 0 log last talk --attempt 1 --stdout
	[ "$(cat "$T/out")" = "out 1" ]
	silent err
	exits 0 log --json last talk
	[ "$(jq -r .exitCode "$T/out")" = 0 ]
	exits 1 log last talk --attempt 3
	exits 1 log last nobody
	exits 1 log last ../../talk
	[ "$(creel path last talk)" = "$(where)/actions/talk/2" ]
	[ "$(creel path last talk 1)" = "$(where)/actions/talk/1" ]
	exits 1 path last talk 7
}

@test "SEC: what comes from files cannot drive the terminal" {
	local verb
	drop p.yaml <<-E
	name: "evil \e[2J\e]0;title\a name \u009b31m"
	actions:
	- id: work
	  actionDefinitionId: shell.run
	  inputs: {script: 'printf "k=\\033[31mred\\n" >\$CREEL_OUTPUT; printf "\\033[2J" >&2'}
	- id: ask
	  dependencies: [work]
	  actionDefinitionId: command
	  inputs: {command: echo, args: ["\e[31m"]}
	  userConfirmation: {required: true, title: "\e[31mred", message: "\e[2Jgone", timeout: 0}
	E
	drain
	for verb in ls "show last" "log last" pending "wait last" "log last work" "show --json last" "pending --json"; do
		: >"$T/screen"
		NO_COLOR=1 TERM=dumb script -qfc "$BIN/creel $verb" "$T/screen" >/dev/null || :
		sed '1d;$d' "$T/screen" >"$T/seen"
		[ -s "$T/seen" ]
		! LC_ALL=C grep -q $'[\001-\010\013\014\016-\037\177]' "$T/seen" || { echo "$verb:"; cat -v "$T/seen"; false; }
		! LC_ALL=C grep -q $'\302[\200-\237]' "$T/seen" || { echo "$verb:"; cat -v "$T/seen"; false; }
	done
}

@test "status: 1 without a daemon, 0 with one; counts; what is wrong is said" {
	wrong >"$S/inbox/w.yaml"
	asking >"$S/inbox/a.yaml"
	exits 1 status
	out "not running"
	drain
	daemon_start
	exits 0 status --json
	[ "$(jq -c '[.daemon.running, .daemon.pid, .active, .asking, .inbox, .rejected, .quarantined, .problem]' "$T/out")" = \
		"[true,$DAEMON,1,1,0,1,0,null]" ]
	[ "$(jq '.freeBytes > 0' "$T/out")" = true ]
	exits 0 status
	out "pid $DAEMON"
	daemon_stop
	echo '{"since": "2026-11-21T05:00:00.000Z", "message": "cannot write: no room"}' >"$S/problem.json"
	exits 1 status
	out "no room"
	[ "$(creel status --json | jq -r .problem.message)" = "cannot write: no room" ]
}

# --- deciding ---

@test "ORCH-006: approve lets it go on; the action may be left out; the answer is printed" {
	daemon_start
	submit <<<"$(asking)"
	exits 3 wait "$EX"
	exits 0 pending --json
	[ "$(jq -r '.[0] | .execution + " " + .action' "$T/out")" = "$EX work" ]
	exits 0 approve "${EX: -8}" --comment "looks right"
	out "work: decided: approve by"
	out "looks right"
	exits 0 wait "$EX"
	[ "$(events '.[] | select(.type == "user.confirmation.received") | .comment')" = "looks right" ]
	exits 1 approve "$EX"
	err "is over"
	exits 0 pending
	err "nothing waits"
}

@test "CHK-DECIDE: approve changes inputs; what does not fit is refused, and the request stays" {
	daemon_start
	submit <<<"$(asking)"
	exits 3 wait "$EX"
	exits 1 approve "$EX" --input script=7
	err "was refused"
	exits 2 approve "$EX" --input script
	exits 0 approve "$EX" --input 'env={"CHANNEL":"beta"}'
	exits 0 wait "$EX"
	[ "$(stdout_of work)" = "to beta" ]
}

@test "ORCH-007: reject cancels; commands of the request are right as they stand" {
	daemon_start
	submit <<<"$(asking)"
	exits 3 wait "$EX"
	command=$(creel pending --json | jq -r '.[0].commands.reject')
	[ "$command" = "creel reject $EX work" ]
	$command --comment no
	exits 1 wait "$EX"
	is_state .status cancelled
}

@test "approve: where nothing waits, or several do, it says what does" {
	daemon_start
	submit <<-E
	name: two
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "true"}, userConfirmation: {required: true, title: A?, message: m, timeout: 0}}
	- {id: b, actionDefinitionId: command, inputs: {command: "true"}, userConfirmation: {required: true, title: B?, message: m, timeout: 0}}
	- {id: c, actionDefinitionId: command, inputs: {command: "true"}}
	E
	exits 3 wait "$EX"
	exits 1 approve "$EX"
	err "2 actions"
	err "a: A?"
	exits 1 approve "$EX" c
	err "does not wait for a decision: it is completed"
	exits 1 approve "$EX" d
	err 'has no action "d"'
	exits 1 retry "$EX" a
	err "not a choice: approve, reject"
	exits 0 approve "$EX" a
	exits 0 approve "$EX"
	exits 0 wait "$EX"
}

@test "approve: where approvers are named, the decision comes from a directory of one's own" {
	daemon_start --config <(echo "rescan_sec: 0.2")
	submit <<<"$(asking "timeout: 0, approvers: [$(id -un)]")"
	exits 3 wait "$EX"
	exits 0 approve "$EX"
	out "decided: approve by $(id -un)"
	[ -e "$S/confirm/by/$(id -un)/$EX.work.approve" ]
	exits 0 wait "$EX"
}

@test "RUN-MANUAL: pause, resume, cancel; what they did is printed, and what is over is said to be" {
	daemon_start
	submit <<<"$(plan held "$(gate go)")"
	exits 0 pause "$EX" --reason "wait a bit"
	out "paused by"
	wait_until eval 'creel ls | grep -q "paused .*held"'
	exits 0 resume "$EX"
	out "resumed by"
	exits 0 cancel "$EX" --reason enough
	out "asked to stop"
	exits 1 wait "$EX"
	is_state .status cancelled
	exits 1 cancel "$EX"
	err "is over: it is cancelled"
}

@test "RUN-MANUAL: retry opens a finished execution again; which action may be plain" {
	daemon_start
	submit <<<"$(plan later "[ -e $T/mended ]")"
	exits 1 wait "$EX"
	touch "$T/mended"
	exits 0 retry "$EX"
	exits 0 wait "$EX"
	is_state .status completed
	exits 1 retry "$EX"
	exits 2 skip "$EX"
	exits 1 skip "$EX" work
}

@test "orders without a daemon are dropped, and that is said" {
	plan held "$(gate go)" >"$S/inbox/held.yaml"
	daemon_start
	wait_until eval 'EX=$(id_of)'
	daemon_crash
	exits 0 cancel last
	err "the next daemon obeys it"
	[ -e "$S/control/$(id_of).cancel" ]
	drain
	is_state .status cancelled
}

@test "SEC: a request that is not the daemon's file is passed over, and a FIFO does not hang" {
	daemon_start
	submit <<<"$(asking)"
	exits 3 wait "$EX"
	echo '{}' >"$S/confirm/x.request.json"
	mkfifo "$S/confirm/y.request.json"
	ln -s /etc/passwd "$S/confirm/z.request.json"
	exits 0 pending --json
	[ "$(jq length "$T/out")" -eq 1 ]
	rm "$S"/confirm/[xyz].request.json
	if [ "$(id -u)" -eq 0 ]; then
		chown 65534 "$S/confirm/$EX.work.request.json"
		exits 0 pending
		err "not written by the daemon"
	fi
}

# --- plumbing ---

@test "S0-STATE: full state, a result, available actions" {
	drop p.yaml <<-E
	name: states
	actions:
	- {id: made, actionDefinitionId: shell.run, inputs: {script: 'echo "rev=abc" >\$CREEL_OUTPUT'}}
	- {id: ask, actionDefinitionId: command, inputs: {command: "true"}, dependencies: [made],
	   userConfirmation: {required: true, title: Go?, message: m, timeout: 0}}
	E
	drain
	EX=$(id_of)
	rm "$(where)/state.json"
	exits 0 state get-full last
	[ "$(jq -r '.status + " " + .actionStates.made.status' "$T/out")" = "paused_for_confirmation completed" ]
	exits 0 state get-result last made
	[ "$(jq -r .output.rev "$T/out")" = abc ]
	exits 0 state get-result last ask
	[ "$(cat "$T/out")" = null ]
	exits 1 state get-result last none
	exits 0 state get-available last
	[ "$(jq -c . "$T/out")" = '[]' ]
	exits 2 state get-ful last
	err 'did you mean "get-full"?'
}

@test "S0-STATE: an execution is initialised, its actions are updated and their results recorded, without a daemon" {
	cat >"$T/p.yaml" <<-E
	name: by hand
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "false"}}
	- {id: b, actionDefinitionId: command, inputs: {command: echo, args: ["\${a.output.n}"]}, dependencies: [a]}
	- {id: c, actionDefinitionId: command, inputs: {command: "false"}, dependencies: [b]}
	E
	exits 0 state initializeState "$T/p.yaml"
	[ "$(jq -r .status "$T/out")" = running ]
	exits 0 state getAvailableActions last
	[ "$(jq -c . "$T/out")" = '["a"]' ]
	exits 0 state update-status last a running
	exits 0 state get-available last
	[ "$(jq -c . "$T/out")" = '[]' ]
	echo '{"status": "success", "output": {"n": 5}}' >"$T/result"
	exits 0 state recordActionResult last a "$T/result"
	exits 0 state get-result last a
	[ "$(jq -r .output.n "$T/out")" = 5 ]
	exits 1 state update-status last c running
	exits 0 state update-status last b completed
	exits 0 state update-status last c skipped
	exits 0 state getFullState last
	[ "$(jq -r '.status + " " + ([.actionStates[].status] | join(" "))' "$T/out")" = "completed completed completed skipped" ]
	[ -z "$(ls "$S/active")" ]
	exits 0 verify --quiet
	# a daemon owns its executions
	daemon_start
	exits 2 state initialize "$T/p.yaml"
	err "a daemon serves"
	daemon_stop
}
