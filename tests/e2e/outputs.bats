#!/usr/bin/env bats
# Outputs that are too large for a commit: they stand in a file, which references load.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

# Shell text that puts out 20 MB, and a key with this value beside them; each run leaves a line in ran.
large() {
	echo "echo ran >> $T/ran; { printf '{\"key\":\"$1\",\"list\":[1,2],\"fill\":\"'; head -c 20000000 /dev/zero | tr '\\0' x; printf '\"}'; } > \"\$CREEL_OUTPUT\""
}

# large -> wait (a person) -> use; more: of large
waiting_plan() {
	cat <<-E
	name: waits
	actions:
	- id: big
	  actionDefinitionId: shell.run
	  inputs: {script: $(large k1 | jq -R .)}
	  $1
	- id: use
	  actionDefinitionId: command
	  dependencies: [big]
	  userConfirmation: {required: true, title: Go on?, message: Look at it.}
	  inputs: {command: echo, args: ["\${big.output.key}"]}
	E
}

asked() {
	[ -e "$S/confirm/$(id_of).$1.request.json" ]
}

@test "S0-STATE, STEP-RES: outputs above 8 MiB stand in a file, and references, conditions, forEach and consumes load them" {
	drop large.yaml <<-E
	name: large
	actions:
	- id: big
	  actionDefinitionId: shell.run
	  provides: [key]
	  inputs: {script: $(large k1 | jq -R .)}
	- {id: env, actionDefinitionId: shell.run, consumes: [key], dependencies: [big], inputs: {script: 'echo "\$key"'}}
	- {id: use, actionDefinitionId: command, dependencies: [big], inputs: {command: echo, args: ["\${big.output.key}"]}}
	- {id: when, actionDefinitionId: command, dependencies: [big], when: 'big.output.key == "k1"', inputs: {command: "true"}}
	- {id: not, actionDefinitionId: command, dependencies: [big], when: 'big.output.key == "k2"', inputs: {command: "true"}}
	- {id: each, actionDefinitionId: command, dependencies: [big], forEach: "\${big.output.list}", inputs: {command: echo, args: ["\${vars.item}"]}}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(stdout_of use)" = k1 ]
	[ "$(stdout_of env)" = k1 ]
	has_status when completed
	has_status not skipped
	has_status each.1 completed
	[ "$(stat -c %s "$(where)/actions/big/1/output.json")" -gt 20000000 ]
	# Nothing of it stands in the journal, in events/ or in the state, and all of them say where it is.
	[ "$(cat "$(where)"/journal/*.json "$(where)/state.json" "$S"/events/*.jsonl | wc -c)" -lt 100000 ]
	[ "$(state '.actionStates.big.result | [.output, .outputInFile, .outputLocation.path] | tojson')" = '[{},true,"actions/big/1/output.json"]' ]
	[ "$(state '.actionStates.big.result.outputLocation.checksum')" = "$(sha256sum < "$(where)/actions/big/1/output.json" | cut -d ' ' -f 1)" ]
	"$BIN/creel" --spool "$S" show "$(id_of)" | grep "outputs in actions/big/1/output.json (200000"
	"$BIN/creel" --spool "$S" verify --outputs
}

