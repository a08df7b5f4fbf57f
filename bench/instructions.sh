#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# instructions.sh: a table of the instructions that one malloc and one free cost, by allocator and by pattern.
#
# Each number is the difference of two runs of bench/pairs.c under callgrind, one with no steps and one with many,
# divided by the steps. Callgrind counts instructions rather than time, and leaves malloc alone (other valgrind tools
# replace it), so the numbers are the same on a loaded machine and an idle one. What they mean: bench/README.md.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C

program=${0##*/}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<END
Usage: $program [OPTION]... [ALLOCATOR.so]...
Print the instructions per malloc+free pair, for DAM, for glibc, for the known
allocators that are installed, and for each ALLOCATOR.so.

  --dam FILE            DAM's libdam-malloc.so (default: the one in build/)
  --only-dam            leave out glibc and the installed allocators
  --patterns "P..."     what to run, as KIND:SIZE with KIND one of one, alone, set
                        (default: "${default_patterns}")
  --steps N             counted steps of each pattern (default: ${default_steps})
  --limit PATTERN=MAX   fail when DAM needs more than MAX instructions on PATTERN;
                        may be given several times
  --help                show this and end

Exit status: 0, 1 when DAM exceeds a limit, 2 when something could not be run.
CC chooses the compiler of the measuring loop (default: cc).
END
}

default_patterns="one:32 set:240 set:1000 set:8000 set:30000"
default_steps=200000

fail() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 2
}

# ---- The command line ------------------------------------------------------------------------------------------------

dam=
only_dam=false
patterns=$default_patterns
steps=$default_steps
limits=()
allocators=()

while [ $# -gt 0 ]; do
    case $1 in
    --dam | --patterns | --steps | --limit)
        [ $# -ge 2 ] || fail "$1 needs a value (see --help)"
        case $1 in
        --dam) dam=$2 ;;
        --patterns) patterns=$2 ;;
        --steps) steps=$2 ;;
        --limit) limits+=("$2") ;;
        esac
        shift
        ;;
    --only-dam) only_dam=true ;;
    --help)
        usage
        exit 0
        ;;
    -*) fail "unknown option $1 (see --help)" ;;
    *) allocators+=("$1") ;;
    esac
    shift
done

[[ $steps =~ ^[1-9][0-9]{0,8}$ ]] || fail "--steps wants a whole number from 1 to 999999999, not '$steps'"
read -r -a pattern_list <<<"$patterns"
[ ${#pattern_list[@]} -gt 0 ] || fail "--patterns is empty"
for pattern in "${pattern_list[@]}"; do
    [[ $pattern =~ ^(one|alone|set):[1-9][0-9]{0,8}$ ]] || fail "not a pattern: '$pattern' (see --help)"
done
for limit in ${limits[@]+"${limits[@]}"}; do
    [[ $limit =~ ^[a-z]+:[0-9]+=[0-9]+$ ]] || fail "--limit wants PATTERN=MAX, not '$limit'"
    [[ " ${pattern_list[*]} " == *" ${limit%=*} "* ]] || fail "--limit $limit: ${limit%=*} is not among the patterns"
done
command -v valgrind >/dev/null || fail "valgrind is needed and not installed"
command -v "${CC:-cc}" >/dev/null || fail "no C compiler: set CC"

if [ -z "$dam" ]; then
    dam=$here/../build/lib/libdam-malloc.so
    [ -e "$dam" ] || fail "there is no build/lib/libdam-malloc.so: build DAM first, or name one with --dam"
fi
[ -r "$dam" ] || fail "cannot read $dam"

# ---- Measuring -------------------------------------------------------------------------------------------------------

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${CC:-cc}" -std=gnu11 -O2 -o "$scratch/pairs" "$here/pairs.c" -ldl || fail "cannot compile pairs.c"

# The instructions of one run. $1: file to preload, or nothing; the rest: arguments of pairs.
instructions_of_run() {
    local preload=$1
    shift
    LD_PRELOAD=$preload valgrind --tool=callgrind --callgrind-out-file=/dev/null "$scratch/pairs" "$@" \
        </dev/null >"$scratch/output" 2>&1 ||
        fail "pairs $* failed with ${preload:-glibc}: $(tail -n 3 "$scratch/output")"
    sed -n 's/^==[0-9]*== Collected : \([0-9]*\)$/\1/p' "$scratch/output"
}

# Tenths of an instruction per step. $1: file to preload, or nothing; $2: KIND:SIZE.
tenths_per_step() {
    local preload=$1 kind=${2%:*} size=${2#*:} before after
    before=$(instructions_of_run "$preload" "$kind" "$size" 0)
    after=$(instructions_of_run "$preload" "$kind" "$size" "$steps")
    if [ -z "$before" ] || [ -z "$after" ]; then
        fail "valgrind printed no count"
    fi
    echo $(((10 * (after - before) + steps / 2) / steps))
}

# The loader only warns about what it cannot preload and goes on with glibc: then the numbers would be glibc's.
check_that_malloc_is_from() {
    local came_from
    came_from=$(LD_PRELOAD=$1 "$scratch/pairs" where 2>/dev/null) || fail "no program runs with $1 preloaded"
    [ "$came_from" -ef "$1" ] || fail "$1 does not provide malloc: it came from $came_from"
}

column_title() {
    case $1 in
    one:*) echo "${1#*:} B" ;;
    alone:*) echo "${1#*:} B alone" ;;
    set:*) echo "to ${1#*:} B" ;;
    esac
}

