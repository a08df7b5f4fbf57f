// SPDX-License-Identifier: MIT
/* allocation.c: dam_malloc and dam_calloc: what a fresh block is.
 *
 * Not here: sizes that must be refused (refusals.c), errno (errno.c), alignment above 16 (alignment.c). */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

static int compare_addresses(const void *a, const void *b) {
    uintptr_t left = *(const uintptr_t *)a;
    uintptr_t right = *(const uintptr_t *)b;
    return (left > right) - (left < right);
}

static void assert_all_different(const uintptr_t *addresses, size_t count) {
    uintptr_t *sorted = malloc(count * sizeof *sorted);
    assert_non_null(sorted);
    memcpy(sorted, addresses, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_addresses);
    for (size_t i = 1; i < count; i++)
        assert_true(sorted[i - 1] != sorted[i]);
    free(sorted);
}

TEST(malloc_of_zero_bytes_gives_unique_blocks_that_can_be_freed) {
    static uintptr_t blocks[1000];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = (uintptr_t)opaque_pointer(dam_malloc(opaque_size(0)));
        assert_true(blocks[i] != 0);
    }
    assert_all_different(blocks, COUNT_OF(blocks));
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        dam_free((void *)blocks[i]);
}

TEST(calloc_with_a_zero_factor_gives_unique_blocks_that_can_be_freed) {
    uintptr_t blocks[3] = {
        (uintptr_t)opaque_pointer(dam_calloc(0, opaque_size(8))),
        (uintptr_t)opaque_pointer(dam_calloc(opaque_size(8), 0)),
        (uintptr_t)opaque_pointer(dam_calloc(0, opaque_size(SIZE_MAX))),
    };
    assert_all_different(blocks, COUNT_OF(blocks));
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        assert_true(blocks[i] != 0);
        dam_free((void *)blocks[i]);
    }
}

TEST(every_block_is_aligned_to_sixteen_bytes) {
    for (size_t size = 0; size < 3000; size++) {
        void *plain = dam_malloc(size);
        void *zeroed = dam_calloc(1, size);
        assert_non_null(plain);
        assert_non_null(zeroed);
        assert_true(is_aligned(plain, 16));
        assert_true(is_aligned(zeroed, 16));
        dam_free(plain);
        dam_free(zeroed);
    }
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        void *block = dam_malloc(SIZES_OF_EVERY_LAYER[i]);
        assert_non_null(block);
        assert_true(is_aligned(block, 16));
        dam_free(block);
    }
}

TEST(live_blocks_of_all_layers_never_share_a_byte) {
    enum { ROUNDS = 20 };
    static unsigned char *blocks[ROUNDS][SIZE_COUNT];
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            blocks[round][i] = dam_malloc(size);
            assert_non_null(blocks[round][i]);
            pattern_fill(blocks[round][i], size, pattern_key(round, i));
        }
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            assert_true(pattern_holds(blocks[round][i], SIZES_OF_EVERY_LAYER[i], pattern_key(round, i)));
            dam_free(blocks[round][i]);
        }
    }
}

/* Enough blocks of one size to make that layer use several pools. */
static size_t crowd_of(size_t size) {
    size_t count = 4 * MIB / (size + 1);
    return count < 3 ? 3 : smaller_of(count, 20000);
}

static void make_memory_dirty(size_t size) {
    size_t count = crowd_of(size);
    unsigned char **blocks = malloc(count * sizeof *blocks);
    assert_non_null(blocks);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = dam_malloc(size);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0xFF, dam_malloc_usable_size(blocks[i]));
    }
    for (size_t i = 0; i < count; i++)
        dam_free(blocks[i]);
    free(blocks);
}

static void assert_calloc_is_zero(size_t size) {
    size_t count = crowd_of(size);
    unsigned char **blocks = malloc(count * sizeof *blocks);
    assert_non_null(blocks);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = i % 2 == 0 ? dam_calloc(1, size) : dam_calloc(size, 1);
        assert_non_null(blocks[i]);
        assert_true(all_bytes_are(blocks[i], size, 0));
        memset(blocks[i], 0xFF, size);
    }
    for (size_t i = 0; i < count; i++)
        dam_free(blocks[i]);
    free(blocks);
}

TEST(calloc_of_memory_that_a_block_of_the_same_size_made_dirty_is_zero) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        make_memory_dirty(SIZES_OF_EVERY_LAYER[i]);
        assert_calloc_is_zero(SIZES_OF_EVERY_LAYER[i]);
    }
}

/* Memory wanders between layers as empty pools are given up and their slices used again. */
TEST(calloc_of_memory_that_another_layer_made_dirty_is_zero) {
    for (size_t i = 0; i < SIZE_COUNT; i++)
        make_memory_dirty(SIZES_OF_EVERY_LAYER[i]);
    for (size_t i = SIZE_COUNT; i > 0; i--)
        assert_calloc_is_zero(SIZES_OF_EVERY_LAYER[i - 1]);
    for (size_t i = SIZE_COUNT; i > 0; i--) {
        make_memory_dirty(SIZES_OF_EVERY_LAYER[i - 1]);
        assert_calloc_is_zero(SIZES_OF_EVERY_LAYER[SIZE_COUNT - i]);
    }
}

TEST(calloc_of_trimmed_memory_is_zero) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        make_memory_dirty(SIZES_OF_EVERY_LAYER[i]);
        dam_trim();
        assert_calloc_is_zero(SIZES_OF_EVERY_LAYER[i]);
    }
}

TEST(calloc_takes_the_product_of_its_factors) {
    for (size_t count = 1; count < 200; count += 7) {
        for (size_t size = 1; size < 2000; size += 111) {
            unsigned char *block = dam_calloc(count, size);
            assert_non_null(block);
            assert_true(dam_malloc_usable_size(block) >= count * size);
            assert_true(all_bytes_are(block, count * size, 0));
            memset(block, 0xFF, count * size);
            dam_free(block);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malloc_of_zero_bytes_gives_unique_blocks_that_can_be_freed),
        cmocka_unit_test(calloc_with_a_zero_factor_gives_unique_blocks_that_can_be_freed),
        cmocka_unit_test(every_block_is_aligned_to_sixteen_bytes),
        cmocka_unit_test(live_blocks_of_all_layers_never_share_a_byte),
        cmocka_unit_test(calloc_of_memory_that_a_block_of_the_same_size_made_dirty_is_zero),
        cmocka_unit_test(calloc_of_memory_that_another_layer_made_dirty_is_zero),
        cmocka_unit_test(calloc_of_trimmed_memory_is_zero),
        cmocka_unit_test(calloc_takes_the_product_of_its_factors),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
