// SPDX-License-Identifier: MIT
/* destroyed_heap.c: a block is used after the first-class heap that it belonged to was destroyed, and with it the
 * block. */
#include "faults/specimen.h"

#ifndef SPECIMEN_ON_LIBC

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

/* The twin uses the block first, and destroys the heap then. */
static void after_its_heap(const struct act *act) {
    dam_heap *heap = dam_heap_create();
    CHECK(heap != NULL);
    unsigned char *block = opaque_pointer(dam_heap_malloc(heap, act->size));
    CHECK(block != NULL);
    tell_block(block, act->size);
    if (!act->is_misuse)
        give(act, block);
    dam_heap_destroy(heap);
    if (act->is_misuse)
        give(act, block);
}

static void read_step(void *block) {
    tell_thread("doer");
    (void)peek(block);
}

static void reads_of_another_heap(const struct act *act) {
    dam_heap *heap = dam_heap_create();
    dam_heap *other = dam_heap_create();
    CHECK(heap != NULL && other != NULL);
    unsigned char *block = opaque_pointer(dam_heap_malloc(heap, act->size));
    unsigned char *of_other = opaque_pointer(dam_heap_malloc(other, act->size));
    CHECK(block != NULL && of_other != NULL);
    dam_heap_destroy(other);
    tell_block(of_other, act->size);
    if (act->is_misuse)
        give(act, of_other);
    read_step(block);
    dam_heap_destroy(heap);
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define GONE "in thread @doer of process *", "no block is there*"

const struct specimen specimens[] = {
    CASE("small.free", default, after_its_heap, SMALL, OWNER, FREE, "not a DAM pointer: free of @block", GONE),
    CASE("general.free", default, after_its_heap, GENERAL, OWNER, FREE, "not a DAM pointer: free of @block", GONE),
    CASE("slices.free", default, after_its_heap, SLICES, OWNER, FREE, "double free: free of @block",
         "in thread @doer of process *", "block at @block of 200000 bytes, requested 200000 bytes, released, *"),
    CASE("mapping.free", default, after_its_heap, MAPPING, OWNER, FREE, "double free: free of @block",
         "block at @block of 5000000 bytes, requested 5000000 bytes, released, *"),
    CASE("small.realloc", default, after_its_heap, SMALL, OWNER, REALLOC, "not a DAM pointer: realloc of @block", GONE),
    CASE("general.realloc", default, after_its_heap, GENERAL, OWNER, REALLOC, "not a DAM pointer: realloc of @block",
         GONE),
    CASE("slices.realloc", default, after_its_heap, SLICES, OWNER, REALLOC, "double free: realloc of @block"),
    CASE("small.heap_realloc", default, after_its_heap, SMALL, OWNER, HEAP_REALLOC,
         "not a DAM pointer: realloc of @block"),
    CASE("general.usable_size", default, after_its_heap, GENERAL, OWNER, USABLE_SIZE,
         "not a DAM pointer: malloc_usable_size of @block"),
    CASE("small.free_by_another_thread", default, after_its_heap, SMALL, OTHER, FREE,
         "not a DAM pointer: free of @block", GONE),
    CASE("general.free_by_another_thread", default, after_its_heap, GENERAL, OTHER, FREE,
         "not a DAM pointer: free of @block", GONE),
    CASE("small.free_beside_another_heap", default, reads_of_another_heap, SMALL, OWNER, FREE,
         "not a DAM pointer: free of @block", GONE),
    CASE("small.free", tail, after_its_heap, SMALL, OWNER, FREE, "not a DAM pointer: free of @block"),
    CASE("general.free", tail, after_its_heap, GENERAL, OWNER, FREE, "not a DAM pointer: free of @block"),
    CASE("small.free", full, after_its_heap, SMALL, OWNER, FREE, "not a DAM pointer: free of @block"),
    CASE("general.free", full, after_its_heap, GENERAL, OWNER, FREE, "not a DAM pointer: free of @block"),
    CASE("slices.free", full, after_its_heap, SLICES, OWNER, FREE, "double free: free of @block"),
    {.scene_name = NULL},
};

#else

/* First-class heaps are DAM's own; there is nothing for a witness to see. */
const struct specimen specimens[] = {{.scene_name = NULL}};

#endif
