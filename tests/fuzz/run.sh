#!/bin/sh
# Run fuzz targets under libFuzzer, one after the other:  run.sh BUILD SECONDS TARGET…
#
# New inputs are gathered in BUILD/corpus/TARGET, which grows over the runs; tests/fuzz/corpus/TARGET is read and not
# changed (tests/fuzz/minimise.sh takes over what is worth keeping).  A finding lies in BUILD/findings/TARGET-*, and
# is run again with BUILD/tests/fuzz/TARGET FILE.
set -eu
build=$1
seconds=$2
shift 2
here=$(dirname "$0")
command -v llvm-symbolizer >/dev/null && ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer) && export ASAN_SYMBOLIZER_PATH
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1:detect_leaks=1}
bad=0
mkdir -p "$build/findings"
for t in "$@"; do
	mkdir -p "$build/corpus/$t"
	dict=
	[ ! -f "$here/dict/$t.dict" ] || dict=-dict=$here/dict/$t.dict
	log=$build/findings/$t.log
	nice -n 10 "$build/tests/fuzz/$t" "$build/corpus/$t" "$here/corpus/$t" $dict -max_total_time="$seconds" \
		-timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
		-artifact_prefix="$build/findings/$t-" >"$log" 2>&1 && r=0 || r=$?
	n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	cov=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -1)
	if [ "$r" -eq 0 ]; then
		echo "fuzz $t: ${n:-?} executions in $seconds s, ${cov:-?} edges, no finding"
	else
		bad=1
		echo "fuzz $t: FINDING after ${n:-?} executions (see $log)"
		grep -E 'this must hold|ERROR:|runtime error|SUMMARY|Test unit written|^  ' "$log" | head -12
	fi
done
exit "$bad"
