# tables.jq - bench.json as the Markdown that stands in README.md.
#
#	jq -r --rawfile kept guarantees.tsv --rawfile kill results/kill.tsv -f tables.jq bench.json
def n($d): if . == null then "–" else . * pow(10; $d) | round / pow(10; $d) | tostring end;
def x: if . == null then "–" elif . >= 100 then n(0) elif . >= 10 then n(1) else n(2) end;
def names: {loop: "bare loop", floor: "floor: the loop, and on disk what creel keeps", make: "make -j", ninja: "ninja", xargs: "xargs -P", parallel: "GNU parallel --joblog", nq: "nq",
	tsp: "task-spooler", bullmq_worker: "BullMQ", bullmq_always: "BullMQ, Redis appendfsync always", bullmq_everysec: "BullMQ, Redis appendfsync everysec",
	slurm: "Slurm, one node", creel: "**creel** (--drain)", creel_live: "**creel** (the daemon idles, mv to state.json)",
	creel_drop: "**creel**, one mv of 1,000 files", creel_drop_each: "**creel**, 1,000 mv", creel_drop_drain: "**creel** --drain, the plans in its inbox"};
def file_systems: {root: "the disk itself", ext4: "ext4 with a journal, on a loop device", xfs: "xfs, on a loop device"};
def verdict($ok): if $ok == null then "not measured" elif $ok then "held" else "**missed**" end;
# A line of kill.tsv in words.
def fate($k): if $k == null then "–" else
	[if $k[1] != "0" then "\($k[1]) lost" else "none lost" end, if $k[2] != "0" then "\($k[2]) run twice" else empty end,
	if $k[3] != "0" then "\($k[3]) of them at once" else empty end] | join(", ") end;

($kept | split("\n") | map(select(length > 0 and (startswith("#") | not)) | split("\t") | {key: .[0], value: .}) | from_entries) as $kept
| ($kill | split("\n") | map(select(length > 0) | split("\t") | {key: .[0], value: .}) | from_entries) as $killed
| . as $all
| def at($fs; $shape; $who): first($all.runs[] | select(.fs == $fs and .shape == $shape and .who == $who)) // null;
  def ratio($fs; $shape; $who): at($fs; $shape; $who).times;
  def cell($fs; $shape; $who): ratio($fs; $shape; $who) | if . then "\(.wall | x) / \(.cpu | x)" else "–" end;
  def us($fs; $shape; $who): at($fs; $shape; $who) | if . then "\(.wall | n(0))" else "–" end;
  ($all.runs | map(.fs) | unique | sort_by({root: 0, ext4: 1, xfs: 2}[.])) as $fses
