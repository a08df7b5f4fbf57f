// SPDX-License-Identifier: MIT
/* interior_pointer.c: an address inside a block, or beside one, is released or resized: what is given is DAM's memory,
 * but no block starts there. */
#include "faults/specimen.h"

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

/* The block stays in use; the twin gives the block itself. */
static void give_inside(const struct act *act, size_t offset) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    tell_place("given", block + offset);
    if (act->is_misuse)
        hold(block, act->size);
    give(act, act->is_misuse ? block + offset : block);
}

static void sixteen_inside(const struct act *act) {
    give_inside(act, 16);
}

/* Aligned as pages are, where the block is large enough. */
static void middle(const struct act *act) {
    give_inside(act, act->size > 65536 ? act->size / 2 & ~(size_t)4095 : act->size / 2 & ~(size_t)15);
}

static void misaligned(const struct act *act) {
    give_inside(act, 1);
}

static void last_byte(const struct act *act) {
    give_inside(act, act->size - 1);
}

/* A slice further on: where another pool could start. */
static void next_slice(const struct act *act) {
    give_inside(act, 65536);
}

/* The bytes look like those of a block: a copy of what stands before and in a live one. */
static void forged_inside(const struct act *act) {
    unsigned char *model = obtain(act->size / 4);
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    unsigned char *forged = block + (act->size / 2 & ~(size_t)15);
    tell_place("given", forged);
    hold_unfilled(block, act->size);
    if (act->is_misuse)
        memcpy(forged - 16, opaque_pointer(model - 16), 16 + act->size / 4);
    give(act, act->is_misuse ? forged : model);
}

#ifndef SPECIMEN_ON_LIBC
/* The start of a small block's pool, where the cornerstone is. */
static void pool_start(const struct act *act) {
    unsigned char *block = obtain(act->size);
    unsigned char *start = block - ((uintptr_t)block & 0xffff);
    tell_place("given", start);
    give(act, act->is_misuse ? start : block);
}

/* A place in a small block's pool that was never given out. */
static void never_given_out(const struct act *act) {
    unsigned char *block = obtain(act->size);
    unsigned char *far = block - ((uintptr_t)block & 0xffff) + 128 * 500;
    tell_place("given", far);
    give(act, act->is_misuse ? far : block);
}

/* What DAM keeps before a general block. */
static void header(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    tell_place("given", block - 8);
    give(act, act->is_misuse ? block - 8 : block);
}
#endif

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define BY_FREE "not the start of a block: free of @given"
#define BY_REALLOC "not the start of a block: realloc of @given"
#define IN_SMALL "block at @block of 128 bytes, the block it lies in"
#define IN_GENERAL "block at @block of 3072 bytes, requested 3000 bytes, live"
#define IN_DIRECT "block at @block of @size bytes, requested @size bytes, the block it lies in"
#define HINT "the address lies inside a DAM pool, but no block starts there"
#define ALONE "block at @block of @size bytes, requested @size bytes, live, alone between guard pages"

