// SPDX-License-Identifier: MIT
/* address_space.c: large blocks that come and go leave nothing behind, neither addresses nor bookkeeping, however many
 * terabytes have passed through.
 *
 * The blocks are not touched, so a test that pushes terabytes is quick; what it measures is the allocator's own use. */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/memory_use.h"
#include "support/test.h"

/* What may be added once the first rounds are over, by noise and by stocks. */
#define RESIDENT_GROWTH_MAX (8 * MIB)
#define MAPPED_GROWTH_MAX (64 * MIB)

enum { WARM_ROUNDS = 499, ROUNDS = 30000 };

struct usage {
    size_t resident;
    size_t mapped;
    size_t mappings;
};

static struct usage usage_now(void) {
    struct usage usage = {memory_resident_bytes(), memory_mapped_bytes(), memory_mapping_count()};
    return usage;
}

static void assert_no_growth_since(struct usage before) {
    struct usage now = usage_now();
    assert_true(now.resident < before.resident + RESIDENT_GROWTH_MAX);
    assert_true(now.mapped < before.mapped + MAPPED_GROWTH_MAX);
    assert_true(now.mappings < before.mappings + 100);
}

static void pass_blocks(void *(*allocate)(size_t round)) {
    struct usage before = {0, 0, 0};
    for (size_t round = 0; round < ROUNDS; round++) {
        void *block = allocate(round);
        assert_non_null(block);
        dam_free(block);
        if (round == WARM_ROUNDS)
            before = usage_now();
    }
    assert_no_growth_since(before);
}

static void *large_block(size_t round) {
    (void)round;
    return dam_malloc(40 * MIB);
}

static void *large_block_of_many_sizes(size_t round) {
    return dam_malloc(17 * MIB + round % 1000 * 64 * KIB);
}

static void *aligned_block(size_t round) {
    return dam_aligned_alloc((size_t)1 << (17 + round % 14), 20 * MIB);
}

static void *grown_block(size_t round) {
    (void)round;
    unsigned char *block = dam_malloc(20 * MIB);
    assert_non_null(block);
    return dam_realloc(block, 50 * MIB);
}

TEST(a_terabyte_in_large_blocks_leaves_nothing_behind) {
    pass_blocks(large_block);
}

TEST(large_blocks_of_many_sizes_leave_nothing_behind) {
    pass_blocks(large_block_of_many_sizes);
}

TEST(large_aligned_blocks_leave_nothing_behind) {
    pass_blocks(aligned_block);
}

TEST(large_blocks_that_grow_leave_nothing_behind) {
    pass_blocks(grown_block);
}

/* A window of live blocks moves along, so that the one released is never the newest. Both readings are taken at the same
 * place in the cycle of sizes. */
TEST(large_blocks_that_overlap_in_time_leave_nothing_behind) {
    enum { WINDOW = 32 };
    void *window[WINDOW] = {NULL};
    struct usage before = {0, 0, 0};
    for (size_t round = 0; round < ROUNDS; round++) {
        dam_free(window[round % WINDOW]);
        window[round % WINDOW] = dam_malloc(17 * MIB + round % 100 * 64 * KIB);
        assert_non_null(window[round % WINDOW]);
        if (round == WARM_ROUNDS)
            before = usage_now();
    }
    assert_no_growth_since(before);
    for (size_t i = 0; i < WINDOW; i++)
        dam_free(window[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terabyte_in_large_blocks_leaves_nothing_behind),
        cmocka_unit_test(large_blocks_of_many_sizes_leave_nothing_behind),
        cmocka_unit_test(large_aligned_blocks_leave_nothing_behind),
        cmocka_unit_test(large_blocks_that_grow_leave_nothing_behind),
        cmocka_unit_test(large_blocks_that_overlap_in_time_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
