#!/usr/bin/env bats
# Everything dropped into the inbox is hostile until proven otherwise (design section 5).  ATTACKS.md lists the attacks;
# each test names those that it makes.

load helpers

setup() { spool_setup; }
teardown() {
	local place
	[ -z "${HELPER:-}" ] || kill -9 "$HELPER" 2>/dev/null || :
	for place in $MOUNTED; do umount -l "$place" 2>/dev/null || :; done
	spool_teardown
	[ -z "${SHM:-}" ] || rm -rf "$SHM"
}
MOUNTED=

good() {
	echo "{\"name\":\"${1:-good}\",\"actions\":[{\"id\":\"a\",\"actionDefinitionId\":\"command\",\"inputs\":{\"command\":\"true\"}}]}"
}

refused() {
	jq -r "${2:-.message}" "$S"/rejected/*-"$1".error.json
}

is_refused() {
	[ -n "$(refused "$1" 2>/dev/null)" ]
}

count_of() {
	[ "$(cat "$S"/executions/*/*/plan.json 2>/dev/null | jq -r .name | grep -cx "$1")" -eq "$2" ]
}

completed() {
	[ "$(cat "$S"/executions/*/*/state.json | jq -r "select(.name == \"$1\") | .status")" = completed ]
}

# The most memory that the daemon has had, in MiB; what a sanitizer keeps says nothing.
peak() {
	! nm "$BIN/creeld" | grep -q __asan_init || { echo 0 && return; }
	awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$DAEMON/status"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "NOT TESTED: $1 needs root"
}

# --- what is no plain file ---

@test "ATK-DEVICE: a device is refused and was not opened" {
	need_root "mknod"
	mknod "$S/inbox/null.yaml" c 1 3 || skip "NOT TESTED: no devices can be made here"
	mknod "$S/inbox/disk.json" b 7 7
	good | drop fine.json
	drain
	[ "$status" -eq 0 ]
	[[ $(refused null.yaml) == *"regular file"* ]]
	[[ $(refused disk.json) == *"regular file"* ]]
	completed good
	[ -c "$(ls "$S"/rejected/*-null.yaml)" ]
}

@test "ATK-SOCKET ATK-FIFO: a socket and a FIFO that somebody writes to are refused, and hold nobody up" {
	perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); bind($s, pack_sockaddr_un($ARGV[0])) or die $!' "$T/sock"
	mv "$T/sock" "$S/inbox/sock.yaml"
	mkfifo "$S/inbox/fifo.yaml"
	good secret >"$S/inbox/fifo.yaml" 3>&- &
	HELPER=$!
	good | drop fine.json
	drain
	[ "$status" -eq 0 ]
	[[ $(refused sock.yaml) == *"regular file"* ]]
	[[ $(refused fifo.yaml) == *"regular file"* ]]
	completed good
	# Whoever waits at the FIFO's other end still waits: it was not even opened.
	kill -0 "$HELPER"
}

@test "ATK-BIND: a file or a directory that is mounted in the inbox is left alone, said, and stops nobody" {
	need_root "mount"
	: >"$S/inbox/bound.yaml"
	mkdir "$S/inbox/tree.yaml" "$T/tree"
	good secret >"$T/outside"
	mount --bind "$T/outside" "$S/inbox/bound.yaml" || skip "NOT TESTED: nothing can be mounted here"
	MOUNTED="$S/inbox/bound.yaml $S/inbox/tree.yaml"
	mount --bind "$T/tree" "$S/inbox/tree.yaml"
	good | drop fine.json
	drain
	# All else is done; what cannot be taken is named and is no success.
	[ "$status" -eq 1 ]
	grep -q '"bound.yaml" cannot be moved out of the inbox' "$T/log"
	grep -q '"tree.yaml" cannot be moved out of the inbox' "$T/log"
	completed good
	count_of secret 0
	umount "$S/inbox/bound.yaml" "$S/inbox/tree.yaml"
	[ "$(cat "$T/outside")" = "$(good secret)" ]
}

# --- size ---

@test "ATK-SPARSE: 2 GB of nothing are refused without being read" {
	daemon_start
	truncate -s 2G "$T/.sparse.yaml"
	mv "$T/.sparse.yaml" "$S/inbox/sparse.yaml"
	wait_until is_refused sparse.yaml
	[[ $(refused sparse.yaml) == *"larger than the 16777216 bytes"* ]]
	[ "$(peak)" -lt 100 ]
	daemon_stop
}

