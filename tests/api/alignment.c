// SPDX-License-Identifier: MIT
/* alignment.c: dam_aligned_alloc and dam_posix_memalign: every power of two from 1 to 1 GiB, every layer.
 *
 * Not here: sizes that must be refused (refusals.c), first-class heaps (heaps.c). */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/memory_use.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)
#define ALIGNMENT_MAX_LOG2 30

static void assert_good_block(const void *block, size_t alignment, size_t size) {
    assert_non_null(block);
    assert_true(is_aligned(block, alignment));
    assert_true(is_aligned(block, 16));
    assert_true(dam_malloc_usable_size(block) >= size);
}

/* All sizes of one alignment are live at once, so that blocks which share a byte are noticed. */
TEST(aligned_alloc_gives_every_alignment_at_every_size) {
    unsigned char *blocks[SIZE_COUNT];
    for (unsigned log2 = 0; log2 <= ALIGNMENT_MAX_LOG2; log2++) {
        size_t alignment = (size_t)1 << log2;
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            blocks[i] = dam_aligned_alloc(alignment, SIZES_OF_EVERY_LAYER[i]);
            assert_good_block(blocks[i], alignment, SIZES_OF_EVERY_LAYER[i]);
            pattern_fill(blocks[i], SIZES_OF_EVERY_LAYER[i], pattern_key(log2, i));
        }
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            assert_true(pattern_holds(blocks[i], SIZES_OF_EVERY_LAYER[i], pattern_key(log2, i)));
            dam_free(blocks[i]);
        }
    }
}

TEST(posix_memalign_gives_every_alignment_at_every_size) {
    unsigned char *blocks[SIZE_COUNT];
    for (unsigned log2 = 3; log2 <= ALIGNMENT_MAX_LOG2; log2++) {
        size_t alignment = (size_t)1 << log2;
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            void *block = NULL;
            assert_int_equal(dam_posix_memalign(&block, alignment, SIZES_OF_EVERY_LAYER[i]), 0);
            assert_good_block(block, alignment, SIZES_OF_EVERY_LAYER[i]);
            blocks[i] = block;
            pattern_fill(block, SIZES_OF_EVERY_LAYER[i], pattern_key(log2, i));
        }
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            assert_true(pattern_holds(blocks[i], SIZES_OF_EVERY_LAYER[i], pattern_key(log2, i)));
            dam_free(blocks[i]);
        }
    }
}

TEST(many_aligned_blocks_of_one_kind_share_no_byte) {
    enum { COUNT = 500 };
    static unsigned char *blocks[COUNT];
    for (size_t alignment = 16; alignment <= 64 * KIB; alignment *= 2) {
        for (size_t size = 1; size <= 8192; size = size * 3 + 5) {
            for (size_t i = 0; i < COUNT; i++) {
                blocks[i] = dam_aligned_alloc(alignment, size);
                assert_good_block(blocks[i], alignment, size);
                pattern_fill(blocks[i], size, pattern_key(alignment, i));
            }
            for (size_t i = 0; i < COUNT; i++) {
                assert_true(pattern_holds(blocks[i], size, pattern_key(alignment, i)));
                dam_free(blocks[i]);
            }
        }
    }
}

TEST(an_aligned_block_of_zero_bytes_is_unique_and_can_be_freed) {
    for (unsigned log2 = 0; log2 <= ALIGNMENT_MAX_LOG2; log2++) {
        size_t alignment = (size_t)1 << log2;
        void *one = dam_aligned_alloc(alignment, opaque_size(0));
        void *other = dam_aligned_alloc(alignment, opaque_size(0));
        assert_good_block(one, alignment, 0);
        assert_good_block(other, alignment, 0);
        assert_true(opaque_pointer(one) != opaque_pointer(other));
        dam_free(one);
        dam_free(other);
    }
}

TEST(aligned_alloc_with_a_bad_alignment_gives_einval) {
    static const size_t BAD[] = {0, 3, 6, 24, 4095, 4097, 2 * GIB, (size_t)1 << 62, (size_t)1 << 63, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        for (size_t j = 0; j < SIZE_COUNT; j++) {
            errno = 0;
            assert_null(dam_aligned_alloc(opaque_size(BAD[i]), SIZES_OF_EVERY_LAYER[j]));
            assert_int_equal(errno, EINVAL);
        }
    }
}

TEST(posix_memalign_with_a_bad_alignment_returns_einval_and_touches_nothing) {
    static const size_t BAD[] = {0, 1, 2, 4, 3, 12, 24, 4095, 4097, 2 * GIB, (size_t)1 << 63, SIZE_MAX};
    char here = 0;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        void *block = &here;
        errno = ERRNO_MARK;
        assert_int_equal(dam_posix_memalign(&block, opaque_size(BAD[i]), 100), EINVAL);
        assert_int_equal(errno, ERRNO_MARK);
        assert_ptr_equal(block, &here);
    }
}

/* 8,192 blocks, each on a page of its own, leave 3,700 bytes between any two of them. If these are given back, as many
 * blocks of 3,000 bytes fit into memory that is touched already; if not, they need 24 MiB more. */
TEST(what_an_aligned_request_leaves_unused_serves_other_requests) {
    enum { COUNT = 8192 };
    static unsigned char *aligned[COUNT];
    static unsigned char *between[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        aligned[i] = dam_aligned_alloc(4096, 300);
        assert_good_block(aligned[i], 4096, 300);
        memset(aligned[i], 0x33, 300);
    }
    size_t resident_before = memory_resident_bytes();
    for (size_t i = 0; i < COUNT; i++) {
        between[i] = dam_malloc(3000);
        assert_non_null(between[i]);
        memset(between[i], 0x44, 3000);
    }
    assert_true(memory_resident_bytes() < resident_before + 12 * MIB);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(all_bytes_are(aligned[i], 300, 0x33));
        assert_true(all_bytes_are(between[i], 3000, 0x44));
        dam_free(aligned[i]);
        dam_free(between[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_alloc_gives_every_alignment_at_every_size),
        cmocka_unit_test(posix_memalign_gives_every_alignment_at_every_size),
        cmocka_unit_test(many_aligned_blocks_of_one_kind_share_no_byte),
        cmocka_unit_test(an_aligned_block_of_zero_bytes_is_unique_and_can_be_freed),
        cmocka_unit_test(aligned_alloc_with_a_bad_alignment_gives_einval),
        cmocka_unit_test(posix_memalign_with_a_bad_alignment_returns_einval_and_touches_nothing),
        cmocka_unit_test(what_an_aligned_request_leaves_unused_serves_other_requests),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
