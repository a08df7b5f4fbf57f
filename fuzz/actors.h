// SPDX-License-Identifier: MIT
/* actors.h: threads that take turns, so that an input always means the same.
 *
 *     driver (libFuzzer's thread)    | step for A |............|      | step for B |...| step for A |......|
 *     actor A                                     | dam_free, first half |                          | second half |
 *     actor B                                                             | dam_malloc |
 *
 * There is one baton. Its holder runs, all others wait. The driver hands it to an actor with a piece of work; it comes
 * back when the work is done, or when the actor stands still inside DAM:
 *
 *     at a scheduling point   a load or store of DAM's own code, as many of them into the call as the step says. The
 *                             compiler puts a call before each (-fsanitize-coverage=trace-loads,trace-stores).
 *     before it would sleep   on a lock that another one holds, who stands still (dam_os_wait is wrapped).
 *
 * An actor that stands still goes on when it is next given work, as far as that step says, or when the driver has all
 * calls finished. So any two calls of DAM can be interleaved access by access, and the same bytes interleave them in
 * the same way. What cannot be had this way are the effects of weakly ordered memory; model/ and ThreadSanitizer are
 * for those. */
#ifndef DAM_FUZZ_ACTORS_H
#define DAM_FUZZ_ACTORS_H

#include <stdbool.h>
#include <stddef.h>

#include "fuzz/input.h"

#define ACTOR_COUNT 4u

/* What an actor is given to do: a step, and how that is played. */
typedef void actor_work(const struct step *step);

/* Once, in the driver. `late` is called by the destructor of a thread-specific key as an actor ends, after DAM's own.
 */
void actors_init(actor_work *late);

/* The actor's number; in the driver's thread ACTOR_COUNT. */
unsigned actor_self(void);

/* Hands over a piece of work, once the actor has finished what it was at. False if it stood still again on the way: the
 * work is not begun. Makes the actor if it is not there. */
bool actor_do(unsigned actor, actor_work *work, const struct step *step);

/* Ends the actor's thread; `late` gets the step. False as above; otherwise the thread is gone once its calls are. */
bool actor_end(unsigned actor, const struct step *step);

/* Whether the actor has a thread; in the child of a fork, the one that forked stands for all. */
bool actor_exists(unsigned actor);

/* By the driver: all that stand still go on until they are done. A deadlock of DAM's is a finding. */
void actors_finish_calls(void);

/* How many actors stand still inside a call. */
size_t actors_in_calls(void);

/* By an actor, around its calls of DAM: between them it may stand still, the first time after `pause` accesses. */
void calls_begin(uint8_t pause);
void calls_end(void);

/* By an actor that has forked, in the child: it is alone, and does all that any actor is given. */
void actors_alone(void);
bool actors_are_alone(void);

/* How often somebody stood still so far: in DAM's code, and before a lock. */
extern size_t actors_paused, actors_waited;

/* The target's: ends the process with what was found. */
_Noreturn void finding(const char *what);

#endif
