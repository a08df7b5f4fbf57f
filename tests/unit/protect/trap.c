// SPDX-License-Identifier: MIT
/* trap.c: accesses that are caught in the act: which of them are reported, how, and what becomes of all others. Each in a
 * process of its own, where signals have their default meaning until the test changes it. */
#include "protect/trap.h"

#include "base/options_table.h"
#include "direct/direct.h"
#include "guard/fault.h"
#include "heap/heap.h"
#include "options/options.h"
#include "os/os.h"
#include "pool/pool_map.h"
#include "protect/sampled.h"
#include "protect/tail.h"
#include "support/child.h"
#include "unit/support/threads.h"

#include <signal.h>

#define PATIENCE_SECONDS 120
#define REQUEST ((size_t)96)
#define DIRECT_REQUEST ((size_t)100000)

static size_t page;

static int start(void **state) {
    (void)state;
    dam_start();
    page = dam_os_page_bytes();
    assert_true(dam_sampled_init());
    return 0;
}

/* What a report cannot be without; it is told by the child's stderr. */
static void assert_says(const struct child_result *result, const char *line) {
    if (strstr(result->output, line) != NULL)
        return;
    fprintf(stderr, "\"%s\" is not in:\n%s\n", line, result->output);
    fail();
}

static size_t count_of(const struct child_result *result, const char *words) {
    size_t count = 0;
    for (const char *at = result->output; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

#define REPORT "dam: fault: "

/* ---- The places -------------------------------------------------------------------------------------------------- */

enum place { PAST_END, BEFORE_START, AFTER_FREE, HIDDEN_DIRECT, DIRECT_GUARD, SMALL_POOL_GUARD, GENERAL_POOL_GUARD, PLACE_COUNT };

static char *sampled_block(bool at_end) {
    for (;;) {
        char *block = dam_sampled_alloc(REQUEST, 16);
        CHECK(block != NULL);
        if (is_aligned(block, page) != at_end)
            return block;
        dam_sampled_free(block);
    }
}

static void use_full_guards(void) {
    atomic_store(&dam_settings.guard, GUARD_FULL);
}

static char *block_of_layer(size_t request) {
    bool zeroed;
    char *block = dam_thread_alloc(request + TAIL_BYTES_MIN, 16, &zeroed);
    CHECK(block != NULL);
    return block;
}

/* A block and an address that the program has no business with. */
static char *go_to(enum place place, char **block) {
    struct pool *pool;
    switch (place) {
    case PAST_END:
        *block = sampled_block(true);
        return *block + REQUEST;
    case BEFORE_START:
        *block = sampled_block(false);
        return *block - 1;
    case AFTER_FREE:
        *block = sampled_block(true);
        dam_sampled_free(*block);
        return *block + 5;
    case HIDDEN_DIRECT:
        use_full_guards();
        *block = block_of_layer(DIRECT_REQUEST);
        CHECK(dam_direct_hide(pool_of(*block)));
        return *block + 70000;
    case DIRECT_GUARD:
        use_full_guards();
        *block = block_of_layer(DIRECT_REQUEST);
        return *block + (DIRECT_REQUEST + 2 * TAIL_BYTES_MIN + page - 1) / page * page;
    case SMALL_POOL_GUARD:
    case GENERAL_POOL_GUARD:
        use_full_guards();
        *block = block_of_layer(place == SMALL_POOL_GUARD ? 100 : 5000);
        pool = pool_of(*block);
        CHECK(pool->guard_bytes > 0);
        return pool_start(pool) + pool->bytes;
    case PLACE_COUNT:
        break;
    }
    abort();
}

static volatile char read_value;

static void read_byte(const char *place) {
    read_value = *(const volatile char *)place;
    __asm__ volatile("" : : : "memory");
}

static void write_byte(char *place) {
    *(volatile char *)place = 1;
    __asm__ volatile("" : : : "memory");
}

/* ---- Reports ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *words;
    enum dam_fault_kind kind;
    bool can_continue;
    size_t request; /* 0: no block is known */
    const char *more;
} PLACES[PLACE_COUNT] = {
    [PAST_END] = {"access past the end of a block", DAM_FAULT_ACCESS_PAST_END, true, REQUEST,
                  "live, alone between guard pages\ndam:   0 bytes past the end\n"},
    [BEFORE_START] = {"access before the start of a block", DAM_FAULT_ACCESS_BEFORE_START, true, REQUEST,
                      "live, alone between guard pages\ndam:   1 byte before its start\n"},
    [AFTER_FREE] = {"access to a released block", DAM_FAULT_ACCESS_AFTER_FREE, true, REQUEST,
                    "released, alone between guard pages\ndam:   5 bytes into it\n"},
    [HIDDEN_DIRECT] = {"access to a released block", DAM_FAULT_ACCESS_AFTER_FREE, false, DIRECT_REQUEST,
                       "released, in quarantine\ndam:   70000 bytes into it\n"},
    [DIRECT_GUARD] = {"access past the end of a block", DAM_FAULT_ACCESS_PAST_END, false, DIRECT_REQUEST, "live\ndam:   "},
    [SMALL_POOL_GUARD] = {"access past the end of a block", DAM_FAULT_ACCESS_PAST_END, false, 0,
                          "dam:   this is the guard behind the pool: a block of it was overrun by far\n"},
    [GENERAL_POOL_GUARD] = {"access past the end of a block", DAM_FAULT_ACCESS_PAST_END, false, 0,
                            "dam:   this is the guard behind the pool: a block of it was overrun by far\n"},
};

struct touch {
    enum place place;
    bool writes;
    bool tells_handler;
};

/* What the report must say is known here alone: it comes first, on the same stream. */
static void tell(const struct touch *touch, const char *block, const char *address) {
    char text[200];
    int length = snprintf(text, sizeof text, "%s: %s of 0x%zx\n%s0x%zx\n", PLACES[touch->place].words,
                          touch->writes ? "write" : "read", (uintptr_t)address, "block ", (uintptr_t)block);
    dam_os_write_stderr(text, (size_t)length);
}

static const char *handler_address;
static const char *handler_block;

static void check_info(const struct dam_fault_info *info, void *context) {
    const struct touch *touch = context;
    CHECK(info->kind == PLACES[touch->place].kind);
    CHECK(info->can_continue == PLACES[touch->place].can_continue);
    CHECK(info->address == handler_address);
    CHECK(info->requested_bytes == PLACES[touch->place].request);
    CHECK(PLACES[touch->place].request == 0 || info->block == handler_block);
#if defined(__x86_64__)
    CHECK(strcmp(info->operation, touch->writes ? "write" : "read") == 0);
#endif
    CHECK(info->report_bytes > 0 && memcmp(info->report, REPORT, sizeof REPORT - 1) == 0);
    _exit(5);
}

static void touch_place(void *argument) {
    struct touch *touch = argument;
    char *block = NULL;
    char *address = go_to(touch->place, &block);
    dam_trap_init();
    tell(touch, block, address);
    handler_address = address;
    handler_block = block;
    if (touch->tells_handler)
        dam_fault_set_handler(check_info, touch);
    if (touch->writes)
        write_byte(address);
    else
        read_byte(address);
}

static void assert_reported(const struct child_result *result, enum place place) {
    char *said = strstr(result->output, REPORT);
    assert_non_null(said);
    char *end_of_first_told = strchr(result->output, '\n');
#if defined(__x86_64__)
    size_t length = (size_t)(end_of_first_told - result->output);
    assert_memory_equal(said + sizeof REPORT - 1, result->output, length);
#else
    assert_memory_equal(said + sizeof REPORT - 1, PLACES[place].words, strlen(PLACES[place].words));
#endif
    assert_says(result, PLACES[place].more);
    if (PLACES[place].request == 0)
        return;
    char line[100];
    unsigned long block = strtoul(end_of_first_told + 1 + strlen("block "), NULL, 16);
    CHECK(snprintf(line, sizeof line, "dam:   block at 0x%lx of %zu bytes, requested %zu bytes, ", block,
                   PLACES[place].request, PLACES[place].request) > 0);
    assert_says(result, line);
}

TEST(an_access_to_what_was_made_inaccessible_is_reported_and_ends_the_process) {
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        for (int writes = 0; writes <= 1; writes++) {
            struct touch touch = {.place = place, .writes = writes};
            struct child_result result = child_run(touch_place, &touch, CHILD_STDERR, PATIENCE_SECONDS);
            assert_true(child_was_killed_by(&result, SIGABRT));
            assert_reported(&result, place);
            assert_int_equal(count_of(&result, REPORT), 1);
        }
    }
}

