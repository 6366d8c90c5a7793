# report.jq - the records of lib.sh as a list of results: medians, and their ratios to the loop's in the same run.
#
#	jq -R -s -f report.jq raw.tsv
#
# Times are per job, in microseconds.  "best" compares the shortest runs: on a busy machine the steadier figure.
def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;

[split("\n")[] | select(length > 0) | split("\t")
	| {fs: .[0], shape: .[1], who: .[2], jobs: (.[3] | tonumber), wall: (.[4] | tonumber), cpu: (.[5] | tonumber)}]
| group_by(.fs, .shape, .who)
| map({fs: .[0].fs, shape: .[0].shape, who: .[0].who, jobs: .[0].jobs, runs: length,
	wall: (map(.wall / .jobs) | median), best: (map(.wall / .jobs) | min), cpu: (map(.cpu / .jobs) | median)})
| . as $all
| map(. as $r
	| ($all | map(select(.fs == $r.fs and .shape == $r.shape and .who == "loop")) | first) as $loop
	| if $loop then . + {times: {wall: (.wall / $loop.wall), best: (.best / $loop.best), cpu: (.cpu / $loop.cpu)}}
	  else . end)
