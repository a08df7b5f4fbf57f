// SPDX-License-Identifier: MIT
/* direct.h: the direct layer: one pool for each block.
 *
 *   up to 1 MiB   | block ...................... | slice end |      consecutive slices, recycled and still touched
 *   above         | block ..................... | page end |        a mapping of its own, or one from the stock
 *
 * D1  The block starts at the pool's start and is its only one.
 * D2  requested_bytes <= bytes.
 *
 * Growing goes in place where the addresses behind are free, by moving the pages where the pool is a mapping, and by
 * copying last. Shrinking gives the end back when the new size is below direct_shrink_percent of what the pool holds. */
#ifndef DAM_DIRECT_DIRECT_H
#define DAM_DIRECT_DIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "pool/pool.h"

/* A pool for a block of size bytes (at most PTRDIFF_MAX), aligned. NULL if memory is refused. */
struct pool *dam_direct_create(size_t size, size_t alignment);

/* Ends the pool: nothing but its block was in it. Reports a double free by two threads at once. */
void dam_direct_free(struct pool *pool);

/* Resizes in place. False if that is not possible. */
bool dam_direct_resize(struct pool *pool, size_t size);

/* Whether the policy would have memory given back if the block shrank to size. */
bool dam_direct_should_shrink(const struct pool *pool, size_t size);

/* Grows by moving the pages elsewhere: the block's new start, or NULL if that is not possible. */
void *dam_direct_move(struct pool *pool, size_t size);

/* What may be written: the request, rounded to whole pages. */
size_t dam_direct_usable_bytes(const struct pool *pool);

/* Reports a fault unless the address is the pool's block. */
void dam_direct_check_live(const struct pool *pool, const void *address, const char *operation);

#endif
