#!/bin/sh
# Run fault suites: all of them, or those named; see README.md and --help.
#
#	run.sh [OPTION...] [SUITE...]
#	run.sh kill-all --point 123 --side after		one point again
set -eu
cd "$(dirname "$0")/../.."
${MAKE:-make} -s --no-print-directory all fault-tools
exec python3 tests/fault/sweep.py "$@"
