// SPDX-License-Identifier: MIT
/* on_dam.h: proof that a test program is served by DAM, for programs that only mean something when it is. */
#ifndef DAM_TESTS_SUPPORT_ON_DAM_H
#define DAM_TESTS_SUPPORT_ON_DAM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ends the program with a message unless malloc and free are DAM's. Call it first in main. */
void require_malloc_to_be_dam(void);

/* True when the program was linked with libdam-malloc.a, so that malloc is a function of its own. */
bool dam_is_linked(void);

/* dam_malloc_usable_size(block), found without linking to it: at least 1 for a live block with room, and the end of
 * the program with DAM's report when the block is not DAM's. */
size_t usable_size_by_dam(void *block);

#ifdef __cplusplus
}
#endif

#endif
