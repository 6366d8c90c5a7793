#!/usr/bin/env bash
# scale.sh - how creel's cost grows: with the plan, with what waits, with what is active at a restart, with what ended.
#
#	scale.sh		as `make bench-scale`; about eight minutes on an idle machine
#
#	ROUNDS=3           of everything
#	WAITING=10000      executions of 10 actions that wait for a confirmation
#	FINISHED=1000000   executions that ended, in a spool of their own on a loop-mounted xfs (root; else 50,000 on the disk)
#	PARTS="growth waiting finished"
#	RESULTS=DIR        default: tests/bench/results, and then the tables in README.md are made anew
#	BENCH_DIR=DIR      on which disk; default: build/
set -u -o pipefail
. "$(dirname "$0")/lib.sh"
. "$here/footprint.sh"
. "$here/machine.sh"

ROUNDS=${ROUNDS:-3}
WAITING=${WAITING:-10000}
FINISHED=${FINISHED:-1000000}
PARTS=${PARTS:-growth waiting finished}
OUT=${RESULTS:-$here/results}
RUN_LIMIT=${RUN_LIMIT:-600}

bench_setup
mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd) || exit 1
PART=$WORK/parts
mkdir "$PART"
bench_fs root

# ---- growth with the plan ----

# Sizes are part of a shape's name here: independent:1000.
scaled_plan() { plan_of "${1%:*}" "${1#*:}"; }

prepare_scaled() {
	JOBS=${1#*:}
	"$BIN/creel" init --quiet spool
	scaled_plan "$1" >spool/inbox/plan.json
	AFTER=count_written
	go <<-END
		exec $BIN/creeld --spool spool --drain --max-concurrency $PARALLEL
	END
}
prepare_scaled_loop() {
	JOBS=${1#*:}
	go <<-END
		exec $TOOLS/loop $(parallel_of "${1%:*}") $JOBS $JOB
	END
}

# Bytes per action: all that was written, and what the journal holds.
count_written() {
	printf '%s\t%s\t%s\t%s\n' "${shape%:*}" "$JOBS" "$WRITTEN" \
		"$(find spool/executions -path '*/journal/*' -printf '%s\n' | awk '{sum += $1} END {print sum}')" >>"$PART/written.tsv"
}

measure_growth() {
	local shape n r
	for ((r = 0; r < ROUNDS; r++)); do
		for shape in independent chain; do
			for n in 1000 10000; do
				say "  growth, $shape of $n, round $((r + 1)) of $ROUNDS"
				# A chain of loops says nothing that a shorter one does not.
				[ "$shape" = chain ] || run scaled_loop "$shape:$n" || FAILED="${FAILED:-} loop:$shape:$n"
				run scaled "$shape:$n" || FAILED="${FAILED:-} growth:$shape:$n"
			done
		done
	done
}

# ---- executions that wait ----

fill_waiting() {
	asking_plans "$1" 10
	# mv complains where the daemon has taken a file before it could look at it again.
	find plans -type f -print0 | xargs -0 mv -t spool/inbox 2>/dev/null
	until_settled settled "$1"
}

# The fan on a daemon that is there already: its last action says when it is over.
prepare_beside() {
	local k=$RUNS
	jq -c --arg file "$PWD/over" '.actions[-1].inputs = {command: "/bin/touch", args: [$file]}' "$WORK/fan.json" >plan.json
	SERVERS=$DAEMON
	go <<-END
		mv plan.json $SPOOL/inbox/$k.json
		exec $TOOLS/await over
	END
}
prepare_alone() { DAEMON=$ALONE SPOOL=$WORK/root/alone/spool prepare_beside "$1"; }
prepare_among() { DAEMON=$AMONG SPOOL=$WORK/root/among/spool prepare_beside "$1"; }

start_in() {
	mkdir -p "$1" && cd "$1" || return 1
	creel_daemon
	cd "$WORK" || return 1
}

# Plans of one action by tens, here and there, in both orders: what the machine does meanwhile meets both.
latency_beside() {
	local k who order
	for ((k = 0; k < 6; k++)); do
		order="alone among"
		((k % 2)) && order="among alone"
		for who in $order; do
			mkdir "$AT/latency.$who.$1.$k" && cd "$AT/latency.$who.$1.$k" || return 1
			$CLEAN "$TOOLS/latency" "$WORK/root/$who/spool" "$TOOLS/first" 10 | cut -f 1 >>"$PART/latency.$who"
		done
	done
	cd "$WORK" || return 1
}

one_plan() {
	jq -nc --arg file "$1" '{name: "new", actions: [{id: "a", actionDefinitionId: "command",
		inputs: {command: "/bin/touch", args: [$file]}}]}'
}

