// SPDX-License-Identifier: MIT
/* fault.c: the report of each kind of fault, to the letter: its lines, their order, what is left out when it is not
 * known; and what follows a report. Which misuse leads to which report is tested where the layers find it. */
#include "guard/fault.h"

#include "guard/message.h"
#include "guard/stack_trace.h"
#include "options/options.h"
#include "unit/support/expect_abort.h"
#include "unit/support/threads.h"

#include <sys/syscall.h>

static void report(void *fault) {
    dam_fault_report(fault);
}

static void report_damage(void *fault) {
    dam_fault_report_damage(fault);
}

#define PLACE ((const void *)(uintptr_t)0x7f0012345670)

/* ---- The whole report -------------------------------------------------------------------------------------------- */

/* What the test was started with, as a shell would be told; its arguments and its path hold plain characters, or the
 * tests here would be of os/proc.c. */
static const char *command_line(void) {
    static char line[512];
    FILE *file = fopen("/proc/self/cmdline", "r");
    assert_non_null(file);
    size_t length = fread(line, 1, sizeof line - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(length > 0);
    for (size_t i = 0; i + 1 < length; i++)
        line[i] = (char)(line[i] == '\0' ? ' ' : line[i]);
    return line;
}

/* What the environment of the tests says about options, and what a report makes of it. */
static void add_next_step_with(struct text *text, const char *option) {
    const char *options = getenv("DAM_OPTIONS");
    bool any = options != NULL && *options != '\0';
    text_add(text, "dam:   to see more, run it again: DAM_OPTIONS=%s%s%s %s\n", any ? options : "", any ? "," : "",
             option, command_line());
}

static void add_next_step(struct text *text) {
    add_next_step_with(text, "guard=full");
}

/* The lines in front of thread and process, those behind, and nothing else but the line to type. */
static void assert_report_is(const struct child_result *result, int thread, const char *first_line, const char *rest) {
    struct text expected = {0};
    text_add(&expected, "%s\ndam:   in thread %d of process %d\n%s", first_line, thread, result->process, rest);
    add_next_step(&expected);
    assert_string_equal(result->output, expected.bytes);
}

static void expect_whole_report(struct dam_fault *fault, const char *first_line, const char *rest) {
    struct child_result result = child_run(report, fault, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_report_is(&result, result.process, first_line, rest);
}

TEST(every_kind_of_fault_has_its_own_words_and_hint) {
    static const struct {
        enum dam_fault_kind kind;
        const char *words;
        const char *hint;
        const char *distance; /* of an access that was trapped */
    } KINDS[] = {
        {DAM_FAULT_DOUBLE_FREE, "double free", HINT_DOUBLE_FREE, ""},
        {DAM_FAULT_FOREIGN_POINTER, "not a DAM pointer", HINT_FOREIGN_POINTER, ""},
        {DAM_FAULT_NOT_A_BLOCK, "not the start of a block", HINT_NOT_A_BLOCK, ""},
        {DAM_FAULT_OVERFLOW, "write past the end of a block", HINT_OVERFLOW, ""},
        {DAM_FAULT_HEADER, "damaged block header", HINT_HEADER, ""},
        {DAM_FAULT_WRITE_AFTER_FREE, "write to a free block", HINT_WRITE_AFTER_FREE, ""},
        {DAM_FAULT_WRONG_SIZE, "wrong size", HINT_WRONG_SIZE, ""},
        {DAM_FAULT_ACCESS_PAST_END, "access past the end of a block", HINT_ACCESS_PAST_END,
         "dam:   24 bytes past the end\n"},
        {DAM_FAULT_ACCESS_BEFORE_START, "access before the start of a block", HINT_ACCESS_BEFORE_START,
         "dam:   24 bytes before its start\n"},
        {DAM_FAULT_ACCESS_AFTER_FREE, "access to a released block", HINT_ACCESS_AFTER_FREE,
         "dam:   24 bytes into it\n"},
    };
#define ONE_MORE(name, words, hint) +1
    assert_int_equal(COUNT_OF(KINDS), 0 DAM_FAULT_TABLE(ONE_MORE));
#undef ONE_MORE
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct dam_fault fault = {.kind = KINDS[i].kind, .operation = "free", .address = PLACE, .distance_bytes = 24};
        struct text first_line = {0};
        struct text rest = {0};
        text_add(&first_line, "dam: fault: %s: free of 0x7f0012345670", KINDS[i].words);
        text_add(&rest, "%sdam:   %s\n", KINDS[i].distance, KINDS[i].hint);
        expect_whole_report(&fault, first_line.bytes, rest.bytes);
    }
}

TEST(a_report_tells_pool_block_request_state_and_words_when_they_are_known) {
    struct dam_fault fault = {
        .kind = DAM_FAULT_WRITE_AFTER_FREE,
        .address = (const void *)(uintptr_t)0x10020,
        .operation = "realloc",
        .layer = DAM_LAYER_GENERAL,
        .pool_start = (const void *)(uintptr_t)0x10000,
        .pool_bytes = 262144,
        .block = (const void *)(uintptr_t)0x10020,
        .block_bytes = 320,
        .requested_bytes = 300,
        .state = "free",
        .has_words = true,
        .expected = 0x123456789abcdef0,
        .found = 0x41,
    };
    expect_whole_report(&fault, "dam: fault: write to a free block: realloc of 0x10020",
                        "dam:   pool of 262144 bytes at 0x10000 (general layer)\n"
                        "dam:   block at 0x10020 of 320 bytes, requested 300 bytes, free\n"
                        "dam:   expected 123456789abcdef0, found 0000000000000041\n"
                        "dam:   a released block was written through a stale pointer\n");
}

TEST(a_report_leaves_out_what_is_not_known) {
    struct dam_fault fault = {
        .kind = DAM_FAULT_NOT_A_BLOCK,
        .address = (const void *)(uintptr_t)0xabc,
        .block = (const void *)(uintptr_t)0xab0,
        .block_bytes = 48,
    };
    expect_whole_report(&fault, "dam: fault: not the start of a block: 0xabc",
                        "dam:   block at 0xab0 of 48 bytes\n"
                        "dam:   the address lies inside a DAM pool, but no block starts there\n");
}

TEST(the_largest_and_the_smallest_numbers_are_written_right) {
    struct dam_fault fault = {
        .kind = DAM_FAULT_WRONG_SIZE,
        .address = NULL,
        .operation = "free_sized",
        .layer = DAM_LAYER_DIRECT,
        .pool_start = (const void *)UINTPTR_MAX, // NOLINT(performance-no-int-to-ptr)
        .pool_bytes = SIZE_MAX,
        .block = PLACE,
        .block_bytes = 1,
        .requested_bytes = 1,
        .has_words = true,
        .expected = UINT64_MAX,
        .found = 0,
    };
    expect_whole_report(&fault, "dam: fault: wrong size: free_sized of 0x0",
                        "dam:   pool of 18446744073709551615 bytes at 0xffffffffffffffff (direct layer)\n"
                        "dam:   block at 0x7f0012345670 of 1 byte, requested 1 byte\n"
                        "dam:   expected ffffffffffffffff, found 0000000000000000\n"
                        "dam:   the size or alignment given at release is not what the block was requested with\n");
}

TEST(every_layer_has_its_own_words) {
    static const struct {
        enum dam_layer layer;
        const char *words;
    } LAYERS[] = {{DAM_LAYER_SMALL, "small layer"},
                  {DAM_LAYER_GENERAL, "general layer"},
                  {DAM_LAYER_DIRECT, "direct layer"},
                  {DAM_LAYER_NONE, "guarded"}};
    for (size_t i = 0; i < COUNT_OF(LAYERS); i++) {
        struct dam_fault fault = {.kind = DAM_FAULT_HEADER,
                                  .address = PLACE,
                                  .layer = LAYERS[i].layer,
                                  .pool_start = (const void *)(uintptr_t)0x50000,
                                  .pool_bytes = 65536};
        struct text rest = {0};
        text_add(&rest, "dam:   pool of 65536 bytes at 0x50000 (%s)\ndam:   " HINT_HEADER "\n", LAYERS[i].words);
        expect_whole_report(&fault, "dam: fault: damaged block header: 0x7f0012345670", rest.bytes);
    }
}

/* ---- The changed bytes ------------------------------------------------------------------------------------------- */

static struct dam_fault overflow_showing(const void *place, const void *should_be, size_t bytes) {
    struct dam_fault fault = {.kind = DAM_FAULT_OVERFLOW, .operation = "free", .address = PLACE};
    dam_fault_show_bytes(&fault, place, should_be, bytes);
    return fault;
}

#define OVERFLOW_LINE "dam: fault: write past the end of a block: free of 0x7f0012345670"

TEST(changed_bytes_are_shown_with_those_that_should_stand_there_and_marked) {
    static const unsigned char FOUND[] = {0x0f, 0x41, 0x42, 0x00, 0xaa, 0xbb, 0xcc, 0xff};
    static const unsigned char SHOULD_BE[] = {0x0f, 0x10, 0x42, 0xa0, 0xaa, 0xbb, 0xcc, 0xfe};
    struct dam_fault fault = overflow_showing(FOUND, SHOULD_BE, sizeof FOUND);
    struct text rest = {0};
    text_add(&rest,
             "dam:   at 0x%zx:\n"
             "dam:     expected  0f 10 42 a0 aa bb cc fe\n"
             "dam:     found     0f 41 42 00 aa bb cc ff\n"
             "dam:     changed      ^^    ^^          ^^\n"
             "dam:   the bytes behind the requested size were changed\n",
             (uintptr_t)FOUND);
    expect_whole_report(&fault, OVERFLOW_LINE, rest.bytes);
}

TEST(changed_bytes_come_in_rows_of_sixteen_each_at_its_address) {
    static unsigned char found[20];
    static unsigned char should_be[20];
    for (size_t i = 0; i < sizeof found; i++)
        should_be[i] = found[i] = (unsigned char)i;
    found[16] = 0xee;
    struct dam_fault fault = overflow_showing(found, should_be, sizeof found);
    struct text rest = {0};
    text_add(&rest,
             "dam:   at 0x%zx:\n"
             "dam:     expected  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n"
             "dam:     found     00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n"
             "dam:     changed                                                  \n"
             "dam:   at 0x%zx:\n"
             "dam:     expected  10 11 12 13\n"
             "dam:     found     ee 11 12 13\n"
             "dam:     changed   ^^         \n"
             "dam:   the bytes behind the requested size were changed\n",
             (uintptr_t)found, (uintptr_t)found + 16);
    expect_whole_report(&fault, OVERFLOW_LINE, rest.bytes);
}

TEST(behind_the_first_row_only_those_with_changes_are_shown_and_no_more_bytes_than_there_is_room_for) {
    static unsigned char found[FAULT_SHOWN_BYTES_MAX + 100];
    static unsigned char should_be[sizeof found];
    found[FAULT_SHOWN_BYTES_MAX - 1] = 1;
    found[FAULT_SHOWN_BYTES_MAX] = 2;
    struct dam_fault fault = overflow_showing(found, should_be, sizeof found);
    assert_int_equal(fault.damaged_bytes, FAULT_SHOWN_BYTES_MAX);
    struct text rest = {0};
    report_bytes(&rest, found, should_be, found, 16);
    size_t last = FAULT_SHOWN_BYTES_MAX - 16;
    report_bytes(&rest, found + last, should_be + last, found + last, 16);
    text_add(&rest, "dam:   the bytes behind the requested size were changed\n");
    expect_whole_report(&fault, OVERFLOW_LINE, rest.bytes);
}

/* ---- What else may be known -------------------------------------------------------------------------------------- */

TEST(the_block_in_front_is_named_with_its_request_if_that_is_known) {
    struct dam_fault fault = {.kind = DAM_FAULT_HEADER, .operation = "free", .address = PLACE};
    fault.in_front = (struct fault_neighbour){(const void *)(uintptr_t)0x7f0012345000, 1640, "live"};
    static const char FIRST_LINE[] = "dam: fault: damaged block header: free of 0x7f0012345670";
    expect_whole_report(
        &fault, FIRST_LINE,
        "dam:   in front of it: block at 0x7f0012345000, requested 1640 bytes, live; it most likely ran over\n"
        "dam:   " HINT_HEADER "\n");
    fault.in_front.requested_bytes = 0;
    fault.in_front.state = "free";
    expect_whole_report(&fault, FIRST_LINE,
                        "dam:   in front of it: block at 0x7f0012345000, free; it most likely ran over\n"
                        "dam:   " HINT_HEADER "\n");
}

/* An address in a file that is mapped, and how a stack names it: by what /proc says, read here once more. */
static void add_frame(struct text *text, unsigned number, uintptr_t address) {
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    char line[4200];
    bool found = false;
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        char *rest; /* "start-end permissions offset device inode path" */
        uintptr_t start = strtoul(line, &rest, 16);
        uintptr_t end = strtoul(rest + 1, &rest, 16);
        uintptr_t offset = strtoul(rest + strlen(" r-xp "), &rest, 16);
        found = address >= start && address < end;
        if (!found)
            continue;
        char *path = strchr(rest, '/');
        assert_non_null(path);
        path[strcspn(path, "\n")] = '\0';
        text_add(text, "dam:     #%u 0x%zx (%.159s+0x%zx)\n", number, address, path, address - start + offset);
    }
    assert_true(found);
    assert_int_equal(fclose(maps), 0);
}

