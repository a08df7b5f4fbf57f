// SPDX-License-Identifier: MIT
/* verify.c: visits every pool and lets its layer check it. The invariants are listed in docs/invariants.md. */
#include "inspect/verify.h"

#include <stdio.h>

#include "base/describe.h"
#include "direct/direct.h"
#include "general/general.h"
#include "os/os.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "region/region.h"
#include "small/small.h"

static size_t verify_pool(struct pool *pool) {
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        return dam_small_verify_pool(pool);
    case LAYER_GENERAL:
        return dam_general_verify_pool(pool);
    case LAYER_DIRECT:
        return dam_direct_verify(pool);
    case LAYER_NONE:
        break;
    }
    return 1; /* P1: the map leads to descriptors of a layer */
}

/* P1: every slice of the pool leads to it. */
static size_t verify_map(struct pool *pool) {
    size_t broken = 0;
    for (size_t offset = 0; offset < pool->bytes; offset += SLICE_BYTES)
        broken += pool_of(pool_start(pool) + offset) != pool;
    return broken;
}

static void say_broken(const char *what, uintptr_t start, size_t broken) {
    char line[120];
    int length = snprintf(line, sizeof line, "dam: verify: %zu broken in the %s at 0x%zx\n", broken, what,
                          (size_t)start);
    dam_os_write_stderr(line, (size_t)length);
}

static void verify_one(struct pool *pool, void *context) {
    static const char *const names[] = {"pool of no layer", "small pool", "general pool", "direct pool"};
    size_t broken = verify_pool(pool) + verify_map(pool);
    if (broken > 0)
        say_broken(names[pool_layer(pool)], pool->start, broken);
    *(size_t *)context += broken;
}

size_t dam_verify_all(void) {
    size_t broken = 0;
    dam_central_enter();
    describe_enter();
    dam_pool_map_visit(verify_one, &broken);
    size_t regions_broken = dam_region_verify();
    describe_leave();
    dam_central_leave();
    if (regions_broken > 0)
        say_broken("regions", 0, regions_broken);
    return broken + regions_broken;
}
