// SPDX-License-Identifier: MIT
/* ground.h: a second list of what is live, kept apart from DAM, which says when DAM is wrong.
 *
 *   slice 0x7f12'3456    | 1 1 1 . 2 2 2 2 2 . . 7 7 ... |    for each granule: the block that stands on it, or none
 *
 * A block stands from malloc to free. No two stand on the same ground, all ground is DAM's, and what was written there
 * is found again. Whatever is found otherwise ends the process with VIOLATION_EXIT and a line on stderr.
 *
 * Used by one thread at a time. Allocates nothing. */
#ifndef DAM_TESTS_ATTACK_GROUND_H
#define DAM_TESTS_ATTACK_GROUND_H

#include "dam/dam.h"

#include <stdbool.h>
#include <stddef.h>

#define VIOLATION_EXIT 3

_Noreturn void ground_violated(const char *what, const void *address);

/* As their namesakes in dam.h; the block is looked at and filled. */
void *ground_malloc(size_t size);
void *ground_heap_malloc(dam_heap *heap, size_t size);
void *ground_aligned_alloc(size_t alignment, size_t size);
void *ground_realloc(void *block, size_t size);
void ground_free(void *block);

/* malloc without filling: the content is left as DAM left it. */
void *ground_malloc_untouched(size_t size);

/* Everything that the heap holds stands no more; then destroys it. */
void ground_heap_destroy(dam_heap *heap);

/* The block's content is meant to be as it is now. */
void ground_accept(void *block);

/* The block that stands at the address, whatever its start; NULL if none. */
void *ground_at(const void *address);

static inline bool ground_stands(const void *block) {
    return block != NULL && ground_at(block) == block;
}

/* Every content. */
void ground_check_all(void);

/* Calls visit for each block that stands in [from, to), in no order. It may free the block. */
void ground_visit(const char *from, const char *to, void (*visit)(void *block, void *context), void *context);

void ground_free_all(void);

/* A block that stands, chosen by a number; NULL if none does. */
void *ground_pick(size_t number);

/* Memory that is not DAM's and must never change. */
void ground_add_bait(const void *bait, size_t bytes);
void ground_forget_baits(void);

#endif
