#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# stress-ng.sh: stress-ng's malloc stressors with their verification on. They allocate at random sizes, resize, write
# into each page, read it back and free, in several processes with several threads each. Then one large block that grows
# by realloc again and again, and stressors that build trees, hash tables and lists of many small blocks and look them
# up.
#
# Bounded by a count of operations, so both runs do the same amount; --timeout is the guard of a hung one.
# Equal are the exit status (a failed verification makes it non-zero) and the operations done.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need stress-ng stress-ng

# stress NAME OPTION...: both runs, and the operations of each stressor, from the table that --metrics prints:
#   stress-ng: metrc: [pid] malloc    20000     0.35 ...
stress() {
    local name=$1 variant
    shift
    local command=(stress-ng --no-rand-seed --verify --metrics --timeout 200 --temp-path . "$@")
    for variant in plain dam; do
        run "$variant" "$name" "${command[@]}"
        cat "$log/$name.$variant.out" "$log/$name.$variant.err" >"$log/$name.$variant.report"
        grep -q 'successful run completed' "$log/$name.$variant.report" || die "$name ($variant) was no success"
        sed -n -E 's/^stress-ng: metrc: \[[0-9]+\] ([a-z]+) +([0-9]+) .*/\1 \2/p' "$log/$name.$variant.report" \
            >"$log/$name.$variant.operations"
    done
    cat "$log/$name.dam.operations"
    same_bytes "$log/$name.plain.operations" "$log/$name.dam.operations" "the work of $name"
    prove "$name" stress-ng
}

stress small --malloc 2 --malloc-ops 400000 --malloc-pthreads 2 --malloc-bytes 1k --malloc-max 4096
stress mixed --malloc 2 --malloc-ops 400000 --malloc-pthreads 2 --malloc-bytes 64k --malloc-max 4096
stress large --malloc 2 --malloc-ops 8000 --malloc-pthreads 2 --malloc-bytes 16m --malloc-max 4096
stress touched --malloc 2 --malloc-ops 10000 --malloc-touch --malloc-zerofree --malloc-bytes 1m --malloc-max 2048
stress realloc --bigheap 1 --bigheap-ops 4000 --bigheap-growth 64k
stress structures --tree 1 --tree-ops 20 --tree-size 2000 --hsearch 1 --hsearch-ops 500 --list 1 --list-ops 20
