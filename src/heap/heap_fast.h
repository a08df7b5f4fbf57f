// SPDX-License-Identifier: MIT
/* heap_fast.h: the common way of a heap: the small layer's or the general layer's, by size and by owner. */
#ifndef DAM_HEAP_HEAP_FAST_H
#define DAM_HEAP_HEAP_FAST_H

#include "general/general_fast.h"
#include "heap/heap.h"
#include "small/small_fast.h"

/* A block from what the heap has at hand, or NULL. */
ALWAYS_INLINE void *heap_alloc_fast(struct heap *heap, size_t size) {
    if (LIKELY(size <= SMALL_SIZE_MAX))
        return small_alloc_fast(&heap->small, size);
    if (LIKELY(size <= GENERAL_SIZE_MAX))
        return general_alloc_fast(&heap->general, size);
    return NULL;
}

/* Frees a block of a pool that the calling thread's own heap owns, or reports what is wrong with it. False if another heap,
 * or none, owns the pool. Relaxed (both loads): T3 in pool/ownership.h. */
ALWAYS_INLINE bool heap_free_own(struct heap *heap, void *block, struct pool *pool) {
    if (LIKELY(RELAXED_LOAD(&pool->small_owner) == heap)) {
        if (UNLIKELY(!small_is_live(pool, block)))
            dam_thread_small_free_failed(block, pool);
        else if (UNLIKELY(small_free_fast(pool, block)))
            dam_thread_small_pool_emptied(pool);
        return true;
    }
    if (LIKELY(RELAXED_LOAD(&pool->general_owner) == heap)) {
        if (UNLIKELY(!general_free_fast(&heap->general, block)))
            dam_thread_general_free(block, pool);
        return true;
    }
    return false;
}

#endif
