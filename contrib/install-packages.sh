#!/bin/sh
# Install the Debian packages of a list that are missing.  apt is called only if there is one.
set -eu
missing=
for p in $(sed -e 's/#.*//' "$1"); do
	dpkg-query -W -f='${Status}\n' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
sudo=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "these packages are missing, and only root can install them:$missing" >&2
		exit 1
	fi
	sudo=sudo
fi
echo "installing:$missing"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
	$sudo apt-get update -qq
	$sudo apt-get install -y -qq --no-install-recommends $missing
}
