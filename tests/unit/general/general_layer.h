// SPDX-License-Identifier: MIT
/* general_layer.h: the general layer by itself: heaps that have no other, the little that heap/heap.c does for one, and a
 * reader that tells how a pool is cut up.
 *
 * A heap's owner is only a name to this layer; here it is the address of the general heap itself. */
#ifndef DAM_TESTS_UNIT_GENERAL_GENERAL_LAYER_H
#define DAM_TESTS_UNIT_GENERAL_GENERAL_LAYER_H

#include "general/general_fast.h"
#include "heap/heap.h"
#include "options/options.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "region/region.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/test.h"

static inline struct heap *name_of(struct general_heap *heap) {
    return (void *)heap;
}

static inline struct general_pool *general_of(struct pool *pool) {
    return container_of(pool, struct general_pool, pool);
}

/* ---- What a heap does with the layer ----------------------------------------------------------------------------- */

static inline struct pool *layer_add_pool(struct general_heap *heap, size_t size, size_t alignment) {
    struct pool *pool = dam_general_create_pool(heap, size, alignment);
    assert_non_null(pool);
    dam_pool_own_new(pool);
    dam_general_enlist_new(heap, pool);
    return pool;
}

/* As general_alloc in heap/heap.c, without claiming what others left behind and without letting anything go. */
static inline void *layer_alloc_aligned(struct general_heap *heap, size_t size, size_t alignment) {
    void *block = dam_general_alloc(heap, size, alignment);
    if (block != NULL)
        return block;
    layer_add_pool(heap, size, alignment);
    block = dam_general_alloc(heap, size, alignment);
    assert_non_null(block);
    return block;
}

static inline void *layer_alloc(struct general_heap *heap, size_t size) {
    return layer_alloc_aligned(heap, size, GRANULE_BYTES);
}

/* As front_free in front/front_fast.h, by the pool's owner: onto a quick list, if there is room. */
static inline void layer_free(struct general_heap *heap, void *block) {
    struct pool *pool = pool_of(block);
    assert_ptr_equal(pool->general_owner, name_of(heap));
    if (!general_free_fast(heap, block))
        dam_general_free(heap, pool, block);
}

/* As by a stranger who finds the pool owned. */
static inline void layer_free_remote(void *block) {
    assert_false(dam_general_free_remote(pool_of(block), block));
}

/* Straight into the index, merged with free neighbours, and nothing else: the quick lists stay as they are. */
static inline void layer_free_merged(struct general_heap *heap, void *block) {
    struct pool *pool = pool_of(block);
    layer_free_remote(block);
    dam_general_disown(heap, pool);
    dam_general_take_remote_into_index(pool);
    dam_general_enlist_new(heap, pool);
}

static inline struct layer_figures layer_figures(void) {
    struct layer_figures figures;
    dam_pool_read_figures(LAYER_GENERAL, &figures);
    return figures;
}

static inline size_t pool_count(void) {
    return layer_figures().pool_count;
}

/* ---- How a pool is cut up ---------------------------------------------------------------------------------------- */

struct seen_block {
    char *block;
    uint32_t granules;
    enum block_state state;
};

struct seen_pool {
    size_t count; /* without the fence */
    struct seen_block blocks[4096];
};

static inline bool read_block(char *block, struct seen_block *seen) {
    static const enum block_state STATES[] = {BLOCK_LIVE, BLOCK_QUICK, BLOCK_REMOTE, BLOCK_FREE, BLOCK_FENCE};
    uint32_t fields = block_header(block)->fields;
    for (size_t i = 0; i < COUNT_OF(STATES); i++) {
        if (block_has_state(block, STATES[i])) {
            *seen = (struct seen_block){block, STATES[i] == BLOCK_FREE ? fields : granules_in(fields), STATES[i]};
            return true;
        }
    }
    return false;
}

/* All blocks of a pool, in order; checks on the way that they lie back to back (G1). */
static inline const struct seen_pool *read_pool(const struct pool *pool) {
    static struct seen_pool seen;
    char *block = pool_start(pool) + BLOCK_OVERHEAD_BYTES;
    seen.count = 0;
    for (;;) {
        struct seen_block read;
        assert_true(read_block(block, &read));
        if (read.state == BLOCK_FENCE)
            break;
        assert_true(seen.count < COUNT_OF(seen.blocks));
        seen.blocks[seen.count++] = read;
        block = block_behind(block, read.granules);
    }
    assert_ptr_equal(block, pool_start(pool) + pool->bytes);
    return &seen;
}