const struct specimen specimens[] = {
    CASE("small.sixteen_inside", default, sixteen_inside, SMALL, OWNER, FREE, BY_FREE, "in thread @doer of process *",
         "pool of 65536 bytes at * (small layer)", IN_SMALL, HINT),
    CASE("general.sixteen_inside", default, sixteen_inside, GENERAL, OWNER, FREE, BY_FREE,
         "in thread @doer of process *", "pool of * bytes at * (general layer)", IN_GENERAL, HINT),
    CASE("slices.sixteen_inside", default, sixteen_inside, SLICES, OWNER, FREE, BY_FREE,
         "pool of 262144 bytes at * (direct layer)", IN_DIRECT, HINT),
    CASE("mapping.sixteen_inside", default, sixteen_inside, MAPPING, OWNER, FREE, BY_FREE,
         "pool of * bytes at * (direct layer)", IN_DIRECT, HINT),
    CASE("small.middle", default, middle, SMALL, OWNER, FREE, BY_FREE, IN_SMALL),
    CASE("general.middle", default, middle, GENERAL, OWNER, FREE, BY_FREE, IN_GENERAL),
    CASE("slices.middle", default, middle, SLICES, OWNER, FREE, BY_FREE, IN_DIRECT),
    CASE("mapping.middle", default, middle, MAPPING, OWNER, FREE, BY_FREE, IN_DIRECT),
    CASE("slices.next_slice", default, next_slice, SLICES, OWNER, FREE, BY_FREE, IN_DIRECT),
    CASE("small.misaligned", default, misaligned, SMALL, OWNER, FREE, BY_FREE, IN_SMALL),
    CASE("general.misaligned", default, misaligned, GENERAL, OWNER, FREE, BY_FREE, IN_GENERAL),
    CASE("slices.misaligned", default, misaligned, SLICES, OWNER, FREE, BY_FREE, IN_DIRECT),
    CASE("small.last_byte", default, last_byte, SMALL, OWNER, FREE, BY_FREE, IN_SMALL),
    CASE("general.last_byte", default, last_byte, GENERAL, OWNER, FREE, BY_FREE, IN_GENERAL),
    CASE("slices.last_byte", default, last_byte, SLICES, OWNER, FREE, BY_FREE, IN_DIRECT),
    CASE("general.forged_inside", default, forged_inside, GENERAL, OWNER, FREE, BY_FREE, IN_GENERAL),
    CASE("small.middle_by_another_thread", default, middle, SMALL, OTHER, FREE, BY_FREE, "in thread @doer of process *",
         IN_SMALL),
    CASE("general.middle_by_another_thread", default, middle, GENERAL, OTHER, FREE, BY_FREE,
         "in thread @doer of process *", IN_GENERAL),
    CASE("slices.middle_by_another_thread", default, middle, SLICES, OTHER, FREE, BY_FREE,
         "in thread @doer of process *", IN_DIRECT),
    CASE("small.realloc_in_the_middle", default, middle, SMALL, OWNER, REALLOC, BY_REALLOC, IN_SMALL),
    CASE("general.realloc_in_the_middle", default, middle, GENERAL, OWNER, REALLOC, BY_REALLOC, IN_GENERAL),
    CASE("slices.realloc_in_the_middle", default, middle, SLICES, OWNER, REALLOC, BY_REALLOC, IN_DIRECT),
    CASE("mapping.realloc_in_the_middle", default, middle, MAPPING, OWNER, REALLOC, BY_REALLOC, IN_DIRECT),
    CASE("small.usable_size_misaligned", default, misaligned, SMALL, OWNER, USABLE_SIZE,
         "not the start of a block: malloc_usable_size of @given", IN_SMALL),
    CASE("general.usable_size_misaligned", default, misaligned, GENERAL, OWNER, USABLE_SIZE,
         "not the start of a block: malloc_usable_size of @given", IN_GENERAL),
    CASE("slices.usable_size_misaligned", default, misaligned, SLICES, OWNER, USABLE_SIZE,
         "not the start of a block: malloc_usable_size of @given", IN_DIRECT),
    CASE("small.free_sized_in_the_middle", default, middle, SMALL, OWNER, FREE_SIZED,
         "not the start of a block: free_sized of @given", IN_SMALL),
    CASE("general.free_sized_in_the_middle", default, middle, GENERAL, OWNER, FREE_SIZED,
         "not the start of a block: free_sized of @given", IN_GENERAL),
    CASE("slices.free_sized_in_the_middle", default, middle, SLICES, OWNER, FREE_SIZED,
         "not the start of a block: free_sized of @given", IN_DIRECT),
    CASE("small.middle", tail, middle, SMALL, OWNER, FREE, BY_FREE, IN_SMALL),
    CASE("general.middle", tail, middle, GENERAL, OWNER, FREE, BY_FREE),
    CASE("slices.middle", tail, middle, SLICES, OWNER, FREE, BY_FREE),
    CASE("small.middle", full, middle, SMALL, OWNER, FREE, BY_FREE, IN_SMALL, "allocated by thread @owner:"),
    CASE("general.middle", full, middle, GENERAL, OWNER, FREE, BY_FREE, "allocated by thread @owner:"),
    CASE("slices.middle", full, middle, SLICES, OWNER, FREE, BY_FREE, "allocated by thread @owner:"),
    CASE("mapping.middle", full, middle, MAPPING, OWNER, FREE, BY_FREE, "allocated by thread @owner:"),
    CASE("small.sixteen_inside", sampled, sixteen_inside, SMALL, OWNER, FREE, BY_FREE, ALONE,
         "allocated by thread @owner:"),
    CASE("small.misaligned", sampled, misaligned, SMALL, OWNER, FREE, BY_FREE, ALONE, "allocated by thread @owner:"),
    CASE("general.middle", sampled, middle, GENERAL, OWNER, FREE, BY_FREE, ALONE, "allocated by thread @owner:"),
    CASE("small.realloc_in_the_middle", sampled, middle, SMALL, OWNER, REALLOC, BY_REALLOC, ALONE,
         "allocated by thread @owner:"),
    CASE("small.middle_by_another_thread", sampled, middle, SMALL, OTHER, FREE, BY_FREE, "in thread @doer of process *",
         ALONE, "allocated by thread @owner:"),
#ifndef SPECIMEN_ON_LIBC
    CASE("small.pool_start", default, pool_start, SMALL, OWNER, FREE, BY_FREE, "block at @given of 128 bytes, *", HINT),
    CASE("small.never_given_out", default, never_given_out, SMALL, OWNER, FREE, BY_FREE,
         "block at @given of 128 bytes, never given out", HINT),
    CASE("general.header", default, header, GENERAL, OWNER, FREE, BY_FREE),
    CASE("small.expand_in_the_middle", default, middle, SMALL, OWNER, EXPAND,
         "not the start of a block: expand of @given"),
    CASE("general.expand_in_the_middle", default, middle, GENERAL, OWNER, EXPAND,
         "not the start of a block: expand of @given"),
    CASE("general.heap_realloc_in_the_middle", default, middle, GENERAL, OWNER, HEAP_REALLOC, BY_REALLOC),
#endif

    /* The program goes on, and nothing comes of it. */
    CASE_GOES_ON("small.middle", report, middle, SMALL, OWNER, FREE, BY_FREE),
    CASE_GOES_ON("general.middle", report, middle, GENERAL, OWNER, FREE, BY_FREE),
    CASE_GOES_ON("slices.middle", report, middle, SLICES, OWNER, FREE, BY_FREE),
    CASE_SILENT("small.middle", ignore, middle, SMALL, OWNER, FREE),
    CASE_SILENT("general.middle", ignore, middle, GENERAL, OWNER, FREE),
    CASE_SILENT("slices.middle", off, middle, SLICES, OWNER, FREE),
    {.scene_name = NULL},
};
