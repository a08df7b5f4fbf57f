// SPDX-License-Identifier: MIT
/* dlopen_libraries.c: both libraries loaded by dlopen into a program that runs already, with threads running already.
 *
 * Arguments: the paths of libdam.so and libdam-malloc.so. The program itself stays on libc's malloc, so two allocators
 * (three, with both libraries) live side by side in it. */
#include "support/layers.h"
#include "support/pattern.h"
#include "support/test.h"
#include "support/watchdog.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>

enum { THREAD_COUNT = 4, ROUNDS = 200, SIZE_COUNT = COUNT_OF(SIZES_OF_EVERY_LAYER) };

struct allocator {
    void *handle;
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    size_t (*malloc_usable_size)(void *block);
};

static const char *path_of_libdam, *path_of_libdam_malloc;

/* A data pointer becomes a function pointer by way of memory, as POSIX has it. */
static void find(void *handle, const char *prefix, const char *name, void *function) {
    char full_name[64];
    snprintf(full_name, sizeof full_name, "%s%s", prefix, name);
    void *symbol = dlsym(handle, full_name);
    CHECK(symbol != NULL);
    memcpy(function, &symbol, sizeof symbol);
}

static struct allocator open_allocator(const char *path, int flags, const char *prefix) {
    struct allocator allocator = {.handle = dlopen(path, flags)};
    if (allocator.handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(allocator.handle != NULL);
    find(allocator.handle, prefix, "malloc", &allocator.malloc);
    find(allocator.handle, prefix, "calloc", &allocator.calloc);
    find(allocator.handle, prefix, "realloc", &allocator.realloc);
    find(allocator.handle, prefix, "free", &allocator.free);
    find(allocator.handle, prefix, "malloc_usable_size", &allocator.malloc_usable_size);
    return allocator;
}

static void use(const struct allocator *allocator, uint64_t id) {
    unsigned char *blocks[SIZE_COUNT];
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        blocks[i] = i % 2 == 0 ? allocator->malloc(size) : allocator->calloc(1, size);
        CHECK(blocks[i] != NULL);
        CHECK(allocator->malloc_usable_size(blocks[i]) >= size);
        pattern_fill(blocks[i], size, pattern_key(id, i));
    }
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        blocks[i] = allocator->realloc(blocks[i], size + 100);
        CHECK(blocks[i] != NULL);
        CHECK(pattern_holds(blocks[i], size, pattern_key(id, i)));
        allocator->free(blocks[i]);
    }
}

/* ---- Threads that run before the library is there ---------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    sem_t go;
    const struct allocator *allocator;
    uint64_t id;
};

static struct worker workers[THREAD_COUNT];

static void *wait_then_use(void *argument) {
    struct worker *worker = argument;
    while (sem_wait(&worker->go) != 0)
        CHECK(errno == EINTR);
    for (int round = 0; round < ROUNDS / 10; round++)
        use(worker->allocator, worker->id);
    return NULL;
}

static void start_workers(void) {
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        workers[i].id = i;
        assert_int_equal(sem_init(&workers[i].go, 0, 0), 0);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, wait_then_use, &workers[i]), 0);
    }
}

static void let_workers_use(const struct allocator *allocator) {
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        workers[i].allocator = allocator;
        assert_int_equal(sem_post(&workers[i].go), 0);
    }
}

static void join_workers(void) {
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(sem_destroy(&workers[i].go), 0);
    }
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

TEST(libdam_opened_lazily_serves_threads_that_were_there_before) {
    start_workers();
    struct allocator allocator = open_allocator(path_of_libdam, RTLD_LAZY | RTLD_LOCAL, "dam_");
    let_workers_use(&allocator);
    use(&allocator, 99);
    join_workers();
}

TEST(libdam_malloc_opened_privately_serves_those_who_ask_it_and_nobody_else) {
    void *malloc_before = dlsym(RTLD_DEFAULT, "malloc");
    start_workers();
    struct allocator allocator = open_allocator(path_of_libdam_malloc, RTLD_NOW | RTLD_LOCAL, "");
    assert_ptr_equal(dlsym(RTLD_DEFAULT, "malloc"), malloc_before);
    void *its_malloc = dlsym(allocator.handle, "malloc");
    assert_true(its_malloc != malloc_before);
    let_workers_use(&allocator);
    use(&allocator, 98);
    join_workers();
}

TEST(both_libraries_and_libc_live_side_by_side) {
    struct allocator one = open_allocator(path_of_libdam, RTLD_NOW | RTLD_LOCAL, "dam_");
    struct allocator other = open_allocator(path_of_libdam_malloc, RTLD_NOW | RTLD_LOCAL, "");
    for (int round = 0; round < ROUNDS; round++) {
        size_t size = 1 + (size_t)round * 997;
        unsigned char *of_one = one.malloc(size);
        unsigned char *of_other = other.malloc(size);
        unsigned char *of_libc = malloc(size);
        CHECK(of_one != NULL && of_other != NULL && of_libc != NULL);
        memset(of_one, 1, size);
        memset(of_other, 2, size);
        memset(of_libc, 3, size);
        assert_true(all_bytes_are(of_one, size, 1));
        assert_true(all_bytes_are(of_other, size, 2));
        assert_true(all_bytes_are(of_libc, size, 3));
        one.free(of_one);
        other.free(of_other);
        free(of_libc);
    }
}

/* The library has work to do when a thread that used it ends, and blocks of it may still be in use: dlclose must not
 * take it away. */
TEST(threads_that_used_a_library_end_in_peace_after_dlclose) {
    start_workers();
    struct allocator allocator = open_allocator(path_of_libdam, RTLD_NOW | RTLD_LOCAL, "dam_");
    unsigned char *kept = allocator.malloc(1000);
    assert_non_null(kept);
    memset(kept, 7, 1000);
    assert_int_equal(dlclose(allocator.handle), 0);
    let_workers_use(&allocator);
    join_workers();
    assert_true(all_bytes_are(kept, 1000, 7));
    allocator.free(kept);
}

TEST(a_library_can_be_opened_and_closed_many_times) {
    for (int round = 0; round < ROUNDS; round++) {
        struct allocator allocator = open_allocator(path_of_libdam, RTLD_NOW | RTLD_LOCAL, "dam_");
        void *block = allocator.malloc(100000);
        assert_non_null(block);
        allocator.free(block);
        assert_int_equal(dlclose(allocator.handle), 0);
    }
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    path_of_libdam = argv[1];
    path_of_libdam_malloc = argv[2];
    watchdog_start("dlopen");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libdam_opened_lazily_serves_threads_that_were_there_before),
        cmocka_unit_test(libdam_malloc_opened_privately_serves_those_who_ask_it_and_nobody_else),
        cmocka_unit_test(both_libraries_and_libc_live_side_by_side),
        cmocka_unit_test(threads_that_used_a_library_end_in_peace_after_dlclose),
        cmocka_unit_test(a_library_can_be_opened_and_closed_many_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
