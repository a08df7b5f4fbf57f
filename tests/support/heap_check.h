// SPDX-License-Identifier: MIT
/* heap_check.h: asks DAM itself whether its heap is sound, at the end of a group of tests. For programs linked with
 * the static library. Every other thread must be gone or at rest. */
#ifndef DAM_TESTS_SUPPORT_HEAP_CHECK_H
#define DAM_TESTS_SUPPORT_HEAP_CHECK_H

#include "inspect/verify.h"

/* A group teardown for cmocka: the group fails when an invariant of the heap is broken. */
static inline int heap_is_sound(void **state) {
    (void)state;
    return dam_verify_all() == 0 ? 0 : -1;
}

#endif
