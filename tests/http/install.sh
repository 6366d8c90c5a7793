#!/bin/sh
# The servers of package.json into $BUILD/http-servers, once for each state of the lock file.  install.sh prints where.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
BUILD=$(cd "$root" && cd "${BUILD:-build}" && pwd)
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
	printf 'nodejs\nnpm\n' > "$BUILD/node-packages.txt"
	sh "$root/contrib/install-packages.sh" "$BUILD/node-packages.txt" >&2
fi
work=$BUILD/http-servers
mkdir -p "$work"
if ! cmp -s "$here/package-lock.json" "$work/installed"; then
	rm -f "$work/installed"
	cp "$here/package.json" "$here/package-lock.json" "$work/"
	(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
	cp "$here/package-lock.json" "$work/installed"
fi
cp "$here/oauth.mjs" "$work/"
echo "$work"
