// SPDX-License-Identifier: MIT
/* thread_end.c: what a thread leaves behind: nothing, if it freed all; else pools that are nobody's and serve whoever needs
 * or frees. */
#include "unit/heap/figures.h"

#include "region/metadata.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/watchdog.h"
#include "unit/support/threads.h"

#define BLOCKS_MAX 4000

/* What a thread made for the thread that started it. */
struct legacy {
    size_t size;
    size_t count;
    void *blocks[BLOCKS_MAX];
    struct pool *first_pool;
};

static struct legacy legacy;

static void *allocate_and_end(void *argument) {
    struct legacy *left = argument;
    for (size_t i = 0; i < left->count; i++)
        left->blocks[i] = must_malloc(left->size);
    left->first_pool = pool_of(left->blocks[0]);
    return NULL;
}

static void *allocate_free_most_and_end(void *argument) {
    struct legacy *left = argument;
    allocate_and_end(left);
    while (left->count > 1)
        dam_free(left->blocks[--left->count]);
    return NULL;
}

static void leave(void *(*body)(void *), size_t size, size_t count) {
    legacy = (struct legacy){.size = size, .count = count};
    thread_join(thread_start(body, &legacy));
}

static void free_legacy(void) {
    while (legacy.count > 0)
        dam_free(legacy.blocks[--legacy.count]);
}

/* Empties what the thread keeps, so that the next request must look elsewhere. */
static void own_nothing_free(void) {
    dam_trim();
    assert_ptr_equal(dam_thread_heap->small.current[16], &dam_small_no_pool);
}

/* ---- Nothing is left --------------------------------------------------------------------------------------------- */

static void *use_every_layer(void *argument) {
    struct random random = random_start((uintptr_t)argument, 1);
    void *blocks[300] = {NULL};
    for (size_t i = 0; i < 3000; i++) {
        size_t slot = random_below(&random, COUNT_OF(blocks));
        dam_free(blocks[slot]);
        blocks[slot] = must_malloc(random_size(&random, 3 * MIB));
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        dam_free(blocks[i]);
    return NULL;
}

TEST(a_thread_that_has_freed_all_it_allocated_leaves_no_pool) {
    struct pool_counts before = count_pools();
    for (uintptr_t i = 0; i < 20; i++) {
        thread_join(thread_start(use_every_layer, (void *)i)); // NOLINT(performance-no-int-to-ptr)
        struct pool_counts after = count_pools();
        ASSERT_SAME_COUNTS(after, before);
    }
}

static void *allocate_a_little(void *argument) {
    dam_free(must_malloc(100));
    dam_free(must_malloc(1000));
    return argument;
}

TEST(thousands_of_short_threads_need_no_more_structures_than_one) {
    struct pool_counts before = count_pools();
    thread_join(thread_start(allocate_a_little, NULL));
    size_t metadata = dam_metadata_mapped_bytes();
    for (int i = 0; i < 2000; i++)
        thread_join(thread_start(allocate_a_little, NULL));
    assert_int_equal(dam_metadata_mapped_bytes(), metadata);
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, before);
}

/* ---- Small pools left behind ------------------------------------------------------------------------------------- */

TEST(a_partly_used_small_pool_is_claimed_by_the_next_thread_that_needs_its_class) { /* T4 */
    for (size_t size = 16; size <= 256; size += 48) {
        own_nothing_free();
        leave(allocate_free_most_and_end, size, 5);
        assert_true(is_nobodys(legacy.first_pool));
        assert_true(legacy.first_pool->shared);
        size_t pools = pools_of(LAYER_SMALL);
        void *block = must_malloc(size);
        assert_ptr_equal(pool_of(block), legacy.first_pool);
        assert_true(is_of_thread(legacy.first_pool));
        assert_false(legacy.first_pool->shared);
        assert_int_equal(pools_of(LAYER_SMALL), pools);
        free_legacy();
        dam_free(block);
    }
}

TEST(a_full_small_pool_waits_unlisted_for_the_next_free) {
    own_nothing_free();
    size_t pools = pools_of(LAYER_SMALL);
    leave(allocate_and_end, 256, BLOCKS_OF_256);
    assert_int_equal(pools_of(LAYER_SMALL), pools + 1);
    assert_true(is_nobodys(legacy.first_pool));
    assert_false(legacy.first_pool->shared);
    void *own = must_malloc(256);
    assert_ptr_not_equal(pool_of(own), legacy.first_pool);
    dam_free(legacy.blocks[--legacy.count]);
    assert_true(is_of_thread(legacy.first_pool)); /* the freer's now */
    free_legacy();
    assert_int_equal(pools_of(LAYER_SMALL), pools + 1); /* our own, current */
    dam_free(own);
    dam_trim();
    assert_int_equal(pools_of(LAYER_SMALL), pools);
}

TEST(freeing_all_that_a_thread_left_behind_retires_its_small_pools) {
    own_nothing_free();
    struct pool_counts before = count_pools();
    leave(allocate_and_end, 200, BLOCKS_MAX);
    assert_true(pools_of(LAYER_SMALL) > before.small + 5);
    free_legacy();
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, before);
}

/* ---- General pools left behind ----------------------------------------------------------------------------------- */