static inline size_t count_state(const struct seen_pool *seen, enum block_state state) {
    size_t count = 0;
    for (size_t i = 0; i < seen->count; i++)
        count += seen->blocks[i].state == state;
    return count;
}

/* The pool's blocks in use, and all of its payload but for the headers. */
static inline void assert_empty(struct pool *pool) {
    const struct seen_pool *seen = read_pool(pool);
    assert_int_equal(seen->count, 1);
    assert_int_equal(seen->blocks[0].state, BLOCK_FREE);
    assert_int_equal(seen->blocks[0].granules, general_of(pool)->capacity_granules);
    assert_int_equal(general_of(pool)->index.free_granules, general_of(pool)->capacity_granules);
    assert_int_equal(pool->live, 0);
}

/* ---- Invariants -------------------------------------------------------------------------------------------------- */

static inline size_t quick_bytes(const struct general_heap *heap) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < GENERAL_LIVE_CLASS_COUNT; i++) {
        for (const struct block_link *block = heap->quick[i]; block != &dam_quick_end; block = block->next)
            bytes += block_bytes_of_granules(granules_in(block_header(block)->fields));
    }
    return bytes;
}

/* What the quick lists may hold: 64 KiB and a quarter of the heap's pools. */
static inline size_t quick_bytes_max(const struct general_heap *heap) {
    return 64 * KIB + heap->pool_bytes / 4;
}

static inline void assert_quick_lists_sound(struct general_heap *heap) {
    for (uint32_t i = 0; i < GENERAL_LIVE_CLASS_COUNT; i++) {
        for (const struct block_link *block = heap->quick[i]; block != &dam_quick_end; block = block->next) {
            assert_true(block_quick_link_is_intact(block));
            assert_true(block_has_state(block, BLOCK_QUICK));
            assert_int_equal(granules_in(block_header(block)->fields), class_granules(i)); /* G3 */
            assert_ptr_equal(pool_of(block)->general_owner, name_of(heap));                /* G8 */
        }
    }
    assert_true(heap->quick_room >= 0); /* G6 */
    assert_true(quick_bytes(heap) <= quick_bytes_max(heap) + 4 * KIB); /* the room is a little off between two flushes */
}

static inline void assert_sound(struct general_heap *heap) {
    size_t pools = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < GENERAL_CLASS_COUNT; i++) {
        assert_int_equal(heap->class_bits[i / 64] >> (i % 64) & 1, !list_is_empty(&heap->by_largest[i]));
        for (struct list *link = heap->by_largest[i].next; link != &heap->by_largest[i]; link = link->next) {
            struct general_pool *general = general_of(container_of(link, struct pool, link));
            assert_int_equal(dam_general_verify_pool(&general->pool), 0); /* G1 to G4, G7 */
            assert_int_equal(dam_index_largest_class(&general->index), i); /* G5 */
            assert_int_equal(general->listed_class, i);
            assert_ptr_equal(general->pool.general_owner, name_of(heap));
            pools++;
            bytes += general->pool.bytes;
        }
    }
    assert_int_equal(heap->pool_count, pools);
    assert_int_equal(heap->pool_bytes, bytes);
    assert_quick_lists_sound(heap);
}

/* ---- Before and after a test ------------------------------------------------------------------------------------- */

static inline void retire_unowned(struct pool *pool, void *context) {
    (void)context;
    if (pool_layer(pool) == LAYER_GENERAL && dam_pool_try_claim(pool))
        dam_pool_retire(pool);
}

/* Retires whatever the heap still has, and what was let go; a test frees no more than it is about. */
static inline void layer_end(struct general_heap *heap) {
    struct pool *pool;
    while ((pool = dam_general_any_pool(heap)) != NULL) {
        dam_general_disown(heap, pool);
        dam_pool_retire(pool);
    }
    dam_pool_map_visit(retire_unowned, NULL);
}

static inline void layer_start(struct general_heap *heap) {
    dam_start();
    assert_int_equal(dam_options_set("dirty_max", "1G"), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", "3600000"), 0);
    dam_central_enter();
    dam_region_purge_all();
    dam_central_leave();
    dam_general_heap_init(heap, name_of(heap), false);
    assert_int_equal(pool_count(), 0);
}

#endif
