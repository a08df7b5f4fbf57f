// SPDX-License-Identifier: MIT
/* general_fault.h: what the general layer finds wrong, named. Each reports and does not return. */
#ifndef DAM_GENERAL_GENERAL_FAULT_H
#define DAM_GENERAL_GENERAL_FAULT_H

#include "base/compiler.h"
#include "pool/pool.h"

/* The bytes right behind the block's request are not its canary. */
_Noreturn NEVER_INLINE void dam_general_report_overflow(const struct pool *pool, const void *block,
                                                        const char *operation);

/* A block is released, or resized, whose header does not say that it is live: tells a double free, an address at which
 * no block starts and a damaged header apart. */
_Noreturn NEVER_INLINE void dam_general_report_not_live(const struct pool *pool, const void *address,
                                                        const char *operation);

/* A header that DAM itself came upon is damaged. */
_Noreturn NEVER_INLINE void dam_general_report_damaged_header(const struct pool *pool, const void *block,
                                                              const char *operation);

/* A free, quick or remote block was written to. */
_Noreturn NEVER_INLINE void dam_general_report_damaged_free_block(const void *block);

#endif
