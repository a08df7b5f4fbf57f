// SPDX-License-Identifier: MIT
/* gone.c: destructors of a thread's own keys that run after DAM's: the thread's heap is gone, and still everything works. */
#include "unit/heap/figures.h"

#include "support/pattern.h"
#include "support/watchdog.h"
#include "unit/support/threads.h"

static const size_t SIZES[] = {0, 1, 16, 200, 256, 257, 4000, 65536, 65537, 2 * MIB};

static pthread_key_t key; /* made after DAM's, so its destructor comes later */

/* What a thread does in its destructor, and what came of it. */
struct last_will {
    void (*body)(struct last_will *will);
    bool heap_was_gone;
    void *early[COUNT_OF(SIZES)]; /* from its own heap */
    void *late[COUNT_OF(SIZES)];  /* from when that was gone */
};

static void run_last_will(void *argument) {
    struct last_will *will = argument;
    will->heap_was_gone = dam_thread_heap_is_gone();
    will->body(will);
}

static void *live_and_die(void *argument) {
    struct last_will *will = argument;
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        will->early[i] = must_malloc(SIZES[i]);
        pattern_fill(will->early[i], SIZES[i], pattern_key(10, i));
    }
    CHECK(pthread_setspecific(key, will) == 0);
    return NULL;
}

static void run(struct last_will *will) {
    thread_join(thread_start(live_and_die, will));
    assert_true(will->heap_was_gone);
}

static void free_all(void **blocks) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++)
        dam_free(blocks[i]);
}

static void free_early(struct last_will *will) {
    CHECK(dam_thread_heap_or_make() == NULL);
    free_all(will->early);
}

TEST(a_thread_whose_heap_is_gone_frees_what_it_had_and_leaves_nothing) {
    struct pool_counts before = count_pools();
    struct last_will will = {.body = free_early};
    for (int i = 0; i < 10; i++)
        run(&will);
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, before);
}

static const struct heap *owner_of(const struct pool *pool) {
    return pool_layer(pool) == LAYER_SMALL ? pool->small_owner : pool->general_owner;
}

static void allocate_late(struct last_will *will) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        will->late[i] = must_malloc(SIZES[i]);
        pattern_fill(will->late[i], SIZES[i], pattern_key(11, i));
    }
    free_all(will->early);
}

TEST(what_it_allocates_comes_from_a_heap_that_stays_and_others_can_free_it) {
    struct last_will will = {.body = allocate_late};
    run(&will);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct pool *pool = pool_of(will.late[i]);
        assert_true(pool_layer(pool) == LAYER_DIRECT || owner_of(pool)->is_first_class);
        assert_true(pattern_holds(will.late[i], SIZES[i], pattern_key(11, i)));
    }
    size_t direct = pools_of(LAYER_DIRECT);
    free_all(will.late);
    assert_int_equal(pools_of(LAYER_DIRECT), direct - 2);
    struct pool_counts kept = count_pools();
    for (int i = 0; i < 50; i++) { /* and the next ones use that memory again */
        run(&will);
        free_all(will.late);
    }
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, kept);
}

static void resize_late(struct last_will *will) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        size_t size = SIZES[COUNT_OF(SIZES) - 1 - i] + 10;
        void *moved = dam_realloc(will->early[i], size);
        CHECK(moved != NULL);
        CHECK(pattern_holds(moved, smaller_of(size, SIZES[i]), pattern_key(10, i)));
        dam_free(moved);
        void *zeroed = dam_calloc(1, size);
        CHECK(zeroed != NULL && all_bytes_are(zeroed, size, 0));
        dam_free(zeroed);
        void *aligned = dam_aligned_alloc(4096, size);
        CHECK(aligned != NULL && is_aligned(aligned, 4096));
        dam_free(aligned);
    }
}

TEST(every_entry_point_works_when_the_heap_is_gone) {
    struct last_will will = {.body = resize_late};
    for (int i = 0; i < 20; i++)
        run(&will);
}

TEST(many_threads_can_be_in_that_state_at_once) {
    enum { THREADS = 8 };
    static struct last_will wills[THREADS];
    pthread_t threads[THREADS];
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < THREADS; i++) {
            wills[i] = (struct last_will){.body = i % 2 == 0 ? resize_late : allocate_late};
            threads[i] = thread_start(live_and_die, &wills[i]);
        }
        for (size_t i = 0; i < THREADS; i++) {
            thread_join(threads[i]);
            free_all(wills[i].late);
        }
    }
}

static int make_key(void **state) {
    dam_start();
    return pthread_key_create(&key, run_last_will) == 0 ? start_with_a_pool(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_whose_heap_is_gone_frees_what_it_had_and_leaves_nothing),
        cmocka_unit_test(what_it_allocates_comes_from_a_heap_that_stays_and_others_can_free_it),
        cmocka_unit_test(every_entry_point_works_when_the_heap_is_gone),
        cmocka_unit_test(many_threads_can_be_in_that_state_at_once),
    };
    watchdog_start("unit.heap.gone");
    return cmocka_run_group_tests(tests, make_key, end_sound);
}