TEST(the_distance_past_the_end_is_counted_from_the_request) {
    struct touch touch = {.place = DIRECT_GUARD};
    struct child_result result = child_run(touch_place, &touch, CHILD_STDERR, PATIENCE_SECONDS);
    char line[100];
    size_t checked = DIRECT_REQUEST + 2 * TAIL_BYTES_MIN;
    CHECK(snprintf(line, sizeof line, "dam:   %zu bytes past the end\n",
                   (checked + page - 1) / page * page - DIRECT_REQUEST) > 0);
    assert_says(&result, line);
}

TEST(a_fault_handler_is_told_what_the_access_was) {
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        for (int writes = 0; writes <= 1; writes++) {
            struct touch touch = {.place = place, .writes = writes, .tells_handler = true};
            struct child_result result = child_run(touch_place, &touch, CHILD_STDERR, PATIENCE_SECONDS);
            assert_true(child_exited_with(&result, 5));
        }
    }
}

/* ---- Going on ---------------------------------------------------------------------------------------------------- */

static void touch_and_go_on(void *argument) {
    struct touch *touch = argument;
    char *block = NULL;
    CHECK(dam_options_set("on_fault", "report") == 0);
    char *address = go_to(touch->place, &block);
    dam_trap_init();
    tell(touch, block, address);
    for (int i = 0; i < 3; i++) {
        if (touch->writes)
            write_byte(address);
        else
            read_byte(address);
    }
    CHECK(touch->writes ? *address == 1 : read_value == 0);
    _exit(6);
}

