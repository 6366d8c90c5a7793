#!/bin/sh
# Habits that a compiler does not check.
set -eu
cd "$(dirname "$0")/../.."
bad=0
complain() {
	echo "lint: $1" >&2
	bad=1
}
# Banned: unbounded or locale-dependent calls that have a safe form here.
banned='\b(strcat|sprintf|vsprintf|gets|strtok|system|popen|tmpnam|mktemp|atol)[[:space:]]*\('
if grep -rnE "$banned" src --include='*.c'; then
	complain "banned functions"
fi
# Numbers are written with a point, whatever the reader's language.
if grep -rnE 'setlocale[[:space:]]*\([[:space:]]*LC_(ALL|NUMERIC)' src --include='*.c'; then
	complain "the locale of numbers must stay C"
fi
# Only spool.c builds paths of executions.
if grep -rnE '"executions/' src --include='*.c' | grep -v '^src/store/spool.c:'; then
	complain "paths of executions are built in src/store/spool.c only"
fi
# Every header says what it is for.
for h in $(find src -name '*.h'); do
	sed -n 2p "$h" | grep -qE '^ \* [a-z_]+\.h - ' || complain "$h: line 2 must be ' * NAME.h - purpose'"
done
# Requirement ids in tests exist.
if [ -f tests/requirements.txt ]; then
	for id in $(grep -rhoE '\b(ORCH|EDGE|STEP|S0|PIPE|CHK|RUN|TRIG|ACT|WF)-[A-Z0-9]+\b' tests --include='*.c' --include='*.bats' | sort -u); do
		grep -qx "$id" tests/requirements.txt || complain "tests cite $id, which is no requirement"
	done
fi
# Every field of a definition and of an API's entry has its test.  Those of the limits are shown in http_limits.bats.
if [ -f tests/e2e/http_limits.bats ]; then
	python3 -B tests/lint/fields.py || bad=1
fi
# Every attack of the list has a test, and every test names one of the list.
attacks=$(grep -oE '^\| ATK-[A-Z0-9-]+' tests/e2e/ATTACKS.md | cut -c3- | sort -u)
made=$(grep -rhoE '\bATK-[A-Z0-9-]+\b' tests --include='*.bats' --include='*.c' --include='*.sh' | sort -u)
for id in $(printf '%s\n' $attacks $made | sort | uniq -u); do
	complain "the attack $id stands in tests/e2e/ATTACKS.md or in a test, and not in both"
done
# What `! command` says is lost unless it comes last: not() is there for that.
if awk 'FNR == 1 {t = 0} /^@test/ {t = 1} /^}/ {t = 0} t && /^\t! / && !/\|\|/ {print FILENAME ":" FNR ": " $0; bad = 1} END {exit !bad}' tests/e2e/*.bats; then
	complain "tests that cannot fail: write not instead of !"
fi
[ "$bad" -eq 0 ] && echo "lint: ok"
exit "$bad"
