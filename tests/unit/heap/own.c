// SPDX-License-Identifier: MIT
/* own.c: the calling thread's heap: which layer a request goes to, whose pools its blocks lie in, what a trim lets go, and
 * that a child of fork finds every lock open. */
#include "unit/heap/figures.h"

#include "region/central.h"
#include "support/child.h"

TEST(the_layer_of_a_request_follows_from_size_and_alignment) {
    static const struct {
        size_t size;
        size_t alignment;
        enum layer layer;
    } CASES[] = {
        {0, 16, LAYER_SMALL},          {256, 16, LAYER_SMALL},       {256, 256, LAYER_SMALL},
        {257, 16, LAYER_GENERAL},      {16, 512, LAYER_GENERAL},     {0, 65536, LAYER_GENERAL},
        {65536, 16, LAYER_GENERAL},    {65536, 65536, LAYER_GENERAL}, {65537, 16, LAYER_DIRECT},
        {16, 131072, LAYER_DIRECT},    {0, GIB, LAYER_DIRECT},        {PTRDIFF_MAX, 16, LAYER_DIRECT},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_int_equal(dam_layer_of_request(CASES[i].size, CASES[i].alignment), CASES[i].layer);
}

TEST(every_block_lies_in_a_pool_that_the_thread_owns_or_is_direct) { /* H1 */
    for (size_t size = 0; size < 2 * MIB; size += 1 + size / 4) {
        void *block = must_malloc(size);
        const struct pool *pool = pool_of(block);
        assert_int_equal(pool_layer(pool), dam_layer_of_request(size, GRANULE_BYTES));
        assert_true(pool_layer(pool) == LAYER_DIRECT || is_of_thread(pool));
        dam_free(block);
    }
    assert_false(dam_thread_heap->small.keeps_pools || dam_thread_heap->general.keeps_pools);
}

TEST(aligned_blocks_up_to_256_bytes_are_small_and_aligned_by_their_class) {
    for (size_t alignment = 16; alignment <= 256; alignment *= 2) {
        for (size_t size = 0; size <= 256; size++) {
            void *block = dam_aligned_alloc(alignment, size);
            assert_non_null(block);
            assert_true(is_aligned(block, alignment));
            assert_int_equal(pool_layer(pool_of(block)), LAYER_SMALL);
            assert_true(pool_of(block)->block_bytes >= size);
            dam_free(block);
        }
    }
}

TEST(a_trim_leaves_no_pool_without_live_blocks_in_the_threads_heap) {
    dam_trim();
    struct pool_counts before = count_pools();
    void *blocks[500];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = must_malloc(i * 5);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        dam_free(blocks[i]);
    assert_true(pools_of(LAYER_SMALL) > before.small);
    dam_trim();
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, before);
}

TEST(memory_that_is_known_to_be_zero_is_said_to_be_and_is) {
    dam_trim();
    bool zeroed = false;
    char *block = dam_thread_alloc(5 * MIB, GRANULE_BYTES, &zeroed);
    assert_non_null(block);
    assert_true(zeroed);
    assert_true(all_bytes_are(block, 5 * MIB, 0));
    memset(block, 0x11, 5 * MIB);
    dam_free(block);
    char *again = dam_thread_alloc(5 * MIB, GRANULE_BYTES, &zeroed);
    assert_non_null(again);
    assert_true(!zeroed || all_bytes_are(again, 5 * MIB, 0));
    dam_free(again);
    char *small = dam_thread_alloc(100, GRANULE_BYTES, &zeroed);
    assert_false(zeroed); /* nobody knows */
    dam_free(small);
    assert_true(all_bytes_are(again = dam_calloc(5, MIB), 5 * MIB, 0));
    dam_free(again);
}

static void check_locks_and_use(void *argument) {
    CHECK(atomic_load(&dam_central_lock.state) == 0);
    CHECK(atomic_load(&dam_central_lock.freezer) == NULL);
    dam_heap *heap = argument;
    CHECK(atomic_load(&((struct heap *)argument)->lock.state) == 0);
    for (size_t size = 0; size < 3 * MIB; size += 1 + size / 2) {
        dam_free(must_malloc(size));
        void *block = dam_heap_malloc(heap, size);
        CHECK(block != NULL);
        dam_free(block);
    }
    CHECK(dam_verify_all() == 0);
    _exit(5);
}

TEST(a_child_finds_every_lock_open_and_so_does_its_parent) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    struct child_result result = child_run(check_locks_and_use, heap, CHILD_STDOUT, 120);
    assert_true(child_exited_with(&result, 5));
    assert_int_equal(atomic_load(&dam_central_lock.state), 0);
    assert_int_equal(atomic_load(&((struct heap *)heap)->lock.state), 0);
    dam_heap_destroy(heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layer_of_a_request_follows_from_size_and_alignment),
        cmocka_unit_test(every_block_lies_in_a_pool_that_the_thread_owns_or_is_direct),
        cmocka_unit_test(aligned_blocks_up_to_256_bytes_are_small_and_aligned_by_their_class),
        cmocka_unit_test(a_trim_leaves_no_pool_without_live_blocks_in_the_threads_heap),
        cmocka_unit_test(memory_that_is_known_to_be_zero_is_said_to_be_and_is),
        cmocka_unit_test(a_child_finds_every_lock_open_and_so_does_its_parent),
    };
    return cmocka_run_group_tests(tests, start_with_a_pool, end_sound);
}