TEST(with_on_fault_report_a_program_goes_on_after_touching_a_sampled_blocks_surroundings) {
    for (enum place place = PAST_END; place <= AFTER_FREE; place++) {
        for (int writes = 0; writes <= 1; writes++) {
            struct touch touch = {.place = place, .writes = writes};
            struct child_result result = child_run(touch_and_go_on, &touch, CHILD_STDERR, PATIENCE_SECONDS);
            assert_true(child_exited_with(&result, 6));
            assert_reported(&result, place);
            assert_int_equal(count_of(&result, REPORT), 1); /* the page is open then */
        }
    }
}

TEST(it_does_not_go_on_after_touching_what_else_is_guarded) {
    for (enum place place = HIDDEN_DIRECT; place < PLACE_COUNT; place++) {
        struct touch touch = {.place = place, .writes = true};
        struct child_result result = child_run(touch_and_go_on, &touch, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_was_killed_by(&result, SIGABRT));
        assert_reported(&result, place);
        assert_says(&result, "dam:   DAM cannot go on with this, whatever on_fault says\n");
    }
}

static void ignore_and_go_on(void *unused) {
    (void)unused;
    CHECK(dam_options_set("on_fault", "ignore") == 0);
    char *block = NULL;
    char *address = go_to(PAST_END, &block);
    dam_trap_init();
    read_byte(address);
    CHECK(read_value == 0);
    dam_sampled_free(block);
    _exit(6);
}

TEST(with_on_fault_ignore_it_goes_on_without_a_word) {
    struct child_result result = child_run(ignore_and_go_on, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 6));
    assert_int_equal(result.output_bytes, 0);
}

static sigjmp_buf way_out;

static void jump_out(const struct dam_fault_info *info, void *context) {
    (void)info;
    (void)context;
    siglongjmp(way_out, 1);
}

static void jump_out_of_every_report(void *unused) {
    (void)unused;
    dam_trap_init();
    dam_fault_set_handler(jump_out, NULL);
    for (volatile int i = 0; i < 20; i++) {
        char *block = NULL;
        char *address = go_to((enum place)(i % (AFTER_FREE + 1)), &block);
        if (sigsetjmp(way_out, 1) == 0) {
            read_byte(address);
            _exit(7);
        }
    }
    _exit(6);
}

TEST(a_fault_handler_may_leave_by_a_jump_and_the_next_access_is_caught_too) {
    struct child_result result = child_run(jump_out_of_every_report, NULL, CHILD_BOTH, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 6));
}

static void *touch_in_thread(void *address) {
    read_byte(address);
    return NULL;
}

static void touch_from_another_thread(void *unused) {
    (void)unused;
    char *block = NULL;
    char *address = go_to(AFTER_FREE, &block);
    dam_trap_init();
    thread_join(thread_start(touch_in_thread, address));
}

