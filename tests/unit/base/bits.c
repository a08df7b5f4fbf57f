// SPDX-License-Identifier: MIT
/* bits.c: the arithmetic of base/bits.h against the slowest way to say the same. */
#include "base/bits.h"
#include "support/random.h"
#include "support/test.h"

/* The odd parts of every block size of the small layer: both tables, and what else four steps could give. */
static const uint64_t BLOCK_SIZES[] = {16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256};

TEST(the_highest_bit_is_found_whatever_lies_below_it) {
    struct random random = random_start(1, 0);
    for (uint32_t bit = 0; bit < 64; bit++) {
        uint64_t alone = (uint64_t)1 << bit;
        assert_int_equal(highest_bit(alone), bit);
        assert_int_equal(highest_bit(alone | (alone - 1)), bit);
        for (int i = 0; i < 100; i++)
            assert_int_equal(highest_bit(alone | (random_next(&random) & (alone - 1))), bit);
    }
}

TEST(the_lowest_bit_is_found_whatever_lies_above_it) {
    struct random random = random_start(2, 0);
    for (uint32_t bit = 0; bit < 64; bit++) {
        uint64_t alone = (uint64_t)1 << bit;
        assert_int_equal(lowest_bit(alone), bit);
        assert_int_equal(lowest_bit(~(alone - 1)), bit);
        for (int i = 0; i < 100; i++)
            assert_int_equal(lowest_bit((random_next(&random) | 1) << bit), bit);
    }
}

TEST(only_single_bits_are_powers_of_two) {
    assert_false(is_power_of_two(0));
    for (uint32_t bit = 0; bit < 64; bit++) {
        size_t power = (size_t)1 << bit;
        assert_true(is_power_of_two(power));
        if (bit >= 2) {
            assert_false(is_power_of_two(power - 1));
            assert_false(is_power_of_two(power + 1));
            assert_false(is_power_of_two(power | power >> 1));
        }
    }
}

TEST(rounding_up_gives_the_next_multiple_and_leaves_multiples_alone) {
    for (size_t alignment = 1; alignment <= 1024; alignment *= 2) {
        for (size_t value = 0; value <= 5000; value++)
            assert_int_equal(round_up(value, alignment), (value + alignment - 1) / alignment * alignment);
    }
    assert_int_equal(round_up((size_t)PTRDIFF_MAX, GIB), (size_t)1 << 63);
}

TEST(rotating_moves_each_bit_by_the_count_and_wraps_around) {
    struct random random = random_start(3, 0);
    for (int i = 0; i < 50; i++) {
        uint64_t value = random_next(&random);
        for (uint32_t count = 0; count < 130; count++) {
            uint64_t rotated = rotate_right(value, count);
            for (uint32_t bit = 0; bit < 64; bit++)
                assert_int_equal(rotated >> bit & 1, value >> ((bit + count) % 64) & 1);
        }
    }
}

TEST(the_inverse_of_each_block_sizes_odd_part_times_that_part_is_one) {
    for (size_t i = 0; i < COUNT_OF(BLOCK_SIZES); i++) {
        uint64_t odd = BLOCK_SIZES[i] >> lowest_bit(BLOCK_SIZES[i]);
        assert_int_equal(odd * inverse_of_odd(odd), 1);
    }
}

TEST(every_odd_number_has_its_inverse) {
    for (uint64_t odd = 1; odd < 200000; odd += 2)
        assert_true(odd * inverse_of_odd(odd) == 1);
    struct random random = random_start(4, 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t odd = random_next(&random) | 1;
        assert_true(odd * inverse_of_odd(odd) == 1);
    }
}

/* This is what makes the inverse a division with a test for the remainder in it. */
TEST(multiplying_by_the_inverse_divides_multiples_and_makes_all_else_huge) {
    for (uint64_t odd = 3; odd <= 15; odd += 2) {
        uint64_t inverse = inverse_of_odd(odd);
        for (uint64_t value = 0; value < 100000; value++) {
            uint64_t quotient = value * inverse;
            if (value % odd == 0)
                assert_int_equal(quotient, value / odd);
            else
                assert_true(quotient > UINT64_MAX / odd);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_bit_is_found_whatever_lies_below_it),
        cmocka_unit_test(the_lowest_bit_is_found_whatever_lies_above_it),
        cmocka_unit_test(only_single_bits_are_powers_of_two),
        cmocka_unit_test(rounding_up_gives_the_next_multiple_and_leaves_multiples_alone),
        cmocka_unit_test(rotating_moves_each_bit_by_the_count_and_wraps_around),
        cmocka_unit_test(the_inverse_of_each_block_sizes_odd_part_times_that_part_is_one),
        cmocka_unit_test(every_odd_number_has_its_inverse),
        cmocka_unit_test(multiplying_by_the_inverse_divides_multiples_and_makes_all_else_huge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
