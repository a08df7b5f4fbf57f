// SPDX-License-Identifier: MIT
/* pools.c: the general pools of a heap: how they grow, which one serves, when they go, and how they change hands. */
#include "unit/general/general_layer.h"

#include "unit/support/no_memory.h"

static struct general_heap heap;
static struct general_heap other;

static int start(void **state) {
    (void)state;
    fake_os_reset();
    dam_general_heap_init(&other, name_of(&other), false);
    layer_start(&heap);
    return 0;
}

static int end(void **state) {
    (void)state;
    fake_os_reset();
    assert_sound(&heap);
    assert_sound(&other);
    layer_end(&heap);
    layer_end(&other);
    assert_int_equal(pool_count(), 0);
    return 0;
}

static struct general_pool *general(struct pool *pool) {
    return general_of(pool);
}

/* Blocks of 64 KiB until less than that is left in one piece; returns the number of blocks. */
static size_t fill(struct pool *pool, void **blocks, size_t blocks_max) {
    size_t count = 0;
    while (dam_index_largest_class(&general(pool)->index) >= general_class_for(GENERAL_SIZE_MAX)) {
        assert_true(count < blocks_max);
        blocks[count] = layer_alloc(&heap, GENERAL_SIZE_MAX);
        assert_ptr_equal(pool_of(blocks[count]), pool);
        count++;
    }
    return count;
}

/* And then smaller ones, until nothing is left that holds as much as 1 KiB. */
static void fill_up(struct pool *pool) {
    void *blocks[80];
    fill(pool, blocks, COUNT_OF(blocks));
    for (uint32_t class_index; (class_index = dam_index_largest_class(&general(pool)->index)) > 64;)
        layer_alloc(&heap, block_bytes_of_granules(class_granules(class_index)));
}

/* ---- Growing ----------------------------------------------------------------------------------------------------- */

TEST(a_fresh_pool_is_one_free_block_between_its_start_and_its_fence) { /* G1 */
    struct pool *pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    assert_int_equal(general(pool)->capacity_granules, pool->bytes / GRANULE_BYTES - 2);
    assert_empty(pool);
    assert_true(block_has_state(pool_start(pool) + pool->bytes, BLOCK_FENCE));
    assert_int_equal(dam_general_verify_pool(pool), 0);
    assert_ptr_equal(pool->general_owner, name_of(&heap));
}

TEST(each_pool_is_twice_the_last_from_256_kibibytes_to_4_mebibytes) {
    static const size_t EXPECTED[] = {256 * KIB, 512 * KIB, MIB, 2 * MIB, 4 * MIB, 4 * MIB, 4 * MIB};
    struct pool *last = NULL;
    for (size_t i = 0; i < COUNT_OF(EXPECTED); i++) {
        while (heap.pool_count == i)
            last = pool_of(layer_alloc(&heap, 50000));
        assert_int_equal(last != NULL ? last->bytes : 0, EXPECTED[i]);
    }
    assert_int_equal(layer_figures().bytes, (256 + 512) * KIB + 15 * MIB);
}

TEST(a_pool_that_is_refused_is_asked_for_at_half_the_size_down_to_what_the_request_needs) {
    for (size_t i = 0; i < 4; i++)
        layer_add_pool(&heap, 300, GRANULE_BYTES); /* the next would have 4 MiB */
    static struct hoard hoard;
    no_memory_begin(&hoard);
    assert_null(dam_general_create_pool(&heap, GENERAL_SIZE_MAX, GRANULE_BYTES));
    fake_os.map_bytes_max = 20 * SLICE_BYTES;
    struct pool *pool = dam_general_create_pool(&heap, GENERAL_SIZE_MAX, GRANULE_BYTES);
    assert_non_null(pool);
    assert_int_equal(pool->bytes, MIB);
    dam_pool_own_new(pool);
    dam_general_enlist_new(&other, pool);
    assert_ptr_equal(pool_of(layer_alloc(&other, GENERAL_SIZE_MAX)), pool);
    no_memory_end(&hoard);
}

TEST(what_has_been_touched_reaches_to_the_end_of_the_farthest_block) {
    struct pool *pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    assert_int_equal(general(pool)->touched_bytes, 0);
    char *first = layer_alloc(&heap, 1000);
    size_t after_first = general(pool)->touched_bytes;
    assert_in_range(after_first, (size_t)(first + 1000 - pool_start(pool)), (size_t)(first + 1100 - pool_start(pool)));
    char *second = layer_alloc(&heap, 30000);
    size_t after_second = general(pool)->touched_bytes;
    assert_true(after_second >= (size_t)(second + 30000 - pool_start(pool)));
    layer_free_merged(&heap, second);
    layer_free_merged(&heap, first);
    layer_alloc(&heap, 500);
    assert_int_equal(general(pool)->touched_bytes, after_second); /* it only grows */
}

