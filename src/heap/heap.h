// SPDX-License-Identifier: MIT
/* heap.h: a heap is what one thread owns, or one first-class heap: its small pools, its general pools, its quick lists.
 *
 *   thread heap        used by its thread alone, without a lock; its pools change hands as pool/ownership.h says
 *   first-class heap   used by any thread under the heap's lock; keeps its pools until it is destroyed
 *   no heap            what a thread has before its first allocation: nothing fits, so the slow way is taken
 *   door               stands before a thread's heap where every call is to be looked at (guard=tail, guard=full, sample_every):
 *                      nothing fits, either, and no pool names it as its owner
 *   gone heap          what a thread has after its heap was given up at its end; late allocations come from a first-class
 *                      heap that all such threads share
 *
 * H1  A block that dam_heap_alloc returns belongs to a pool owned by the heap.
 * H2  Every pool is owned, or on a shared list, or full enough to wait for the next free. (A pool that is given up while a
 *     fork has frozen the lists waits for the next free, too, however much of it is free.) */
#ifndef DAM_HEAP_HEAP_H
#define DAM_HEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bits.h"
#include "base/list.h"
#include "base/thread_self.h"
#include "general/general.h"
#include "os/lock.h"
#include "pool/pool.h"
#include "small/small.h"

struct heap {
    struct small_heap small;
    struct general_heap general;
    struct heap *behind;         /* a door's heap; of every other heap, itself */
    uint32_t sample_countdown;   /* allocations until the next sampled one (protect/sampled.c) */
    uint32_t stack_countdown;    /* allocations until the next whose stack is recorded (protect/stacks.c) */
    uint64_t sample_chance;      /* what decides the first number */

    /* first-class heaps only */
    bool is_first_class;
    struct list link; /* all first-class heaps */
    struct dam_lock lock;
    struct list direct_pools;
};

/* ---- The calling thread's heap (thread.c) ------------------------------------------------------------------------ */

/* The heap that the calling thread owns, behind its door if it has one. A heap without pools if the thread has none. */
static inline struct heap *dam_own_heap(void) {
    return dam_thread_heap->behind;
}

/* The same, made on first use. NULL if memory is refused or the thread's heap is gone. */
struct heap *dam_thread_heap_or_make(void);

/* Whether the calling thread has given its heap up. */
bool dam_thread_heap_is_gone(void);

/* Sets up what must exist before the first block. Idempotent; every way into the allocator that may be the first calls
 * it. */
void dam_start(void);

/* ---- Allocating beyond the common way (heap.c) ------------------------------------------------------------------- */

/* A small or general block from the heap, which the caller owns (its thread's, or one it has locked). NULL if memory is
 * refused. alignment is at least 16; a small block is asked for with size already a multiple of the alignment. */
void *dam_heap_alloc(struct heap *heap, size_t size, size_t alignment);

/* The same for the calling thread, whatever state it is in, any layer, and any size up to PTRDIFF_MAX. Stores whether the
 * memory reads as zero. */
void *dam_thread_alloc(size_t size, size_t alignment, bool *zeroed);

/* The layer that serves the size at the alignment. */
enum layer dam_layer_of_request(size_t size, size_t alignment);

/* What to ask for so that any block of that size is aligned, if it is small: small blocks start at multiples of their size,
 * from a pool's start. */
static inline size_t dam_size_with_alignment(size_t size, size_t alignment) {
    if (size <= SMALL_SIZE_MAX && alignment <= SMALL_SIZE_MAX && alignment > GRANULE_BYTES)
        return round_up(size == 0 ? 1 : size, alignment);
    return size;
}

/* ---- Freeing beyond the common way (heap.c) ---------------------------------------------------------------------- */

/* The block comes first, as it does in free: it is in its register already. */

/* The last live block of a small pool that the calling thread owns, and that is not current, is gone. */
void dam_thread_small_pool_emptied(struct pool *pool);

/* The address is in a small pool that the thread owns, but is no live block of it: reports what it is, and does nothing. */
void dam_thread_small_free_failed(void *block, struct pool *pool);

/* A block of a general pool that the thread owns, for which the quick lists have no room, or which is not intact. */
void dam_thread_general_free(void *block, struct pool *pool);

/* Anything else: foreign pointers, blocks of other owners, direct blocks. NULL does nothing. */
void dam_free_of_others(void *block, struct pool *pool);

/* Stores the bytes that the live block at the address may hold. Reports a fault, and returns false, unless there is one. */
bool dam_check_usable_bytes(struct pool *pool, const void *address, const char *operation, size_t *usable_bytes);

/* ---- Giving up (heap.c) ------------------------------------------------------------------------------------------ */

/* Empties a thread heap: every pool is retired, shared or let go. */
void dam_heap_give_up(struct heap *heap);

/* Retires the empty pools that the heap keeps for itself. */
void dam_heap_trim(struct heap *heap);

void dam_heap_init(struct heap *heap, bool is_first_class);

/* ---- First-class heaps (first_class.c) --------------------------------------------------------------------------- */

struct heap *dam_first_class_create(void);
void *dam_first_class_alloc(struct heap *heap, size_t size, size_t alignment, bool *zeroed);

/* Resizes in place a block that may be this heap's; false if it is not or cannot be. */
bool dam_first_class_resize(struct heap *heap, struct pool *pool, void *block, size_t size);
void dam_first_class_destroy(struct heap *heap);

/* Takes the pool of a direct block off the list of the first-class heap it belongs to, if it belongs to one. */
void dam_first_class_forget_direct(struct pool *pool);

/* For a thread whose heap is gone. Does not wait when a fork is under way: then NULL. */
void *dam_late_alloc(size_t size, size_t alignment);

/* Across fork: freezes and thaws every first-class heap's lock. */
void dam_first_class_freeze_all(void);
void dam_first_class_thaw_all(void);

/* ---- What the rung above defines (protect/protect.c) ------------------------------------------------------------- */

/* Makes ready what the options guard and sample_every ask for; whether every call is to be looked at. Once, at start. */
bool dam_protect_init(void);

/* Across fork: freezes and thaws that rung's locks. */
void dam_protect_freeze_all(void);
void dam_protect_thaw_all(void);

#endif
