#!/bin/sh
# What `make demo` runs: a release of a real git repository by creel, in a temporary directory, and the commands
# that show what happened.
#
#	demo.sh [BUILD]		BUILD: where the programs are, default build
#
# CREEL_DEMO_KEEP=1 leaves the directory, with the spool in it, and says where.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd)
for p in creel creeld creel-run; do
	[ -x "$build/$p" ] || { echo "demo: there is no $build/$p: run make first" >&2; exit 1; }
done
for p in git jq; do
	command -v $p >/dev/null || { echo "demo: $p is missing: run make deps" >&2; exit 1; }
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/creel-demo.XXXXXX")
daemon=
finish() {
	status=$?
	trap - EXIT INT TERM
	if [ -n "$daemon" ]; then
		kill "$daemon" 2>/dev/null || :
		wait "$daemon" 2>/dev/null || :
	fi
	if [ "$status" -ne 0 ]; then
		echo "demo: something went wrong (status $status); what creeld said:" >&2
		cat "$dir/creeld.log" >&2 2>/dev/null || :
	fi
	if [ "${CREEL_DEMO_KEEP:-0}" = 1 ]; then
		echo "The demo's directory is still there: $dir"
		echo "Run a daemon on it again:  $build/creeld --spool $dir/spool"
	else
		cd / && rm -rf "$dir"
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bold= dim= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s# %s%s\n' "$dim" "$1" "$plain"; }
# Print a command as it would be typed, then run it.
run() {
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	eval "$1"
}
# Wait until a command succeeds, 20 seconds at most.
until_true() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 400 ] || { echo "demo: waited in vain for: $*" >&2; exit 1; }
		sleep 0.05
	done
}
rejected() { ls spool/rejected/*.error.json; }

# Nobody's own configuration of git has a say here.
PATH=$build:$PATH HOME=$dir
export PATH HOME
unset CREEL_SPOOL GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_CONFIG_GLOBAL
cd "$dir"
sh "$here/examples/release-repo.sh" .
cp "$here/examples/release.yaml" .

say "A repository to release (made for this demo), and the plan that releases it."
run "git -C repo log --oneline --decorate"
run "grep -c 'actionDefinitionId' release.yaml"

say "A spool is a directory. The daemon runs what is dropped into it."
run "creel init --quiet spool"
printf '%s$ %s%s\n' "$bold" "creeld --spool spool 2> creeld.log &" "$plain"
creeld --spool spool 2>creeld.log &
daemon=$!
until_true creel status

say "Submit the plan, and watch."
run "creel submit --wait release.yaml"

say "It happened: the artifact is in the depot, its digest in the tag."
run "(cd depot && sha256sum -c *.sha256)"
run "git -C repo tag -n1"

say "What happened is on disk. Status, attempts and milliseconds of every action:"
run "jq -r '.actionStates[] | [.status, .attempts, .duration, .actionId] | @tsv' spool/executions/*/*/state.json"

say "An output, as the next action got it:"
run "jq -r .actionStates.build.result.output.sha256 spool/executions/*/*/state.json"

say "Why was publish tried twice?"
run "grep -h action.retry.scheduled spool/events/*.jsonl | jq -c '{action, attempt, nextAttempt, delayMs}'"
run "cat spool/executions/*/*/actions/publish/1/stderr"

say "The notes failed, and another action stood in:"
run "grep -H . spool/executions/*/*/actions/notes/1/stderr"
run "jq -c '.actionStates.notes | {status, standIn}' spool/executions/*/*/state.json"

say "The journal is the truth: one file per commit, each with the digest of the one before."
run "jq -r '\"\\(.seq) \\([.events[] | .type + (if .action then \" \" + .action else \"\" end)] | join(\", \"))\"' spool/executions/*/*/journal/*.json | cut -c 1-118"

say "How did all executions end?"
run "creel ls"
run "jq -s 'group_by(.status) | map({(.[0].status): length}) | add' spool/executions/*/*/state.json"

say "A plan with mistakes is refused with all of them, and kept."
cat >wrong.yaml <<'END'
name: wrong
actions:
  - id: build
    actionDefinitionId: shell.runn
    inputs: {script: make}
  - id: ship
    actionDefinitionId: command
    dependencies: [biuld]
    inputs: {command: cp, args: ["${build.output.path}", /srv]}
    errorHandling: {}
END
run "cat wrong.yaml"
run "cp wrong.yaml spool/inbox/"
until_true rejected
run "jq -r '.errors[] | [\"\(.line):\(.column)\", .message, .suggestion] | @tsv' spool/rejected/*.error.json"

say "That was it. Your own plan goes the same way: creel submit PLAN, or cp PLAN SPOOL/inbox/"
