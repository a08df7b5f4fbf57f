// SPDX-License-Identifier: MIT
/* signal.c: bad accesses go to the watcher first, and then to where they would have gone without it. Each in a process of its
 * own, in which signals have their default meaning until the test changes it. */
#include "os/os.h"

#include "support/child.h"
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#define PATIENCE_SECONDS 120

/* What the watcher and the handlers saw; told by the child on stderr only if it is wrong. */
static struct {
    size_t watched;
    const void *address;
    enum access_kind kind;
    bool was_on_given_stack;
    size_t handled;
    int number;
    siginfo_t info;
    void *context;
} seen;

static char *page; /* inaccessible */
static size_t page_bytes;
static char *given_stack;

#define GIVEN_STACK_BYTES (64 * KIB)

static void make_inaccessible_page(void) {
    page_bytes = dam_os_page_bytes();
    page = dam_os_map(page_bytes, page_bytes);
    CHECK(page != NULL && dam_os_protect(page, page_bytes, false));
}

/* What the handlers wrote meanwhile is to be read anew. */
static void forget_what_is_known(void) {
    __asm__ volatile("" : : : "memory");
}

static char read_byte(const char *place) {
    char value = *(const volatile char *)place;
    forget_what_is_known();
    return value;
}

static void write_byte(char *place, char value) {
    *(volatile char *)place = value;
    forget_what_is_known();
}

/* ---- Watchers and handlers --------------------------------------------------------------------------------------- */

static void note_access(const void *address, enum access_kind kind) {
    char here;
    seen.watched++;
    seen.address = address;
    seen.kind = kind;
    seen.was_on_given_stack = given_stack != NULL && &here >= given_stack && &here < given_stack + GIVEN_STACK_BYTES;
    errno = 99;
}

static bool allow(const void *address, enum access_kind kind) {
    note_access(address, kind);
    CHECK(dam_os_protect(page, page_bytes, true));
    return true;
}

static bool decline(const void *address, enum access_kind kind) {
    note_access(address, kind);
    return false;
}

static sigjmp_buf way_out;

static void handle_plainly(int number) {
    seen.handled++;
    seen.number = number;
    siglongjmp(way_out, 1);
}

static void handle_with_info(int number, siginfo_t *info, void *context) {
    seen.handled++;
    seen.number = number;
    seen.info = *info;
    seen.context = context;
    siglongjmp(way_out, 1);
}

