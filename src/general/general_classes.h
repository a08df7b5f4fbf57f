// SPDX-License-Identifier: MIT
/* general_classes.h: the sizes that blocks of the general layer are rounded to.
 *
 * Sizes are counted in granules of 16 bytes of payload. Up to 32 granules every count is a class of its own; above, each
 * doubling is cut into 16 equal steps:
 *
 *     granules   1 2 3 ... 31 | 32 34 36 ... 62 | 64 68 72 ... 124 | ... | 4096 = 64 KiB | ... | whole pools
 *     class      1 2 3 ... 31 | 32 33 34 ... 47 | 48 49 50 ...  63 | ... |  144          | ... |
 *
 * The classes do two services: the free index has one list per class, and the quick lists have, too. Because every live
 * block is exactly as large as its class, any block on the list of a class serves any request that rounds up to it. The
 * price is half a step per block, 2 % on average. */
#ifndef DAM_GENERAL_GENERAL_CLASSES_H
#define DAM_GENERAL_GENERAL_CLASSES_H

#include <stdint.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "base/config.h"

#define CLASS_STEP_BITS 4u
#define CLASS_STEPS (1u << CLASS_STEP_BITS)

/* Pools are at most 4 MiB: 2^18 granules. */
#define GENERAL_POOL_BYTES_MAX ((size_t)4 << 20)
#define GENERAL_CLASS_COUNT 256u
#define GENERAL_LIVE_CLASS_COUNT 145u /* classes that requests can have: up to 4096 granules */

/* The class whose blocks hold at least `granules`: rounds up. granules is at least 1. */
static inline uint32_t class_holding(uint32_t granules) {
    if (granules < 2 * CLASS_STEPS)
        return granules;
    uint32_t shift = highest_bit(granules) - CLASS_STEP_BITS;
    return (shift << CLASS_STEP_BITS) + ((granules + (1u << shift) - 1) >> shift);
}

/* The class that a block of `granules` belongs to in the index: rounds down. */
static inline uint32_t class_of_block(uint32_t granules) {
    if (granules < 2 * CLASS_STEPS)
        return granules;
    uint32_t shift = highest_bit(granules) - CLASS_STEP_BITS;
    return (shift << CLASS_STEP_BITS) + (granules >> shift);
}

/* The size of a class, in granules. */
static inline uint32_t class_granules(uint32_t class_index) {
    if (class_index < 2 * CLASS_STEPS)
        return class_index;
    uint32_t shift = (class_index >> CLASS_STEP_BITS) - 1;
    return (CLASS_STEPS + (class_index & (CLASS_STEPS - 1))) << shift;
}

#endif