| ($fses[0] // "root") as $fs
| "Measured \($all.machine.at[:10]) at commit \($all.machine.commit): \($all.machine.cpus) × \($all.machine.cpu), "
	+ "\($all.machine.memory_gib) GiB, \($all.machine.kernel), \($all.machine.disk); load average before "
	+ "\($all.machine.load_before), after \($all.machine.load_after); \(if $all.machine.rounds == "1" then "one round" else "medians of \($all.machine.rounds) rounds" end).",
  (select($all.machine.failed != "") | "\nFailed:\($all.machine.failed)."),
  (select($all.machine.slurm_left_out != "") | "\nSlurm could not run here: \($all.machine.slurm_left_out)."),
  "\n### Targets\n", "| target | measured | |", "|---|---|---|",
  ({independent: 1.6, chain: 2.2, fan: 1.6} | to_entries[] | .key as $shape | .value as $goal
	| ratio($fs; $shape; "creel").wall as $creel | ratio($fs; $shape; "ninja").wall as $ninja
	| "| \($shape): ahead of ninja | creel \($creel | x), ninja \($ninja | x) | \(verdict(if $creel and $ninja then $creel < $ninja else null end)) |",
	  "| \($shape): at most \($goal) × the loop | \($creel | x); CPU \(ratio($fs; $shape; "creel").cpu | x); the floor \(ratio($fs; $shape; "floor").wall | x), CPU \(ratio($fs; $shape; "floor").cpu | x) | \(verdict($creel | if . then . <= $goal else null end)) |"),
  (["nq", "tsp"][] as $peer | at($fs; "drop"; $peer).wall as $w | at($fs; "drop"; "creel_drop").wall as $c
	| at($fs; "drop"; "creel_drop_each").wall as $each | select($w and $c)
	| "| 1,000 plans at once: at least 3 × the throughput of \(names[$peer]) | \($w / $c | x) ×; with an mv each \($w / $each | x) × | \(verdict($w / $c >= 3)) |"),
  ($all.latency[0] // null | select(.) | "| latency below 5 ms at the median | \(.creel.median / 1000 | n(2)) ms; floor \(.floor.median / 1000 | n(2)) ms | \(verdict(.creel.median < 5000)) |"),
  ($all.memory | select(.)
	| "| idle daemon below 8 MiB | \(.idle_kib / 1024 | n(1)) MiB | \(verdict(.idle_kib < 8192)) |",
	  "| idle daemon below 8 MiB, after a plan of 1,000 actions | \(.after_1000_actions_kib / 1024 | n(1)) MiB | \(verdict(.after_1000_actions_kib < 8192)) |",
	  (.waiting_action_bytes | to_entries[] | "| waiting action below 2 KiB, \(.key) | \(.value) bytes | \(verdict(.value < 2048)) |"),
	  "| supervisor below 1 MiB private | \(.supervisor_private_kib) KiB | \(verdict(.supervisor_private_kib < 1024)) |"),
  "\n### Beside the peers\n",
  "![wall time as a multiple of the bare loop](results/bench.png)\n",
  "Wall time / processor time, as multiples of the bare loop's in the same run, per job, on \(file_systems[$fs]).\n",
  "| | independent | chain | fan | scheduler killed with -9: of 20 jobs | flushes for 20 jobs | power cut |", "|---|---|---|---|---|---|---|",
  ($all.runs | map(select(.fs == $fs and .shape != "drop") | .who) | unique
	| sort_by(ratio($fs; "independent"; .).wall // 0)[] as $who
	| "| \(names[$who]) | \(cell($fs; "independent"; $who)) | \(cell($fs; "chain"; $who)) | \(cell($fs; "fan"; $who)) | \(fate($killed[$who])) | \($killed[$who][4] // "–") | \($kept[$who][1] // "") |"),
  (if at($fs; "independent"; "slurm") then "\nSlurm with \(at($fs; "independent"; "slurm").jobs) jobs, a chain of \(at($fs; "chain"; "slurm").jobs), a fan of \(at($fs; "fan"; "slurm").jobs): it takes half a second for each." else empty end),
  (if $killed != {} then "\nWhat was killed, and what was done then: " + ([$killed[] | "\(names[.[0]] // .[0]): \(.[5])"
		+ if .[0] == "bullmq_worker" then " (\(fate(.)))" else "" end] | join(". ")) + "." else empty end),
  (if at($fs; "drop"; "creel_drop") then "\n### 1,000 plans of one action, dropped at once\n",
	"| | µs per job | × the loop | CPU × |", "|---|---|---|---|",
	($all.runs | map(select(.fs == $fs and .shape == "drop")) | sort_by(.wall)[]
		| "| \(names[.who]) | \(.wall | n(0)) | \(.times.wall | x) | \(.times.cpu | x) |") else empty end),
  "\n### On three file systems\n", "Wall time / processor time as multiples of the loop's on the same file system.\n",
  "| | | independent | chain | fan |", "|---|---|---|---|---|",
  ($fses[] as $f | ("floor", "creel", "creel_live", "ninja") as $who | select(at($f; "chain"; $who) or at($f; "fan"; $who) or at($f; "independent"; $who))
	| "| \(file_systems[$f]) | \(names[$who]) | \(cell($f; "independent"; $who)) | \(cell($f; "chain"; $who)) | \(cell($f; "fan"; $who)) |"),
  (if $all.latency | length > 0 then "\n### Latency\n",
	"From the rename of a plan into the inbox of an idle daemon to the first instruction of its action; beside it, in the same run, the floor: two full commits and the spawn of the same program; milliseconds over \($all.latency[0].plans) plans.\n",
	"| | creel: median | p90 | p99 | floor: median | p90 | p99 | spawn alone |", "|---|---|---|---|---|---|---|---|",
	($all.latency[] | "| \(file_systems[.fs]) | " + ([.creel.median, .creel.p90, .creel.p99, .floor.median, .floor.p90, .floor.p99, .spawn.median]
		| map(. / 1000 | n(2)) | join(" | ")) + " |") else empty end)
