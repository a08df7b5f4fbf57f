// SPDX-License-Identifier: MIT
/* ownership.h: one owner at a time.
 *
 * A pool has at most one owner, a heap. Only the owner touches the pool's plain fields and its free blocks. Everyone
 * else speaks to the pool through one atomic word, `remote`:
 *
 *     | head: 32 bits | count: 31 bits | OWNED: 1 bit |
 *
 *     head    granule offset of the newest block that others freed, plus 1; 0 when there is none
 *     count   how many blocks are on that stack
 *     OWNED   somebody is the owner
 *
 *                 push: stack not empty, OWNED set by the same swap; the pusher is the new owner
 *        +----------------------------------------------------------------+
 *        |                                                                v
 *     nobody's  <---- let_go: only from an empty stack ----  owned  ---- take: stack emptied ----> owned
 *        |                                                    ^
 *        +------------- try_claim: from the shared list ------+
 *
 * T1  OWNED is set exactly while one thread considers itself the owner.
 * T2  A pool that nobody owns has an empty remote stack: let_go demands it, and push makes an owner.
 * T3  small_owner or general_owner == h only if heap h is the owner; only h's thread stores h there, and it takes it
 *     away before it lets go. So a thread that reads its own heap there can trust it, without any order.
 *
 * A block on the stack holds its link inside itself, in its layer's own form; the layers pass in how.
 *
 * The protocol is model-checked: model/. Not here: what is done with a pool after it changed hands (heap/). */
#ifndef DAM_POOL_OWNERSHIP_H
#define DAM_POOL_OWNERSHIP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "pool/pool.h"

#define REMOTE_OWNED ((uint64_t)1)
#define REMOTE_COUNT_SHIFT 1
#define REMOTE_COUNT_MASK (((uint64_t)1 << 31) - 1)
#define REMOTE_HEAD_SHIFT 32

/* The stack as it was taken from a pool. */
struct remote_stack {
    uint32_t count;
    char *head; /* NULL when count is 0 */
};

static inline bool remote_is_owned(uint64_t remote) {
    return (remote & REMOTE_OWNED) != 0;
}

static inline uint32_t remote_count(uint64_t remote) {
    return (uint32_t)(remote >> REMOTE_COUNT_SHIFT & REMOTE_COUNT_MASK);
}

static inline char *remote_head(const struct pool *pool, uint64_t remote) {
    uint64_t head = remote >> REMOTE_HEAD_SHIFT;
    return head == 0 ? NULL : pool_start(pool) + ((head - 1) << GRANULE_SHIFT);
}

static inline uint64_t remote_word(const struct pool *pool, const void *head, uint32_t count) {
    uint64_t granule = pool_offset(pool, head) >> GRANULE_SHIFT;
    return (granule + 1) << REMOTE_HEAD_SHIFT | (uint64_t)count << REMOTE_COUNT_SHIFT | REMOTE_OWNED;
}

/* Writes into `block` the link to `next` (NULL: the last). */
typedef void remote_link_writer(struct pool *pool, void *block, void *next);

/* Frees a block into a pool that the caller does not own. True if that made the caller its owner.
 *
 * Release on success: whoever takes the stack sees the link and all that was done to the block before. Acquire: if
 * nobody owned the pool, its plain fields are the caller's now, as the last owner's let_go left them. */
static inline bool dam_pool_push_remote(struct pool *pool, void *block, remote_link_writer *write_link) {
    uint64_t old = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    uint64_t new;
    do {
        write_link(pool, block, remote_head(pool, old));
        new = remote_word(pool, block, remote_count(old) + 1);
    } while (!atomic_compare_exchange_weak_explicit(&pool->remote, &old, new, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return !remote_is_owned(old);
}

/* How many blocks others have freed and the owner has not taken yet. Relaxed: only a hint to go and take them. */
static inline uint32_t dam_pool_remote_count(struct pool *pool) {
    return remote_count(atomic_load_explicit(&pool->remote, memory_order_relaxed));
}

/* By the owner: takes the whole stack. Acquire pairs with the release of each push (a later push's swap continues the
 * release sequence of an earlier one, so one acquire sees them all). */
static inline struct remote_stack dam_pool_take_remote(struct pool *pool) {
    uint64_t old = atomic_exchange_explicit(&pool->remote, REMOTE_OWNED, memory_order_acquire);
    return (struct remote_stack){.count = remote_count(old), .head = remote_head(pool, old)};
}

/* Makes a new pool owned; nobody else knows of it yet, so relaxed. */
static inline void dam_pool_own_new(struct pool *pool) {
    atomic_store_explicit(&pool->remote, REMOTE_OWNED, memory_order_relaxed);
}

/* By the owner, who has already taken its name off (T3): the pool is nobody's, unless blocks have arrived, in which case
 * the caller stays its owner and must take them. Release: the next owner sees the plain fields. */
static inline bool dam_pool_let_go(struct pool *pool) {
    uint64_t expected = REMOTE_OWNED;
    return atomic_compare_exchange_strong_explicit(&pool->remote, &expected, 0, memory_order_release,
                                                   memory_order_relaxed);
}

/* Makes the caller the owner of a pool that nobody owns. False if somebody does. Acquire pairs with let_go. */
static inline bool dam_pool_try_claim(struct pool *pool) {
    uint64_t expected = 0; /* T2: nobody's means an empty stack */
    return atomic_compare_exchange_strong_explicit(&pool->remote, &expected, REMOTE_OWNED, memory_order_acquire,
                                                   memory_order_relaxed);
}

#endif
