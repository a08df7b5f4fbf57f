// SPDX-License-Identifier: MIT
/* lock.h: the one kind of lock DAM has, and why it knows about fork.
 *
 * A lock that is plainly held across fork can deadlock: fork waits for the locks of stdio, a thread inside stdio waits
 * for malloc, and malloc waits for the lock that the forking thread holds. A lock that is not held across fork leaves
 * the child with half-done work. So a lock can be *frozen* instead: the forking thread takes it, which proves that
 * nobody is half-way, and leaves it frozen. While it is frozen
 *
 *     dam_lock_try_enter   returns false at once, and wakes up those who were already waiting, with false:
 *                          its callers have another way to go on, which needs nothing that the lock protects;
 *     dam_lock_enter       waits for the thaw: only for callers that cannot be inside stdio;
 *     the freezer itself   passes freely: it is not half-way anywhere.
 *
 *        0 free --enter--> 1 held --another waits--> 2 held, with sleepers
 *        held --freeze--> 3 frozen --thaw--> 0 free */
#ifndef DAM_OS_LOCK_H
#define DAM_OS_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dam_lock {
    _Atomic(uint32_t) state;
    _Atomic(const void *) freezer; /* identity of the thread that froze it, or NULL */
};

bool dam_lock_try_enter(struct dam_lock *lock);
void dam_lock_enter(struct dam_lock *lock);
void dam_lock_leave(struct dam_lock *lock);

/* By the forking thread: before fork, and after it in parent and child. */
void dam_lock_freeze(struct dam_lock *lock);
void dam_lock_thaw(struct dam_lock *lock);

#endif
