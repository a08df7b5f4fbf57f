#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# compilers.sh gcc|g++|clang|clang++: a compiler and what it starts (make, cc1, as, ld ...) on DAM, at work on DAM's own
# sources or on a C++ program heavy in templates. Each file it writes has the same bytes with and without DAM.
#
# A compiler is the short-lived program with a large heap: it allocates a lot, of all sizes, and frees little.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

compiler=${1:?which compiler? gcc, g++, clang or clang++}
case $compiler in
gcc | g++) package=$compiler ;;
clang | clang++) package=clang ;;
*) die "unknown compiler $compiler" ;;
esac
need "$compiler" "$package"
need make make

# A copy, so that both runs see the same even while somebody edits.
mkdir "$work/sources"
cp -R -- "$DAM_SOURCE_DIR/include" "$DAM_SOURCE_DIR/src" "$inputs/containers.cpp" "$work/sources/"

# make_both TARGET PROGRAM...: builds the target twice; the PROGRAMs must have worked on DAM.
make_both() {
    local target=$1
    shift
    local command=(make -s -j2 -f "$inputs/compile.mk" "COMPILER=$compiler" "$target")
    run_plain "$target" "${command[@]}"
    run_dam "$target" "${command[@]}"
    prove "$target" make "$@"
}

# same_outputs PATTERN: every file below out/ with such a name; at least one.
same_outputs() {
    local files
    mapfile -t files < <(cd -- "$work/plain" && find out -type f -name "$1" | sort)
    [ "${#files[@]}" -gt 0 ] || die "no $1 was built"
    same_file "${files[@]}" >"$log/equal"
    echo "equal: ${#files[@]} files $1"
}

case $compiler in
gcc)
    make_both c gcc cc1 as
    same_outputs '*.o'
    make_both lto gcc cc1 as collect2 ld lto-wrapper lto1
    same_file out/whole.o
    ;;
clang)
    make_both c clang
    same_outputs '*.o'
    make_both analysis clang
    same_outputs '*.diagnostics'
    ;;
g++ | clang++)
    passes=(clang++ ld)
    [ "$compiler" = clang++ ] || passes=(g++ cc1plus as collect2 ld)
    make_both c++ "${passes[@]}"
    same_file out/containers.s out/containers
    same run out/containers
    ;;
esac