@test "ATK-GROW: a file that grows is left while it does, others are not kept waiting, and the cap holds" {
	daemon_start
	exec 7>"$S/inbox/grows.yaml"
	head -c 9000000 /dev/zero | tr '\0' ' ' >&7
	good | drop fine.json
	wait_until completed good
	[ -e "$S/inbox/grows.yaml" ]
	head -c 9000000 /dev/zero | tr '\0' ' ' >&7
	exec 7>&-
	wait_until is_refused grows.yaml
	[[ $(refused grows.yaml) == *larger* ]]
	[ "$(peak)" -lt 100 ]
	daemon_stop
}

# --- changing it meanwhile ---

@test "ATK-KEPTFD: what is written through a descriptor that was kept changes nothing that was taken" {
	daemon_start
	good mine >"$T/.kept.json"
	exec 7<"$T/.kept.json"
	mv "$T/.kept.json" "$S/inbox/kept.json"
	wait_until completed mine
	sum=$(sha256sum <"$(where mine)/source.json")
	good other >/proc/self/fd/7 || : # the file may be gone altogether
	exec 7<&-
	[ "$(sha256sum <"$(where mine)/source.json")" = "$sum" ]
	# While one is open for writing, the file is not taken at all.
	good mine2 >"$T/.kept.json"
	exec 7<>"$T/.kept.json"
	mv "$T/.kept.json" "$S/inbox/kept2.json"
	good fence | drop fence.json
	wait_until completed fence
	[ -e "$S/inbox/kept2.json" ]
	good third >&7
	exec 7>&-
	wait_until completed third
	count_of mine2 0
	daemon_stop
}

@test "ATK-LEASE: a file that its owner holds a lease on keeps nobody waiting, and is taken when it is let go" {
	good leased >"$T/.leased.json"
	perl -e '
		open(my $f, "+<", $ARGV[0]) or die; $SIG{IO} = "IGNORE";
		fcntl($f, 1024, 1) or exit 3; # F_SETLEASE, F_WRLCK
		rename($ARGV[0], $ARGV[1]) or die; open(my $r, ">", $ARGV[2]); close($r); sleep 60;
		' "$T/.leased.json" "$S/inbox/leased.json" "$T/held" 3>&- &
	HELPER=$!
	wait_until eval '[ -e "$T/held" ] || ! kill -0 $HELPER'
	[ -e "$T/held" ] || skip "NOT TESTED: this file system has no leases"
	daemon_start
	good fine | drop fine.json
	wait_until completed fine
	[ -e "$S/inbox/leased.json" ]
	# It is waited for, not spun for.
	local before after
	before=$(cut -d ' ' -f 14,15 "/proc/$DAEMON/stat" | tr ' ' +)
	good fine2 | drop fine2.json
	wait_until completed fine2
	after=$(cut -d ' ' -f 14,15 "/proc/$DAEMON/stat" | tr ' ' +)
	[ $((after)) -lt $((before + 100)) ]
	kill -9 "$HELPER"
	HELPER=
	touch "$S/inbox/leased.json"
	wait_until completed leased
	daemon_stop
}

@test "ATK-SWAP ATK-SYMLINK: a name that is a plan now and a link then gives away nothing that the link leads to" {
	echo 'name: [SECRET-TEXT' >"$T/secret"
	good swapped >"$T/plan"
	daemon_start
	perl -MFile::Copy -e '
		my ($secret, $plan, $tmp, $name) = @ARGV;
		for (1 .. 1000) {
			symlink($secret, $tmp) and rename($tmp, $name);
			copy($plan, $tmp) and rename($tmp, $name);
		}' "$T/secret" "$T/plan" "$T/.swap" "$S/inbox/swap.json"
	wait_until eval '[ -z "$(ls "$S/inbox")" ]'
	good fence | drop fence.json
	wait_until completed fence
	not grep -rl SECRET-TEXT "$S" --include='*.json' --include='*.jsonl'
	not grep -q SECRET-TEXT "$T/serving"
	[ "$(cat "$T/secret")" = 'name: [SECRET-TEXT' ]
	[ "$(jq -r .message "$S"/rejected/*.error.json | sort -u)" = "it is not a regular file" ] || [ -z "$(ls "$S/rejected")" ]
	daemon_stop
}

@test "ATK-RECREATE: files that are deleted and made again are taken once each or not at all" {
	daemon_start
	perl -e '
		my ($name) = @ARGV;
		for my $n (1 .. 500) {
			open(my $f, ">", $name) or die;
			print $f qq({"name":"again$n","actions":[{"id":"a","actionDefinitionId":"command","inputs":{"command":"true"}}]});
			close($f);
			unlink($name);
		}' "$S/inbox/again.json"
	good last >"$S/inbox/again.json"
	wait_until completed last
	# None twice, and none of what was refused was half of one.
	[ -z "$(cat "$S"/executions/*/*/plan.json | jq -r .name | sort | uniq -d)" ]
	[ -z "$(ls "$S/rejected" "$S/tmp" | grep -v :)" ]
	daemon_stop
}

