// SPDX-License-Identifier: MIT
/* lock.c: the freezable lock: one holder at a time, and what a freeze means to each kind of caller.
 *
 * Threads that must be waiting are known to be by the lock's own word, never by the clock. */
#include "os/lock.h"

#include "support/watchdog.h"
#include "unit/support/threads.h"

#include <sys/wait.h>

/* The words of lock.c's states. */
enum { FREE = 0, HELD = 1, HELD_WITH_SLEEPERS = 2, FROZEN = 3 };

static uint32_t state_of(struct dam_lock *lock) {
    return atomic_load(&lock->state);
}

static void wait_for_state(struct dam_lock *lock, uint32_t state) {
    while (state_of(lock) != state)
        sched_yield();
}

TEST(a_lock_is_free_then_held_then_free_again) {
    struct dam_lock lock = {0};
    dam_lock_enter(&lock);
    assert_int_equal(state_of(&lock), HELD);
    dam_lock_leave(&lock);
    assert_int_equal(state_of(&lock), FREE);
    assert_true(dam_lock_try_enter(&lock));
    assert_int_equal(state_of(&lock), HELD);
    dam_lock_leave(&lock);
    assert_int_equal(state_of(&lock), FREE);
}

/* ---- Many threads ------------------------------------------------------------------------------------------------ */

#define THREAD_COUNT 4
#define ROUND_COUNT 50000

struct counted {
    struct dam_lock lock;
    uint64_t count; /* plain: only the lock keeps its increments apart */
};

static void *count_under_lock(void *argument) {
    struct counted *counted = argument;
    for (int i = 0; i < ROUND_COUNT; i++) {
        if (i % 2 == 0)
            dam_lock_enter(&counted->lock);
        else
            CHECK(dam_lock_try_enter(&counted->lock)); /* nothing freezes it, so it is a yes in the end */
        counted->count++;
        dam_lock_leave(&counted->lock);
    }
    return NULL;
}

TEST(one_thread_at_a_time_is_inside_whichever_way_it_entered) {
    struct counted counted = {.count = 0};
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++)
        threads[i] = thread_start(count_under_lock, &counted);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
    assert_int_equal(counted.count, (uint64_t)THREAD_COUNT * ROUND_COUNT);
    assert_int_equal(state_of(&counted.lock), FREE);
}

/* ---- Waiting for a holder ---------------------------------------------------------------------------------------- */

struct visit {
    struct dam_lock *lock;
    bool (*enter)(struct dam_lock *lock);
    struct event entered;
    bool answer;
};

static bool enter_for_sure(struct dam_lock *lock) {
    dam_lock_enter(lock);
    return true;
}

static void *visit_once(void *argument) {
    struct visit *visit = argument;
    visit->answer = visit->enter(visit->lock);
    event_raise(&visit->entered);
    if (visit->answer)
        dam_lock_leave(visit->lock);
    return NULL;
}

static void assert_waits_for_the_holder(bool (*enter)(struct dam_lock *lock)) {
    struct dam_lock lock = {0};
    struct visit visit = {.lock = &lock, .enter = enter};
    dam_lock_enter(&lock);
    pthread_t visitor = thread_start(visit_once, &visit);
    wait_for_state(&lock, HELD_WITH_SLEEPERS);
    assert_false(event_has_happened(&visit.entered));
    dam_lock_leave(&lock);
    thread_join(visitor);
    assert_true(visit.answer);
    assert_int_equal(state_of(&lock), FREE);
}

TEST(entering_a_held_lock_waits_until_the_holder_leaves) {
    assert_waits_for_the_holder(enter_for_sure);
}

TEST(trying_to_enter_a_held_lock_waits_too_since_only_a_freeze_refuses) {
    assert_waits_for_the_holder(dam_lock_try_enter);
}

/* ---- Frozen ------------------------------------------------------------------------------------------------------ */

TEST(a_frozen_lock_refuses_those_who_try_and_lets_them_in_after_the_thaw) {
    struct dam_lock lock = {0};
    dam_lock_freeze(&lock);
    assert_int_equal(state_of(&lock), FROZEN);
    for (int i = 0; i < 2; i++) {
        struct visit visit = {.lock = &lock, .enter = dam_lock_try_enter};
        thread_join(thread_start(visit_once, &visit));
        assert_false(visit.answer);
    }
    assert_int_equal(state_of(&lock), FROZEN);
    dam_lock_thaw(&lock);
    assert_int_equal(state_of(&lock), FREE);
    struct visit visit = {.lock = &lock, .enter = dam_lock_try_enter};
    thread_join(thread_start(visit_once, &visit));
    assert_true(visit.answer);
}

TEST(the_freezer_itself_passes_freely_and_does_not_thaw_by_leaving) {
    struct dam_lock lock = {0};
    dam_lock_freeze(&lock);
    for (int i = 0; i < 3; i++) {
        assert_true(dam_lock_try_enter(&lock));
        dam_lock_leave(&lock);
        dam_lock_enter(&lock);
        dam_lock_leave(&lock);
        assert_int_equal(state_of(&lock), FROZEN);
    }
    struct visit visit = {.lock = &lock, .enter = dam_lock_try_enter};
    thread_join(thread_start(visit_once, &visit));
    assert_false(visit.answer);
    dam_lock_thaw(&lock);
}

