// SPDX-License-Identifier: MIT
/* sized.c: free_sized and free_aligned_sized of C23, which libc may not have yet: preloaded they are found by name,
 * linked from the archive through the weak references below. */
#include "support/layers.h"
#include "support/on_dam.h"
#include "support/test.h"

#include <dlfcn.h>

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

typedef void free_sized_function(void *block, size_t size);
typedef void free_aligned_sized_function(void *block, size_t alignment, size_t size);

extern free_sized_function free_sized __attribute__((weak));
extern free_aligned_sized_function free_aligned_sized __attribute__((weak));

static free_sized_function *call_free_sized;
static free_aligned_sized_function *call_free_aligned_sized;

static void find_functions(void) {
    void *sized = dlsym(RTLD_DEFAULT, "free_sized");
    void *aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    call_free_sized = free_sized;
    call_free_aligned_sized = free_aligned_sized;
    if (sized != NULL)
        memcpy(&call_free_sized, &sized, sizeof sized);
    if (aligned_sized != NULL)
        memcpy(&call_free_aligned_sized, &aligned_sized, sizeof aligned_sized);
}

TEST(both_functions_are_there) {
    assert_true(call_free_sized != NULL);
    assert_true(call_free_aligned_sized != NULL);
}

TEST(both_do_nothing_on_null_and_keep_errno) {
    errno = ERRNO_MARK;
    call_free_sized(NULL, 0);
    call_free_sized(NULL, 100);
    call_free_sized(NULL, SIZE_MAX);
    call_free_aligned_sized(NULL, 64, 0);
    call_free_aligned_sized(NULL, 64, 100);
    call_free_aligned_sized(NULL, 0, SIZE_MAX);
    assert_int_equal(errno, ERRNO_MARK);
}

TEST(free_sized_releases_blocks_of_malloc_calloc_and_realloc) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        errno = ERRNO_MARK;
        call_free_sized(malloc(size), size);
        call_free_sized(calloc(1, size), size);
        call_free_sized(realloc(malloc(10), size), size);
        assert_int_equal(errno, ERRNO_MARK);
    }
    call_free_sized(malloc(opaque_size(0)), 0);
}

TEST(free_aligned_sized_releases_blocks_of_aligned_alloc) {
    for (size_t alignment = 1; alignment <= 64 * MIB; alignment *= 2) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            errno = ERRNO_MARK;
            call_free_aligned_sized(aligned_alloc(alignment, size), alignment, size);
            assert_int_equal(errno, ERRNO_MARK);
        }
    }
}

int main(void) {
    require_malloc_to_be_dam();
    find_functions();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_functions_are_there),
        cmocka_unit_test(both_do_nothing_on_null_and_keep_errno),
        cmocka_unit_test(free_sized_releases_blocks_of_malloc_calloc_and_realloc),
        cmocka_unit_test(free_aligned_sized_releases_blocks_of_aligned_alloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
