#!/usr/bin/env bats
# Every plan of contrib/examples runs, and does what its comment says (STEP-MERGE, STEP-TMPL, STEP-PLAN).

load helpers

setup() {
	spool_setup
	EXAMPLES=$BATS_TEST_DIRNAME/../../contrib/examples
	EXAMPLES=$(cd "$EXAMPLES" && pwd)
	# Nobody's own configuration of git has a say here.
	export HOME=$T
	unset "${!GIT_@}"
}
teardown() { spool_teardown; }

# The example as it stands, or through sed.
try_example() {
	sed "${2:-}" "$EXAMPLES/$1.yaml" | drop "$1.yaml"
	drain
}

make_release() {
	sh "$EXAMPLES/release-repo.sh" "$T"
}

@test "every example begins with the editor's modeline, and the schema is there" {
	local f schema
	for f in "$EXAMPLES"/*.yaml; do
		schema=$(sed -n '1s/^# yaml-language-server: \$schema=//p' "$f")
		[ -s "$EXAMPLES/$schema" ]
		sed -n '3,4p' "$f" | grep -q '^# .'
	done
}

@test "every example has a test here" {
	local f
	for f in "$EXAMPLES"/*.yaml; do
		grep -q "try_example $(basename "$f" .yaml)\\( \|$\)" "$BATS_TEST_FILENAME"
	done
}

# --- release ---

@test "release: published with its digest, the notes by the alternative, one retry (ORCH-011, ORCH-013)" {
	make_release
	try_example release
	[ "$status" -eq 0 ]
	[ "$(state .status)" = completed ]
	[ "$(state '[.actionStates[]|select(.status == "failed").actionId]|join(" ")')" = notes ]
	[ "$(state '[.actionStates[]|select(.attempts > 1)|"\(.actionId) \(.attempts)"]|join(" ")')" = "publish 2" ]
	[ "$(events '[.[]|select(.type == "outcome.validated").holds]|tostring')" = "[true,true,true]" ]
	# The depot, the state and the tag agree, and the artifact can be built again.
	(cd depot && sha256sum -c tally-1.1.0.tar.gz.sha256)
	sha=$(sha256sum <depot/tally-1.1.0.tar.gz | cut -d ' ' -f 1)
	[ "$(state .actionStates.build.result.output.sha256)" = "$sha" ]
	git -C repo tag -l --format='%(contents)' v1.1.0 | grep -q "$sha"
	[ "$(git -C repo rev-parse 'v1.1.0^{commit}')" = "$(git -C repo rev-parse main)" ]
	[ "$(git -C repo archive --prefix=tally-1.1.0/ main | gzip -n | sha256sum | cut -d ' ' -f 1)" = "$sha" ]
	grep -q "The same order everywhere" depot/tally-1.1.0.tar.gz.notes
	[ ! -e depot/.upload.lock ]
	starts_after_ends
}

@test "release: a failing test keeps everything from being published" {
	make_release
	sed -i 's/weft weft/weft warp/' repo/tests/run.sh
	git -C repo commit -qam "A test that fails"
	try_example release
	[ "$status" -eq 1 ]
	[ "$(state .status)" = failed ]
	[ "$(status_of unit_tests)" = failed ]
	[ "$(status_of publish)" = skipped ]
	[ -z "$(ls depot)" ]
	[ "$(git -C repo tag -l)" = v1.0.0 ]
}

# --- fan, approval ---

@test "fan: eight parts, one sum (ORCH-003, ORCH-004)" {
	try_example fan
	[ "$status" -eq 0 ]
	[ "$(state .status) $(state .actionStates.total.result.output.total)" = "completed 3200040000" ]
	starts_after_ends
}

@test "approval: waits, goes on when it is approved (ORCH-005, ORCH-006)" {
	try_example approval
	[ "$status" -eq 2 ]
	[ "$(state .status)" = paused_for_confirmation ]
	EX=$(id_of)
	[ "$(jq -r '.choices|join(" ")' "$S/confirm/$EX.publish.request.json")" = "approve reject" ]
	say "confirm/$EX.publish.approve"
	drain
	[ "$status" -eq 0 ]
	[ "$(state .status)" = completed ]
	[ "$(stdout_of publish)" = "published to unknown readers" ]
	[ "$(ls "$S/confirm")" = by ]
}

@test "approval: rejected, nothing is published (ORCH-007)" {
	try_example approval
	EX=$(id_of)
	say "confirm/$EX.publish.reject"
	drain
	[ "$status" -eq 1 ]
	[ "$(state .status)" = cancelled ]
	[ "$(status_of publish)" = skipped ]
}

@test "for-each: a digest for every file, whatever its name is, and the list in order" {
	mkdir files
	echo one >files/a
	echo two >"files/b c"
	echo three >'files/$(touch x)"'
	: >files/empty
	try_example for-each
	[ "$status" -eq 0 ]
	[ "$(state .actionStates.write.result.output.files)" = 4 ]
	(cd files && sha256sum -c --strict SHA256SUMS)
	[ "$(wc -l <files/SHA256SUMS)" -eq 4 ]
	[ "$(ls files | wc -l)" -eq 5 ]
}

# --- steps ---

@test "test-gate: passes, and says how each check ended (STEP-TMPL, STEP-COND)" {
	make_release
	try_example test-gate
	[ "$status" -eq 0 ]
	[ "$(stdout_of verdict)" = "tests: 4 passed; fresh clone: success; whitespace: success" ]
}

@test "test-gate: QUICK leaves the slow suite out; bad whitespace is only advice (STEP-SKIP, STEP-FAIL)" {
	make_release
	echo "blanks  " >>repo/README
	git -C repo commit -qam "Blanks at the end"
	try_example test-gate 's/QUICK: 0/QUICK: 1/'
	[ "$status" -eq 0 ]
	[ "$(stdout_of verdict)" = "tests: 4 passed; fresh clone: skipped; whitespace: failed" ]
}

@test "test-gate: a failing test closes it, after one retry" {
	make_release
	sed -i 's/weft weft/weft warp/' repo/tests/run.sh
	git -C repo commit -qam "A test that fails"
	try_example test-gate
	[ "$status" -eq 1 ]
	[ "$(state '"\(.status) \(.actionStates.quick.attempts)"')" = "failed 2" ]
	[ "$(status_of verdict)" = skipped ]
}

documents() {
	mkdir docs
	printf 'a\tD-1\nb\tD-2\n' >docs/ids.tsv
	echo "text of a" >docs/a
	printf 'id: %s\ntext of b\n' "$1" >docs/b
}

@test "id-restore: an id that was lost comes back, the others stay (STEP-TMPL, STEP-RES)" {
	documents D-2
	try_example id-restore
	[ "$status" -eq 0 ]
	[ "$(cat docs/a)" = "id: D-1
text of a" ]
	[ "$(status_of put_back)" = skipped ]
}

@test "id-restore: nothing is written where nothing is missing (STEP-COND)" {
	documents D-2
	sed -i '1i id: D-1' docs/a
	try_example id-restore
	[ "$status" -eq 0 ]
	[ "$(status_of restore) $(status_of verify)" = "skipped completed" ]
}

@test "id-restore: a document with a foreign id: everything is put back, and it failed (STEP-FAIL)" {
	documents D-9
	cp -a docs before
	try_example id-restore
	[ "$status" -eq 1 ]
	[ "$(status_of put_back)" = completed ]
	diff -r docs before
}

# --- safe merge ---

# A remote with branches to merge, and a clone whose main has moved on.
repositories() {
	git init -q -b main seed
	cd seed
	git config user.name Test
	git config user.email test@example.net
	mkdir tests
	echo one >file
	echo 'grep -q one file' >tests/run.sh
	git add -A && git commit -qm base
	git switch -qc feature
	echo new >other
	git add -A && git commit -qm feature
	git switch -qc conflict main
	echo "one, theirs" >file
	git commit -qam conflict
	git switch -qc broken main
	echo 'echo it does not work >&2; exit 3' >tests/run.sh
	git commit -qam broken
	cd ..
	git clone -q --bare seed origin.git
	git -C origin.git symbolic-ref HEAD refs/heads/main
	git clone -q origin.git repo
	cd repo
	git config user.name Test
	git config user.email test@example.net
	git branch untouched
	echo "one, ours" >file
	git commit -qam "main moves"
	cd ..
	refs >before
}

# What must not change: every branch, and what is checked out.
refs() {
	git -C repo for-each-ref refs/heads refs/tags refs/creel
	git -C repo symbolic-ref HEAD
	git -C repo status --porcelain
	git -C repo worktree list --porcelain | grep -v '^HEAD'
	git -C origin.git for-each-ref
}

unharmed() {
	refs | diff before -
	git -C repo fsck --no-dangling
}

merge_branch() {
	try_example safe-merge "s/source: feature/source: $1/;${2:-}"
}

@test "STEP-MERGE: a clean merge: both histories, tested, nothing left behind" {
	repositories
	merge_branch feature
	[ "$status" -eq 0 ]
	[ "$(state .status)" = completed ]
	head=$(git -C repo rev-parse main)
	[ "$(state .actionStates.verify.result.output.head)" = "$head" ]
	[ "$(git -C repo rev-parse 'main^1')" = "$(sed -n 's, commit.refs/heads/main$,,p' before | head -1)" ]
	[ "$(git -C repo rev-parse 'main^2')" = "$(git -C origin.git rev-parse feature)" ]
	[ "$(cat repo/file repo/other)" = "one, ours
new" ]
	# Only main has moved.
	refs | grep -v refs/heads/main >after || :
	grep -v refs/heads/main before | diff - <(grep -v refs/heads/main after)
	[ -z "$(git -C repo for-each-ref refs/creel)" ]
	[ "$(status_of rollback) $(status_of unlock)" = "skipped skipped" ]
}

@test "STEP-MERGE: a conflict: the files are named, the repository is unharmed" {
	repositories
	merge_branch conflict
	[ "$status" -eq 1 ]
	[ "$(state .status)" = failed ]
	[ "$(state .error.code)" = merge_conflict ]
	[ "$(state .error.message)" = "conflict does not merge into main: conflicts in file" ]
	[ "$(status_of test_gate) $(status_of merge)" = "skipped skipped" ]
	[ "$(status_of rollback) $(status_of unlock)" = "completed completed" ]
	unharmed
}

@test "STEP-MERGE: a failing test gate: the branch does not move (RUN-ROLLBACK)" {
	repositories
	merge_branch broken
	[ "$status" -eq 1 ]
	[ "$(state .status)" = failed ]
	[ "$(state '"\(.actionStates.test_gate.status) \(.actionStates.test_gate.exitCode)"')" = "failed 3" ]
	[ "$(status_of merge)" = skipped ]
	# Undone last first: the rollback before the lock.
	[ "$(events '[.[]|select(.compensates)|"\(.action) \(.compensates)"]|join(", ")')" = "rollback snapshot, unlock lock" ]
	unharmed
}

@test "STEP-MERGE: a failure after the merge: the branch goes back" {
	repositories
	merge_branch feature 's/^ *git fsck .*/        exit 9/'
	[ "$status" -eq 1 ]
	[ "$(status_of merge) $(status_of verify)" = "completed failed" ]
	grep -q "main is back at" "$(where)/actions/rollback/1/stdout"
	unharmed
}

