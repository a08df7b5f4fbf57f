#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# xz.sh: xz with two threads, compressing and decompressing. A few allocations, nearly all of them large: dictionaries
# and match finders of many megabytes, buffers that one thread fills and another writes out, all of them given back.
#
# The input is what every machine with xz and a shell has: the programs and libraries of the system, 6 MiB of them,
# repeated once so that long matches exist. --block-size makes it enough for several threads.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need xz xz-utils

# The same bytes for both runs, found once; head stops find early, which is no failure.
find /usr/bin /usr/lib -xdev -type f -size +64k -print0 2>/dev/null | sort -z >"$work/names"
{ xargs -0 cat <"$work/names" 2>/dev/null || true; } | head -c 6291456 >"$work/half" || true
cat "$work/half" "$work/half" >"$work/input"
[ "$(wc -c <"$work/input")" -eq 12582912 ] || die "the system has less than 6 MiB of programs and libraries"

in_both cp "$work/input" input

same_writer fast xz -T2 -1 --block-size=1MiB --keep --suffix=.fast input
same_file input.fast
same_writer small_blocks xz -T4 -4 --block-size=256KiB --check=sha256 --keep --suffix=.blocks input
same_file input.blocks
in_both rm input
same_writer decompress xz -T2 --decompress --keep --suffix=.blocks input.blocks
same_file input
cmp -- "$work/input" "$work/dam/input" || die "decompressing does not give back what was compressed"
same_writer test xz -T2 --test --suffix=.fast input.fast
