#!/usr/bin/env bats
# Plans made to cost memory or time, or to mean two things at once: refused in bounded time with a place, while good
# ones run (design section 5; ATTACKS.md).  tests/corpus/invalid and tests/unit/test_source_refused.c have each mistake alone.

load helpers

setup() { spool_setup; }
teardown() { spool_teardown; }

# What the error file of *-$1 says, in one line.
refused() {
	jq -r '[.errors[].message] | join("|")' "$S"/rejected/*-"$1".error.json
}

# A file in the inbox, made by the perl text $2.
make() {
	perl -e "$2" >"$T/.made"
	mv "$T/.made" "$S/inbox/$1"
}

@test "ATK-ALIAS ATK-DEPTH ATK-DUPKEY ATK-TAG ATK-DOCS ATK-NAN ATK-OVERFLOW ATK-MILLION ATK-CYCLE: bombs of every kind are refused, the daemon stays small, and a good plan runs" {
	make alias.yaml 'print "a: &a [x,x,x,x,x,x,x,x,x]\n"; for (b .. z) { $p = chr(ord($_) - 1); print "$_: &$_ [*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p]\n" } print "name: *z\nactions: []\n"'
	make merge.yaml 'print "x: &x {name: bomb}\n<<: *x\nactions: []\n"'
	make flow.yaml 'print "name: x\nactions: ", "[" x 100000, "]" x 100000'
	make block.yaml 'print "name: x\nactions:\n"; print " " x $_, "-\n" for 1 .. 3000' # 100,000 of these would be 5 GB
	make dashes.yaml 'print "name: x\nactions: \n", "- " x 100000, "x\n"'
	make maps.yaml 'print "name: x\nactions: ", "{a: " x 100000, "1", "}" x 100000'
	make arrays.json 'print "{\"name\": \"x\", \"actions\": ", "[" x 100000, "]" x 100000, "}"'
	make objects.json 'print "{\"a\":" x 100000, "1", "}" x 100000'
	make keys.yaml 'print "name: x\nname: y\nactions: []\nactions: []\n"'
	make keys.json 'print "{\"name\": \"x\", \"name\": \"y\", \"actions\": []}"'
	make tag.yaml 'print "name: !!python/object/apply:os.system [\"touch /tmp/owned\"]\nactions: !!binary aGk=\n"'
	make docs.yaml 'print "name: x\nactions: []\n---\nname: y\nactions: []\n"'
	make nan.yaml 'print "name: x\nmaxConcurrency: .nan\ntimeoutMs: .inf\npriority: -.Inf\nactions: []\n"'
	make e999.json 'print "{\"name\": \"x\", \"timeoutMs\": 1e999, \"actions\": []}"'
	make e999.yaml 'print "name: x\ntimeoutMs: 1e999\nactions: []\n"'
	make wide.yaml 'print "name: x\ntimeoutMs: 99999999999999999999\npriority: -9223372036854775809\nmaxConcurrency: 18446744073709551616\nactions: []\n"'
	make wide.json 'print "{\"name\": \"x\", \"timeoutMs\": 99999999999999999999, \"actions\": []}"'
	make million.yaml 'print "name: x\nactions:\n"; print "- {}\n" for 1 .. 1000000'
	make million.json 'print "{\"name\": \"x\", \"actions\": [", join(",", ("{}") x 1000000), "]}"'
	make big.json 'print "{\"name\": \"x\", \"actions\": [", join(",", ("{\"id\":\"a\",\"actionDefinitionId\":\"command\"}") x 1000000), "]}"'
	make cycle.json '$n = 9999; print "{\"name\": \"x\", \"actions\": [", join(",", map { "{\"id\":\"s$_\",\"actionDefinitionId\":\"command\",\"inputs\":{\"command\":\"true\"},\"dependencies\":[\"s" . (($_ + 1) % $n) . "\"]}" } 0 .. $n - 1), "]}"'
	make long.yaml 'print "name: ", "x" x 8000000, "\nactions: []\n"'
	make nul.yaml 'print "name: \"a\\0b\"\nactions: []\n\0"'
	make quote.yaml 'print "name: \"", "\\\n" x 1000000'
	drop good.yaml <<<'{name: good, actions: [{id: a, actionDefinitionId: command, inputs: {command: "true"}}]}'
	daemon_start
	wait_until eval '[ -z "$(ls "$S/inbox")" ] && [ -z "$(ls "$S/tmp")" ] && [ -z "$(ls "$S/active")" ]'
	# Twice the largest text, or so, for each of the values in it, and nothing that grows with what a bomb claims to be.
	[ "$(awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$DAEMON/status")" -lt 700 ]
	[ "$(ls "$S"/rejected/*.error.json | wc -l)" -eq 24 ]
	[ "$(state .status)" = completed ]
	[ ! -e /tmp/owned ]
	[[ $(refused alias.yaml) == *"aliases are not accepted"* ]]
	[[ $(refused merge.yaml) == *"anchors are not accepted"* || $(refused merge.yaml) == *merge* ]]
	local name
	for name in flow.yaml block.yaml dashes.yaml maps.yaml arrays.json objects.json; do
		[[ $(refused $name) == *"nested deeper than 64 levels"* ]]
	done
	for name in keys.yaml keys.json; do [[ $(refused $name) == *"is given twice"* ]]; done
	[[ $(refused tag.yaml) == *"tags are not accepted"* ]]
	[[ $(refused docs.yaml) == *"a second document begins here"* ]]
	[[ $(refused nan.yaml) == *"not a finite number"*"not a finite number"*"not a finite number"* ]]
	for name in e999.json e999.yaml; do [[ $(refused $name) == *1e999* ]]; done
	for name in wide.json wide.yaml; do [[ $(refused $name) == *"beyond 64 bits"* ]]; done
	for name in million.yaml million.json; do [[ $(refused $name) == *"1000000"* || $(refused $name) == *"10000"* ]]; done
	[[ $(refused big.json) == *"larger than the 16777216 bytes"* ]]
	[[ $(refused cycle.json) == *"a cycle, in which nothing can begin"* ]]
	# Every refusal is short, whatever it refuses.
	[ "$(cat "$S"/rejected/*.error.json | wc -c)" -lt 200000 ]
	daemon_stop
}

@test "ATK-REGEX: patterns made to be slow fail their actions, each in bounded time, and keep nobody waiting" {
	jq -n '{name: "slow", inputs: {text: ("a" * 5000 + "!")}, actions: [range(5) | {id: "s\(.)", actionDefinitionId: "command",
		inputs: {command: "true"}, errorHandling: {continueOnFailure: true},
		when: "inputs.text matches \"^(a+)+$\" or inputs.text matches \"(.*)*x\" or inputs.text matches \"(a|aa)+$\""}]}' >"$T/slow"
	cp "$T/slow" "$S/inbox/1.json"
	cp "$T/slow" "$S/inbox/2.json"
	daemon_start
	wait_until eval '[ "$(ls "$S/active" | wc -l)" -eq 2 ]'
	drop good.json <<<'{"name": "good", "actions": [{"id": "a", "actionDefinitionId": "command", "inputs": {"command": "true"}}]}'
	wait_until eval '[ -n "$(where good)" ] && [ -z "$(ls "$S/active")" ]'
	# It was done before them, though it came last: ten evaluations of a quarter of a second or so.
	cat "$S"/executions/*/*/state.json | jq -s '(map(select(.name == "good"))[0].completedAt) as $good
		| (map(.completedAt) | max) > $good' >"$T/first"
	[ "$(cat "$T/first")" = true ]
	cat "$S"/executions/*/*/state.json | jq -s '[.[] | select(.name == "slow") | .actionStates[].result.error
		| select(.category == "validation_failed" and (.message | contains("too many steps")))] | length' >"$T/failed"
	[ "$(cat "$T/failed")" -eq 10 ]
	daemon_stop
}
