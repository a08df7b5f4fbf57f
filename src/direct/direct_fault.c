// SPDX-License-Identifier: MIT
/* direct_fault.c: what the direct layer finds wrong, named. */
#include <stdatomic.h>

#include "direct/direct.h"
#include "direct/direct_pool.h"
#include "guard/fault.h"

static struct dam_fault fault_in(const struct pool *pool, const void *address, const char *operation) {
    return (struct dam_fault){
        .operation = operation,
        .address = address,
        .layer = DAM_LAYER_DIRECT,
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
        .block = pool_start(pool),
        .block_bytes = dam_fault_request(dam_direct_requested_bytes(pool)),
        .requested_bytes = dam_fault_request(dam_direct_requested_bytes(pool)),
    };
}

void dam_direct_report_freed_twice_at_once(const struct pool *pool) {
    struct dam_fault fault = fault_in(pool, pool_start(pool), "free");
    fault.kind = DAM_FAULT_DOUBLE_FREE;
    fault.state = "being released by another thread";
    dam_fault_report(&fault);
}

static bool is_hidden(const struct pool *pool) {
    return atomic_load_explicit(&direct_of_const(pool)->is_hidden, memory_order_relaxed);
}

bool dam_direct_check_live(const struct pool *pool, const void *address, const char *operation) {
    struct dam_fault fault;
    if (UNLIKELY(is_hidden(pool))) {
        fault = fault_in(pool, address, operation);
        fault.kind = (uintptr_t)address == pool->start ? DAM_FAULT_DOUBLE_FREE : DAM_FAULT_NOT_A_BLOCK;
        fault.state = "released, in quarantine";
    } else if (UNLIKELY((uintptr_t)address != pool->start)) {
        fault = fault_in(pool, address, operation);
        fault.kind = DAM_FAULT_NOT_A_BLOCK;
        fault.state = "the block it lies in";
    } else if (UNLIKELY(!direct_canary_is_intact(pool))) {
        fault = fault_in(pool, address, operation);
        fault.kind = DAM_FAULT_OVERFLOW;
        fault.state = "live";
        uint64_t canary = direct_canary(pool);
        dam_fault_show_bytes(&fault, direct_canary_place(pool), &canary, sizeof canary);
    } else {
        return true;
    }
    dam_fault_report(&fault);
    return false;
}

bool dam_direct_explain_access(const struct pool *pool, const void *address, struct dam_fault *fault) {
    const struct direct_pool *direct = direct_of_const(pool);
    size_t offset = pool_offset(pool, address);
    if (!is_hidden(pool) && (direct->guarded_from == 0 || offset < direct->guarded_from))
        return false;
    const char *operation = fault->operation;
    *fault = fault_in(pool, address, operation);
    fault->state = is_hidden(pool) ? "released, in quarantine" : "live";
    bool is_inside = offset < fault->requested_bytes;
    fault->kind = is_inside ? DAM_FAULT_ACCESS_AFTER_FREE : DAM_FAULT_ACCESS_PAST_END;
    fault->distance_bytes = is_inside ? offset : offset - fault->requested_bytes;
    return true;
}
