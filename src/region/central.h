// SPDX-License-Identifier: MIT
/* central.h: the one lock that all threads share, and what it guards:
 *
 *   regions and their slices, the stock of mappings, dirty memory          (region/)
 *   pool descriptors and other metadata, the keys of new pools             (region/metadata.c, guard/)
 *   the lists of partly used pools that nobody owns                        (pool/shared_pools.c)
 *
 * It is taken when a pool comes or goes, never for a block. Lock order: a first-class heap's lock, then this one.
 * Across fork it is frozen (os/lock.h): whoever may be inside stdio uses dam_central_try_enter and has another way. */
#ifndef DAM_REGION_CENTRAL_H
#define DAM_REGION_CENTRAL_H

#include <stdbool.h>

#include "os/lock.h"

extern struct dam_lock dam_central_lock;

static inline bool dam_central_try_enter(void) {
    return dam_lock_try_enter(&dam_central_lock);
}

static inline void dam_central_enter(void) {
    dam_lock_enter(&dam_central_lock);
}

static inline void dam_central_leave(void) {
    dam_lock_leave(&dam_central_lock);
}

#endif
