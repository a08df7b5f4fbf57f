// SPDX-License-Identifier: MIT
/* refusals.c: sizes that cannot be: every entry point says NULL with ENOMEM, and what existed before is untouched.
 *
 * Not here: a system that runs out (process/address_space_limit.c) or refuses (process/os_refusals.c). */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

/* Above PTRDIFF_MAX, where rounding up would wrap around to something small; and just below, where no machine has the
 * addresses. */
static const size_t IMPOSSIBLE[] = {
    PTRDIFF_MAX - 65536,
    PTRDIFF_MAX - 15,
    PTRDIFF_MAX,
    (size_t)PTRDIFF_MAX + 1,
    (size_t)PTRDIFF_MAX + 4096,
    SIZE_MAX - GIB,
    SIZE_MAX - 131071,
    SIZE_MAX - 65536,
    SIZE_MAX - 65535,
    SIZE_MAX - 4096,
    SIZE_MAX - 4095,
    SIZE_MAX - 47,
    SIZE_MAX - 31,
    SIZE_MAX - 16,
    SIZE_MAX - 15,
    SIZE_MAX - 8,
    SIZE_MAX - 7,
    SIZE_MAX - 1,
    SIZE_MAX,
};

/* Factors whose product overflows, or lands above PTRDIFF_MAX. Some wrap to something small, even to zero. */
static const size_t IMPOSSIBLE_PRODUCTS[][2] = {
    {SIZE_MAX, 2},
    {2, SIZE_MAX},
    {SIZE_MAX, SIZE_MAX},
    {(size_t)1 << 32, (size_t)1 << 32},
    {((size_t)1 << 32) + 1, (size_t)1 << 32},
    {(size_t)1 << 63, 2},
    {((size_t)1 << 63) + 8, 2},
    {SIZE_MAX / 16 + 1, 16},
    {SIZE_MAX / 16 + 2, 16},
    {SIZE_MAX / 3 + 1, 3},
    {(size_t)PTRDIFF_MAX / 2 + 1, 2},
    {(size_t)1 << 62, 2},
    {1, SIZE_MAX},
    {SIZE_MAX, 1},
    {1, (size_t)PTRDIFF_MAX + 1},
};

#define ASSERT_REFUSED(call)                                                                                           \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        void *answer = (call);                                                                                         \
        int reason = errno;                                                                                            \
        assert_null(answer);                                                                                           \
        assert_int_equal(reason, ENOMEM);                                                                              \
    } while (0)

TEST(impossible_sizes_are_refused_by_every_allocation) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    for (size_t i = 0; i < COUNT_OF(IMPOSSIBLE); i++) {
        size_t size = opaque_size(IMPOSSIBLE[i]);
        ASSERT_REFUSED(dam_malloc(size));
        ASSERT_REFUSED(dam_calloc(1, size));
        ASSERT_REFUSED(dam_calloc(size, 1));
        ASSERT_REFUSED(dam_realloc(NULL, size));
        ASSERT_REFUSED(dam_reallocarray(NULL, 1, size));
        ASSERT_REFUSED(dam_reallocarray(NULL, size, 1));
        ASSERT_REFUSED(dam_heap_malloc(heap, size));
        ASSERT_REFUSED(dam_heap_calloc(heap, 1, size));
        ASSERT_REFUSED(dam_heap_calloc(heap, size, 1));
        ASSERT_REFUSED(dam_heap_realloc(heap, NULL, size));
    }
    dam_heap_destroy(heap);
}

TEST(impossible_sizes_are_refused_at_every_alignment) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(IMPOSSIBLE); i++) {
            size_t size = opaque_size(IMPOSSIBLE[i]);
            ASSERT_REFUSED(dam_aligned_alloc(alignment, size));
            ASSERT_REFUSED(dam_heap_aligned_alloc(heap, alignment, size));
        }
    }
    dam_heap_destroy(heap);
}

