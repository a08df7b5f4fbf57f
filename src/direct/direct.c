// SPDX-License-Identifier: MIT
/* direct.c: see direct.h. Not here: the stock of mappings and the reuse of slices (region/). */
#include "direct/direct.h"

#include "base/bits.h"
#include "base/options_table.h"
#include "guard/fault.h"
#include "os/os.h"
#include "pool/ownership.h"
#include "region/metadata.h"

static struct metadata_kind direct_descriptor = {.bytes = sizeof(struct pool)};

static size_t whole_pages(size_t size) {
    return round_up(size == 0 ? 1 : size, dam_os_page_bytes());
}

struct pool *dam_direct_create(size_t size, size_t alignment) {
    bool as_mapping = size > DIRECT_SLICES_SIZE_MAX || alignment > SLICE_BYTES;
    struct pool_request request = {
        .layer = LAYER_DIRECT,
        .descriptor_kind = &direct_descriptor,
        .bytes = as_mapping ? whole_pages(size) : round_up(size == 0 ? 1 : size, SLICE_BYTES),
        .alignment = alignment > SLICE_BYTES ? alignment : SLICE_BYTES,
        .as_mapping = as_mapping,
    };
    struct pool *pool = dam_pool_create(&request);
    if (pool == NULL)
        return NULL;
    pool->requested_bytes = size;
    dam_pool_own_new(pool); /* the block's holder owns the pool */
    return pool;
}

void dam_direct_free(struct pool *pool) {
    if (UNLIKELY(!dam_pool_let_go(pool))) {
        struct dam_fault fault = {
            .kind = FAULT_DOUBLE_FREE,
            .operation = "free",
            .address = pool_start(pool),
            .layer = "direct",
            .pool_start = pool_start(pool),
            .pool_bytes = pool->bytes,
        };
        dam_fault_report(&fault);
    }
    dam_pool_retire(pool);
}

bool dam_direct_should_shrink(const struct pool *pool, size_t size) {
    return size < pool->bytes / 100 * DAM_SETTING(direct_shrink_percent);
}

static size_t bytes_for(const struct pool *pool, size_t size) {
    return pool->is_mapping ? whole_pages(size) : round_up(size == 0 ? 1 : size, SLICE_BYTES);
}

bool dam_direct_resize(struct pool *pool, size_t size) {
    size_t bytes = bytes_for(pool, size);
    if (bytes > pool->bytes && !dam_pool_extend(pool, bytes))
        return false;
    if (bytes < pool->bytes && dam_direct_should_shrink(pool, size))
        (void)dam_pool_shorten(pool, bytes); /* refused: the pool keeps what it has, which is no error */
    pool->requested_bytes = size;
    return true;
}

void *dam_direct_move(struct pool *pool, size_t size) {
    if (!pool->is_mapping || size <= DIRECT_SLICES_SIZE_MAX || !dam_pool_move(pool, whole_pages(size)))
        return NULL;
    pool->requested_bytes = size;
    return pool_start(pool);
}

size_t dam_direct_usable_bytes(const struct pool *pool) {
    return whole_pages(pool->requested_bytes);
}

void dam_direct_check_live(const struct pool *pool, const void *address, const char *operation) {
    if (LIKELY((uintptr_t)address == pool->start))
        return;
    struct dam_fault fault = {
        .kind = FAULT_NOT_A_BLOCK,
        .operation = operation,
        .address = address,
        .layer = "direct",
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
        .block = pool_start(pool),
        .block_bytes = pool->bytes,
        .requested_bytes = pool->requested_bytes,
        .state = "the block it lies in",
    };
    dam_fault_report(&fault);
}
