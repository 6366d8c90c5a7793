#!/usr/bin/env bats
# Actions that do what they should not: to their own files, to their machine, with what they were given (ATTACKS.md).

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

# The only execution's plan is one shell action with this script, and members for the action.
drop_script() {
	jq -n --arg s "$1" --argjson more "${2:-{\}}" '{name: "one", actions: [{id: "a", actionDefinitionId: "shell.run", inputs: {script: $s}} + $more]}' |
		drop one.json
}

drop_fine() {
	drop fine.yaml <<<'{name: fine, actions: [{id: a, actionDefinitionId: command, inputs: {command: "true"}}]}'
}

fine_completes() {
	wait_until eval '[ "$(jq -r .status "$(where fine)/state.json")" = completed ]'
}

message_of() {
	state ".actionStates[\"$1\"].result.error.message"
}

# --- their own files ---

@test "ATK-OUTPUT-LINK: outputs, errors and streams are not read or written through links" {
	local kind
	echo "v=stolen" >"$T/victim"
	for kind in 'ln -s $1/victim "$CREEL_OUTPUT"' 'ln $1/victim "$CREEL_OUTPUT"' 'mkfifo "$CREEL_OUTPUT"' 'mkdir "$CREEL_OUTPUT"'; do
		drop_script "set -- $T; $kind"
		drain
		[ "$status" -eq 1 ]
		[ "$(state .actionStates.a.result.error.category)" = validation_failed ]
		[[ $(message_of a) == *'outputs cannot be used'* ]] || [[ $(message_of a) == *'long its outputs'* ]]
		[ "$(cat "$T/victim")" = v=stolen ]
		not grep -rq stolen "$S" --include='*.json' --include='*.jsonl'
		rm -rf "$S"/executions/*
	done
	# What the supervisor and the daemon write is not written through links either.
	drop_script "cd \"\$CREEL_DIR\"; for f in stdout stderr result.json .result.json.tmp output.json .output.json.tmp void; do ln -sf $T/victim \$f; done
		echo v=1 > \"\$CREEL_OUTPUT\"; echo out; echo err >&2; ln -sf $T/victim error; exit 3"
	drain
	[ "$status" -eq 1 ]
	[ "$(cat "$T/victim")" = v=stolen ]
	[ "$(state .actionStates.a.exitCode)" = 3 ]
	not grep -rq stolen "$(where)/journal" "$(where)/state.json" "$S/events"
}

@test "ATK-CWD-LINK: a working directory through a link is what it leads to; one that leads nowhere is said" {
	mkdir "$T/real"
	ln -s "$T/real" "$T/link"
	ln -s "$T/loop" "$T/loop"
	drop one.yaml <<-E
	name: one
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'pwd -P; echo here > made', cwd: $T/link}}
	- {id: b, actionDefinitionId: shell.run, errorHandling: {continueOnFailure: true}, inputs: {script: 'true', cwd: $T/loop}}
	- {id: c, actionDefinitionId: shell.run, errorHandling: {continueOnFailure: true}, inputs: {script: 'true', cwd: $T/real/made}, dependencies: [a]}
	E
	drain
	[ "$(stdout_of a)" = "$(realpath "$T/real")" ]
	[ "$(cat "$T/real/made")" = here ]
	[[ $(message_of b) == *"cannot change to directory \"$T/loop\""* ]]
	[[ $(message_of c) == *"cannot change to directory \"$T/real/made\""* ]]
}

@test "ATK-CLEANUP: directories where the supervisor and the daemon write hold nobody up" {
	drop_script 'cd "$CREEL_DIR"; for f in stdout result.json .result.json.tmp output.json .output.json.tmp error; do mkdir -p $f/sub; done
		echo v=1 > "$CREEL_OUTPUT"; echo out; touch ../confirm-1 ../2; exit 1' \
		'{"onFailure": "ask", "userConfirmation": {"required": true, "title": "t", "message": "m"}}'
	drop_fine
	daemon_start --max-concurrency 1
	EX=$(wait_for_id)
	wait_until test -e "$S/confirm/$EX.a.request.json"
	say "confirm/$EX.a.approve"
	wait_until eval '[ "$(jq -r .kind "$S/confirm/$EX.a.request.json")" = failed ]'
	say "confirm/$EX.a.retry"
	wait_until eval '[ "$(jq -r .number "$S/confirm/$EX.a.request.json")" = 3 ]'
	say "confirm/$EX.a.reject"
	wait_until is_state .status failed
	EX=
	fine_completes
	daemon_stop
}

wait_for_id() {
	wait_until id_of one
	id_of one
}

@test "ATK-CLEANUP: an action that removes its own directory, or its whole execution, harms no other" {
	local what
	for what in '"$CREEL_DIR"' '"$CREEL_DIR/../.."' '"$CREEL_DIR/../../.."' '"$CREEL_DIR/../../../journal"'; do
		drop_script "rm -rf $what"
		drop_fine
		daemon_start --max-concurrency 1
		fine_completes
		# Whatever becomes of it: it does not count as running, and nothing waits for it.
		wait_until eval '[ -z "$(ls "$S/active")" ]'
		drop later.yaml <<<'{name: later, actions: [{id: a, actionDefinitionId: command, inputs: {command: "true"}}]}'
		wait_until eval '[ "$(jq -r .status "$(where later)/state.json")" = completed ]'
		[ ! -e "$S/problem.json" ]
		daemon_stop
		drain
		[ "$status" -eq 0 ]
		rm -rf "$S"/executions/* "$S"/quarantine/*
	done
}

# --- the machine ---

@test "ATK-FORKBOMB: a bomb within limits is ended whole by its timeout, while others run" {
	drop_script 'bomb() { if [ "$1" -gt 0 ]; then bomb $(($1 - 1)) & bomb $(($1 - 1)) & fi; trap "" TERM; sleep 611; }; bomb 6' '{"timeoutMs": 700}'
	drop_fine
	echo "grace_sec: 0.1" >"$T/config.yaml"
	daemon_start --max-concurrency 2 --config "$T/config.yaml"
	fine_completes
	EX=$(id_of one) wait_until is_state .status failed
	EX=$(id_of one)
	[ "$(state .actionStates.a.result.error.category)" = network_timeout ]
	[ -z "$(pgrep -fx "sleep 611")" ]
	daemon_stop
}

@test "ATK-ENDLESS: endless output is capped and ends with its timeout; the daemon stays small" {
	drop_script 'yes "$(head -c 1000 /dev/zero | tr "\0" x)"' '{"timeoutMs": 700}'
	echo "stdout_cap: 100000" >"$T/config.yaml"
	daemon_start --config "$T/config.yaml"
	wait_until is_state .status failed
	[ "$(stat -c %s "$(where)/actions/a/1/stdout")" -lt 101000 ]
	tail -1 "$(where)/actions/a/1/stdout" | grep -q "creel: cut here"
	[ "$(awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$DAEMON/status")" -lt 100 ]
	daemon_stop
}

@test "ATK-ORPHAN: what was forked twice and holds the pipes neither lives on nor delays the end" {
	drop_script '(setsid sh -c "(sleep 612; echo late) & sleep 613" &) ; echo done'
	DRAIN_LIMIT=20 drain
	[ "$status" -eq 0 ]
	[ "$(stdout_of a)" = done ]
	[ -z "$(pgrep -fx "sleep 61[23]")" ]
}

# --- what they were given ---

@test "ATK-RMRF: text from elsewhere stays text, wherever a reference puts it" {
	local evil
	mkdir "$T/victim"
	evil='; rm -rf '$T'/victim; $(rm -rf '$T'/victim) `rm -rf '$T'/victim` | rm -rf '$T'/victim & ${inputs.x} {{inputs.x}} '\''"'$'\n''rm -rf '$T'/victim'
	mkdir -p "$S/catalog/plans"
	cat >"$S/catalog/plans/part.yaml" <<-'E'
	name: part
	inputs: {word: ""}
	actions:
	- {id: p, actionDefinitionId: command, inputs: {command: printf, args: ["%s", "${inputs.word}"]}}
	E
	jq -n --arg evil "$evil" '{name: "evil", inputs: {x: "INJECTED", evil: $evil, list: [$evil, $evil]}, actions: [
		{id: "out", actionDefinitionId: "shell.run", inputs: {script: "jq -n --arg v \"$V\" \"{v: \\$v}\" > \"$CREEL_OUTPUT\"", env: {V: "${inputs.evil}"}}},
		{id: "args", actionDefinitionId: "command", dependencies: ["out"], inputs: {command: "printf", args: ["%s", "${out.output.v}"]}},
		{id: "text", actionDefinitionId: "command", dependencies: ["out"], inputs: {command: "printf", args: ["%s", "<{{steps.out.output.v}}>"]}},
		{id: "env", actionDefinitionId: "shell.run", dependencies: ["out"], inputs: {script: "printf %s \"$V\"", env: {V: "${out.output.v}"}}},
		{id: "file", actionDefinitionId: "shell.run", dependencies: ["out"], inputs: {script: "jq -j .inputs.env.V \"$CREEL_INPUT\"", env: {V: "${out.output.v}"}}},
		{id: "each", actionDefinitionId: "command", dependencies: ["out"], forEach: {items: "${inputs.list}"}, inputs: {command: "printf", args: ["%s", "${vars.item}"]}},
		{id: "run", actionDefinitionId: "plan.run", dependencies: ["out"], inputs: {plan: "part", inputs: {word: "${out.output.v}"}}},
		{id: "cond", actionDefinitionId: "command", dependencies: ["out"], when: "out.output.v contains \"rm -rf\"", inputs: {command: "true"}},
		{id: "cwd", actionDefinitionId: "command", dependencies: ["out"], errorHandling: {continueOnFailure: true}, inputs: {command: "true", cwd: "${out.output.v}"}},
		{id: "command", actionDefinitionId: "command", dependencies: ["out"], errorHandling: {continueOnFailure: true}, inputs: {command: "${out.output.v}"}}]}' |
		drop evil.json
	drain
	[ "$status" -eq 0 ]
	[ -d "$T/victim" ]
	EX=$(id_of evil)
	for action in args env file each.0 each.1; do
		[ "$(stdout_of "$action"; echo .)" = "$evil." ]
	done
	[ "$(stdout_of text; echo .)" = "<$evil>." ]
	[ "$(status_of cond)" = completed ]
	[ "$(status_of cwd) $(status_of command)" = "failed failed" ]
	EX=
	EX=$(id_of part)
	[ "$(stdout_of p; echo .)" = "$evil." ]
	not grep -rq INJECTED "$S"/executions/*/*/actions
}