/* ---- Which pool serves ------------------------------------------------------------------------------------------- */

TEST(the_pool_whose_largest_free_block_is_the_tightest_serves) { /* G5 */
    struct pool *smaller = layer_add_pool(&heap, 300, GRANULE_BYTES);
    struct pool *larger = layer_add_pool(&heap, 300, GRANULE_BYTES);
    assert_true(smaller->bytes < larger->bytes);
    assert_ptr_equal(pool_of(layer_alloc(&heap, 1000)), smaller);
    assert_ptr_equal(pool_of(layer_alloc(&heap, 60000)), smaller);
    /* The larger one is filled while the heap has no other; then it is the tighter of the two. */
    void *blocks[80];
    dam_general_disown(&heap, smaller);
    fill(larger, blocks, COUNT_OF(blocks));
    dam_general_enlist_new(&heap, smaller);
    assert_ptr_equal(pool_of(layer_alloc(&heap, 1000)), larger);
    assert_ptr_equal(pool_of(layer_alloc(&heap, 65536)), smaller);
}

TEST(a_pool_is_relisted_whenever_its_largest_free_block_changes) { /* G5 */
    struct random random = random_start(test_seed("unit.general.pools"), 0);
    void *blocks[64] = {NULL};
    for (int i = 0; i < 3000; i++) {
        size_t slot = random_below(&random, COUNT_OF(blocks));
        if (blocks[slot] != NULL)
            layer_free_merged(&heap, blocks[slot]);
        blocks[slot] = blocks[slot] == NULL ? layer_alloc(&heap, random_below(&random, 60000)) : NULL;
        assert_sound(&heap);
    }
}

/* ---- Empty pools ------------------------------------------------------------------------------------------------- */

TEST(an_empty_pool_goes_back_unless_it_is_the_heaps_last) {
    void *first = layer_alloc(&heap, 300);
    struct pool *first_pool = pool_of(first);
    struct pool *second_pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    void *second = layer_alloc(&heap, 300);
    if (pool_of(second) == first_pool) { /* the tightest serves: then empty that one */
        layer_free(&heap, second);
        layer_free(&heap, first);
        dam_general_flush(&heap);
        assert_int_equal(pool_count(), 1);
        assert_ptr_equal(dam_general_any_pool(&heap), second_pool);
        return;
    }
    layer_free(&heap, first);
    dam_general_flush(&heap);
    assert_int_equal(pool_count(), 1);
    assert_ptr_equal(dam_general_any_pool(&heap), second_pool);
}

TEST(the_last_empty_pool_goes_when_asked_and_one_with_a_live_block_does_not) {
    void *block = layer_alloc(&heap, 300);
    dam_general_retire_empty(&heap);
    assert_int_equal(pool_count(), 1);
    layer_free(&heap, block);
    dam_general_flush(&heap);
    assert_int_equal(pool_count(), 1);
    dam_general_retire_empty(&heap);
    assert_int_equal(pool_count(), 0);
    assert_int_equal(heap.pool_count, 0);
    assert_int_equal(heap.pool_bytes, 0);
    assert_null(dam_general_any_pool(&heap));
    dam_general_retire_empty(&heap);
}

/* ---- Changing hands ---------------------------------------------------------------------------------------------- */

TEST(a_pool_with_less_than_an_eighth_free_is_nearly_full) {
    struct pool *pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    uint32_t capacity = general(pool)->capacity_granules;
    while (general(pool)->index.free_granules >= capacity / 8) {
        assert_false(dam_general_is_nearly_full(pool));
        layer_alloc(&heap, 3000);
        assert_int_equal(heap.pool_count, 1);
    }
    assert_true(dam_general_is_nearly_full(pool));
}

TEST(nearly_full_pools_are_let_go_and_the_others_stay) {
    struct pool *full = layer_add_pool(&heap, 300, GRANULE_BYTES);
    fill_up(full);
    assert_true(dam_general_is_nearly_full(full));
    struct pool *roomy = layer_add_pool(&heap, 300, GRANULE_BYTES);
    dam_general_let_go_nearly_full(&heap);
    assert_null(full->general_owner); /* T3 */
    assert_int_equal(atomic_load(&full->remote), 0);
    assert_ptr_equal(roomy->general_owner, name_of(&heap));
    assert_int_equal(heap.pool_count, 1);
    assert_int_equal(heap.pool_bytes, roomy->bytes);
    assert_int_equal(dam_general_verify_pool(full), 0);
}

