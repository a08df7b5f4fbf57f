// SPDX-License-Identifier: MIT
/* front_fast.h: malloc and free as the program calls them: which layer, the common way inline, everything else out of line.
 *
 *   malloc(n)   n <= 256    -> the heap's current pool of that class -> pop
 *               n <= 65536  -> the heap's quick list of that class   -> pop
 *               else, or when that has nothing                       -> dam_front_alloc_slow
 *
 *   free(p)     pool map -> the pool's owner is my heap              -> push
 *               else                                                 -> dam_front_free_slow
 *
 * dam_malloc and malloc are these functions, inlined whole (api.c, shim/libc.c). Neither tests for a missing heap, a door, a
 * NULL pointer or a foreign one: no_heap, the door, the empty pool and the sentinel fail the tests that are there anyway. */
#ifndef DAM_FRONT_FRONT_FAST_H
#define DAM_FRONT_FRONT_FAST_H

#include "base/thread_self.h"
#include "heap/heap_fast.h"
#include "pool/pool_map.h"

/* The slow way of malloc: any size, any state of the thread. NULL with ENOMEM. */
NEVER_INLINE void *dam_front_alloc_slow(size_t size);

/* The slow way of free: NULL, what others own, large blocks, foreign pointers, and everything behind a door. */
NEVER_INLINE void dam_front_free_slow(void *block, struct pool *pool);

ALWAYS_INLINE void *front_malloc(size_t size) {
    void *block = heap_alloc_fast(dam_thread_heap, size);
    return LIKELY(block != NULL) ? block : dam_front_alloc_slow(size);
}

ALWAYS_INLINE void front_free(void *block) {
    struct pool *pool = pool_of(block);
    if (UNLIKELY(!heap_free_own(dam_thread_heap, block, pool)))
        dam_front_free_slow(block, pool);
}

#endif
