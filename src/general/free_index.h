// SPDX-License-Identifier: MIT
/* free_index.h: the free blocks of one general pool, by class. Finding a block that fits, adding and removing one are
 * O(1), whatever the pool holds (two-level segregated fit).
 *
 *   row_bits     | ...1..1. |        which rows of 16 classes have a block
 *   class_bits   | row 3: ...1.... | which classes of the row have one
 *   first        class -> block <-> block <-> block
 *
 * I1  A free block of at least one granule is on the list of its class, exactly once; a smaller one on none.
 * I2  A bit is set if and only if its list, or its row, is not empty.
 * I3  free_granules counts the payload granules of all free blocks.
 *
 * Blocks are linked by granule offsets from the pool's start. A block's pair of links is followed by a check over them,
 * so that a write to a free block is found before it leads anywhere. */
#ifndef DAM_GENERAL_FREE_INDEX_H
#define DAM_GENERAL_FREE_INDEX_H

#include <stdint.h>

#include "general/general_classes.h"
#include "pool/pool.h"

#define INDEX_ROWS (GENERAL_CLASS_COUNT / CLASS_STEPS)

struct free_index {
    uint32_t row_bits;
    uint32_t free_granules;
    uint16_t class_bits[INDEX_ROWS];
    uint32_t first[GENERAL_CLASS_COUNT]; /* granule offset of the list's first block, or 0 */
};

/* Turns [block, + granules] into a free block: header, boundary tag, place in the index. */
void dam_index_insert(struct free_index *index, const struct pool *pool, void *block, uint32_t granules);

/* Takes the free block out of the index. Its header and tag are the caller's to rewrite. Reports damage. */
void dam_index_remove(struct free_index *index, const struct pool *pool, void *block, uint32_t granules);

/* A block of at least the class's size, taken out of the index, or NULL. Stores its size. */
void *dam_index_take(struct free_index *index, const struct pool *pool, uint32_t class_index, uint32_t *granules);

/* The class of the largest free block; 0 if there is none. */
uint32_t dam_index_largest_class(const struct free_index *index);

/* Counts broken invariants. */
size_t dam_index_verify(const struct free_index *index, const struct pool *pool);

#endif
