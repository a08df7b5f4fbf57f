// SPDX-License-Identifier: MIT
/* other.c: the rest of os.h: randomness, the clock, stderr, sleeping and waking. */
#include "os/os.h"

#include "support/child.h"
#include "support/watchdog.h"
#include "unit/support/threads.h"

#include <sys/wait.h>

TEST(random_bytes_fill_the_buffer_and_nothing_beside_it) {
    unsigned char buffer[64];
    for (size_t bytes = 0; bytes <= 32; bytes++) {
        memset(buffer, 0xAB, sizeof buffer);
        errno = ERRNO_MARK;
        dam_os_random(buffer + 8, bytes);
        assert_int_equal(errno, ERRNO_MARK);
        assert_true(all_bytes_are(buffer, 8, 0xAB));
        assert_true(all_bytes_are(buffer + 8 + bytes, sizeof buffer - 8 - bytes, 0xAB));
    }
}

/* Chance of a wrong alarm: 16 places, each the same 64 times, 2^-500. */
TEST(every_random_byte_varies) {
    unsigned char first[16];
    bool varied[16] = {false};
    dam_os_random(first, sizeof first);
    for (int i = 0; i < 64; i++) {
        unsigned char again[16];
        dam_os_random(again, sizeof again);
        for (size_t j = 0; j < sizeof first; j++)
            varied[j] |= again[j] != first[j];
    }
    for (size_t j = 0; j < sizeof first; j++)
        assert_true(varied[j]);
}

TEST(the_clock_goes_forward_and_never_back) {
    uint64_t start_ms = dam_os_now_ms();
    uint64_t last_ms = start_ms;
    while (last_ms < start_ms + 20) {
        errno = ERRNO_MARK;
        uint64_t now_ms = dam_os_now_ms();
        assert_int_equal(errno, ERRNO_MARK);
        assert_true(now_ms >= last_ms);
        last_ms = now_ms;
    }
}

#define LONG_TEXT_BYTES (256 * KIB) /* more than a pipe holds, so that write gives in portions */

static void write_long_text(void *argument) {
    (void)argument;
    static char text[LONG_TEXT_BYTES];
    memset(text, 'w', sizeof text);
    errno = ERRNO_MARK;
    dam_os_write_stderr(text, sizeof text);
    CHECK(errno == ERRNO_MARK);
}

TEST(text_reaches_stderr_whole_however_long_it_is) {
    struct child_result result = child_run(write_long_text, NULL, CHILD_STDERR, 60);
    assert_true(child_exited_with(&result, 0));
    assert_int_equal(result.output_bytes, LONG_TEXT_BYTES);
    assert_true(all_bytes_are(result.output, sizeof result.output - 1, 'w'));
}

static void write_to_closed_stderr(void *argument) {
    (void)argument;
    if (close(STDERR_FILENO) != 0)
        _exit(2);
    errno = ERRNO_MARK;
    dam_os_write_stderr("text", 4);
    _exit(errno == ERRNO_MARK ? 3 : 4);
}

TEST(a_closed_stderr_is_no_matter_and_errno_is_kept) {
    struct child_result result = child_run(write_to_closed_stderr, NULL, CHILD_STDOUT, 60);
    assert_true(child_exited_with(&result, 3));
}

TEST(waiting_for_a_word_that_has_already_changed_returns_at_once) {
    _Atomic(uint32_t) word = 5;
    errno = ERRNO_MARK;
    dam_os_wait(&word, 4);
    assert_int_equal(errno, ERRNO_MARK);
}

struct sleeper {
    _Atomic(uint32_t) word;
    atomic_int awake;
};

static void *sleep_until_changed(void *argument) {
    struct sleeper *sleeper = argument;
    while (atomic_load(&sleeper->word) == 1)
        dam_os_wait(&sleeper->word, 1);
    atomic_fetch_add(&sleeper->awake, 1);
    return NULL;
}

TEST(waking_reaches_every_sleeper_when_so_many_are_asked_for) {
    enum { SLEEPERS = 3 };
    struct sleeper sleeper = {.word = 1};
    pthread_t threads[SLEEPERS];
    for (size_t i = 0; i < SLEEPERS; i++)
        threads[i] = thread_start(sleep_until_changed, &sleeper);
    sleep_ms(20); /* asleep or not yet: both must end well */
    assert_int_equal(atomic_load(&sleeper.awake), 0);
    atomic_store(&sleeper.word, 2);
    errno = ERRNO_MARK;
    dam_os_wake(&sleeper.word, SLEEPERS);
    assert_int_equal(errno, ERRNO_MARK);
    for (size_t i = 0; i < SLEEPERS; i++)
        thread_join(threads[i]);
    assert_int_equal(atomic_load(&sleeper.awake), SLEEPERS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_fill_the_buffer_and_nothing_beside_it),
        cmocka_unit_test(every_random_byte_varies),
        cmocka_unit_test(the_clock_goes_forward_and_never_back),
        cmocka_unit_test(text_reaches_stderr_whole_however_long_it_is),
        cmocka_unit_test(a_closed_stderr_is_no_matter_and_errno_is_kept),
        cmocka_unit_test(waiting_for_a_word_that_has_already_changed_returns_at_once),
        cmocka_unit_test(waking_reaches_every_sleeper_when_so_many_are_asked_for),
    };
    watchdog_start("unit.os.other");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
