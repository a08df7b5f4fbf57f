// SPDX-License-Identifier: MIT
/* statistics.h: figures of the whole heap, summed when asked from what pools and regions keep anyway.
 *
 * Any thread may ask at any time. Other threads go on meanwhile, so a figure may be a moment old; while the heap stands
 * still all are exact. */
#ifndef DAM_INSPECT_STATISTICS_H
#define DAM_INSPECT_STATISTICS_H

#include <stddef.h>

#include "pool/pool.h"
#include "region/region.h"

struct layer_statistics {
    struct layer_figures pools;
    size_t live_blocks;
    size_t live_bytes;    /* small: block sizes; general and direct: requests */
    size_t free_bytes;    /* inside pools: free, quick or not yet carved */
    size_t touched_bytes; /* of pools: where a block has been, to the page */
};

struct heap_statistics {
    struct layer_statistics small;
    struct layer_statistics general;
    struct layer_statistics direct;
    struct region_figures regions;
    size_t metadata_bytes;
};

void dam_statistics_read(struct heap_statistics *statistics);

/* The one-screen summary, on stderr. Allocates nothing. */
void dam_statistics_print(void);

#endif