print_row() {
    local label=$1
    shift
    printf '%-24s' "$label"
    printf '%12s' "$@"
    printf '\n'
}

over_limit=()

# $1: the row's label; $2: file to preload, or nothing.
measure_row() {
    local label=$1 preload=$2 pattern tenths limit row=()
    [ -z "$preload" ] || check_that_malloc_is_from "$preload"
    for pattern in "${pattern_list[@]}"; do
        tenths=$(tenths_per_step "$preload" "$pattern")
        row+=("$((tenths / 10)).$((tenths % 10))")
        [ "$label" = dam ] || continue
        for limit in ${limits[@]+"${limits[@]}"}; do
            if [ "${limit%=*}" = "$pattern" ] && [ "$tenths" -gt $((10 * ${limit#*=})) ]; then
                over_limit+=("$pattern: $((tenths / 10)).$((tenths % 10)), the limit is ${limit#*=}")
            fi
        done
    done
    print_row "$label" "${row[@]}"
}

# ---- The table -------------------------------------------------------------------------------------------------------

# The names that distributions install; one that the loader does not know is not installed and has no row.
installed_allocators() {
    local name
    for name in libmimalloc.so.3 libmimalloc.so.2 librpmalloc.so libsnmallocshim.so libjemalloc.so.2 \
        libtcmalloc_minimal.so.4 libtbbmalloc_proxy.so.2; do
        # awk reads to the end: leaving early would kill ldconfig, which pipefail would take for a failure
        PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null |
            awk -v name="$name" '$1 == name && !found { print $NF; found = 1 }'
    done
}

titles=()
for pattern in "${pattern_list[@]}"; do
    titles+=("$(column_title "$pattern")")
done
print_row "instructions per pair" "${titles[@]}"
measure_row dam "$(realpath "$dam")"
if ! $only_dam; then
    measure_row glibc ""
    while read -r path; do
        measure_row "$(basename "$path")" "$path"
    done < <(installed_allocators)
fi
for path in ${allocators[@]+"${allocators[@]}"}; do
    [ -r "$path" ] || fail "cannot read $path"
    measure_row "$(basename "$path")" "$(realpath "$path")"
done

if [ ${#over_limit[@]} -gt 0 ]; then
    printf '%s: DAM is over its limit on %s\n' "$program" "${over_limit[@]}" >&2
    exit 1
fi
