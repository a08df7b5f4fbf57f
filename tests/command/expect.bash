# SPDX-License-Identifier: MIT
# expect.bash: what the tests of the command share; they source it. It runs a command line, keeps what came of it in the
# variables below, and ends the test at the first thing that is not as expected.
#
#   run WORD...          runs the words; sets status (exit status as the shell has it), out and err (what was printed)
#   dam WORD...          the same with the `dam` command in front
#   expect_status N, expect_out TEXT, expect_out_has TEXT, expect_err_has TEXT, expect_silent_err
#   says SENTENCE        prints what the next lines check
#   fail TEXT            ends the test
#   skip_rest REASON     ends the test as skipped (77), with what was checked so far printed

# shellcheck shell=bash
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C

: "${DAM_COMMAND:?}" "${DAM_PRELOAD:?}" "${DAM_SOURCE_DIR:?}"
# The tests give these themselves, where they matter. DAM_OPTIONS stays: the variant under size_classes=pow2 sets it.
unset LD_PRELOAD DAM_MALLOC_LIBRARY

status='' out='' err=''
sentence='(nothing yet)'
last_words=''

says() {
    sentence=$1
    printf -- '- %s\n' "$sentence"
}

fail() {
    {
        printf 'FAILED: %s\n  in: %s\n' "$1" "$sentence"
        [ -z "$last_words" ] ||
            printf '  after: %s\n  status: %s\n  stdout: %s\n  stderr: %s\n' "$last_words" "$status" "$out" "$err"
    } >&2
    exit 1
}

skip_rest() {
    printf 'skipped: %s\n' "$1"
    exit 77
}

run() {
    last_words=$*
    status=0
    # A job of its own, so that the shell says nothing when a signal ends it.
    { "$@" >run.out 2>run.err; } 2>/dev/null || status=$?
    out=$(cat run.out)
    err=$(cat run.err)
}

dam() {
    run "$DAM_COMMAND" "$@"
}

expect_status() {
    [ "$status" = "$1" ] || fail "exit status $status rather than $1"
}

expect_out() {
    [ "$out" = "$1" ] || fail "stdout is not '$1'"
}

expect_out_has() {
    [[ $out == *"$1"* ]] || fail "stdout does not have '$1'"
}

expect_err_has() {
    [[ $err == *"$1"* ]] || fail "stderr does not have '$1'"
}

expect_silent_err() {
    [ -z "$err" ] || fail "something on stderr"
}

# A refusal: this status, a message of `dam run` with this text in it, and a program that was not started.
expect_refusal() {
    expect_status "$1"
    [[ $err == "dam run: "* ]] || fail "the message does not begin with 'dam run: '"
    expect_err_has "$2"
    expect_out ''
}
