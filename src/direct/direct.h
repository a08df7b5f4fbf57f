// SPDX-License-Identifier: MIT
/* direct.h: the direct layer: one pool for each block.
 *
 *   up to 1 MiB   | block ............... | canary | ...... slice end |    consecutive slices, recycled and still touched
 *   above         | block ............... | canary | .. page end |         a mapping of its own, or one from the stock
 *
 * D1  The block starts at the pool's start and is its only one.
 * D2  requested_bytes + the canary's 8 <= bytes.
 * D3  The canary right behind the request is what place, request and the pool's key make it, unless the block is hidden.
 *
 * Growing goes in place where the addresses behind are free, by moving the pages where the pool is a mapping, and by
 * copying last. Shrinking gives the end back when the new size is below direct_shrink_percent of what the pool holds. */
#ifndef DAM_DIRECT_DIRECT_H
#define DAM_DIRECT_DIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "pool/pool.h"

struct dam_fault;

/* A pool for a block of size bytes (at most PTRDIFF_MAX), aligned. NULL if memory is refused. */
struct pool *dam_direct_create(size_t size, size_t alignment);

/* Takes the pool from the block's holder, who releases it. False, and a report, if another thread has just done so. */
bool dam_direct_begin_free(struct pool *pool);

/* Ends the pool: nothing but its block was in it. */
void dam_direct_retire(struct pool *pool);

/* Resizes in place. False if that is not possible. */
bool dam_direct_resize(struct pool *pool, size_t size);

/* Whether the policy would have memory given back if the block shrank to size. */
bool dam_direct_should_shrink(const struct pool *pool, size_t size);

/* Grows by moving the pages elsewhere: the block's new start, or NULL if that is not possible. */
void *dam_direct_move(struct pool *pool, size_t size);

/* What was asked for, and may be written. */
size_t dam_direct_requested_bytes(const struct pool *pool);

/* The first-class heap that the block belongs to, or NULL. */
struct heap *dam_direct_heap(const struct pool *pool);
void dam_direct_set_heap(struct pool *pool, struct heap *heap);

/* Reports a fault, and returns false, unless the address is the pool's block, with an intact canary. */
bool dam_direct_check_live(const struct pool *pool, const void *address, const char *operation);

/* For guard=full. Gives the pages of a block that was released back and makes the block inaccessible; false if it is already,
 * or that is refused. */
bool dam_direct_hide(struct pool *pool);

/* Makes it what it was, but for its content. False if that is refused: it stays hidden, and so out of use. */
bool dam_direct_show(struct pool *pool);

/* Fills in the fault if an access to this address of the pool was refused because of what the two above, or the guard, made of
 * it. */
bool dam_direct_explain_access(const struct pool *pool, const void *address, struct dam_fault *fault);

/* Counts what is wrong with the pool. */
size_t dam_direct_verify(const struct pool *pool);

#endif
