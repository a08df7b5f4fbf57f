// SPDX-License-Identifier: MIT
/* size_classes.c: both tables, class by class, and which class serves which size. They are built here from the steps per
 * doubling, whatever the option says. */
#include "small/size_classes.h"

#include "base/bits.h"
#include "support/test.h"

static const uint32_t STEPS4[] = {16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256};
static const uint32_t POW2[] = {32, 64, 128, 256};

static const struct table {
    uint32_t steps;
    const uint32_t *block_bytes;
    uint32_t count;
} TABLES[] = {{4, STEPS4, COUNT_OF(STEPS4)}, {1, POW2, COUNT_OF(POW2)}};

/* Runs the check on both, and on each after the other, so that nothing of an old table is left in the new one. */
static void for_both_tables(void (*check)(const struct table *table)) {
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(TABLES); i++) {
            dam_small_classes_init(TABLES[i].steps);
            check(&TABLES[i]);
        }
    }
}

static void check_block_sizes(const struct table *table) {
    assert_int_equal(dam_small_classes.count, table->count);
    for (uint32_t i = 0; i < table->count; i++)
        assert_int_equal(dam_small_classes.of[i].block_bytes, table->block_bytes[i]);
}

TEST(four_steps_give_twelve_classes_from_16_and_one_step_the_powers_of_two_from_32) {
    for_both_tables(check_block_sizes);
}

static void check_tightest(const struct table *table) {
    for (size_t size = 0; size <= SMALL_SIZE_MAX; size++) {
        uint32_t tightest = 0;
        while (table->block_bytes[tightest] < size)
            tightest++;
        assert_int_equal(small_class_index(size), tightest);
    }
}

TEST(every_size_is_served_by_the_tightest_class_that_holds_it) {
    for_both_tables(check_tightest);
}

static void check_granules(const struct table *table) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct small_class *class = &dam_small_classes.of[i];
        assert_int_equal(class->granule_first, next);
        assert_int_equal(class->granule_last, class->block_bytes / GRANULE_BYTES);
        for (uint32_t granule = class->granule_first; granule <= class->granule_last; granule++)
            assert_int_equal(dam_small_classes.index_of_granule[granule], i);
        next = class->granule_last + 1;
    }
    assert_int_equal(next, SMALL_GRANULE_COUNT);
}

TEST(each_granule_count_belongs_to_one_class) {
    for_both_tables(check_granules);
}

static void check_division(const struct table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        const struct small_class *class = &dam_small_classes.of[i];
        uint32_t odd = class->block_bytes >> class->block_shift;
        assert_int_equal(odd & 1, 1);
        assert_int_equal((uint64_t)odd << class->block_shift, class->block_bytes);
        assert_int_equal(odd * class->block_inverse, 1);
        assert_int_equal(class->block_count, SLICE_BYTES / class->block_bytes);
    }
}

TEST(each_class_knows_how_to_divide_by_its_block_size_and_how_many_blocks_a_pool_holds) {
    for_both_tables(check_division);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_steps_give_twelve_classes_from_16_and_one_step_the_powers_of_two_from_32),
        cmocka_unit_test(every_size_is_served_by_the_tightest_class_that_holds_it),
        cmocka_unit_test(each_granule_count_belongs_to_one_class),
        cmocka_unit_test(each_class_knows_how_to_divide_by_its_block_size_and_how_many_blocks_a_pool_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
