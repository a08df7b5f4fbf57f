// SPDX-License-Identifier: MIT
/* verify.h: checks every invariant of every pool and region. */
#ifndef DAM_INSPECT_VERIFY_H
#define DAM_INSPECT_VERIFY_H

#include <stddef.h>

/* Returns the number of broken invariants and says on stderr which pools they are in. No other thread may be allocating or
 * freeing meanwhile. */
size_t dam_verify_all(void);

#endif
