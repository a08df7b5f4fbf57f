// SPDX-License-Identifier: MIT
/* fork.h: what keeps the heap whole in a child. */
#ifndef DAM_HEAP_FORK_H
#define DAM_HEAP_FORK_H

/* Registers the handlers; once, when the library is loaded. */
void dam_fork_register(void);

#endif
