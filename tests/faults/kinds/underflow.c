// SPDX-License-Identifier: MIT
/* underflow.c: a block is written in front of its start.
 *
 *     | block in front ......... | header of general blocks | block ...
 *                                                  write <--|
 *
 * Not here: a block that stands alone, whose front is guarded (bad_access.c). */
#include "faults/specimen.h"

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

#define PAIR_SEARCH 128

/* Two live blocks with as little as possible between them; which ones is for the allocator to say. */
struct pair {
    unsigned char *lower;
    unsigned char *upper;
};

static struct pair obtain_pair(size_t size) {
    unsigned char *blocks[PAIR_SEARCH];
    struct pair pair = {NULL, NULL};
    for (size_t i = 0; i < (size <= 65536 ? PAIR_SEARCH : 3); i++) {
        blocks[i] = obtain(size);
        for (size_t j = 0; j < i; j++) {
            struct pair other = {blocks[i] < blocks[j] ? blocks[i] : blocks[j],
                                 blocks[i] < blocks[j] ? blocks[j] : blocks[i]};
            if (pair.lower == NULL || other.upper - other.lower < pair.upper - pair.lower)
                pair = other;
        }
    }
    return pair;
}

/* Flipped, for any value may stand there by chance. */
static void write_in_front(const struct act *act, unsigned char *block, size_t bytes) {
    tell_block(block, act->size);
    for (size_t i = 1; i <= bytes; i++)
        flip(act->is_misuse ? block - i : block + i);
}

/* Found when the block itself is given to somebody. */

static void one_byte(const struct act *act) {
    struct pair pair = obtain_pair(act->size);
    write_in_front(act, pair.upper, 1);
    give(act, pair.upper);
}

static void eight_bytes(const struct act *act) {
    struct pair pair = obtain_pair(act->size);
    write_in_front(act, pair.upper, 8);
    give(act, pair.upper);
}

/* Found when the block in front is given to somebody. */
static void end_of_the_block_in_front(const struct act *act) {
    struct pair pair = obtain_pair(act->size);
    write_in_front(act, pair.upper, 24);
    tell_place("front", pair.lower);
    give(act, pair.lower);
}

/* The block in front is free: found when it is given out again. Far enough in front to reach its first bytes. */
static void into_a_free_block(const struct act *act) {
    struct pair pair = obtain_pair(act->size);
    tell_place("front", pair.lower);
    release(pair.lower);
    if (act->is_misuse)
        memset(opaque_pointer(pair.lower), 0x42, (size_t)(pair.upper - pair.lower));
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define HINT "something wrote just before this block: it, or the block in front of it"
#define STACK_OF_OWNER "allocated by thread @owner:", "  #* (@program+0x*)"

const struct specimen specimens[] = {
    CASE("general.one_byte", default, one_byte, GENERAL, OWNER, FREE, "damaged block header: free of @block",
         "pool of * bytes at * (general layer)", "block at @block of 0 bytes, header damaged", "expected *, found 0*",
         "in front of it: block at *, requested 3000 bytes, live; it most likely ran over", HINT),
    CASE("general.eight_bytes", default, eight_bytes, GENERAL, OWNER, FREE, "damaged block header: free of @block",
         "block at @block of 0 bytes, header damaged", "expected *, found 0*",
         "in front of it: block at *, requested 3000 bytes, live; it most likely ran over", HINT),
    CASE("general.realloc", default, one_byte, GENERAL, OWNER, REALLOC, "damaged block header: realloc of @block"),
    CASE("general.usable_size", default, one_byte, GENERAL, OWNER, USABLE_SIZE,
         "damaged block header: malloc_usable_size of @block"),
    CASE("general.free_sized", default, one_byte, GENERAL, OWNER, FREE_SIZED,
         "damaged block header: free_sized of @block"),
    CASE("general.by_another_thread", default, one_byte, GENERAL, OTHER, FREE, "damaged block header: free of @block",
         "in thread @doer of process *", HINT),
    CASE("general.one_byte", tail, one_byte, GENERAL, OWNER, FREE, "damaged block header: free of @block", HINT),
    CASE("general.one_byte", full, one_byte, GENERAL, OWNER, FREE, "damaged block header: free of @block",
         STACK_OF_OWNER, HINT),

    /* Small blocks have no header: what is written in front of one is the end of another, or a free one. */
    CASE("small.into_a_free_block", default, into_a_free_block, SMALL, OWNER, FREE,
         "write to a free block: reuse of @front", "block at @front of 128 bytes, free",
         "expected *, found 4242424242424242"),
    CASE("general.into_a_free_block", default, into_a_free_block, GENERAL, OWNER, FREE,
         "write to a free block: reuse of @front"),
    CASE("small.end_of_the_block_in_front", tail, end_of_the_block_in_front, SMALL, OWNER, FREE,
         "write past the end of a block: free of @front"),
    CASE("small.end_of_the_block_in_front", full, end_of_the_block_in_front, SMALL, OWNER, FREE,
         "write past the end of a block: free of @front"),
    CASE("small.end_of_the_block_in_front_by_another_thread", tail, end_of_the_block_in_front, SMALL, OTHER, FREE,
         "write past the end of a block: free of @front", "in thread @doer of process *"),
    CASE_SILENT("small.one_byte", default, one_byte, SMALL, OWNER, FREE),
    CASE_SILENT("slices.one_byte", default, one_byte, SLICES, OWNER, FREE),

    /* The program goes on, and nothing comes of it. */
    CASE_GOES_ON("general.one_byte", report, one_byte, GENERAL, OWNER, FREE, "damaged block header: free of @block"),
    CASE_GOES_ON("small.into_a_free_block", report, into_a_free_block, SMALL, OWNER, FREE,
                 "write to a free block: reuse of @front"),
    CASE_GOES_ON("general.into_a_free_block", report, into_a_free_block, 1000, OWNER, FREE,
                 "write to a free block: reuse of @front"),
    CASE_SILENT("general.one_byte", ignore, one_byte, GENERAL, OWNER, FREE),
    CASE_SILENT("small.into_a_free_block", ignore, into_a_free_block, SMALL, OWNER, FREE),
    {.scene_name = NULL},
};
