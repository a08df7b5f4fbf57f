// SPDX-License-Identifier: MIT
/* shrink_policy.c: direct_shrink_percent: when a shrinking large block gives its tail back.
 *
 * dirty_max is 0 here, so that what a block gives back leaves the process and can be seen. */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/memory_use.h"
#include "support/pattern.h"
#include "support/test.h"

#define OLD_SIZE (64 * MIB)
#define NOISE (2 * MIB)

static unsigned char *large_block(void) {
    unsigned char *block = dam_malloc(OLD_SIZE);
    assert_non_null(block);
    pattern_fill(block, OLD_SIZE, pattern_key(10, 0));
    return block;
}

static void set_percent(const char *percent) {
    assert_int_equal(dam_option_set("dirty_max", "0"), 0);
    assert_int_equal(dam_option_set("direct_shrink_percent", percent), 0);
}

/* How much less memory is in use after the block has been shrunk to `percent_left` of its size. */
static size_t given_back_by_shrinking_to(size_t percent_left) {
    unsigned char *block = large_block();
    size_t new_size = OLD_SIZE / 100 * percent_left;
    size_t before = memory_resident_bytes();
    block = dam_realloc(block, new_size);
    size_t after = memory_resident_bytes();
    assert_non_null(block);
    assert_true(pattern_holds(block, new_size, pattern_key(10, 0)));
    dam_free(block);
    return after < before ? before - after : 0;
}

TEST(with_0_percent_a_shrinking_block_keeps_its_memory) {
    set_percent("0");
    assert_true(given_back_by_shrinking_to(90) < NOISE);
    assert_true(given_back_by_shrinking_to(50) < NOISE);
    assert_true(given_back_by_shrinking_to(10) < NOISE);
}

TEST(with_100_percent_a_shrinking_block_gives_its_tail_back) {
    set_percent("100");
    assert_true(given_back_by_shrinking_to(90) > OLD_SIZE / 100 * 10 - NOISE);
    assert_true(given_back_by_shrinking_to(50) > OLD_SIZE / 100 * 50 - NOISE);
    assert_true(given_back_by_shrinking_to(10) > OLD_SIZE / 100 * 90 - NOISE);
}

TEST(with_50_percent_only_a_block_shrinking_below_half_gives_its_tail_back) {
    set_percent("50");
    assert_true(given_back_by_shrinking_to(60) < NOISE);
    assert_true(given_back_by_shrinking_to(40) > OLD_SIZE / 100 * 60 - NOISE);
}

TEST(a_block_that_kept_its_memory_grows_back_in_place) {
    set_percent("0");
    unsigned char *block = large_block();
    uintptr_t place = (uintptr_t)block;
    block = dam_realloc(block, OLD_SIZE / 2);
    assert_non_null(block);
    assert_true((uintptr_t)block == place);
    block = dam_realloc(block, OLD_SIZE);
    assert_non_null(block);
    assert_true((uintptr_t)block == place);
    assert_true(pattern_holds(block, OLD_SIZE / 2, pattern_key(10, 0)));
    dam_free_sized(block, OLD_SIZE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_0_percent_a_shrinking_block_keeps_its_memory),
        cmocka_unit_test(with_100_percent_a_shrinking_block_gives_its_tail_back),
        cmocka_unit_test(with_50_percent_only_a_block_shrinking_below_half_gives_its_tail_back),
        cmocka_unit_test(a_block_that_kept_its_memory_grows_back_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
