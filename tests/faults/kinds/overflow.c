// SPDX-License-Identifier: MIT
/* overflow.c: a block is written past its end, from the first byte behind it on; whoever is given the block next finds
 * it.
 *
 *     | block ............ | first byte behind it | ...        | block behind ...
 *     tell "block"         tell "end"
 *
 * Not here: an access so far out that it is refused by the processor (bad_access.c). */
#include "faults/specimen.h"

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

/* The first bytes behind a block; in the twin, its last bytes. */
static void write_over_the_end(const struct act *act, unsigned char *block, size_t size, const void *bytes,
                               size_t count) {
    tell_block(block, size);
    memcpy(opaque_pointer(block + size - (act->is_misuse ? 0 : count)), bytes, count);
}

static void write_and_give(const struct act *act, unsigned char *block, const char *bytes, size_t count) {
    write_over_the_end(act, block, act->size, bytes, count);
    give(act, block);
}

static void one_byte(const struct act *act) {
    write_and_give(act, obtain(act->size), "B", 1);
}

/* The end of a string that is one byte longer than somebody thought. */
static void terminating_zero(const struct act *act) {
    write_and_give(act, obtain(act->size), "", 1);
}

static void eight_bytes(const struct act *act) {
    write_and_give(act, obtain(act->size), "BBBBBBBB", 8);
}

/* Up to whatever lies behind and into it. There is a block in use behind, or both were placed at random. */
static void many_bytes(const struct act *act) {
    unsigned char *block = obtain(act->size);
    unsigned char *behind = obtain(act->size);
    unsigned char *lower = block < behind ? block : behind;
    unsigned char *upper = block < behind ? behind : block;
    size_t distance = (size_t)(upper - lower);
    size_t reach = act->size <= MIB ? act->size + 4096 : act->size + 1000; /* not over the end of a mapping */
    tell_block(lower, act->size);
    hold(upper, act->size);
    memset(lower, 0x42, act->is_misuse ? smaller_of(distance + 24, reach) : act->size);
    give(act, lower);
}

/* As before, but the block behind is the one that is looked at first: its header is gone. */
static void into_the_next_block(const struct act *act) {
    unsigned char *block = obtain(act->size);
    unsigned char *behind = obtain(act->size);
    unsigned char *lower = block < behind ? block : behind;
    unsigned char *upper = block < behind ? behind : block;
    tell_block(upper, act->size);
    tell_place("neighbour", lower);
    memset(lower, 0x42, act->is_misuse ? (size_t)(upper - lower) : act->size);
    give(act, upper);
}

/* Blocks come into being in several ways; each must leave the block as well watched as malloc does. */

static void of_calloc(const struct act *act) {
    write_and_give(act, obtain_zeroed(act->size), "B", 1);
}

static void of_aligned(const struct act *act) {
    write_and_give(act, obtain_aligned(512, act->size), "B", 1);
}

static void of_grown(const struct act *act) {
    write_and_give(act, obtain_resized(obtain(act->size / 2), act->size), "B", 1);
}

static void of_shrunk(const struct act *act) {
    write_and_give(act, obtain_resized(obtain(act->size + 16), act->size), "B", 1);
}

#ifndef SPECIMEN_ON_LIBC
static void of_first_class_heap(const struct act *act) {
    dam_heap *heap = dam_heap_create();
    CHECK(heap != NULL);
    unsigned char *block = opaque_pointer(dam_heap_malloc(heap, act->size));
    CHECK(block != NULL);
    write_and_give(act, block, "B", 1);
}
#endif

/* A write that skips the bytes right behind the request, and stays within what the block's class has to spare. */
static void gap_of_16(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    block[act->is_misuse ? act->size + 16 : act->size - 1] = 0x42;
    give(act, block);
}

/* ---- Sizes at the edges of classes ------------------------------------------------------------------------------- */

/* Edges of the small classes (the classes of size_classes=pow2 are among them), as they are and with the 8 bytes of a
 * tail. */
