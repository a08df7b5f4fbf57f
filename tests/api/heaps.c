// SPDX-License-Identifier: MIT
/* heaps.c: first-class heaps: blocks that can all be released at once.
 *
 * Not here: many threads at one heap and memory bounds (heaps_threads.c, heaps_memory.c), impossible sizes
 * (refusals.c), errno (errno.c). */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

static dam_heap *new_heap(void) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    return heap;
}

static unsigned char *filled_block(dam_heap *heap, size_t size, uint64_t id) {
    unsigned char *block = dam_heap_malloc(heap, size);
    assert_non_null(block);
    pattern_fill(block, size, pattern_key(7, id));
    return block;
}

static bool holds(const void *block, size_t size, uint64_t id) {
    return pattern_holds(block, size, pattern_key(7, id));
}

TEST(an_empty_heap_can_be_destroyed) {
    dam_heap *one = new_heap();
    dam_heap *other = new_heap();
    assert_true(opaque_pointer(one) != opaque_pointer(other));
    dam_heap_destroy(one);
    dam_heap_destroy(other);
}

TEST(destroying_no_heap_does_nothing) {
    dam_heap_destroy(NULL);
}

TEST(heap_malloc_gives_usable_blocks_of_every_layer) {
    dam_heap *heap = new_heap();
    unsigned char *blocks[SIZE_COUNT];
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        blocks[i] = filled_block(heap, SIZES_OF_EVERY_LAYER[i], i);
        assert_true(is_aligned(blocks[i], 16));
        assert_true(dam_malloc_usable_size(blocks[i]) >= SIZES_OF_EVERY_LAYER[i]);
    }
    for (size_t i = 0; i < SIZE_COUNT; i++)
        assert_true(holds(blocks[i], SIZES_OF_EVERY_LAYER[i], i));
    dam_heap_destroy(heap);
}

TEST(heap_malloc_of_zero_bytes_gives_unique_blocks) {
    dam_heap *heap = new_heap();
    void *one = dam_heap_malloc(heap, opaque_size(0));
    void *other = dam_heap_calloc(heap, opaque_size(0), 8);
    assert_non_null(one);
    assert_non_null(other);
    assert_true(opaque_pointer(one) != opaque_pointer(other));
    dam_free(one);
    dam_heap_destroy(heap);
}

TEST(heap_calloc_is_zero_on_memory_a_destroyed_heap_made_dirty) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        size_t count = smaller_of(4 * MIB / size + 2, 5000);
        for (int round = 0; round < 3; round++) {
            dam_heap *heap = new_heap();
            for (size_t j = 0; j < count; j++) {
                unsigned char *block = dam_heap_calloc(heap, 1, size);
                assert_non_null(block);
                assert_true(all_bytes_are(block, size, 0));
                memset(block, 0xFF, dam_malloc_usable_size(block));
            }
            dam_heap_destroy(heap);
        }
    }
}

TEST(heap_realloc_across_every_pair_of_layers_keeps_min_of_old_and_new_bytes) {
    dam_heap *heap = new_heap();
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from], new_size = SIZES_OF_EVERY_LAYER[to];
            unsigned char *block = dam_heap_realloc(heap, filled_block(heap, old_size, from), new_size);
            assert_non_null(block);
            assert_true(is_aligned(block, 16));
            assert_true(dam_malloc_usable_size(block) >= new_size);
            assert_true(holds(block, smaller_of(old_size, new_size), from));
            memset(block, 0x21, new_size);
            if ((from + to) % 2 == 0)
                dam_free(block);
        }
    }
    dam_heap_destroy(heap);
}

TEST(heap_realloc_of_null_allocates_and_to_zero_frees) {
    dam_heap *heap = new_heap();
    unsigned char *block = dam_heap_realloc(heap, NULL, 500);
    assert_non_null(block);
    memset(block, 1, 500);
    errno = ERRNO_MARK;
    block = dam_heap_realloc(heap, block, opaque_size(0));
    assert_null(block);
    assert_int_equal(errno, ERRNO_MARK);
    dam_heap_destroy(heap);
}

TEST(heap_aligned_alloc_gives_every_alignment_at_every_size) {
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        dam_heap *heap = new_heap();
        unsigned char *blocks[SIZE_COUNT];
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            blocks[i] = dam_heap_aligned_alloc(heap, alignment, size);
            assert_non_null(blocks[i]);
            assert_true(is_aligned(blocks[i], alignment));
            assert_true(dam_malloc_usable_size(blocks[i]) >= size);
            pattern_fill(blocks[i], size, pattern_key(alignment, i));
        }
        for (size_t i = 0; i < SIZE_COUNT; i++)
            assert_true(pattern_holds(blocks[i], SIZES_OF_EVERY_LAYER[i], pattern_key(alignment, i)));
        dam_heap_destroy(heap);
    }
}

TEST(heap_aligned_alloc_with_a_bad_alignment_gives_einval) {
    static const size_t BAD[] = {0, 3, 24, 4097, 2 * GIB, (size_t)1 << 63, SIZE_MAX};
    dam_heap *heap = new_heap();
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        errno = 0;
        assert_null(dam_heap_aligned_alloc(heap, opaque_size(BAD[i]), 100));
        assert_int_equal(errno, EINVAL);
    }
    dam_heap_destroy(heap);
}

