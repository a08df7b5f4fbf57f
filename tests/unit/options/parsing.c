// SPDX-License-Identifier: MIT
/* parsing.c: text to value and back, for every kind of option, at run time and from DAM_OPTIONS at start.
 *
 * What DAM_OPTIONS does can only be seen from a process's beginning, so this program runs itself again: with the
 * argument "print" it prints every option's value and ends. */
#include "options/options.h"

#include "base/options_table.h"
#include "heap/heap.h"
#include "support/child.h"
#include "support/test.h"

#define DEFAULTS                                                                                                       \
    "size_classes=steps4,direct_shrink_percent=75,purge_delay_ms=1000,dirty_max=32M,guard=default,on_fault=abort,"     \
    "sample_every=0,stack_every=10,stats_at_exit=0"

static int start_with_defaults(void **state) {
    (void)state;
    assert_int_equal(dam_options_set("direct_shrink_percent", "75"), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", "1000"), 0);
    assert_int_equal(dam_options_set("dirty_max", "32M"), 0);
    assert_int_equal(dam_options_set("on_fault", "abort"), 0);
    assert_int_equal(dam_options_set("stats_at_exit", "0"), 0);
    return 0;
}

static void assert_reads(const char *name, const char *expected) {
    char text[64];
    assert_int_equal(dam_options_get(name, text, sizeof text), 0);
    assert_string_equal(text, expected);
}

/* ---- At run time ------------------------------------------------------------------------------------------------- */

TEST(a_number_is_read_back_as_it_was_set_and_is_in_force) {
    assert_int_equal(dam_options_set("direct_shrink_percent", "0"), 0);
    assert_reads("direct_shrink_percent", "0");
    assert_int_equal(DAM_SETTING(direct_shrink_percent), 0);
    assert_int_equal(dam_options_set("direct_shrink_percent", "100"), 0);
    assert_reads("direct_shrink_percent", "100");
    assert_int_equal(DAM_SETTING(direct_shrink_percent), 100);
    assert_int_equal(dam_options_set("purge_delay_ms", "3600000"), 0);
    assert_reads("purge_delay_ms", "3600000");
    assert_int_equal(DAM_SETTING(purge_delay_ms), 3600000);
    assert_int_equal(dam_options_set("purge_delay_ms", "007"), 0);
    assert_reads("purge_delay_ms", "7");
}

TEST(bytes_take_a_unit_of_either_case_and_are_read_back_without) {
    static const struct {
        const char *set;
        const char *read;
        uint64_t value;
    } CASES[] = {
        {"0", "0", 0},
        {"1", "1", 1},
        {"123456789", "123456789", 123456789},
        {"1K", "1024", 1024},
        {"3k", "3072", 3072},
        {"5M", "5242880", 5242880},
        {"5m", "5242880", 5242880},
        {"2G", "2147483648", (uint64_t)2 << 30},
        {"2g", "2147483648", (uint64_t)2 << 30},
        {"1024G", "1099511627776", (uint64_t)1 << 40},
        {"1099511627776", "1099511627776", (uint64_t)1 << 40},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_int_equal(dam_options_set("dirty_max", CASES[i].set), 0);
        assert_reads("dirty_max", CASES[i].read);
        assert_int_equal(DAM_SETTING(dirty_max), CASES[i].value);
    }
}

TEST(a_switch_is_zero_or_one) {
    assert_int_equal(dam_options_set("stats_at_exit", "1"), 0);
    assert_reads("stats_at_exit", "1");
    assert_int_equal(dam_options_set("stats_at_exit", "0"), 0);
    assert_reads("stats_at_exit", "0");
    assert_int_equal(dam_options_set("stats_at_exit", "2"), ERANGE);
    assert_int_equal(dam_options_set("stats_at_exit", "yes"), EINVAL);
    assert_reads("stats_at_exit", "0");
}

TEST(a_word_is_read_back_as_it_was_set_and_is_in_force) {
    static const struct {
        const char *word;
        enum on_fault value;
    } CASES[] = {{"report", ON_FAULT_REPORT}, {"ignore", ON_FAULT_IGNORE}, {"abort", ON_FAULT_ABORT}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_int_equal(dam_options_set("on_fault", CASES[i].word), 0);
        assert_reads("on_fault", CASES[i].word);
        assert_int_equal(DAM_SETTING(on_fault), CASES[i].value);
    }
}

TEST(every_value_that_a_word_stands_for_has_its_word) {
    static const struct {
        enum option_kind kind;
        size_t count;
    } KINDS[] = {{OPTION_SIZE_CLASSES, SIZE_CLASSES_POW2 + 1},
                 {OPTION_GUARD, GUARD_FULL + 1},
                 {OPTION_ON_FAULT, ON_FAULT_IGNORE + 1}};
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        const char *const *words = dam_option_words(KINDS[i].kind);
        for (size_t value = 0; value < KINDS[i].count; value++)
            assert_non_null(words[value]);
        assert_null(words[KINDS[i].count]);
    }
    assert_string_equal(dam_option_words(OPTION_GUARD)[GUARD_OFF], "off");
    assert_string_equal(dam_option_words(OPTION_GUARD)[GUARD_DEFAULT], "default");
    assert_string_equal(dam_option_words(OPTION_GUARD)[GUARD_TAIL], "tail");
    assert_string_equal(dam_option_words(OPTION_GUARD)[GUARD_FULL], "full");
    assert_null(dam_option_words(OPTION_NUMBER));
    assert_null(dam_option_words(OPTION_BYTES));
    assert_null(dam_option_words(OPTION_SWITCH));
}

