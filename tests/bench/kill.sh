#!/usr/bin/env bash
# kill.sh - what creel and its peers keep: the scheduler is killed with SIGKILL in mid-run, and started again at once.
#
#	kill.sh [WHO…]		as `make bench-kill`; about four minutes
#
# Twenty jobs of 0.3 s, two at a time; when six have ended the scheduler is killed, and started again in the way that
# the tool has for it.  Each job writes down when it starts and ends.  results/kill.tsv gets a line per contender:
#
#	WHO LOST TWICE AT_ONCE FLUSHES HOW
#
# jobs that never ran, that were started twice, and that for a while ran twice at once; flushes to the disk that the
# tool makes when the same twenty jobs run without a kill; what was killed, and what was done then.
set -u -o pipefail
. "$(dirname "$0")/lib.sh"
. "$here/peers.sh"

OUT=${RESULTS:-$here/results}
JOBS=20

bench_setup
bench_sockets
peers_install
mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd) || exit 1
bench_fs root
cat >"$WORK/job" <<-'END'
	#!/bin/sh
	# job DIR NUMBER
	echo "s $2" >>"$1/log"
	sleep 0.3
	: >"$1/out.$2"
	echo "e $2" >>"$1/log"
END
chmod 755 "$WORK/job"
job=$WORK/job

# ---- what happened ----

ended() { [ "$(grep -c '^e' log)" -ge "$1" ]; }
all_ran() { [ "$(grep '^e' log | sort -u | wc -l)" -ge "$JOBS" ]; }

# Until nothing has been written down for three seconds, or for $1 as long as some have not run.
settle() {
	local before=-1 now still=0 most
	while :; do
		now=$(wc -c <log)
		if [ "$now" = "$before" ]; then still=$((still + 1)); else still=0; fi
		if all_ran; then most=3; else most=${1:-6}; fi
		[ "$still" -lt "$most" ] || return 0
		before=$now
		sleep 1
	done
}

count() {
	awk -v n="$JOBS" '
		$1 == "s" {started[$2]++; if (++running[$2] > 1) at_once[$2] = 1}
		$1 == "e" {running[$2]--; ended[$2]++}
		END {
			for (i = 1; i <= n; i++) {
				if (!ended[i]) lost++
				if (started[i] > 1) twice++
				if (at_once[i]) once++
			}
			printf "%d\t%d\t%d", lost, twice, once
		}' log
}

# The same jobs without a kill, under strace: how often it flushes.
TRACE="strace -f -A -qq -e trace=fsync,fdatasync,syncfs,sync,msync -e signal=none -o"
flushes() { grep -cE '(sync|syncfs)\(' "$1"; }

# ---- contenders: prepare_WHO in a new directory, run_WHO PREFIX runs everything, killed_WHO as above ----

prepare_k_make() {
	printf 'all: %s\n%s: ; @%s . $(@:out.%%=%%)\n' "$(seq -s ' ' -f 'out.%g' $JOBS)" "$(seq -s ' ' -f 'out.%g' $JOBS)" "$job" >Makefile
}
run_make() { exec "$@" make -s -j 2; }

prepare_k_ninja() {
	{
		printf 'rule job\n  command = %s . $n\n' "$job"
		seq $JOBS | sed 's/.*/build out.&: job\n  n = &/'
	} >build.ninja
}
run_ninja() { exec "$@" ninja --quiet -j 2; }

prepare_k_xargs() { seq $JOBS >list; }
run_xargs() { exec "$@" xargs -a list -P 2 -n 1 "$job" .; }

prepare_k_parallel() { seq $JOBS >list; mkdir home; }
run_parallel() { exec env PARALLEL_HOME="$PWD/home" "$@" parallel --will-cite --resume --joblog joblog -j 2 -a list "$job" .; }

prepare_k_creel() {
	"$BIN/creel" init --quiet spool
	jq -nc --arg job "$job" --arg dir "$PWD" --argjson n $JOBS '{name: "kill", actions: [range(1; $n + 1)
		| {id: "a\(.)", actionDefinitionId: "command", inputs: {command: $job, args: [$dir, "\(.)"]}}]}' >spool/inbox/plan.json
}
run_creel() { exec "$@" "$BIN/creeld" --spool spool --drain --max-concurrency 2; }

# A scheduler that is one process: run it, kill it, run it again.
one_process() {
	local who=$1 pid
	"run_$who" >>said 2>&1 &
	pid=$!
	until_true ended 6
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	("run_$who" >>said 2>&1)
	settle
}
traced() { ("run_$1" $TRACE trace >>said 2>&1); }

kill_make() { one_process make; HOW="make; make again"; }
kill_ninja() { one_process ninja; HOW="ninja; ninja again"; }
kill_xargs() { one_process xargs; HOW="xargs; the whole list again"; }
kill_parallel() { one_process parallel; HOW="parallel; again with --resume"; }
kill_creel() { one_process creel; HOW="creeld; creeld again"; }

