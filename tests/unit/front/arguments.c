// SPDX-License-Identifier: MIT
/* arguments.c: what the front makes of its arguments: products that overflow, sizes told at release, addresses that were never
 * given out. */
#include "dam/dam.h"

#include "front/front.h"
#include "heap/heap.h"
#include "pool/pool_map.h"
#include "support/layers.h"
#include "support/random.h"
#include "unit/support/expect_abort.h"

/* ---- Products ---------------------------------------------------------------------------------------------------- */

TEST(a_product_that_fits_is_itself) {
    static const size_t FACTORS[] = {0, 1, 2, 3, 255, 256, 65535, 65536, 1000003, (size_t)1 << 31, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(FACTORS); i++) {
        for (size_t j = 0; j < COUNT_OF(FACTORS); j++)
            assert_int_equal(dam_front_product(FACTORS[i], FACTORS[j]), FACTORS[i] * FACTORS[j]);
    }
    assert_int_equal(dam_front_product(SIZE_MAX, 1), SIZE_MAX);
    assert_int_equal(dam_front_product(0, SIZE_MAX), 0);
    assert_int_equal(dam_front_product((size_t)PTRDIFF_MAX, 2), SIZE_MAX - 1);
}

TEST(a_product_that_overflows_is_more_than_any_size_served) {
    static const size_t FACTORS[][2] = {
        {SIZE_MAX, 2},          {2, SIZE_MAX},     {(size_t)1 << 32, (size_t)1 << 32}, {(size_t)1 << 63, 2},
        {SIZE_MAX / 3 + 1, 3},  {UINT32_MAX + (size_t)2, UINT32_MAX},                  {SIZE_MAX, SIZE_MAX},
        {(size_t)3 << 62, 4},
    };
    for (size_t i = 0; i < COUNT_OF(FACTORS); i++)
        assert_true(dam_front_product(FACTORS[i][0], FACTORS[i][1]) > PTRDIFF_MAX);
}

