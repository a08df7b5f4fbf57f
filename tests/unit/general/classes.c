// SPDX-License-Identifier: MIT
/* classes.c: the sizes of the general layer, for every size there can be: 1 to 2^18 granules, the largest pool. */
#include "general/general_fast.h"
#include "heap/heap.h"
#include "support/test.h"

#define GRANULES_MAX ((uint32_t)(GENERAL_POOL_BYTES_MAX >> GRANULE_SHIFT))

TEST(class_sizes_ascend_from_one_granule_in_steps_of_at_most_a_sixteenth) {
    assert_int_equal(class_granules(1), 1);
    for (uint32_t i = 1; class_granules(i) < GRANULES_MAX; i++) {
        uint32_t step = class_granules(i + 1) - class_granules(i);
        assert_true(step >= 1);
        assert_true(step == 1 || step * 16 <= class_granules(i));
    }
}

TEST(every_size_up_to_32_granules_is_a_class_of_its_own) {
    for (uint32_t granules = 1; granules <= 32; granules++) {
        assert_int_equal(class_granules(granules), granules);
        assert_int_equal(class_holding(granules), granules);
        assert_int_equal(class_of_block(granules), granules);
    }
}

/* Two plain walks along the classes, one rounding up and one rounding down. */
TEST(every_size_rounds_up_to_the_smallest_class_that_holds_it) {
    uint32_t expected = 1;
    for (uint32_t granules = 1; granules <= GRANULES_MAX; granules++) {
        while (class_granules(expected) < granules)
            expected++;
        assert_int_equal(class_holding(granules), expected);
    }
}

TEST(every_block_belongs_to_the_largest_class_that_it_fills) {
    uint32_t expected = 1;
    for (uint32_t granules = 1; granules <= GRANULES_MAX; granules++) {
        while (class_granules(expected + 1) <= granules)
            expected++;
        assert_int_equal(class_of_block(granules), expected);
    }
}

TEST(a_class_size_is_its_own_class_both_ways) {
    for (uint32_t i = 1; class_granules(i) <= GRANULES_MAX; i++) {
        assert_int_equal(class_holding(class_granules(i)), i);
        assert_int_equal(class_of_block(class_granules(i)), i);
    }
}

TEST(there_are_classes_enough_for_the_largest_pool_and_for_every_request) {
    assert_true(class_holding(GRANULES_MAX) < GENERAL_CLASS_COUNT);
    assert_int_equal(class_holding(GENERAL_SIZE_MAX >> GRANULE_SHIFT), GENERAL_LIVE_CLASS_COUNT - 1);
    assert_int_equal(class_granules(GENERAL_LIVE_CLASS_COUNT - 1), GENERAL_SIZE_MAX >> GRANULE_SHIFT);
}

TEST(the_table_of_the_common_way_says_the_same_for_every_request) {
    dam_start();
    assert_int_equal(general_class_for(0), class_holding(1));
    for (size_t size = 1; size <= GENERAL_SIZE_MAX; size++) {
        uint32_t granules = (uint32_t)((size + GRANULE_BYTES - 1) >> GRANULE_SHIFT);
        assert_int_equal(general_class_for(size), class_holding(granules));
    }
}

TEST(the_fields_of_each_class_say_its_size_and_a_request_of_one) {
    dam_start();
    for (uint32_t i = 1; i < GENERAL_LIVE_CLASS_COUNT; i++) {
        uint32_t fields = dam_general.size_fields_of_class[i];
        assert_int_equal(granules_in(fields), class_granules(i));
        assert_int_equal(request_in(fields), 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_sizes_ascend_from_one_granule_in_steps_of_at_most_a_sixteenth),
        cmocka_unit_test(every_size_up_to_32_granules_is_a_class_of_its_own),
        cmocka_unit_test(every_size_rounds_up_to_the_smallest_class_that_holds_it),
        cmocka_unit_test(every_block_belongs_to_the_largest_class_that_it_fills),
        cmocka_unit_test(a_class_size_is_its_own_class_both_ways),
        cmocka_unit_test(there_are_classes_enough_for_the_largest_pool_and_for_every_request),
        cmocka_unit_test(the_table_of_the_common_way_says_the_same_for_every_request),
        cmocka_unit_test(the_fields_of_each_class_say_its_size_and_a_request_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
