#!/usr/bin/env bash
# report.sh - tables and plots from the results: bench.md, bench.png, bench-plot.txt, scale.md, and README.md.
#
#	report.sh DIR [--no-readme]	DIR holds bench.json, scale.json, kill.tsv
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"

if [ -e bench.json ]; then
	[ -e kill.tsv ] || : >kill.tsv
	jq -r --rawfile kept "$here/guarantees.tsv" --rawfile kill kill.tsv -f "$here/tables.jq" bench.json >bench.md
	jq -r '{floor: "the floor", tsp: "task-spooler", slurm: "Slurm", parallel: "GNU parallel", xargs: "xargs -P", make: "make -j",
			bullmq_always: "BullMQ always", bullmq_everysec: "BullMQ everysec", creel_live: "CREEL, idle", creel: "CREEL --drain"} as $name
		| .runs | (if any(.[]; .fs == "root") then "root" else .[0].fs end) as $fs | map(select(.fs == $fs and .shape != "drop" and .times)) | group_by(.who)
		| map({who: .[0].who} + (map({key: .shape, value: .times.wall}) | from_entries))
		| sort_by(.independent)[] | [$name[.who] // .who, .independent, .chain, .fan, (.who | sub("bullmq_"; "bull-")
			| sub("everysec"; "sec") | sub("creel_live"; "C-idle") | sub("creel"; "C-drain"))] | map(. // "?") | @tsv' bench.json >plot.tsv
	if command -v gnuplot >/dev/null; then
		gnuplot -e "data='plot.tsv'; out='bench.png'; text=0" "$here/plot.gp"
		gnuplot -e "data='plot.tsv'; out='bench-plot.txt'; text=1" "$here/plot.gp"
	fi
	rm plot.tsv
fi
if [ -e scale.json ]; then
	jq -r -f "$here/scale-tables.jq" scale.json >scale.md
fi

# Put a file between its markers in README.md.
insert() {
	awk -v name="$1" -v file="$1.md" '
		$0 == "<!-- " name ": end -->" {inside = 0}
		!inside {print}
		$0 == "<!-- " name ": begin, made by report.sh -->" {
			inside = 1
			while ((getline line < file) > 0) print line
		}' "$here/README.md" >"$here/README.md.new"
	mv "$here/README.md.new" "$here/README.md"
}
for part in bench scale; do
	if [ "${2:-}" = --no-readme ]; then
		if [ -e $part.md ]; then cat $part.md; fi
	elif [ -e $part.md ]; then
		insert $part
	fi
done
