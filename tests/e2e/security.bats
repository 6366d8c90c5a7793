#!/usr/bin/env bats
# Who may do what with a spool (design section 5).

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

refused() {
	status=0
	timeout -k 5 20 "$BIN/creeld" --spool "$S" --drain 2>"$T/said" 3>&- || status=$?
	[ "$status" -eq 100 ]
	grep -q "$1" "$T/said"
}

@test "SEC: a spool that others could replace is refused, with the way out" {
	chmod o+w "$S/executions"
	refused "others can replace what is in .*/executions: chmod o-w"
	chmod o-w "$S/executions"
	mkdir -m 777 "$T/open"
	mv "$S" "$T/open/spool"
	S=$T/open/spool refused "everybody can write .*/open"
	chmod +t "$T/open"
	S=$T/open/spool
	drain
	[ "$status" -eq 0 ]
	mv "$S" "$T/spool"
	S=$T/spool
}

@test "SEC: what is no spool is refused, and creel init is named" {
	mkdir "$T/empty"
	S=$T/empty refused "is not a spool: make one with \"creel init"
}

# ATK-FDS
@test "SEC: an action gets a clean environment, no descriptors and no terminal" {
	drop env.yaml <<-'E'
	name: env
	env: {FROM_PLAN: "1"}
	actions:
	- id: look
	  actionDefinitionId: shell.run
	  inputs: {script: 'env | cut -d= -f1 | sort | tr "\n" " "; ls /proc/self/fd | tr "\n" " "; grep NoNewPrivs /proc/self/status', env: {FROM_ACTION: "2"}}
	E
	LEAK=secret drain 7</dev/null
	[ "$status" -eq 0 ]
	out=$(stdout_of look)
	echo "$out"
	[[ $out != *LEAK* ]]
	for name in FROM_PLAN FROM_ACTION CREEL_EXECUTION_ID CREEL_ACTION_ID CREEL_ATTEMPT CREEL_IDEMPOTENCY_KEY CREEL_INPUT CREEL_OUTPUT CREEL_DIR PATH; do
		[[ $out == *$name* ]]
	done
	[[ $out == *"0 1 2 3 NoNewPrivs:"*1* ]]
}

@test "SEC: what a person dropped cannot drive the operator's terminal" {
	printf '%s\n' 'name: "a\e[2Jb"' 'actions:' '- {id: "\e]0;x", actionDefinitionId: command}' > "$S/inbox/esc.yaml"
	drain
	[ "$status" -eq 0 ]
	not grep -q $'\033' "$T/log"
	ls "$S"/rejected/*-esc.yaml.error.json
}

@test "SEC: events/ and rejected/ name who dropped a file" {
	echo '{"name":"who","actions":[{"id":"x","actionDefinitionId":"command","inputs":{"command":"true"}}]}' | drop who.json
	echo 'nothing' | drop wrong.yaml
	drain
	[ "$(events '[.[] | select(.type == "execution.accepted") | .by.uid][0]')" = "$(id -u)" ]
	[ "$(state .submittedBy.user)" = "$(id -un)" ]
	[ "$(jq .uid "$S"/rejected/*-wrong.yaml.error.json)" = "$(id -u)" ]
}

# ATK-SECRET-CORES
@test "SEC: the daemon takes as many descriptors as it may and leaves no core; actions get the limits that it was started with" {
	! nm "$BIN/creeld" | grep -q __asan_init || skip "a sanitizer sets limits of its own"
	mkdir "$T/bin"
	printf '#!/bin/sh\nulimit -S -n 100\nulimit -S -c %s\nexec %s "$@"\n' "$(ulimit -H -c)" "$BIN/creeld" >"$T/bin/creeld"
	chmod +x "$T/bin/creeld"
	mkdir -m 700 "$T/secrets"
	(umask 077 && echo a-long-secret >"$T/secrets/token")
	echo "secrets_dir: $T/secrets" >"$T/config.yaml"
	drop limits.yaml <<-E
	name: limits
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {script: 'ulimit -S -n; ulimit -S -c; $(gate go)'}}
	- {id: b, actionDefinitionId: shell.run, inputs: {script: 'ulimit -S -c', env: {TOKEN: "\${secrets.token}"}}, dependencies: [a]}
	E
	BIN=$T/bin daemon_start --config "$T/config.yaml"
	[ "$(awk '/Max open files/ {print $4}' "/proc/$DAEMON/limits")" = "$(ulimit -H -n)" ]
	[ "$(awk '/Max core/ {print $5}' "/proc/$DAEMON/limits")" -le 1 ]
	open_gate go
	wait_until is_state .status completed
	[ "$(stdout_of a)" = "100
$(ulimit -H -c)" ]
	# A core of what has a secret in its environment would hold it.
	[ "$(stdout_of b)" = 0 ]
	daemon_stop
}