# A new daemon on a spool, beside a plain read of what is active in it: into $PART/NAME.
restarts() {
	local name=$1 spool=$2 r dir
	for ((r = 0; r < ${3:-5}; r++)); do
		say "  $name, restart $((r + 1)) of ${3:-5}"
		dir=$spool.restart.$name.$r
		mkdir "$dir"
		one_plan "$dir/ran" >"$dir/plan.json"
		"$TOOLS/readback" "$spool" >"$dir/read" &&
			$CLEAN "$TOOLS/restart" "$BIN/creeld" "$spool" "$dir/plan.json" "$dir/ran" >"$dir/restart" 2>"$dir/log" ||
			{ tail -3 "$dir/log" >&2; FAILED="${FAILED:-} $name"; return 1; }
		paste "$dir/restart" "$dir/read" >>"$PART/$name"
	done
}

measure_waiting() {
	local r keeper
	say "  $WAITING executions that wait"
	plan_of fan >"$WORK/fan.json"
	start_in "$AT/alone" && ALONE=$SERVERS
	start_in "$AT/among" && AMONG=$SERVERS
	cd "$AT/among" || return 1
	fill_waiting "$WAITING"
	cd "$WORK" || return 1
	keeper=$AMONG
	rss "$(kept_by "$keeper")" >"$PART/among.rss"
	for ((r = 0; r < ROUNDS * 2; r++)); do
		say "  the fan beside them, round $((r + 1)) of $((ROUNDS * 2))"
		round fan "$r" alone among
		latency_beside "$r"
	done
	let_go "$ALONE"
	let_go "$AMONG"
	restarts waiting "$AT/among/spool"
}

# ---- executions that ended ----

measure_finished() {
	local dir model n=$FINISHED half
	if bench_fs xfs; then
		say "  $n executions that ended, on xfs"
	else
		bench_fs root
		n=$((n > 50000 ? 50000 : n))
		say "  $n executions that ended, on the disk"
	fi
	dir=$AT/finished
	start_in "$dir"
	cd "$dir" || return 1
	# Its only action is skipped: without an attempt it has the fewest directories, and these are what a copy costs.
	jq -nc --arg job "$JOB" '{name: "model", actions: [{id: "a", actionDefinitionId: "command", when: "false",
		inputs: {command: $job}}]}' >model.json
	mv model.json spool/inbox/ && "$TOOLS/await" spool 1
	model=$(echo spool/executions/*/*)
	fill_waiting $((WAITING / 10))
	let_go "$SERVERS"
	restarts before "$dir/spool" 9
	half=$((n / 20000 * 10000)) # whole days
	"$TOOLS/finished" "$model" "$half" &
	KEPT_ALL+=($!)
	"$TOOLS/finished" "$model" $((n - half)) "$half" &
	KEPT_ALL+=($!)
	wait "${KEPT_ALL[@]: -2:1}" && wait "${KEPT_ALL[@]: -1}" || FAILED="${FAILED:-} finished"
	find spool/executions -mindepth 2 -maxdepth 2 -path '*/20[01]?-*' | wc -l >"$PART/finished.n" # that they are there
	restarts after "$dir/spool" 9
	cd "$WORK" || return 1
}

LOAD=$(load)
COMMIT=$(git -C "$root" describe --always --dirty 2>/dev/null) # before results are written
does growth && measure_growth
does waiting && measure_waiting
does finished && measure_finished
touch "$PART"/{written.tsv,latency.alone,latency.among,among.rss,waiting,before,after,finished.n}
jq -n --slurpfile machine <(machine) --slurpfile runs <(jq -R -s -f "$here/report.jq" "$RAW") \
	--rawfile written "$PART/written.tsv" --rawfile alone "$PART/latency.alone" --rawfile among "$PART/latency.among" \
	--rawfile rss "$PART/among.rss" --rawfile waiting "$PART/waiting" --rawfile before "$PART/before" \
	--rawfile after "$PART/after" --rawfile finished "$PART/finished.n" --argjson waiting_n "$WAITING" \
	-f "$here/scale.jq" >"$OUT/scale.json" || die "no results"
bash "$here/report.sh" "$OUT" ${RESULTS:+--no-readme}
[ -z "${FAILED:-}" ] || die "failed:$FAILED"
