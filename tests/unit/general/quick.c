// SPDX-License-Identifier: MIT
/* quick.c: the quick lists: last in first out, one per class, bounded in bytes, emptied when space is needed. */
#include "unit/general/general_layer.h"

#define BLOCKS_MAX 20000

static struct general_heap heap;
static void *blocks[BLOCKS_MAX];

static int start(void **state) {
    (void)state;
    layer_start(&heap);
    return 0;
}

static int end(void **state) {
    (void)state;
    assert_sound(&heap);
    layer_end(&heap);
    assert_int_equal(pool_count(), 0);
    return 0;
}

static bool is_quick(const void *block) {
    return block_has_state(block, BLOCK_QUICK);
}

TEST(a_freed_block_is_quick_and_not_merged) {
    void *block = layer_alloc(&heap, 1000);
    struct pool *pool = pool_of(block);
    uint32_t free_granules = general_of(pool)->index.free_granules;
    layer_free(&heap, block);
    assert_true(is_quick(block));
    assert_int_equal(pool->live, 1); /* G7 */
    assert_int_equal(general_of(pool)->index.free_granules, free_granules);
}

TEST(the_block_freed_last_is_given_out_first) {
    for (size_t i = 0; i < 5; i++)
        blocks[i] = layer_alloc(&heap, 1000);
    for (size_t i = 0; i < 5; i++)
        layer_free(&heap, blocks[i]);
    for (size_t i = 5; i-- > 0;)
        assert_ptr_equal(layer_alloc(&heap, 1000), blocks[i]);
}

TEST(a_quick_block_serves_every_size_of_its_class_and_no_other) {
    for (uint32_t class_index = 17; class_index < GENERAL_LIVE_CLASS_COUNT; class_index += 3) {
        size_t largest = block_bytes_of_granules(class_granules(class_index));
        size_t smallest = block_bytes_of_granules(class_granules(class_index - 1)) + 1;
        void *block = layer_alloc(&heap, largest);
        layer_free(&heap, block);
        assert_true(is_quick(block));
        assert_ptr_equal(layer_alloc(&heap, smallest), block);
        assert_int_equal(request_in(block_header(block)->fields), smallest);
        assert_true(block_canary_is_intact(block));
        layer_free(&heap, block);
        void *smaller = layer_alloc(&heap, smallest - 1);
        assert_ptr_not_equal(smaller, block);
        assert_true(is_quick(block));
        layer_free(&heap, smaller);
        dam_general_flush(&heap);
    }
}

TEST(the_common_way_serves_from_the_list_and_says_no_when_it_is_empty) {
    assert_null(general_alloc_fast(&heap, 1000));
    void *block = layer_alloc(&heap, 1000);
    assert_null(general_alloc_fast(&heap, 1000));
    assert_true(general_free_fast(&heap, block));
    assert_ptr_equal(general_alloc_fast(&heap, 1000), block);
    assert_null(general_alloc_fast(&heap, 1000));
}

/* ---- The bound --------------------------------------------------------------------------------------------------- */

static void assert_bounded(size_t size) {
    size_t count = smaller_of(8 * MIB / size, BLOCKS_MAX);
    for (size_t i = 0; i < count; i++)
        blocks[i] = layer_alloc(&heap, size);
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        layer_free(&heap, blocks[i]);
        assert_true(heap.quick_room >= 0); /* G6 */
        size_t bytes = quick_bytes(&heap);
        assert_true(bytes <= quick_bytes_max(&heap));
        most = bytes > most ? bytes : most;
    }
    assert_true(most > 32 * KIB); /* it was used, not only bounded */
    assert_sound(&heap);
    dam_general_flush(&heap);
}

TEST(the_quick_lists_never_hold_more_than_their_bound) {
    assert_bounded(300);
    assert_bounded(4096);
    assert_bounded(20000);
    assert_bounded(65536);
}

TEST(the_bound_is_64_kibibytes_and_a_quarter_of_the_heaps_pools) {
    assert_int_equal(heap.quick_limit, (int64_t)(64 * KIB / GRANULE_BYTES) << 16);
    assert_int_equal(heap.quick_room, heap.quick_limit);
    layer_alloc(&heap, 1000);
    assert_int_equal(heap.pool_bytes, 256 * KIB);
    assert_int_equal(heap.quick_limit, (int64_t)(128 * KIB / GRANULE_BYTES) << 16);
    assert_int_equal(heap.quick_room, heap.quick_limit);
}

