// SPDX-License-Identifier: MIT
/* small_layer.h: the small layer by itself: heaps that have no other, and the little that heap/heap.c does for one.
 *
 * A heap's owner is only a name to this layer; here it is the address of the small heap itself. */
#ifndef DAM_TESTS_UNIT_SMALL_SMALL_LAYER_H
#define DAM_TESTS_UNIT_SMALL_SMALL_LAYER_H

#include "heap/heap.h"
#include "options/options.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "region/region.h"
#include "small/small_fast.h"
#include "support/test.h"

static inline struct heap *name_of(struct small_heap *heap) {
    return (void *)heap;
}

static inline struct pool *layer_add_pool(struct small_heap *heap, uint32_t class_index) {
    struct pool *pool = dam_small_create_pool(class_index);
    assert_non_null(pool);
    dam_pool_own_new(pool);
    dam_small_enlist_new(heap, pool);
    return pool;
}

/* As small_alloc in heap/heap.c, without claiming what others left behind. */
static inline void *layer_alloc(struct small_heap *heap, size_t size) {
    void *block = small_alloc_fast(heap, size);
    while (block == NULL) {
        uint32_t class_index = small_class_index(size);
        dam_small_check_free_list(heap, class_index);
        if (!dam_small_refill(heap, class_index))
            layer_add_pool(heap, class_index);
        block = small_alloc_fast(heap, size);
    }
    return block;
}

/* As front_free in front/front_fast.h, by the pool's owner. */
static inline void layer_free(struct small_heap *heap, void *block) {
    struct pool *pool = pool_of(block);
    assert_ptr_equal(pool->small_owner, name_of(heap));
    assert_true(small_is_live(pool, block));
    if (small_free_fast(pool, block))
        dam_small_pool_emptied(heap, pool);
}

static inline size_t pool_count(void) {
    struct layer_figures figures;
    dam_pool_read_figures(LAYER_SMALL, &figures);
    return figures.pool_count;
}

static inline uint32_t blocks_per_pool(uint32_t class_index) {
    return dam_small_classes.of[class_index].block_count - 1; /* the cornerstone is never given out */
}

static inline size_t size_of_class(uint32_t class_index) {
    return dam_small_classes.of[class_index].block_bytes;
}

static inline struct pool *current_of(const struct small_heap *heap, uint32_t class_index) {
    return heap->current[dam_small_classes.of[class_index].granule_first];
}

/* Without the one that a current pool counts too many. */
static inline uint32_t live_of(const struct pool *pool) {
    return pool->live - pool->is_current;
}

static inline bool is_listed(const struct small_heap *heap, const struct pool *pool) {
    const struct list *head = &heap->usable[pool->class_index];
    for (const struct list *link = head->next; link != head; link = link->next) {
        if (link == &pool->link)
            return true;
    }
    return false;
}

/* S4 and S5 for every pool of the heap, S1 to S3 for its insides. */
static inline void assert_sound(const struct small_heap *heap) {
    for (uint32_t i = 0; i < dam_small_classes.count; i++) {
        struct pool *current = current_of(heap, i);
        if (current != &dam_small_no_pool) {
            assert_int_equal(current->class_index, i);
            assert_false(is_listed(heap, current)); /* S4 */
            assert_true(current->is_current);
            assert_int_equal(dam_small_verify_pool(current), 0);
        }
        for (struct list *link = heap->usable[i].next; link != &heap->usable[i]; link = link->next) {
            struct pool *pool = container_of(link, struct pool, link);
            assert_int_equal(pool->class_index, i);
            assert_false(pool->is_current);
            assert_int_equal(dam_small_verify_pool(pool), 0);
            assert_true(heap->keeps_pools || !dam_small_is_full(pool) || dam_pool_remote_count(pool) > 0); /* S5 */
        }
    }
}

static inline int layer_start(struct small_heap *heap) {
    dam_start();
    assert_int_equal(dam_options_set("dirty_max", "1G"), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", "3600000"), 0);
    dam_central_enter();
    dam_region_purge_all();
    dam_central_leave();
    dam_small_heap_init(heap, name_of(heap), false);
    assert_int_equal(pool_count(), 0);
    return 0;
}

static inline void retire_unowned(struct pool *pool, void *context) {
    (void)context;
    if (dam_pool_try_claim(pool))
        dam_pool_retire(pool);
}

/* Retires whatever the heap still has, and what was let go; a test frees no more than it is about. */
static inline void layer_end(struct small_heap *heap) {
    struct pool *pool;
    while ((pool = dam_small_any_pool(heap)) != NULL) {
        dam_small_disown(heap, pool);
        dam_pool_retire(pool);
    }
    dam_pool_map_visit(retire_unowned, NULL);
}

#endif
