// SPDX-License-Identifier: MIT
/* assert.h: DAM_ASSERT says what must hold if DAM itself is right; it exists in checked builds only. What a program
 * can break is not asserted but checked, always, and reported as a fault (guard/fault.h). */
#ifndef DAM_BASE_ASSERT_H
#define DAM_BASE_ASSERT_H

#include "base/compiler.h"

/* Says which assertion failed, on stderr, and aborts. Defined in guard/message.c. */
_Noreturn void dam_assertion_failed(const char *condition, const char *file, int line);

#if DAM_ASSERTIONS
#define DAM_ASSERT(condition)                                                                                         \
    (LIKELY(condition) ? (void)0 : dam_assertion_failed(#condition, __FILE__, __LINE__))
#else
#define DAM_ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