TEST(posix_memalign_returns_enomem_and_touches_neither_errno_nor_the_pointer) {
    char here = 0;
    for (size_t alignment = sizeof(void *); alignment <= GIB; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(IMPOSSIBLE); i++) {
            void *block = &here;
            errno = ERRNO_MARK;
            assert_int_equal(dam_posix_memalign(&block, alignment, opaque_size(IMPOSSIBLE[i])), ENOMEM);
            assert_int_equal(errno, ERRNO_MARK);
            assert_ptr_equal(block, &here);
        }
    }
}

TEST(impossible_products_are_refused) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    for (size_t i = 0; i < COUNT_OF(IMPOSSIBLE_PRODUCTS); i++) {
        size_t count = opaque_size(IMPOSSIBLE_PRODUCTS[i][0]);
        size_t size = opaque_size(IMPOSSIBLE_PRODUCTS[i][1]);
        ASSERT_REFUSED(dam_calloc(count, size));
        ASSERT_REFUSED(dam_reallocarray(NULL, count, size));
        ASSERT_REFUSED(dam_heap_calloc(heap, count, size));
    }
    dam_heap_destroy(heap);
}

TEST(a_refused_resize_leaves_the_block_untouched) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = dam_malloc(size);
        assert_non_null(block);
        size_t usable = dam_malloc_usable_size(block);
        pattern_fill(block, size, pattern_key(4, i));
        for (size_t j = 0; j < COUNT_OF(IMPOSSIBLE); j++)
            ASSERT_REFUSED(dam_realloc(opaque_pointer(block), opaque_size(IMPOSSIBLE[j])));
        for (size_t j = 0; j < COUNT_OF(IMPOSSIBLE_PRODUCTS); j++) {
            ASSERT_REFUSED(dam_reallocarray(opaque_pointer(block), opaque_size(IMPOSSIBLE_PRODUCTS[j][0]),
                                            opaque_size(IMPOSSIBLE_PRODUCTS[j][1])));
        }
        assert_int_equal(dam_malloc_usable_size(block), usable);
        assert_true(pattern_holds(block, size, pattern_key(4, i)));
        dam_free_sized(block, size);
    }
}

TEST(a_refused_resize_leaves_a_block_of_a_first_class_heap_untouched) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = dam_heap_malloc(heap, size);
        assert_non_null(block);
        pattern_fill(block, size, pattern_key(5, i));
        for (size_t j = 0; j < COUNT_OF(IMPOSSIBLE); j++) {
            ASSERT_REFUSED(dam_heap_realloc(heap, opaque_pointer(block), opaque_size(IMPOSSIBLE[j])));
            ASSERT_REFUSED(dam_realloc(opaque_pointer(block), opaque_size(IMPOSSIBLE[j])));
        }
        assert_true(pattern_holds(block, size, pattern_key(5, i)));
    }
    dam_heap_destroy(heap);
}

TEST(a_refused_resize_leaves_an_aligned_block_untouched) {
    for (size_t alignment = 32; alignment <= 4 * MIB; alignment *= 8) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            unsigned char *block = dam_aligned_alloc(alignment, size);
            assert_non_null(block);
            pattern_fill(block, size, pattern_key(6, i));
            for (size_t j = 0; j < COUNT_OF(IMPOSSIBLE); j++)
                ASSERT_REFUSED(dam_realloc(opaque_pointer(block), opaque_size(IMPOSSIBLE[j])));
            assert_true(pattern_holds(block, size, pattern_key(6, i)));
            dam_free(block);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_sizes_are_refused_by_every_allocation),
        cmocka_unit_test(impossible_sizes_are_refused_at_every_alignment),
        cmocka_unit_test(posix_memalign_returns_enomem_and_touches_neither_errno_nor_the_pointer),
        cmocka_unit_test(impossible_products_are_refused),
        cmocka_unit_test(a_refused_resize_leaves_the_block_untouched),
        cmocka_unit_test(a_refused_resize_leaves_a_block_of_a_first_class_heap_untouched),
        cmocka_unit_test(a_refused_resize_leaves_an_aligned_block_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
