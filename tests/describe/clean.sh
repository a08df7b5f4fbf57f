#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# clean.sh TOOL PROGRAM: the tool finds nothing in a program without errors (clean.c), and nothing in DAM.
# shellcheck source-path=SCRIPTDIR source=under_tool.bash
. "$(dirname "${BASH_SOURCE[0]}")/under_tool.bash"

run "$program"
cat run.out # with the seed
[ "$status" = 0 ] || fail "$tool has found something, or the program failed"
[ -z "$err" ] || fail "something on stderr"

DAM_OPTIONS=${DAM_OPTIONS:+$DAM_OPTIONS,}stats_at_exit=1 run "$program"
cat run.out
[ "$status" = 0 ] || fail "$tool has found something, or the program failed"
grep -q '^dam: general ' run.err || fail "there is no summary at exit"
if grep -v '^dam: ' run.err; then
    fail "there is more on stderr than the summary"
fi
echo "$tool finds nothing"
