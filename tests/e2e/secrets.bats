#!/usr/bin/env bats
# Secrets (SEC, design section 5): referenced by name, read when an attempt starts, handed over without touching disk or
# argument vectors, masked in what is recorded.  The value of the tests is VALUE; no file below the spool may hold it.

load helpers

VALUE='Hunter2/"quoted"=öß'

setup() {
	spool_setup
	CONFIG=$T/config.yaml
	mkdir -m 700 "$T/credentials" "$T/secrets"
	secret token "$VALUE"
	echo "secrets_dir: $T/secrets" >"$CONFIG"
}
teardown() { spool_teardown; }

# A secret in secrets_dir.
secret() {
	(umask 077 && printf '%s\n' "$2" >"$T/secrets/$1")
}

run_plan() {
	drop plan.yaml
	drain --config "$CONFIG"
}

nowhere() {
	! grep -rlF -e "$1" "$S"
}

# ATK-SECRET-LOGS
@test "SEC: a secret reaches the action's environment, whole or inside text, and stdout and stderr show stars" {
	run_plan <<-E
	name: s
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs:
	    env: {TOKEN: "\${secrets.token}", HEADER: "Bearer {{secrets.token}}!"}
	    script: |
	      printf '%s' "\$TOKEN" | sha256sum
	      echo "out: \$TOKEN and \$HEADER"
	      echo "err: \$TOKEN" >&2
	E
	[ "$status" -eq 0 ]
	[ "$(stdout_of a | head -1 | cut -d' ' -f1)" = "$(printf '%s' "$VALUE" | sha256sum | cut -d' ' -f1)" ]
	[ "$(stdout_of a | tail -1)" = "out: *** and Bearer ***!" ]
	[ "$(cat "$(where)/actions/a/1/stderr")" = "err: ***" ]
	nowhere "$VALUE"
	# size is what the action wrote, stored what is in the file; nothing was cut
	[ "$(events '.[] | select(.type == "action.completed") | [.stderr.size - .stderr.stored, .stderr.truncated] | tostring')" \
		= "[$(($(printf '%s' "$VALUE" | wc -c) - 3)),false]" ]
}

@test "SEC: a secret that comes in pieces is masked all the same" {
	run_plan <<-E
	name: s
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs:
	    env: {TOKEN: "\${secrets.token}"}
	    script: |
	      printf 'Hunter2'; sleep 0.1; printf '/"quoted"'; sleep 0.1; printf '=öß\n'
	      printf 'Hunter2'
	E
	[ "$status" -eq 0 ]
	[ "$(stdout_of a)" = "***"$'\n'"Hunter2" ]
}

@test "SEC: masked in outputs, in either form, in the error of the action, and in what is passed on" {
	run_plan <<-E
	name: s
	actions:
	- id: lines
	  actionDefinitionId: shell.run
	  inputs: {env: {TOKEN: "\${secrets.token}"}, script: 'echo "url=https://\$TOKEN@host/" >\$CREEL_OUTPUT'}
	- id: json
	  actionDefinitionId: shell.run
	  inputs: {env: {TOKEN: "\${secrets.token}"}, script: 'jq -n "{x: env.TOKEN, y: [env.TOKEN]}" >\$CREEL_OUTPUT; chmod 400 \$CREEL_OUTPUT'}
	- id: ascii
	  actionDefinitionId: shell.run
	  inputs: {env: {TOKEN: "\${secrets.token}"}, script: 'jq -na "{x: env.TOKEN}" >\$CREEL_OUTPUT'}
	- id: next
	  actionDefinitionId: command
	  dependencies: [lines]
	  inputs: {command: echo, args: ["\${lines.output.url}"]}
	- id: bad
	  actionDefinitionId: shell.run
	  onFailure: continue
	  inputs:
	    env: {TOKEN: "\${secrets.token}"}
	    script: |
	      jq -n '{category: "auth_invalid", message: "no \(env.TOKEN)", context: {token: env.TOKEN}}' >\$CREEL_ERROR
	      echo "refused: \$TOKEN" >&2
	      exit 1
	E
	[ "$status" -eq 0 ]
	[ "$(jq -r .url "$(where)/actions/lines/1/output.json")" = "https://***@host/" ]
	[ "$(cat "$(where)/actions/lines/1/output")" = "url=https://***@host/" ]
	[ "$(jq -c . "$(where)/actions/json/1/output.json")" = '{"x":"***","y":["***"]}' ]
	[ "$(jq -c . "$(where)/actions/ascii/1/output.json")" = '{"x":"***"}' ]
	[ "$(stdout_of next)" = "https://***@host/" ]
	[ "$(state .actionStates.bad.result.error.message)" = "no ***" ]
	[ "$(state .actionStates.bad.result.error.context.token)" = "***" ]
	nowhere "$VALUE"
	nowhere 'Hunter2'
}

