#!/usr/bin/env bash
# bench.sh - creel beside its peers: three shapes, a thousand plans at once, three file systems, latency, memory.
#
#	bench.sh		as `make bench`; about eight minutes on an idle machine
#
#	ROUNDS=5           of everything
#	FSES="root ext4 xfs"   the first for the peers; creel, ninja, the loop and the floor on all
#	PEERS="make xargs …"   default: all
#	PARTS="peers drop filesystems latency memory"
#	RESULTS=DIR        default: tests/bench/results, and then the tables in README.md are made anew
#	BENCH_DIR=DIR      on which disk; default: build/
set -u -o pipefail
. "$(dirname "$0")/lib.sh"
. "$here/peers.sh"
. "$here/footprint.sh"
. "$here/machine.sh"

ROUNDS=${ROUNDS:-5}
FSES=${FSES:-root ext4 xfs}
PARTS=${PARTS:-peers drop filesystems latency memory}
PEERS=${PEERS:-make xargs parallel nq tsp bullmq_always bullmq_everysec slurm}
OUT=${RESULTS:-$here/results}
shapes="independent chain fan"

bench_setup
mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd) || exit 1
bench_sockets
peers_install

rounds() {
	local shape=$1 r
	shift
	for ((r = 0; r < ROUNDS; r++)); do
		say "  $FS, $shape, round $((r + 1)) of $ROUNDS"
		round "$shape" "$r" "$@"
	done
}

LOAD=$(load)
COMMIT=$(git -C "$root" describe --always --dirty 2>/dev/null) # before results are written
first=${FSES%% *}
for fs in $FSES; do
	bench_fs "$fs" || continue
	who="loop floor ninja creel creel_live"
	if [ "$fs" = "$first" ] && does peers; then
		case " $PEERS " in
		*" slurm "*) slurm_start || { say "bench: Slurm is left out: $SLURM_WHY"; PEERS=" $PEERS "; PEERS=${PEERS/ slurm / }; } ;;
		esac
		who="$who $PEERS"
	fi
	if does peers && [ "$fs" = "$first" ] || does filesystems; then
		for shape in $shapes; do
			# shellcheck disable=SC2086
			rounds "$shape" $who
		done
	fi
	for p in $SLURM; do let_go "$p"; done
	SLURM=
	if [ "$fs" = "$first" ] && does drop; then
		rounds drop loop nq tsp creel_drop creel_drop_each creel_drop_drain
	fi
	if does latency; then
		say "  $FS, latency"
		latency_of "$fs" >>"$WORK/latency.json" || FAILED="${FAILED:-} latency:$fs"
	fi
	if [ "$fs" = "$first" ] && does memory; then
		say "  $FS, memory"
		memory_of >"$WORK/memory.json" || FAILED="${FAILED:-} memory"
	fi
done

touch "$WORK/latency.json" "$WORK/memory.json"
jq -n --slurpfile machine <(machine) --slurpfile runs <(jq -R -s -f "$here/report.jq" "$RAW") \
	--slurpfile latency "$WORK/latency.json" --slurpfile memory "$WORK/memory.json" \
	'{machine: $machine[0], runs: $runs[0], latency: $latency, memory: $memory[0]}' >"$OUT/bench.json"
bash "$here/report.sh" "$OUT" ${RESULTS:+--no-readme}
[ -z "${FAILED:-}" ] || die "failed:$FAILED"