TEST(what_is_out_of_bounds_is_refused_with_erange_and_changes_nothing) {
    static const struct {
        const char *name;
        const char *text;
    } CASES[] = {
        {"direct_shrink_percent", "101"},
        {"direct_shrink_percent", "18446744073709551616"},
        {"direct_shrink_percent", "18446744073709551717"}, /* 101 modulo 2^64 */
        {"purge_delay_ms", "3600001"},
        {"purge_delay_ms", "99999999999999999999999999999999999999"},
        {"dirty_max", "1099511627777"},
        {"dirty_max", "1025G"},
        {"dirty_max", "17179869185G"}, /* 1 GiB modulo 2^64 */
        {"dirty_max", "18014398509481985K"},
        {"dirty_max", "17592186044417M"},
        {"sample_every", "1000000001"},
        {"stack_every", "0"},
        {"stack_every", "1000000001"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_int_equal(dam_options_set(CASES[i].name, CASES[i].text), ERANGE);
    assert_reads("direct_shrink_percent", "75");
    assert_reads("purge_delay_ms", "1000");
    assert_reads("dirty_max", "33554432");
    assert_reads("sample_every", "0");
}

TEST(what_is_no_value_of_its_kind_is_refused_with_einval_and_changes_nothing) {
    static const char *const NO_NUMBERS[] = {"",  " ",   "-1", "+1", "1 ", " 1",  "1.5", "0x10", "ten", "K",
                                             "M", "1KK", "1T", "1B", "KB", "1KB", "1\n", "1,2",  "/",   ":"};
    static const char *const NO_SIZE_CLASSES[] = {"", "steps", "steps44", "STEPS4", "pow", "pow22", "4", "1"};
    static const char *const NO_GUARD[] = {"", "of", "offf", "OFF", "tail ", " tail", "tail,full", "0", "3", "abort"};
    static const char *const NO_ON_FAULT[] = {"",  "abor", "aborts", "Abort", "report ", "ignore,abort",
                                              "0", "1",    "off"};
    for (size_t i = 0; i < COUNT_OF(NO_NUMBERS); i++) {
        assert_int_equal(dam_options_set("dirty_max", NO_NUMBERS[i]), EINVAL);
        assert_int_equal(dam_options_set("purge_delay_ms", NO_NUMBERS[i]), EINVAL);
        assert_int_equal(dam_options_set("stats_at_exit", NO_NUMBERS[i]), EINVAL);
    }
    assert_int_equal(dam_options_set("purge_delay_ms", "1K"), EINVAL); /* units are for bytes alone */
    for (size_t i = 0; i < COUNT_OF(NO_SIZE_CLASSES); i++)
        assert_int_equal(dam_options_set("size_classes", NO_SIZE_CLASSES[i]), EINVAL);
    for (size_t i = 0; i < COUNT_OF(NO_GUARD); i++)
        assert_int_equal(dam_options_set("guard", NO_GUARD[i]), EINVAL);
    for (size_t i = 0; i < COUNT_OF(NO_ON_FAULT); i++)
        assert_int_equal(dam_options_set("on_fault", NO_ON_FAULT[i]), EINVAL);
    assert_int_equal(dam_options_set("sample_every", "1K"), EINVAL);
    assert_reads("on_fault", "abort");
    assert_reads("purge_delay_ms", "1000");
    assert_reads("dirty_max", "33554432");
    assert_reads("stats_at_exit", "0");
}

TEST(an_unknown_option_is_refused_with_einval) {
    static const char *const UNKNOWN[] = {"",          "dirty",      "dirty_max_", "dirty_maxx",
                                          "DIRTY_MAX", " dirty_max", "dirty_max=1"};
    char text[16] = "untouched";
    for (size_t i = 0; i < COUNT_OF(UNKNOWN); i++) {
        assert_int_equal(dam_options_set(UNKNOWN[i], "1"), EINVAL);
        assert_int_equal(dam_options_get(UNKNOWN[i], text, sizeof text), EINVAL);
        assert_string_equal(text, "untouched");
    }
}

TEST(size_classes_guard_and_sampling_can_only_be_chosen_at_start) {
    static const char *const CASES[][3] = {{"size_classes", "pow2", "steps4"},
                                           {"guard", "full", "off"},
                                           {"sample_every", "1000", "0"},
                                           {"stack_every", "1", "10"}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char before[16];
        assert_int_equal(dam_options_get(CASES[i][0], before, sizeof before), 0);
        assert_int_equal(dam_options_set(CASES[i][0], CASES[i][1]), EPERM);
        assert_int_equal(dam_options_set(CASES[i][0], CASES[i][2]), EPERM);
        assert_reads(CASES[i][0], before);
    }
}

TEST(a_value_that_does_not_fit_its_buffer_is_cut_off_and_terminated) {
    assert_int_equal(dam_options_set("dirty_max", "12345"), 0);
    for (size_t bytes = 0; bytes <= 7; bytes++) {
        char text[8];
        memset(text, '#', sizeof text);
        assert_int_equal(dam_options_get("dirty_max", text, bytes), bytes < 6 ? ERANGE : 0);
        size_t written = smaller_of(bytes, 6);
        if (written > 0) {
            assert_memory_equal(text, "12345", written - 1);
            assert_int_equal(text[written - 1], '\0');
        }
        assert_true(all_bytes_are(text + written, sizeof text - written, '#'));
    }
}

/* ---- At start ---------------------------------------------------------------------------------------------------- */

/* One child's stdout and stderr; the environment is read before anything is printed, so warnings come first. */
static void assert_starts_with(const char *dam_options, const char *expected) {
    static const char *const PRINT[] = {"print", NULL};
    char variable[512];
    assert_true(snprintf(variable, sizeof variable, "DAM_OPTIONS=%s", dam_options) < (int)sizeof variable);
    const char *const environment[] = {variable, NULL};
    struct child_result result = child_run_self(PRINT, environment, CHILD_BOTH, 60);
    assert_true(child_exited_with(&result, 0));
    assert_string_equal(result.output, expected);
}

#define IGNORED(item) "dam: DAM_OPTIONS: ignored \"" item "\": "
#define NO_SUCH(item)                                                                                                  \
    IGNORED(item)                                                                                                      \
    "no such option; the options are size_classes, direct_shrink_percent, purge_delay_ms, dirty_max, "                 \
    "guard, on_fault, sample_every, stack_every, stats_at_exit\n"
#define TAKES(item, name, values) IGNORED(item) name " takes " values "\n"
#define DIRTY_MAX(item) TAKES(item, "dirty_max", "0 to 1099511627776 (bytes; K, M or G may follow)")

#define VALUES(size_classes, shrink, delay, dirty) size_classes " " shrink " " delay " " dirty " default abort 0 10 0\n"
#define FAULT_VALUES(guard, on_fault, sample) "steps4 75 1000 33554432 " guard " " on_fault " " sample " 10 0\n"
#define DEFAULT_VALUES VALUES("steps4", "75", "1000", "33554432")

TEST(without_options_every_value_is_its_default) {
    assert_starts_with("", DEFAULT_VALUES);
}

TEST(options_at_start_set_what_they_name_and_leave_the_rest) {
    assert_starts_with("size_classes=pow2", VALUES("pow2", "75", "1000", "33554432"));
    assert_starts_with("size_classes=pow2,size_classes=steps4", DEFAULT_VALUES);
    assert_starts_with("dirty_max=7M,direct_shrink_percent=3", VALUES("steps4", "3", "1000", "7340032"));
    assert_starts_with(DEFAULTS, DEFAULT_VALUES);
}

TEST(guard_on_fault_and_sampling_can_be_chosen_at_start) {
    assert_starts_with("guard=off", FAULT_VALUES("off", "abort", "0"));
    assert_starts_with("guard=default", DEFAULT_VALUES);
    assert_starts_with("guard=tail", FAULT_VALUES("tail", "abort", "0"));
    assert_starts_with("guard=full,on_fault=report", FAULT_VALUES("full", "report", "0"));
    assert_starts_with("on_fault=ignore", FAULT_VALUES("default", "ignore", "0"));
    assert_starts_with("sample_every=1000000000", FAULT_VALUES("default", "abort", "1000000000"));
    assert_starts_with("stack_every=1", "steps4 75 1000 33554432 default abort 0 1 0\n");
    assert_starts_with("guard=tail,guard=off", FAULT_VALUES("off", "abort", "0"));
}

TEST(the_last_of_several_values_wins) {
    assert_starts_with("purge_delay_ms=1,purge_delay_ms=2,purge_delay_ms=3", VALUES("steps4", "75", "3", "33554432"));
}

TEST(empty_items_are_passed_over_without_a_word) {
    assert_starts_with(",", DEFAULT_VALUES);
    assert_starts_with(",,purge_delay_ms=5,,", VALUES("steps4", "75", "5", "33554432"));
}

TEST(what_is_unknown_at_start_is_warned_about_with_what_there_is) {
    assert_starts_with("nonsense", NO_SUCH("nonsense") DEFAULT_VALUES);
    assert_starts_with("=", NO_SUCH("=") DEFAULT_VALUES);
    assert_starts_with("=1", NO_SUCH("=1") DEFAULT_VALUES);
    assert_starts_with("dirty_max =1", NO_SUCH("dirty_max =1") DEFAULT_VALUES);
    assert_starts_with("what=1,dirty=2", NO_SUCH("what=1") NO_SUCH("dirty=2") DEFAULT_VALUES);
}

TEST(a_bad_value_at_start_is_warned_about_with_what_the_option_takes) {
    assert_starts_with("dirty_max", DIRTY_MAX("dirty_max") DEFAULT_VALUES);
    assert_starts_with("dirty_max=", DIRTY_MAX("dirty_max=") DEFAULT_VALUES);
    assert_starts_with("dirty_max=2000G", DIRTY_MAX("dirty_max=2000G") DEFAULT_VALUES);
    assert_starts_with("dirty_max=1=2", DIRTY_MAX("dirty_max=1=2") DEFAULT_VALUES);
    assert_starts_with("size_classes=steps5",
                       TAKES("size_classes=steps5", "size_classes", "steps4, pow2") DEFAULT_VALUES);
    assert_starts_with("guard=paranoid", TAKES("guard=paranoid", "guard", "off, default, tail, full") DEFAULT_VALUES);
    assert_starts_with("guard=", TAKES("guard=", "guard", "off, default, tail, full") DEFAULT_VALUES);
    assert_starts_with("on_fault=2", TAKES("on_fault=2", "on_fault", "abort, report, ignore") DEFAULT_VALUES);
    assert_starts_with("sample_every=1000000001",
                       TAKES("sample_every=1000000001", "sample_every", "0 to 1000000000") DEFAULT_VALUES);
    assert_starts_with("stack_every=0", TAKES("stack_every=0", "stack_every", "1 to 1000000000") DEFAULT_VALUES);
    assert_starts_with("stats_at_exit=2", TAKES("stats_at_exit=2", "stats_at_exit", "0 to 1") DEFAULT_VALUES);
    assert_starts_with("direct_shrink_percent=101",
                       TAKES("direct_shrink_percent=101", "direct_shrink_percent", "0 to 100") DEFAULT_VALUES);
}

TEST(what_is_good_beside_what_is_bad_counts) {
    assert_starts_with("purge_delay_ms=6,what=1,dirty_max=2000G,size_classes=pow2,dirty_max=1=2",
                       NO_SUCH("what=1") DIRTY_MAX("dirty_max=2000G") DIRTY_MAX("dirty_max=1=2")
                           VALUES("pow2", "75", "6", "33554432"));
}

TEST(a_warning_shows_printable_characters_only) {
    assert_starts_with("a\x1b[31m\nb\x7f\xc3\xbc", NO_SUCH("a?[31m?b???") DEFAULT_VALUES);
}

static int print_values(void) {
    static const char *const NAMES[] = {
        "size_classes", "direct_shrink_percent", "purge_delay_ms", "dirty_max",    "guard",
        "on_fault",     "sample_every",          "stack_every",    "stats_at_exit"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        char text[32];
        CHECK(dam_options_get(NAMES[i], text, sizeof text) == 0);
        printf("%s%s", i == 0 ? "" : " ", text);
    }
    printf("\n");
    return 0;
}

int main(int argument_count, char **arguments) {
    dam_start();
    if (argument_count == 2 && strcmp(arguments[1], "print") == 0)
        return print_values();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_number_is_read_back_as_it_was_set_and_is_in_force, start_with_defaults),
        cmocka_unit_test_setup(bytes_take_a_unit_of_either_case_and_are_read_back_without, start_with_defaults),
        cmocka_unit_test_setup(a_switch_is_zero_or_one, start_with_defaults),
        cmocka_unit_test_setup(a_word_is_read_back_as_it_was_set_and_is_in_force, start_with_defaults),
        cmocka_unit_test(every_value_that_a_word_stands_for_has_its_word),
        cmocka_unit_test_setup(what_is_out_of_bounds_is_refused_with_erange_and_changes_nothing, start_with_defaults),
        cmocka_unit_test_setup(what_is_no_value_of_its_kind_is_refused_with_einval_and_changes_nothing,
                               start_with_defaults),
        cmocka_unit_test_setup(an_unknown_option_is_refused_with_einval, start_with_defaults),
        cmocka_unit_test_setup(size_classes_guard_and_sampling_can_only_be_chosen_at_start, start_with_defaults),
        cmocka_unit_test_setup(a_value_that_does_not_fit_its_buffer_is_cut_off_and_terminated, start_with_defaults),
        cmocka_unit_test(without_options_every_value_is_its_default),
        cmocka_unit_test(options_at_start_set_what_they_name_and_leave_the_rest),
        cmocka_unit_test(guard_on_fault_and_sampling_can_be_chosen_at_start),
        cmocka_unit_test(the_last_of_several_values_wins),
        cmocka_unit_test(empty_items_are_passed_over_without_a_word),
        cmocka_unit_test(what_is_unknown_at_start_is_warned_about_with_what_there_is),
        cmocka_unit_test(a_bad_value_at_start_is_warned_about_with_what_the_option_takes),
        cmocka_unit_test(what_is_good_beside_what_is_bad_counts),
        cmocka_unit_test(a_warning_shows_printable_characters_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
