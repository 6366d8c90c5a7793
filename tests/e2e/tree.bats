#!/usr/bin/env bats
# RUN-TREE: executions that run executions: context down, outputs and errors up, status over the whole tree.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

catalog() {
	mkdir -p "$S/catalog/plans"
	cat >"$S/catalog/plans/$1"
}

# The directory of the execution that action $2 of execution directory $1 runs.
child_of() {
	local id
	id=$(jq -re ".actionStates[\"$2\"].childExecution" "$1/state.json") && echo "$S"/executions/*/"$id"
}

# state.json of the execution whose plan has the name $1.
st() {
	jq -r "$2" "$(where "$1")/state.json"
}

is_st() {
	[ "$(st "$1" "$2")" = "$3" ]
}

exists() {
	[ "$(where "$1")" ]
}

# What is said of a rejected drop.
refusal() {
	jq -r "$1" "$S"/rejected/*.error.json
}

greet() {
	catalog greet.yaml <<-'E'
		name: greet
		inputs: {who: world, times: 1}
		actions:
		  - id: hello
		    actionDefinitionId: shell.run
		    inputs:
		      script: 'echo "text=hello $WHO" >"$CREEL_OUTPUT"; echo "times=$TIMES" >>"$CREEL_OUTPUT"'
		      env: {WHO: '${inputs.who}', TIMES: '${inputs.times}'}
	E
}

@test "RUN-TREE: a plan of the catalog runs as an execution of its own; inputs go down, outputs come up" {
	greet
	drop parent.yaml <<-'E'
		name: parent
		actions:
		  - id: name
		    actionDefinitionId: shell.run
		    inputs: {script: 'echo who=ana >"$CREEL_OUTPUT"'}
		  - id: sub
		    actionDefinitionId: plan.run
		    dependencies: [name]
		    inputs: {plan: greet, inputs: {who: '${name.output.who}'}}
		  - id: after
		    actionDefinitionId: command
		    dependencies: [sub]
		    inputs: {command: echo, args: ['${sub.output.outputs.hello.text}', '${sub.output.status}']}
	E
	drain
	[ "$status" -eq 0 ]
	is_st parent .status completed
	is_st greet .status completed
	[ "$(EX=$(id_of parent) stdout_of after)" = "hello ana completed" ]
	# The two name each other in their journals.
	[ "$(EX=$(id_of parent) events '.[] | select(.child) | .child')" = "$(id_of greet)" ]
	[ "$(EX=$(id_of greet) events '.[0].parent | [.execution, .action, .attempt] | join(" ")')" = "$(id_of parent) sub 1" ]
	[ "$(child_of "$(where parent)" sub)" = "$(where greet)" ]
	# What was not given is the child's own, and its plan holds what it ran with.
	[ "$(jq -c .inputs "$(where greet)/plan.json")" = '{"who":"ana","times":1}' ]
	[ "$(jq -r .outputs.hello.times "$(where parent)/actions/sub/1/output.json")" = 1 ]
	jq -e . "$(where greet)/source.json" >/dev/null
	# No supervisor ran for the action itself.
	[ ! -e "$(where parent)/actions/sub/1/lock" ]
	# It is not active any more.
	[ -z "$(ls "$S/active")" ]
}

@test "RUN-TREE: a plan stands in the action itself; the references in it are its own" {
	drop parent.yaml <<-'E'
		name: parent
		actions:
		  - id: sub
		    actionDefinitionId: plan.run
		    inputs:
		      inputs: {n: 5}
		      plan:
		        name: inner
		        inputs: {n: 0}
		        actions:
		          - id: one
		            actionDefinitionId: shell.run
		            inputs: {script: 'echo "{\"twice\": $((N * 2))}" >"$CREEL_OUTPUT"', env: {N: '${inputs.n}'}}
		          - id: two
		            actionDefinitionId: command
		            dependencies: [one]
		            inputs: {command: echo, args: ['${one.output.twice}']}
	E
	drain
	[ "$status" -eq 0 ]
	[ "$(EX=$(id_of inner) stdout_of two)" = 10 ]
	# Typed on the way up.
	[ "$(EX=$(id_of parent) events '.[] | select(.type == "action.completed") | .output.outputs.one.twice | type')" = number ]
}

@test "RUN-TREE: mistakes in a plan that is run are found at admission, each with its own file, line and column" {
	catalog broken.yaml <<-'E'
		name: broken
		actions:
		  - id: one
		    actionDefinitionId: commnd
		    inputs: {command: 'true'}
	E
	drop named.yaml <<-'E'
		name: named
		actions:
		  - id: sub
		    actionDefinitionId: plan.run
		    inputs: {plan: broken}
	E
	drain
	[[ "$(refusal .message)" == *"catalog/plans/broken.yaml:4:"*"commnd"* ]]
	[ "$(refusal .line)" = 5 ]
	[[ "$(refusal .suggestion)" == *'"command"'* ]]
	rm "$S"/rejected/*
	drop inline.yaml <<-'E'
		name: inline
		actions:
		  - id: sub
		    actionDefinitionId: plan.run
		    inputs:
		      plan:
		        name: inner
		        actions:
		          - id: one
		            actionDefinitionId: command
		            inputs: {command: echo, args: ['${nobody.output.x}']}
	E
	drain
	[ "$(refusal .line)" = 11 ]
	[[ "$(refusal .message)" == *nobody* ]]
	[ -z "$(ls "$S/executions")" ]
}

@test "RUN-TREE: an unknown plan is refused with the nearest that is there, an unknown input too, and paths are no names" {
	greet
	drop a.yaml <<-'E'
		name: a
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: gret}}
	E
	drain
	[[ "$(refusal .message)" == *'no plan "gret"'* ]]
	[ "$(refusal .suggestion)" = 'did you mean "greet"?' ]
	rm "$S"/rejected/*
	drop b.yaml <<-'E'
		name: b
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: greet, inputs: {whom: x}}}
	E
	drain
	[[ "$(refusal .message)" == *'no input "whom"'* ]]
	[ "$(refusal .suggestion)" = 'did you mean "who"?' ]
	rm "$S"/rejected/*
	drop c.yaml <<-'E'
		name: c
		actions:
		  - {id: one, actionDefinitionId: plan.run, inputs: {plan: ../../inbox/x}}
		  - {id: two, actionDefinitionId: plan.run, inputs: {plan: '${one.output.plan}'}}
	E
	drain
	[ "$(refusal '[.errors[] | select(.message | contains("cannot be the name"))] | length')" = 2 ]
	rm "$S"/rejected/*
	ln -s /etc/passwd "$S/catalog/plans/out.yaml"
	drop d.yaml <<-'E'
		name: d
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: out}}
	E
	drain
	[[ "$(refusal .message)" == *'not a regular file'* ]]
}

@test "RUN-TREE: plans that run one another too deep, or themselves, are refused" {
	local n
	for n in 1 2 3 4 5 6 7; do
		catalog "p$n.yaml" <<-E
			name: p$n
			actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: p$((n + 1))}}]
		E
	done
	catalog p8.yaml <<-'E'
		name: p8
		actions: [{id: leaf, actionDefinitionId: command, inputs: {command: 'true'}}]
	E
	catalog p0.yaml <<-'E'
		name: p0
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: p1}}]
	E
	catalog round.yaml <<-'E'
		name: round
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: trip}}]
	E
	catalog trip.yaml <<-'E'
		name: trip
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: round}}]
	E
	drop eight.yaml <<-'E'
		name: eight
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: p1}}]
	E
	drain
	[ "$status" -eq 0 ]
	is_st p8 .status completed
	is_st eight .status completed
	drop nine.yaml <<-'E'
		name: nine
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: p0}}]
	E
	drain
	[[ "$(refusal .message)" == *"more than 8 deep"* ]]
	rm "$S"/rejected/*
	drop circle.yaml <<-'E'
		name: circle
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: round}}]
	E
	drain
	[[ "$(refusal .message)" == *'"round" would run itself'* ]]
}

@test "RUN-TREE: what a child failed with comes up, and the parent's policies say what it means" {
	catalog bad.yaml <<-'E'
		name: bad
		actions:
		  - {id: fails, actionDefinitionId: shell.run, inputs: {script: exit 3}}
	E
	drop goes-on.yaml <<-'E'
		name: goes-on
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: bad}, errorHandling: {continueOnFailure: true}}
		  - id: after
		    actionDefinitionId: command
		    dependencies: [sub]
		    inputs: {command: echo, args: ['${sub.error.context.execution}']}
	E
	drain
	[ "$status" -eq 0 ] # the parent completed
	is_st goes-on .status completed
	is_st bad .status failed
	is_st goes-on .actionStates.sub.result.error.category api_unexpected_status
	is_st goes-on .actionStates.sub.result.error.code child:failed
	is_st goes-on .actionStates.sub.result.error.context.childCode exit:3
	[ "$(EX=$(id_of goes-on) stdout_of after)" = "$(id_of bad)" ]
	drop stops.yaml <<-'E'
		name: stops
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: bad}}
		  - {id: after, actionDefinitionId: command, dependencies: [sub], inputs: {command: 'true'}}
	E
	drain
	[ "$status" -eq 1 ]
	is_st stops .status failed
	is_st stops .error.code child:failed
	is_st stops .actionStates.after.status skipped
}

@test "RUN-TREE: a retry takes the same child up again and keeps what completed" {
	catalog flaky.yaml <<-E
		name: flaky
		actions:
		  - {id: once, actionDefinitionId: shell.run, inputs: {script: 'echo ran >>$T/once; echo v=1 >"\$CREEL_OUTPUT"'}}
		  - {id: tries, actionDefinitionId: shell.run, dependencies: [once], inputs: {script: 'echo ran >>$T/tries; [ \$(wc -l <$T/tries) -ge 3 ]'}}
		  - {id: last, actionDefinitionId: command, dependencies: [tries], inputs: {command: echo, args: ['\${once.output.v}']}}
	E
	drop parent.yaml <<-'E'
		name: parent
		actions:
		  - id: sub
		    actionDefinitionId: plan.run
		    inputs: {plan: flaky}
		    retryPolicy: {maxAttempts: 3, initialDelay: 10, maxDelay: 10, backoffMultiplier: 1, jitter: false, retryableErrors: [api_unexpected_status]}
	E
	drain
	[ "$status" -eq 0 ]
	is_st parent .status completed
	is_st parent .actionStates.sub.attempts 3
	is_st flaky .status completed # and there is only one
	[ "$(wc -l <"$T/once")" = 1 ]
	[ "$(wc -l <"$T/tries")" = 3 ]
	[ "$(EX=$(id_of parent) events '[.[] | .child | select(.)] | unique | length')" = 1 ]
	[ "$(EX=$(id_of flaky) events '[.[] | select(.type == "execution.reopened") | .parent.attempt] | join(" ")')" = "2 3" ]
	[ "$(EX=$(id_of parent) events '.[] | select(.type == "action.completed") | .output.outputs.once.v')" = 1 ]
}

@test "RUN-TREE: a retry by hand takes the child up again; with other inputs it is a new one" {
	catalog needs.yaml <<-E
		name: needs
		inputs: {file: $T/missing}
		actions:
		  - {id: once, actionDefinitionId: shell.run, inputs: {script: 'echo ran >>$T/once'}}
		  - {id: look, actionDefinitionId: command, dependencies: [once], inputs: {command: test, args: ['-e', '\${inputs.file}']}}
	E
	drop parent.yaml <<-'E'
		name: parent
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: needs}}]
	E
	daemon_start
	wait_until is_st parent .status failed
	wait_until [ ! -e "$S/active/$(id_of parent)" ]
	say "control/$(id_of parent).sub.retry"
	wait_until is_st parent .actionStates.sub.attempts 2
	wait_until is_st parent .status failed
	wait_until [ ! -e "$S/active/$(id_of parent)" ]
	exists needs # still the only one
	[ "$(wc -l <"$T/once")" = 1 ]
	touch "$T/there"
	say "control/$(id_of parent).sub.retry" - <<<"{inputs: {inputs: {file: $T/there}}}"
	wait_until is_st parent .status completed
	[ "$(wc -l <"$T/once")" = 2 ]
	[ "$(EX=$(id_of parent) events '[.[] | .child | select(.)] | unique | length')" = 2 ]
}

@test "RUN-TREE: a cancel reaches the whole tree, in the name of who asked for it" {
	catalog inner.yaml <<-E
		name: inner
		actions:
		  - {id: work, actionDefinitionId: shell.run, inputs: {script: '$(gate never)'}}
		  - {id: rest, actionDefinitionId: command, dependencies: [work], inputs: {command: 'true'}}
	E
	catalog middle.yaml <<-'E'
		name: middle
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: inner}}]
	E
	drop outer.yaml <<-'E'
		name: outer
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: middle}}]
	E
	daemon_start
	wait_until is_st inner .actionStates.work.status running
	[ "$("$BIN/creel" --spool "$S" show --tree "$(id_of outer)")" = "$(
		echo "$(id_of outer)  outer  running"
		echo "  sub  running"
		echo "    $(id_of middle)  middle  running"
		echo "      sub  running"
		echo "        $(id_of inner)  inner  running"
		echo "          work  running"
		echo "          rest  pending"
	)" ]
	say "control/$(id_of outer).cancel" - <<<"reason: enough"
	wait_until is_st outer .status cancelled
	is_st middle .status cancelled
	is_st inner .status cancelled
	is_st inner .actionStates.work.result.error.category user_cancelled
	is_st inner .actionStates.rest.status skipped
	[ "$(EX=$(id_of inner) events '.[] | select(.type == "execution.cancel.requested") | .by.user')" = "$(id -un)" ]
	[ "$(EX=$(id_of inner) events '.[] | select(.type == "execution.cancel.requested") | .parent.execution')" = "$(id_of middle)" ]
	wait_until all_settled
	[ -z "$(ls "$S/active")" ]
}

@test "RUN-TREE: a pause and its end reach the whole tree; what was paused below stays so" {
	catalog inner.yaml <<-E
		name: inner
		actions:
		  - {id: work, actionDefinitionId: shell.run, inputs: {script: '$(gate first)'}}
		  - {id: rest, actionDefinitionId: command, dependencies: [work], inputs: {command: 'true'}}
	E
	drop outer.yaml <<-'E'
		name: outer
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: inner}}]
	E
	daemon_start
	wait_until is_st inner .actionStates.work.status running
	say "control/$(id_of outer).pause"
	wait_until is_st inner .paused true
	open_gate first
	wait_until is_st inner .actionStates.work.status completed
	is_st inner .actionStates.rest.status pending
	is_st outer .paused true
	# It survives the daemon.
	daemon_crash
	daemon_start
	is_st inner .actionStates.rest.status pending
	say "control/$(id_of outer).resume"
	wait_until is_st outer .status completed
	is_st inner .status completed
}

@test "RUN-TREE: a child that is cancelled by hand fails its action with user_cancelled" {
	catalog inner.yaml <<-E
		name: inner
		actions: [{id: work, actionDefinitionId: shell.run, inputs: {script: '$(gate never)'}}]
	E
	drop outer.yaml <<-'E'
		name: outer
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: inner}, errorHandling: {continueOnFailure: true}}
	E
	daemon_start
	wait_until is_st inner .actionStates.work.status running
	say "control/$(id_of inner).cancel"
	wait_until is_st outer .status completed
	is_st outer .actionStates.sub.result.error.category user_cancelled
	is_st outer .actionStates.sub.result.error.code child:cancelled
}

@test "RUN-TREE: an abort that terminates ends the children too; one that drains lets them finish" {
	catalog inner.yaml <<-E
		name: inner
		actions: [{id: work, actionDefinitionId: shell.run, inputs: {script: 'touch $T/working; $(gate work)'}}]
	E
	drop outer.yaml <<-E
		name: outer
		onAbort: terminate
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: inner}}
		  - {id: fails, actionDefinitionId: shell.run, inputs: {script: '$(gate fail); exit 1'}}
	E
	daemon_start
	wait_until [ -e "$T/working" ]
	open_gate fail
	wait_until is_st outer .status failed
	is_st inner .status cancelled
	is_st outer .actionStates.sub.result.error.code child:cancelled
	rm -r "$S"/executions/* "$T/working"
	drop drains.yaml <<-E
		name: drains
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: inner}}
		  - {id: fails, actionDefinitionId: shell.run, inputs: {script: 'exit 1'}}
	E
	wait_until [ -e "$T/working" ]
	wait_until is_st drains .actionStates.fails.status failed
	is_st inner .status running
	open_gate work
	wait_until is_st drains .status failed
	is_st drains .actionStates.sub.status completed
}

@test "RUN-TREE: the time of an attempt ends its child" {
	catalog inner.yaml <<-E
		name: inner
		actions: [{id: work, actionDefinitionId: shell.run, inputs: {script: '$(gate never)'}}]
	E
	drop outer.yaml <<-'E'
		name: outer
		actions: [{id: sub, actionDefinitionId: plan.run, timeoutMs: 300, inputs: {plan: inner}}]
	E
	drain
	[ "$status" -eq 1 ]
	is_st outer .actionStates.sub.result.error.category network_timeout
	is_st inner .status cancelled
}

@test "RUN-TREE: children in parallel, and parents take no slot" {
	catalog leaf.yaml <<-E
		name: leaf
		inputs: {n: 0}
		actions:
		  - id: work
		    actionDefinitionId: shell.run
		    inputs: {script: 'echo "n=\$N" >"\$CREEL_OUTPUT"; echo \$N >>$T/ran', env: {N: '\${inputs.n}'}}
	E
	catalog middle.yaml <<-'E'
		name: middle
		inputs: {n: 0}
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: leaf, inputs: {n: '${inputs.n}'}}}]
	E
	{
		echo 'name: fan'
		echo 'maxConcurrency: 1'
		echo 'actions:'
		for n in 1 2 3 4 5 6 7 8 9 10; do
			echo "  - {id: s$n, actionDefinitionId: plan.run, inputs: {plan: middle, inputs: {n: $n}}}"
		done
	} | drop fan.yaml
	drain --max-concurrency 1
	[ "$status" -eq 0 ]
	is_st fan .status completed
	[ "$(sort -n "$T/ran" | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 9 10 " ]
	[ "$(EX=$(id_of fan) events '.[] | select(.type == "action.completed" and .action == "s7") | .output.outputs.sub.outputs.work.n')" = 7 ]
	[ "$(ls -d "$S"/executions/*/* | wc -l)" = 21 ]
}