TEST(stacks_name_their_threads_and_each_frames_place_in_its_file) {
    struct stack_trace allocated = {.thread_id = 4242, .depth = 2};
    allocated.frames[0] = (void *)(uintptr_t)report;
    allocated.frames[1] = (void *)(uintptr_t)command_line;
    struct stack_trace released = {.thread_id = 17, .depth = 1};
    released.frames[0] = (void *)(uintptr_t)8; /* in no file */
    struct dam_fault fault = {.kind = DAM_FAULT_DOUBLE_FREE, .operation = "free", .address = PLACE};
    fault.allocated_by = &allocated;
    fault.released_by = &released;
    struct text rest = {0};
    text_add(&rest, "dam:   allocated by thread 4242:\n");
    add_frame(&rest, 0, (uintptr_t)report);
    add_frame(&rest, 1, (uintptr_t)command_line);
    text_add(&rest, "dam:   released by thread 17:\n"
                    "dam:     #0 0x8\n"
                    "dam:   " HINT_DOUBLE_FREE "\n");
    expect_whole_report(&fault, "dam: fault: double free: free of 0x7f0012345670", rest.bytes);
}

static const struct stack_trace *found_stacks[2];

static void find_stacks(const void *block, const struct stack_trace **allocated_by,
                        const struct stack_trace **released_by) {
    CHECK(block == PLACE);
    *allocated_by = found_stacks[0];
    *released_by = found_stacks[1];
}

