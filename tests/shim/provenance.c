// SPDX-License-Identifier: MIT
/* provenance.c: every function of libc's malloc family that the program can reach is DAM's, and none is left to libc. A
 * family that is half DAM's would hand DAM's blocks to libc's free. */
#include "support/on_dam.h"
#include "support/test.h"

#include <dlfcn.h>
#include <malloc.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* mallinfo, which programs still call */

typedef void function(void);

/* The program's own view of each (`linked`: the archive's function, when the program was linked with it), and the name
 * by which the dynamic linker finds what a preloaded library offers. */
static const struct {
    const char *name;
    function *linked;
} FAMILY[] = {
    {"malloc", (function *)malloc},
    {"calloc", (function *)calloc},
    {"realloc", (function *)realloc},
    {"reallocarray", (function *)reallocarray},
    {"free", (function *)free},
    {"aligned_alloc", (function *)aligned_alloc},
    {"posix_memalign", (function *)posix_memalign},
    {"memalign", (function *)memalign},
    {"valloc", (function *)valloc},
    {"pvalloc", (function *)pvalloc},
    {"malloc_usable_size", (function *)malloc_usable_size},
    {"malloc_trim", (function *)malloc_trim},
    {"mallinfo", (function *)mallinfo},
    {"mallinfo2", (function *)mallinfo2},
    {"malloc_stats", (function *)malloc_stats},
    {"malloc_info", (function *)malloc_info},
    {"mallopt", (function *)mallopt},
};

static void *object_of(void *address) {
    Dl_info info;
    assert_non_null(address);
    assert_true(dladdr(address, &info) != 0);
    return info.dli_fbase;
}

static void *object_of_member(size_t i) {
    void *address = NULL;
    if (dam_is_linked())
        memcpy(&address, &FAMILY[i].linked, sizeof address);
    else
        address = dlsym(RTLD_DEFAULT, FAMILY[i].name);
    return object_of(address);
}

TEST(every_function_of_the_family_comes_from_the_object_that_malloc_comes_from) {
    void *object = object_of(dlsym(RTLD_DEFAULT, "malloc"));
    for (size_t i = 0; i < COUNT_OF(FAMILY); i++) {
        if (object_of_member(i) != object)
            fail_msg("%s is not DAM's", FAMILY[i].name);
    }
}

/* The same seen from libc's side: it has the family too, and it must not be the one that is found. */
TEST(no_function_of_the_family_is_the_one_of_libc) {
    void *libc = object_of(dlsym(RTLD_DEFAULT, "getpid"));
    for (size_t i = 0; i < COUNT_OF(FAMILY); i++)
        assert_true(object_of_member(i) != libc);
}

TEST(blocks_of_the_family_are_known_to_dam) {
    static const size_t SIZES[] = {1, 256, 257, 65536, 65537, 2000000};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        void *block = malloc(SIZES[i]);
        assert_non_null(block);
        assert_true(usable_size_by_dam(block) >= SIZES[i]);
        assert_int_equal(usable_size_by_dam(block), malloc_usable_size(block));
        free(block);
    }
}

int main(void) {
    require_malloc_to_be_dam();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_of_the_family_comes_from_the_object_that_malloc_comes_from),
        cmocka_unit_test(no_function_of_the_family_is_the_one_of_libc),
        cmocka_unit_test(blocks_of_the_family_are_known_to_dam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