TEST(a_free_that_finds_the_lists_full_empties_them_and_merges) {
    size_t freed = 0;
    for (size_t i = 0; i < 100; i++)
        blocks[i] = layer_alloc(&heap, 4096);
    while (general_free_fast(&heap, blocks[freed]))
        freed++;
    assert_in_range(freed, 16, 99);
    assert_true(quick_bytes(&heap) > 0);
    dam_general_free(&heap, pool_of(blocks[freed]), blocks[freed]);
    assert_int_equal(quick_bytes(&heap), 0);
    assert_true(heap.quick_room >= 0);
    for (size_t i = 0; i < 100; i++) {
        const struct pool *pool = pool_of(blocks[i]);
        if (!pool_is_none(pool)) /* it may have become empty */
            assert_int_equal(count_state(read_pool(pool), BLOCK_QUICK), 0);
    }
}

/* ---- Emptying ---------------------------------------------------------------------------------------------------- */

TEST(emptying_merges_everything_and_gives_the_room_back) {
    struct random random = random_start(test_seed("unit.general.quick"), 0);
    for (size_t i = 0; i < 200; i++)
        blocks[i] = layer_alloc(&heap, 257 + random_below(&random, 300));
    struct pool *pool = pool_of(blocks[0]);
    assert_int_equal(heap.pool_count, 1);
    for (size_t i = 0; i < 200; i++)
        assert_true(general_free_fast(&heap, blocks[i]));
    assert_true(heap.quick_room < heap.quick_limit);
    dam_general_flush(&heap);
    for (uint32_t i = 0; i < GENERAL_LIVE_CLASS_COUNT; i++)
        assert_ptr_equal(heap.quick[i], &dam_quick_end);
    assert_int_equal(heap.quick_room, heap.quick_limit);
    assert_empty(pool);
}

/* Blocks change their request, within their class, while they go in and out of the lists; each time that leaves the room a
 * little off. Emptying sets it right again. */
TEST(after_emptying_the_room_is_exact_whatever_sizes_the_blocks_have_had) { /* G6 */
    static const size_t SIZES[][2] = {{63489, 65536}, {65536, 63489}, {257, 272}, {272, 257}};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        for (int round = 0; round < 200; round++) {
            for (size_t j = 0; j < 8; j++)
                blocks[j] = layer_alloc(&heap, SIZES[i][0]);
            for (size_t j = 0; j < 8; j++)
                layer_free(&heap, blocks[j]);
            for (size_t j = 0; j < 8; j++)
                blocks[j] = layer_alloc(&heap, SIZES[i][1]);
            for (size_t j = 0; j < 8; j++)
                layer_free(&heap, blocks[j]);
            dam_general_flush(&heap);
            assert_int_equal(heap.quick_room, heap.quick_limit);
        }
    }
}

/* 100 KiB are free in all, but in quick blocks of 5 KiB side by side. */
TEST(a_request_that_nothing_else_can_serve_is_served_from_what_the_quick_lists_give_back) {
    size_t count = 0;
    while (general_of(pool_of(blocks[0] = layer_alloc(&heap, 5000)))->index.free_granules > 2 * 320)
        count++;
    assert_int_equal(heap.pool_count, 1);
    const struct seen_pool *seen = read_pool(pool_of(blocks[0]));
    for (size_t i = 0; i < count; i++)
        blocks[i] = seen->blocks[i].block;
    for (size_t i = 10; i < 30; i++)
        assert_true(general_free_fast(&heap, blocks[i]));
    char *large = layer_alloc(&heap, 60000);
    assert_int_equal(heap.pool_count, 1);
    assert_ptr_equal(large, blocks[10]);
    assert_int_equal(quick_bytes(&heap), 0);
}

TEST(emptying_retires_pools_that_become_empty_but_for_the_last) {
    for (size_t i = 0; i < 40; i++)
        blocks[i] = layer_alloc(&heap, 65000);
    assert_true(heap.pool_count > 2);
    for (size_t i = 0; i < 40; i++)
        layer_free(&heap, blocks[i]);
    dam_general_flush(&heap);
    assert_int_equal(heap.pool_count, 1);
    assert_int_equal(pool_count(), 1);
    assert_empty(dam_general_any_pool(&heap));
}

int main(void) {
#define WITH_HEAP(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_HEAP(a_freed_block_is_quick_and_not_merged),
        WITH_HEAP(the_block_freed_last_is_given_out_first),
        WITH_HEAP(a_quick_block_serves_every_size_of_its_class_and_no_other),
        WITH_HEAP(the_common_way_serves_from_the_list_and_says_no_when_it_is_empty),
        WITH_HEAP(the_quick_lists_never_hold_more_than_their_bound),
        WITH_HEAP(the_bound_is_64_kibibytes_and_a_quarter_of_the_heaps_pools),
        WITH_HEAP(a_free_that_finds_the_lists_full_empties_them_and_merges),
        WITH_HEAP(emptying_merges_everything_and_gives_the_room_back),
        WITH_HEAP(after_emptying_the_room_is_exact_whatever_sizes_the_blocks_have_had),
        WITH_HEAP(a_request_that_nothing_else_can_serve_is_served_from_what_the_quick_lists_give_back),
        WITH_HEAP(emptying_retires_pools_that_become_empty_but_for_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
