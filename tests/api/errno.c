// SPDX-License-Identifier: MIT
/* errno.c: a call that succeeds leaves errno alone, and so does every release.
 *
 * Run with and without recycled memory: the way to the system and the common way are different code. Not here: errno
 * when the system refuses (process/os_refusals.c). */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

/* Neither a value that means something nor 0 may change. */
static const int MARKS[] = {0, ERRNO_MARK, ENOMEM, EINTR};

#define ASSERT_KEEPS_ERRNO(mark, statement)                                                                            \
    do {                                                                                                               \
        errno = (mark);                                                                                                \
        statement;                                                                                                     \
        int after = errno;                                                                                             \
        assert_int_equal(after, (mark));                                                                               \
    } while (0)

static void use_every_allocation(int mark, size_t size) {
    void *malloced, *calloced, *grown, *array, *aligned, *posix = NULL;
    int answer = -1;
    ASSERT_KEEPS_ERRNO(mark, malloced = dam_malloc(size));
    ASSERT_KEEPS_ERRNO(mark, calloced = dam_calloc(1, size));
    ASSERT_KEEPS_ERRNO(mark, grown = dam_realloc(NULL, size));
    ASSERT_KEEPS_ERRNO(mark, array = dam_reallocarray(NULL, size, 2));
    ASSERT_KEEPS_ERRNO(mark, aligned = dam_aligned_alloc(256, size));
    ASSERT_KEEPS_ERRNO(mark, answer = dam_posix_memalign(&posix, 8192, size));
    assert_non_null(malloced);
    assert_non_null(calloced);
    assert_non_null(grown);
    assert_non_null(array);
    assert_non_null(aligned);
    assert_int_equal(answer, 0);
    ASSERT_KEEPS_ERRNO(mark, (void)dam_malloc_usable_size(malloced));
    ASSERT_KEEPS_ERRNO(mark, (void)dam_expand(malloced, size + 1));
    ASSERT_KEEPS_ERRNO(mark, (void)dam_expand(malloced, size));
    ASSERT_KEEPS_ERRNO(mark, grown = dam_realloc(grown, size * 3));
    assert_non_null(grown);
    ASSERT_KEEPS_ERRNO(mark, grown = dam_realloc(grown, size / 3 + 1));
    assert_non_null(grown);
    ASSERT_KEEPS_ERRNO(mark, array = dam_realloc(array, opaque_size(0)));
    assert_null(array);
    ASSERT_KEEPS_ERRNO(mark, dam_free(malloced));
    ASSERT_KEEPS_ERRNO(mark, dam_free_sized(calloced, size));
    ASSERT_KEEPS_ERRNO(mark, dam_free(grown));
    ASSERT_KEEPS_ERRNO(mark, dam_free_aligned_sized(aligned, 256, size));
    ASSERT_KEEPS_ERRNO(mark, dam_free(posix));
    ASSERT_KEEPS_ERRNO(mark, dam_free(NULL));
}

TEST(successful_calls_keep_errno_in_every_layer) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        for (size_t j = 0; j < COUNT_OF(MARKS); j++)
            use_every_allocation(MARKS[j], SIZES_OF_EVERY_LAYER[i]);
    }
}

TEST(successful_calls_keep_errno_when_nothing_is_kept_for_reuse) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        for (size_t j = 0; j < COUNT_OF(MARKS); j++) {
            ASSERT_KEEPS_ERRNO(MARKS[j], (void)dam_trim());
            use_every_allocation(MARKS[j], SIZES_OF_EVERY_LAYER[i]);
        }
    }
}

static void use_every_heap_function(int mark, size_t size) {
    dam_heap *heap;
    void *malloced, *calloced, *grown, *aligned;
    ASSERT_KEEPS_ERRNO(mark, heap = dam_heap_create());
    assert_non_null(heap);
    ASSERT_KEEPS_ERRNO(mark, malloced = dam_heap_malloc(heap, size));
    ASSERT_KEEPS_ERRNO(mark, calloced = dam_heap_calloc(heap, 2, size));
    ASSERT_KEEPS_ERRNO(mark, grown = dam_heap_realloc(heap, NULL, size));
    ASSERT_KEEPS_ERRNO(mark, aligned = dam_heap_aligned_alloc(heap, 1024, size));
    assert_non_null(malloced);
    assert_non_null(calloced);
    assert_non_null(grown);
    assert_non_null(aligned);
    ASSERT_KEEPS_ERRNO(mark, grown = dam_heap_realloc(heap, grown, size * 3));
    assert_non_null(grown);
    ASSERT_KEEPS_ERRNO(mark, grown = dam_heap_realloc(heap, grown, opaque_size(0)));
    assert_null(grown);
    ASSERT_KEEPS_ERRNO(mark, dam_free(malloced));
    ASSERT_KEEPS_ERRNO(mark, dam_heap_destroy(heap));
    ASSERT_KEEPS_ERRNO(mark, dam_heap_destroy(NULL));
}

TEST(first_class_heaps_keep_errno) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        for (size_t j = 0; j < COUNT_OF(MARKS); j++)
            use_every_heap_function(MARKS[j], SIZES_OF_EVERY_LAYER[i]);
    }
}

/* Enough of each size that new pools are made on the way, and emptied and given up on the way back. */
TEST(errno_is_kept_when_pools_are_made_and_given_up) {
    enum { COUNT = 20000 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t count = smaller_of(COUNT, 256 * MIB / SIZES_OF_EVERY_LAYER[i]);
        for (size_t j = 0; j < count; j++) {
            ASSERT_KEEPS_ERRNO(ERRNO_MARK, blocks[j] = dam_malloc(SIZES_OF_EVERY_LAYER[i]));
            assert_non_null(blocks[j]);
        }
        for (size_t j = 0; j < count; j++)
            ASSERT_KEEPS_ERRNO(ERRNO_MARK, dam_free(blocks[j]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(successful_calls_keep_errno_in_every_layer),
        cmocka_unit_test(successful_calls_keep_errno_when_nothing_is_kept_for_reuse),
        cmocka_unit_test(first_class_heaps_keep_errno),
        cmocka_unit_test(errno_is_kept_when_pools_are_made_and_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
