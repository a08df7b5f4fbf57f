// SPDX-License-Identifier: MIT
/* size_classes.c: builds the table of size_classes.h. */
#include "small/size_classes.h"

#include "base/assert.h"
#include "base/bits.h"

struct small_classes dam_small_classes;

static void add_class(uint32_t block_bytes) {
    struct small_classes *table = &dam_small_classes;
    DAM_ASSERT(table->count < SMALL_CLASS_COUNT_MAX);
    uint32_t first = table->count == 0 ? 0 : table->of[table->count - 1].granule_last + 1;
    uint32_t last = block_bytes >> GRANULE_SHIFT;
    uint32_t shift = lowest_bit(block_bytes);
    table->of[table->count] = (struct small_class){
        .block_bytes = block_bytes,
        .block_count = (uint32_t)(SLICE_BYTES / block_bytes),
        .granule_first = first,
        .granule_last = last,
        .block_shift = shift,
        .block_inverse = inverse_of_odd(block_bytes >> shift),
    };
    for (uint32_t granule = first; granule <= last; granule++)
        table->index_of_granule[granule] = (uint8_t)table->count;
    table->count++;
}

/* Each doubling (base, 2 * base] is cut into equal steps, but never finer than a granule. */
void dam_small_classes_init(uint32_t steps_per_doubling) {
    dam_small_classes.count = 0;
    uint32_t base = steps_per_doubling == 1 ? 32 : 16;
    add_class(base);
    for (; base < SMALL_SIZE_MAX; base *= 2) {
        uint32_t step = base / steps_per_doubling;
        if (step < GRANULE_BYTES)
            step = GRANULE_BYTES;
        for (uint32_t block_bytes = base + step; block_bytes <= 2 * base; block_bytes += step)
            add_class(block_bytes);
    }
}
