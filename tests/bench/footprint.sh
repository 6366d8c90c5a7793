# footprint.sh - what creel takes when it has little to do: latency and memory.
#
#	latency_of FS           200 plans of one action, one at a time, beside the floor: JSON
#	memory_of               the daemon idle and with actions that wait, and a supervisor: JSON

latency_of() {
	local dir=$AT/latency
	mkdir "$dir" && cd "$dir" || return 1
	creel_daemon
	$CLEAN "$TOOLS/latency" spool "$TOOLS/first" "${LATENCY_PLANS:-200}" >took.tsv || { tail -5 creeld.log >&2; return 1; }
	$AFTER
	jq -R -s --arg fs "$1" '
		def at($p): sort | .[(length * $p | floor)];
		[split("\n")[] | select(length > 0) | split("\t") | map(tonumber)]
		| {fs: $fs, plans: length} + ([["creel", 0], ["floor", 1], ["spawn", 2]] as $names | . as $all
			| reduce $names[] as [$name, $k] ({}; . + {($name): ($all | map(.[$k])
				| {median: at(0.5), p90: at(0.9), p99: at(0.99), least: min})}))' took.tsv
	cd "$WORK" || return 1
}

# Kilobytes: the resident set of a process.
rss() { awk '$1 == "VmRSS:" {print $2}' "/proc/$1/status"; }

# The process that a keeper keeps.
kept_by() { cat "/proc/$1/task/$1/children" | cut -d ' ' -f 1; }

# N plans whose first of M actions asks, and the others wait for it, into ./plans.
asking_plans() {
	local k
	mkdir plans
	jq -nc --argjson m "$2" '{name: "asking", actions: [range($m) as $i
		| {id: "a\($i)", actionDefinitionId: "command", inputs: {command: "/bin/true"},
			dependencies: (if $i == 0 then [] else ["a0"] end)}
		+ if $i == 0 then {userConfirmation: {required: true, title: "Go on?", message: "It waits.", timeout: 0}}
			else {} end]}' >asking.json
	for ((k = 0; k < $1; k++)); do
		cp asking.json "plans/$k.json"
	done
}

requests_are() { [ "$(ls spool/confirm | grep -c '\.request\.json$')" -eq "$1" ]; }
settled() { requests_are "$1" && [ -z "$(find spool/inbox spool/tmp -mindepth 1)" ]; }

# Until a condition holds, five minutes at most: for what takes long on a slow disk.
until_settled() {
	local n
	for ((n = 0; n < 3000; n++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	die "waited in vain for: $*"
}

# Bytes per action of N executions of M actions that wait, beyond the daemon without any.
waiting_bytes() {
	local n=$1 m=$2 before after pid
	mkdir "$AT/waiting.$n.$m" && cd "$AT/waiting.$n.$m" || return 1
	creel_daemon
	pid=$(kept_by "$SERVERS")
	before=$(rss "$pid")
	asking_plans "$n" "$m"
	mv plans/* spool/inbox/ 2>/dev/null # it complains where the daemon was quicker
	until_settled settled "$n"
	after=$(rss "$pid")
	$AFTER
	echo $(((after - before) * 1024 / (n * m)))
	cd "$WORK" || return 1
}

running_are() { [ "$(kept_by "$1" | xargs -I{} cat /proc/{}/task/{}/children | wc -w)" -eq "$2" ]; }

# Kilobytes that are a supervisor's own: the most of ten that run an action.
supervisor_private() {
	local pid p
	mkdir "$AT/supervisors" && cd "$AT/supervisors" || return 1
	PARALLEL=10 creel_daemon
	jq -nc '{name: "sleep", actions: [range(10) | {id: "a\(.)", actionDefinitionId: "command",
		inputs: {command: "/bin/sleep", args: ["600"]}}]}' >plan.json
	mv plan.json spool/inbox/
	until_true running_are "$SERVERS" 10
	until_true all_locked
	pid=$(kept_by "$SERVERS")
	for p in $(cat "/proc/$pid/task/$pid/children"); do
		awk '/^Private_/ {sum += $2} END {print sum}' "/proc/$p/smaps_rollup"
	done | sort -n | tail -1
	for p in spool/executions/*/*; do
		touch "spool/control/$(basename "$p").cancel"
	done
	$AFTER
	cd "$WORK" || return 1
}

# Every supervisor has started its action: its lock says so.
all_locked() { [ "$(cat spool/executions/*/*/actions/*/1/lock | wc -l)" -eq 10 ]; }

memory_of() {
	local idle used pid
	mkdir "$AT/idle" && cd "$AT/idle" || return 1
	creel_daemon
	pid=$(kept_by "$SERVERS")
	idle=$(rss "$pid")
	plan_of independent >plan.json
	mv plan.json spool/inbox/
	"$TOOLS/await" spool 1
	used=$(rss "$pid")
	$AFTER
	cd "$WORK" || return 1
	jq -n --argjson idle "$idle" --argjson used "$used" --argjson narrow "$(waiting_bytes 1000 10)" \
		--argjson wide "$(waiting_bytes 10 1000)" --argjson private "$(supervisor_private)" \
		'{idle_kib: $idle, after_1000_actions_kib: $used, supervisor_private_kib: $private,
		waiting_action_bytes: {"1000 executions of 10": $narrow, "10 executions of 1000": $wide}}'
}
