// SPDX-License-Identifier: MIT
/* realloc.c: resizing across all layers in all directions: where the block ends up, what it keeps, and what happens when there
 * is no memory for it. */
#include "dam/dam.h"

#include "front/front.h"
#include "heap/heap.h"
#include "inspect/verify.h"
#include "options/options.h"
#include "pool/pool_map.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "unit/support/no_memory.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)
#define SIZE(i) SIZES_OF_EVERY_LAYER[i]
#define KEY(i) pattern_key(13, i)

static struct hoard hoard;

static int start(void **state) {
    (void)state;
    fake_os_reset();
    assert_int_equal(dam_options_set("direct_shrink_percent", "75"), 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    return dam_verify_all() == 0 ? 0 : -1;
}

static char *filled_block(size_t size, uint64_t id) {
    char *block = dam_malloc(size);
    assert_non_null(block);
    pattern_fill(block, size, KEY(id));
    return block;
}

static enum layer layer_of(const void *block) {
    return pool_layer(pool_of(block));
}

/* ---- From each size to each -------------------------------------------------------------------------------------- */

TEST(a_block_keeps_the_smaller_of_both_sizes_from_every_size_to_every_other) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            char *before = filled_block(SIZE(from), 1);
            char *block = filled_block(SIZE(from), 2);
            char *after = filled_block(SIZE(from), 3);
            errno = ERRNO_MARK;
            char *resized = dam_realloc(block, SIZE(to));
            assert_non_null(resized);
            assert_int_equal(errno, ERRNO_MARK);
            assert_true(pattern_holds(resized, smaller_of(SIZE(from), SIZE(to)), KEY(2)));
            assert_true(dam_malloc_usable_size(resized) >= SIZE(to));
            memset(resized, 0x2E, dam_malloc_usable_size(resized));
            assert_true(pattern_holds(before, SIZE(from), KEY(1)));
            assert_true(pattern_holds(after, SIZE(from), KEY(3)));
            dam_free(before);
            dam_free(after);
            dam_free_sized(resized, SIZE(to)); /* it is a block of that size now, and knows it */
        }
    }
}

TEST(a_block_ends_up_in_the_layer_of_its_new_size_unless_staying_is_the_policy) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            char *block = filled_block(SIZE(from), 2);
            enum layer old_layer = layer_of(block);
            size_t old_bytes = pool_of(block)->bytes;
            enum layer wanted = dam_layer_of_request(SIZE(to), GRANULE_BYTES);
            char *resized = dam_realloc(block, SIZE(to));
            assert_non_null(resized);
            bool stays_direct = old_layer == LAYER_DIRECT && SIZE(to) >= old_bytes / 100 * 75;
            assert_int_equal(layer_of(resized), stays_direct ? LAYER_DIRECT : wanted);
            dam_free(resized);
        }
    }
}

TEST(a_small_block_stays_in_its_class_and_moves_out_of_it) {
    for (size_t from = 1; from <= 256; from += 5) {
        for (size_t to = 1; to <= 256; to += 3) {
            char *block = filled_block(from, 4);
            char *resized = dam_realloc(block, to);
            assert_int_equal(resized == block, small_class_index(from) == small_class_index(to));
            assert_true(pattern_holds(resized, smaller_of(from, to), KEY(4)));
            assert_int_equal(pool_of(resized)->class_index, small_class_index(to));
            dam_free(resized);
        }
    }
}

TEST(a_general_block_shrinks_in_place_and_grows_in_place_into_free_space) {
    char *block = filled_block(40000, 5);
    assert_ptr_equal(dam_realloc(block, 30000), block);
    assert_ptr_equal(dam_realloc(block, 400), block);
    assert_true(pattern_holds(block, 400, KEY(5)));
    assert_ptr_equal(dam_realloc(block, 39000), block); /* what it gave away is still free */
    assert_true(pattern_holds(block, 400, KEY(5)));
    dam_free(block);
}

TEST(a_chain_of_growing_steps_keeps_everything_through_all_layers) {
    char *block = filled_block(1, 6);
    size_t size = 1;
    while (size < 200 * MIB) {
        size_t larger = size * 3 / 2 + 1;
        block = dam_realloc(block, larger);
        assert_non_null(block);
        assert_true(pattern_holds(block, size, KEY(6)));
        pattern_fill(block, larger, KEY(6));
        size = larger;
    }
    while (size > 1) {
        size = size * 2 / 3;
        block = dam_realloc(block, size);
        assert_non_null(block);
        assert_true(pattern_holds(block, size, KEY(6)));
    }
    dam_free(block);
}

/* ---- No memory --------------------------------------------------------------------------------------------------- */

