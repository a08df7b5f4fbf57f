// SPDX-License-Identifier: MIT
/* pool_resize.c: pools that grow or shrink where they are, or move with their pages. Not here: when that is worth it
 * (direct/). */
#include "base/assert.h"
#include "base/bits.h"
#include "os/os.h"
#include "pool/pool.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "region/region.h"

static void set_bytes(struct pool *pool, size_t new_bytes) {
    dam_pool_count_bytes(pool_layer(pool), pool->bytes, new_bytes);
    pool->bytes = new_bytes;
}

static bool extend_memory(struct pool *pool, size_t new_bytes) {
    if (pool->is_mapping)
        return dam_os_grow_in_place(pool_start(pool), pool->bytes, new_bytes);
    if (pool->spare_slices > 0 || !dam_central_try_enter())
        return false;
    bool done = dam_region_extend(pool->region, pool_start(pool), slices_for(pool->bytes), slices_for(new_bytes));
    dam_central_leave();
    return done;
}

static bool shorten_memory(struct pool *pool, size_t old_bytes, size_t new_bytes) {
    char *tail = pool_start(pool) + new_bytes;
    size_t tail_bytes = old_bytes - new_bytes;
    if (pool->is_mapping)
        return dam_os_unmap(tail, tail_bytes);
    if (pool->spare_slices > 0 || !dam_central_try_enter())
        return false;
    dam_region_give(pool->region, tail, slices_for(tail_bytes));
    dam_central_leave();
    return true;
}

bool dam_pool_extend(struct pool *pool, size_t new_bytes) {
    DAM_ASSERT(new_bytes > pool->bytes);
    if (!extend_memory(pool, new_bytes))
        return false;
    if (!dam_pool_map_prepare(pool->start, new_bytes)) {
        (void)shorten_memory(pool, new_bytes, pool->bytes); /* refused: address space is lost with it, no more */
        return false;
    }
    dam_pool_map_set(pool->start, new_bytes, pool);
    set_bytes(pool, new_bytes);
    return true;
}

/* The new place is reserved and the map made ready for it first, so that nothing can fail once the pages have moved.
 * The old entries are cleared before the addresses can become anyone else's. */
bool dam_pool_move(struct pool *pool, size_t new_bytes) {
    DAM_ASSERT(pool->is_mapping);
    void *place = dam_os_reserve(new_bytes, SLICE_BYTES);
    if (place == NULL)
        return false;
    if (!dam_pool_map_prepare((uintptr_t)place, new_bytes)) {
        dam_os_unmap(place, new_bytes);
        return false;
    }
    dam_pool_map_clear(pool->start, pool->bytes);
    if (!dam_os_move_onto(place, pool_start(pool), pool->bytes, new_bytes)) {
        dam_pool_map_set(pool->start, pool->bytes, pool);
        return false;
    }
    pool->start = (uintptr_t)place;
    dam_pool_map_set(pool->start, new_bytes, pool);
    set_bytes(pool, new_bytes);
    return true;
}

bool dam_pool_shorten(struct pool *pool, size_t new_bytes) {
    DAM_ASSERT(new_bytes > 0 && new_bytes < pool->bytes);
    size_t kept_bytes = round_up(new_bytes, SLICE_BYTES);
    size_t old_bytes = pool->bytes;
    /* The slice that both parts share, if any, stays ours. */
    if (kept_bytes < old_bytes)
        dam_pool_map_clear(pool->start + kept_bytes, old_bytes - kept_bytes);
    if (!shorten_memory(pool, old_bytes, new_bytes)) {
        dam_pool_map_set(pool->start, old_bytes, pool);
        return false;
    }
    set_bytes(pool, new_bytes);
    return true;
}