static void set_handler(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void set_handler_with_info(int number) {
    struct sigaction action = {.sa_sigaction = handle_with_info, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(number, &action, NULL) == 0);
}

/* The first byte behind the end of a file: a SIGBUS. */
static const char *place_behind_a_file(void) {
    FILE *file = tmpfile();
    CHECK(file != NULL);
    char *place = mmap(NULL, dam_os_page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    CHECK(place != MAP_FAILED);
    return place;
}

static void expect(void (*body)(void *)) {
    struct child_result result = child_run(body, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    assert_int_equal(result.output_bytes, 0);
}

static void expect_death_by(void (*body)(void *), int number) {
    struct child_result result = child_run(body, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, number));
    assert_int_equal(result.output_bytes, 0);
}

/* ---- The watcher ------------------------------------------------------------------------------------------------- */

static void access_what_the_watcher_allows(void *unused) {
    (void)unused;
    make_inaccessible_page();
    dam_os_watch_bad_accesses(allow);
    errno = ERRNO_MARK;
    CHECK(read_byte(page + 17) == 0);
    CHECK(seen.watched == 1 && seen.address == page + 17);
    CHECK(dam_os_protect(page, page_bytes, false));
    write_byte(page + 40, 'w');
    CHECK(page[40] == 'w');
    CHECK(seen.watched == 2 && seen.address == page + 40);
    CHECK(errno == ERRNO_MARK);
}

TEST(an_access_that_the_watcher_allows_is_tried_again_and_keeps_errno) {
    expect(access_what_the_watcher_allows);
}

static void look_at_kinds(void *unused) {
    (void)unused;
    make_inaccessible_page();
    dam_os_watch_bad_accesses(allow);
    (void)read_byte(page);
#if defined(__x86_64__)
    CHECK(seen.kind == ACCESS_READ);
#else
    CHECK(seen.kind == ACCESS_UNKNOWN);
#endif
    CHECK(dam_os_protect(page, page_bytes, false));
    write_byte(page, 1);
#if defined(__x86_64__)
    CHECK(seen.kind == ACCESS_WRITE);
#else
    CHECK(seen.kind == ACCESS_UNKNOWN);
#endif
}

TEST(reads_and_writes_are_told_apart_where_the_processor_tells) {
    expect(look_at_kinds);
}

static void watch_on_a_given_stack(void *unused) {
    (void)unused;
    make_inaccessible_page();
    given_stack = dam_os_map(GIVEN_STACK_BYTES, page_bytes);
    CHECK(given_stack != NULL);
    stack_t stack = {.ss_sp = given_stack, .ss_size = GIVEN_STACK_BYTES};
    CHECK(sigaltstack(&stack, NULL) == 0);
    dam_os_watch_bad_accesses(allow);
    (void)read_byte(page);
    CHECK(seen.watched == 1 && seen.was_on_given_stack);
}

TEST(the_watcher_runs_on_the_threads_signal_stack_if_it_has_one) {
    expect(watch_on_a_given_stack);
}

static bool decline_after_a_bad_access_of_its_own(const void *address, enum access_kind kind) {
    note_access(address, kind);
    if (seen.watched == 1)
        (void)read_byte(page + 1);
    return false;
}

static void watch_badly(void *unused) {
    (void)unused;
    make_inaccessible_page();
    dam_os_watch_bad_accesses(decline_after_a_bad_access_of_its_own);
    (void)read_byte(page);
}

TEST(a_bad_access_of_the_watchers_own_ends_the_process_and_does_not_hang) {
    expect_death_by(watch_badly, SIGSEGV);
}

/* ---- Passing on -------------------------------------------------------------------------------------------------- */

static void pass_on_to_handler_with_info(void *unused) {
    (void)unused;
    make_inaccessible_page();
    set_handler_with_info(SIGSEGV);
    dam_os_watch_bad_accesses(decline);
    if (sigsetjmp(way_out, 1) == 0)
        write_byte(page + 123, 1);
    CHECK(seen.watched == 1 && seen.handled == 1);
    CHECK(seen.number == SIGSEGV && seen.info.si_signo == SIGSEGV);
    CHECK(seen.info.si_code == SEGV_ACCERR && seen.info.si_addr == page + 123);
    CHECK(seen.context != NULL);
}

TEST(a_handler_that_asked_for_it_gets_what_the_kernel_said) {
    expect(pass_on_to_handler_with_info);
}

static void pass_on_to_plain_handler(void *unused) {
    (void)unused;
    make_inaccessible_page();
    set_handler(SIGSEGV, handle_plainly);
    dam_os_watch_bad_accesses(decline);
    if (sigsetjmp(way_out, 1) == 0)
        (void)read_byte(page);
    CHECK(seen.watched == 1 && seen.handled == 1 && seen.number == SIGSEGV);
}

TEST(a_plain_handler_gets_the_signals_number) {
    expect(pass_on_to_plain_handler);
}

static void pass_on_again_and_again(void *unused) {
    (void)unused;
    make_inaccessible_page();
    set_handler_with_info(SIGSEGV);
    dam_os_watch_bad_accesses(decline);
    for (volatile size_t i = 0; i < 100; i++) {
        if (sigsetjmp(way_out, 1) == 0)
            (void)read_byte(page + i);
        CHECK(seen.watched == i + 1 && seen.handled == i + 1 && seen.info.si_addr == page + i);
    }
}

TEST(a_handler_may_leave_by_a_jump_and_is_called_the_next_time_too) {
    expect(pass_on_again_and_again);
}

static void pass_on_bus_error(void *unused) {
    (void)unused;
    const char *place = place_behind_a_file();
    set_handler_with_info(SIGBUS);
    set_handler(SIGSEGV, handle_plainly);
    dam_os_watch_bad_accesses(decline);
    if (sigsetjmp(way_out, 1) == 0)
        (void)read_byte(place);
    CHECK(seen.watched == 1 && seen.address == place);
    CHECK(seen.handled == 1 && seen.number == SIGBUS && seen.info.si_addr == place);
}

TEST(a_bus_error_goes_to_its_own_handler) {
    expect(pass_on_bus_error);
}

static void pass_on_to_nobody(void *unused) {
    (void)unused;
    make_inaccessible_page();
    dam_os_watch_bad_accesses(decline);
    (void)read_byte(page);
}

static void pass_bus_error_on_to_nobody(void *unused) {
    (void)unused;
    const char *place = place_behind_a_file();
    dam_os_watch_bad_accesses(decline);
    (void)read_byte(place);
}

TEST(without_a_handler_the_process_ends_by_the_signal_as_ever) {
    expect_death_by(pass_on_to_nobody, SIGSEGV);
    expect_death_by(pass_bus_error_on_to_nobody, SIGBUS);
}

/* What some programs leave behind when they restore what they found. */
static void pass_on_to_default_with_info(void *unused) {
    (void)unused;
    make_inaccessible_page();
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    dam_os_watch_bad_accesses(decline);
    (void)read_byte(page);
}

TEST(a_default_whose_flags_promise_information_is_the_default) {
    expect_death_by(pass_on_to_default_with_info, SIGSEGV);
}

static void pass_on_to_one_who_ignores(void *unused) {
    (void)unused;
    make_inaccessible_page();
    set_handler(SIGSEGV, SIG_IGN);
    dam_os_watch_bad_accesses(decline);
    (void)read_byte(page);
}

TEST(a_bad_access_cannot_be_ignored) {
    expect_death_by(pass_on_to_one_who_ignores, SIGSEGV);
}

/* ---- Signals that somebody sent ---------------------------------------------------------------------------------- */

static void send_to_handler(void *unused) {
    (void)unused;
    set_handler_with_info(SIGSEGV);
    dam_os_watch_bad_accesses(decline);
    if (sigsetjmp(way_out, 1) == 0)
        CHECK(kill(getpid(), SIGSEGV) == 0);
    CHECK(seen.watched == 0 && seen.handled == 1);
    CHECK(seen.info.si_code == SI_USER && seen.info.si_pid == getpid());
}

TEST(a_signal_that_was_sent_is_no_access_and_goes_to_the_handler) {
    expect(send_to_handler);
}

static void send_to_nobody(void *unused) {
    (void)unused;
    dam_os_watch_bad_accesses(decline);
    CHECK(kill(getpid(), SIGSEGV) == 0);
    CHECK(false); /* not to be reached */
}

TEST(a_signal_that_was_sent_ends_a_process_without_a_handler) {
    expect_death_by(send_to_nobody, SIGSEGV);
}

static void send_to_one_who_ignores(void *unused) {
    (void)unused;
    set_handler(SIGSEGV, SIG_IGN);
    set_handler(SIGBUS, SIG_IGN);
    dam_os_watch_bad_accesses(decline);
    for (int i = 0; i < 3; i++)
        CHECK(kill(getpid(), SIGSEGV) == 0 && kill(getpid(), SIGBUS) == 0);
    CHECK(seen.watched == 0);
}

TEST(a_signal_that_was_sent_can_be_ignored) {
    expect(send_to_one_who_ignores);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_access_that_the_watcher_allows_is_tried_again_and_keeps_errno),
        cmocka_unit_test(reads_and_writes_are_told_apart_where_the_processor_tells),
        cmocka_unit_test(the_watcher_runs_on_the_threads_signal_stack_if_it_has_one),
        cmocka_unit_test(a_bad_access_of_the_watchers_own_ends_the_process_and_does_not_hang),
        cmocka_unit_test(a_handler_that_asked_for_it_gets_what_the_kernel_said),
        cmocka_unit_test(a_plain_handler_gets_the_signals_number),
        cmocka_unit_test(a_handler_may_leave_by_a_jump_and_is_called_the_next_time_too),
        cmocka_unit_test(a_bus_error_goes_to_its_own_handler),
        cmocka_unit_test(without_a_handler_the_process_ends_by_the_signal_as_ever),
        cmocka_unit_test(a_default_whose_flags_promise_information_is_the_default),
        cmocka_unit_test(a_bad_access_cannot_be_ignored),
        cmocka_unit_test(a_signal_that_was_sent_is_no_access_and_goes_to_the_handler),
        cmocka_unit_test(a_signal_that_was_sent_ends_a_process_without_a_handler),
        cmocka_unit_test(a_signal_that_was_sent_can_be_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