static void report_with_finder(void *fault) {
    dam_fault_set_stack_finder(find_stacks);
    dam_fault_report(fault);
}

static void expect_stacks(struct dam_fault *fault, const char *stacks) {
    struct child_result result = child_run(report_with_finder, fault, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    struct text rest = {0};
    if (fault->block != NULL)
        text_add(&rest, "dam:   block at 0x7f0012345670 of 0 bytes\n");
    text_add(&rest, "%sdam:   " HINT_DOUBLE_FREE "\n", stacks);
    assert_report_is(&result, result.process, "dam: fault: double free: free of 0x7f0012345670", rest.bytes);
}

TEST(whoever_records_stacks_is_asked_for_those_of_the_block_unless_the_fault_brings_its_own) {
    struct stack_trace stack = {.thread_id = 7, .depth = 1};
    struct stack_trace other = {.thread_id = 9, .depth = 1};
    stack.frames[0] = other.frames[0] = (void *)(uintptr_t)0x10;
    struct dam_fault fault = {.kind = DAM_FAULT_DOUBLE_FREE, .operation = "free", .address = PLACE, .block = PLACE};
    expect_stacks(&fault, "");
    found_stacks[0] = &stack;
    expect_stacks(&fault, "dam:   allocated by thread 7:\ndam:     #0 0x10\n");
    found_stacks[1] = &other;
    expect_stacks(&fault,
                  "dam:   allocated by thread 7:\ndam:     #0 0x10\ndam:   released by thread 9:\ndam:     #0 0x10\n");
    fault.allocated_by = &other;
    expect_stacks(&fault, "dam:   allocated by thread 9:\ndam:     #0 0x10\n");
    fault.allocated_by = NULL;
    fault.block = NULL; /* nobody knows of which */
    expect_stacks(&fault, "");
}

TEST(a_stack_without_frames_is_left_out) {
    static const struct stack_trace EMPTY = {.thread_id = 4242, .depth = 0};
    struct dam_fault fault = {
        .kind = DAM_FAULT_DOUBLE_FREE, .operation = "free", .address = PLACE, .allocated_by = &EMPTY};
    expect_whole_report(&fault, "dam: fault: double free: free of 0x7f0012345670", "dam:   " HINT_DOUBLE_FREE "\n");
}

TEST(all_that_can_be_known_comes_in_this_order) {
    static const unsigned char FOUND[] = {1};
    static const unsigned char SHOULD_BE[] = {2};
    struct stack_trace stack = {.thread_id = 1, .depth = 1};
    stack.frames[0] = (void *)(uintptr_t)0x10;
    struct dam_fault fault = {
        .kind = DAM_FAULT_OVERFLOW,
        .operation = "free",
        .address = PLACE,
        .layer = DAM_LAYER_SMALL,
        .pool_start = (const void *)(uintptr_t)0x10000,
        .pool_bytes = 65536,
        .block = PLACE,
        .block_bytes = 64,
        .requested_bytes = 60,
        .state = "live",
        .has_words = true,
        .expected = 1,
        .found = 2,
        .in_front = {(const void *)(uintptr_t)0x10040, 30, "live"},
        .detail = "one sentence more",
        .allocated_by = &stack,
        .released_by = &stack,
    };
    dam_fault_show_bytes(&fault, FOUND, SHOULD_BE, 1);
    struct text rest = {0};
    text_add(&rest,
             "dam:   pool of 65536 bytes at 0x10000 (small layer)\n"
             "dam:   block at 0x7f0012345670 of 64 bytes, requested 60 bytes, live\n"
             "dam:   expected 0000000000000001, found 0000000000000002\n"
             "dam:   at 0x%zx:\n"
             "dam:     expected  02\n"
             "dam:     found     01\n"
             "dam:     changed   ^^\n"
             "dam:   in front of it: block at 0x10040, requested 30 bytes, live; it most likely ran over\n"
             "dam:   one sentence more\n"
             "dam:   allocated by thread 1:\n"
             "dam:     #0 0x10\n"
             "dam:   released by thread 1:\n"
             "dam:     #0 0x10\n"
             "dam:   the bytes behind the requested size were changed\n",
             (uintptr_t)FOUND);
    expect_whole_report(&fault, OVERFLOW_LINE, rest.bytes);
}

/* ---- Thread, options, and the end of the buffer -------------------------------------------------------------------
 */

static const struct dam_fault plain_fault = {.kind = DAM_FAULT_DOUBLE_FREE, .operation = "free", .address = PLACE};

#define PLAIN_LINE "dam: fault: double free: free of 0x7f0012345670"
#define PLAIN_REST "dam:   " HINT_DOUBLE_FREE "\n"

static void *say_who_and_report(void *unused) {
    char number[20];
    int length = snprintf(number, sizeof number, "%d\n", (int)syscall(SYS_gettid));
    CHECK(write(STDERR_FILENO, number, (size_t)length) == length);
    dam_fault_report(&plain_fault);
    return unused;
}

static void report_in_thread(void *unused) {
    thread_join(thread_start(say_who_and_report, unused));
}

TEST(the_thread_is_the_one_that_met_the_fault) {
    struct child_result result = child_run(report_in_thread, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    char *rest;
    long thread = strtol(result.output, &rest, 10);
    assert_true(thread > 0 && thread != result.process && *rest == '\n');
    memmove(result.output, rest + 1, strlen(rest));
    assert_report_is(&result, (int)thread, PLAIN_LINE, PLAIN_REST);
}

static void report_with_options(void *options) {
    if (options == NULL)
        CHECK(unsetenv("DAM_OPTIONS") == 0);
    else
        CHECK(setenv("DAM_OPTIONS", options, 1) == 0);
    dam_fault_report(&plain_fault);
}

static void expect_next_step(const char *options, const char *repeated) {
    char *copy = options == NULL ? NULL : strdup(options);
    struct child_result result = child_run(report_with_options, copy, CHILD_STDERR, PATIENCE_SECONDS);
    free(copy);
    assert_true(child_was_killed_by(&result, SIGABRT));
    struct text expected = {0};
    text_add(&expected, "%s\ndam:   in thread %d of process %d\n%s", PLAIN_LINE, result.process, result.process,
             PLAIN_REST);
    text_add(&expected, "dam:   to see more, run it again: DAM_OPTIONS=%s %s\n", repeated, command_line());
    assert_string_equal(result.output, expected.bytes);
}

TEST(options_that_are_set_already_stay_in_the_line_to_type) {
    expect_next_step(NULL, "guard=full");
    expect_next_step("", "guard=full");
    expect_next_step("purge_delay_ms=5,size_classes=pow2", "purge_delay_ms=5,size_classes=pow2,guard=full");
    expect_next_step("guard=tail", "guard=tail,guard=full"); /* the last one counts */
}

/* Takes the stack of whoever met the fault out of the report, where it must be. */
static void take_out_own_stack(struct child_result *result) {
    char beginning[60];
    assert_true(snprintf(beginning, sizeof beginning, "dam:   found in thread %d:\n", result->process) > 0);
    char *stack = strstr(result->output, beginning);
    assert_non_null(stack);
    char *behind = stack + strlen(beginning);
    unsigned frames = 0;
    for (;; frames++) {
        assert_true(snprintf(beginning, sizeof beginning, "dam:     #%u 0x", frames) > 0);
        if (strncmp(behind, beginning, strlen(beginning)) != 0)
            break;
        behind = strchr(behind, '\n') + 1;
    }
    assert_true(frames > 2);
    memmove(stack, behind, strlen(behind) + 1);
}

/* 0: with as many stacks as by default. */
static void report_under_full_guard(void *stack_every) {
    atomic_store(&dam_settings.guard, GUARD_FULL);
    if (*(uint64_t *)stack_every != 0)
        atomic_store(&dam_settings.stack_every, *(uint64_t *)stack_every);
    dam_fault_report(&plain_fault);
}

TEST(under_full_guard_the_callers_stack_is_shown_and_with_all_stacks_there_is_no_more_to_see) {
    for (uint64_t stack_every = 0; stack_every <= 2; stack_every++) {
        struct child_result result = child_run(report_under_full_guard, &stack_every, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_was_killed_by(&result, SIGABRT));
        take_out_own_stack(&result);
        struct text expected = {0};
        text_add(&expected, "%s\ndam:   in thread %d of process %d\n%s", PLAIN_LINE, result.process, result.process,
                 PLAIN_REST);
        if (stack_every != 1)
            add_next_step_with(&expected, "stack_every=1");
        assert_string_equal(result.output, expected.bytes);
    }
}

static void report_while_sampling(void *fault) {
    atomic_store(&dam_settings.sample_every, 1000);
    dam_fault_report(fault);
}

TEST(with_sampling_the_callers_stack_is_shown_too) {
    struct dam_fault fault = plain_fault;
    struct child_result result = child_run(report_while_sampling, &fault, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    take_out_own_stack(&result);
    assert_report_is(&result, result.process, PLAIN_LINE, PLAIN_REST);
}

static void report_without_guard(void *fault) {
    atomic_store(&dam_settings.guard, GUARD_OFF);
    dam_fault_report(fault);
}

TEST(without_any_guard_no_call_is_faulty) {
    struct dam_fault fault = plain_fault;
    struct child_result result = child_run(report_without_guard, &fault, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    assert_int_equal(result.output_bytes, 0);
}

/* The buffer is on the stack and of fixed size: text that is too long is cut off, and nothing is written beside it. */
TEST(a_report_that_is_too_long_is_cut_off_at_its_buffers_end) {
    static char operation[MESSAGE_BYTES_MAX + 900];
    memset(operation, 'o', sizeof operation - 1);
    struct dam_fault fault = {.kind = DAM_FAULT_HEADER, .operation = operation, .address = PLACE};
    struct child_result result = child_run(report, &fault, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    static const char BEGINNING[] = "dam: fault: damaged block header: oooo";
    assert_int_equal(result.output_bytes, MESSAGE_BYTES_MAX);
    assert_memory_equal(result.output, BEGINNING, sizeof BEGINNING - 1);
    assert_int_equal(result.output[MESSAGE_BYTES_MAX - 1], 'o');
}

/* ---- What follows ------------------------------------------------------------------------------------------------ */

/* Set in the child before the fault: the option, and whether there is a handler, which says what it was told. */
struct choice {
    const char *on_fault;
    bool has_handler;
    bool is_damage;
};

static void say(const char *text) {
    CHECK(write(STDERR_FILENO, text, strlen(text)) == (ssize_t)strlen(text));
}

static void tell_handler(const struct dam_fault_info *info, void *context) {
    CHECK(info->struct_bytes == sizeof *info);
    CHECK(context == &plain_fault);
    CHECK(info->kind == DAM_FAULT_DOUBLE_FREE && info->address == PLACE);
    CHECK(memcmp(info->report, PLAIN_LINE "\n", strlen(PLAIN_LINE) + 1) == 0);
    say(info->can_continue ? "told that it can go on\n" : "told that it ends\n");
    errno = 999;
}

static void choose_and_report(void *argument) {
    const struct choice *choice = argument;
    CHECK(dam_options_set("on_fault", choice->on_fault) == 0);
    if (choice->has_handler)
        dam_fault_set_handler(tell_handler, (void *)(uintptr_t)&plain_fault); // NOLINT(performance-no-int-to-ptr)
    struct dam_fault fault = plain_fault;
    errno = ERRNO_MARK;
    if (choice->is_damage)
        report_damage(&fault);
    report(&fault);
    CHECK(errno == ERRNO_MARK);
    say("went on\n");
}

/* The report, if there is to be one, and what comes behind it. */
static void assert_said(const struct child_result *result, bool reports, const char *behind) {
    struct text expected = {0};
    if (reports) {
        text_add(&expected, "%s\ndam:   in thread %d of process %d\n%s", PLAIN_LINE, result->process, result->process,
                 PLAIN_REST);
        add_next_step(&expected);
    }
    text_add(&expected, "%s", behind);
    assert_string_equal(result->output, expected.bytes);
}

TEST(what_follows_a_faulty_call_is_the_programs_choice) {
    static const struct {
        struct choice choice;
        bool reports;
        bool aborts;
        const char *behind;
    } CASES[] = {
        {{"abort", false, false}, true, true, ""},
        {{"abort", true, false}, true, false, "told that it can go on\nwent on\n"},
        {{"report", false, false}, true, false, "went on\n"},
        {{"report", true, false}, true, false, "told that it can go on\nwent on\n"},
        {{"ignore", false, false}, false, false, "went on\n"},
        {{"ignore", true, false}, false, false, "went on\n"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct choice choice = CASES[i].choice;
        struct child_result result = child_run(choose_and_report, &choice, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(CASES[i].aborts ? child_was_killed_by(&result, SIGABRT) : child_exited_with(&result, 0));
        assert_said(&result, CASES[i].reports, CASES[i].behind);
    }
}

#define LAST_WORDS "dam:   DAM cannot go on with this, whatever on_fault says\n"

TEST(damage_that_dam_cannot_go_on_with_ends_the_process_whatever_was_chosen) {
    static const struct {
        struct choice choice;
        const char *behind;
    } CASES[] = {
        {{"abort", false, true}, ""},
        {{"abort", true, true}, "told that it ends\n"},
        {{"report", false, true}, LAST_WORDS}, /* what was asked for is not done, so it says so */
        {{"report", true, true}, LAST_WORDS "told that it ends\n"},
        {{"ignore", false, true}, LAST_WORDS},
        {{"ignore", true, true}, LAST_WORDS "told that it ends\n"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct choice choice = CASES[i].choice;
        struct child_result result = child_run(choose_and_report, &choice, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_was_killed_by(&result, SIGABRT));
        assert_said(&result, true, CASES[i].behind);
    }
}

static void set_and_unset_handler(void *argument) {
    (void)argument;
    dam_fault_set_handler(tell_handler, (void *)(uintptr_t)&plain_fault); // NOLINT(performance-no-int-to-ptr)
    dam_fault_set_handler(NULL, NULL);
    dam_fault_report(&plain_fault);
}

TEST(a_handler_that_was_taken_away_is_not_called) {
    struct child_result result = child_run(set_and_unset_handler, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_said(&result, true, "");
}

/* ---- Assertions: our own mistakes -------------------------------------------------------------------------------- */

static void fail_assertion(void *argument) {
    (void)argument;
    dam_assertion_failed("left == right", "src/some/file.c", 4321);
}

TEST(a_failed_assertion_says_that_the_mistake_is_ours_and_where) {
    struct text expected = {0};
    text_add(&expected, "dam: assertion failed (a bug in DAM itself): left == right at src/some/file.c:4321\n");
    expect_abort_saying_just(fail_assertion, NULL, &expected);
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
        cmocka_unit_test(every_layer_has_its_own_words),
        cmocka_unit_test(changed_bytes_are_shown_with_those_that_should_stand_there_and_marked),
        cmocka_unit_test(changed_bytes_come_in_rows_of_sixteen_each_at_its_address),
        cmocka_unit_test(
            behind_the_first_row_only_those_with_changes_are_shown_and_no_more_bytes_than_there_is_room_for),
        cmocka_unit_test(the_block_in_front_is_named_with_its_request_if_that_is_known),
        cmocka_unit_test(stacks_name_their_threads_and_each_frames_place_in_its_file),
        cmocka_unit_test(whoever_records_stacks_is_asked_for_those_of_the_block_unless_the_fault_brings_its_own),
        cmocka_unit_test(a_stack_without_frames_is_left_out),
        cmocka_unit_test(all_that_can_be_known_comes_in_this_order),
        cmocka_unit_test(the_thread_is_the_one_that_met_the_fault),
        cmocka_unit_test(options_that_are_set_already_stay_in_the_line_to_type),
        cmocka_unit_test(under_full_guard_the_callers_stack_is_shown_and_with_all_stacks_there_is_no_more_to_see),
        cmocka_unit_test(with_sampling_the_callers_stack_is_shown_too),
        cmocka_unit_test(without_any_guard_no_call_is_faulty),
        cmocka_unit_test(a_report_that_is_too_long_is_cut_off_at_its_buffers_end),
        cmocka_unit_test(what_follows_a_faulty_call_is_the_programs_choice),
        cmocka_unit_test(damage_that_dam_cannot_go_on_with_ends_the_process_whatever_was_chosen),
        cmocka_unit_test(a_handler_that_was_taken_away_is_not_called),
        cmocka_unit_test(a_failed_assertion_says_that_the_mistake_is_ours_and_where),
        cmocka_unit_test(assertions_are_checked_in_builds_that_have_them_and_not_even_evaluated_in_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
