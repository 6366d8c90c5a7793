#!/usr/bin/env bash
# quick.sh - creel beside ninja, the bare loop and the floor, and nothing else: for the hour of somebody who makes it faster.
#
#	quick.sh [SHAPE…]	default: independent chain fan; also drop (1,000 plans of one action at once), latency, memory
#
#	ROUNDS=5         of each shape; the order of the contenders changes from round to round
#	FSES=root        where: root (BENCH_DIR as it is), ext4, xfs (loop-mounted images; root may)
#	WHO="loop floor ninja creel creel_live"; for drop: "loop creel_drop creel_drop_drain", and nq, tsp
#	BENCH_DIR=DIR    on which disk; default: build/
set -u -o pipefail
. "$(dirname "$0")/lib.sh"
. "$here/peers.sh"
. "$here/footprint.sh"

bench_setup
bench_sockets
if ! command -v ninja >/dev/null; then
	echo ninja-build >"$WORK/packages.txt"
	sh "$root/contrib/install-packages.sh" "$WORK/packages.txt" || exit 1
fi
shapes=("$@")
[ $# -gt 0 ] || shapes=(independent chain fan)
for s in "${shapes[@]}"; do
	case $s in
	latency | memory) ;;
	*) stages_of "$s" >/dev/null || exit 64 ;;
	esac
done
for fs in ${FSES:-root}; do
	bench_fs "$fs" || continue
	for shape in "${shapes[@]}"; do
		case $shape in
		latency) latency_of "$fs" | jq -r '"\(.fs), \(.plans) plans, us: " + ([(.creel, .floor, .spawn)
			| "median \(.median) p90 \(.p90) least \(.least)"] | "creel \(.[0]); floor \(.[1]); spawn \(.[2])")' && continue ;;
		memory) memory_of && continue ;;
		drop) who="loop creel_drop creel_drop_drain" ;;
		*) who="loop floor ninja creel creel_live" ;;
		esac
		for ((r = 0; r < ${ROUNDS:-5}; r++)); do
			# shellcheck disable=SC2086
			round "$shape" "$r" ${WHO:-$who}
		done
	done
done

[ -s "$RAW" ] || exit 0
echo "medians of ${ROUNDS:-5}; x: times the loop's; best: by the shortest run; load now $(cut -d ' ' -f 1 /proc/loadavg)"
jq -R -s -f "$here/report.jq" "$RAW" | jq -r '
	def n($d): . * pow(10; $d) | round / pow(10; $d);
	["fs", "shape", "who", "wall ms", "us/job", "x", "x best", "cpu us/job", "x cpu"],
	(sort_by([.fs, .shape, .times.wall])[] | [.fs, .shape, .who, (.wall * .jobs / 1000 | n(0)), (.wall | n(0)),
		((.times.wall // 0) | n(2)), ((.times.best // 0) | n(2)), (.cpu | n(0)), ((.times.cpu // 0) | n(2))]) | @tsv' |
	column -t -s "$(printf '\t')"
[ -z "${FAILED:-}" ] || die "failed:$FAILED"
