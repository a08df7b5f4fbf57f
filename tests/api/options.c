// SPDX-License-Identifier: MIT
/* options.c: dam_option_get and dam_option_set.
 *
 * Not here: DAM_OPTIONS in the environment (process/options_at_start.c), what the options do (shrink_policy.c, trim.c,
 * faults.c, and every test run with size_classes=pow2). */
#include "dam/dam.h"
#include "support/test.h"

static const char *const NAMES[] = {"size_classes", "direct_shrink_percent", "purge_delay_ms", "dirty_max",    "guard",
                                    "on_fault",     "sample_every",          "stack_every",    "stats_at_exit"};

/* The rest may be set at any time. */
static bool is_only_for_start(const char *name) {
    static const char *const ONLY_FOR_START[] = {"size_classes", "guard", "sample_every", "stack_every"};
    for (size_t i = 0; i < COUNT_OF(ONLY_FOR_START); i++) {
        if (strcmp(name, ONLY_FOR_START[i]) == 0)
            return true;
    }
    return false;
}

static void assert_option_is(const char *name, const char *expected) {
    char value[64];
    assert_int_equal(dam_option_get(name, value, sizeof value), 0);
    assert_string_equal(value, expected);
}

TEST(every_option_has_a_value) {
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        char value[64] = "";
        assert_int_equal(dam_option_get(NAMES[i], value, sizeof value), 0);
        assert_true(strlen(value) > 0);
    }
}

TEST(an_unknown_option_gives_einval) {
    static const char *const UNKNOWN[] = {"", "no_such_option", "dirty", "dirty_maxx", "DIRTY_MAX", " dirty_max"};
    for (size_t i = 0; i < COUNT_OF(UNKNOWN); i++) {
        char value[64] = "before";
        assert_int_equal(dam_option_get(UNKNOWN[i], value, sizeof value), EINVAL);
        assert_int_equal(dam_option_set(UNKNOWN[i], "1"), EINVAL);
    }
}

TEST(a_value_that_was_set_is_the_one_that_is_read) {
    assert_int_equal(dam_option_set("direct_shrink_percent", "30"), 0);
    assert_option_is("direct_shrink_percent", "30");
    assert_int_equal(dam_option_set("direct_shrink_percent", "0"), 0);
    assert_option_is("direct_shrink_percent", "0");
    assert_int_equal(dam_option_set("direct_shrink_percent", "100"), 0);
    assert_option_is("direct_shrink_percent", "100");
    assert_int_equal(dam_option_set("purge_delay_ms", "1234"), 0);
    assert_option_is("purge_delay_ms", "1234");
    assert_int_equal(dam_option_set("stats_at_exit", "1"), 0);
    assert_option_is("stats_at_exit", "1");
    assert_int_equal(dam_option_set("stats_at_exit", "0"), 0);
    assert_option_is("stats_at_exit", "0");
    assert_int_equal(dam_option_set("on_fault", "ignore"), 0);
    assert_option_is("on_fault", "ignore");
    assert_int_equal(dam_option_set("on_fault", "report"), 0);
    assert_option_is("on_fault", "report");
    assert_int_equal(dam_option_set("on_fault", "abort"), 0);
    assert_option_is("on_fault", "abort");
}

TEST(bytes_may_be_written_with_a_suffix) {
    static const char *const SAME[][2] = {{"64K", "65536"}, {"3M", "3145728"}, {"1G", "1073741824"}};
    for (size_t i = 0; i < COUNT_OF(SAME); i++) {
        char with_suffix[64], in_full[64];
        assert_int_equal(dam_option_set("dirty_max", SAME[i][0]), 0);
        assert_int_equal(dam_option_get("dirty_max", with_suffix, sizeof with_suffix), 0);
        assert_int_equal(dam_option_set("dirty_max", SAME[i][1]), 0);
        assert_int_equal(dam_option_get("dirty_max", in_full, sizeof in_full), 0);
        assert_string_equal(with_suffix, in_full);
    }
}

/* So that a program can save an option, change it, and put it back. */
TEST(a_value_that_was_read_can_be_set_again) {
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        char value[64];
        assert_int_equal(dam_option_get(NAMES[i], value, sizeof value), 0);
        int answer = dam_option_set(NAMES[i], value);
        assert_int_equal(answer, is_only_for_start(NAMES[i]) ? EPERM : 0);
        assert_option_is(NAMES[i], value);
    }
}

