// SPDX-License-Identifier: MIT
/* general_fault.h: what the general layer finds wrong, named. Those that return do so only if the program is to go on without
 * the block concerned (guard/fault.h). */
#ifndef DAM_GENERAL_GENERAL_FAULT_H
#define DAM_GENERAL_GENERAL_FAULT_H

#include "base/compiler.h"
#include "pool/pool.h"

/* The bytes right behind the block's request are not its canary. */
NEVER_INLINE void dam_general_report_overflow(const struct pool *pool, const void *block, const char *operation);

/* The bytes behind the canary are not what dam_general_fill_slack made them: those from place on, which should be others. */
NEVER_INLINE void dam_general_report_slack(const struct pool *pool, const void *block, const char *operation,
                                           const void *place, const void *should_be, size_t bytes);

/* A block is released, or resized, whose header does not say that it is live: tells a double free, an address at which
 * no block starts and a damaged header apart. */
NEVER_INLINE void dam_general_report_not_live(const struct pool *pool, const void *address, const char *operation);

/* The header of a block that waits on a quick list or a remote stack is damaged. */
NEVER_INLINE void dam_general_report_damaged_header(const struct pool *pool, const void *block, const char *operation);

/* A block that waits on a quick list or a remote stack was written to. */
NEVER_INLINE void dam_general_report_damaged_free_block(const void *block);

/* The same where the pool's index depends on them: there is no way on. */
_Noreturn NEVER_INLINE void dam_general_report_lost_header(const struct pool *pool, const void *block,
                                                           const char *operation);
_Noreturn NEVER_INLINE void dam_general_report_lost_free_block(const void *block);

#endif
