// SPDX-License-Identifier: MIT
/* no_memory.h: a process that has no more memory to be had: the system maps nothing, every free slice is taken, the stock is
 * empty. Needs FAKE_OS. What the heap itself keeps (quick lists, free blocks) is still there. */
#ifndef DAM_TESTS_UNIT_SUPPORT_NO_MEMORY_H
#define DAM_TESTS_UNIT_SUPPORT_NO_MEMORY_H

#include "region/central.h"
#include "region/region.h"
#include "support/test.h"
#include "unit/support/fake_os.h"

#define HOARD_MAX 4096

/* The slices that were free. */
struct hoard {
    size_t count;
    void *slices[HOARD_MAX];
    struct region *regions[HOARD_MAX];
};

static inline void no_memory_begin(struct hoard *hoard) {
    bool zeroed;
    fake_os.map_bytes_max = 0;
    hoard->count = 0;
    dam_central_enter();
    dam_region_purge_all();
    while (hoard->count < HOARD_MAX) {
        void *slice = dam_region_take(1, &hoard->regions[hoard->count], &zeroed);
        if (slice == NULL)
            break;
        hoard->slices[hoard->count++] = slice;
    }
    dam_central_leave();
    assert_true(hoard->count < HOARD_MAX);
}

static inline void no_memory_end(struct hoard *hoard) {
    fake_os_reset();
    dam_central_enter();
    for (size_t i = 0; i < hoard->count; i++)
        dam_region_give(hoard->regions[i], hoard->slices[i], 1);
    dam_central_leave();
    hoard->count = 0;
}

#endif