@test "SEC: request.json and the request to a person show stars; decided, the action gets the secret" {
	drop plan.yaml <<-E
	name: s
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {env: {TOKEN: "\${secrets.token}"}, script: 'test "\$TOKEN" = "\$(cat $T/secrets/token)" && cp \$CREEL_INPUT $T/seen'}
	  userConfirmation: {required: true, title: sure, message: sure}
	E
	drain --config "$CONFIG"
	[ "$status" -eq 2 ]
	[ "$(jq -r .what.inputs.env.TOKEN "$S/confirm/$(id_of s).a.request.json")" = "***" ]
	say "confirm/$(id_of s).a.approve"
	drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(jq -r .inputs.env.TOKEN "$T/seen")" = "***" ]
	nowhere "$VALUE"
}

# ATK-SECRET-ARGV ATK-SECRET-STATES
@test "SEC: while the action runs, neither the spool nor any command line holds the secret" {
	drop plan.yaml <<-E
	name: s
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {env: {TOKEN: "\${secrets.token}"}, script: 'echo "\$TOKEN"; $(gate go)'}
	E
	daemon_start --config "$CONFIG"
	wait_until stdout_of a
	nowhere "$VALUE"
	cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' >"$T/commands"
	not grep -F -e "$VALUE" "$T/commands"
	open_gate go
	wait_until is_state .status completed
	nowhere "$VALUE"
}

@test "SEC: a secret in an argument, a script, a command, a directory or a condition is refused with what to do" {
	local n=0 line
	while read -r line; do
		n=$((n + 1))
		drop "p$n.yaml" <<-E
		name: p$n
		actions:
		- {id: a, actionDefinitionId: $line}
		E
	done <<-'E'
	command, inputs: {command: echo, args: ["x${secrets.token}"]}
	shell.run, inputs: {script: "echo ${secrets.token}"}
	command, inputs: {command: "${secrets.token}"}
	command, inputs: {command: pwd, cwd: "/tmp/${secrets.token}"}
	command, inputs: {command: "true"}, when: 'secrets.token == "x"'
	E
	drain --config "$CONFIG"
	[ "$(ls "$S"/rejected/*.error.json | wc -l)" -eq "$n" ]
	[ "$(jq -s '[.[] | [.errors[] | select(.suggestion // "" | contains("env"))] | length > 0] | all' "$S"/rejected/*.error.json)" = true ]
	[ -z "$(ls "$S/executions")" ]
}

@test "SEC: a person's changes to the inputs cannot put a secret where it would be seen" {
	drop plan.yaml <<-E
	name: s
	actions:
	- id: a
	  actionDefinitionId: command
	  inputs: {command: echo, args: [x]}
	  userConfirmation: {required: true, title: sure, message: sure}
	E
	drain --config "$CONFIG"
	say "confirm/$(id_of s).a.approve" - <<-'E'
	{modifications: {inputs: {args: ["${secrets.token}"]}}}
	E
	drain --config "$CONFIG"
	[ "$status" -eq 1 ]
	[[ $(state .actionStates.a.result.error.message) == *"put it under env:"* ]]
	nowhere "$VALUE"
}

