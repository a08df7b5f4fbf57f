// SPDX-License-Identifier: MIT
/* random.h: repeatable random numbers for tests, and the seed they start from.
 *
 * Every random test takes its seed from test_seed(), which prints it; DAM_TEST_SEED=<number> in the environment runs
 * the same sequence again. Each thread has its own generator, made from the seed and the thread's number. */
#ifndef DAM_TESTS_SUPPORT_RANDOM_H
#define DAM_TESTS_SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* The splitmix64 finaliser: every bit of the answer depends on every bit of the input. */
static inline uint64_t random_mix(uint64_t x) {
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static inline struct random random_start(uint64_t seed, uint64_t stream) {
    struct random random = {random_mix(seed ^ random_mix(stream))};
    return random;
}

static inline uint64_t random_next(struct random *random) {
    random->state += UINT64_C(0x9E3779B97F4A7C15);
    return random_mix(random->state);
}

/* 0 .. bound-1. The bias of the remainder does not matter to a test. */
static inline size_t random_below(struct random *random, size_t bound) {
    return (size_t)(random_next(random) % bound);
}

/* DAM_TEST_SEED, or a fresh one; printed with the name of the test that uses it. */
uint64_t test_seed(const char *test);

/* A count from the environment variable `name`, or `otherwise`. An unreadable value ends the program. */
size_t test_count(const char *name, size_t otherwise);

/* A size as programs ask for them: mostly small, a power-law tail up to `size_max`, and the places where layers,
 * classes and pages meet, give or take one. */
size_t random_size(struct random *random, size_t size_max);

#endif
