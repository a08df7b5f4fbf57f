// SPDX-License-Identifier: MIT
/* shared_pools.h: partly used pools that their owners left behind, for any heap in need.
 *
 * A list holds pools of one kind (a small class; all general ones). An entry may be stale: somebody freed a block of the
 * pool and so became its owner. Nobody bothers to take it off the list then; whoever finds it there finds it owned, and
 * drops the entry. Only a pool that retires must be off the list, and dam_pool_retire sees to that.
 *
 * T4  A pool that is on a shared list and that nobody owns stays on it until it is claimed. (Listing and letting go are one
 *     step under the central lock, claiming is another, so no taker can drop an entry just before its pool is let go.) */
#ifndef DAM_POOL_SHARED_POOLS_H
#define DAM_POOL_SHARED_POOLS_H

#include <stdbool.h>

#include "base/list.h"
#include "pool/pool.h"

/* By the owner, who has taken its name off: lets the pool go, listed. False if blocks have arrived: the caller is still the
 * owner. While the central lock is frozen the pool is let go without being listed: the next free finds it. */
bool dam_pool_share(struct list *shared, struct pool *pool);

/* A pool of the list that nobody owned, now owned by the caller, or NULL. */
struct pool *dam_pool_claim_shared(struct list *shared);

/* Under the central lock: takes the pool off whatever shared list it is on. */
void dam_pool_unshare(struct pool *pool);

#endif
