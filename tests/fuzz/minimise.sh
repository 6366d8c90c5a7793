#!/bin/sh
# Make the corpora anew from themselves and from what the runs gathered:  minimise.sh BUILD TARGET…
#
# One input for each edge is enough here; what the counters tell apart stays in BUILD/corpus, for further runs.  Inputs with a name of their own (regressions) stay as they are; the others are named by their digest.
set -eu
build=$1
shift
here=$(dirname "$0")/corpus
for t in "$@"; do
	fresh=$(mktemp -d)
	mkdir -p "$here/$t" "$build/corpus/$t"
	"$build/tests/fuzz/$t" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$fresh" "$here/$t" "$build/corpus/$t" >/dev/null 2>&1
	for f in "$here/$t"/*; do
		case ${f##*/} in *[!0-9a-f]*) ;; *) rm -f "$f" ;; esac
	done
	for f in "$fresh"/*; do
		cp "$f" "$here/$t/$(sha1sum <"$f" | cut -c1-16)"
	done
	rm -rf "$fresh"
	echo "$t: $(ls "$here/$t" | wc -l) inputs, $(du -sb "$here/$t" | cut -f1) bytes"
done
