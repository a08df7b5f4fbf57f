// SPDX-License-Identifier: MIT
/* pool.c: how pools come and go. Not here: pools that change their size (pool_resize.c); what a layer does inside one; who owns
 * one (ownership.h). */
#include "pool/pool.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/describe.h"
#include "base/options_table.h"
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

void dam_pool_count_bytes(enum layer layer, size_t old_bytes, size_t new_bytes) {
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

/* Puts a guard behind the pool's slices. Refused: then it stands without one. */
static void set_guard(struct pool *pool) {
    if (dam_os_protect(pool_start(pool) + pool->bytes, SLICE_BYTES, false))
        pool->guard_bytes = SLICE_BYTES;
}

/* False if that is refused. */
static bool take_guard_away(const struct pool *pool) {
    return pool->guard_bytes == 0 || dam_os_protect(pool_start(pool) + pool->bytes, pool->guard_bytes, true);
}

/* A guard slice that stays one is lost, with its pool: better than one that is taken for memory. */
static void give_memory(struct pool *pool) {
    dam_pool_unshare(pool);
    if (!take_guard_away(pool))
        return;
    if (pool->is_mapping)
        dam_mapping_give(pool_start(pool), pool->bytes);
    else
        dam_region_give(pool->region, pool_start(pool), slices_for(pool->bytes) + pool->spare_slices);
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
    pool->spare_slices = DAM_SETTING(guard) == GUARD_FULL && !request->as_mapping;
    if (request->as_mapping)
        start = dam_mapping_take(request->bytes, request->alignment, &pool->bytes, &pool->read_as_zero);
    else
        start = dam_region_take(slices_for(request->bytes) + pool->spare_slices, &pool->region, &pool->read_as_zero);
    pool->start = (uintptr_t)start;
    if (start == NULL)
        return false;
    if (pool->spare_slices > 0)
        set_guard(pool);
    return true;
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

static struct pool *try_create(const struct pool_request *request) {
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

/* What is refused may be descriptor, memory or a leaf of the pool map: for each, unused regions make way. */
static struct pool *create_locked(const struct pool_request *request) {
    give_memory_of_those_retired_while_frozen();
    struct pool *pool = try_create(request);
    if (UNLIKELY(pool == NULL) && dam_region_release_unused() > 0)
        pool = try_create(request);
    return pool;
}

/* In front of every general pool something is mapped: free looks for a header in front of any address. A region sees to that for
 * its slices; this slice, never touched and never given back, for a pool that is a mapping of its own. */
static void *map_pool(const struct pool_request *request) {
    size_t in_front = request->layer == LAYER_GENERAL ? SLICE_BYTES : 0;
    char *start = dam_os_map(in_front + request->bytes, request->alignment);
    return start == NULL ? NULL : start + in_front;
}

/* While the lock is frozen: a mapping of the pool's own, a descriptor of its own, and a key from the system. */
static struct pool *create_frozen(const struct pool_request *request) {
    struct pool *pool = new_descriptor(dam_metadata_take_unlocked(request->descriptor_kind), request);
    if (pool == NULL)
        return NULL;
    void *start = map_pool(request);
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
    describe_nobodys(pool_start(pool), pool->bytes);
    dam_pool_map_set(pool->start, pool->bytes, pool);
    count_pool(request->layer, 1);
    dam_pool_count_bytes(request->layer, 0, pool->bytes);
    describe_hidden(&pool->start, sizeof pool->start);
    return pool;
}

void dam_pool_retire(struct pool *pool) {
    enum layer layer = pool_layer(pool);
    dam_pool_count_bytes(layer, pool->bytes, 0);
    count_pool(layer, (size_t)-1);
    RELAXED_STORE(&pool->small_owner, NULL);
    RELAXED_STORE(&pool->general_owner, NULL);
    describe_nobodys(pool_start(pool), pool->bytes);
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
