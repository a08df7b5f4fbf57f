// SPDX-License-Identifier: MIT
/* aligned.c: aligned requests give back what they do not need, in front and behind, to the granule. */
#include "unit/general/general_layer.h"

static struct general_heap heap;
static struct pool *pool;

static const size_t SIZES[] = {0, 1, 16, 17, 256, 300, 1000, 4096, 5000, 20000, 65535, 65536};

static int start(void **state) {
    (void)state;
    layer_start(&heap);
    pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    return 0;
}

static int end(void **state) {
    (void)state;
    assert_sound(&heap);
    layer_end(&heap);
    return 0;
}

static uint32_t class_size_for(size_t size) {
    return class_granules(general_class_for(size));
}

static char *alloc_aligned(size_t size, size_t alignment) {
    char *block = layer_alloc_aligned(&heap, size, alignment);
    assert_true(is_aligned(block, alignment));
    assert_int_equal(granules_in(block_header(block)->fields), class_size_for(size)); /* G3 */
    assert_int_equal(request_in(block_header(block)->fields), size == 0 ? 1 : size);
    assert_true(block_canary_is_intact(block));
    return block;
}

/* Every free block more than before costs its header; nothing else is spent but the block itself. */
TEST(front_and_rest_are_given_back_to_the_granule) {
    for (size_t alignment = 32; alignment <= GENERAL_SIZE_MAX; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
            assert_empty(pool);
            uint32_t free_before = general_of(pool)->index.free_granules;
            char *block = alloc_aligned(SIZES[i], alignment);
            assert_ptr_equal(pool_of(block), pool);
            const struct seen_pool *seen = read_pool(pool);
            assert_int_equal(count_state(seen, BLOCK_LIVE), 1);
            uint32_t more_blocks = (uint32_t)seen->count - 1;
            assert_in_range(more_blocks, 1, 2);
            assert_int_equal(general_of(pool)->index.free_granules,
                             free_before - class_size_for(SIZES[i]) - more_blocks);
            assert_sound(&heap);
            layer_free_merged(&heap, block);
            assert_int_equal(general_of(pool)->index.free_granules, free_before);
        }
    }
    assert_int_equal(pool_count(), 1);
}

TEST(a_place_that_is_aligned_already_is_used_as_it_is) {
    char *first = layer_alloc(&heap, 300);
    layer_free_merged(&heap, first);
    size_t alignment = (size_t)1 << lowest_bit((uintptr_t)first); /* whatever the first place has */
    assert_true(alignment >= GRANULE_BYTES);
    assert_ptr_equal(alloc_aligned(300, alignment), first);
}

TEST(what_lies_in_front_serves_other_requests) {
    char *aligned = alloc_aligned(1000, 4096);
    char *first = pool_start(pool) + BLOCK_OVERHEAD_BYTES;
    assert_true(aligned > first);
    assert_ptr_equal(layer_alloc(&heap, 300), first); /* the front is the tightest free block that is large enough */
    assert_true(first + 300 < aligned);
}

/* The first aligned place may begin a single granule behind the free block: the front is then a block without payload. */
TEST(a_front_of_a_single_granule_is_a_free_block_without_payload) {
    size_t found = 0;
    for (size_t offset = 1; offset <= 32; offset++) {
        char *filler = layer_alloc(&heap, offset * GRANULE_BYTES);
        char *aligned = alloc_aligned(300, 512);
        const struct seen_pool *seen = read_pool(pool);
        for (size_t i = 0; i < seen->count; i++)
            found += seen->blocks[i].state == BLOCK_FREE && seen->blocks[i].granules == 0 &&
                     seen->blocks[i + 1].block == aligned;
        assert_sound(&heap);
        layer_free_merged(&heap, aligned);
        layer_free_merged(&heap, filler);
        assert_empty(pool);
    }
    assert_true(found > 0);
}

TEST(many_aligned_blocks_side_by_side_keep_their_bytes_and_give_all_back) {
    struct random random = random_start(test_seed("unit.general.aligned"), 0);
    enum { COUNT = 60 };
    for (int round = 0; round < 20; round++) {
        char *blocks[COUNT];
        size_t sizes[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            size_t alignment = (size_t)16 << random_below(&random, 10);
            sizes[i] = random_below(&random, 3000);
            blocks[i] = alloc_aligned(sizes[i], alignment);
            pattern_fill(blocks[i], sizes[i], pattern_key(4, i));
        }
        assert_sound(&heap);
        for (size_t i = 0; i < COUNT; i++)
            assert_true(pattern_holds(blocks[i], sizes[i], pattern_key(4, i)));
        for (size_t i = 0; i < COUNT; i++)
            layer_free_merged(&heap, blocks[i]);
        while (heap.pool_count > 1) {
            struct pool *last = dam_general_any_pool(&heap);
            assert_empty(last);
            dam_general_disown(&heap, last);
            dam_pool_retire(last);
        }
    }
}

TEST(an_aligned_request_does_not_come_from_a_quick_list) {
    char *quick = layer_alloc(&heap, 512);
    layer_free(&heap, quick);
    size_t more_than_it_has = (size_t)2 << lowest_bit((uintptr_t)quick);
    if (more_than_it_has > GENERAL_SIZE_MAX)
        more_than_it_has = 32;
    assert_ptr_not_equal(alloc_aligned(512, more_than_it_has), quick);
    assert_true(block_has_state(quick, BLOCK_QUICK));
    assert_ptr_equal(layer_alloc(&heap, 512), quick);
}

TEST(the_largest_block_at_the_largest_alignment_fits_a_fresh_pool) {
    for (size_t size = 257; size <= GENERAL_SIZE_MAX; size += 1021) {
        for (size_t alignment = GRANULE_BYTES; alignment <= GENERAL_SIZE_MAX; alignment *= 2) {
            struct general_heap fresh;
            dam_general_heap_init(&fresh, name_of(&fresh), false);
            char *block = layer_alloc_aligned(&fresh, size, alignment);
            assert_true(is_aligned(block, alignment));
            assert_int_equal(fresh.pool_count, 1);
            struct pool *only = dam_general_any_pool(&fresh);
            dam_general_disown(&fresh, only);
            dam_pool_retire(only);
        }
    }
}

int main(void) {
#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_POOL(front_and_rest_are_given_back_to_the_granule),
        WITH_POOL(a_place_that_is_aligned_already_is_used_as_it_is),
        WITH_POOL(what_lies_in_front_serves_other_requests),
        WITH_POOL(a_front_of_a_single_granule_is_a_free_block_without_payload),
        WITH_POOL(many_aligned_blocks_side_by_side_keep_their_bytes_and_give_all_back),
        WITH_POOL(an_aligned_request_does_not_come_from_a_quick_list),
        WITH_POOL(the_largest_block_at_the_largest_alignment_fits_a_fresh_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
