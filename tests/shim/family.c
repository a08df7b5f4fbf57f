// SPDX-License-Identifier: MIT
/* family.c: the semantics of libc's malloc family on DAM: ISO C, POSIX, and glibc's manual for memalign, valloc and
 * pvalloc.
 *
 * Not here: free_sized and its kin (sized.c), blocks that libc itself allocates (libc_blocks.c), figures (figures.c).
 */
#include "support/every_entry.h"
#include "support/layers.h"
#include "support/on_dam.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

static size_t page_bytes;

TEST(every_entry_point_gives_usable_blocks_and_keeps_errno) {
    for (size_t entry = 0; entry < COUNT_OF(EVERY_ENTRY); entry++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            errno = ERRNO_MARK;
            unsigned char *block = EVERY_ENTRY[entry].allocate(size);
            assert_int_equal(errno, ERRNO_MARK);
            assert_non_null(block);
            assert_true(is_aligned(block, EVERY_ENTRY[entry].alignment));
            assert_true(malloc_usable_size(block) >= size);
            memset(block, 0x68, malloc_usable_size(block));
            errno = ERRNO_MARK;
            free(block);
            assert_int_equal(errno, ERRNO_MARK);
        }
    }
}

TEST(every_entry_point_refuses_impossible_sizes_with_enomem) {
    static const size_t IMPOSSIBLE[] = {
        PTRDIFF_MAX - 4096, PTRDIFF_MAX,     (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 65536,
        SIZE_MAX - 65535,   SIZE_MAX - 8192, SIZE_MAX - 4096,         SIZE_MAX - 4095,
        SIZE_MAX - 4094,    SIZE_MAX - 1024, SIZE_MAX - 64,           SIZE_MAX - 15,
        SIZE_MAX - 1,       SIZE_MAX,
    };
    for (size_t entry = 0; entry < COUNT_OF(EVERY_ENTRY); entry++) {
        for (size_t i = 0; i < COUNT_OF(IMPOSSIBLE); i++) {
            errno = 0;
            void *block = EVERY_ENTRY[entry].allocate(opaque_size(IMPOSSIBLE[i]));
            int reason = errno;
            if (block != NULL || reason != ENOMEM)
                fail_msg("%s of %zu bytes: %p, errno %d", EVERY_ENTRY[entry].name, IMPOSSIBLE[i], block, reason);
        }
    }
}

TEST(every_entry_point_gives_unique_blocks_of_zero_bytes) {
    for (size_t entry = 0; entry < COUNT_OF(EVERY_ENTRY); entry++) {
        if (EVERY_ENTRY[entry].allocate == enter_realloc_growth)
            continue; /* realloc of a block to zero bytes is a release */
        void *one = EVERY_ENTRY[entry].allocate(opaque_size(0));
        void *other = EVERY_ENTRY[entry].allocate(opaque_size(0));
        assert_non_null(one);
        assert_non_null(other);
        assert_true(opaque_pointer(one) != opaque_pointer(other));
        free(one);
        free(other);
    }
}

TEST(calloc_is_zero_on_dirty_memory) {
    enum { COUNT = 1000 };
    static unsigned char *blocks[COUNT];
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        size_t count = smaller_of(COUNT, 8 * MIB / size + 1);
        for (int round = 0; round < 2; round++) {
            for (size_t j = 0; j < count; j++) {
                blocks[j] = calloc(1, size);
                assert_non_null(blocks[j]);
                assert_true(all_bytes_are(blocks[j], size, 0));
                memset(blocks[j], 0xFF, size);
            }
            for (size_t j = 0; j < count; j++)
                free(blocks[j]);
        }
    }
}

TEST(products_that_overflow_are_refused_and_leave_the_block_alone) {
    static const size_t FACTORS[][2] = {{SIZE_MAX, 2},
                                        {2, SIZE_MAX},
                                        {(size_t)1 << 32, (size_t)1 << 32},
                                        {SIZE_MAX / 16 + 2, 16},
                                        {(size_t)1 << 62, 2}};
    unsigned char *block = malloc(100);
    assert_non_null(block);
    memset(block, 0x5B, 100);
    for (size_t i = 0; i < COUNT_OF(FACTORS); i++) {
        size_t count = opaque_size(FACTORS[i][0]), size = opaque_size(FACTORS[i][1]);
        errno = 0;
        assert_null(calloc(count, size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(reallocarray(opaque_pointer(block), count, size));
        assert_int_equal(errno, ENOMEM);
    }
    block = opaque_pointer(block);
    assert_true(all_bytes_are(block, 100, 0x5B));
    free(block);
}

TEST(realloc_across_every_pair_of_layers_keeps_min_of_old_and_new_bytes) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from], new_size = SIZES_OF_EVERY_LAYER[to];
            unsigned char *block = malloc(old_size);
            assert_non_null(block);
            pattern_fill(block, old_size, pattern_key(13, from));
            block = realloc(block, new_size);
            assert_non_null(block);
            assert_true(pattern_holds(block, smaller_of(old_size, new_size), pattern_key(13, from)));
            block = reallocarray(block, old_size, 1);
            assert_non_null(block);
            assert_true(pattern_holds(block, smaller_of(old_size, new_size), pattern_key(13, from)));
            free(block);
        }
    }
}

TEST(realloc_to_zero_bytes_frees_and_returns_null) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        void *block = malloc(SIZES_OF_EVERY_LAYER[i]);
        assert_non_null(block);
        errno = ERRNO_MARK;
        assert_null(realloc(block, opaque_size(0)));
        assert_int_equal(errno, ERRNO_MARK);
    }
}

