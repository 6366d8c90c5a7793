# lib.sh - what the benchmarks share: a place to work in, jobs in the three shapes, one measured run, its record.
#
#	bench_setup                 $WORK, removed at the end with every server that was kept; $RAW, the records
#	bench_fs root|ext4|xfs      $AT: a directory on the disk's own file system, or on a loop-mounted one (as root)
#	run WHO SHAPE               prepare_WHO SHAPE in a new directory, then its script `go` under the clock
#	keep COMMAND…               start a server; $KEPT is its keeper.  let_go PID ends it
#
# A contender WHO is a function prepare_WHO SHAPE, called in a new empty directory.  It writes `go`, which is what is
# measured, and may set SERVERS to keepers whose processor time counts, JOBS to the number of jobs where it is not the
# shape's, and AFTER to a command for the time after the run: if that fails, the run is void.
#
# Every job is $JOB, by its absolute path, in the environment that `go` gets (creel adds its own CREEL_ variables).
#
# Nothing is deleted between two runs: ext4 makes new files slower for a while after many unlinks.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
BIN=${BUILD:-build}
case $BIN in
/*) ;;
*) BIN=$root/$BIN ;;
esac
TOOLS=$BIN/bench
JOB=/bin/true
PARALLEL=2
CLEAN="env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/ LANG=C.UTF-8 TZ=UTC"

say() { printf '%s\n' "$*" >&2; }
die() { say "bench: $*"; exit 1; }

# ---- a place to work in ----

KEPT_ALL=() MOUNTED=() AT_END=()

bench_setup() {
	local p
	for p in creel creeld creel-run bench/loop bench/floor bench/measure bench/keeper bench/await; do
		[ -x "$BIN/$p" ] || die "there is no $BIN/$p: use make bench, make bench-quick or make bench-scale"
	done
	p=${BENCH_DIR:-$BIN}
	mkdir -p "$p" && p=$(cd "$p" && pwd) || exit 1
	WORK=$(mktemp -d "$p/creel-bench.XXXXXX")
	RAW=$WORK/raw.tsv
	: >"$RAW"
	RUNS=0 AT= FS=
	trap bench_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	case $(stat -f -c %T "$WORK") in
	tmpfs | ramfs) die "$WORK is in memory: set BENCH_DIR to a directory on a disk" ;;
	esac
}

bench_end() {
	local status=$? k
	trap - EXIT INT TERM
	for k in "${KEPT_ALL[@]}"; do
		kill "$k" 2>/dev/null && wait "$k" 2>/dev/null
	done
	for k in "${AT_END[@]}"; do
		$k
	done
	cd /
	for k in "${MOUNTED[@]}"; do
		umount "$k" || say "bench: $k stays mounted"
	done
	rm -rf --one-file-system "$WORK"
	exit "$status"
}

bench_fs() {
	local options=
	FS=$1 AT=$WORK/$1
	mkdir -p "$AT"
	[ "$FS" != root ] || return 0
	! mountpoint -q "$AT" || return 0
	[ "$(id -u)" -eq 0 ] || { say "bench: only root can mount an image with $FS: left out"; return 1; }
	truncate -s 16G "$WORK/$FS.img"
	[ "$FS" != xfs ] || options="-i maxpct=60" # else only a quarter may be inodes
	# shellcheck disable=SC2086
	if ! { "mkfs.$FS" -q $options "$WORK/$FS.img" && mount -o loop "$WORK/$FS.img" "$AT"; } >"$WORK/mount.log" 2>&1; then
		say "bench: $FS cannot be mounted here: left out; $(tail -1 "$WORK/mount.log")"
		return 1
	fi
	MOUNTED+=("$AT")
}

# ---- servers ----

keep() {
	"$TOOLS/keeper" "$WORK/kept.log" "$@" &
	KEPT=$!
	KEPT_ALL+=("$KEPT")
}

let_go() {
	local k rest=()
	kill "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
	for k in "${KEPT_ALL[@]}"; do
		[ "$k" = "$1" ] || rest+=("$k")
	done
	KEPT_ALL=("${rest[@]}")
}

# Until a command succeeds, ten seconds at most.
until_true() {
	local n
	for ((n = 0; n < 1000; n++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.01
	done
	die "waited in vain for: $*"
}

# ---- jobs ----

# Stages of a shape, as the loop takes them; one after the other where there is no other way to say it.
stages_of() {
	case $1 in
	independent) echo 1000 ;;
	chain) echo 200 ;;
	fan) echo 1,500,1 ;;
	drop) echo 1000 ;; # a plan each
	*) die "no shape $1: independent, chain, fan" ;;
	esac
}

jobs_of() {
	local n sum=0
	for n in $(stages_of "$1" | tr , ' '); do
		sum=$((sum + n))
	done
	echo "$sum"
}

# How many at once: a chain is compared to a serial loop.
parallel_of() {
	if [ "$1" = chain ]; then echo 1; else echo "$PARALLEL"; fi
}

# The plan of a shape, as form 1.
plan_of() {
	jq -nc --arg shape "$1" --arg job "$JOB" --argjson n "${2:-$(jobs_of "$1")}" '
		def action($i; $after): {id: "a\($i)", actionDefinitionId: "command", inputs: {command: $job},
			dependencies: $after};
		{name: $shape, actions: [range($n) as $i | action($i;
			if $shape == "chain" and $i > 0 then ["a\($i - 1)"]
			elif $shape == "fan" and $i == $n - 1 then [range(1; $n - 1) | "a\(.)"]
			elif $shape == "fan" and $i > 0 then ["a0"]
			else [] end)]}'
}

# ---- contenders that every benchmark has ----

go() {
	{
		echo '#!/bin/sh'
		cat
	} >go
}

prepare_loop() {
	go <<-END
		exec $TOOLS/loop $(parallel_of "$1") $(stages_of "$1") $JOB
	END
}

# In a chain every start is decided by the end before: no commit allows two.
prepare_floor() {
	local ahead=$((4 * PARALLEL)) stages

	stages=$(stages_of "$1")
	if [ "$1" = chain ]; then
		ahead=1
		stages=$(printf '1,%.0s' $(seq "$stages"))
	fi
	go <<-END
		exec $TOOLS/floor $(parallel_of "$1") $ahead $stages $JOB
	END
}

prepare_ninja() {
	{
		printf 'rule job\n  command = %s\n' "$JOB"
		awk -v shape="$1" -v n="$(jobs_of "$1")" 'BEGIN {
			for (i = 0; i < n; i++) {
				printf "build a%d: job", i
				if (shape == "chain" && i > 0 || shape == "fan" && i > 0 && i < n - 1)
					printf " a%d", shape == "chain" ? i - 1 : 0
				if (shape == "fan" && i == n - 1)
					for (k = 1; k < n - 1; k++)
						printf " a%d", k
				printf "\n"
			}
		}'
	} >build.ninja
	go <<-END
		exec ninja --quiet -j $PARALLEL
	END
}

# From a spool that holds the plan in its inbox to the daemon's end: beside ninja, which also starts, runs and ends.
prepare_creel() {
	"$BIN/creel" init --quiet spool
	plan_of "$1" >spool/inbox/plan.json
	go <<-END
		exec $BIN/creeld --spool spool --drain --max-concurrency $PARALLEL
	END
}

serving() { grep -q ' serves ' "$1"; }

# A daemon of its own on ./spool: $SERVERS.
creel_daemon() {
	"$BIN/creel" init --quiet spool
	# shellcheck disable=SC2086
	"$TOOLS/keeper" "$PWD/creeld.log" $CLEAN "$BIN/creeld" --spool spool --max-concurrency "$PARALLEL" "$@" &
	SERVERS=$!
	KEPT_ALL+=("$SERVERS")
	until_true serving creeld.log
	AFTER="let_go $SERVERS"
}

# From the mv of the plan into the inbox of a daemon that idles, until state.json says completed.
prepare_creel_live() {
	creel_daemon
	plan_of "$1" >plan.json
	go <<-END
		mv plan.json spool/inbox/ && exec $TOOLS/await spool 1
	END
}

# ---- a thousand plans of one action, dropped at once ----

drop_plans() {
	local k
	mkdir plans
	for ((k = 0; k < 1000; k++)); do
		printf '{"name":"one","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"%s"}}]}\n' \
			"$JOB" >"plans/$k.json"
	done
}
# mv of several files looks at each where it put it, and complains when the daemon has taken it by then: only what
# await finds counts.
prepare_creel_drop() {
	creel_daemon
	drop_plans
	go <<-END
		mv plans/* spool/inbox/; exec $TOOLS/await spool 1000
	END
}
# Each plan by an mv of its own, as nq and tsp are started once a job.
prepare_creel_drop_each() {
	creel_daemon
	drop_plans
	go <<-END
		ls plans | xargs -I{} mv plans/{} spool/inbox/; exec $TOOLS/await spool 1000
	END
}
# They lie in the inbox when the daemon starts, and it ends with the last.
prepare_creel_drop_drain() {
	"$BIN/creel" init --quiet spool
	drop_plans
	mv plans/* spool/inbox/
	go <<-END
		exec $BIN/creeld --spool spool --drain --max-concurrency $PARALLEL
	END
}

# ---- a measured run ----

# Write FS SHAPE WHO JOBS WALL CPU into $RAW, times in microseconds.
run() {
	local who=$1 shape=$2 dir wall cpu status s options=()
	WRITTEN=0
	RUNS=$((RUNS + 1))
	dir=$AT/$RUNS.$who.$shape
	mkdir "$dir"
	cd "$dir" || exit 1
	SERVERS= AFTER= JOBS=
	case $shape in
	*:*) ;; # the contender knows
	*) JOBS=$(jobs_of "$shape") ;;
	esac
	"prepare_$who" "$shape"
	for s in $SERVERS; do
		options+=(-s "$s")
	done
	# What was written before is not this run's to wait for.
	sync -f .
	$CLEAN "$TOOLS/measure" "${options[@]}" -l "$dir/log" -t "${RUN_LIMIT:-120}" "$dir/took" sh ./go || :
	read -r wall cpu status WRITTEN <took
	[ ! -s inner ] || read -r wall cpu <inner # what it measured itself, without its own start
	if [ "$status" -ne 0 ] || ! ${AFTER:-true}; then
		say "bench: $who, $shape: failed with status $status:"
		tail -5 log >&2
		return 1
	fi
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$FS" "$shape" "$who" "$JOBS" "$wall" "$cpu" >>"$RAW"
	cd "$WORK" || exit 1
}

# One round of a shape, each time in another order: nobody always comes after the same one.
round() {
	local shape=$1 number=$2 n i k
	shift 2
	n=$#
	for ((i = 0; i < n; i++)); do
		k=$(((i + number) % n + 1))
		run "${!k}" "$shape" || FAILED="${FAILED:-} ${!k}:$shape"
	done
}
