// SPDX-License-Identifier: MIT
/* bad_access.c: memory beside a block is read or written, and the processor refuses it: direct blocks of guard=full,
 * and sampled blocks, which stand alone on a page between inaccessible ones.
 *
 *   | guard | block ......          | guard |  or  | guard |          ...... block | guard |
 *     refused        looked at when               looked at when                     refused
 *                    it is released               it is released
 *
 * Which end of its page a sampled block is flush with is chance; these scenes take blocks until one is as they need it.
 * The sizes are multiples of 16, so that a block can be flush with the page's end.
 *
 * Not here: blocks that were released (read_after_free.c, write_after_free.c). */
#include "faults/specimen.h"

/* ---- Scenes for any allocator ------------------------------------------------------------------------------------ */

static void read_place(void *place) {
    tell_thread("doer");
    (void)peek(place);
}

#define SOME 40

/* The byte behind each of some blocks, or in front of it; half of them are flush with that end of their page. */
static void read_beside_some(const struct act *act, ptrdiff_t offset) {
    unsigned char *blocks[SOME];
    for (size_t i = 0; i < SOME; i++)
        blocks[i] = obtain(act->size);
    for (size_t i = 0; i < SOME; i++) {
        tell_block(blocks[i], act->size);
        tell_place("place", blocks[i] + offset);
        perform(act, read_place, act->is_misuse ? blocks[i] + offset : blocks[i]);
    }
    for (size_t i = 0; i < SOME; i++)
        release(blocks[i]);
}

static void read_behind_some(const struct act *act) {
    read_beside_some(act, (ptrdiff_t)act->size);
}

static void read_in_front_of_some(const struct act *act) {
    read_beside_some(act, -1);
}

/* ---- Scenes for DAM ---------------------------------------------------------------------------------------------- */

#ifndef SPECIMEN_ON_LIBC

#define TRIES_MAX 100

static size_t page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned char *obtain_flush_with_end(size_t size) {
    for (int i = 0; i < TRIES_MAX; i++) {
        unsigned char *block = obtain(size);
        if (((uintptr_t)block + size) % page_bytes() == 0)
            return block;
        release(block);
    }
    check_failed(__FILE__, __LINE__, "some block is at the end of its page");
}

static unsigned char *obtain_flush_with_start(size_t size) {
    for (int i = 0; i < TRIES_MAX; i++) {
        unsigned char *block = obtain(size);
        if ((uintptr_t)block % page_bytes() == 0)
            return block;
        release(block);
    }
    check_failed(__FILE__, __LINE__, "some block is at the start of its page");
}

static void write_place(void *place) {
    tell_thread("doer");
    flip(place);
}

/* Accesses the place, which is not the block's; the twin accesses its first byte. Then the block is released. */
static void touch(const struct act *act, unsigned char *block, unsigned char *place, void (*step)(void *)) {
    tell_block(block, act->size);
    tell_place("place", place);
    perform(act, step, act->is_misuse ? place : block);
    release(block);
}

/* ---- Sampled blocks ---- */

static void write_behind(const struct act *act) {
    unsigned char *block = obtain_flush_with_end(act->size);
    touch(act, block, block + act->size, write_place);
}

static void read_behind(const struct act *act) {
    unsigned char *block = obtain_flush_with_end(act->size);
    touch(act, block, block + act->size, read_place);
}

static void read_1000_behind(const struct act *act) {
    unsigned char *block = obtain_flush_with_end(act->size);
    touch(act, block, block + act->size + 1000, read_place);
}

static void write_in_front(const struct act *act) {
    unsigned char *block = obtain_flush_with_start(act->size);
    touch(act, block, block - 1, write_place);
}

static void read_in_front(const struct act *act) {
    unsigned char *block = obtain_flush_with_start(act->size);
    touch(act, block, block - 1, read_place);
}

static void read_100_in_front(const struct act *act) {
    unsigned char *block = obtain_flush_with_start(act->size);
    touch(act, block, block - 100, read_place);
}

/* The other way round: the block is flush with the other end of its page. */

static void write_behind_on_the_page(const struct act *act) {
    unsigned char *block = obtain_flush_with_start(act->size);
    touch(act, block, block + act->size, write_place);
}