TEST(before_any_pool_is_let_go_the_quick_lists_are_emptied) { /* G8 */
    struct pool *pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    void *quick = layer_alloc(&heap, 300);
    fill_up(pool);
    layer_free(&heap, quick);
    assert_true(block_has_state(quick, BLOCK_QUICK));
    dam_general_let_go_nearly_full(&heap);
    assert_null(pool->general_owner);
    assert_true(block_has_state(quick, BLOCK_FREE));
    assert_int_equal(quick_bytes(&heap), 0);
}

TEST(a_nearly_full_pool_of_a_heap_that_keeps_its_pools_is_kept) {
    struct pool *pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    heap.keeps_pools = true;
    fill_up(pool);
    dam_general_let_go_nearly_full(&heap);
    assert_ptr_equal(pool->general_owner, name_of(&heap));
    assert_int_equal(heap.pool_count, 1);
}

TEST(blocks_that_arrive_on_a_nearly_full_pool_keep_it_with_its_owner) {
    struct pool *pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    void *block = layer_alloc(&heap, 300);
    fill_up(pool);
    layer_free_remote(block);
    dam_general_let_go_nearly_full(&heap);
    assert_ptr_equal(pool->general_owner, name_of(&heap));
    assert_int_equal(heap.pool_count, 1);
    assert_true(block_has_state(block, BLOCK_FREE));
    assert_int_equal(dam_pool_remote_count(pool), 0);
}

TEST(a_pool_that_was_let_go_belongs_to_whoever_frees_into_it) {
    struct pool *pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    void *block = layer_alloc(&heap, 5000);
    fill_up(pool);
    dam_general_let_go_nearly_full(&heap);
    assert_true(dam_general_free_remote(pool, block));
    dam_general_adopt(&other, pool);
    assert_ptr_equal(pool->general_owner, name_of(&other));
    assert_int_equal(other.pool_count, 1);
    assert_true(block_has_state(block, BLOCK_FREE));
    assert_ptr_equal(dam_general_alloc(&other, 5000, GRANULE_BYTES), block);
}

TEST(a_pool_adopted_empty_is_retired_unless_the_heap_has_no_other) {
    void *block = layer_alloc(&heap, 5000);
    struct pool *pool = pool_of(block);
    dam_general_disown(&heap, pool);
    assert_true(dam_pool_let_go(pool));
    assert_true(dam_general_free_remote(pool, block));
    dam_general_adopt(&other, pool);
    assert_int_equal(pool_count(), 1);
    assert_empty(pool);
    dam_general_disown(&other, pool);
    dam_general_enlist_new(&heap, pool);
    struct pool *more = layer_add_pool(&other, 300, GRANULE_BYTES);
    dam_general_disown(&heap, pool);
    dam_general_adopt(&other, pool);
    assert_int_equal(pool_count(), 1);
    assert_ptr_equal(dam_general_any_pool(&other), more);
}

TEST(a_disowned_pool_is_on_no_list_and_bears_no_name) {
    void *block = layer_alloc(&heap, 5000);
    struct pool *pool = pool_of(block);
    assert_ptr_equal(dam_general_any_pool(&heap), pool);
    dam_general_disown(&heap, pool);
    assert_null(pool->general_owner);
    assert_null(dam_general_any_pool(&heap));
    assert_int_equal(heap.pool_count, 0);
    assert_int_equal(heap.quick_limit, (int64_t)(64 * KIB / GRANULE_BYTES) << 16);
    dam_general_enlist_new(&heap, pool);
    assert_ptr_equal(dam_general_any_pool(&heap), pool);
}

/* ---- What others free -------------------------------------------------------------------------------------------- */

TEST(a_block_freed_by_another_is_remote_until_the_owner_takes_it) {
    void *block = layer_alloc(&heap, 5000);
    struct pool *pool = pool_of(block);
    layer_free_remote(block);
    assert_true(block_has_state(block, BLOCK_REMOTE));
    assert_int_equal(dam_pool_remote_count(pool), 1);
    assert_int_equal(pool->live, 1); /* G7 */
    assert_int_equal(dam_general_verify_pool(pool), 0);
}

TEST(what_others_freed_comes_onto_the_quick_lists_with_the_next_allocation) {
    void *first = layer_alloc(&heap, 5000);
    void *second = layer_alloc(&heap, 5000);
    layer_free_remote(first);
    layer_free_remote(second);
    assert_ptr_not_equal(layer_alloc(&heap, 300), NULL); /* from the same pool */
    assert_true(block_has_state(first, BLOCK_QUICK));
    assert_true(block_has_state(second, BLOCK_QUICK));
    assert_int_equal(dam_pool_remote_count(pool_of(first)), 0);
    assert_sound(&heap);
    const void *again = layer_alloc(&heap, 5000);
    assert_true(again == first || again == second);
}