/* ---- Alignment --------------------------------------------------------------------------------------------------- */

TEST(aligned_functions_give_every_alignment) {
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            void *blocks[3] = {aligned_alloc(alignment, size), memalign(alignment, size), NULL};
            size_t posix_alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
            assert_int_equal(posix_memalign(&blocks[2], posix_alignment, size), 0);
            for (size_t j = 0; j < COUNT_OF(blocks); j++) {
                assert_non_null(blocks[j]);
                assert_true(is_aligned(blocks[j], alignment));
                memset(blocks[j], (int)j, size);
            }
            for (size_t j = 0; j < COUNT_OF(blocks); j++) {
                assert_true(all_bytes_are(blocks[j], size, (unsigned char)j));
                free(blocks[j]);
            }
        }
    }
}

TEST(posix_memalign_says_einval_to_what_is_no_alignment) {
    static const size_t BAD[] = {0, 1, 2, 4, 12, 24, 4097, SIZE_MAX};
    char here = 0;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        void *block = &here;
        errno = ERRNO_MARK;
        assert_int_equal(posix_memalign(&block, opaque_size(BAD[i]), 100), EINVAL);
        assert_int_equal(errno, ERRNO_MARK);
        assert_ptr_equal(block, &here);
    }
}

TEST(aligned_alloc_says_einval_to_what_is_no_alignment) {
    static const size_t BAD[] = {0, 3, 24, 4097, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        errno = 0;
        assert_null(aligned_alloc(opaque_size(BAD[i]), 100));
        assert_int_equal(errno, EINVAL);
    }
}

/* As glibc does it; programs from before posix_memalign count on it. */
TEST(memalign_rounds_an_odd_alignment_up_to_a_power_of_two) {
    static const size_t ODD[][2] = {{0, 16}, {3, 16}, {17, 32}, {24, 32}, {100, 128}, {3000, 4096}, {5000, 8192}};
    for (size_t i = 0; i < COUNT_OF(ODD); i++) {
        void *block = memalign(opaque_size(ODD[i][0]), 100);
        assert_non_null(block);
        assert_true(is_aligned(block, ODD[i][1]));
        free(block);
    }
}

TEST(memalign_refuses_an_alignment_that_cannot_be) {
    static const size_t BAD[] = {((size_t)1 << 63) + 1, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        errno = 0;
        assert_null(memalign(opaque_size(BAD[i]), 100));
        assert_true(errno == EINVAL || errno == ENOMEM);
    }
}

TEST(valloc_gives_page_aligned_blocks) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        void *block = valloc(SIZES_OF_EVERY_LAYER[i]);
        assert_non_null(block);
        assert_true(is_aligned(block, page_bytes));
        assert_true(malloc_usable_size(block) >= SIZES_OF_EVERY_LAYER[i]);
        free(block);
    }
}

TEST(pvalloc_gives_whole_pages) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        size_t whole = (size + page_bytes - 1) / page_bytes * page_bytes;
        unsigned char *block = pvalloc(size);
        assert_non_null(block);
        assert_true(is_aligned(block, page_bytes));
        assert_true(malloc_usable_size(block) >= whole);
        memset(block, 0x70, whole);
        free(block);
    }
    void *empty = pvalloc(opaque_size(0));
    assert_non_null(empty);
    free(empty);
}

/* Rounding up to whole pages must not come out at a small number. */
TEST(pvalloc_never_wraps_around) {
    for (size_t below = 0; below < 2 * page_bytes; below += below < 20 ? 1 : 509) {
        errno = 0;
        assert_null(pvalloc(opaque_size(SIZE_MAX - below)));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(pvalloc(opaque_size((size_t)PTRDIFF_MAX - below)));
        assert_int_equal(errno, ENOMEM);
    }
}

TEST(malloc_usable_size_of_null_is_zero_and_free_of_null_does_nothing) {
    assert_int_equal(malloc_usable_size(NULL), 0);
    errno = ERRNO_MARK;
    free(NULL);
    assert_int_equal(errno, ERRNO_MARK);
}

int main(void) {
    require_malloc_to_be_dam();
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_point_gives_usable_blocks_and_keeps_errno),
        cmocka_unit_test(every_entry_point_refuses_impossible_sizes_with_enomem),
        cmocka_unit_test(every_entry_point_gives_unique_blocks_of_zero_bytes),
        cmocka_unit_test(calloc_is_zero_on_dirty_memory),
        cmocka_unit_test(products_that_overflow_are_refused_and_leave_the_block_alone),
        cmocka_unit_test(realloc_across_every_pair_of_layers_keeps_min_of_old_and_new_bytes),
        cmocka_unit_test(realloc_to_zero_bytes_frees_and_returns_null),
        cmocka_unit_test(aligned_functions_give_every_alignment),
        cmocka_unit_test(posix_memalign_says_einval_to_what_is_no_alignment),
        cmocka_unit_test(aligned_alloc_says_einval_to_what_is_no_alignment),
        cmocka_unit_test(memalign_rounds_an_odd_alignment_up_to_a_power_of_two),
        cmocka_unit_test(memalign_refuses_an_alignment_that_cannot_be),
        cmocka_unit_test(valloc_gives_page_aligned_blocks),
        cmocka_unit_test(pvalloc_gives_whole_pages),
        cmocka_unit_test(pvalloc_never_wraps_around),
        cmocka_unit_test(malloc_usable_size_of_null_is_zero_and_free_of_null_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
