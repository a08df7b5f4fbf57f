// SPDX-License-Identifier: MIT
/* shared_pools.c: see shared_pools.h. */
#include "pool/shared_pools.h"

#include "pool/ownership.h"
#include "region/central.h"

static struct pool *pool_of_shared_link(struct list *link) {
    return container_of(link, struct pool, shared_link);
}

void dam_pool_unshare(struct pool *pool) {
    if (!RELAXED_LOAD(&pool->shared))
        return;
    list_unlink(&pool->shared_link);
    RELAXED_STORE(&pool->shared, false);
}

bool dam_pool_share(struct list *shared, struct pool *pool) {
    if (!dam_central_try_enter())
        return dam_pool_let_go(pool);
    if (!RELAXED_LOAD(&pool->shared)) { /* a stale entry will do, too */
        list_push_first(shared, &pool->shared_link);
        RELAXED_STORE(&pool->shared, true);
    }
    bool let_go = dam_pool_let_go(pool);
    if (!let_go)
        dam_pool_unshare(pool);
    dam_central_leave();
    return let_go;
}

struct pool *dam_pool_claim_shared(struct list *shared) {
    struct pool *claimed = NULL;
    if (!dam_central_try_enter())
        return NULL;
    while (claimed == NULL && !list_is_empty(shared)) {
        struct pool *pool = pool_of_shared_link(shared->next);
        dam_pool_unshare(pool);
        if (dam_pool_try_claim(pool))
            claimed = pool;
    }
    dam_central_leave();
    return claimed;
}
