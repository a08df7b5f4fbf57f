// SPDX-License-Identifier: MIT
/* short_lived_threads.c: ten thousand threads come and go, and nothing of them stays.
 *
 * Each allocates in every layer, leaves some blocks for others to release, releases some that others left, and has a
 * destructor that allocates once more. What is in use after a thousand threads is compared with what is in use after
 * ten thousand. */
#include "support/memory_use.h"
#include "support/on_dam.h"
#include "support/random.h"
#include "support/test.h"
#include "support/watchdog.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

enum { AT_ONCE = 8, FIRST_THREADS = 1000, ALL_THREADS = 10000, SHELF_COUNT = 64 };

static const size_t SIZES[] = {24, 100, 256, 300, 5000, 60000, 70000, 300000, 1200000};

/* Of what 9,000 threads left behind, less than a thousandth of what one of them used may remain. */
#define GROWTH_MAX (8 * MIB)

struct left_block {
    size_t size;
    unsigned char mark;
};

static _Atomic(struct left_block *) shelf[SHELF_COUNT];
static pthread_key_t late_key;

static void *touched_block(size_t size) {
    unsigned char *block = malloc(size);
    CHECK(block != NULL);
    memset(block, 0x3E, size);
    return block;
}

static void check_and_free(struct left_block *block) {
    if (block == NULL)
        return;
    unsigned char *bytes = (unsigned char *)block;
    CHECK(bytes[block->size - 1] == block->mark);
    free(block);
}

/* Release and acquire: the block's contents travel with its address. */
static void leave_a_block_and_take_another(struct random *random) {
    size_t size = sizeof(struct left_block) + random_size(random, 100000) + 1;
    struct left_block *block = touched_block(size);
    unsigned char *bytes = (unsigned char *)block;
    block->size = size;
    block->mark = (unsigned char)size;
    bytes[size - 1] = block->mark;
    size_t place = random_below(random, SHELF_COUNT);
    check_and_free(atomic_exchange_explicit(&shelf[place], block, memory_order_acq_rel));
}

/* Runs when the thread ends, maybe after the allocator has already said farewell to it. */
static void allocate_late(void *value) {
    free(value);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++)
        free(touched_block(SIZES[i]));
}

static void *live_shortly(void *argument) {
    struct random random = random_start(11, (uintptr_t)argument);
    void *blocks[COUNT_OF(SIZES)];
    CHECK(pthread_setspecific(late_key, touched_block(50)) == 0);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++)
        blocks[i] = touched_block(SIZES[i]);
    for (int i = 0; i < 10; i++)
        leave_a_block_and_take_another(&random);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++)
        free(blocks[i]);
    return NULL;
}

/* A thread that never allocates: it only takes what others left. */
static void *only_free(void *argument) {
    size_t from = (uintptr_t)argument % SHELF_COUNT;
    for (size_t i = 0; i < 8; i++)
        check_and_free(atomic_exchange_explicit(&shelf[(from + i) % SHELF_COUNT], NULL, memory_order_acq_rel));
    return NULL;
}

static void run_threads(size_t first, size_t last) {
    pthread_t threads[AT_ONCE];
    for (size_t number = first; number < last; number += AT_ONCE) {
        for (size_t i = 0; i < AT_ONCE; i++) {
            void *(*body)(void *) = (number + i) % 10 == 9 ? only_free : live_shortly;
            CHECK(pthread_create(&threads[i], NULL, body, (void *)(number + i)) == 0);
        }
        for (size_t i = 0; i < AT_ONCE; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

struct usage {
    size_t resident;
    size_t mapped;
};

/* With the shelf empty and the stocks given back, so that two readings can be compared. */
static struct usage usage_at_rest(void) {
    for (size_t i = 0; i < SHELF_COUNT; i++)
        check_and_free(atomic_exchange(&shelf[i], NULL));
    malloc_trim(0);
    struct usage usage = {memory_resident_bytes(), memory_mapped_bytes()};
    return usage;
}

TEST(ten_thousand_threads_come_and_go_without_growth) {
    assert_int_equal(pthread_key_create(&late_key, allocate_late), 0);
    run_threads(0, FIRST_THREADS);
    struct usage early = usage_at_rest();
    run_threads(FIRST_THREADS, ALL_THREADS);
    struct usage late = usage_at_rest();
    printf("resident KiB: %zu after %d threads, %zu after %d\n", early.resident / KIB, FIRST_THREADS,
           late.resident / KIB, ALL_THREADS);
    assert_true(late.resident < early.resident + GROWTH_MAX);
    assert_true(late.mapped < early.mapped + 16 * GROWTH_MAX);
}

int main(void) {
    require_malloc_to_be_dam();
    watchdog_start("ten thousand threads");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_threads_come_and_go_without_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
