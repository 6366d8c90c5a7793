#!/bin/sh
# Make what release.yaml works on, below the directory given: `repo`, a git repository with a small program, two
# versions and tests; and `depot`, where releases go, with a lock that a dead upload left behind.
set -eu
cd "$1"
mkdir repo depot
cd repo
git init -q -b main
git config user.name "Release Demo"
git config user.email "demo@example.net"
mkdir bin tests
cat > bin/tally <<'END'
#!/bin/sh
# SPDX-License-Identifier: MIT
# tally - how often each word occurs in standard input, most frequent first.
tr -cs '[:alnum:]' '\n' | tr '[:upper:]' '[:lower:]' | sed '/^$/d' | sort | uniq -c | sort -k1,1nr -k2 |
	awk '{print $1 "\t" $2}'
END
cat > tests/run.sh <<'END'
#!/bin/sh
# SPDX-License-Identifier: MIT
# One line for each test: ok NAME, or FAILED NAME.
cd "$(dirname "$0")/.."
failed=0
check() { # NAME INPUT EXPECTED
	if [ "$(printf '%b' "$2" | sh bin/tally)" = "$(printf '%b' "$3")" ]; then
		echo "ok $1"
	else
		echo "FAILED $1"
		failed=1
	fi
}
check empty '' ''
check one 'reel' '1\treel'
check case 'Reel reel REEL' '3\treel'
check order 'warp weft weft' '2\tweft\n1\twarp'
exit $failed
END
cat > CHANGELOG <<'END'
1.0.0
  Counts words.
END
echo 1.0.0 > VERSION
printf 'tally counts words.\n' > README
chmod +x bin/tally tests/run.sh
git add -A
git commit -q -m "Count words"
git tag -a -m 1.0.0 v1.0.0
sed -i -e 's/sort -k1,1nr -k2/LC_ALL=C sort -k1,1nr -k2/' bin/tally
git commit -q -am "The same order everywhere"
echo 1.1.0 > VERSION
git commit -q -am "This is 1.1.0"

# An upload that was killed: its lock names a process that is no more.
sh -c 'echo $$' > ../depot/.upload.lock
