// SPDX-License-Identifier: MIT
/* direct.c: see direct.h. Not here: the stock of mappings and the reuse of slices (region/); what is reported when something is
 * wrong (direct_fault.c). */
#include "direct/direct.h"

#include "base/bits.h"
#include "base/options_table.h"
#include "direct/direct_pool.h"
#include "guard/freed_lately.h"
#include "os/os.h"
#include "pool/ownership.h"
#include "region/metadata.h"

static struct metadata_kind direct_descriptor = {.bytes = sizeof(struct direct_pool)};

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

static size_t bytes_for(size_t size, bool as_mapping) {
    return round_up(size + DIRECT_CANARY_BYTES, as_mapping ? dam_os_page_bytes() : SLICE_BYTES);
}

static void set_request(struct pool *pool, size_t size) {
    direct_of(pool)->requested_bytes = size;
    direct_write_canary(pool);
}

size_t dam_direct_requested_bytes(const struct pool *pool) {
    return direct_of_const(pool)->requested_bytes;
}

struct heap *dam_direct_heap(const struct pool *pool) {
    return direct_of_const(pool)->heap;
}

void dam_direct_set_heap(struct pool *pool, struct heap *heap) {
    direct_of(pool)->heap = heap;
}

/* ---- The life of a block ----------------------------------------------------------------------------------------- */

/* Makes everything behind the page with the canary inaccessible. Refused: then the block stands without a guard. */
static void set_guard(struct pool *pool, size_t size) {
    size_t from = bytes_for(size, true);
    if (from < pool->bytes && dam_os_protect(pool_start(pool) + from, pool->bytes - from, false))
        direct_of(pool)->guarded_from = from;
}

struct pool *dam_direct_create(size_t size, size_t alignment) {
    bool is_guarded = DAM_SETTING(guard) == GUARD_FULL;
    bool as_mapping = size > DIRECT_SLICES_SIZE_MAX || alignment > SLICE_BYTES || is_guarded;
    struct pool_request request = {
        .layer = LAYER_DIRECT,
        .descriptor_kind = &direct_descriptor,
        .bytes = bytes_for(size, as_mapping) + (is_guarded ? dam_os_page_bytes() : 0),
        .alignment = alignment > SLICE_BYTES ? alignment : SLICE_BYTES,
        .as_mapping = as_mapping,
    };
    struct pool *pool = dam_pool_create(&request);
    if (pool == NULL)
        return NULL;
    set_request(pool, size);
    if (is_guarded)
        set_guard(pool, size);
    dam_pool_own_new(pool); /* the block's holder owns the pool */
    return pool;
}

bool dam_direct_begin_free(struct pool *pool) {
    if (LIKELY(dam_pool_let_go(pool)))
        return true;
    dam_direct_report_freed_twice_at_once(pool);
    return false;
}

/* A pool whose guard cannot be taken away is lost: its memory must not be taken for any other. */
void dam_direct_retire(struct pool *pool) {
    dam_freed_lately_remember(pool_start(pool), dam_direct_requested_bytes(pool));
    if (direct_of(pool)->guarded_from == 0 || dam_os_protect(pool_start(pool), pool->bytes, true))
        dam_pool_retire(pool);
}

/* ---- Hiding ------------------------------------------------------------------------------------------------------ */

bool dam_direct_hide(struct pool *pool) {
    struct direct_pool *direct = direct_of(pool);
    if (atomic_exchange_explicit(&direct->is_hidden, true, memory_order_relaxed))
        return false;
    (void)dam_os_purge(pool_start(pool), pool->bytes);
    if (dam_os_protect(pool_start(pool), pool->bytes, false))
        return true;
    atomic_store_explicit(&direct->is_hidden, false, memory_order_relaxed);
    direct_write_canary(pool);
    return false;
}

bool dam_direct_show(struct pool *pool) {
    struct direct_pool *direct = direct_of(pool);
    size_t bytes = direct->guarded_from != 0 ? direct->guarded_from : pool->bytes;
    if (!dam_os_protect(pool_start(pool), bytes, true))
        return false;
    direct_write_canary(pool);
    atomic_store_explicit(&direct->is_hidden, false, memory_order_relaxed);
    return true;
}

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

bool dam_direct_should_shrink(const struct pool *pool, size_t size) {
    return size < pool->bytes / 100 * DAM_SETTING(direct_shrink_percent);
}

bool dam_direct_resize(struct pool *pool, size_t size) {
    size_t bytes = bytes_for(size, pool->is_mapping);
    size_t guarded_from = direct_of(pool)->guarded_from;
    if (guarded_from != 0 && bytes > guarded_from)
        return false;
    if (bytes > pool->bytes && !dam_pool_extend(pool, bytes))
        return false;
    if (bytes < pool->bytes && guarded_from == 0 && dam_direct_should_shrink(pool, size))
        (void)dam_pool_shorten(pool, bytes); /* refused: the pool keeps what it has, which is no error */
    set_request(pool, size);
    return true;
}

void *dam_direct_move(struct pool *pool, size_t size) {
    if (!pool->is_mapping || direct_of(pool)->guarded_from != 0 || size <= DIRECT_SLICES_SIZE_MAX)
        return NULL;
    size_t bytes = bytes_for(size, true);
    if (bytes <= pool->bytes || !dam_pool_move(pool, bytes))
        return NULL;
    set_request(pool, size);
    return pool_start(pool);
}

size_t dam_direct_verify(const struct pool *pool) {
    if (dam_direct_requested_bytes(pool) + DIRECT_CANARY_BYTES > pool->bytes)
        return 1; /* D2 */
    bool is_hidden = atomic_load_explicit(&direct_of_const(pool)->is_hidden, memory_order_relaxed);
    return !is_hidden && !direct_canary_is_intact(pool); /* D3 */
}