@test "RUN-TREE: forEach over plan.run: an execution for each item" {
	greet
	drop each.yaml <<-'E'
		name: each
		actions:
		  - id: all
		    actionDefinitionId: plan.run
		    forEach: [ana, bo, cy]
		    inputs: {plan: greet, inputs: {who: '{{vars.item}}'}}
	E
	drain
	[ "$status" -eq 0 ]
	is_st each .status completed
	[ "$(EX=$(id_of each) events '.[] | select(.type == "action.completed" and .action == "all") | [.output.items[].outputs.hello.text] | join(", ")')" = "hello ana, hello bo, hello cy" ]
}

@test "RUN-TREE: kill -9 of the daemon in the middle of a child: both go on, nothing runs twice" {
	catalog inner.yaml <<-E
		name: inner
		actions:
		  - {id: before, actionDefinitionId: shell.run, inputs: {script: 'echo b >>$T/ran'}}
		  - {id: work, actionDefinitionId: shell.run, dependencies: [before], inputs: {script: 'echo w >>$T/ran; $(gate work)'}}
		  - {id: rest, actionDefinitionId: shell.run, dependencies: [work], inputs: {script: 'echo r >>$T/ran'}}
	E
	catalog middle.yaml <<-'E'
		name: middle
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: inner}}]
	E
	drop outer.yaml <<-'E'
		name: outer
		actions:
		  - {id: sub, actionDefinitionId: plan.run, inputs: {plan: middle}}
		  - {id: after, actionDefinitionId: command, dependencies: [sub], inputs: {command: echo, args: ['${sub.output.status}']}}
	E
	daemon_start
	wait_until is_st inner .actionStates.work.status running
	daemon_crash
	open_gate work
	drain
	[ "$status" -eq 0 ]
	is_st outer .status completed
	[ "$(tr -d '\n' <"$T/ran")" = bwr ]
	[ "$(EX=$(id_of outer) stdout_of after)" = completed ]
	[ "$(ls -d "$S"/executions/*/* | wc -l)" = 3 ]
}

