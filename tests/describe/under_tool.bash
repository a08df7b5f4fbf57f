# SPDX-License-Identifier: MIT
# under_tool.bash: what the tests of this folder share; they source it with the tool (valgrind or asan) and the program as
# their arguments.
#
#   run WORD...     runs the words (the program, its arguments) under the tool, which gives status 99 when it has found
#                   something; sets status, and err (what was printed on stderr)
#   fail TEXT       ends the test

# shellcheck shell=bash
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C

tool=$1
program=$2
case $tool in
valgrind)
    # Blocks that the program still has at its end are not lost. What glibc keeps for a thread may look as if it were.
    under=(valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite
        --errors-for-leak-kinds=definite)
    ;;
asan)
    under=(env ASAN_OPTIONS=exitcode=99)
    ;;
*)
    echo "there is no tool '$tool' here" >&2
    exit 1
    ;;
esac

status='' err=''
last_words=''

fail() {
    printf 'FAILED: %s\n  after: %s\n  status: %s\n  stderr: %s\n' "$1" "$last_words" "$status" "$err" >&2
    exit 1
}

run() {
    last_words="${under[*]} $*"
    status=0
    "${under[@]}" "$@" >run.out 2>run.err || status=$?
    err=$(cat run.err)
}
