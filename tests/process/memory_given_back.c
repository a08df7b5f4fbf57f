// SPDX-License-Identifier: MIT
/* memory_given_back.c: a program that has released nearly all it had, and goes on doing something, gives the memory
 * back to the system, without asking for that: what is released into the quick lists pins no pool for ever, and what is
 * free longer than purge_delay_ms (here 10) goes when the next pools come and go. */
#include "support/memory_use.h"
#include "support/on_dam.h"
#include "support/random.h"
#include "support/test.h"

#include <time.h>

enum { BLOCK_COUNT = 5000, SIZE_LEAST = 300, SIZE_MOST = 60000, LARGE_PAIR_COUNT = 8, ROUND_COUNT = 3 };

static void *blocks[BLOCK_COUNT];

static void allocate_all(struct random *random) {
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        size_t size = SIZE_LEAST + random_below(random, SIZE_MOST - SIZE_LEAST + 1);
        blocks[i] = opaque_pointer(malloc(size));
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 1, size);
    }
}

static void free_all_in_any_order(struct random *random) {
    for (size_t left = BLOCK_COUNT; left > 0; left--) {
        size_t i = random_below(random, left);
        free(blocks[i]);
        blocks[i] = blocks[left - 1];
    }
}

static void wait_ms(long milliseconds) {
    struct timespec time = {.tv_nsec = milliseconds * 1000000};
    while (nanosleep(&time, &time) != 0)
        CHECK(errno == EINTR);
}

/* Pools that come and go. */
static void allocate_and_free_large_ones(void) {
    for (size_t i = 0; i < LARGE_PAIR_COUNT; i++) {
        void *block = opaque_pointer(malloc(100000 + i * 50000));
        CHECK(block != NULL);
        free(block);
    }
}

int main(void) {
    require_malloc_to_be_dam();
    struct random random = random_start(test_seed("process.memory_given_back"), 0);
    fflush(stdout); /* or the seed is lost with the process */
    size_t before = memory_resident_bytes();
    allocate_all(&random);
    size_t most = memory_resident_bytes();
    CHECK(most - before > (size_t)BLOCK_COUNT * SIZE_LEAST);
    free_all_in_any_order(&random);
    /* What leaves the quick lists in one round is free since then, and goes in the next. */
    for (int round = 0; round < ROUND_COUNT; round++) {
        wait_ms(30);
        allocate_and_free_large_ones();
    }
    size_t after = memory_resident_bytes();
    fprintf(stderr, "resident: %zu KiB before, %zu KiB at most, %zu KiB after\n", before / KIB, most / KIB,
            after / KIB);
    CHECK(after < most / 5);
    return 0;
}