TEST(a_block_that_cannot_grow_is_untouched_and_errno_is_enomem) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        char *block = filled_block(SIZE(from), 7);
        size_t usable = dam_malloc_usable_size(block);
        no_memory_begin(&hoard);
        fake_os.refuses_grow = fake_os.refuses_reserve = true;
        errno = 0;
        const char *grown = dam_realloc(block, 40 * MIB);
        int error = errno;
        no_memory_end(&hoard);
        assert_null(grown);
        assert_int_equal(error, ENOMEM);
        assert_int_equal(dam_malloc_usable_size(block), usable);
        assert_true(pattern_holds(block, SIZE(from), KEY(7)));
        dam_free_sized(block, SIZE(from));
    }
}

/* A small block of another class would have to be had first; every other block can be kept. */
TEST(without_memory_to_move_to_a_block_shrinks_where_it_is_or_is_untouched) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < from; to++) {
            char *block = filled_block(SIZE(from), 8);
            dam_trim();
            no_memory_begin(&hoard);
            errno = ERRNO_MARK;
            char *shrunk = dam_realloc(block, SIZE(to));
            int error = errno;
            no_memory_end(&hoard);
            if (shrunk == NULL) {
                assert_int_equal(layer_of(block), LAYER_SMALL);
                assert_int_equal(error, ENOMEM);
                assert_true(pattern_holds(block, SIZE(from), KEY(8)));
                dam_free_sized(block, SIZE(from));
                continue;
            }
            assert_int_equal(error, ERRNO_MARK);
            assert_true(pattern_holds(shrunk, SIZE(to), KEY(8)));
            assert_true(dam_malloc_usable_size(shrunk) >= SIZE(to));
            dam_free(shrunk);
        }
    }
}

TEST(every_way_to_allocate_says_enomem_when_there_is_no_memory) {
    dam_trim();
    no_memory_begin(&hoard);
    void *block = &hoard;
    errno = 0;
    const void *small = dam_malloc(100);
    int small_error = errno;
    errno = 0;
    const void *general = dam_calloc(10, 1000);
    int general_error = errno;
    errno = 0;
    const void *direct = dam_aligned_alloc(16, 5 * MIB);
    int direct_error = errno;
    errno = ERRNO_MARK;
    int memalign_error = dam_posix_memalign(&block, 4096, 100);
    int memalign_errno = errno;
    errno = 0;
    const dam_heap *heap = dam_heap_create(); /* its descriptor may be there */
    no_memory_end(&hoard);
    assert_null(small);
    assert_int_equal(small_error, ENOMEM);
    assert_null(general);
    assert_int_equal(general_error, ENOMEM);
    assert_null(direct);
    assert_int_equal(direct_error, ENOMEM);
    assert_int_equal(memalign_error, ENOMEM);
    assert_int_equal(memalign_errno, ERRNO_MARK);
    assert_ptr_equal(block, &hoard);
    if (heap != NULL)
        dam_heap_destroy((dam_heap *)(uintptr_t)heap);
    dam_free(filled_block(100, 9)); /* and all is well again */
    dam_free(filled_block(1000, 9));
}

TEST(freeing_needs_no_memory_and_keeps_errno_even_if_nothing_can_be_given_back) {
    char *blocks[SIZE_COUNT];
    for (size_t i = 0; i < SIZE_COUNT; i++)
        blocks[i] = filled_block(SIZE(i), i);
    fake_os.map_bytes_max = 0;
    fake_os.refuses_unmap = fake_os.refuses_purge = fake_os.refuses_metadata = true;
    errno = ERRNO_MARK;
    for (size_t i = 0; i < SIZE_COUNT; i++)
        dam_free(blocks[i]);
    dam_trim();
    assert_int_equal(errno, ERRNO_MARK);
    fake_os_reset();
    assert_int_equal(dam_verify_all(), 0);
}

int main(void) {
#define QUIET(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        QUIET(a_block_keeps_the_smaller_of_both_sizes_from_every_size_to_every_other),
        QUIET(a_block_ends_up_in_the_layer_of_its_new_size_unless_staying_is_the_policy),
        QUIET(a_small_block_stays_in_its_class_and_moves_out_of_it),
        QUIET(a_general_block_shrinks_in_place_and_grows_in_place_into_free_space),
        QUIET(a_chain_of_growing_steps_keeps_everything_through_all_layers),
        QUIET(a_block_that_cannot_grow_is_untouched_and_errno_is_enomem),
        QUIET(without_memory_to_move_to_a_block_shrinks_where_it_is_or_is_untouched),
        QUIET(every_way_to_allocate_says_enomem_when_there_is_no_memory),
        QUIET(freeing_needs_no_memory_and_keeps_errno_even_if_nothing_can_be_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
