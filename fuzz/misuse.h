// SPDX-License-Identifier: MIT
/* misuse.h: operations that a program must not do, and what DAM must make of them, in its default profile.
 *
 *     misuse              small              general                        direct
 *     double free         reported           reported                       reported
 *     foreign pointer     reported           reported                       reported
 *     interior pointer    reported           reported                       reported
 *     overflow            -                  reported by the next call      reported by the next call
 *     underflow           -                  reported by the next call      -
 *     wrong size          another class      reported                       reported
 *     write after free    first 8 bytes, on reuse     links, on reuse       -
 *
 * With guard=tail or guard=full, an overflow of a small block is reported too, and each size that is not the right one.
 *
 * Reported means: one report, of the right kind, with the right address, and the faulty call does nothing. Whatever is
 * not in the table must not be reported. What was damaged is mended after the call, so that the input can go on.
 *
 * Damage that DAM meets in its own upkeep ends the process. A write after free is that, so it is committed in the child
 * of a fork, which ends with the report. */
#ifndef DAM_FUZZ_MISUSE_H
#define DAM_FUZZ_MISUSE_H

#include "fuzz/actors.h"

/* Sets on_fault and the handler as world.fault_mode says. */
void misuse_begin(void);

/* No actor may be inside a call when one of these is played. */
actor_work double_free, foreign_pointer, interior_pointer, overflow, underflow, wrong_size;

/* In the child of a fork: writes to a block that the caller has released, and demands that DAM find out. Then exits
 * with this status; with 0 if there is no such block. */
#define WRITE_AFTER_FREE_FOUND 3
_Noreturn void write_after_free(const struct step *step);

/* How many faults of each kind were demanded and came. */
void misuse_print_counts(void);

#endif
