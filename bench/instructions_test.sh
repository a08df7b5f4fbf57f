#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# instructions_test.sh: instructions.sh prints the table it promises and refuses what it cannot measure.
# The few steps here make the numbers rough; that they are within budget is another test's business.
set -euo pipefail
shopt -s inherit_errexit

if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit 77
fi

instructions=${DAM_SOURCE_DIR:?}/bench/instructions.sh
dam=${DAM_PRELOAD:?}

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# Runs instructions.sh with the arguments; sets status, and fills the files out and err.
run() {
    status=0
    "$instructions" --dam "$dam" "$@" >out 2>err || status=$?
}

echo "- the table has a row for DAM and one for each allocator named, with a plausible number for each pattern"
cp "$dam" another-allocator.so
run --only-dam --steps 2000 --patterns "one:32 set:240 set:1000" ./another-allocator.so
[ "$status" = 0 ] || fail "exit status $status: $(cat err)"
[ ! -s err ] || fail "it wrote to stderr: $(cat err)"
[ "$(sed -n 1p out)" = "$(printf '%-24s%12s%12s%12s' 'instructions per pair' '32 B' 'to 240 B' 'to 1000 B')" ] ||
    fail "the heading is not as expected: $(sed -n 1p out)"
[ "$(wc -l <out)" = 3 ] || fail "there are not three lines: $(cat out)"
[ "$(awk 'NR > 1 { print $1 }' out | paste -sd ' ')" = "dam another-allocator.so" ] || fail "wrong rows: $(cat out)"
# The loop alone is 9 instructions for one block and 18 for a set; malloc and free cannot be free.
awk 'NR > 1 && (NF != 4 || $2 <= 12 || $3 <= 20 || $4 <= 20) { exit 1 }' out || fail "implausible numbers: $(cat out)"

echo "- the same library under another name gives the same number"
awk 'NR == 2 { a = $2 } NR == 3 { b = $2 } END { exit !(a == b) }' out || fail "numbers differ: $(cat out)"

echo "- without --only-dam there is a row for glibc too"
run --steps 500 --patterns alone:16
[ "$status" = 0 ] || fail "exit status $status: $(cat err)"
grep -q '^glibc  *[0-9.]*$' out || fail "no row for glibc: $(cat out)"

echo "- a limit that is exceeded gives status 1 and names the pattern; one that is kept does not"
run --only-dam --steps 500 --patterns one:32 --limit one:32=10
[ "$status" = 1 ] || fail "exit status $status"
grep -q 'over its limit on one:32: [0-9.]*, the limit is 10$' err || fail "unclear message: $(cat err)"
run --only-dam --steps 500 --patterns one:32 --limit one:32=1000000
[ "$status" = 0 ] || fail "exit status $status: $(cat err)"

echo "- a library without a malloc is refused rather than shown with glibc's numbers"
echo 'int nothing_here;' >nothing.c
"${CC:-cc}" -shared -fPIC -o nothing.so nothing.c
run --only-dam --steps 500 --patterns one:32 ./nothing.so
[ "$status" = 2 ] || fail "exit status $status"
grep -q 'nothing.so does not provide malloc' err || fail "unclear message: $(cat err)"

echo "- arguments that mean nothing are refused"
for arguments in --nonsense --steps "--steps 0" "--steps 1e6" "--patterns two:32" "--patterns one:0" \
    "--limit set:9=1" "--limit one:32"; do
    # shellcheck disable=SC2086 # the words are meant to be split
    run --only-dam $arguments
    [ "$status" = 2 ] || fail "'$arguments': exit status $status"
    [ -s err ] || fail "'$arguments': nothing on stderr"
done
echo "all is as promised"