# nq: whoever runs a job is its waiter.
prepare_k_nq() { mkdir q1 q2; }
run_nq() {
	local n
	for n in $(seq $JOBS); do
		NQDIR=q$((n % 2 + 1)) "$@" nq -q "$job" "$PWD" "$n"
	done
	NQDIR=q1 nq -w
	NQDIR=q2 nq -w
}
kill_nq() {
	local f pid killed=
	(run_nq >>said 2>&1) &
	until_true ended 6
	for f in q1/,*; do # in order: those that have run, the one that runs, those that wait
		pid=${f##*.}
		[ -d "/proc/$pid" ] || continue
		kill -9 "$pid"
		[ -z "${killed:-}" ] || break
		killed=1
	done
	wait $!
	settle
	HOW="the nq that runs a job and the one that waits next; there is nothing to start again"
}

export_tsp() { export TS_SOCKET=$SOCKETS/tsp.$1.$RUNS TMPDIR=$PWD TS_MAXFINISHED=2000 TS_SLOTS=2; }
prepare_k_tsp() { :; }
run_tsp() {
	local n
	export_tsp traced
	"$@" tsp -n "$job" . 1 & # becomes the server
	until_true test -S "$TS_SOCKET"
	for n in $(seq 2 $JOBS); do tsp -n "$job" . "$n"; done
	while tsp | grep -qE ' (queued|running) '; do sleep 0.1; done
	tsp -K
	wait
}
kill_tsp() {
	local n pid
	export_tsp killed
	for n in $(seq $JOBS); do tsp -n "$job" . "$n"; done
	until_true ended 6
	pid=$(ss -xlpH "src $TS_SOCKET" | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -1)
	kill -9 "$pid"
	tsp >said # a new server
	settle
	tsp -K
	HOW="the server; a new server"
}

# BullMQ: the worker, or the server under it.
prepare_k_bull() { :; }
redis_start() {
	"$TOOLS/keeper" redis.log "${@:2}" redis-server --port 0 --unixsocket "$SOCKETS/redis.$RUNS" --appendonly yes \
		--appendfsync "$1" --save '' --dir "$PWD" &
	REDIS=$!
	KEPT_ALL+=("$REDIS")
	until_true redis-cli -s "$SOCKETS/redis.$RUNS" ping
}
redis_pid() { redis-cli -s "$SOCKETS/redis.$RUNS" info server | tr -d '\r' | sed -n 's/^process_id://p'; }
bull_worker() {
	node "$BULLMQ/keep.mjs" work "$SOCKETS/redis.$RUNS" "$job" "$PWD" >>said 2>&1 &
	NODE=$!
}
bull_add() { node "$BULLMQ/keep.mjs" add "$SOCKETS/redis.$RUNS" $JOBS; }
bull_end() {
	kill -9 "$NODE"
	wait "$NODE" 2>/dev/null
	let_go "$REDIS"
}
kill_bullmq_worker() {
	redis_start always
	bull_add
	bull_worker
	until_true ended 6
	kill -9 "$NODE"
	wait "$NODE" 2>/dev/null
	bull_worker
	settle 15
	bull_end
	HOW="the worker; a new worker"
}
kill_redis() {
	redis_start "$1"
	bull_add
	bull_worker
	until_true ended 6
	kill -9 "$(redis_pid)"
	wait "$REDIS" 2>/dev/null
	redis_start "$1"
	settle 15
	bull_end
	HOW="Redis; Redis again on its append-only file"
}
kill_bullmq_always() { kill_redis always; }
kill_bullmq_everysec() { kill_redis everysec; }
traced_bull() {
	redis_start "$1" $TRACE "$PWD/trace"
	bull_add
	bull_worker
	settle
	bull_end
}

# Slurm: the controller, a second after it acknowledged the last job.
prepare_k_slurm() { :; }
slurm_jobs() {
	local n
	for n in $(seq $JOBS); do
		printf '#!/bin/sh\nexec %s %s %s\n' "$job" "$PWD" "$n" | sbatch --parsable -o /dev/null >>said || return 1
	done
}
kill_slurm() {
	slurm_jobs
	sleep 1
	kill -9 "$(cut -d ' ' -f 1 "/proc/$SLURMCTLD/task/$SLURMCTLD/children")"
	wait "$SLURMCTLD" 2>/dev/null
	keep /usr/sbin/slurmctld -D -f "$SLURM_CONF"
	SLURM="$SLURM $KEPT"
	settle 20
	HOW="slurmctld, one second after it acknowledged the last job; slurmctld again"
}

# ---- all of them ----

new_dir() {
	RUNS=$((RUNS + 1))
	mkdir "$AT/$RUNS.$1" && cd "$AT/$RUNS.$1" || exit 1
	: >log
}

one() {
	local who=$1 kind=$1 counted n=-
	case $who in bullmq_*) kind=bull ;; esac
	say "  $who"
	new_dir "$who"
	"prepare_k_$kind"
	"kill_$who"
	counted=$(count)
	# The trace of Slurm's start and of its jobs cannot be told apart.
	case $who in
	slurm | bullmq_worker) ;;
	*)
		new_dir "$who.traced"
		"prepare_k_$kind"
		case $who in
		bullmq_*) traced_bull "${who#bullmq_}" ;;
		*) traced "$who" ;;
		esac
		n=$(flushes trace)
		;;
	esac
	printf '%s\t%s\t%s\t%s\n' "$who" "$counted" "$n" "$HOW" | tee -a "$WORK/kill.tsv"
	cd "$WORK" || exit 1
}

[ $# -gt 0 ] || set -- make ninja xargs parallel nq tsp bullmq_worker bullmq_always bullmq_everysec slurm creel
for who in "$@"; do
	if [ "$who" = slurm ]; then
		slurm_start || { say "bench: Slurm is left out: $SLURM_WHY"; continue; }
		SLURMCTLD=$(echo "$SLURM" | cut -d ' ' -f 2)
	fi
	one "$who"
done
cp "$WORK/kill.tsv" "$OUT/kill.tsv"
bash "$here/report.sh" "$OUT" ${RESULTS:+--no-readme}
