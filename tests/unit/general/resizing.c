// SPDX-License-Identifier: MIT
/* resizing.c: a block shrinks by splitting and grows into a free neighbour, in place, or not at all. */
#include "unit/general/general_layer.h"

static struct general_heap heap;
static struct pool *pool;

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

static char *alloc_granules(uint32_t granules) {
    char *block = layer_alloc(&heap, block_bytes_of_granules(granules));
    assert_int_equal(granules_in(block_header(block)->fields), granules);
    pattern_fill(block, block_bytes_of_granules(granules), pattern_key(5, granules));
    return block;
}

static bool resize(char *block, size_t size) {
    return dam_general_resize(&heap, pool, block, size);
}

static uint32_t free_granules(void) {
    return general_of(pool)->index.free_granules;
}

static void assert_is(char *block, uint32_t granules, enum block_state state) {
    struct seen_block seen;
    assert_true(read_block(block, &seen));
    assert_int_equal(seen.state, state);
    assert_int_equal(seen.granules, granules);
}

/* Live, as large as the class of the request, canary right behind the request. */
static void assert_resized(char *block, size_t size) {
    assert_is(block, class_granules(general_class_for(size)), BLOCK_LIVE);
    assert_int_equal(request_in(block_header(block)->fields), size == 0 ? 1 : size);
    assert_true(block_canary_is_intact(block));
    assert_int_equal(dam_general_verify_pool(pool), 0);
}

/* ---- Shrinking --------------------------------------------------------------------------------------------------- */

TEST(shrinking_splits_the_end_off_as_a_free_block) {
    char *block = alloc_granules(64);
    char *behind = alloc_granules(5);
    uint32_t before = free_granules();
    assert_true(resize(block, 20 * GRANULE_BYTES));
    assert_resized(block, 20 * GRANULE_BYTES);
    assert_is(block_behind(block, 20), 43, BLOCK_FREE);
    assert_int_equal(free_granules(), before + 43);
    assert_is(behind, 5, BLOCK_LIVE);
    assert_true(pattern_holds(block, 20 * GRANULE_BYTES, pattern_key(5, 64)));
}

TEST(what_is_split_off_merges_with_the_free_block_behind) { /* G2 */
    char *block = alloc_granules(64);
    char *middle = alloc_granules(30);
    char *behind = alloc_granules(5);
    layer_free_merged(&heap, middle);
    assert_true(resize(block, 20 * GRANULE_BYTES));
    assert_resized(block, 20 * GRANULE_BYTES);
    assert_is(block_behind(block, 20), 43 + 1 + 30, BLOCK_FREE);
    assert_is(behind, 5, BLOCK_LIVE);
}

TEST(shrinking_by_a_single_granule_leaves_a_free_block_without_payload) {
    char *block = alloc_granules(32);
    char *behind = alloc_granules(5);
    uint32_t before = free_granules();
    assert_true(resize(block, 31 * GRANULE_BYTES));
    assert_resized(block, 31 * GRANULE_BYTES);
    assert_is(block_behind(block, 31), 0, BLOCK_FREE);
    assert_int_equal(free_granules(), before);
    assert_true(resize(block, 32 * GRANULE_BYTES)); /* and is there to grow back into */
    assert_resized(block, 32 * GRANULE_BYTES);
    assert_ptr_equal(block_behind(block, 32), behind);
}

TEST(a_new_size_of_the_same_class_moves_the_canary_alone) {
    char *block = alloc_granules(40); /* 625 to 640 bytes */
    char *behind = alloc_granules(5);
    const struct seen_pool *seen = read_pool(pool);
    size_t count = seen->count;
    for (size_t size = 39 * GRANULE_BYTES + 1; size <= 40 * GRANULE_BYTES; size++) {
        assert_true(resize(block, size));
        assert_resized(block, size);
        assert_ptr_equal(block_behind(block, 40), behind);
        assert_int_equal(read_pool(pool)->count, count);
    }
}

