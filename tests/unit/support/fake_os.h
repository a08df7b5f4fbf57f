// SPDX-License-Identifier: MIT
/* fake_os.h: the operating system with a will of its own: what the test says is refused, and what time it is.
 *
 * The functions of os/os.h that can refuse, and the clock, are wrapped by the linker; fake_os decides, the real ones do the
 * work. A test names FAKE_OS in its declaration. Everything is allowed, and the clock is the real one, until a test says
 * otherwise; fake_os_reset() returns to that. Threads may run under it while
 * the test itself changes nothing in it. */
#ifndef DAM_TESTS_UNIT_SUPPORT_FAKE_OS_H
#define DAM_TESTS_UNIT_SUPPORT_FAKE_OS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASKED_MAX 32

struct fake_os {
    /* what is refused */
    size_t map_bytes_max;       /* dam_os_map of more than this */
    size_t map_refused_from;    /* dam_os_map calls from this one on (the first is 0) ... */
    size_t map_refused_count;   /* ... so many of them */
    bool refuses_unmap;
    bool refuses_purge;
    bool refuses_grow;
    bool refuses_reserve;
    bool refuses_move;
    bool refuses_protect;
    bool refuses_metadata;      /* dam_metadata_take */

    /* what time it is; 0: the real one */
    uint64_t now_ms;

    /* what was asked for */
    _Atomic(size_t) map_count;
    size_t map_asked[ASKED_MAX]; /* bytes of the first calls */
    _Atomic(size_t) unmap_count;
    void *unmapped[ASKED_MAX];   /* where the first calls that were granted began */
    _Atomic(size_t) purge_count;
    _Atomic(size_t) purged_bytes;         /* granted */
};

extern struct fake_os fake_os;

void fake_os_reset(void);

#endif
