// SPDX-License-Identifier: MIT
/* figures.h: how many pools there are, and how they look to a test that plays several threads' parts. */
#ifndef DAM_TESTS_UNIT_HEAP_FIGURES_H
#define DAM_TESTS_UNIT_HEAP_FIGURES_H

#include "dam/dam.h"

#include "heap/heap.h"
#include "inspect/verify.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "support/test.h"

static inline size_t pools_of(enum layer layer) {
    struct layer_figures figures;
    dam_pool_read_figures(layer, &figures);
    return figures.pool_count;
}

struct pool_counts {
    size_t small, general, direct;
};

static inline struct pool_counts count_pools(void) {
    return (struct pool_counts){pools_of(LAYER_SMALL), pools_of(LAYER_GENERAL), pools_of(LAYER_DIRECT)};
}

#define ASSERT_SAME_COUNTS(left, right)                                                                                \
    do {                                                                                                               \
        assert_int_equal((left).small, (right).small);                                                                 \
        assert_int_equal((left).general, (right).general);                                                             \
        assert_int_equal((left).direct, (right).direct);                                                               \
    } while (0)

/* A block of the calling thread, in a test that could not go on without. */
static inline void *must_malloc(size_t size) {
    void *block = dam_malloc(size);
    CHECK(block != NULL);
    return block;
}

static inline uint32_t last_class(void) {
    return dam_small_classes.count - 1;
}

/* Blocks of 256 bytes in a pool: the cornerstone is never given out. */
#define BLOCKS_OF_256 (SLICE_BYTES / 256 - 1)

static inline bool is_nobodys(struct pool *pool) {
    return !remote_is_owned(atomic_load(&pool->remote)) && pool->small_owner == NULL && pool->general_owner == NULL;
}

static inline bool is_of_thread(const struct pool *pool) {
    return pool->small_owner == dam_thread_heap || pool->general_owner == dam_thread_heap;
}

/* A group's beginning: the thread has one general pool in use, so that no other is kept only for being the last. */
static inline int start_with_a_pool(void **state) {
    *state = must_malloc(1000);
    return 0;
}

static inline int end_sound(void **state) {
    dam_free(*state);
    return dam_verify_all() == 0 ? 0 : -1;
}

#endif