TEST(what_others_freed_goes_into_the_index_when_the_quick_lists_are_full) {
    enum { COUNT = 200, REMOTE_COUNT = 5 };
    void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = layer_alloc(&heap, 1000);
    assert_int_equal(heap.pool_count, 1);
    size_t freed = REMOTE_COUNT;
    while (heap.quick_room >= block_header(blocks[freed])->fields)
        assert_true(general_free_fast(&heap, blocks[freed++]));
    for (size_t i = 0; i < REMOTE_COUNT; i++)
        layer_free_remote(blocks[i]);
    size_t quick = quick_bytes(&heap);
    void *block = layer_alloc(&heap, 300);
    assert_ptr_equal(pool_of(block), pool_of(blocks[0]));
    assert_int_equal(quick_bytes(&heap), quick);
    assert_int_equal(dam_pool_remote_count(pool_of(block)), 0);
    assert_true(block_has_state(blocks[0], BLOCK_FREE)); /* with the others merged into it */
    assert_sound(&heap);
}

TEST(when_nothing_else_fits_every_pools_arrivals_are_taken_before_a_new_pool_is_made) {
    struct pool *first = layer_add_pool(&heap, 300, GRANULE_BYTES);
    void *blocks[80] = {NULL};
    size_t count = fill(first, blocks, COUNT_OF(blocks));
    assert_true(count > 0);
    fill_up(first);
    size_t pools = heap.pool_count;
    layer_free_remote(blocks[0]);
    assert_ptr_equal(layer_alloc(&heap, GENERAL_SIZE_MAX), blocks[0]);
    assert_int_equal(heap.pool_count, pools);
}

TEST(a_stack_taken_into_the_index_is_merged) {
    char *blocks[3];
    for (size_t i = 0; i < 3; i++)
        blocks[i] = layer_alloc(&heap, 1000);
    struct pool *pool = pool_of(blocks[0]);
    for (size_t i = 0; i < 3; i++)
        layer_free_remote(blocks[i]);
    dam_general_disown(&heap, pool);
    dam_general_take_remote_into_index(pool);
    assert_empty(pool);
    dam_general_enlist_new(&heap, pool);
}

int main(void) {
#define WITH_HEAP(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_HEAP(a_fresh_pool_is_one_free_block_between_its_start_and_its_fence),
        WITH_HEAP(each_pool_is_twice_the_last_from_256_kibibytes_to_4_mebibytes),
        WITH_HEAP(a_pool_that_is_refused_is_asked_for_at_half_the_size_down_to_what_the_request_needs),
        WITH_HEAP(what_has_been_touched_reaches_to_the_end_of_the_farthest_block),
        WITH_HEAP(the_pool_whose_largest_free_block_is_the_tightest_serves),
        WITH_HEAP(a_pool_is_relisted_whenever_its_largest_free_block_changes),
        WITH_HEAP(an_empty_pool_goes_back_unless_it_is_the_heaps_last),
        WITH_HEAP(the_last_empty_pool_goes_when_asked_and_one_with_a_live_block_does_not),
        WITH_HEAP(a_pool_with_less_than_an_eighth_free_is_nearly_full),
        WITH_HEAP(nearly_full_pools_are_let_go_and_the_others_stay),
        WITH_HEAP(before_any_pool_is_let_go_the_quick_lists_are_emptied),
        WITH_HEAP(a_nearly_full_pool_of_a_heap_that_keeps_its_pools_is_kept),
        WITH_HEAP(blocks_that_arrive_on_a_nearly_full_pool_keep_it_with_its_owner),
        WITH_HEAP(a_pool_that_was_let_go_belongs_to_whoever_frees_into_it),
        WITH_HEAP(a_pool_adopted_empty_is_retired_unless_the_heap_has_no_other),
        WITH_HEAP(a_disowned_pool_is_on_no_list_and_bears_no_name),
        WITH_HEAP(a_block_freed_by_another_is_remote_until_the_owner_takes_it),
        WITH_HEAP(what_others_freed_comes_onto_the_quick_lists_with_the_next_allocation),
        WITH_HEAP(what_others_freed_goes_into_the_index_when_the_quick_lists_are_full),
        WITH_HEAP(when_nothing_else_fits_every_pools_arrivals_are_taken_before_a_new_pool_is_made),
        WITH_HEAP(a_stack_taken_into_the_index_is_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