@test "outputs in a file: what forEach collects and what a plan puts out that is run" {
	drop parts.yaml <<-E
	name: parts
	actions:
	- {id: each, actionDefinitionId: shell.run, forEach: [1, 2], inputs: {script: $(large k1 | jq -R .)}}
	- {id: use, actionDefinitionId: command, dependencies: [each], inputs: {command: echo, args: ["\${each.output.items[1].key}"]}}
	- id: child
	  actionDefinitionId: plan.run
	  inputs: {plan: {name: below, actions: [{id: big, actionDefinitionId: shell.run, inputs: {script: $(large k2 | jq -R .)}}]}}
	- {id: after, actionDefinitionId: command, dependencies: [child], inputs: {command: echo, args: ["\${child.output.outputs.big.key}"]}}
	E
	drain
	cat "$T/log"
	[ "$status" -eq 0 ]
	EX=$(grep -l '"name": *"parts"' "$S"/executions/*/*/plan.json) EX=${EX%/plan.json} EX=${EX##*/}
	[ "$(stdout_of use)" = k1 ]
	[ "$(stdout_of after)" = k2 ]
	[ "$(stat -c %s "$(where)/actions/each/1/output.json")" -gt 40000000 ]
	[ "$(cat "$(where)"/journal/*.json | wc -c)" -lt 100000 ]
	"$BIN/creel" --spool "$S" verify --outputs
}

@test "outputs in a file: a restart changes nothing, and rebuild makes the same state" {
	waiting_plan | drop waits.yaml
	daemon_start
	wait_until asked use
	daemon_crash
	before=$(state .actionStates.big.result)
	rm "$(where)/state.json"
	"$BIN/creel" --spool "$S" rebuild "$(id_of)"
	[ "$(state .actionStates.big.result)" = "$before" ]
	daemon_start
	touch "$S/confirm/$(id_of).use.approve"
	wait_until is_state .status completed
	[ "$(stdout_of use)" = k1 ]
	[ "$(wc -l < "$T/ran")" -eq 1 ]
	daemon_stop
}

@test "outputs in a file that was removed are lost: the action is done again, with its key" {
	waiting_plan | drop waits.yaml
	daemon_start
	wait_until asked use
	rm "$(where)/actions/big/1/output.json"
	touch "$S/confirm/$(id_of).use.approve"
	wait_until is_state .status completed
	[ "$(stdout_of use)" = k1 ]
	[ "$(wc -l < "$T/ran")" -eq 2 ]
	[ "$(events '.[] | select(.type == "action.lost") | "\(.action) \(.then) \(.reason)"')" = \
		"big rerun its outputs are lost: actions/big/1/output.json is not there any more" ]
	[ "$(jq -r .idempotencyKey "$(where)/actions/big/1/request.json")" = "$(jq -r .idempotencyKey "$(where)/actions/big/2/request.json")" ]
	daemon_stop
}

@test "outputs in a file that is another one are lost: onLost fail, also after a restart" {
	waiting_plan "onLost: fail" | drop waits.yaml
	daemon_start
	wait_until asked use
	daemon_crash
	sed -i s/k1/k2/ "$(where)/actions/big/1/output.json"
	daemon_start
	touch "$S/confirm/$(id_of).use.approve"
	wait_until is_state .status failed
	has_status use skipped
	[ "$(state '.actionStates.big.result.error | .code + " " + .message')" = \
		'output_lost the outputs of "big" are lost: the file is not the one that the journal speaks of' ]
	[ "$(wc -l < "$T/ran")" -eq 1 ]
	daemon_stop
}

@test "outputs in a file that are lost: onLost ask asks, and a retry makes them" {
	waiting_plan "onLost: ask" | drop waits.yaml
	daemon_start
	wait_until asked use
	rm "$(where)/actions/big/1/output.json"
	touch "$S/confirm/$(id_of).use.approve"
	wait_until asked big
	[ "$(jq -c .choices "$S/confirm/$(id_of).big.request.json")" = '["retry","skip","reject"]' ]
	daemon_crash
	daemon_start
	touch "$S/confirm/$(id_of).big.retry"
	wait_until is_state .status completed
	[ "$(stdout_of use)" = k1 ]
	daemon_stop
}

@test "outputs in a file that a copy of the spool does not have are made again there, and only there" {
	waiting_plan | drop waits.yaml
	daemon_start
	wait_until asked use
	daemon_stop
	cp -a "$S" "$T/copy"
	rm "$T"/copy/executions/*/*/actions/big/1/output.json
	S=$T/copy
	daemon_start
	touch "$S/confirm/$(id_of).use.approve"
	wait_until is_state .status completed
	[ "$(stdout_of use)" = k1 ]
	[ "$(stat -c %s "$(where)/actions/big/2/output.json")" -gt 20000000 ]
	daemon_stop
	S=$T/spool
	daemon_start
	touch "$S/confirm/$(id_of).use.approve"
	wait_until is_state .status completed
	[ "$(stdout_of use)" = k1 ]
	[ ! -e "$(where)/actions/big/2" ]
	daemon_stop
}

@test "outputs in a file: verify names what is gone, and export and import carry them" {
	drop large.yaml <<-E
	name: large
	actions:
	- {id: big, actionDefinitionId: shell.run, inputs: {script: $(large k1 | jq -R .)}}
	E
	drain
	[ "$status" -eq 0 ]
	"$BIN/creel" --spool "$S" export --output "$T/out.tar.gz" "$(id_of)"
	spool_new "$T/other"
	"$BIN/creel" --spool "$T/other" import "$T/out.tar.gz"
	cmp "$(where)/actions/big/1/output.json" "$T"/other/executions/*/*/actions/big/1/output.json
	"$BIN/creel" --spool "$T/other" verify --outputs
	rm "$(where)/actions/big/1/output.json"
	run "$BIN/creel" --spool "$S" verify --outputs
	[ "$status" -eq 1 ]
	[[ $output == *output.json* ]]
}

# What a power cut leaves must not speak of what it took.
@test "outputs in a file are on disk, with every directory above them, before the commit that speaks of them" {
	drop large.yaml <<-E
	name: large
	actions:
	- {id: big, actionDefinitionId: shell.run, inputs: {script: $(large k1 | jq -R .)}}
	E
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e signal=none -e trace=openat,fsync,fdatasync,renameat -o "$T/trace" "$BIN/creeld" --spool "$S" --drain 2>>"$T/log"
	awk '/openat\(.*"actions\/big\/1\/\.output\.json\.tmp"/ {steps = "written"}
		/fdatasync\(/ && steps == "written" {steps = steps " flushed"}
		/renameat\(.*"actions\/big\/1\/output\.json"/ {steps = steps " named"}
		/openat\(.*"(actions\/big\/1|actions\/big|actions|\.)", .*O_DIRECTORY/ && steps ~ /named/ {split($0, part, "\""); dir = part[2]}
		/fsync\(/ && dir {steps = steps " " dir; dir = ""}
		/renameat\(.*journal\/00000002\.json"/ {print steps}' "$T/trace" | tee "$T/steps"
	[[ "$(cat "$T/steps")" == "written flushed named actions/big/1"*" actions/big actions ." ]]
}

@test "outputs above output_cap are refused, naming the setting; up to it they are taken" {
	echo 'output_cap: 1024' > "$T/c.yaml"
	drop cap.yaml <<-'E'
	name: cap
	actions:
	- {id: most, actionDefinitionId: shell.run, inputs: {script: 'printf "v=%01016d" 0 > "$CREEL_OUTPUT"'}}
	- {id: file, actionDefinitionId: shell.run, inputs: {script: 'printf "v=%01023d" 0 > "$CREEL_OUTPUT"'}, onFailure: continue}
	- {id: json, actionDefinitionId: shell.run, inputs: {script: 'printf "v=%01017d" 0 > "$CREEL_OUTPUT"'}, onFailure: continue}
	E
	drain --config "$T/c.yaml"
	has_status most completed
	[ "$(state '.actionStates.file.result.error | .category + " " + .message')" = 'validation_failed its outputs cannot be used: $CREEL_OUTPUT is no regular file of at most 1024 bytes (output_cap)' ]
	[ "$(state '.actionStates.json.result.error | .category + " " + .message')" = 'validation_failed its outputs cannot be used: $CREEL_OUTPUT comes to 1025 bytes of JSON, and output_cap lets it have 1024' ]
	[ "$(state .actionStates.file.result.error.suggestion)" = "let it leave a file and put out its path, or raise output_cap" ]
}
