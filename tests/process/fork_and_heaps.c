// SPDX-License-Identifier: MIT
/* fork_and_heaps.c: fork while other threads are in the middle of allocating in first-class heaps: the child may go on
 * using those heaps, and destroy them. */
#include "dam/dam.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/test.h"
#include "support/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { THREAD_COUNT = 3, HEAP_COUNT = 2, CHILD_SECONDS = 120 };

static dam_heap *heaps[HEAP_COUNT];
static atomic_bool stop;

/* A block of each size made, resized and released in the heap. */
static void use_heap(dam_heap *heap, uint64_t id) {
    unsigned char *blocks[COUNT_OF(SIZES_OF_EVERY_LAYER)];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        blocks[i] = dam_heap_malloc(heap, size);
        CHECK(blocks[i] != NULL);
        pattern_fill(blocks[i], smaller_of(size, 5000), pattern_key(15, id));
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        blocks[i] = dam_heap_realloc(heap, blocks[i], size + size / 4);
        CHECK(blocks[i] != NULL);
        CHECK(pattern_holds(blocks[i], smaller_of(size, 5000), pattern_key(15, id)));
        dam_free(blocks[i]);
    }
}

static void *use_until_told_to_stop(void *argument) {
    uint64_t round = (uintptr_t)argument;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        use_heap(heaps[round % HEAP_COUNT], round);
        dam_heap *passing = dam_heap_create();
        CHECK(passing != NULL);
        CHECK(dam_heap_malloc(passing, 300) != NULL);
        dam_heap_destroy(passing);
        round++;
    }
    return NULL;
}

static _Noreturn void live_as_child(unsigned char *kept) {
    signal(SIGALRM, SIG_DFL);
    alarm(CHILD_SECONDS);
    for (size_t i = 0; i < HEAP_COUNT; i++)
        use_heap(heaps[i], 1000 + i);
    dam_heap *fresh = dam_heap_create();
    CHECK(fresh != NULL);
    use_heap(fresh, 2000);
    dam_heap_destroy(fresh);
    CHECK(all_bytes_are(kept, 1000, 0x4B));
    dam_free(kept);
    for (size_t i = 0; i < HEAP_COUNT; i++)
        dam_heap_destroy(heaps[i]);
    dam_free(dam_malloc(100000));
    _exit(0);
}

TEST(a_child_may_use_and_destroy_heaps_that_other_threads_were_using) {
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < HEAP_COUNT; i++) {
        heaps[i] = dam_heap_create();
        assert_non_null(heaps[i]);
    }
    unsigned char *kept = dam_heap_malloc(heaps[0], 1000);
    assert_non_null(kept);
    memset(kept, 0x4B, 1000);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_until_told_to_stop, (void *)(i + 1)), 0);
    size_t rounds = test_count("DAM_TEST_FORKS", 300);
    for (size_t round = 0; round < rounds; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            live_as_child(kept);
        int status = 0;
        assert_true(waitpid(child, &status, 0) == child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < HEAP_COUNT; i++)
        dam_heap_destroy(heaps[i]);
}

int main(void) {
    watchdog_start("fork beside threads in first-class heaps");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_may_use_and_destroy_heaps_that_other_threads_were_using),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