#define AROUND(size) (size) - 9, (size)-8, (size)-7, (size)-1, (size)
static const size_t small_edges[] = {1,           AROUND(16),  AROUND(32),  AROUND(48),  AROUND(64),
                                     AROUND(80),  AROUND(96),  AROUND(112), AROUND(128), AROUND(160),
                                     AROUND(192), AROUND(224), 247,         248,         0};

/* Edges of the general classes: steps of 16 bytes at first, then 16 steps for each doubling. */
#define EDGE(size) (size) - 1, (size), (size) + 1
#define EDGES_4(size, step) EDGE(size), EDGE((size) + (step)), EDGE((size) + 2 * (step)), EDGE((size) + 3 * (step))
#define EDGES_16(size, step)                                                                                           \
    EDGES_4(size, step), EDGES_4((size) + 4 * (step), step), EDGES_4((size) + 8 * (step), step),                       \
        EDGES_4((size) + 12 * (step), step)
static const size_t general_edges[] = {257,
                                       EDGES_16(272, 16),
                                       EDGES_16(544, 32),
                                       EDGES_16(1088, 64),
                                       EDGES_16(2176, 128),
                                       EDGES_16(4352, 256),
                                       EDGES_16(8704, 512),
                                       EDGES_16(17408, 1024),
                                       EDGES_4(34816, 2048),
                                       EDGES_4(34816 + 4 * 2048, 2048),
                                       EDGES_4(34816 + 8 * 2048, 2048),
                                       EDGE(34816 + 12 * 2048),
                                       EDGE(34816 + 13 * 2048),
                                       EDGE(34816 + 14 * 2048),
                                       65535,
                                       65536,
                                       0};

/* Where direct blocks end on a page, on a slice, and where they become mappings. */
static const size_t direct_edges[] = {65537,       EDGE(65536 + 4096), EDGE(131072), 131072 - 8,
                                      131072 - 9,  EDGE(196608),       1048568,      EDGE(1048576),
                                      1048577 + 8, EDGE(5242880),      5242880 - 8,  0};

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define FOUND_BY_FREE "write past the end of a block: free of @block"
#define FOUND_BY_REALLOC "write past the end of a block: realloc of @block"
#define HINT "the bytes behind the requested size were changed"
#define AT_END "at @end:"
#define ONE_BYTE AT_END, "  expected *", "  found     42 *", "  changed   ^^ *"
#define ONE_ZERO AT_END, "  expected *", "  found     00 *", "  changed   ^^ *"
#define EIGHT_BYTES AT_END, "  expected *", "  found     42 42 42 42 42 42 42 42*", "  changed   ^^ *"
#define SMALL_LIVE "block at @block of 128 bytes*, live"
#define GENERAL_LIVE "block at @block of 3072 bytes, requested 3000 bytes, live"
#define STACK_OF_OWNER "allocated by thread @owner:", "  #* (@program+0x*)"