@test "SEC: an output that imitates a mark, or a reference, is not expanded" {
	run_plan <<-E
	name: s
	actions:
	- id: evil
	  actionDefinitionId: shell.run
	  inputs:
	    script: |
	      jq -n '{mark: "\u00010123456789abcdef:token\u0002", reference: ("\$" + "{secrets.token}")}' >\$CREEL_OUTPUT
	- id: a
	  actionDefinitionId: shell.run
	  dependencies: [evil]
	  inputs:
	    env: {MARK: "\${evil.output.mark}", REFERENCE: "\${evil.output.reference}", TOKEN: "\${secrets.token}"}
	    script: 'printf "%s|%s|%s" "\$MARK" "\$REFERENCE" "\$TOKEN"'
	E
	[ "$status" -eq 0 ]
	[ "$(stdout_of a)" = $'\x01''0123456789abcdef:token'$'\x02''|${secrets.token}|***' ]
	nowhere "$VALUE"
}

@test "SEC: an action that can leave no masked output fails, and the file is gone" {
	run_plan <<-E
	name: s
	actions:
	- id: a
	  actionDefinitionId: shell.run
	  inputs: {env: {TOKEN: "\${secrets.token}"}, script: 'echo "x=\$TOKEN" >$T/mine; ln $T/mine \$CREEL_OUTPUT'}
	E
	[ "$status" -eq 1 ]
	[[ $(state .actionStates.a.result.error.message) == *'"output"'*removed*'another name elsewhere'* ]]
	nowhere "$VALUE"
	grep -qF "$VALUE" "$T/mine"
}

@test "SEC: a secret that is missing, short, open to others or wrongly named fails the attempt with the reason" {
	local name
	printf abc >"$T/secrets/short"
	printf abcdef >"$T/secrets/open"
	printf 'abc\0def' >"$T/secrets/nul"
	chmod 600 "$T/secrets/short" "$T/secrets/nul"
	chmod 640 "$T/secrets/open"
	ln -s token "$T/secrets/link"
	for name in missing short open nul link; do
		drop "$name.yaml" <<-E
		name: $name
		actions:
		- {id: a, actionDefinitionId: command, inputs: {command: "true", env: {X: "\${secrets.$name}"}}}
		E
	done
	drain --config "$CONFIG"
	[ "$status" -eq 1 ]
	error_of() { jq -r '.actionStates.a.result.error | .category + ": " + .message' "$(where "$1")/state.json"; }
	[[ $(error_of missing) == "validation_failed: "*"there is no secret \"missing\" in $T/secrets" ]]
	[[ $(error_of short) == "validation_failed: "*"\"short\" has less than 4 bytes"* ]]
	[[ $(error_of open) == "validation_failed: "*"chmod 600"* ]]
	[[ $(error_of nul) == "validation_failed: "*"NUL byte"* ]]
	[[ $(error_of link) == "validation_failed: "*"secrets/link"* ]]
	nowhere abcdef
}

@test "SEC: CREDENTIALS_DIRECTORY goes before secrets_dir; without either the attempt says so" {
	printf 'from-systemd' >"$T/credentials/token"
	drop a.yaml <<-'E'
	name: a
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {env: {X: "${secrets.token}"}, script: 'printf %s "$X" | wc -c'}}
	E
	CREDENTIALS_DIRECTORY=$T/credentials drain --config "$CONFIG"
	[ "$status" -eq 0 ]
	[ "$(stdout_of a)" -eq 12 ]
	drop b.yaml <<-'E'
	name: b
	actions:
	- {id: a, actionDefinitionId: command, inputs: {command: "true", env: {X: "${secrets.token}"}}}
	E
	drain
	[ "$status" -eq 1 ]
	EX=$(id_of b)
	[[ $(state .actionStates.a.result.error.message) == *"neither CREDENTIALS_DIRECTORY nor secrets_dir"* ]]
}

@test "SEC: a cap never cuts inside a secret" {
	echo "stdout_cap: 10" >>"$CONFIG"
	run_plan <<-E
	name: s
	actions:
	- {id: a, actionDefinitionId: shell.run, inputs: {env: {TOKEN: "\${secrets.token}"}, script: 'echo "12345678\$TOKEN"'}}
	E
	[ "$status" -eq 0 ]
	[ "$(stdout_of a | head -1)" = '12345678**' ]
	stdout_of a | grep -F '[creel: cut here;'
	nowhere Hunter
}
