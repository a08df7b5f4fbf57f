// SPDX-License-Identifier: MIT
/* releasing.c: dam_free, dam_free_sized and dam_free_aligned_sized, used rightly.
 *
 * Not here: wrong use (tests/faults), errno (errno.c). */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/memory_use.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

TEST(freeing_null_does_nothing) {
    for (int i = 0; i < 1000; i++) {
        dam_free(NULL);
        dam_free_sized(NULL, 0);
        dam_free_sized(NULL, 100);
        dam_free_sized(NULL, SIZE_MAX);
        dam_free_aligned_sized(NULL, 64, 128);
        dam_free_aligned_sized(NULL, 0, SIZE_MAX);
    }
}

TEST(free_sized_takes_the_size_a_block_was_requested_with) {
    for (size_t size = 0; size < 3000; size++) {
        dam_free_sized(dam_malloc(size), size);
        dam_free_sized(dam_calloc(1, size), size);
    }
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        dam_free_sized(dam_malloc(size), size);
        dam_free_sized(dam_calloc(size, 1), size);
        dam_free_sized(dam_realloc(NULL, size), size);
    }
}

TEST(free_sized_takes_the_size_of_the_last_realloc) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            void *block = dam_malloc(SIZES_OF_EVERY_LAYER[from]);
            assert_non_null(block);
            block = dam_realloc(block, SIZES_OF_EVERY_LAYER[to]);
            assert_non_null(block);
            dam_free_sized(block, SIZES_OF_EVERY_LAYER[to]);
        }
    }
}

TEST(free_aligned_sized_takes_what_aligned_alloc_was_given) {
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            void *block = dam_aligned_alloc(alignment, size);
            assert_non_null(block);
            dam_free_aligned_sized(block, alignment, size);
        }
        void *empty = dam_aligned_alloc(alignment, opaque_size(0));
        assert_non_null(empty);
        dam_free_aligned_sized(empty, alignment, 0);
    }
}

TEST(aligned_blocks_can_be_freed_by_plain_free) {
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        for (size_t i = 0; i < SIZE_COUNT; i++)
            dam_free(dam_aligned_alloc(alignment, SIZES_OF_EVERY_LAYER[i]));
    }
}

/* What is freed in any of the three ways serves again: 1 GiB goes through each size. */
TEST(freed_memory_is_used_again) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        size_t rounds = smaller_of(GIB / size, 100000);
        size_t resident_before = memory_resident_bytes();
        for (size_t round = 0; round < rounds; round++) {
            unsigned char *plain = dam_malloc(size);
            unsigned char *sized = dam_malloc(size);
            unsigned char *aligned = dam_aligned_alloc(64, size);
            assert_non_null(plain);
            assert_non_null(sized);
            assert_non_null(aligned);
            plain[0] = sized[0] = aligned[0] = 1;
            dam_free(plain);
            dam_free_sized(sized, size);
            dam_free_aligned_sized(aligned, 64, size);
        }
        assert_true(memory_resident_bytes() < resident_before + 64 * MIB);
    }
}

/* In order, in reverse, and inside out: the neighbours of a freed block are live, free, or both. */
TEST(blocks_can_be_freed_in_any_order) {
    enum { COUNT = 600 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        for (int order = 0; order < 3; order++) {
            size_t count = SIZES_OF_EVERY_LAYER[i] > MIB ? 30 : COUNT;
            for (size_t j = 0; j < count; j++) {
                blocks[j] = dam_malloc(SIZES_OF_EVERY_LAYER[i]);
                assert_non_null(blocks[j]);
            }
            for (size_t j = 0; j < count; j++) {
                size_t inside_out = j % 2 == 0 ? count / 2 + j / 2 : count / 2 - 1 - j / 2;
                size_t which = order == 0 ? j : order == 1 ? count - 1 - j : inside_out;
                dam_free(blocks[which]);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_null_does_nothing),
        cmocka_unit_test(free_sized_takes_the_size_a_block_was_requested_with),
        cmocka_unit_test(free_sized_takes_the_size_of_the_last_realloc),
        cmocka_unit_test(free_aligned_sized_takes_what_aligned_alloc_was_given),
        cmocka_unit_test(aligned_blocks_can_be_freed_by_plain_free),
        cmocka_unit_test(freed_memory_is_used_again),
        cmocka_unit_test(blocks_can_be_freed_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
