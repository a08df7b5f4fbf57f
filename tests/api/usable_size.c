// SPDX-License-Identifier: MIT
/* usable_size.c: dam_malloc_usable_size: at least the request, and every byte of it may be written. */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

TEST(the_usable_size_of_null_is_zero) {
    assert_int_equal(dam_malloc_usable_size(NULL), 0);
}

TEST(the_usable_size_is_at_least_the_request) {
    for (size_t size = 0; size < 70000; size += size < 5000 ? 1 : 97) {
        void *block = dam_malloc(size);
        assert_non_null(block);
        assert_true(dam_malloc_usable_size(block) >= size);
        dam_free(block);
    }
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        void *block = dam_calloc(SIZES_OF_EVERY_LAYER[i], 1);
        assert_non_null(block);
        assert_true(dam_malloc_usable_size(block) >= SIZES_OF_EVERY_LAYER[i]);
        dam_free(block);
    }
}

/* Three blocks side by side, each written in full: nobody loses a byte, and no release finds damage. */
TEST(the_whole_usable_size_may_be_written) {
    for (size_t size = 0; size < 70000; size += size < 1100 ? 1 : 499) {
        unsigned char *blocks[3];
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            blocks[i] = dam_malloc(size);
            assert_non_null(blocks[i]);
            pattern_fill(blocks[i], dam_malloc_usable_size(blocks[i]), pattern_key(3, i));
        }
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            assert_true(pattern_holds(blocks[i], dam_malloc_usable_size(blocks[i]), pattern_key(3, i)));
            dam_free(blocks[i]);
        }
    }
}

TEST(the_whole_usable_size_of_an_aligned_block_may_be_written) {
    for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 2) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            unsigned char *one = dam_aligned_alloc(alignment, SIZES_OF_EVERY_LAYER[i]);
            unsigned char *other = dam_aligned_alloc(alignment, SIZES_OF_EVERY_LAYER[i]);
            assert_non_null(one);
            assert_non_null(other);
            pattern_fill(one, dam_malloc_usable_size(one), pattern_key(3, 1));
            pattern_fill(other, dam_malloc_usable_size(other), pattern_key(3, 2));
            assert_true(pattern_holds(one, dam_malloc_usable_size(one), pattern_key(3, 1)));
            assert_true(pattern_holds(other, dam_malloc_usable_size(other), pattern_key(3, 2)));
            dam_free(one);
            dam_free(other);
        }
    }
}

TEST(after_a_resize_the_usable_size_is_that_of_the_new_block) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            unsigned char *block = dam_malloc(SIZES_OF_EVERY_LAYER[from]);
            assert_non_null(block);
            block = dam_realloc(block, SIZES_OF_EVERY_LAYER[to]);
            assert_non_null(block);
            assert_true(dam_malloc_usable_size(block) >= SIZES_OF_EVERY_LAYER[to]);
            memset(block, 0x99, dam_malloc_usable_size(block));
            dam_free(block);
        }
    }
}

/* A program that uses the slack of a block and then resizes it: realloc keeps min(old, new) bytes of the request, and
 * what was written beyond the request is no damage. */
TEST(a_block_written_in_full_can_be_resized) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from], new_size = SIZES_OF_EVERY_LAYER[to];
            unsigned char *block = dam_malloc(old_size);
            assert_non_null(block);
            pattern_fill(block, dam_malloc_usable_size(block), pattern_key(3, from));
            block = dam_realloc(block, new_size);
            assert_non_null(block);
            assert_true(pattern_holds(block, smaller_of(old_size, new_size), pattern_key(3, from)));
            dam_free(block);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usable_size_of_null_is_zero),
        cmocka_unit_test(the_usable_size_is_at_least_the_request),
        cmocka_unit_test(the_whole_usable_size_may_be_written),
        cmocka_unit_test(the_whole_usable_size_of_an_aligned_block_may_be_written),
        cmocka_unit_test(after_a_resize_the_usable_size_is_that_of_the_new_block),
        cmocka_unit_test(a_block_written_in_full_can_be_resized),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
