#!/usr/bin/env bats
# contrib/check-layers.sh lets nothing through that points right.

setup() {
	CHECK=$BATS_TEST_DIRNAME/../../contrib/check-layers.sh
	T=$(mktemp -d)
	mkdir "$T"/base "$T"/model "$T"/core "$T"/codec "$T"/store "$T"/creel "$T"/creeld
	touch "$T"/base/b.h "$T"/model/m.h "$T"/core/c.h "$T"/codec/d.h "$T"/store/s.h "$T"/creel/p.h "$T"/creeld/q.h
}
teardown() { rm -rf "$T"; }

layers() {
	run sh "$CHECK" "$T"
}

@test "layers: this tree is clean" {
	sh "$CHECK"
}

@test "layers: every way to the left is open" {
	printf '#include "base/b.h"\n' | tee "$T/model/x.c" "$T/core/x.c" >"$T/codec/x.c"
	printf '#include "core/c.h"\n#include "codec/d.h"\n' >"$T/store/x.c"
	printf '#include <stdio.h>\n#include "store/s.h"\n#include "creel/p.h"\n' >"$T/creel/x.c"
	layers
	[ "$status" -eq 0 ]
}

@test "layers: every way to the right is a violation with its line" {
	local pair
	for pair in "base model/m.h" "base creel/p.h" "model core/c.h" "core codec/d.h" "codec core/c.h" \
		"core store/s.h" "store creeld/q.h" "creel creeld/q.h" "creeld creel/p.h"; do
		rm -f "$T"/*/x.c
		printf '\n #  include "%s"\n' "${pair#* }" >"$T/${pair% *}/x.c"
		layers
		[ "$status" -eq 1 ]
		[ "${lines[0]}" = "${pair% *}/x.c:2: ${pair% *} must not include \"${pair#* }\"" ]
	done
}

@test "layers: a .c file, a path that goes up, a bare name, a name that leads nowhere" {
	printf '#include "core/c.c"\n#include "../base/b.h"\n#include "c.h"\n#include "base/none.h"\n' >"$T/core/x.c"
	layers
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 5 ]
}

@test "layers: an executor includes itself and what is common to all, and nobody includes an executor" {
	mkdir -p "$T"/actions/common "$T"/actions/http "$T"/actions/file
	touch "$T"/actions/common/c.h "$T"/actions/http/h.h "$T"/actions/file/f.h
	printf '#include "actions/http/h.h"\n#include "actions/common/c.h"\n#include "store/s.h"\n' >"$T/actions/http/x.c"
	layers
	[ "$status" -eq 0 ]
	printf '#include "actions/http/h.h"\n' | tee "$T/actions/file/x.c" "$T/actions/common/x.c" >"$T/creeld/x.c"
	printf '#include "creel/p.h"\n' >"$T/actions/http/x.c"
	layers
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = 'actions/common/x.c:1: actions/common must not include "actions/http/h.h"' ]
	[ "${lines[1]}" = 'actions/file/x.c:1: actions/file must not include "actions/http/h.h"' ]
	[ "${lines[2]}" = 'actions/http/x.c:1: actions must not include "creel/p.h"' ]
	[ "${lines[3]}" = 'creeld/x.c:1: creeld must not include "actions/http/h.h"' ]
}