@test "STEP-MERGE: the merge phase waits for git's own lock and tries again" {
	repositories
	touch repo/.git/index.lock
	sed "s/maxAttempts: 6, initialDelay: 250/maxAttempts: 10, initialDelay: 50/" "$EXAMPLES/safe-merge.yaml" | drop m.yaml
	daemon_start
	wait_until retried
	rm repo/.git/index.lock
	wait_until is_state .status completed
	daemon_stop
	[ "$(state .actionStates.merge.attempts)" -ge 2 ]
	[ "$(git -C repo rev-parse 'main^2')" = "$(git -C origin.git rev-parse feature)" ]
	git -C repo diff --quiet HEAD
}

retried() {
	grep -q '"type":"action.retry.scheduled","action":"merge"' "$(where)"/journal/*.json
}

@test "STEP-MERGE: somebody else holds the lock: refused, and theirs stays" {
	repositories
	theirs=$(echo somebody | git -C repo hash-object -w --stdin)
	git -C repo update-ref refs/creel/lock "$theirs"
	refs >before
	merge_branch feature 's/maxAttempts: 3, initialDelay: 1000/maxAttempts: 2, initialDelay: 10/'
	[ "$status" -eq 1 ]
	[ "$(state .actionStates.lock.result.error.code)" = exit:75 ]
	unharmed
}

@test "STEP-MERGE: changes in the work tree, an unknown branch: refused by the preflight or the fetch" {
	repositories
	merge_branch no-such-branch
	[ "$status" -eq 1 ]
	[ "$(status_of fetch)" = failed ]
	unharmed
	rm -rf "$S"/executions/*
	echo changed >repo/file
	refs >before
	merge_branch feature
	[ "$status" -eq 1 ]
	[ "$(status_of preflight)" = failed ]
	unharmed
}

@test "STEP-MERGE: a bare repository" {
	repositories
	git clone -q --bare repo bare.git
	git -C bare.git config user.name Test
	git -C bare.git config user.email test@example.net
	git -C bare.git remote set-url origin "$T/origin.git"
	merge_branch feature 's/repo: repo /repo: bare.git /'
	[ "$status" -eq 0 ]
	[ "$(git -C bare.git rev-parse 'main^2')" = "$(git -C origin.git rev-parse feature)" ]
	[ -z "$(git -C bare.git for-each-ref refs/creel)" ]
}
