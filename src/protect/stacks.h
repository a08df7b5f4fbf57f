// SPDX-License-Identifier: MIT
/* stacks.h: who allocated and who released a block, for one block in stack_every of guard=full: a table of bounded size, found
 * by the block's address. A block whose place in the table another one takes loses its record; a report then goes without. */
#ifndef DAM_PROTECT_STACKS_H
#define DAM_PROTECT_STACKS_H

#include <stdbool.h>

struct heap;

/* Maps the table and has reports look here. False if memory is refused: nothing is recorded then. */
bool dam_stacks_init(void);

/* Counts an allocation of the heap's thread in its stack_countdown, and records the caller's stack if it is due; always for a
 * thread without a heap (NULL). */
void dam_stacks_note_allocated(const void *block, struct heap *heap);

/* Records the caller's stack if that of the block's allocation was recorded. */
void dam_stacks_note_released(const void *block);

#endif
