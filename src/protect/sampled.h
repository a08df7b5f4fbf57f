// SPDX-License-Identifier: MIT
/* sampled.h: sampled guarding: about one allocation in sample_every stands alone on a page between inaccessible ones, with its
 * stacks recorded, so that misuse of it is caught in the act. Cheap enough for production at some thousands.
 *
 *     | guard | page of slot 0 | guard | page of slot 1 | guard | ...
 *               ......| block |  or  | block |......      flush with one end or the other, by chance
 *
 * A released slot stays inaccessible until every other free one has been used. Blocks larger than a page are not sampled.
 *
 * A1  A slot's page is accessible if and only if it holds a live block. */
#ifndef DAM_PROTECT_SAMPLED_H
#define DAM_PROTECT_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;
struct dam_fault;

/* Reserves the slots. False if memory is refused: nothing is sampled then. */
bool dam_sampled_init(void);

/* Counts an allocation of the heap's thread in its sample_countdown; whether it is to be sampled. */
bool dam_sampled_is_due(struct heap *heap, uint64_t sample_every);

/* A block alone on its page, zeroed; NULL if it does not fit or no slot is free. */
void *dam_sampled_alloc(size_t size, size_t alignment);

/* Whether the address lies among the slots. */
bool dam_sampled_owns(const void *address);

/* The next two: for addresses among the slots. Reports a fault, and returns false, unless a live block starts there. */
bool dam_sampled_check(const void *block, const char *operation, size_t *requested_bytes);
void dam_sampled_free(void *block);

/* Makes a live block among the slots smaller where it is. False if it is no smaller, or a fork is under way. */
bool dam_sampled_shrink(void *block, size_t size);

/* What an access to an inaccessible address among the slots means: fills in the fault. */
void dam_sampled_explain(const void *address, struct dam_fault *fault);

/* Makes the page with the address accessible, so that a program which is to go on can. */
void dam_sampled_open(const void *address);

void dam_sampled_freeze(void);
void dam_sampled_thaw(void);

#endif
