// SPDX-License-Identifier: MIT
/* direct_pool.h: a direct pool's descriptor and its canary. Private to this rung. */
#ifndef DAM_DIRECT_DIRECT_POOL_H
#define DAM_DIRECT_DIRECT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "pool/pool.h"

struct direct_pool {
    struct pool pool;
    size_t requested_bytes;
    struct heap *heap;   /* the first-class heap it belongs to, or NULL */
    size_t guarded_from; /* inaccessible from this offset to the end; 0: nothing is (all but guard=full) */
    _Atomic(bool) is_hidden; /* all of it is inaccessible: the block waits in quarantine */
};

static inline struct direct_pool *direct_of(struct pool *pool) {
    return container_of(pool, struct direct_pool, pool);
}

static inline const struct direct_pool *direct_of_const(const struct pool *pool) {
    return (const struct direct_pool *)pool;
}

/* ---- The canary -------------------------------------------------------------------------------------------------- */

#define DIRECT_CANARY_BYTES sizeof(uint64_t)

static inline char *direct_canary_place(const struct pool *pool) {
    return pool_start(pool) + direct_of_const(pool)->requested_bytes;
}

/* Both factors are odd, so the first byte is never 0: a string's terminating zero is seen. */
static inline uint64_t direct_canary(const struct pool *pool) {
    return (pool->start + 2 * (uint64_t)direct_of_const(pool)->requested_bytes + 1) * pool->key;
}

static inline void direct_write_canary(struct pool *pool) {
    uint64_t canary = direct_canary(pool);
    memcpy(direct_canary_place(pool), &canary, sizeof canary);
}

static inline bool direct_canary_is_intact(const struct pool *pool) {
    uint64_t canary = direct_canary(pool);
    return memcmp(direct_canary_place(pool), &canary, sizeof canary) == 0;
}

/* ---- Faults (direct_fault.c) ------------------------------------------------------------------------------------- */

void dam_direct_report_freed_twice_at_once(const struct pool *pool);

#endif