TEST(a_new_size_of_zero_counts_as_one) {
    char *block = alloc_granules(40);
    assert_true(resize(block, 0));
    assert_resized(block, 0);
    assert_is(block, 1, BLOCK_LIVE);
}

/* ---- Growing ----------------------------------------------------------------------------------------------------- */

TEST(growing_takes_what_it_needs_from_the_free_block_behind_and_leaves_the_rest) {
    char *block = alloc_granules(20);
    char *middle = alloc_granules(100);
    char *behind = alloc_granules(5);
    layer_free_merged(&heap, middle);
    uint32_t before = free_granules();
    assert_true(resize(block, 32 * GRANULE_BYTES));
    assert_resized(block, 32 * GRANULE_BYTES);
    assert_is(block_behind(block, 32), 100 - 12, BLOCK_FREE);
    assert_int_equal(free_granules(), before - 12);
    assert_is(behind, 5, BLOCK_LIVE);
    assert_true(pattern_holds(block, 20 * GRANULE_BYTES, pattern_key(5, 20)));
}

TEST(growing_can_take_the_whole_free_block_behind) {
    char *block = alloc_granules(20);
    char *middle = alloc_granules(11);
    char *behind = alloc_granules(5);
    layer_free_merged(&heap, middle);
    assert_true(resize(block, 32 * GRANULE_BYTES)); /* 20 + 1 + 11 */
    assert_resized(block, 32 * GRANULE_BYTES);
    assert_ptr_equal(block_behind(block, 32), behind);
    assert_is(behind, 5, BLOCK_LIVE);
}

static void assert_refused(char *block, uint32_t granules, size_t size) {
    uint32_t before = free_granules();
    size_t count = read_pool(pool)->count;
    uint32_t fields = block_header(block)->fields;
    assert_false(resize(block, size));
    assert_int_equal(block_header(block)->fields, fields);
    assert_resized(block, block_bytes_of_granules(granules));
    assert_int_equal(free_granules(), before);
    assert_int_equal(read_pool(pool)->count, count);
    assert_true(pattern_holds(block, block_bytes_of_granules(granules), pattern_key(5, granules)));
}

TEST(growing_is_refused_where_the_free_block_behind_is_a_granule_short) {
    char *block = alloc_granules(20);
    char *middle = alloc_granules(10);
    alloc_granules(5);
    layer_free_merged(&heap, middle);
    assert_refused(block, 20, 32 * GRANULE_BYTES); /* 20 + 1 + 10 = 31 */
    assert_true(resize(block, 31 * GRANULE_BYTES));
}

TEST(growing_is_refused_beside_live_quick_and_remote_blocks_and_at_the_pools_end) {
    char *block = alloc_granules(20);
    char *behind = alloc_granules(50);
    alloc_granules(5);
    assert_refused(block, 20, 21 * GRANULE_BYTES);
    layer_free(&heap, behind);
    assert_refused(block, 20, 21 * GRANULE_BYTES);
    assert_ptr_equal(layer_alloc(&heap, 50 * GRANULE_BYTES), behind);
    layer_free_remote(behind);
    assert_refused(block, 20, 21 * GRANULE_BYTES);
}

TEST(growing_is_refused_at_the_pools_end) {
    uint32_t left = free_granules();
    while (left > 4096 + 30) {
        alloc_granules(4096);
        left = free_granules();
    }
    /* The rest of the pool, but for what rounding takes, as one block; then its own end. */
    uint32_t granules = class_granules(class_of_block(left));
    char *last = alloc_granules(granules);
    uint32_t rest = free_granules();
    size_t most = block_bytes_of_granules(granules) + (rest > 0 ? block_bytes_of_granules(rest + 1) : 0);
    assert_refused(last, granules, most + GENERAL_SIZE_MAX / 16 > GENERAL_SIZE_MAX ? GENERAL_SIZE_MAX : most + 4096);
}

