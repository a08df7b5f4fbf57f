// SPDX-License-Identifier: MIT
/* dirty.h: the account that slices (region.c) and stocked mappings (mapping.c) share, and what the one asks of the
 * other when memory must go back. Private to this rung; under the central lock. */
#ifndef DAM_REGION_DIRTY_H
#define DAM_REGION_DIRTY_H

#include <stddef.h>
#include <stdint.h>

struct dirty_account {
    size_t bytes;            /* free and still paid for */
    size_t given_back_bytes; /* in all */
    uint64_t looked_ms;      /* when the old ones were last looked for */
};

extern struct dirty_account dam_dirty;

/* Gives stocked mappings back, oldest first, until dirty bytes are at most bytes_max or the stock is empty. */
void dam_mapping_purge_down_to(size_t bytes_max);
void dam_mapping_purge_older_than(uint64_t age_ms);
size_t dam_mapping_stock_bytes(void);

#endif
