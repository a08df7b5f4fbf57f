// SPDX-License-Identifier: MIT
/* resizing.c: dam_realloc and dam_reallocarray, across all layers in all directions.
 *
 * Not here: sizes that must be refused (refusals.c), errno on success (errno.c), dam_expand (in_place.c). */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/memory_use.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

static unsigned char *filled_block(size_t size, uint64_t id) {
    unsigned char *block = dam_malloc(size);
    assert_non_null(block);
    pattern_fill(block, size, pattern_key(1, id));
    return block;
}

static bool holds(const void *block, size_t size, uint64_t id) {
    return pattern_holds(block, size, pattern_key(1, id));
}

TEST(realloc_of_null_allocates) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = dam_realloc(NULL, size);
        assert_non_null(block);
        assert_true(is_aligned(block, 16));
        assert_true(dam_malloc_usable_size(block) >= size);
        memset(block, 0xAA, size);
        dam_free(block);
    }
}

TEST(realloc_of_null_to_zero_bytes_gives_a_block) {
    void *block = dam_realloc(NULL, opaque_size(0));
    assert_non_null(block);
    dam_free(block);
}

TEST(realloc_to_zero_bytes_returns_null_and_keeps_errno) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        void *block = filled_block(SIZES_OF_EVERY_LAYER[i], i);
        errno = ERRNO_MARK;
        void *answer = dam_realloc(block, opaque_size(0));
        assert_int_equal(errno, ERRNO_MARK);
        assert_null(answer);
    }
}

/* If the blocks were kept, small and general ones would leave 64 MiB of touched memory behind, and direct ones 16 GiB
 * of addresses. */
TEST(realloc_to_zero_bytes_frees_the_block) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        bool direct = size > GENERAL_MAX;
        size_t resident_before = memory_resident_bytes();
        size_t mapped_before = memory_mapped_bytes();
        for (size_t done = 0; done < (direct ? 16 * GIB : 64 * MIB); done += size < 16 ? 16 : size) {
            unsigned char *block = dam_malloc(size);
            assert_non_null(block);
            memset(block, 1, direct ? 1 : size);
            assert_null(dam_realloc(block, opaque_size(0)));
        }
        assert_true(memory_resident_bytes() < resident_before + 32 * MIB);
        assert_true(memory_mapped_bytes() < mapped_before + 8 * GIB);
    }
}

TEST(realloc_across_every_pair_of_layers_keeps_min_of_old_and_new_bytes) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from];
            size_t new_size = SIZES_OF_EVERY_LAYER[to];
            unsigned char *block = dam_realloc(filled_block(old_size, from), new_size);
            assert_non_null(block);
            assert_true(is_aligned(block, 16));
            assert_true(dam_malloc_usable_size(block) >= new_size);
            assert_true(holds(block, smaller_of(old_size, new_size), from));
            pattern_fill(block, new_size, pattern_key(1, to));
            assert_true(holds(block, new_size, to));
            dam_free(block);
        }
    }
}

TEST(realloc_leaves_the_neighbours_alone) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from];
            size_t new_size = SIZES_OF_EVERY_LAYER[to];
            unsigned char *before = filled_block(old_size, 100);
            unsigned char *block = filled_block(old_size, 101);
            unsigned char *after = filled_block(old_size, 102);
            block = dam_realloc(block, new_size);
            assert_non_null(block);
            pattern_fill(block, new_size, pattern_key(1, 103));
            assert_true(holds(before, old_size, 100));
            assert_true(holds(after, old_size, 102));
            dam_free(before);
            assert_true(holds(block, new_size, 103));
            dam_free(block);
            dam_free(after);
        }
    }
}

/* The life of a growing buffer, then of a shrinking one, with a second one between its places. */
TEST(realloc_in_many_steps_keeps_the_contents) {
    size_t size = 1, other_size = 1;
    unsigned char *block = filled_block(size, 7);
    unsigned char *other = filled_block(other_size, 8);
    while (size < 8 * MIB) {
        size_t larger = size + size / 2 + 1;
        block = dam_realloc(block, larger);
        assert_non_null(block);
        assert_true(holds(block, size, 7));
        size = larger;
        pattern_fill(block, size, pattern_key(1, 7));
        other = dam_realloc(other, size / 3 + 1);
        assert_non_null(other);
        assert_true(holds(other, smaller_of(other_size, size / 3 + 1), 8));
        other_size = size / 3 + 1;
        pattern_fill(other, other_size, pattern_key(1, 8));
    }
    while (size > 1) {
        size -= size / 3 + 1;
        block = dam_realloc(block, size + 1);
        assert_non_null(block);
        assert_true(holds(block, size + 1, 7));
        assert_true(holds(other, other_size, 8));
    }
    dam_free(block);
    dam_free(other);
}

