# scale-tables.jq - scale.json as the Markdown that stands in README.md.
def n($d): if . == null then "–" else . * pow(10; $d) | round / pow(10; $d) | tostring end;
def verdict($ok): if $ok == null then "not measured" elif $ok then "held" else "**missed**" end;
def ms: . / 1000 | n(0);

. as $all
| def at($shape; $n; $who): first($all.growth[] | select(.shape == $shape and .n == $n and .who == $who)) // null;
  def times($shape; $who; $what): at($shape; 1000; $who) as $a | at($shape; 10000; $who) as $b
	| if $a and $b then $b[$what] / $a[$what] * 10 else null end;
  def written($shape; $n): first($all.written[] | select(.shape == $shape and .n == $n)) // null;
  def slower($key; get): ($all.waiting[$key].among | get) as $x | ($all.waiting[$key].alone | get) as $y
	| if $x and $y then ($x / $y - 1) * 100 else null end;
  "Measured \($all.machine.at[:10]) at commit \($all.machine.commit): \($all.machine.cpus) × \($all.machine.cpu), "
	+ "\($all.machine.memory_gib) GiB, \($all.machine.kernel), \($all.machine.disk); load average before "
	+ "\($all.machine.load_before), after \($all.machine.load_after); medians of \($all.machine.rounds) rounds.",
  (select($all.machine.failed != "") | "\nFailed:\($all.machine.failed)."),
  "\n| target | measured | |", "|---|---|---|",
  (("independent", "chain") as $shape | times($shape; "creel"; "wall") as $wall | times($shape; "creel"; "cpu") as $cpu
	| select($wall)
	| "| \($shape): 10,000 actions take no more than 11.5 × what 1,000 take | \($wall | n(1)) × the time, \($cpu | n(1)) × the CPU"
		+ (times($shape; "loop"; "wall") | if . then "; the bare loop \(n(1)) ×" else "" end) + " | \(verdict($wall <= 11.5)) |"),
  (("independent", "chain") as $shape | written($shape; 1000) as $a | written($shape; 10000) as $b | select($a and $b)
	| "| \($shape): bytes written per action do not depend on the size | 1,000: \($a.all / 1000 | n(0)) bytes, of them journal \($a.journal / 1000 | n(0)); 10,000: \($b.all / 10000 | n(0)), journal \($b.journal / 10000 | n(0)) | \(verdict($b.all / 10000 <= 1.15 * $a.all / 1000)) |"),
  (slower("fan"; .wall?) as $wall | slower("fan"; .cpu?) as $cpu | slower("fan"; .best?) as $best | select($wall)
	| "| \($all.waiting.n) waiting executions slow a fan by less than 10 % | \($wall | n(1)) %; CPU \($cpu | n(1)) %; shortest runs \($best | n(1)) % | \(verdict($wall < 10)) |"),
  ($all.waiting.latency | select(.alone and .among)
	| "| and a plan of one action | from \(.alone / 1000 | n(2)) ms to \(.among / 1000 | n(2)) ms: \((.among / .alone - 1) * 100 | n(1)) % | \(verdict(.among / .alone < 1.1)) |"),
  ($all.waiting.restart | select(.)
	| "| restart with \($all.waiting.n) active executions of 10: below 2 s beside a plain read of the same files | serves after \(.serves | ms) ms, the first new action runs after \(.first | ms) ms; plain read \(.read | ms) ms (\(.files) files, \(.bytes / 1048576 | n(0)) MiB) | \(verdict(.first - .read < 2000000)) |"),
  ($all.finished | select(.before and .after)
	| "| with \(.n) finished ones in the spool no difference | \($all.waiting.n / 10) active; the first new action runs after \(.before.first | ms) ms without the finished ones (\(.before.first_least | ms) to \(.before.first_most | ms)) and \(.after.first | ms) ms with them (\(.after.first_least | ms) to \(.after.first_most | ms)); CPU \(.before.cpu | ms) and \(.after.cpu | ms) ms | \(verdict(.after.first_least < 1.1 * .before.first_least + 5000)) |"),
  ($all.waiting.rss_kib | select(.) | "\nWith \($all.waiting.n) executions of 10 that wait, the daemon has \(. / 1024 | n(0)) MiB resident.")
