// SPDX-License-Identifier: MIT
/* caught.h: faults as this rung reports them, caught before a word is written: the test looks at what was found, and the call
 * goes on as with on_fault=report. Wraps dam_fault_report; any thread may report. */
#ifndef DAM_TESTS_UNIT_PROTECT_CAUGHT_H
#define DAM_TESTS_UNIT_PROTECT_CAUGHT_H

#include "guard/fault.h"
#include "support/test.h"

/* How many faults were reported since caught_reset. */
size_t caught_count(void);

/* The latest of them. */
const struct dam_fault *caught_fault(void);

void caught_reset(void);

/* That there was one fault since caught_reset, of this kind, and forgets it. */
#define assert_caught(kind_of_fault)                                                                                   \
    do {                                                                                                               \
        assert_int_equal(caught_count(), 1);                                                                           \
        assert_int_equal(caught_fault()->kind, kind_of_fault);                                                         \
        caught_reset();                                                                                                \
    } while (0)

#define assert_nothing_caught() assert_int_equal(caught_count(), 0)

#endif
