# scale.jq - the records of scale.sh as one object.
def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def rows: split("\n") | map(select(length > 0) | split("\t"));
def numbers: rows | map(map(tonumber));
# serves, first, cpu; read, files, bytes
def restarts: numbers | if length == 0 then null else {restarts: length, serves: (map(.[0]) | median), first: (map(.[1]) | median),
	first_least: (map(.[1]) | min), first_most: (map(.[1]) | max),
	cpu: (map(.[2]) | median), read: (map(.[3]) | median), files: .[0][4], bytes: .[0][5]} end;

{machine: $machine[0],
 growth: ($runs[0] | map(select(.who | startswith("scaled"))
	| {shape: (.shape | split(":")[0]), n: .jobs, who: (if .who == "scaled" then "creel" else "loop" end), runs, wall, best, cpu})),
 written: ($written | rows | group_by(.[:2])
	| map({shape: .[0][0], n: (.[0][1] | tonumber), all: (map(.[2] | tonumber) | median), journal: (map(.[3] | tonumber) | median)})),
 waiting: {n: $waiting_n, rss_kib: ($rss | if . == "" then null else tonumber end),
	fan: ($runs[0] | map(select(.who == "alone" or .who == "among") | {key: .who, value: {runs, wall, best, cpu}}) | from_entries),
	latency: ({alone: $alone, among: $among} | map_values(numbers | map(.[0]) | median)), restart: ($waiting | restarts)},
 finished: {n: ($finished | if . == "" then null else tonumber end), before: ($before | restarts), after: ($after | restarts)}}
