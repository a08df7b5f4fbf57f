// SPDX-License-Identifier: MIT
/* pool_map.c: writing the pool map. Reading it is in pool_map.h, where its picture is. */
#include "pool/pool_map.h"

#include "base/assert.h"
#include "os/os.h"

struct pool_map dam_pool_map = {
    .sentinel = {.start = 0, .layer = LAYER_NONE},
};

static intptr_t offset_from(const void *base, const void *target) {
    return (intptr_t)((uintptr_t)target - (uintptr_t)base);
}

static struct pool_map_leaf *leaf_of(uintptr_t address) {
    intptr_t offset = __atomic_load_n(&dam_pool_map.leaf_offset[address >> ZONE_SHIFT], __ATOMIC_ACQUIRE);
    return (void *)((char *)&dam_pool_map.no_leaf + offset);
}

/* Several threads may find the zone without a leaf (this runs without a lock while the central one is frozen); the first
 * to publish one wins. Release, so that a reader of the offset sees the leaf's zeroes and not older memory. */
static bool add_leaf(uintptr_t zone) {
    void *leaf = dam_os_map(sizeof(struct pool_map_leaf), dam_os_page_bytes());
    if (leaf == NULL)
        return false;
    intptr_t none = 0;
    if (!__atomic_compare_exchange_n(&dam_pool_map.leaf_offset[zone], &none, offset_from(&dam_pool_map.no_leaf, leaf),
                                     false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        dam_os_unmap(leaf, sizeof(struct pool_map_leaf));
    return true;
}

bool dam_pool_map_prepare(uintptr_t start, size_t bytes) {
    uintptr_t last = start + bytes - 1;
    if (last >> ADDRESS_BITS != 0)
        return false;
    for (uintptr_t zone = start >> ZONE_SHIFT; zone <= last >> ZONE_SHIFT; zone++) {
        if (leaf_of(zone << ZONE_SHIFT) == &dam_pool_map.no_leaf && !add_leaf(zone))
            return false;
    }
    return true;
}

/* Relaxed stores: see pool_of. */
static void store_entries(uintptr_t start, size_t bytes, intptr_t offset) {
    for (uintptr_t slice = start; slice < start + bytes; slice += SLICE_BYTES) {
        struct pool_map_leaf *leaf = leaf_of(slice);
        DAM_ASSERT(leaf != &dam_pool_map.no_leaf);
        RELAXED_STORE(&leaf->pool_offset[(uint32_t)slice >> SLICE_SHIFT], offset);
    }
}

void dam_pool_map_set(uintptr_t start, size_t bytes, struct pool *pool) {
    store_entries(start, bytes, offset_from(&dam_pool_map, pool));
}

void dam_pool_map_clear(uintptr_t start, size_t bytes) {
    store_entries(start, bytes, 0);
}

void dam_pool_map_visit(void (*visit)(struct pool *pool, void *context), void *context) {
    const struct pool *previous = NULL;
    for (uintptr_t zone = 0; zone < ZONE_COUNT; zone++) {
        struct pool_map_leaf *leaf = leaf_of(zone << ZONE_SHIFT);
        if (leaf == &dam_pool_map.no_leaf)
            continue;
        for (size_t slice = 0; slice < LEAF_SLICES; slice++) {
            intptr_t offset = RELAXED_LOAD(&leaf->pool_offset[slice]);
            struct pool *pool = (void *)((char *)&dam_pool_map + offset);
            if (offset != 0 && pool != previous)
                visit(pool, context);
            previous = pool;
        }
    }
}
