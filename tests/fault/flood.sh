#!/usr/bin/env bash
# The large kinds of flood: 100,000 wrong plans, 100,000 orders that mean nothing, 5,000 plans that run, at once.
# (tests/e2e/hostile_inbox.bats has one that takes seconds.)  ATK-FLOOD
#
#	flood.sh [BUILD]
#
# While they are dealt with, an order must be obeyed within seconds; afterwards each file was dealt with once.
set -eu -o pipefail
build=$(cd "${1:-build}" && pwd)
wrong=${WRONG:-100000} orders=${ORDERS:-100000} plans=${PLANS:-5000}
T=$(mktemp -d "${TMPDIR:-/tmp}/creel-flood.XXXXXX")
S=$T/spool
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || :; rm -rf "$T"' EXIT

die() {
	echo "flood: $*" >&2
	tail -5 "$T/log" >&2
	exit 1
}

"$build/creel" init "$S" >/dev/null
perl -e '
	my ($spool, $wrong, $orders, $plans) = @ARGV;
	sub put { open(my $f, ">", "$spool/$_[0]") or die "$_[0]: $!"; print $f $_[1]; close($f) }
	put("inbox/" . sprintf("%06d.yaml", $_), "name: [") for 1 .. $wrong;
	put("control/" . sprintf("no-%06d", $_), "") for 1 .. $orders;
	put("inbox/" . sprintf("p%06d.json", $_), qq({"name":"p$_","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"true"}}]}))
		for 1 .. $plans;
	put("inbox/waits.json", q({"name":"waits","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"sleep","args":[600]}}]}));
	' "$S" "$wrong" "$orders" "$plans"
began=$SECONDS
"$build/creeld" --spool "$S" --max-concurrency 8 2>"$T/log" &
daemon=$!

slowest=0
for n in 1 2 3 4 5; do
	printf '{"name":"now%d","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"sleep","args":[600]}}]}' "$n" >"$T/now"
	mv "$T/now" "$S/inbox/now$n.json"
	until id=$(grep -l "\"name\": \"now$n\"" "$S"/executions/*/*/plan.json 2>/dev/null | sed 's|.*/\(.*\)/plan.json|\1|') && [ -n "$id" ]; do
		kill -0 "$daemon" || die "the daemon ended"
		[ $((SECONDS - began)) -lt 3600 ] || die "a plan was not taken within an hour"
		sleep 0.2
	done
	asked=$SECONDS
	: >"$S/control/$id.cancel"
	until grep -q '"status":"cancelled"' "$S"/executions/*/"$id"/state.json 2>/dev/null; do
		[ $((SECONDS - asked)) -lt 120 ] || die "an order was not obeyed within two minutes"
		sleep 0.1
	done
	[ $((SECONDS - asked)) -le "$slowest" ] || slowest=$((SECONDS - asked))
done
until [ "$(find "$S/inbox" "$S/control" -type f | wc -l)" -eq 0 ]; do
	kill -0 "$daemon" || die "the daemon ended"
	[ $((SECONDS - began)) -lt 7200 ] || die "not done within two hours"
	sleep 1
done
id=$(grep -l '"name": "waits"' "$S"/executions/*/*/plan.json | sed 's|.*/\(.*\)/plan.json|\1|')
: >"$S/control/$id.cancel"
until [ "$(find "$S/active" -type l | wc -l)" -eq 0 ]; do sleep 1; done
peak=$(awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$daemon/status")
kill "$daemon"
wait "$daemon" || :
daemon=
kept=$(find "$S/rejected" -type f ! -name '*.error.json' | wc -l)
[ "$kept" -eq $((wrong + orders)) ] || die "$kept files were refused, not $((wrong + orders))"
ran=$(find "$S/executions" -name state.json -exec cat {} + | jq -r 'select(.status == "completed") | .name' | sort | uniq -c | awk '$1 == 1' | wc -l)
[ "$ran" -eq "$plans" ] || die "$ran plans ran once, not $plans"
echo "flood: $wrong wrong plans, $orders orders, $plans plans in $((SECONDS - began)) s; an order took $slowest s at most; the daemon had $peak MiB at most"
