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
server=$(mktemp -d "${TMPDIR:-/tmp}/creel-zod-server.XXXXXX")
"$root/tests/e2e/http/server.py" "$server" &
serving=$!
trap 'kill "$serving"; rm -rf "$spool" "$server"' EXIT
"$BUILD/creel" init "$spool" >/dev/null
tries=0
while [ ! -s "$server/port" ] && [ "$tries" -lt 500 ]; do
	sleep 0.02
	tries=$((tries + 1))
done
for f in actions/get actions/oauth apis/server; do
	sed "s/SERVER/127.0.0.1:$(cat "$server/port")/" "$here/catalog/$f.yaml" >"$spool/catalog/$f.yaml"
done
echo 'http: {allow_private: [127.0.0.0/8]}' >"$server/config.yaml"
export ZOD_KEY=zod-key
cp "$here"/plans/* "$spool/inbox/"
status=0
"$BUILD/creeld" --spool "$spool" --config "$server/config.yaml" --drain >"$work/creeld.log" 2>&1 || status=$?
# One of the plans waits for a person: 2 is the right end.
if [ "$status" -ne 2 ]; then
	cat "$work/creeld.log" >&2
	echo "creeld --drain ended with $status, not 2" >&2
	exit 1
fi
cd "$work"
node check.mjs "$spool" "$(find "$here/plans" -type f | wc -l)"
