#!/bin/sh
# S0-SCHEMA: plan.json and state.json of finished executions parse under the source document's own zod schemas.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
BUILD=$(cd "$root" && cd "${BUILD:-build}" && pwd)
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
	printf 'nodejs\nnpm\n' > "$BUILD/node-packages.txt"
	sh "$root/contrib/install-packages.sh" "$BUILD/node-packages.txt"
fi
work=$BUILD/zod
mkdir -p "$work"
cp "$here/package.json" "$here/schemas.mjs" "$here/check.mjs" "$work/"
if [ ! -d "$work/node_modules/zod" ]; then
	(cd "$work" && npm install --no-package-lock --no-audit --no-fund --loglevel=error)
fi
spool=$(mktemp -d "${TMPDIR:-/tmp}/creel-zod.XXXXXX")
trap 'rm -rf "$spool"' EXIT
"$BUILD/creel" init "$spool" >/dev/null
cp "$here"/plans/* "$spool/inbox/"
status=0
"$BUILD/creeld" --spool "$spool" --drain >"$work/creeld.log" 2>&1 || status=$?
# One of the plans waits for a person: 2 is the right end.
if [ "$status" -ne 2 ]; then
	cat "$work/creeld.log" >&2
	echo "creeld --drain ended with $status, not 2" >&2
	exit 1
fi
cd "$work"
exec node check.mjs "$spool" "$(find "$here/plans" -type f | wc -l)"