@test "ATK-LDPRELOAD ATK-PATH ATK-BASHENV: a plan's environment reaches its action only, and CREEL_ variables are creel's" {
	mkdir "$T/evil"
	for name in sh creel-run printf cat; do
		printf '#!/bin/sh\necho evil %s >> %s/ran\n' "$name" "$T" >"$T/evil/$name"
	done
	chmod +x "$T"/evil/*
	echo "echo evil bashenv >> $T/ran" >"$T/evil/env"
	drop env.yaml <<-E
	name: env
	env: {LD_PRELOAD: $T/evil/no.so, PATH: "$T/evil:$PATH", BASH_ENV: $T/evil/env, ENV: $T/evil/env, IFS: "/", CREEL_OUTPUT: $T/evil/out,
	  CREEL_DIR: /, CREEL_EXECUTION_ID: x, CREEL_SPOOL: /else}
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {script: 'echo "v=\$CREEL_SPOOL" > "\$CREEL_OUTPUT"; tr "\\0" "\\n" < /proc/self/environ; $(gate go)'}
	- {id: b, actionDefinitionId: command, inputs: {command: printf}, dependencies: [a]}
	E
	daemon_start
	wait_until eval '[ -s "$(where)/actions/a/1/stdout" ]'
	# Neither the supervisor nor the daemon has any of it.
	pid=$(sed 's/pid=\([0-9]*\).*/\1/;q' "$(where)/actions/a/1/lock")
	supervisor=$(cut -d ' ' -f 4 "/proc/$pid/stat")
	[ -z "$(tr -d '\0' <"/proc/$supervisor/environ")" ]
	not eval 'tr "\0" "\n" <"/proc/$DAEMON/environ" | grep -q "$T/evil"'
	open_gate go
	wait_until is_state .status completed
	# Its own shell is /bin/sh whatever PATH says; a command is looked for along the plan's PATH, as it wants.
	[ "$(grep -v bashenv "$T/ran")" = "evil printf" ]
	[ ! -e "$T/evil/out" ]
	is_state .actionStates.a.result.output.v /else
	for name in CREEL_OUTPUT CREEL_DIR CREEL_EXECUTION_ID CREEL_SPOOL LD_PRELOAD; do
		[ "$(stdout_of a | grep -c "^$name=")" -eq 1 ]
	done
	daemon_stop
}
