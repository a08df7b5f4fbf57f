// SPDX-License-Identifier: MIT
/* front_fast.h: malloc and free as the program calls them: which layer, the common way inline, everything else out of line.
 *
 *   malloc(n)   n <= 256    -> the heap's current pool of that class -> pop
 *               n <= 65536  -> the heap's quick list of that class   -> pop
 *               else, or when that has nothing                       -> dam_front_alloc_slow
 *
 *   free(p)     pool map -> the pool's owner is my heap              -> push
 *               else                                                 -> dam_free_of_others
 *
 * dam_malloc and malloc are these functions, inlined whole (api.c, shim/libc.c). Neither tests for a missing heap, a NULL
 * pointer or a foreign one: no_heap, the empty pool and the sentinel fail the tests that are there anyway. */
#ifndef DAM_FRONT_FRONT_FAST_H
#define DAM_FRONT_FRONT_FAST_H

#include "base/thread_self.h"
#include "general/general_fast.h"
#include "heap/heap.h"
#include "pool/pool_map.h"
#include "small/small_fast.h"

/* The slow way of malloc: any size, any state of the thread. NULL with ENOMEM. */
NEVER_INLINE void *dam_front_alloc_slow(size_t size);

/* Relaxed (both): T3 in pool/ownership.h. */
ALWAYS_INLINE bool front_owns_small(struct pool *pool) {
    return RELAXED_LOAD(&pool->small_owner) == dam_thread_heap;
}

ALWAYS_INLINE bool front_owns_general(struct pool *pool) {
    return RELAXED_LOAD(&pool->general_owner) == dam_thread_heap;
}

ALWAYS_INLINE void *front_malloc(size_t size) {
    void *block = NULL;
    if (LIKELY(size <= SMALL_SIZE_MAX))
        block = small_alloc_fast(&dam_thread_heap->small, size);
    else if (LIKELY(size <= GENERAL_SIZE_MAX))
        block = general_alloc_fast(&dam_thread_heap->general, size);
    if (LIKELY(block != NULL))
        return block;
    return dam_front_alloc_slow(size);
}

ALWAYS_INLINE void front_free(void *block) {
    struct pool *pool = pool_of(block);
    if (LIKELY(front_owns_small(pool))) {
        if (UNLIKELY(!small_is_live(pool, block)))
            dam_thread_small_free_failed(block, pool);
        else if (UNLIKELY(small_free_fast(pool, block)))
            dam_thread_small_pool_emptied(pool);
    } else if (LIKELY(front_owns_general(pool))) {
        if (UNLIKELY(!general_free_fast(&dam_thread_heap->general, block)))
            dam_thread_general_free(block, pool);
    } else {
        dam_free_of_others(block, pool);
    }
}

#endif
