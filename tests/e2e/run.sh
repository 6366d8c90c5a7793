#!/usr/bin/env bash
# Run the end-to-end tests and close with a line that counts them.
set -u -o pipefail
tap=${BUILD:-build}/e2e.tap
bats --tap --print-output-on-failure "$@" | tee "$tap"
status=$?
echo "e2e: $(grep -c '^ok ' "$tap") passed, $(grep -c '^not ok ' "$tap") failed"
exit "$status"
