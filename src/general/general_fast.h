// SPDX-License-Identifier: MIT
/* general_fast.h: the common way of the general layer: quick lists, one per class and heap, last in first out.
 *
 *   free    header says live? canary intact? -> state quick, onto the list of its class
 *   malloc  link intact? -> off the list, header and canary for the new request
 *
 * Merging with neighbours is deferred until the lists hold too much, the heap must grow, or its thread ends. The header of
 * a block taken off a list is not read but written anew: its size is its class's (G3), so there is nothing to trust.
 *
 * A list ends in dam_quick_end, a block that is none: its link is not intact, so the one test of the common way finds the
 * end, too. Whatever fails a test here goes the slow way, which looks again and says what it was. */
#ifndef DAM_GENERAL_GENERAL_FAST_H
#define DAM_GENERAL_GENERAL_FAST_H

#include "general/block.h"
#include "general/general.h"

/* The class for a size up to GENERAL_SIZE_MAX; 0 counts as 1. */
ALWAYS_INLINE uint32_t general_class_for(size_t size) {
    return dam_general.class_holding[(size + GRANULE_BYTES - 1) >> GRANULE_SHIFT];
}

/* A block from the quick list, or NULL when there is none to be had this way. */
ALWAYS_INLINE void *general_alloc_fast(struct general_heap *heap, size_t size) {
    uint32_t class_index = general_class_for(size);
    struct block_link *block = heap->quick[class_index];
    if (UNLIKELY(!block_quick_link_is_intact(block)))
        return NULL;
    heap->quick[class_index] = block->next;
    heap->quick_room += (int64_t)block_make_live(block, dam_general.size_fields_of_class[class_index], size);
    return block;
}

/* Frees a block of a pool that the heap owns. False if that is not to be done this way; all that has changed then is that
 * quick_room was charged for the block (dam_general_free takes that back): charging first, by a header not yet checked,
 * leaves one way out for everything that can be wrong. */
ALWAYS_INLINE bool general_free_fast(struct general_heap *heap, void *block) {
    struct block_header *header = block_header(block);
    uint32_t fields = header->fields;
    uint64_t seal = block_seal(block, fields);
    heap->quick_room -= fields;
    if (UNLIKELY(heap->quick_room < 0))
        return false;
    if (UNLIKELY(header->check != (seal_check(seal) ^ (uint32_t)BLOCK_LIVE)))
        return false;
    if (UNLIKELY(block_read_canary(block, request_in(fields)) != seal))
        return false;
    uint32_t class_index = dam_general.class_holding[block_granules(block)];
    block_write_quick_link(block, heap->quick[class_index]);
    heap->quick[class_index] = block;
    block_change_state(block, BLOCK_LIVE, BLOCK_QUICK);
    return true;
}

#endif