TEST(an_access_by_any_thread_is_caught) {
    struct child_result result = child_run(touch_from_another_thread, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_says(&result, "dam: fault: access to a released block: ");
}

/* ---- What is not ours -------------------------------------------------------------------------------------------- */

enum foreign { NULL_POINTER, NON_CANONICAL, PAGE_OF_THE_PROGRAM, BLOCK_OF_THE_PROGRAM, CODE, FOREIGN_COUNT };

/* An address at which reading (of CODE: writing) is a SIGSEGV that DAM has nothing to do with. */
static char *go_to_foreign(enum foreign foreign) {
    char *own;
    switch (foreign) {
    case NULL_POINTER:
        return opaque_pointer(NULL);
    case NON_CANONICAL:
        return (char *)(uintptr_t)0xdead000000000000; // NOLINT(performance-no-int-to-ptr)
    case PAGE_OF_THE_PROGRAM:
        own = dam_os_map(page, page);
        CHECK(own != NULL && dam_os_protect(own, page, false));
        return own + 10;
    case BLOCK_OF_THE_PROGRAM: /* which it made inaccessible itself */
        own = block_of_layer(DIRECT_REQUEST);
        CHECK(dam_os_protect(own + page, page, false));
        return own + page + 10;
    case CODE:
        return (char *)(uintptr_t)go_to; // NOLINT(performance-no-int-to-ptr)
    case FOREIGN_COUNT:
        break;
    }
    abort();
}

static void touch_foreign_address(enum foreign foreign, char *address) {
    if (foreign == CODE)
        write_byte(address);
    else
        read_byte(address);
}

static void touch_foreign(void *argument) {
    enum foreign foreign = *(const enum foreign *)argument;
    char *address = go_to_foreign(foreign);
    dam_trap_init();
    touch_foreign_address(foreign, address);
}

TEST(any_other_bad_access_ends_the_process_as_ever_and_without_a_word) {
    for (enum foreign foreign = 0; foreign < FOREIGN_COUNT; foreign++) {
        struct child_result result = child_run(touch_foreign, &foreign, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_was_killed_by(&result, SIGSEGV));
        assert_int_equal(result.output_bytes, 0);
    }
}

static const char *expected_address;

static void handle(int number, siginfo_t *info, void *context) {
    CHECK(number == SIGSEGV && info->si_signo == SIGSEGV && context != NULL);
    CHECK(info->si_addr == expected_address);
    _exit(8);
}

static void install_handler(void) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void touch_foreign_with_a_handler(void *argument) {
    enum foreign foreign = *(const enum foreign *)argument;
    char *address = go_to_foreign(foreign);
    install_handler();
    dam_trap_init();
    /* Of such an address the kernel says nothing. */
    expected_address = foreign == NON_CANONICAL ? NULL : address;
    touch_foreign_address(foreign, address);
}

TEST(any_other_bad_access_goes_to_the_handler_that_was_there_before) {
    for (enum foreign foreign = 0; foreign < FOREIGN_COUNT; foreign++) {
        struct child_result result = child_run(touch_foreign_with_a_handler, &foreign, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_exited_with(&result, 8));
        assert_int_equal(result.output_bytes, 0);
    }
}

static void touch_ours_with_a_handler(void *argument) {
    install_handler();
    touch_place(argument);
}

TEST(our_own_are_reported_whoever_handles_the_others) {
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        struct touch touch = {.place = place};
        struct child_result result = child_run(touch_ours_with_a_handler, &touch, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_was_killed_by(&result, SIGABRT));
        assert_reported(&result, place);
    }
}

static void touch_ours_with_a_later_handler(void *unused) {
    (void)unused;
    char *block = NULL;
    char *address = go_to(AFTER_FREE, &block);
    dam_trap_init();
    install_handler();
    expected_address = address;
    read_byte(address);
}

TEST(a_handler_that_the_program_installs_later_takes_the_traps_place) {
    struct child_result result = child_run(touch_ours_with_a_later_handler, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 8));
    assert_int_equal(result.output_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_access_to_what_was_made_inaccessible_is_reported_and_ends_the_process),
        cmocka_unit_test(the_distance_past_the_end_is_counted_from_the_request),
        cmocka_unit_test(a_fault_handler_is_told_what_the_access_was),
        cmocka_unit_test(with_on_fault_report_a_program_goes_on_after_touching_a_sampled_blocks_surroundings),
        cmocka_unit_test(it_does_not_go_on_after_touching_what_else_is_guarded),
        cmocka_unit_test(with_on_fault_ignore_it_goes_on_without_a_word),
        cmocka_unit_test(a_fault_handler_may_leave_by_a_jump_and_the_next_access_is_caught_too),
        cmocka_unit_test(an_access_by_any_thread_is_caught),
        cmocka_unit_test(any_other_bad_access_ends_the_process_as_ever_and_without_a_word),
        cmocka_unit_test(any_other_bad_access_goes_to_the_handler_that_was_there_before),
        cmocka_unit_test(our_own_are_reported_whoever_handles_the_others),
        cmocka_unit_test(a_handler_that_the_program_installs_later_takes_the_traps_place),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
