// SPDX-License-Identifier: MIT
/* small.h: the small layer: blocks of fixed size up to 256 bytes, in pools of one slice and one class each.
 *
 *   heap->current[granule] --> pool --> free list        the pool that blocks of this size come from
 *   heap->usable[class] --> pool <-> pool <-> pool       others that may have free blocks
 *
 * S4  A pool that the heap owns is current for its class or on its usable list, never both.
 * S5  A pool without free blocks, uncarved room or arrivals is let go (a first-class heap keeps it at the list's end).
 *
 * The common way is in small_fast.h. */
#ifndef DAM_SMALL_SMALL_H
#define DAM_SMALL_SMALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/list.h"
#include "pool/pool.h"
#include "small/size_classes.h"

struct heap;

/* The small part of a heap. */
struct small_heap {
    struct pool *current[SMALL_GRANULE_COUNT]; /* never NULL: dam_small_no_pool at first */
    struct list usable[SMALL_CLASS_COUNT_MAX];
    struct heap *owner; /* whose part this is: the name on its pools */
    bool keeps_pools;   /* never lets a pool go */
};

/* A pool without blocks, which stands for "none yet" so that the common way needs no test for it. Read-only in effect. */
extern struct pool dam_small_no_pool;

void dam_small_heap_init(struct small_heap *heap, struct heap *owner, bool keeps_pools);

/* Says so if the common way failed because the class's first free block is damaged. If the program goes on, that list is
 * given up: its blocks count as live for ever. */
void dam_small_check_free_list(const struct small_heap *heap, uint32_t class_index);

/* Makes sure that the class's current pool has a free block, from what the heap owns: blocks that others have freed,
 * another usable pool, or fresh blocks carved. False if that takes a pool more. */
bool dam_small_refill(struct small_heap *heap, uint32_t class_index);

/* A new pool for the class, owned by nobody yet. NULL if memory is refused. */
struct pool *dam_small_create_pool(uint32_t class_index);

/* Takes over a pool that the caller has just come to own: puts the owner's name on it, takes in what others have freed,
 * and lists it. A pool that turns out to be empty is retired. */
void dam_small_adopt(struct small_heap *heap, struct pool *pool);

/* What the owner does when the last live block of a pool that is not current was freed: the pool goes. */
void dam_small_pool_emptied(struct small_heap *heap, struct pool *pool);

/* Retires a pool that its owner has taken off all lists and that should be empty. If it is not, reports a fault and returns
 * false: then its blocks count as live for ever. */
bool dam_small_retire(struct pool *pool);

/* Retires every pool without live blocks. */
void dam_small_retire_empty(struct small_heap *heap);

/* Makes a new pool, whose owner the heap is, the current one of its class, with blocks to give. */
void dam_small_enlist_new(struct small_heap *heap, struct pool *pool);

/* Takes the pool off the heap's lists. */
void dam_small_disown(struct small_heap *heap, struct pool *pool);

/* Any pool the heap still has, or NULL. */
struct pool *dam_small_any_pool(struct small_heap *heap);

/* By the owner: takes in what others have freed. */
void dam_small_take_remote(struct pool *pool);

/* By the owner: the pool has nothing to give: no free block and no room to carve one. */
bool dam_small_is_full(struct pool *pool);

/* Frees a block of a pool that the caller does not own, if it is live. True if the caller is the pool's owner now. */
bool dam_small_free_remote(struct pool *pool, void *block);

/* Reports a fault, and returns false, unless the address is a live block of the pool. */
bool dam_small_check_live(const struct pool *pool, const void *address, const char *operation);

/* Counts what is wrong with a pool that stands still. */
size_t dam_small_verify_pool(const struct pool *pool);

#endif
