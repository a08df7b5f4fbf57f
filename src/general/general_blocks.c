// SPDX-License-Identifier: MIT
/* general_blocks.c: splitting and merging inside one pool. What a block looks like is in block.h.
 *
 * Not here: which pool a block comes from, quick lists, owners (general.c). */
#include "general/general_blocks.h"

#include "base/assert.h"
#include "base/bits.h"
#include "general/block.h"
#include "general/general_fault.h"

/*   | 0 | header | one free block ...                       | tag | fence header |
 *   start                                                                        end */
void dam_blocks_lay_out(struct general_pool *general) {
    struct pool *pool = &general->pool;
    char *first = pool_start(pool) + BLOCK_OVERHEAD_BYTES;
    uint32_t granules = (uint32_t)(pool->bytes >> GRANULE_SHIFT) - 2;
    *block_tail_in_front(first) = 0;
    block_write_header(block_behind(first, granules), 0, BLOCK_FENCE);
    dam_index_insert(&general->index, pool, first, granules);
    general->capacity_granules = granules;
}

static void note_touched(struct general_pool *general, void *block, uint32_t granules) {
    size_t end = pool_offset(&general->pool, block_behind(block, granules));
    if (end > general->touched_bytes)
        general->touched_bytes = end;
}

/* A block of the class's size from a pool whose index has one: taken, its rest split off. Not live yet. */
void *dam_blocks_take(struct general_pool *general, uint32_t class_index) {
    uint32_t granules;
    void *block = dam_index_take(&general->index, &general->pool, class_index, &granules);
    DAM_ASSERT(block != NULL);
    uint32_t wanted = class_granules(class_index);
    if (granules > wanted)
        dam_index_insert(&general->index, &general->pool, block_behind(block, wanted), granules - wanted - 1);
    *block_tail(block, wanted) = 0; /* G4: what stood there may be a boundary tag of old */
    note_touched(general, block, wanted);
    general->pool.live++;
    return block;
}

/* Is the block free? It must be something, or its header is damaged. */
static bool is_free(const struct pool *pool, const void *block) {
    if (block_has_state(block, BLOCK_FREE))
        return true;
    if (UNLIKELY(!block_has_state(block, BLOCK_LIVE) && !block_has_state(block, BLOCK_QUICK) &&
                 !block_has_state(block, BLOCK_REMOTE) && !block_has_state(block, BLOCK_FENCE)))
        dam_general_report_lost_header(pool, block, "merge with");
    return false;
}

/* If the block behind is free, takes it out of the index and adds it to the caller's, which is `*granules` long. */
static void merge_with_behind(struct general_pool *general, void *block, uint32_t *granules) {
    void *behind = block_behind(block, *granules);
    if (!is_free(&general->pool, behind))
        return;
    uint32_t behind_granules = block_header(behind)->fields;
    dam_index_remove(&general->index, &general->pool, behind, behind_granules);
    block_change_state(behind, BLOCK_FREE, BLOCK_QUICK); /* what stays behind inside must not say free, only released */
    *granules += behind_granules + 1;
}

/* The same for the block in front; returns where the merged block starts. */
static void *merge_with_front(struct general_pool *general, void *block, uint32_t *granules) {
    uint64_t *tail = block_tail_in_front(block);
    uint32_t front_granules;
    if (!boundary_tag_read(tail, &front_granules))
        return block;
    void *front = block_in_front(block, front_granules);
    if (UNLIKELY(!block_has_state(front, BLOCK_FREE) || block_header(front)->fields != front_granules))
        dam_general_report_lost_header(&general->pool, front, "merge with");
    dam_index_remove(&general->index, &general->pool, front, front_granules);
    *tail = 0;
    *granules += front_granules + 1;
    return front;
}

/* Puts a block that is no longer in use into the index, merged with its free neighbours (G2). */
static void free_into_index(struct general_pool *general, void *block, uint32_t granules) {
    merge_with_behind(general, block, &granules);
    block = merge_with_front(general, block, &granules);
    dam_index_insert(&general->index, &general->pool, block, granules);
}

void dam_blocks_free(struct general_pool *general, void *block) {
    free_into_index(general, block, granules_in(block_header(block)->fields));
    general->pool.live--;
}

/* Granules that surely hold an aligned block of the class: the block, and as much again as may lie in front of it. */
uint32_t dam_blocks_class_with_alignment(uint32_t class_index, size_t alignment) {
    if (alignment <= GRANULE_BYTES)
        return class_index;
    return class_holding(class_granules(class_index) + (uint32_t)(alignment >> GRANULE_SHIFT));
}

/* Gives back what lies in front of the first aligned place in the block and what lies behind the class's size there. */
static void *trim_to_alignment(struct general_pool *general, void *block, uint32_t granules, uint32_t wanted,
                               size_t alignment) {
    char *aligned = (char *)round_up((uintptr_t)block, alignment); // NOLINT(performance-no-int-to-ptr)
    uint32_t front = (uint32_t)((size_t)(aligned - (char *)block) >> GRANULE_SHIFT);
    if (front > 0) {
        dam_index_insert(&general->index, &general->pool, block, front - 1);
        granules -= front;
    }
    if (granules > wanted)
        dam_index_insert(&general->index, &general->pool, block_behind(aligned, wanted), granules - wanted - 1);
    *block_tail(aligned, wanted) = 0;
    note_touched(general, aligned, wanted);
    return aligned;
}

void *dam_blocks_take_aligned(struct general_pool *general, uint32_t class_index, size_t alignment) {
    uint32_t granules;
    void *block = dam_index_take(&general->index, &general->pool, dam_blocks_class_with_alignment(class_index, alignment),
                                 &granules);
    DAM_ASSERT(block != NULL);
    general->pool.live++;
    return trim_to_alignment(general, block, granules, class_granules(class_index), alignment);
}

bool dam_blocks_resize(struct general_pool *general, void *block, uint32_t wanted) {
    uint32_t granules = granules_in(block_header(block)->fields);
    if (wanted > granules) {
        void *behind = block_behind(block, granules);
        if (!is_free(&general->pool, behind) || granules + 1 + block_header(behind)->fields < wanted)
            return false;
        merge_with_behind(general, block, &granules);
    }
    *block_tail(block, wanted) = 0; /* G4, before the rest looks at what is in front of it */
    note_touched(general, block, wanted);
    if (wanted < granules)
        free_into_index(general, block_behind(block, wanted), granules - wanted - 1);
    return true;
}

static void forget_live_block(const struct pool *pool, void *block) {
    (void)dam_general_check_live(pool, block, "destroy"); /* a canary that is gone is reported; the block goes all the same */
    block_change_state(block, BLOCK_LIVE, BLOCK_QUICK);
}

void dam_general_forget_blocks(const struct pool *pool) {
    char *block = pool_start(pool) + BLOCK_OVERHEAD_BYTES;
    char *fence = pool_start(pool) + pool->bytes;
    while (block < fence) {
        uint32_t fields = block_header(block)->fields;
        uint32_t granules = block_has_state(block, BLOCK_FREE) ? fields : granules_in(fields);
        if (block_has_state(block, BLOCK_LIVE)) {
            forget_live_block(pool, block);
        } else if (UNLIKELY(!block_has_state(block, BLOCK_FREE) && !block_has_state(block, BLOCK_QUICK) &&
                            !block_has_state(block, BLOCK_REMOTE))) {
            dam_general_report_damaged_header(pool, block, "destroy");
            memset(block_header(block), 0, (size_t)(fence - block)); /* no way to find what lies behind */
            return;
        }
        block = block_behind(block, granules);
    }
}