/* Each wraps around to something small, which would be served. */
TEST(an_overflowing_product_is_refused_by_everyone_who_multiplies) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    void *block = dam_malloc(50);
    assert_non_null(block);
    static const size_t FACTORS[][2] = {{(size_t)1 << 63, 2}, {((size_t)1 << 32) + 1, (size_t)1 << 32}};
    for (size_t i = 0; i < COUNT_OF(FACTORS); i++) {
        size_t count = opaque_size(FACTORS[i][0]);
        size_t size = opaque_size(FACTORS[i][1]);
        errno = 0;
        assert_null(dam_calloc(count, size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(dam_reallocarray(block, count, size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(dam_heap_calloc(heap, count, size));
        assert_int_equal(errno, ENOMEM);
    }
    dam_free_sized(block, 50);
    dam_heap_destroy(heap);
}

/* ---- Sizes told at release --------------------------------------------------------------------------------------- */

TEST(the_right_size_is_believed_for_every_size_and_alignment) {
    for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 4) {
        for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            void *block = dam_aligned_alloc(alignment, size);
            assert_non_null(block);
            dam_free_aligned_sized(block, alignment, size);
        }
        void *nothing = dam_aligned_alloc(alignment, 0);
        assert_non_null(nothing);
        dam_free_aligned_sized(nothing, alignment, 0);
    }
    dam_free_sized(dam_malloc(0), 0);
    dam_free_sized(NULL, 100);
    dam_free_aligned_sized(NULL, 64, 100);
}

struct release {
    char *block;
    size_t alignment;
    size_t size;
};

static void release_sized(void *argument) {
    const struct release *release = argument;
    dam_front_free_sized(release->block, release->size, release->alignment);
}

static void assert_wrong_size(size_t real_size, size_t told_size, const char *layer) {
    struct release release = {dam_malloc(real_size), 1, told_size};
    assert_non_null(release.block);
    const struct pool *pool = pool_of(release.block);
    size_t usable = dam_malloc_usable_size(release.block);
    struct text expected = report_of("wrong size", "free_sized", release.block);
    report_pool(&expected, pool->bytes, pool_start(pool), layer);
    if (pool_layer(pool) == LAYER_SMALL)
        report_block(&expected, release.block, "%zu bytes, live", usable);
    else
        report_block(&expected, release.block, "%zu bytes, requested %zu bytes, live", usable, real_size);
    report_words(&expected, usable, told_size);
    report_hint(&expected, HINT_WRONG_SIZE);
    expect_abort_saying(release_sized, &release, &expected);
    dam_free_sized(release.block, real_size);
}

TEST(a_size_that_is_not_the_blocks_is_reported_with_both) {
    assert_wrong_size(100, 200, "small");
    assert_wrong_size(200, 100, "small");
    assert_wrong_size(256, 257, "small");
    assert_wrong_size(100, SIZE_MAX, "small");
    assert_wrong_size(1000, 999, "general");
    assert_wrong_size(1000, 1001, "general");
    assert_wrong_size(1000, 100, "general");
    assert_wrong_size(65536, 65537, "general");
    assert_wrong_size(100000, 99999, "direct");
    assert_wrong_size(100000, 131072, "direct");
    assert_wrong_size(3 * MIB, 100, "direct");
}

TEST(an_alignment_that_the_block_has_not_is_reported) {
    for (size_t i = 0; i < 64; i++) {
        struct release release = {dam_malloc(1000), 4096, 1000};
        assert_non_null(release.block);
        if (is_aligned(release.block, 4096))
            continue;
        struct child_result result = child_run(release_sized, &release, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_was_killed_by(&result, SIGABRT));
        assert_non_null(strstr(result.output, "dam: fault: wrong size: free_aligned_sized of 0x"));
        dam_free(release.block);
        return;
    }
    fail();
}

/* ---- Addresses that were never given out ------------------------------------------------------------------------- */

static void free_it(void *address) {
    dam_free(address);
}

static void realloc_it(void *address) {
    opaque_pointer(dam_realloc(address, 100));
}

static void ask_its_size(void *address) {
    (void)opaque_size(dam_malloc_usable_size(address));
}

static void expand_it(void *address) {
    (void)opaque_size(dam_expand(address, 100));
}

static void free_sized_it(void *address) {
    dam_free_sized(address, 100);
}

static const struct {
    void (*body)(void *address);
    const char *operation;
} OPERATIONS[] = {
    {free_it, "free"},     {realloc_it, "realloc"}, {ask_its_size, "malloc_usable_size"},
    {expand_it, "expand"}, {free_sized_it, "free_sized"},
};

static void assert_foreign(void *address) {
    for (size_t i = 0; i < COUNT_OF(OPERATIONS); i++) {
        struct text expected = report_of("not a DAM pointer", OPERATIONS[i].operation, address);
        report_hint(&expected, HINT_FOREIGN_POINTER);
        expect_abort_saying(OPERATIONS[i].body, address, &expected);
    }
}

TEST(an_address_that_is_not_dams_is_said_to_be_foreign_by_every_operation) {
    static char global[64];
    char local[64];
    char *of_libc = malloc(64);
    assert_foreign(global);
    assert_foreign(local);
    assert_foreign(of_libc);
    assert_foreign((void *)(uintptr_t)16);
    assert_foreign((void *)(uintptr_t)0xdead000000000000);
    assert_foreign((void *)UINTPTR_MAX); // NOLINT(performance-no-int-to-ptr)
    assert_foreign((void *)(uintptr_t)0x0000800000000000);
    free(of_libc);
}

/* Its pool is gone; but its address is remembered. */
static void assert_freed_lately(void *address, size_t size) {
    for (size_t i = 0; i < COUNT_OF(OPERATIONS); i++) {
        struct text expected = report_of("double free", OPERATIONS[i].operation, address);
        report_block(&expected, address, "%zu bytes, requested %zu bytes, released, its memory given back", size, size);
        report_hint(&expected, HINT_DOUBLE_FREE);
        expect_abort_saying(OPERATIONS[i].body, address, &expected);
    }
}

TEST(a_direct_block_that_was_freed_is_remembered_as_such_but_no_other_address_in_it) {
    static const size_t SIZES[] = {100000, 3 * MIB};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        char *block = dam_malloc(SIZES[i]);
        assert_non_null(block);
        dam_free(block);
        assert_freed_lately(block, SIZES[i]);
        assert_foreign(block + 16);
        assert_foreign(block + 65536);
    }
}

static void free_in_thread_without_heap(void *address) {
    CHECK(dam_thread_heap != NULL);
    dam_free(address);
}

/* A fresh process: the thread has no heap yet, and the address is still looked at. */
TEST(a_thread_that_has_no_heap_yet_reports_too) {
    static char global[64];
    struct text expected = report_of("not a DAM pointer", "free", global);
    report_hint(&expected, HINT_FOREIGN_POINTER);
    expect_abort_saying(free_in_thread_without_heap, global, &expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_has_no_heap_yet_reports_too), /* first, while that is so */
        cmocka_unit_test(a_product_that_fits_is_itself),
        cmocka_unit_test(a_product_that_overflows_is_more_than_any_size_served),
        cmocka_unit_test(an_overflowing_product_is_refused_by_everyone_who_multiplies),
        cmocka_unit_test(the_right_size_is_believed_for_every_size_and_alignment),
        cmocka_unit_test(a_size_that_is_not_the_blocks_is_reported_with_both),
        cmocka_unit_test(an_alignment_that_the_block_has_not_is_reported),
        cmocka_unit_test(an_address_that_is_not_dams_is_said_to_be_foreign_by_every_operation),
        cmocka_unit_test(a_direct_block_that_was_freed_is_remembered_as_such_but_no_other_address_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
