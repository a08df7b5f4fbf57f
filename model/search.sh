#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# search.sh [options] THREADS POOLS BLOCKS [NAME=VALUE...]: searches all states of the ownership model for a broken
# rule.
#
#   --model FILE   search FILE instead of ownership.pml (mutations.sh)
#   --livelock     look for non-progress cycles (rule O11) instead of for assertions and deadlocks
#   --covers       also demand that every step of the model is taken at least once
#   --small        the search is small: do not spend long on compiling it
#
# BLOCKS is for each pool; NAME=VALUE defines FORKS or LEFT_OVER_MAX (ownership.pml says what they are). Works in the
# current directory, where spin's files stay; run it in a build directory.
#
# Exit status: 0 no error; 1 an error was found (the way to it, step by step, is in history.txt); 2 the search could
# not be made or not be finished; 77 skipped, spin or gcc is missing.
set -euo pipefail

MEMORY_MAX_MIB=3500
DEPTH_MAX=4000000 # of the stack of the depth-first search, not of the model: it is an error to reach it
HASH_TABLE_BITS=25

model=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/ownership.pml
kind=safety
covers=no
optimise=-O2
while [[ ${1:-} == --* ]]; do
    case $1 in
    --model) model=$2 && shift ;;
    --livelock) kind=livelock ;;
    --covers) covers=yes ;;
    --small) optimise=-O0 ;;
    *) echo "search.sh: unknown option $1" >&2 && exit 2 ;;
    esac
    shift
done
if (($# < 3)); then
    echo "usage: search.sh [--model FILE] [--livelock] [--covers] [--small] THREADS POOLS BLOCKS [NAME=VALUE...]" >&2
    exit 2
fi

for tool in spin gcc; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is missing (the package is called $tool too)"
        exit 77
    fi
done

definitions=("-DTHREADS=$1" "-DPOOLS=$2" "-DBLOCKS=$3")
shift 3
definitions+=("${@/#/-D}")
what="${definitions[*]#-D}, $kind"

# Every state is kept whole (COLLAPSE compresses without loss): nothing is left to hashing.
pan_flags=("$optimise" -w -DCOLLAPSE "-DMEMLIM=$MEMORY_MAX_MIB")
run_flags=("-m$DEPTH_MAX" "-w$HASH_TABLE_BITS")
if [[ $kind == livelock ]]; then
    pan_flags+=(-DNP)
    run_flags+=(-l)
else
    pan_flags+=(-DSAFETY)
fi

rm -f -- pan pan.* ./*.trail history.txt
cp -- "$model" searched.pml
if ! spin "${definitions[@]}" -a searched.pml >spin.txt 2>&1 || grep -q 'Error:' spin.txt; then
    cat spin.txt
    exit 2
fi
gcc "${pan_flags[@]}" -o pan pan.c
./pan "${run_flags[@]}" >pan.txt 2>&1 || true # its exit status says nothing; its words do

if ! grep -q '^Full statespace search' pan.txt || ! grep -q ' errors: ' pan.txt; then
    echo "$what: the search was not made"
    cat pan.txt
    exit 2
fi
if ! grep -q ' errors: 0$' pan.txt; then
    spin "${definitions[@]}" -k searched.pml.trail -p searched.pml >history.txt 2>&1 || true
    echo "$what: $(grep -m1 '^pan:1: ' pan.txt)"
    exit 1
fi
if grep -qi -e 'not completed' -e 'max search depth too small' -e 'memlim' -e 'out of memory' pan.txt; then
    echo "$what: the search was not finished"
    cat pan.txt
    exit 2
fi
if [[ $covers == yes ]] && grep -q '^[[:space:]].*searched.pml:.*state' pan.txt; then
    echo "$what: there are steps that are never taken"
    sed -n '/^unreached/,$p' pan.txt
    exit 2
fi
states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.txt)
memory=$(sed -n 's/^ *\([0-9.]*\).total actual memory usage.*/\1/p' pan.txt)
echo "$what: no error in $states states; $memory MiB, $(sed -n 's/^pan: elapsed time //p' pan.txt)"