/* A string that grows by one byte at a time crosses every class and every limit exactly. */
TEST(realloc_one_byte_at_a_time_keeps_the_contents) {
    unsigned char *block = filled_block(1, 9);
    for (size_t size = 2; size <= 70000; size++) {
        block = dam_realloc(block, size);
        assert_non_null(block);
        block[size - 1] = (unsigned char)size;
        if (size < 600 || size % 4096 < 3 || size > 65000)
            assert_true(dam_malloc_usable_size(block) >= size);
    }
    for (size_t size = 2; size <= 70000; size++)
        assert_int_equal(block[size - 1], (unsigned char)size);
    for (size_t size = 69999; size >= 1; size--) {
        block = dam_realloc(block, size);
        assert_non_null(block);
        if (size >= 2)
            assert_int_equal(block[size - 1], (unsigned char)size);
    }
    dam_free(block);
}

TEST(realloc_to_the_same_size_keeps_the_contents) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = dam_realloc(filled_block(size, i), size);
        assert_non_null(block);
        assert_true(holds(block, size, i));
        dam_free(block);
    }
}

TEST(realloc_of_a_zero_sized_block_gives_a_usable_one) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = dam_realloc(dam_malloc(opaque_size(0)), size);
        assert_non_null(block);
        memset(block, 0x55, size);
        dam_free(block);
    }
}

TEST(realloc_of_an_aligned_block_keeps_the_contents) {
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 4) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[i];
            size_t new_size = SIZES_OF_EVERY_LAYER[(i * 7 + 3) % SIZE_COUNT];
            unsigned char *block = dam_aligned_alloc(alignment, old_size);
            assert_non_null(block);
            pattern_fill(block, old_size, pattern_key(1, i));
            block = dam_realloc(block, new_size);
            assert_non_null(block);
            assert_true(is_aligned(block, 16));
            assert_true(holds(block, smaller_of(old_size, new_size), i));
            memset(block, 0x5A, new_size);
            dam_free(block);
        }
    }
}

TEST(reallocarray_takes_the_product_and_keeps_the_contents) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t count = 1; count <= 4096; count *= 8) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from];
            size_t new_size = count * 24;
            unsigned char *block = dam_reallocarray(filled_block(old_size, from), count, 24);
            assert_non_null(block);
            assert_true(dam_malloc_usable_size(block) >= new_size);
            assert_true(holds(block, smaller_of(old_size, new_size), from));
            memset(block, 0x77, new_size);
            dam_free(block);
        }
    }
}

TEST(reallocarray_of_null_allocates) {
    unsigned char *block = dam_reallocarray(NULL, 10, 100);
    assert_non_null(block);
    memset(block, 1, 1000);
    dam_free(block);
}

TEST(reallocarray_to_zero_bytes_frees_and_keeps_errno) {
    errno = ERRNO_MARK;
    assert_null(dam_reallocarray(filled_block(100, 1), opaque_size(0), 8));
    assert_null(dam_reallocarray(filled_block(100, 1), 8, opaque_size(0)));
    assert_int_equal(errno, ERRNO_MARK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(realloc_of_null_allocates),
        cmocka_unit_test(realloc_of_null_to_zero_bytes_gives_a_block),
        cmocka_unit_test(realloc_to_zero_bytes_returns_null_and_keeps_errno),
        cmocka_unit_test(realloc_to_zero_bytes_frees_the_block),
        cmocka_unit_test(realloc_across_every_pair_of_layers_keeps_min_of_old_and_new_bytes),
        cmocka_unit_test(realloc_leaves_the_neighbours_alone),
        cmocka_unit_test(realloc_in_many_steps_keeps_the_contents),
        cmocka_unit_test(realloc_one_byte_at_a_time_keeps_the_contents),
        cmocka_unit_test(realloc_to_the_same_size_keeps_the_contents),
        cmocka_unit_test(realloc_of_a_zero_sized_block_gives_a_usable_one),
        cmocka_unit_test(realloc_of_an_aligned_block_keeps_the_contents),
        cmocka_unit_test(reallocarray_takes_the_product_and_keeps_the_contents),
        cmocka_unit_test(reallocarray_of_null_allocates),
        cmocka_unit_test(reallocarray_to_zero_bytes_frees_and_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