const struct specimen specimens[] = {
    /* General and direct blocks: by default. */
    CASE("general.one_byte", default, one_byte, GENERAL, OWNER, FREE, FOUND_BY_FREE, GENERAL_LIVE, ONE_BYTE, HINT),
    CASE("slices.one_byte", default, one_byte, SLICES, OWNER, FREE, FOUND_BY_FREE,
         "block at @block of 200000 bytes, requested 200000 bytes, live", ONE_BYTE, HINT),
    CASE("mapping.one_byte", default, one_byte, MAPPING, OWNER, FREE, FOUND_BY_FREE,
         "block at @block of 5000000 bytes, requested 5000000 bytes, live", ONE_BYTE, HINT),
    CASE("general.terminating_zero", default, terminating_zero, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO),
    CASE("general.terminating_zero_of_odd_size", default, terminating_zero, 1003, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO),
    CASE("slices.terminating_zero", default, terminating_zero, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO),
    CASE("slices.terminating_zero_of_whole_slices", default, terminating_zero, 131072, OWNER, FREE, FOUND_BY_FREE,
         ONE_ZERO),
    CASE("mapping.terminating_zero_of_whole_pages", default, terminating_zero, 5242880, OWNER, FREE, FOUND_BY_FREE,
         ONE_ZERO),
    CASE("general.eight_bytes", default, eight_bytes, GENERAL, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES),
    CASE("slices.eight_bytes", default, eight_bytes, SLICES, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES),
    CASE("general.many_bytes", default, many_bytes, GENERAL, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES),
    CASE("slices.many_bytes", default, many_bytes, SLICES, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES),
    CASE("mapping.many_bytes", default, many_bytes, MAPPING, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES),
    CASE("general.into_the_next_block", default, into_the_next_block, 1000, OWNER, FREE,
         "damaged block header: free of @block", "block at @block of 0 bytes, header damaged",
         "expected *, found 0*42424242", "something wrote just before this block: it, or the block in front of it"),

    /* Whoever is given the block. */
    CASE("general.realloc", default, one_byte, GENERAL, OWNER, REALLOC, FOUND_BY_REALLOC, GENERAL_LIVE, ONE_BYTE),
    CASE("general.realloc_to_less", default, one_byte, GENERAL, OWNER, SHRINK, FOUND_BY_REALLOC, GENERAL_LIVE,
         ONE_BYTE),
    CASE("slices.realloc", default, eight_bytes, SLICES, OWNER, REALLOC, FOUND_BY_REALLOC, EIGHT_BYTES),
    CASE("slices.realloc_to_less", default, one_byte, SLICES, OWNER, SHRINK, FOUND_BY_REALLOC, ONE_BYTE),
    CASE("mapping.realloc", default, one_byte, MAPPING, OWNER, REALLOC, FOUND_BY_REALLOC, ONE_BYTE),
    CASE("general.free_sized", default, one_byte, GENERAL, OWNER, FREE_SIZED,
         "write past the end of a block: free_sized of @block", GENERAL_LIVE, ONE_BYTE),
    CASE("general.usable_size", default, one_byte, GENERAL, OWNER, USABLE_SIZE,
         "write past the end of a block: malloc_usable_size of @block", GENERAL_LIVE, ONE_BYTE),
    CASE("general.by_another_thread", default, one_byte, GENERAL, OTHER, FREE, FOUND_BY_FREE,
         "in thread @doer of process *", GENERAL_LIVE, ONE_BYTE),
    CASE("slices.by_another_thread", default, one_byte, SLICES, OTHER, FREE, FOUND_BY_FREE,
         "in thread @doer of process *", ONE_BYTE),
    CASE("general.realloc_by_another_thread", default, one_byte, GENERAL, OTHER, REALLOC, FOUND_BY_REALLOC, ONE_BYTE),

    /* However the block came into being. */
    CASE("general.of_calloc", default, of_calloc, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("slices.of_calloc", default, of_calloc, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("general.of_aligned", default, of_aligned, 3001, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("slices.of_aligned", default, of_aligned, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("general.of_grown", default, of_grown, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("general.of_shrunk", default, of_shrunk, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("slices.of_grown", default, of_grown, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("slices.of_shrunk", default, of_shrunk, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("mapping.of_grown", default, of_grown, MAPPING, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
#ifndef SPECIMEN_ON_LIBC
    CASE("general.of_first_class_heap", default, of_first_class_heap, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("slices.of_first_class_heap", default, of_first_class_heap, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
#endif

    /* Small blocks, by default: what stays within the class is nobody's harm; the rest is the neighbour's. */
    CASE_SILENT("small.one_byte", default, one_byte, SMALL, OWNER, FREE),
    CASE_SILENT("small.terminating_zero", default, terminating_zero, SMALL, OWNER, FREE),
    CASE_SILENT("small.eight_bytes", default, eight_bytes, SMALL, OWNER, FREE),

    /* With tails. */
    CASE("small.one_byte", tail, one_byte, SMALL, OWNER, FREE, FOUND_BY_FREE, SMALL_LIVE, ONE_BYTE, HINT),
    CASE("small.one_byte_of_100", tail, one_byte, 100, OWNER, FREE, FOUND_BY_FREE,
         "block at @block of * bytes, requested 100 bytes, live", ONE_BYTE),
    CASE("small.terminating_zero", tail, terminating_zero, SMALL, OWNER, FREE, FOUND_BY_FREE, SMALL_LIVE, ONE_ZERO),
    CASE("small.eight_bytes", tail, eight_bytes, SMALL, OWNER, FREE, FOUND_BY_FREE, SMALL_LIVE, EIGHT_BYTES),
    CASE("small.many_bytes", tail, many_bytes, SMALL, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES),
    CASE("small.realloc", tail, one_byte, SMALL, OWNER, REALLOC, FOUND_BY_REALLOC, ONE_BYTE),
    CASE("small.realloc_to_less", tail, one_byte, SMALL, OWNER, SHRINK, FOUND_BY_REALLOC, ONE_BYTE),
    CASE("small.free_sized", tail, one_byte, SMALL, OWNER, FREE_SIZED,
         "write past the end of a block: free_sized of @block", ONE_BYTE),
    CASE("small.usable_size", tail, one_byte, SMALL, OWNER, USABLE_SIZE,
         "write past the end of a block: malloc_usable_size of @block", ONE_BYTE),
    CASE("small.by_another_thread", tail, one_byte, SMALL, OTHER, FREE, FOUND_BY_FREE, "in thread @doer of process *",
         ONE_BYTE),
    CASE("small.of_calloc", tail, of_calloc, SMALL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("small.of_grown", tail, of_grown, SMALL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("small.of_shrunk", tail, of_shrunk, SMALL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("small.gap_of_16", tail, gap_of_16, 132, OWNER, FREE, FOUND_BY_FREE),
    CASE("general.gap_of_16", tail, gap_of_16, GENERAL, OWNER, FREE, FOUND_BY_FREE),
    CASE("general.one_byte", tail, one_byte, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("general.terminating_zero", tail, terminating_zero, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO),
    CASE("general.eight_bytes", tail, eight_bytes, GENERAL, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES),
    CASE("general.many_bytes", tail, many_bytes, GENERAL, OWNER, FREE, FOUND_BY_FREE),
    CASE("general.by_another_thread", tail, one_byte, GENERAL, OTHER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("general.realloc", tail, one_byte, GENERAL, OWNER, REALLOC, FOUND_BY_REALLOC, ONE_BYTE),
    CASE("slices.one_byte", tail, one_byte, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE("slices.terminating_zero", tail, terminating_zero, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO),
    CASE("slices.many_bytes", tail, many_bytes, SLICES, OWNER, FREE, FOUND_BY_FREE),
    CASE("slices.realloc", tail, one_byte, SLICES, OWNER, REALLOC, FOUND_BY_REALLOC, ONE_BYTE),
    CASE("mapping.one_byte", tail, one_byte, MAPPING, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
#ifndef SPECIMEN_ON_LIBC
    CASE("small.of_first_class_heap", tail, of_first_class_heap, SMALL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
#endif

    /* With everything. */
    CASE("small.one_byte", full, one_byte, SMALL, OWNER, FREE, FOUND_BY_FREE, SMALL_LIVE, ONE_BYTE, STACK_OF_OWNER),
    CASE("small.terminating_zero", full, terminating_zero, SMALL, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO, STACK_OF_OWNER),
    CASE("small.eight_bytes", full, eight_bytes, SMALL, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES, STACK_OF_OWNER),
    CASE("small.many_bytes", full, many_bytes, SMALL, OWNER, FREE, FOUND_BY_FREE, STACK_OF_OWNER),
    CASE("small.by_another_thread", full, one_byte, SMALL, OTHER, FREE, FOUND_BY_FREE, ONE_BYTE,
         "found in thread @doer:", STACK_OF_OWNER),
    CASE("small.of_aligned", full, of_aligned, SMALL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE, STACK_OF_OWNER),
    CASE("general.one_byte", full, one_byte, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE, STACK_OF_OWNER),
    CASE("general.terminating_zero", full, terminating_zero, GENERAL, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO,
         STACK_OF_OWNER),
    CASE("general.many_bytes", full, many_bytes, GENERAL, OWNER, FREE, FOUND_BY_FREE, STACK_OF_OWNER),
    CASE("slices.one_byte", full, one_byte, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE, STACK_OF_OWNER),
    CASE("slices.terminating_zero", full, terminating_zero, SLICES, OWNER, FREE, FOUND_BY_FREE, ONE_ZERO,
         STACK_OF_OWNER),
    CASE("slices.eight_bytes", full, eight_bytes, SLICES, OWNER, FREE, FOUND_BY_FREE, EIGHT_BYTES, STACK_OF_OWNER),
    CASE("mapping.one_byte", full, one_byte, MAPPING, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE, STACK_OF_OWNER),

    /* Every edge of every layer. */
    CASE_FOR_EACH("small.at_every_edge", tail, one_byte, small_edges, OWNER, FREE, FOUND_BY_FREE, "in thread *"),
    CASE_FOR_EACH("small.zero_at_every_edge", tail, terminating_zero, small_edges, OWNER, FREE, FOUND_BY_FREE),
    CASE_FOR_EACH("small.at_every_edge", full, one_byte, small_edges, OWNER, FREE, FOUND_BY_FREE),
    CASE_FOR_EACH("general.at_every_edge", default, one_byte, general_edges, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE_FOR_EACH("general.zero_at_every_edge", default, terminating_zero, general_edges, OWNER, FREE, FOUND_BY_FREE,
                  ONE_ZERO),
    CASE_FOR_EACH("general.at_every_edge", tail, one_byte, general_edges, OWNER, FREE, FOUND_BY_FREE),
    CASE_FOR_EACH("direct.at_every_edge", default, one_byte, direct_edges, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE_FOR_EACH("direct.zero_at_every_edge", default, terminating_zero, direct_edges, OWNER, FREE, FOUND_BY_FREE,
                  ONE_ZERO),
    CASE_FOR_EACH("direct.at_every_edge", tail, one_byte, direct_edges, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),
    CASE_FOR_EACH("direct.at_every_edge", full, one_byte, direct_edges, OWNER, FREE, FOUND_BY_FREE, ONE_BYTE),

    /* The program goes on, and nothing comes of it. */
    CASE_GOES_ON("general.one_byte", report, one_byte, GENERAL, OWNER, FREE, FOUND_BY_FREE),
    CASE_GOES_ON("slices.one_byte", report, one_byte, SLICES, OWNER, FREE, FOUND_BY_FREE),
    CASE_GOES_ON("mapping.one_byte", report, one_byte, MAPPING, OWNER, FREE, FOUND_BY_FREE),
    CASE_GOES_ON("general.realloc", report, one_byte, GENERAL, OWNER, REALLOC, FOUND_BY_REALLOC),
    CASE_GOES_ON("slices.realloc", report, eight_bytes, SLICES, OWNER, REALLOC, FOUND_BY_REALLOC),
    CASE_GOES_ON("small.one_byte", tail_report, one_byte, SMALL, OWNER, FREE, FOUND_BY_FREE),
    CASE_GOES_ON("small.one_byte", full_report, one_byte, SMALL, OWNER, FREE, FOUND_BY_FREE),
    CASE_SILENT("general.one_byte", ignore, one_byte, GENERAL, OWNER, FREE),
    CASE_SILENT("slices.one_byte", ignore, one_byte, SLICES, OWNER, FREE),
    CASE_SILENT("general.one_byte", off, one_byte, GENERAL, OWNER, FREE),

    /* What skips the bytes right behind the request and stays in the block is not noticed, and does no harm. */
    CASE_SILENT("small.gap_of_16", default, gap_of_16, 132, OWNER, FREE),
    CASE_SILENT("general.gap_of_16", default, gap_of_16, GENERAL, OWNER, FREE),
    CASE_SILENT("slices.gap_of_16", default, gap_of_16, SLICES, OWNER, FREE),
    {.scene_name = NULL},
};
