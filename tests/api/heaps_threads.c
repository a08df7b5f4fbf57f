// SPDX-License-Identifier: MIT
/* heaps_threads.c: a first-class heap belongs to no thread: any may allocate in it, release its blocks, destroy it. */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/test.h"

#include <pthread.h>

enum { THREAD_COUNT = 4, BLOCK_COUNT = 2000 };

struct block {
    unsigned char *start;
    size_t size;
    uint64_t id;
};

struct worker {
    pthread_t thread;
    dam_heap *heap;
    uint64_t seed;
    uint64_t number;
    struct block blocks[BLOCK_COUNT];
};

static struct worker workers[THREAD_COUNT];

static void start_all(void *(*body)(void *), dam_heap *heap, uint64_t seed) {
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        workers[i].heap = heap;
        workers[i].seed = seed;
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, body, &workers[i]), 0);
    }
}

static void join_all(void) {
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

static void check_block(const struct worker *worker, const struct block *block) {
    CHECK(pattern_holds(block->start, block->size, pattern_key(worker->seed, block->id)));
}

static void *allocate_many(void *argument) {
    struct worker *worker = argument;
    struct random random = random_start(worker->seed, worker->number);
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        struct block *block = &worker->blocks[i];
        block->size = random_size(&random, 200000);
        block->id = worker->number * BLOCK_COUNT + i;
        block->start = dam_heap_malloc(worker->heap, block->size);
        CHECK(block->start != NULL);
        pattern_fill(block->start, block->size, pattern_key(worker->seed, block->id));
    }
    return NULL;
}

static void *check_and_free_all(void *argument) {
    struct worker *worker = argument;
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        check_block(worker, &worker->blocks[i]);
        dam_free(worker->blocks[i].start);
    }
    return NULL;
}

static void *check_and_free_every_third(void *argument) {
    struct worker *worker = argument;
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        check_block(worker, &worker->blocks[i]);
        if (i % 3 == 0)
            dam_free(worker->blocks[i].start);
    }
    return NULL;
}

/* Resizes its blocks with both functions: some stay in the heap, some become the thread's. */
static void *resize_all(void *argument) {
    struct worker *worker = argument;
    struct random random = random_start(worker->seed, 100 + worker->number);
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        struct block *block = &worker->blocks[i];
        size_t new_size = 1 + random_size(&random, 100000);
        unsigned char *moved =
            i % 2 == 0 ? dam_heap_realloc(worker->heap, block->start, new_size) : dam_realloc(block->start, new_size);
        CHECK(moved != NULL);
        CHECK(pattern_holds(moved, smaller_of(block->size, new_size), pattern_key(worker->seed, block->id)));
        pattern_fill(moved, new_size, pattern_key(worker->seed, block->id));
        block->start = moved;
        block->size = new_size;
    }
    return NULL;
}

TEST(many_threads_allocate_in_one_heap_and_another_thread_destroys_it) {
    uint64_t seed = test_seed("heaps_threads");
    for (int round = 0; round < 5; round++) {
        dam_heap *heap = dam_heap_create();
        assert_non_null(heap);
        start_all(allocate_many, heap, seed + (uint64_t)round);
        join_all();
        for (size_t i = 0; i < THREAD_COUNT; i++) {
            for (size_t j = 0; j < BLOCK_COUNT; j++)
                check_block(&workers[i], &workers[i].blocks[j]);
        }
        dam_heap_destroy(heap);
    }
}

TEST(blocks_of_a_heap_are_freed_by_other_threads_and_the_heap_stays_usable) {
    uint64_t seed = test_seed("heaps_threads");
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    for (int round = 0; round < 10; round++) {
        start_all(allocate_many, heap, seed);
        join_all();
        start_all(check_and_free_all, heap, seed);
        join_all();
    }
    dam_heap_destroy(heap);
}

TEST(a_heap_part_of_whose_blocks_other_threads_freed_can_be_destroyed) {
    uint64_t seed = test_seed("heaps_threads");
    for (int round = 0; round < 5; round++) {
        dam_heap *heap = dam_heap_create();
        assert_non_null(heap);
        start_all(allocate_many, heap, seed);
        join_all();
        start_all(check_and_free_every_third, heap, seed);
        join_all();
        dam_heap_destroy(heap);
    }
}

TEST(blocks_of_a_heap_are_resized_by_other_threads_in_both_ways) {
    uint64_t seed = test_seed("heaps_threads");
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    start_all(allocate_many, heap, seed);
    join_all();
    for (int round = 0; round < 3; round++) {
        start_all(resize_all, heap, seed);
        join_all();
    }
    start_all(check_and_free_all, heap, seed);
    join_all();
    dam_heap_destroy(heap);
}

struct maker {
    dam_heap *heap;
    unsigned char *block;
};

static void *make_heap(void *argument) {
    struct maker *maker = argument;
    maker->heap = dam_heap_create();
    CHECK(maker->heap != NULL);
    maker->block = dam_heap_malloc(maker->heap, 1000);
    CHECK(maker->block != NULL);
    memset(maker->block, 0x42, 1000);
    return NULL;
}

TEST(a_heap_outlives_the_thread_that_made_it) {
    for (int round = 0; round < 200; round++) {
        struct maker maker = {NULL, NULL};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, make_heap, &maker), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(all_bytes_are(maker.block, 1000, 0x42));
        unsigned char *more = dam_heap_malloc(maker.heap, 100000);
        assert_non_null(more);
        memset(more, 0x43, 100000);
        assert_true(all_bytes_are(maker.block, 1000, 0x42));
        dam_heap_destroy(maker.heap);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_allocate_in_one_heap_and_another_thread_destroys_it),
        cmocka_unit_test(blocks_of_a_heap_are_freed_by_other_threads_and_the_heap_stays_usable),
        cmocka_unit_test(a_heap_part_of_whose_blocks_other_threads_freed_can_be_destroyed),
        cmocka_unit_test(blocks_of_a_heap_are_resized_by_other_threads_in_both_ways),
        cmocka_unit_test(a_heap_outlives_the_thread_that_made_it),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