TEST(a_value_of_the_wrong_kind_gives_einval_and_changes_nothing) {
    static const char *const WRONG[] = {"", "ten", "5x", "x5", "5 ", " 5", "0x10", "1.5", "5,", "--5", "K"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) { /* no word of any option is among them, either */
        char before[64];
        assert_int_equal(dam_option_get(NAMES[i], before, sizeof before), 0);
        for (size_t j = 0; j < COUNT_OF(WRONG); j++) {
            assert_int_equal(dam_option_set(NAMES[i], WRONG[j]), EINVAL);
            assert_option_is(NAMES[i], before);
        }
    }
}

TEST(a_suffix_on_what_is_not_bytes_gives_einval) {
    assert_int_equal(dam_option_set("direct_shrink_percent", "1K"), EINVAL);
    assert_int_equal(dam_option_set("purge_delay_ms", "1K"), EINVAL);
    assert_int_equal(dam_option_set("stats_at_exit", "0K"), EINVAL);
}

TEST(a_value_out_of_bounds_gives_erange_and_changes_nothing) {
    static const char *const OUT[][2] = {
        {"direct_shrink_percent", "101"},
        {"direct_shrink_percent", "4294967297"},
        {"direct_shrink_percent", "18446744073709551616"},
        {"purge_delay_ms", "99999999999999999999999999"},
        {"dirty_max", "18446744073709551615"},
        {"dirty_max", "18446744073709551616"},
        {"dirty_max", "18014398509481984K"},
        {"dirty_max", "17179869184G"},
        {"stats_at_exit", "2"},
        {"sample_every", "1000000001"},
        {"stack_every", "0"},
    };
    for (size_t i = 0; i < COUNT_OF(OUT); i++) {
        char before[64];
        assert_int_equal(dam_option_get(OUT[i][0], before, sizeof before), 0);
        assert_int_equal(dam_option_set(OUT[i][0], OUT[i][1]), ERANGE);
        assert_option_is(OUT[i][0], before);
    }
}

TEST(some_can_only_be_set_at_start) {
    static const char *const CASES[][3] = {{"size_classes", "pow2", "steps4"},
                                           {"guard", "full", "off"},
                                           {"sample_every", "1", "0"},
                                           {"stack_every", "1", "10"}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char before[64];
        assert_true(is_only_for_start(CASES[i][0]));
        assert_int_equal(dam_option_get(CASES[i][0], before, sizeof before), 0);
        assert_int_equal(dam_option_set(CASES[i][0], CASES[i][1]), EPERM);
        assert_int_equal(dam_option_set(CASES[i][0], CASES[i][2]), EPERM);
        assert_option_is(CASES[i][0], before);
    }
}

TEST(a_buffer_that_is_too_small_gives_erange_and_gets_what_fits) {
    assert_int_equal(dam_option_set("purge_delay_ms", "12345"), 0);
    for (size_t bytes = 1; bytes <= 5; bytes++) {
        char value[16];
        memset(value, '#', sizeof value);
        assert_int_equal(dam_option_get("purge_delay_ms", value, bytes), ERANGE);
        assert_int_equal(strlen(value), bytes - 1);
        assert_memory_equal(value, "12345", bytes - 1);
        assert_true(all_bytes_are(value + bytes, sizeof value - bytes, '#'));
    }
    char exact[6];
    assert_int_equal(dam_option_get("purge_delay_ms", exact, sizeof exact), 0);
    assert_string_equal(exact, "12345");
}

TEST(a_buffer_of_no_bytes_is_not_written) {
    char value[4] = "###";
    assert_int_equal(dam_option_get("purge_delay_ms", value, 0), ERANGE);
    assert_string_equal(value, "###");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_a_value),
        cmocka_unit_test(an_unknown_option_gives_einval),
        cmocka_unit_test(a_value_that_was_set_is_the_one_that_is_read),
        cmocka_unit_test(bytes_may_be_written_with_a_suffix),
        cmocka_unit_test(a_value_that_was_read_can_be_set_again),
        cmocka_unit_test(a_value_of_the_wrong_kind_gives_einval_and_changes_nothing),
        cmocka_unit_test(a_suffix_on_what_is_not_bytes_gives_einval),
        cmocka_unit_test(a_value_out_of_bounds_gives_erange_and_changes_nothing),
        cmocka_unit_test(some_can_only_be_set_at_start),
        cmocka_unit_test(a_buffer_that_is_too_small_gives_erange_and_gets_what_fits),
        cmocka_unit_test(a_buffer_of_no_bytes_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
