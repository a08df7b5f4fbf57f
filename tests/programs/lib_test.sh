#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lib_test.sh: what lib.sh must notice. Each case is a small test of its own that has to fail, and to say why; a lib.sh
# that sees nothing would let all the real programs pass.
# shellcheck disable=SC2016 # the cases are for another shell to expand
set -euo pipefail
: "${DAM_LIBRARY:?the full path of libdam.so}"
folder=$(cd -- "$(dirname -- "$0")" && pwd)

export TMPDIR=$PWD/tmp
mkdir -p "$TMPDIR"

# verdict COMMANDS: runs them as a test of their own, by a fresh shell, after lib.sh; sets `status` and `report`.
verdict() {
    status=0
    report=$(bash -c 'set -euo pipefail; . "$1"; eval "$2"' bash "$folder/lib.sh" "$1" 2>&1) || status=$?
    rm -rf log
}

# case_fails SENTENCE WORDS COMMANDS: they must fail with exit status 1 and say WORDS.
case_fails() {
    verdict "$3"
    if [ "$status" -ne 1 ] || ! grep -q -F -- "$2" <<<"$report"; then
        printf 'FAILED: %s: exit status %s (1 expected), "%s" expected in:\n%s\n' "$1" "$status" "$2" "$report" >&2
        exit 1
    fi
    echo "ok: $1"
}

case_passes() {
    verdict "$2"
    if [ "$status" -ne 0 ]; then
        printf 'FAILED: %s: exit status %s from:\n%s\n' "$1" "$status" "$report" >&2
        exit 1
    fi
    echo "ok: $1"
}

case_passes "equal output on DAM passes" 'same hello sh -c "echo hello"; prove hello sh'
case_passes "children of a program are on DAM too" 'same list sh -c "ls / | sort"; prove list sh ls sort'

case_fails "different output is noticed" "differs between the two runs" \
    'same name sh -c "echo \${LD_PRELOAD:-plain}"'
case_fails "a different file is noticed" "result differs between the two runs" \
    'same_writer name sh -c "echo \${LD_PRELOAD:-plain} >result"; same_file result'
case_fails "a missing file is noticed" "there is nothing to compare" 'same_file result'
case_fails "empty output is not taken for equal output" "there is nothing to compare" 'same name true'
case_fails "a failing program is noticed" "exit status 3" 'same name sh -c "echo hello; exit 3"'
case_fails "a program that a signal ends is noticed" "exit status 134" 'run_dam name sh -c "kill -ABRT \$\$"'
case_fails "a complaint of DAM is noticed" "complained" \
    'run_dam name sh -c "echo dam: fault: double free >&2"'
case_fails "an option that DAM does not know is noticed" "complained" \
    'export DAM_OPTIONS=no_such_option=1; run_dam name ls /'
case_fails "a library that cannot be preloaded is noticed" "complained" \
    'echo nothing >"$library"; same name sh -c "echo hello"'
case_fails "a program without LD_PRELOAD is noticed" "was started without" \
    'same name env -u LD_PRELOAD ls /'
case_fails "a library that does not replace malloc is noticed" "no process of ls had its malloc from DAM" \
    'cp -L -- "$DAM_LIBRARY" "$library"; same name ls /'
case_fails "a program that was not run is noticed" "no process of cat had its malloc from DAM" \
    'same name ls /; prove name cat'
case_fails "a server that ends at once is noticed" "did not start" \
    'ready() { false; }; start_server plain name ready sh -c "exit 0"'
case_fails "a server that fails at its end is noticed" "ended with status 5" \
    'ready() { [ -e "$work/plain/up" ]; }
     start_server plain name ready bash -c "trap \"exit 5\" TERM; touch up; while :; do sleep 0.05; done"
     stop_server plain name TERM'
case_passes "a server that ends as told passes" \
    'ready() { [ -e "$work/dam/up" ]; }
     start_server dam name ready bash -c "trap \"exit 0\" TERM; touch up; while :; do sleep 0.05; done"
     stop_server dam name TERM; prove name bash'

verdict 'need no_such_program the-package-it-is-in'
if [ "$status" -ne 77 ] || [[ $report != *no_such_program*the-package-it-is-in* ]]; then
    echo "FAILED: a missing program: exit status $status, $report" >&2
    exit 1
fi
echo "ok: a missing program is a skipped test that names the package"
rmdir "$TMPDIR" || { echo "FAILED: a test left its files behind" >&2; exit 1; }
echo "ok: no test left its files behind"
