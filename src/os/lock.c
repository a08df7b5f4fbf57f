// SPDX-License-Identifier: MIT
/* lock.c: the freezable lock of lock.h on a futex word. */
#include "os/lock.h"

#include <limits.h>
#include <stddef.h>

#include "base/thread_self.h"
#include "os/os.h"

enum lock_state { FREE = 0, HELD = 1, HELD_WITH_SLEEPERS = 2, FROZEN = 3 };

static const void *this_thread(void) {
    return &dam_thread_heap;
}

/* Acquire pairs with the release in leave and thaw: what the last holder wrote is seen. */
static bool change(struct dam_lock *lock, uint32_t from, uint32_t to) {
    return atomic_compare_exchange_strong_explicit(&lock->state, &from, to, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* Relaxed: only the thread that stored its own identity compares equal, and it stored it itself. */
static bool is_frozen_by_me(struct dam_lock *lock) {
    return atomic_load_explicit(&lock->freezer, memory_order_relaxed) == this_thread();
}

/* Takes the lock, asleep as long as it must. A sleeper cannot know whether others sleep too, so it always takes over
 * as HELD_WITH_SLEEPERS. Returns false if it is frozen and the caller would rather not wait for that. */
static bool enter(struct dam_lock *lock, bool wait_for_thaw) {
    if (change(lock, FREE, HELD))
        return true;
    for (;;) {
        uint32_t state = atomic_load_explicit(&lock->state, memory_order_relaxed);
        if (state == FROZEN) {
            if (is_frozen_by_me(lock))
                return true;
            if (!wait_for_thaw)
                return false;
            dam_os_wait(&lock->state, FROZEN);
        } else if (state == FREE) {
            if (change(lock, FREE, HELD_WITH_SLEEPERS))
                return true;
        } else if (state == HELD_WITH_SLEEPERS || change(lock, HELD, HELD_WITH_SLEEPERS)) {
            dam_os_wait(&lock->state, HELD_WITH_SLEEPERS);
        }
    }
}

bool dam_lock_try_enter(struct dam_lock *lock) {
    return enter(lock, false);
}

void dam_lock_enter(struct dam_lock *lock) {
    enter(lock, true);
}

void dam_lock_leave(struct dam_lock *lock) {
    if (atomic_load_explicit(&lock->state, memory_order_relaxed) == FROZEN)
        return; /* the freezer, passing through */
    uint32_t state = atomic_exchange_explicit(&lock->state, FREE, memory_order_release);
    if (state == HELD_WITH_SLEEPERS)
        dam_os_wake(&lock->state, 1);
}

void dam_lock_freeze(struct dam_lock *lock) {
    dam_lock_enter(lock);
    atomic_store_explicit(&lock->freezer, this_thread(), memory_order_relaxed);
    /* Release: a thread that sees FROZEN sees the freezer. The sleepers must wake to see it. */
    atomic_store_explicit(&lock->state, FROZEN, memory_order_release);
    dam_os_wake(&lock->state, INT_MAX);
}

void dam_lock_thaw(struct dam_lock *lock) {
    atomic_store_explicit(&lock->freezer, NULL, memory_order_relaxed);
    atomic_store_explicit(&lock->state, FREE, memory_order_release);
    dam_os_wake(&lock->state, INT_MAX);
}
