// SPDX-License-Identifier: MIT
/* general_verify.c: walks a general pool from its start to its fence. Read-only. */
#include "base/compiler.h"
#include "general/block.h"
#include "general/general.h"

/* The payload granules of a block in any state but the fence's; its header is intact. */
static uint32_t granules_of(const void *block) {
    uint32_t fields = block_header(block)->fields;
    return block_has_state(block, BLOCK_FREE) ? fields : granules_in(fields);
}

static char *first_block(const struct pool *pool) {
    return pool_start(pool) + BLOCK_OVERHEAD_BYTES;
}

static bool is_in_use(const void *block) {
    return block_has_state(block, BLOCK_LIVE) || block_has_state(block, BLOCK_QUICK) ||
           block_has_state(block, BLOCK_REMOTE);
}

size_t dam_general_verify_pool(struct pool *pool) {
    const struct general_pool *general = container_of(pool, struct general_pool, pool);
    const char *fence = pool_start(pool) + pool->bytes;
    size_t broken = dam_index_verify(&general->index, pool);
    uint32_t free_granules = 0;
    uint32_t used_blocks = 0;
    bool free_before = false;
    char *block = first_block(pool);
    while (block < fence) {
        bool is_free_block = block_has_state(block, BLOCK_FREE);
        if (!is_free_block && !is_in_use(block))
            return broken + 1; /* G1: nothing behind it can be found */
        uint32_t granules = granules_of(block);
        if (granules > general->capacity_granules)
            return broken + 1;
        uint64_t *tail = block_tail(block, granules);
        uint32_t tagged_granules;
        bool tagged = boundary_tag_read(tail, &tagged_granules);
        if (is_free_block) {
            broken += free_before;                  /* G2 */
            broken += !tagged || tagged_granules != granules; /* G4 */
            free_granules += granules;
        } else {
            broken += class_granules(class_of_block(granules)) != granules; /* G3 */
            broken += tagged;                                               /* G4 */
            broken += !block_has_state(block, BLOCK_QUICK) && !block_has_state(block, BLOCK_REMOTE) &&
                      !block_canary_is_intact(block);
            used_blocks++;
        }
        free_before = is_free_block;
        block = block_behind(block, granules);
    }
    broken += block != fence || !block_has_state(block, BLOCK_FENCE); /* G1 */
    broken += free_granules != general->index.free_granules;          /* I3 */
    broken += used_blocks != pool->live;                              /* G7 */
    return broken;
}

READS_RACY_COUNTERS void dam_general_read_figures(const struct pool *pool, struct general_block_figures *figures) {
    const char *fence = pool_start(pool) + pool->bytes;
    for (char *block = first_block(pool); block < fence;) {
        if (!block_has_state(block, BLOCK_FREE) && !is_in_use(block))
            return; /* it changes while we look: what was counted so far stands */
        uint32_t granules = granules_of(block);
        if (block_has_state(block, BLOCK_FREE)) {
            figures->free_bytes += block_bytes_of_granules(granules);
        } else if (block_has_state(block, BLOCK_LIVE)) {
            figures->live_blocks++;
            figures->live_bytes += request_in(block_header(block)->fields);
        } else {
            figures->quick_bytes += block_bytes_of_granules(granules);
        }
        block = block_behind(block, granules);
    }
}
