// SPDX-License-Identifier: MIT
/* size_classes.h: which block sizes the small layer has.
 *
 *   steps4   16 32 48 64 80 96 112 128 160 192 224 256     four steps per doubling, 12 classes: the default
 *   pow2        32       64            128         256     the pure powers of two
 *
 * The table is built once, from the number of steps per doubling. Finer steps waste less inside blocks and strand more
 * in pools that one class holds and another needs; docs/decisions has the measurement. */
#ifndef DAM_SMALL_SIZE_CLASSES_H
#define DAM_SMALL_SIZE_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

#define SMALL_CLASS_COUNT_MAX 12u
#define SMALL_GRANULE_COUNT (SMALL_SIZE_MAX / GRANULE_BYTES + 1)

struct small_class {
    uint32_t block_bytes;
    uint32_t block_count;   /* how many fit into a pool */
    uint32_t granule_first; /* sizes of granule_first to granule_last granules are served by this class */
    uint32_t granule_last;
    uint32_t block_shift;   /* block_bytes = odd << block_shift */
    uint64_t block_inverse; /* of that odd number modulo 2^64 */
};

struct small_classes {
    uint32_t count;
    struct small_class of[SMALL_CLASS_COUNT_MAX];
    uint8_t index_of_granule[SMALL_GRANULE_COUNT];
};

extern struct small_classes dam_small_classes;

/* Builds the table; once, before the first small block. steps_per_doubling 4 starts at 16 bytes, 1 at 32. */
void dam_small_classes_init(uint32_t steps_per_doubling);

/* Sizes are served by the granule, so that the table has 17 entries and finding one is a shift. */
static inline size_t small_granule(size_t size) {
    return (size + GRANULE_BYTES - 1) >> GRANULE_SHIFT;
}

static inline uint32_t small_class_index(size_t size) {
    return dam_small_classes.index_of_granule[small_granule(size)];
}

#endif