static void write_far_behind_on_the_page(const struct act *act) {
    unsigned char *block = obtain_flush_with_start(act->size);
    touch(act, block, block + page_bytes() - 1, write_place);
}

static void write_in_front_on_the_page(const struct act *act) {
    unsigned char *block = obtain_flush_with_end(act->size);
    touch(act, block, block - 1, write_place);
}

/* ---- Guards of guard=full ---- */

/* The first inaccessible byte behind a direct block: the page behind the one that holds its last checked byte. */
static unsigned char *guard_behind(unsigned char *block, size_t size) {
    size_t checked = size + 2 * sizeof(uint64_t); /* a tail and a canary */
    return block + (checked + page_bytes() - 1) / page_bytes() * page_bytes();
}

static void read_guard(const struct act *act) {
    unsigned char *block = obtain(act->size);
    touch(act, block, guard_behind(block, act->size), read_place);
}

static void write_guard(const struct act *act) {
    unsigned char *block = obtain(act->size);
    touch(act, block, guard_behind(block, act->size), write_place);
}

static void read_guard_at_its_end(const struct act *act) {
    unsigned char *block = obtain(act->size);
    touch(act, block, guard_behind(block, act->size) + page_bytes() - 1, read_place);
}

/* A run over everything behind a block, through its neighbours and up to the guard behind their pool. */
static void run_to_the_guard_of_the_pool(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    unsigned char *at = block;
    do
        poke(at, 0x42);
    while (++at < block + (act->is_misuse ? 64 * MIB : act->size));
    release(block);
}

#endif

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define READ_PAST_END "access past the end of a block: read of @place"
#define WRITE_PAST_END "access past the end of a block: write of @place"
#define READ_BEFORE_START "access before the start of a block: read of @place"
#define WRITE_BEFORE_START "access before the start of a block: write of @place"
#define ALONE "block at @block of @size bytes, requested @size bytes, live, alone between guard pages"
#define HINT_PAST_END "no byte behind the requested size is the program's"
#define HINT_BEFORE_START "no byte in front of a block is its holder's"
#define STACKS "found in thread @doer:", "  #* (@program+0x*)", "allocated by thread @owner:", "  #* (@program+0x*)"
#define FILLED "  expected  a5 *", "  found     e7*", "  changed   ^^*"

