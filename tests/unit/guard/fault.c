// SPDX-License-Identifier: MIT
/* fault.c: the report of each kind of fault, to the letter: its lines, their order, what is left out when it is not known.
 * Which misuse leads to which report is tested where the layers find it. */
#include "guard/fault.h"

#include "unit/support/expect_abort.h"

static void report(void *fault) {
    dam_fault_report(fault);
}

#define PLACE ((const void *)(uintptr_t)0x7f0012345670)

TEST(every_kind_of_fault_has_its_own_words_and_hint) {
    static const struct {
        enum fault_kind kind;
        const char *words;
        const char *hint;
    } KINDS[] = {
        {FAULT_DOUBLE_FREE, "double free", HINT_DOUBLE_FREE},
        {FAULT_FOREIGN_POINTER, "not a DAM pointer", HINT_FOREIGN_POINTER},
        {FAULT_NOT_A_BLOCK, "not the start of a block", HINT_NOT_A_BLOCK},
        {FAULT_OVERFLOW, "write past the end of a block", HINT_OVERFLOW},
        {FAULT_HEADER, "damaged block header", HINT_HEADER},
        {FAULT_WRITE_AFTER_FREE, "write to a free block", HINT_WRITE_AFTER_FREE},
        {FAULT_WRONG_SIZE, "wrong size", HINT_WRONG_SIZE},
    };
#define ONE_MORE(name, words, hint) +1
    assert_int_equal(COUNT_OF(KINDS), 0 DAM_FAULT_TABLE(ONE_MORE));
#undef ONE_MORE
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct dam_fault fault = {.kind = KINDS[i].kind, .operation = "free", .address = PLACE};
        struct text expected = report_of(KINDS[i].words, "free", PLACE);
        report_hint(&expected, KINDS[i].hint);
        expect_abort_saying(report, &fault, &expected);
    }
}

TEST(a_report_tells_pool_block_request_state_and_words_when_they_are_known) {
    struct dam_fault fault = {
        .kind = FAULT_OVERFLOW,
        .address = (const void *)(uintptr_t)0x10020,
        .operation = "realloc",
        .layer = "general",
        .pool_start = (const void *)(uintptr_t)0x10000,
        .pool_bytes = 262144,
        .block = (const void *)(uintptr_t)0x10020,
        .block_bytes = 320,
        .requested_bytes = 300,
        .state = "live",
        .has_words = true,
        .expected = 0x123456789abcdef0,
        .found = 0x41,
    };
    struct text expected = {0};
    text_add(&expected, "dam: fault: write past the end of a block: realloc of 0x10020\n"
                        "dam:   pool of 262144 bytes at 0x10000 (general layer)\n"
                        "dam:   block at 0x10020 of 320 bytes, requested 300 bytes, live\n"
                        "dam:   expected 123456789abcdef0, found 0000000000000041\n"
                        "dam:   the bytes behind the requested size were changed\n");
    expect_abort_saying(report, &fault, &expected);
}

TEST(a_report_leaves_out_what_is_not_known) {
    struct dam_fault fault = {
        .kind = FAULT_NOT_A_BLOCK,
        .address = (const void *)(uintptr_t)0xabc,
        .block = (const void *)(uintptr_t)0xab0,
        .block_bytes = 48,
    };
    struct text expected = {0};
    text_add(&expected, "dam: fault: not the start of a block: 0xabc\n"
                        "dam:   block at 0xab0 of 48 bytes\n"
                        "dam:   the address lies inside a DAM pool, but no block starts there\n");
    expect_abort_saying(report, &fault, &expected);
}

TEST(the_largest_and_the_smallest_numbers_are_written_right) {
    struct dam_fault fault = {
        .kind = FAULT_WRONG_SIZE,
        .address = NULL,
        .operation = "free_sized",
        .layer = "direct",
        .pool_start = (const void *)UINTPTR_MAX, // NOLINT(performance-no-int-to-ptr)
        .pool_bytes = SIZE_MAX,
        .has_words = true,
        .expected = UINT64_MAX,
        .found = 0,
    };
    struct text expected = {0};
    text_add(&expected, "dam: fault: wrong size: free_sized of 0x0\n"
                        "dam:   pool of 18446744073709551615 bytes at 0xffffffffffffffff (direct layer)\n"
                        "dam:   expected ffffffffffffffff, found 0000000000000000\n"
                        "dam:   the size given at release is not the size the block was requested with\n");
    expect_abort_saying(report, &fault, &expected);
}

/* The buffer is on the stack and of fixed size: text that is too long is cut off, and nothing is written beside it. */
TEST(a_report_that_is_too_long_is_cut_off_at_its_buffers_end) {
    static char operation[5000];
    memset(operation, 'o', sizeof operation - 1);
    struct dam_fault fault = {.kind = FAULT_HEADER, .operation = operation, .address = PLACE};
    struct child_result result = child_run(report, &fault, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    static const char BEGINNING[] = "dam: fault: damaged block header: oooo";
    assert_int_equal(result.output_bytes, 1024);
    assert_memory_equal(result.output, BEGINNING, sizeof BEGINNING - 1);
    assert_int_equal(result.output[1023], 'o');
}

/* ---- Assertions: our own mistakes -------------------------------------------------------------------------------- */

static void fail_assertion(void *argument) {
    (void)argument;
    dam_assertion_failed("left == right", "src/some/file.c", 4321);
}

TEST(a_failed_assertion_says_that_the_mistake_is_ours_and_where) {
    struct text expected = {0};
    text_add(&expected,
             "dam: assertion failed (a bug in DAM itself): left == right at src/some/file.c:4321\n");
    expect_abort_saying(fail_assertion, NULL, &expected);
}

static int evaluations;

__attribute__((used)) static bool count_evaluation(bool answer) { /* used by name alone where assertions are off */
    evaluations++;
    return answer;
}

static void assert_falsehood(void *argument) {
    (void)argument;
    DAM_ASSERT(count_evaluation(false));
}

TEST(assertions_are_checked_in_builds_that_have_them_and_not_even_evaluated_in_others) {
    evaluations = 0;
    DAM_ASSERT(count_evaluation(true));
    assert_int_equal(evaluations, DAM_ASSERTIONS);
    struct child_result result = child_run(assert_falsehood, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    if (DAM_ASSERTIONS) {
        assert_true(child_was_killed_by(&result, SIGABRT));
        assert_non_null(strstr(result.output, "dam: assertion failed (a bug in DAM itself): count_evaluation("));
    } else {
        assert_true(child_exited_with(&result, 0));
        assert_int_equal(result.output_bytes, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_fault_has_its_own_words_and_hint),
        cmocka_unit_test(a_report_tells_pool_block_request_state_and_words_when_they_are_known),
        cmocka_unit_test(a_report_leaves_out_what_is_not_known),
        cmocka_unit_test(the_largest_and_the_smallest_numbers_are_written_right),
        cmocka_unit_test(a_report_that_is_too_long_is_cut_off_at_its_buffers_end),
        cmocka_unit_test(a_failed_assertion_says_that_the_mistake_is_ours_and_where),
        cmocka_unit_test(assertions_are_checked_in_builds_that_have_them_and_not_even_evaluated_in_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
