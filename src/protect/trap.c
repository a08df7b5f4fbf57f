// SPDX-License-Identifier: MIT
/* trap.c: see trap.h. Runs in a signal handler: allocates nothing, takes no lock. */
#include "protect/trap.h"

#include <stdbool.h>

#include "base/config.h"
#include "direct/direct.h"
#include "guard/fault.h"
#include "os/os.h"
#include "pool/pool_map.h"
#include "protect/sampled.h"
#include "protect/tail.h"

static const char *access_words(enum access_kind kind) {
    switch (kind) {
    case ACCESS_READ:
        return "read";
    case ACCESS_WRITE:
        return "write";
    case ACCESS_UNKNOWN:
        break;
    }
    return "access";
}

/* The pool whose guard the address lies in, or that it lies in itself; NULL if none. Guards are a slice long. */
static struct pool *pool_near(const void *address) {
    struct pool *pool = pool_of(address);
    if (pool_layer(pool) != LAYER_NONE)
        return pool;
    pool = pool_of((const char *)address - SLICE_BYTES);
    bool in_guard = pool_layer(pool) != LAYER_NONE && pool_offset(pool, address) - pool->bytes < pool->guard_bytes;
    return in_guard ? pool : NULL;
}

static bool explain_pool(const struct pool *pool, const void *address, struct dam_fault *fault) {
    if (pool_layer(pool) == LAYER_DIRECT)
        return dam_direct_explain_access(pool, address, fault);
    if (pool_offset(pool, address) < pool->bytes)
        return false; /* readable memory: whatever it was, it is not ours to explain */
    fault->kind = DAM_FAULT_ACCESS_PAST_END;
    fault->layer = (enum dam_layer)pool_layer(pool);
    fault->pool_start = pool_start(pool);
    fault->pool_bytes = pool->bytes;
    fault->distance_bytes = pool_offset(pool, address) - pool->bytes;
    fault->detail = "this is the guard behind the pool: a block of it was overrun by far";
    return true;
}

static bool on_bad_access(const void *address, enum access_kind kind) {
    struct dam_fault fault = {.operation = access_words(kind), .address = address};
    if (dam_sampled_owns(address)) {
        dam_sampled_explain(address, &fault);
        dam_fault_report(&fault);
        dam_sampled_open(address);
        return true;
    }
    struct pool *pool = pool_near(address);
    if (pool == NULL || !explain_pool(pool, address, &fault))
        return false;
    dam_fault_report_damage(&fault);
}

void dam_trap_init(void) {
    dam_os_watch_bad_accesses(on_bad_access);
}
