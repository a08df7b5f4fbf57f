// SPDX-License-Identifier: MIT
/* general_blocks.h: what can be done with the blocks of one general pool, by its owner. Private to this rung. */
#ifndef DAM_GENERAL_GENERAL_BLOCKS_H
#define DAM_GENERAL_GENERAL_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "general/general.h"

/* Makes a new pool one free block between its ends. */
void dam_blocks_lay_out(struct general_pool *general);

/* A block of exactly the class's size; the index has one that is large enough. Its header is the caller's to write. */
void *dam_blocks_take(struct general_pool *general, uint32_t class_index);

/* The same, aligned; the index has a block of dam_blocks_class_with_alignment. What lies around it is given back. */
void *dam_blocks_take_aligned(struct general_pool *general, uint32_t class_index, size_t alignment);
uint32_t dam_blocks_class_with_alignment(uint32_t class_index, size_t alignment);

/* Puts a block that is no longer in use into the index, merged with its free neighbours (G2). */
void dam_blocks_free(struct general_pool *general, void *block);

/* Makes a live block `wanted` granules large, from a free neighbour behind or by freeing its end; its header is the
 * caller's to write. False if there is no room; nothing has changed then. */
bool dam_blocks_resize(struct general_pool *general, void *block, uint32_t wanted);

#endif