/* Every old size with every new one, with every amount of free space behind: yes exactly when there is room. */
TEST(the_answer_is_yes_exactly_when_there_is_room_and_the_bytes_stay) {
    static const uint32_t SIZES[] = {1, 2, 17, 18, 31, 32, 34, 36, 62, 64, 100, 128, 512, 1024};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        for (size_t j = 0; j < COUNT_OF(SIZES); j++) {
            for (size_t k = 0; k < COUNT_OF(SIZES); k++) {
                char *block = alloc_granules(SIZES[i]);
                char *middle = alloc_granules(SIZES[k]);
                char *behind = alloc_granules(3);
                layer_free_merged(&heap, middle);
                size_t size = block_bytes_of_granules(SIZES[j]) - 3;
                bool has_room = SIZES[j] <= SIZES[i] + 1 + SIZES[k];
                assert_int_equal(resize(block, size), has_room);
                assert_resized(block, has_room ? size : block_bytes_of_granules(SIZES[i]));
                size_t kept = smaller_of(size, block_bytes_of_granules(SIZES[i]));
                assert_true(pattern_holds(block, kept, pattern_key(5, SIZES[i])));
                assert_is(behind, 3, BLOCK_LIVE);
                layer_free_merged(&heap, block);
                layer_free_merged(&heap, behind);
                assert_empty(pool);
            }
        }
    }
}

TEST(growing_past_old_boundary_tags_leaves_none_that_could_mislead) { /* G4 */
    char *block = alloc_granules(4);
    for (uint32_t granules = 8; granules <= 1024; granules *= 2) {
        assert_true(resize(block, block_bytes_of_granules(granules)));
        assert_resized(block, block_bytes_of_granules(granules));
        assert_true(resize(block, block_bytes_of_granules(granules / 2))); /* lays one down right there */
        assert_resized(block, block_bytes_of_granules(granules / 2));
        assert_true(resize(block, block_bytes_of_granules(granules)));
        assert_resized(block, block_bytes_of_granules(granules));
    }
    layer_free_merged(&heap, block);
    assert_empty(pool);
}

TEST(a_resized_block_is_freed_by_its_new_size) {
    char *block = alloc_granules(64);
    assert_true(resize(block, 20 * GRANULE_BYTES));
    layer_free(&heap, block);
    assert_ptr_equal(layer_alloc(&heap, 20 * GRANULE_BYTES), block);
    assert_true(resize(block, 1000));
    layer_free(&heap, block);
    assert_ptr_not_equal(layer_alloc(&heap, 20 * GRANULE_BYTES), block);
    assert_ptr_equal(layer_alloc(&heap, 1000), block);
}

int main(void) {
#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_POOL(shrinking_splits_the_end_off_as_a_free_block),
        WITH_POOL(what_is_split_off_merges_with_the_free_block_behind),
        WITH_POOL(shrinking_by_a_single_granule_leaves_a_free_block_without_payload),
        WITH_POOL(a_new_size_of_the_same_class_moves_the_canary_alone),
        WITH_POOL(a_new_size_of_zero_counts_as_one),
        WITH_POOL(growing_takes_what_it_needs_from_the_free_block_behind_and_leaves_the_rest),
        WITH_POOL(growing_can_take_the_whole_free_block_behind),
        WITH_POOL(growing_is_refused_where_the_free_block_behind_is_a_granule_short),
        WITH_POOL(growing_is_refused_beside_live_quick_and_remote_blocks_and_at_the_pools_end),
        WITH_POOL(growing_is_refused_at_the_pools_end),
        WITH_POOL(the_answer_is_yes_exactly_when_there_is_room_and_the_bytes_stay),
        WITH_POOL(growing_past_old_boundary_tags_leaves_none_that_could_mislead),
        WITH_POOL(a_resized_block_is_freed_by_its_new_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
