// SPDX-License-Identifier: MIT
/* protect.h: what DAM does beyond its default checks, for programs that ask for it (docs/protection.md):
 *
 *   guard=tail       a tail behind the request in every block of every layer          tail.h
 *   guard=full       and: released blocks wait in quarantine, wiped, and are looked    quarantine.h
 *                    at before they are used again; stacks are recorded;               stacks.h
 *                    guard pages and random placement are the layers' own
 *   sample_every=N   about one allocation in N stands alone between guard pages        sampled.h
 *
 * All of it stands between the front and the heap. A thread that is looked after has a door before its heap (heap/heap.h), so
 * the common way finds nothing and every call comes here by the slow way; without these options none does, and the common way
 * does not know that this rung exists. */
#ifndef DAM_PROTECT_PROTECT_H
#define DAM_PROTECT_PROTECT_H

#include <stdbool.h>
#include <stddef.h>

struct heap;
struct pool;

/* Whether any of it is asked for. Set once, at start. */
extern bool dam_protect_on;

/* Whether every block has a tail. Without tails, an allocation that is not sampled and a release of a block that was not are
 * the heap's business alone. Set once, at start. */
extern bool dam_protect_has_tails;

/* As dam_thread_alloc and dam_first_class_alloc, protected. */
void *dam_protect_alloc(size_t size, size_t alignment, bool *zeroed);
void *dam_protect_heap_alloc(struct heap *heap, size_t size, size_t alignment, bool *zeroed);

/* As dam_free_of_others, for any block whatever. */
void dam_protect_free(void *block, struct pool *pool);

/* Whether the block, if it is one, is protected by this rung: then its size and its resizing are this rung's business. */
bool dam_protect_holds(const void *block);

/* For blocks that this rung holds. The first is as dam_check_usable_bytes, exact in every layer. */
bool dam_protect_check(struct pool *pool, const void *block, const char *operation, size_t *requested_bytes);

/* Resizes without copying, if that is possible and worth it: the block's place, or NULL. */
void *dam_protect_resize(struct pool *pool, void *block, size_t size);

/* Makes the block smaller where it is. False if that is not possible. */
bool dam_protect_shrink(struct pool *pool, void *block, size_t size);

/* Lets everything in quarantine go. Whether there was any. */
bool dam_protect_trim(void);

#endif