struct thawed_visit {
    struct dam_lock *lock;
    struct event about_to_enter;
    atomic_bool thawed;
    bool was_thawed_on_entry;
};

static void *enter_after_thaw(void *argument) {
    struct thawed_visit *visit = argument;
    event_raise(&visit->about_to_enter);
    dam_lock_enter(visit->lock);
    visit->was_thawed_on_entry = atomic_load(&visit->thawed);
    dam_lock_leave(visit->lock);
    return NULL;
}

TEST(those_who_must_enter_a_frozen_lock_wait_for_the_thaw_all_of_them) {
    struct dam_lock lock = {0};
    struct thawed_visit visits[THREAD_COUNT] = {0};
    pthread_t threads[THREAD_COUNT];
    dam_lock_freeze(&lock);
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        visits[i].lock = &lock;
        threads[i] = thread_start(enter_after_thaw, &visits[i]);
        event_wait(&visits[i].about_to_enter);
    }
    sleep_ms(20); /* time for the mistake to show; right code passes whatever the time */
    for (size_t i = 0; i < THREAD_COUNT; i++)
        atomic_store(&visits[i].thawed, true);
    dam_lock_thaw(&lock);
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        thread_join(threads[i]);
        assert_true(visits[i].was_thawed_on_entry);
    }
    assert_int_equal(state_of(&lock), FREE);
}

/* A thread is asleep waiting for a holder when the lock is frozen. To have the freezer come first for certain, the holder
 * leaves without waking anybody, as if it were the freezer who won the race. A waiter that was not asleep yet may still
 * win it; then the round is played again. */
static bool waiter_is_refused_by_a_freeze(void) {
    struct dam_lock lock = {0};
    struct visit visit = {.lock = &lock, .enter = dam_lock_try_enter};
    dam_lock_enter(&lock);
    pthread_t waiter = thread_start(visit_once, &visit);
    wait_for_state(&lock, HELD_WITH_SLEEPERS);
    sleep_ms(1);
    atomic_store(&lock.state, FREE);
    dam_lock_freeze(&lock);
    thread_join(waiter); /* while frozen: a waiter that is not woken by the freeze would sleep for ever */
    dam_lock_thaw(&lock);
    return !visit.answer;
}

TEST(a_freeze_wakes_those_who_were_already_waiting_and_refuses_them) {
    bool refused = false;
    for (int rounds = 0; !refused && rounds < 1000; rounds++)
        refused = waiter_is_refused_by_a_freeze();
    assert_true(refused);
}

static void *hold_a_moment(void *argument) {
    struct counted *counted = argument;
    dam_lock_enter(&counted->lock);
    wait_for_state(&counted->lock, HELD_WITH_SLEEPERS);
    counted->count = 1;
    dam_lock_leave(&counted->lock);
    return NULL;
}

TEST(freezing_waits_until_nobody_is_half_way) {
    struct counted counted = {.count = 0};
    pthread_t holder = thread_start(hold_a_moment, &counted);
    wait_for_state(&counted.lock, HELD);
    dam_lock_freeze(&counted.lock);
    assert_int_equal(counted.count, 1);
    dam_lock_thaw(&counted.lock);
    thread_join(holder);
}

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

TEST(the_child_of_the_freezer_passes_and_can_thaw) {
    struct dam_lock lock = {0};
    dam_lock_freeze(&lock);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(WATCHDOG_SECONDS);
        CHECK(dam_lock_try_enter(&lock));
        dam_lock_leave(&lock);
        dam_lock_thaw(&lock);
        dam_lock_enter(&lock);
        CHECK(state_of(&lock) == HELD);
        dam_lock_leave(&lock);
        _exit(state_of(&lock) == FREE ? 7 : 8);
    }
    dam_lock_thaw(&lock);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_is_free_then_held_then_free_again),
        cmocka_unit_test(one_thread_at_a_time_is_inside_whichever_way_it_entered),
        cmocka_unit_test(entering_a_held_lock_waits_until_the_holder_leaves),
        cmocka_unit_test(trying_to_enter_a_held_lock_waits_too_since_only_a_freeze_refuses),
        cmocka_unit_test(a_frozen_lock_refuses_those_who_try_and_lets_them_in_after_the_thaw),
        cmocka_unit_test(the_freezer_itself_passes_freely_and_does_not_thaw_by_leaving),
        cmocka_unit_test(those_who_must_enter_a_frozen_lock_wait_for_the_thaw_all_of_them),
        cmocka_unit_test(a_freeze_wakes_those_who_were_already_waiting_and_refuses_them),
        cmocka_unit_test(freezing_waits_until_nobody_is_half_way),
        cmocka_unit_test(the_child_of_the_freezer_passes_and_can_thaw),
    };
    watchdog_start("unit.os.lock");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