# --- many ---

@test "ATK-FLOOD: 100,000 files keep neither plans nor people waiting, and each is dealt with once" {
	# Most have names that are left alone, so that this takes seconds; tests/fault/flood.sh has the other kind.
	# In memory where that can be had: it is not the disk that is tested.
	if [ -w /dev/shm ]; then
		SHM=$(mktemp -d /dev/shm/creel.XXXXXX)
		S=$SHM/spool
		spool_new "$S"
	fi
	perl -e 'chdir($ARGV[0]) or die; for (1 .. 100000) { open(my $f, ">", sprintf($_ > 98000 ? "%06d.yaml" : "%06d.part", $_)) or die }' "$S/inbox"
	drop slow.json <<<"{\"name\":\"slow\",\"actions\":[{\"id\":\"a\",\"actionDefinitionId\":\"shell.run\",\"inputs\":{\"script\":\"$(gate never)\"}}]}"
	daemon_start
	wait_until count_of slow 1
	say "control/$(id_of slow).cancel"
	good late | drop late.json
	# While the flood lasts, an order is obeyed and a plan runs.
	wait_until eval '[ "$(jq -r .status "$(where slow)/state.json")" = cancelled ]'
	wait_until completed late
	wait_until eval '[ "$(ls "$S/rejected" | wc -l)" -eq 4000 ]'
	[ "$(ls "$S/inbox" | wc -l)" -eq 98000 ]
	[ "$(peak)" -lt 150 ]
	daemon_stop
}

# --- names ---

# Bytes that drive a terminal, or turn the direction of what follows.
drives() {
	LC_ALL=C.UTF-8 grep -P '[\x00-\x08\x0b-\x1f\x7f-\x9f\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]' "$@"
}

@test "ATK-NAMES: newline, escape sequences, bidi, leading dash, 255 bytes: such names run and are refused like any other, and drive no terminal" {
	local name names=($'new\nline' $'esc\e[2J\e]0;x\a' $'c1\u009b2J' $'bidi\u202egpj' '-rf' '--help' 'a b $(id) `id` ;' '%s%n' '*'
		"$(printf 'x%.0s' {1..250})" "x$(printf 'é%.0s' {1..120})")
	for name in "${names[@]}"; do
		good "$RANDOM" >"$T/.x"
		mv "$T/.x" "$S/inbox/$name.json"
		echo 'name: [wrong' >"$T/.x"
		mv "$T/.x" "$S/inbox/$name.yaml"
		touch "$S/control/$name"
	done
	drain
	[ "$status" -eq 0 ]
	[ "$(ls -d "$S"/executions/*/* | wc -l)" -eq "${#names[@]}" ]
	[ "$(ls "$S"/rejected/*.error.json | wc -l)" -eq $((2 * ${#names[@]})) ]
	[ -z "$(ls -A "$S/inbox" "$S/control" | grep -v :)" ]
	# Beside each reason lies the file that it names, and the names there are harmless.
	for name in "$S"/rejected/*.error.json; do
		[ -f "${name%.error.json}" ]
		[ "$(jq -r .kept "$name")" = "$(basename "${name%.error.json}")" ]
	done
	ls "$S/rejected" >"$T/listed"
	not drives -q "$T/listed"
	not drives -q "$T/log"
	"$BIN/creel" --spool "$S" ls >"$T/shown"
	"$BIN/creel" --spool "$S" status >>"$T/shown" || :
	not drives -q "$T/shown"
	drives -q <<<$'\u202e' # it does find them
}

@test "ATK-DOTS: names of dots lead nowhere" {
	drop ids.yaml <<-'E'
	name: ids
	actions:
	- {id: "..", actionDefinitionId: command, inputs: {command: "true"}}
	- {id: "../../x", actionDefinitionId: command, inputs: {command: "true"}}
	E
	good >"$S/inbox/...json"
	good >"$S/inbox/..json"
	say "control/...cancel"
	say "control/x.cancel"
	say "confirm/01a1fdfc-6ea5-7000-9265-a127c5a7ec0b.....approve"
	say "confirm/01a1fdfc-6ea5-7000-9265-a127c5a7ec0b.a..approve"
	drain
	[ "$status" -eq 0 ]
	[ "$(jq -r '.errors[].pointer' "$S"/rejected/*-ids.yaml.error.json | sort -u | xargs)" = "/actions/0/id /actions/1/id" ]
	[ -z "$(ls "$S/executions")" ]
	[ "$(ls "$S/inbox" -A | wc -l)" -eq 2 ]
	[ "$(ls "$S"/rejected/*.error.json | wc -l)" -eq 4 ]
}