TEST(heap_blocks_can_be_released_one_by_one_in_every_way) {
    dam_heap *heap = new_heap();
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        for (int round = 0; round < 50; round++) {
            dam_free(filled_block(heap, size, i));
            dam_free_sized(filled_block(heap, size, i), size);
            void *aligned = dam_heap_aligned_alloc(heap, 128, size);
            assert_non_null(aligned);
            dam_free_aligned_sized(aligned, 128, size);
        }
    }
    dam_heap_destroy(heap);
}

/* Blocks of three owners lie interleaved in time; one of them goes. */
TEST(destroying_a_heap_leaves_the_blocks_of_all_others_alone) {
    enum { ROUNDS = 8 };
    dam_heap *going = new_heap();
    dam_heap *staying = new_heap();
    static unsigned char *of_staying[ROUNDS][SIZE_COUNT];
    static unsigned char *of_thread[ROUNDS][SIZE_COUNT];
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            of_staying[round][i] = filled_block(staying, size, round * 1000 + i);
            memset(filled_block(going, size, 0), 0xDD, size);
            of_thread[round][i] = dam_malloc(size);
            assert_non_null(of_thread[round][i]);
            pattern_fill(of_thread[round][i], size, pattern_key(8, round * 1000 + i));
        }
    }
    dam_heap_destroy(going);
    dam_heap *next = new_heap();
    for (size_t i = 0; i < SIZE_COUNT; i++)
        memset(filled_block(next, SIZES_OF_EVERY_LAYER[i], 0), 0xCC, SIZES_OF_EVERY_LAYER[i]);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            assert_true(holds(of_staying[round][i], size, round * 1000 + i));
            assert_true(pattern_holds(of_thread[round][i], size, pattern_key(8, round * 1000 + i)));
            dam_free(of_thread[round][i]);
        }
    }
    dam_heap_destroy(next);
    dam_heap_destroy(staying);
}

/* dam_realloc moves a heap's block, if it must, to the calling thread's heap: it is then no longer the heap's. */
TEST(a_heap_block_moved_by_dam_realloc_outlives_its_heap) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from], new_size = SIZES_OF_EVERY_LAYER[to];
            dam_heap *heap = new_heap();
            unsigned char *old_block = filled_block(heap, old_size, from);
            uintptr_t old_place = (uintptr_t)old_block;
            unsigned char *block = dam_realloc(old_block, new_size);
            assert_non_null(block);
            assert_true(holds(block, smaller_of(old_size, new_size), from));
            pattern_fill(block, new_size, pattern_key(7, to));
            bool moved = (uintptr_t)block != old_place;
            dam_heap_destroy(heap);
            if (moved) {
                assert_true(holds(block, new_size, to));
                dam_free(block);
            }
        }
    }
}

/* The other way round: what dam_heap_realloc makes of a heap's block goes with the heap, wherever it lies by then. */
TEST(heaps_come_and_go_with_blocks_that_were_resized_in_them) {
    for (int round = 0; round < 30; round++) {
        dam_heap *heap = new_heap();
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            unsigned char *block = filled_block(heap, SIZES_OF_EVERY_LAYER[i], i);
            size_t size = SIZES_OF_EVERY_LAYER[i];
            for (size_t step = 0; step < 5; step++) {
                size_t new_size = SIZES_OF_EVERY_LAYER[(i + 3 * step) % SIZE_COUNT];
                block = dam_heap_realloc(heap, block, new_size);
                assert_non_null(block);
                assert_true(holds(block, smaller_of(size, new_size), i));
                size = new_size;
                pattern_fill(block, size, pattern_key(7, i));
            }
        }
        dam_heap_destroy(heap);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_can_be_destroyed),
        cmocka_unit_test(destroying_no_heap_does_nothing),
        cmocka_unit_test(heap_malloc_gives_usable_blocks_of_every_layer),
        cmocka_unit_test(heap_malloc_of_zero_bytes_gives_unique_blocks),
        cmocka_unit_test(heap_calloc_is_zero_on_memory_a_destroyed_heap_made_dirty),
        cmocka_unit_test(heap_realloc_across_every_pair_of_layers_keeps_min_of_old_and_new_bytes),
        cmocka_unit_test(heap_realloc_of_null_allocates_and_to_zero_frees),
        cmocka_unit_test(heap_aligned_alloc_gives_every_alignment_at_every_size),
        cmocka_unit_test(heap_aligned_alloc_with_a_bad_alignment_gives_einval),
        cmocka_unit_test(heap_blocks_can_be_released_one_by_one_in_every_way),
        cmocka_unit_test(destroying_a_heap_leaves_the_blocks_of_all_others_alone),
        cmocka_unit_test(a_heap_block_moved_by_dam_realloc_outlives_its_heap),
        cmocka_unit_test(heaps_come_and_go_with_blocks_that_were_resized_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
