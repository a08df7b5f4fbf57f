// SPDX-License-Identifier: MIT
/* producer_consumer.c: what a consumer frees is the consumer's to use, whatever became of the producer.
 *
 * A producer allocates a stock and then sleeps, or ends. A consumer frees all of it and allocates as much again. If the
 * freed memory waited for the producer to come and collect it, the process would now hold twice the stock. */
#include "support/memory_use.h"
#include "support/on_dam.h"
#include "support/test.h"
#include "support/watchdog.h"

#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>

#define STOCK_BYTES (64 * MIB)
#define BLOCK_COUNT_MAX (STOCK_BYTES / 48)

static const size_t SIZES[] = {48, 200, 1000, 9000, 60000, 100000, 700000, 3000000};

struct scene {
    size_t size;
    bool producer_stays; /* asleep, with all its blocks freed by another */
    size_t resident_with_one_stock;
    size_t resident_after_exchange;
    sem_t produced, may_end;
};

static unsigned char *blocks[BLOCK_COUNT_MAX];

static size_t block_count(const struct scene *scene) {
    return smaller_of(STOCK_BYTES / scene->size, BLOCK_COUNT_MAX);
}

static void allocate_stock(const struct scene *scene) {
    for (size_t i = 0; i < block_count(scene); i++) {
        blocks[i] = malloc(scene->size);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 0x77, scene->size);
    }
}

static void free_stock(const struct scene *scene) {
    for (size_t i = 0; i < block_count(scene); i++) {
        CHECK(blocks[i][scene->size - 1] == 0x77);
        free(blocks[i]);
        blocks[i] = NULL;
    }
}

static void wait_on(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        CHECK(errno == EINTR);
}

static void *produce(void *argument) {
    struct scene *scene = argument;
    allocate_stock(scene);
    CHECK(sem_post(&scene->produced) == 0);
    if (scene->producer_stays)
        wait_on(&scene->may_end);
    return NULL;
}

static void *consume(void *argument) {
    struct scene *scene = argument;
    scene->resident_with_one_stock = memory_resident_bytes();
    free_stock(scene);
    allocate_stock(scene);
    scene->resident_after_exchange = memory_resident_bytes();
    free_stock(scene);
    return NULL;
}

static void play(struct scene *scene) {
    pthread_t producer, consumer;
    assert_int_equal(sem_init(&scene->produced, 0, 0), 0);
    assert_int_equal(sem_init(&scene->may_end, 0, 0), 0);
    malloc_trim(0);
    assert_int_equal(pthread_create(&producer, NULL, produce, scene), 0);
    wait_on(&scene->produced);
    if (!scene->producer_stays)
        assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(pthread_create(&consumer, NULL, consume, scene), 0);
    assert_int_equal(pthread_join(consumer, NULL), 0);
    if (scene->producer_stays) {
        assert_int_equal(sem_post(&scene->may_end), 0);
        assert_int_equal(pthread_join(producer, NULL), 0);
    }
    assert_int_equal(sem_destroy(&scene->produced), 0);
    assert_int_equal(sem_destroy(&scene->may_end), 0);
}

static void assert_the_stock_was_not_doubled(const struct scene *scene) {
    printf("blocks of %7zu: %zu MiB resident with one stock, %zu MiB after the exchange\n", scene->size,
           scene->resident_with_one_stock / MIB, scene->resident_after_exchange / MIB);
    assert_true(scene->resident_with_one_stock >= STOCK_BYTES / 10 * 9);
    assert_true(scene->resident_after_exchange < scene->resident_with_one_stock + STOCK_BYTES / 4);
}

TEST(what_a_consumer_frees_of_an_idle_producer_serves_the_consumer) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct scene scene = {.size = SIZES[i], .producer_stays = true};
        play(&scene);
        assert_the_stock_was_not_doubled(&scene);
    }
}

TEST(what_a_consumer_frees_of_a_dead_producer_serves_the_consumer) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct scene scene = {.size = SIZES[i], .producer_stays = false};
        play(&scene);
        assert_the_stock_was_not_doubled(&scene);
    }
}

/* ---- A pipeline: the producer goes on producing, and never frees; the consumer never allocates ------------------- */

enum { PIPELINE_ROUNDS = 20 };

struct pipeline {
    struct scene scene;
    sem_t full, empty;
    size_t resident_after_round[PIPELINE_ROUNDS];
};

static void *produce_again_and_again(void *argument) {
    struct pipeline *pipeline = argument;
    for (int round = 0; round < PIPELINE_ROUNDS; round++) {
        wait_on(&pipeline->empty);
        allocate_stock(&pipeline->scene);
        CHECK(sem_post(&pipeline->full) == 0);
    }
    return NULL;
}

static void *consume_again_and_again(void *argument) {
    struct pipeline *pipeline = argument;
    for (int round = 0; round < PIPELINE_ROUNDS; round++) {
        wait_on(&pipeline->full);
        pipeline->resident_after_round[round] = memory_resident_bytes();
        free_stock(&pipeline->scene);
        CHECK(sem_post(&pipeline->empty) == 0);
    }
    return NULL;
}

TEST(a_pipeline_never_holds_more_than_its_first_rounds_did) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        static struct pipeline pipeline;
        pthread_t producer, consumer;
        pipeline.scene.size = SIZES[i];
        assert_int_equal(sem_init(&pipeline.full, 0, 0), 0);
        assert_int_equal(sem_init(&pipeline.empty, 0, 1), 0);
        malloc_trim(0);
        size_t before = memory_resident_bytes();
        assert_int_equal(pthread_create(&producer, NULL, produce_again_and_again, &pipeline), 0);
        assert_int_equal(pthread_create(&consumer, NULL, consume_again_and_again, &pipeline), 0);
        assert_int_equal(pthread_join(producer, NULL), 0);
        assert_int_equal(pthread_join(consumer, NULL), 0);
        for (int round = 0; round < PIPELINE_ROUNDS; round++)
            assert_true(pipeline.resident_after_round[round] < before + STOCK_BYTES + STOCK_BYTES / 2);
        assert_int_equal(sem_destroy(&pipeline.full), 0);
        assert_int_equal(sem_destroy(&pipeline.empty), 0);
    }
}

int main(void) {
    require_malloc_to_be_dam();
    watchdog_start("producer and consumer");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_consumer_frees_of_an_idle_producer_serves_the_consumer),
        cmocka_unit_test(what_a_consumer_frees_of_a_dead_producer_serves_the_consumer),
        cmocka_unit_test(a_pipeline_never_holds_more_than_its_first_rounds_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
