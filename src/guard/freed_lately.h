// SPDX-License-Identifier: MIT
/* freed_lately.h: the large blocks that were released last. A direct pool goes with its block, and nothing at the address says
 * what was there, or something else stands there already; this table does, so that a double free can be called by its name. */
#ifndef DAM_GUARD_FREED_LATELY_H
#define DAM_GUARD_FREED_LATELY_H

#include <stdbool.h>
#include <stddef.h>

void dam_freed_lately_remember(const void *start, size_t requested_bytes);

/* Whether a large block that was released lately started at the address; stores its request. */
bool dam_freed_lately_find(const void *address, size_t *requested_bytes);

#endif
