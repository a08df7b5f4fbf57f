// SPDX-License-Identifier: MIT
/* fork.c: freezing the locks across fork (os/lock.h says why freezing, and not holding).
 *
 * In the child only the forking thread lives on. What it owns is whole, since it was in fork and not in the allocator. What
 * was under a lock is whole, since nobody could be half-way. What other threads owned may be half-way, so it stays theirs
 * for ever: blocks in those pools may be used and freed (they go onto the remote stacks), but that memory is not used
 * again. */
#include "heap/fork.h"

#include <pthread.h>

#include "heap/heap.h"
#include "region/central.h"

static void before_fork(void) {
    dam_protect_freeze_all();
    dam_first_class_freeze_all();
    dam_lock_freeze(&dam_central_lock);
}

static void after_fork(void) {
    dam_lock_thaw(&dam_central_lock);
    dam_first_class_thaw_all();
    dam_protect_thaw_all();
}

void dam_fork_register(void) {
    (void)pthread_atfork(before_fork, after_fork, after_fork);
}
