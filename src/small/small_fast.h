// SPDX-License-Identifier: MIT
/* small_fast.h: the common way of the small layer, whole.
 *
 *   pool (64 KiB)   | cornerstone | block | block | block | block |  not carved yet, not touched  |
 *                         ^          live    free ----> free --+
 *                         +------------------------------------+
 *
 * A live block has no header: every byte is the program's. A free block holds one word, at its start:
 *
 *     word = block address * pool key  XOR  offset of the next free block
 *
 * The offset has 16 bits, so the upper 48 bits are a tag that only this address in this life of the pool can bear. The
 * block at offset 0 is the cornerstone: it is never given out, closes every free list, and bears its tag with an offset at
 * which no block can start.
 *
 * S1  Every free block bears its tag; no live block does (the word is cleared when the block is given out).
 * S2  The free list holds only starts of carved blocks of this pool: an offset cannot lead outside, and a block that
 *     does not bear its own tag is never given out.
 * S3  live = carved - 1 - blocks on the free list, and one more in a current pool.
 *
 * Hence one comparison on each way. `word XOR tag <= SMALL_NEXT_MAX` says "free, and here is the next one": when it fails
 * on malloc, the list is at its end, or the block was written to after it was freed. `word XOR tag <= 0xffff` says "free, or
 * the cornerstone": when it holds on free, the block was freed before. Whatever fails a test here goes the slow way, which
 * looks again and says what it was.
 *
 * Not here: what happens when a pool has no free block, or no live one (small.c); frees by others (pool/ownership.h). */
#ifndef DAM_SMALL_SMALL_FAST_H
#define DAM_SMALL_SMALL_FAST_H

#include "base/bits.h"
#include "base/compiler.h"
#include "pool/pool.h"
#include "small/small.h"

/* The end of a free list: the cornerstone's offset. */
#define SMALL_LIST_END ((uint32_t)0)

/* Offsets of blocks are multiples of a granule; the cornerstone's word holds one that is beyond them all. */
#define SMALL_NEXT_MAX ((uint64_t)(SLICE_BYTES - GRANULE_BYTES))
#define SMALL_CORNERSTONE_NEXT ((uint64_t)0xffff)

static inline void *small_block_at(const struct pool *pool, uint32_t offset) {
    return pool_start(pool) + offset;
}

static inline uint64_t small_tag(const struct pool *pool, const void *block) {
    return (uintptr_t)block * pool->key;
}

/* What the block's first word says if it is free: the next block's offset. More than 0xffff: it is not. */
static inline uint64_t small_next_if_free(const struct pool *pool, const void *block) {
    return *(const uint64_t *)block ^ small_tag(pool, block);
}

/* The index of the block that starts at `address`, or a number no smaller than any index if none does.
 *
 * Dividing by odd << shift without a division: multiplying by the odd part's inverse undoes it exactly if it divides, and
 * yields something huge otherwise; rotating does the same for the power of two, moving any bits that do not divide to the
 * top. An address outside the pool gives an offset beyond 64 KiB and so a huge number, too. One comparison with the
 * number of carved blocks then answers all three questions: in the pool, at a block's start, carved. */
static inline uint64_t small_block_index(const struct pool *pool, const void *address) {
    return rotate_right(pool_offset(pool, address) * pool->block_inverse, pool->block_shift);
}

/* A block of the class that serves `size`, or NULL when there is none to be had this way. */
ALWAYS_INLINE void *small_alloc_fast(struct small_heap *heap, size_t size) {
    struct pool *pool = heap->current[small_granule(size)];
    uint64_t *block = small_block_at(pool, pool->free_head);
    uint64_t next = small_next_if_free(pool, block);
    if (UNLIKELY(next > SMALL_NEXT_MAX))
        return NULL;
    pool->free_head = (uint32_t)next;
    pool->live++;
    *block = 0;
    return block;
}

/* Whether the address is a live block of a pool that the caller owns. */
ALWAYS_INLINE bool small_is_live(const struct pool *pool, const void *address) {
    return LIKELY(small_block_index(pool, address) < pool->carved) &&
           LIKELY(small_next_if_free(pool, address) > SMALL_CORNERSTONE_NEXT);
}

/* Frees a live block of a pool that the caller owns. True if that was the pool's last. */
ALWAYS_INLINE bool small_free_fast(struct pool *pool, void *block) {
    *(uint64_t *)block = small_tag(pool, block) ^ pool->free_head;
    pool->free_head = (uint32_t)((uintptr_t)block & (SLICE_BYTES - 1));
    return --pool->live == 0;
}

#endif
