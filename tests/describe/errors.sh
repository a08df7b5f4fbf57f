#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# errors.sh TOOL PROGRAM: the tool finds each error of errors.c, in blocks of every layer, and says what it is.
# shellcheck source-path=SCRIPTDIR source=under_tool.bash
. "$(dirname "${BASH_SOURCE[0]}")/under_tool.bash"

sizes=(100 5000 300000) # one for each layer

# 5000 as valgrind prints it: 5,000
with_commas() {
    sed -E ':again; s/^([0-9]+)([0-9]{3})/\1,\2/; t again' <<<"$1"
}

# expect ERROR SIZE TEXT...: the tool ends the program that commits this error, and says each of the texts.
expect() {
    local error=$1 size=$2
    shift 2
    run "$program" "$error" "$size"
    [ "$status" = 99 ] || fail "$tool has found nothing"
    for text in "$@"; do
        [[ $err == *"$text"* ]] || fail "$tool does not say '$text'"
    done
    printf -- '- %s of %s bytes: %s\n' "$error" "$size" "${*: -1}"
}

valgrind_says() {
    local size=$1 all half
    all=$(with_commas "$size")
    half=$(with_commas $((size / 2)))
    expect read_past_end "$size" "Invalid read of size 1" ": read_past_end (" \
        "is 0 bytes after a block of size $all alloc'd"
    expect write_past_end "$size" "Invalid write of size 1" ": write_past_end (" \
        "is 0 bytes after a block of size $all alloc'd"
    expect read_past_end_of_aligned "$size" "Invalid read of size 1" "is 0 bytes after a block of size $all alloc'd"
    expect read_before_start "$size" "Invalid read of size 1" "is 1 bytes before a block of size $all alloc'd"
    expect read_after_free "$size" "Invalid read of size 1" "is $half bytes inside a block of size $all free'd"
    expect read_old_place_after_realloc "$size" "Invalid read of size 1" \
        "is $half bytes inside a block of size $all free'd"
    expect read_after_heap_is_destroyed "$size" "Invalid read of size 1" \
        "is $half bytes inside a block of size $all free'd"
    expect decide_on_what_was_never_written "$size" "Conditional jump or move depends on uninitialised value(s)"
    expect lose "$size" "$all bytes in 1 blocks are definitely lost"
}

# It knows neither blocks that were never written nor lost ones, other than those of its own malloc.
asan_says() {
    local size=$1 words="ERROR: AddressSanitizer: use-after-poison on address"
    for error in read_past_end read_past_end_of_aligned read_before_start read_after_free read_old_place_after_realloc \
        read_after_heap_is_destroyed; do
        expect "$error" "$size" "READ of size 1" "$words"
    done
    expect write_past_end "$size" "WRITE of size 1" "$words"
}

for size in "${sizes[@]}"; do
    "${tool}_says" "$size"
done
echo "$tool finds them all"
