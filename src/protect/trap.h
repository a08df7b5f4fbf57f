// SPDX-License-Identifier: MIT
/* trap.h: what becomes of an access to memory that this rung made inaccessible: a report, in the act. Every other SIGSEGV
 * and SIGBUS goes to whoever handled it before. A handler that the program installs later takes DAM's place. */
#ifndef DAM_PROTECT_TRAP_H
#define DAM_PROTECT_TRAP_H

void dam_trap_init(void);

#endif