const struct specimen specimens[] = {
    CASE("small.read_behind_some", sampled, read_behind_some, 128, OWNER, FREE, READ_PAST_END,
         "in thread @doer of process *", ALONE, "0 bytes past the end", STACKS, HINT_PAST_END),
    CASE("general.read_behind_some", sampled, read_behind_some, 2000, OWNER, FREE, READ_PAST_END, ALONE,
         "0 bytes past the end", STACKS, HINT_PAST_END),
    CASE("small.read_in_front_of_some", sampled, read_in_front_of_some, 128, OWNER, FREE, READ_BEFORE_START, ALONE,
         "1 byte before its start", STACKS, HINT_BEFORE_START),
    CASE_SILENT("small.read_behind_some", default, read_behind_some, 128, OWNER, FREE),
    CASE_SILENT("general.read_behind_some", default, read_behind_some, 2000, OWNER, FREE),
    CASE_SILENT("small.read_in_front_of_some", default, read_in_front_of_some, 128, OWNER, FREE),

#ifndef SPECIMEN_ON_LIBC
    CASE("small.write_behind", sampled, write_behind, 128, OWNER, FREE, WRITE_PAST_END, "in thread @doer of process *",
         ALONE, "0 bytes past the end", STACKS, HINT_PAST_END),
    CASE("small.read_behind", sampled, read_behind, 128, OWNER, FREE, READ_PAST_END, ALONE, "0 bytes past the end",
         STACKS, HINT_PAST_END),
    CASE("small.read_1000_behind", sampled, read_1000_behind, 128, OWNER, FREE, READ_PAST_END, ALONE,
         "1000 bytes past the end", STACKS, HINT_PAST_END),
    CASE("small.read_behind_by_another_thread", sampled, read_behind, 128, OTHER, FREE, READ_PAST_END,
         "in thread @doer of process *", ALONE, STACKS, HINT_PAST_END),
    CASE("general.write_behind", sampled, write_behind, 2000, OWNER, FREE, WRITE_PAST_END, ALONE,
         "0 bytes past the end", STACKS, HINT_PAST_END),
    CASE("general.read_behind_a_whole_page", sampled, read_behind, 4096, OWNER, FREE, READ_PAST_END, ALONE,
         "0 bytes past the end", STACKS, HINT_PAST_END),
    CASE("small.write_in_front", sampled, write_in_front, 128, OWNER, FREE, WRITE_BEFORE_START,
         "in thread @doer of process *", ALONE, "1 byte before its start", STACKS, HINT_BEFORE_START),
    CASE("small.read_in_front", sampled, read_in_front, 128, OWNER, FREE, READ_BEFORE_START, ALONE,
         "1 byte before its start", STACKS, HINT_BEFORE_START),
    CASE("small.read_100_in_front", sampled, read_100_in_front, 128, OWNER, FREE, READ_BEFORE_START, ALONE,
         "100 bytes before its start", STACKS, HINT_BEFORE_START),
    CASE("small.write_in_front_by_another_thread", sampled, write_in_front, 128, OTHER, FREE, WRITE_BEFORE_START,
         "in thread @doer of process *", ALONE, STACKS, HINT_BEFORE_START),
    CASE("general.write_in_front", sampled, write_in_front, 2000, OWNER, FREE, WRITE_BEFORE_START, ALONE,
         "1 byte before its start", STACKS, HINT_BEFORE_START),

    /* On its page, found by the release. */
    CASE("small.write_behind_on_the_page", sampled, write_behind_on_the_page, 128, OWNER, FREE,
         "write past the end of a block: free of @block", ALONE, "at @place:", FILLED, "allocated by thread @owner:"),
    CASE("small.write_far_behind_on_the_page", sampled, write_far_behind_on_the_page, 128, OWNER, FREE,
         "write past the end of a block: free of @block", ALONE, "at @place:"),
    CASE("small.write_behind_on_the_page_by_another_thread", sampled, write_behind_on_the_page, 128, OTHER, FREE,
         "write past the end of a block: free of @block", ALONE, "at @place:", FILLED, "allocated by thread @owner:"),
    CASE("small.write_in_front_on_the_page", sampled, write_in_front_on_the_page, 128, OWNER, FREE,
         "damaged block header: free of @block", ALONE, "at @place:"),
    CASE("general.write_behind_on_the_page", sampled, write_behind_on_the_page, 2000, OWNER, FREE,
         "write past the end of a block: free of @block", ALONE, "at @place:", FILLED, "allocated by thread @owner:"),

    CASE("slices.read_guard", full, read_guard, SLICES, OWNER, FREE, READ_PAST_END, "in thread @doer of process *",
         "pool of * bytes at * (direct layer)", "block at @block of *, live", "704 bytes past the end", STACKS,
         HINT_PAST_END),
    CASE("slices.write_guard", full, write_guard, SLICES, OWNER, FREE, WRITE_PAST_END, "704 bytes past the end", STACKS,
         HINT_PAST_END),
    CASE("slices.read_guard_by_another_thread", full, read_guard, SLICES, OTHER, FREE, READ_PAST_END,
         "in thread @doer of process *", STACKS, HINT_PAST_END),
    CASE("slices.read_guard_at_its_end", full, read_guard_at_its_end, SLICES, OWNER, FREE, READ_PAST_END,
         "4799 bytes past the end", STACKS, HINT_PAST_END),
    CASE("mapping.read_guard", full, read_guard, MAPPING, OWNER, FREE, READ_PAST_END, "* bytes past the end", STACKS,
         HINT_PAST_END),
    CASE("small.run_to_the_guard_of_the_pool", full, run_to_the_guard_of_the_pool, SMALL, OWNER, FREE,
         "access past the end of a block: write of *", "pool of 65536 bytes at * (small layer)", "0 bytes past the end",
         "this is the guard behind the pool: a block of it was overrun by far", HINT_PAST_END),
    CASE("general.run_to_the_guard_of_the_pool", full, run_to_the_guard_of_the_pool, GENERAL, OWNER, FREE,
         "access past the end of a block: write of *", "pool of * bytes at * (general layer)", "0 bytes past the end",
         "this is the guard behind the pool: a block of it was overrun by far", HINT_PAST_END),
#endif
    {.scene_name = NULL},
};
