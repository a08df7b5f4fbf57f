// SPDX-License-Identifier: MIT
/* pool_map.h: from any address to the pool it lies in, or to the sentinel.
 *
 *   address   | 16 bits, must be 0 | 16 bits: zone of 4 GiB | 16 bits: slice of 64 KiB | 16 bits: offset |
 *
 *   map.leaf_offset[zone] -> leaf            leaf[slice] -> descriptor
 *
 * Two dependent loads and no fault, whatever the address. Both tables hold byte offsets from their own place rather
 * than pointers, so that memory which is still zero is already right: offset 0 from no_leaf is a leaf full of zeroes, and
 * offset 0 from the map is its first member, the sentinel. Hence no test for NULL, and no filling of tables at start.
 * (It also leaves the map readable from another process as it is.)
 *
 * The sentinel is a descriptor of no layer that nobody owns; every check on the common way fails on it. */
#ifndef DAM_POOL_POOL_MAP_H
#define DAM_POOL_POOL_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/config.h"
#include "pool/pool.h"

#define ZONE_SHIFT 32
#define ZONE_COUNT ((size_t)1 << (ADDRESS_BITS - ZONE_SHIFT))
#define LEAF_SLICES ((size_t)1 << (ZONE_SHIFT - SLICE_SHIFT))

struct pool_map_leaf {
    intptr_t pool_offset[LEAF_SLICES]; /* RELAXED */
};

struct pool_map {
    struct pool sentinel; /* must be first: offset 0 */
    struct pool_map_leaf no_leaf;
    intptr_t leaf_offset[ZONE_COUNT]; /* from no_leaf; RELAXED here, published with release (pool_map.c) */
};

extern struct pool_map dam_pool_map;

/* Relaxed loads: whoever holds a block's address got it, directly or not, from the thread that wrote the entries before
 * it handed the block out, and whatever carried the address over carried the entries too. */
ALWAYS_INLINE struct pool *pool_of(const void *address) {
    uintptr_t bits = (uintptr_t)address;
    uintptr_t zone = bits >> ZONE_SHIFT;
    if (UNLIKELY(zone >= ZONE_COUNT))
        return &dam_pool_map.sentinel;
    uint32_t slice = (uint32_t)bits >> SLICE_SHIFT;
    struct pool_map *map = &dam_pool_map;
    KEEP_IN_REGISTER(map);
    /* The map as it would lie if its no_leaf were the leaf. */
    struct pool_map *leaf_as_map = (void *)((char *)map + RELAXED_LOAD(&map->leaf_offset[zone]));
    return (void *)((char *)map + RELAXED_LOAD(&leaf_as_map->no_leaf.pool_offset[slice]));
}

static inline bool pool_is_none(const struct pool *pool) {
    return pool == &dam_pool_map.sentinel;
}

/* Makes sure that entries for the range can be stored. False if memory is refused. */
bool dam_pool_map_prepare(uintptr_t start, size_t bytes);

/* Stores or clears the entries of every slice that the range touches; prepared before. */
void dam_pool_map_set(uintptr_t start, size_t bytes, struct pool *pool);
void dam_pool_map_clear(uintptr_t start, size_t bytes);

/* Calls visit for every pool there is, in order of address. Pools that come or go meanwhile may be missed. */
void dam_pool_map_visit(void (*visit)(struct pool *pool, void *context), void *context);

#endif
