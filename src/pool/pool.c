// SPDX-License-Identifier: MIT
/* pool.c: how pools come and go. Not here: what a layer does inside one; who owns one (ownership.h). */
#include "pool/pool.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "guard/secret.h"
#include "os/os.h"
#include "pool/pool_map.h"
#include "pool/shared_pools.h"
#include "region/central.h"
#include "region/metadata.h"
#include "region/region.h"

#define LAYER_COUNT (LAYER_DIRECT + 1)

/* Relaxed: statistics. */
static struct {
    _Atomic(size_t) pool_count;
    _Atomic(size_t) bytes;
    _Atomic(size_t) bytes_peak;
} layer_totals[LAYER_COUNT];

/* Pools that were retired while the central lock was frozen, and whose memory cannot go straight back to the system,
 * linked through link.next. It goes back when somebody next holds the lock. */
static _Atomic(struct list *) retired_while_frozen;

static struct pool *pool_of_link(struct list *link) {
    return container_of(link, struct pool, link);
}

/* ---- Totals ------------------------------------------------------------------------------------------------------ */

static void count_bytes(enum layer layer, size_t old_bytes, size_t new_bytes) {
    size_t now =
        atomic_fetch_add_explicit(&layer_totals[layer].bytes, new_bytes - old_bytes, memory_order_relaxed) +
        (new_bytes - old_bytes);
    size_t peak = atomic_load_explicit(&layer_totals[layer].bytes_peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(&layer_totals[layer].bytes_peak, &peak, now,
                                                                memory_order_relaxed, memory_order_relaxed))
        continue;
}

static void count_pool(enum layer layer, size_t one) {
    atomic_fetch_add_explicit(&layer_totals[layer].pool_count, one, memory_order_relaxed);
}

void dam_pool_read_figures(enum layer layer, struct layer_figures *figures) {
    figures->pool_count = atomic_load_explicit(&layer_totals[layer].pool_count, memory_order_relaxed);
    figures->bytes = atomic_load_explicit(&layer_totals[layer].bytes, memory_order_relaxed);
    figures->bytes_peak = atomic_load_explicit(&layer_totals[layer].bytes_peak, memory_order_relaxed);
}

/* ---- Memory of a pool, under the central lock -------------------------------------------------------------------- */

static void give_memory(struct pool *pool) {
    dam_pool_unshare(pool);
    if (pool->is_mapping)
        dam_mapping_give(pool_start(pool), pool->bytes);
    else
        dam_region_give(pool->region, pool_start(pool), slices_for(pool->bytes));
    dam_metadata_give(pool->descriptor_kind, pool);
}

static void give_memory_of_those_retired_while_frozen(void) {
    if (LIKELY(atomic_load_explicit(&retired_while_frozen, memory_order_relaxed) == NULL))
        return;
    /* Acquire pairs with the release of the push: the links are seen. */
    struct list *link = atomic_exchange_explicit(&retired_while_frozen, NULL, memory_order_acquire);
    while (link != NULL) {
        struct list *next = link->next;
        give_memory(pool_of_link(link));
        link = next;
    }
}

static bool take_memory(struct pool *pool, const struct pool_request *request) {
    void *start;
    pool->bytes = request->bytes;
    pool->is_mapping = request->as_mapping;
    if (request->as_mapping)
        start = dam_mapping_take(request->bytes, request->alignment, &pool->bytes, &pool->read_as_zero);
    else
        start = dam_region_take(slices_for(request->bytes), &pool->region, &pool->read_as_zero);
    pool->start = (uintptr_t)start;
    return start != NULL;
}

static struct pool *new_descriptor(void *memory, const struct pool_request *request) {
    if (memory == NULL)
        return NULL;
    memset(memory, 0, request->descriptor_kind->bytes);
    struct pool *pool = memory;
    pool->layer = (uint8_t)request->layer;
    pool->descriptor_kind = request->descriptor_kind;
    list_init(&pool->link);
    list_init(&pool->shared_link);
    return pool;
}

static struct pool *create_locked(const struct pool_request *request) {
    give_memory_of_those_retired_while_frozen();
    struct pool *pool = new_descriptor(dam_metadata_take(request->descriptor_kind), request);
    if (pool == NULL)
        return NULL;
    if (!take_memory(pool, request)) {
        dam_metadata_give(request->descriptor_kind, pool);
        return NULL;
    }
    pool->key = dam_secret_odd_word();
    if (!dam_pool_map_prepare(pool->start, pool->bytes)) {
        give_memory(pool);
        return NULL;
    }
    return pool;
}

/* While the lock is frozen: a mapping of the pool's own, a descriptor of its own, and a key from the system. */
static struct pool *create_frozen(const struct pool_request *request) {
    struct pool *pool = new_descriptor(dam_metadata_take_unlocked(request->descriptor_kind), request);
    if (pool == NULL)
        return NULL;
    void *start = dam_os_map(request->bytes, request->alignment);
    if (start == NULL) {
        dam_metadata_give(request->descriptor_kind, pool);
        return NULL;
    }
    pool->start = (uintptr_t)start;
    pool->bytes = request->bytes;
    pool->is_mapping = true;
    pool->read_as_zero = true;
    dam_os_random(&pool->key, sizeof pool->key);
    pool->key |= 1;
    if (!dam_pool_map_prepare(pool->start, pool->bytes)) {
        dam_os_unmap(start, request->bytes);
        dam_metadata_give(request->descriptor_kind, pool);
        return NULL;
    }
    return pool;
}

/* ---- The life of a pool ------------------------------------------------------------------------------------------ */

struct pool *dam_pool_create(const struct pool_request *request) {
    struct pool *pool;
    if (dam_central_try_enter()) {
        pool = create_locked(request);
        dam_central_leave();
    } else {
        pool = create_frozen(request);
    }
    if (pool == NULL)
        return NULL;
    dam_pool_map_set(pool->start, pool->bytes, pool);
    count_pool(request->layer, 1);
    count_bytes(request->layer, 0, pool->bytes);
    return pool;
}

void dam_pool_retire(struct pool *pool) {
    enum layer layer = pool_layer(pool);
    count_bytes(layer, pool->bytes, 0);
    count_pool(layer, (size_t)-1);
    RELAXED_STORE(&pool->small_owner, NULL);
    RELAXED_STORE(&pool->general_owner, NULL);
    dam_pool_map_clear(pool->start, pool->bytes);
    if (dam_central_try_enter()) {
        give_memory_of_those_retired_while_frozen();
        give_memory(pool);
        dam_central_leave();
        return;
    }
    if (pool->is_mapping && !RELAXED_LOAD(&pool->shared) && dam_os_unmap(pool_start(pool), pool->bytes)) {
        dam_metadata_give(pool->descriptor_kind, pool);
        return;
    }
    struct list *first = atomic_load_explicit(&retired_while_frozen, memory_order_relaxed);
    do
        pool->link.next = first;
    while (!atomic_compare_exchange_weak_explicit(&retired_while_frozen, &first, &pool->link, memory_order_release,
                                                  memory_order_relaxed));
}

/* ---- Direct pools change their size ------------------------------------------------------------------------------ */

static void set_bytes(struct pool *pool, size_t new_bytes) {
    count_bytes(pool_layer(pool), pool->bytes, new_bytes);
    pool->bytes = new_bytes;
}

static bool extend_memory(struct pool *pool, size_t new_bytes) {
    if (pool->is_mapping)
        return dam_os_grow_in_place(pool_start(pool), pool->bytes, new_bytes);
    if (!dam_central_try_enter())
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
    if (!dam_central_try_enter())
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