@test "RUN-TREE: whatever of the two a crash has swallowed, the other brings it back" {
	greet
	drop parent.yaml <<-'E'
		name: parent
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: greet}}]
	E
	drain
	local p c
	p=$(where parent) c=$(where greet)
	id=$(basename "$c")
	# The parent has not heard of the end yet.
	cut_back "$p"
	drain
	[ "$status" -eq 0 ]
	is_st parent .status completed
	[ "$(id_of greet)" = "$id" ]
	# Nor was the child admitted yet: it is, under the same id.
	cut_back "$p"
	rm -r "$c"
	drain
	[ "$status" -eq 0 ]
	is_st parent .status completed
	[ "$(id_of greet)" = "$id" ]
	is_st greet .status completed
}

# The execution in $1 as it was after its first commit, still active.
cut_back() {
	find "$1/journal" -name '*.json' ! -name 00000001.json -delete
	rm -rf "$1/state.json" "$1/actions"
	ln -s "../executions/$(basename "$(dirname "$1")")/$(basename "$1")" "$S/active/"
	: >"$S/events/$(date -u +%F).jsonl"
}

@test "RUN-TREE: a person who is asked in a child is waited for; --drain says so" {
	catalog asks.yaml <<-'E'
		name: asks
		actions:
		  - id: sure
		    actionDefinitionId: command
		    inputs: {command: 'true'}
		    userConfirmation: {required: true, title: Sure?, message: Really?}
	E
	drop parent.yaml <<-'E'
		name: parent
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: asks}}]
	E
	drain
	[ "$status" -eq 2 ]
	is_st parent .status running
	is_st asks .status paused_for_confirmation
	say "confirm/$(id_of asks).sure.approve"
	drain
	[ "$status" -eq 0 ]
	is_st parent .status completed
}

@test "RUN-TREE: a secret is not handed down" {
	greet
	drop parent.yaml <<-'E'
		name: parent
		actions: [{id: sub, actionDefinitionId: plan.run, inputs: {plan: greet, inputs: {who: '${secrets.token}'}}}]
	E
	drain
	[[ "$(refusal .message)" == *'secret "secrets.token" would become visible'* ]]
}