TEST(a_partly_used_general_pool_is_claimed_by_the_next_thread_whose_pools_do_not_fit_the_request) {
    leave(allocate_free_most_and_end, 60000, 3);
    assert_true(is_nobodys(legacy.first_pool));
    assert_true(legacy.first_pool->shared);
    void *blocks[80];
    size_t count = 0;
    size_t pools = pools_of(LAYER_GENERAL);
    do
        blocks[count] = must_malloc(60000);
    while (pool_of(blocks[count]) != legacy.first_pool && ++count < COUNT_OF(blocks) - 1);
    assert_ptr_equal(pool_of(blocks[count]), legacy.first_pool);
    assert_true(is_of_thread(legacy.first_pool));
    assert_int_equal(pools_of(LAYER_GENERAL), pools); /* before any new one was made */
    for (size_t i = 0; i <= count; i++)
        dam_free(blocks[i]);
    free_legacy();
    dam_trim();
}

TEST(a_threads_quick_lists_are_emptied_when_it_ends) { /* G8 */
    leave(allocate_free_most_and_end, 1000, 50);
    struct general_block_figures figures = {0};
    dam_general_read_figures(legacy.first_pool, &figures);
    assert_int_equal(figures.quick_bytes, 0);
    assert_int_equal(figures.live_blocks, 1);
    assert_int_equal(legacy.first_pool->live, 1);
    assert_int_equal(dam_general_verify_pool(legacy.first_pool), 0);
    free_legacy();
}

TEST(freeing_all_that_a_thread_left_behind_retires_its_general_pools) {
    dam_trim();
    struct pool_counts before = count_pools();
    leave(allocate_and_end, 5000, BLOCKS_MAX);
    assert_true(pools_of(LAYER_GENERAL) > before.general + 3);
    free_legacy();
    dam_trim();
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, before);
}

TEST(direct_blocks_outlive_their_thread) {
    struct pool_counts before = count_pools();
    leave(allocate_and_end, 300000, 10);
    assert_int_equal(pools_of(LAYER_DIRECT), before.direct + 10);
    memset(legacy.blocks[9], 1, 300000);
    free_legacy();
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, before);
}

/* ---- A producer that idles --------------------------------------------------------------------------------------- */

struct producer {
    struct legacy *made;
    struct event produced;
    struct event end;
};

static void *produce_and_idle(void *argument) {
    struct producer *producer = argument;
    allocate_and_end(producer->made);
    event_raise(&producer->produced);
    event_wait(&producer->end);
    return NULL;
}

/* Frees that could wait behind the producer are those of pools it still owns: the ones it had not filled. */
static void assert_consumed(size_t size, enum layer layer, size_t pools_kept_max) {
    struct producer producer = {.made = &legacy};
    dam_trim();
    size_t before = pools_of(layer);
    legacy = (struct legacy){.size = size, .count = BLOCKS_MAX};
    pthread_t thread = thread_start(produce_and_idle, &producer);
    event_wait(&producer.produced);
    size_t made = pools_of(layer) - before;
    assert_true(made > pools_kept_max + 2);
    free_legacy();
    dam_trim();
    size_t left = pools_of(layer) - before;
    event_raise(&producer.end);
    thread_join(thread);
    assert_in_range(left, 0, pools_kept_max);
    assert_int_equal(pools_of(layer), before);
}

TEST(what_a_consumer_frees_does_not_wait_for_an_idle_producer) {
    assert_consumed(256, LAYER_SMALL, 1);
    assert_consumed(60000, LAYER_GENERAL, 2);
}

static void *free_only(void *argument) {
    struct legacy *given = argument;
    while (given->count > 0)
        dam_free(given->blocks[--given->count]);
    return NULL;
}

TEST(a_thread_that_never_allocates_can_free_and_leaves_nothing) {
    own_nothing_free();
    struct pool_counts before = count_pools();
    static const size_t SIZES[] = {16, 256, 300, 10000, 100000};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        leave(allocate_and_end, SIZES[i], 200);
        thread_join(thread_start(free_only, &legacy));
        struct pool_counts after = count_pools();
        ASSERT_SAME_COUNTS(after, before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_has_freed_all_it_allocated_leaves_no_pool),
        cmocka_unit_test(thousands_of_short_threads_need_no_more_structures_than_one),
        cmocka_unit_test(a_partly_used_small_pool_is_claimed_by_the_next_thread_that_needs_its_class),
        cmocka_unit_test(a_full_small_pool_waits_unlisted_for_the_next_free),
        cmocka_unit_test(freeing_all_that_a_thread_left_behind_retires_its_small_pools),
        cmocka_unit_test(a_partly_used_general_pool_is_claimed_by_the_next_thread_whose_pools_do_not_fit_the_request),
        cmocka_unit_test(a_threads_quick_lists_are_emptied_when_it_ends),
        cmocka_unit_test(freeing_all_that_a_thread_left_behind_retires_its_general_pools),
        cmocka_unit_test(direct_blocks_outlive_their_thread),
        cmocka_unit_test(what_a_consumer_frees_does_not_wait_for_an_idle_producer),
        cmocka_unit_test(a_thread_that_never_allocates_can_free_and_leaves_nothing),
    };
    watchdog_start("unit.heap.thread_end");
    return cmocka_run_group_tests(tests, start_with_a_pool, end_sound);
}
