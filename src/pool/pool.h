// SPDX-License-Identifier: MIT
/* pool.h: a pool is one or more slices run by one layer; this is its descriptor, which lives apart from the blocks.
 *
 *   pool map                     descriptor                                  memory
 *   [address >> 16] -----------> struct pool { start, ... , remote } ------> | block | block | block | ...
 *
 * P1  Every slice of a pool leads, through the pool map, to its descriptor; every other address to the sentinel.
 * P2  Fields are read and written by the owner alone (pool/ownership.h), but for those marked: RELAXED fields are stored by
 *     the owner and loaded by anyone, atomic ones are anyone's.
 * P3  A descriptor is only ever reused as a descriptor of the same layer.
 *
 * Life: created (address space, a key, an owner) -> owned, let go, claimed, any number of times -> empty -> retired. */
#ifndef DAM_POOL_POOL_H
#define DAM_POOL_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/config.h"
#include "base/list.h"

struct heap;
struct metadata_kind;
struct region;

enum layer { LAYER_NONE, LAYER_SMALL, LAYER_GENERAL, LAYER_DIRECT };

struct pool {
    /* First cache line: all that the small layer's common way needs. */
    uintptr_t start;
    uint64_t key;                        /* small: secret of this life of the pool */
    struct heap *small_owner;            /* RELAXED: the owner, if this is a small pool and has one; else NULL */
    uint64_t block_inverse;              /* small: inverse of the block size's odd part modulo 2^64 */
    uint64_t carved;                     /* RELAXED: small: blocks that exist so far; only grows */
    uint32_t free_head;                  /* small: offset of the first free block */
    uint32_t live;                       /* blocks not free to the owner: in use, quick, or on the remote stack; of a small
                                          * pool one more while it is current, so that it never looks empty */
    struct heap *general_owner;          /* RELAXED: the owner, if this is a general pool and has one; else NULL */
    uint8_t block_shift;                 /* small: the block size's power-of-two part, as a shift */
    uint8_t class_index;                 /* small */
    uint8_t layer;                       /* enum layer */
    uint8_t is_current;                  /* RELAXED: small: its heap's current pool of its class: 0 or 1 */
    uint32_t block_bytes;                /* small */

    /* Second line: what other threads write. */
    _Atomic(uint64_t) remote; /* pool/ownership.h */
    struct list link;         /* by the owner: its place among the heap's pools */
    struct list shared_link;  /* its place among the partly used pools that anyone may claim */
    bool shared;              /* RELAXED: is on such a list; changed under the central lock, set only by the owner */
    bool is_mapping;          /* a mapping of its own, not slices of a region */
    bool stays_with_owner;    /* its owner is a first-class heap; said once, when the pool is new */
    bool read_as_zero;        /* the memory was clean when it came */
    uint8_t spare_slices;     /* behind it, for the guard: 0 or 1 */
    size_t bytes;             /* of address space, from start */
    size_t guard_bytes;       /* behind it, inaccessible; 0 but in guard=full */
    struct region *region;    /* where the slices go back to */
    struct metadata_kind *descriptor_kind; /* where this descriptor goes back to */
};

_Static_assert(offsetof(struct pool, remote) == CACHE_LINE_BYTES, "the small layer's common way reads one line");
_Static_assert(sizeof(struct pool) <= 3 * (size_t)CACHE_LINE_BYTES, "the common part is three lines at most");

static inline enum layer pool_layer(const struct pool *pool) {
    return (enum layer)pool->layer;
}

static inline char *pool_start(const struct pool *pool) {
    return (char *)pool->start; // NOLINT(performance-no-int-to-ptr)
}

static inline size_t pool_offset(const struct pool *pool, const void *address) {
    return (uintptr_t)address - pool->start;
}

static inline size_t slices_for(size_t bytes) {
    return (bytes + SLICE_BYTES - 1) >> SLICE_SHIFT;
}

/* How the memory of a new pool is to be found. */
struct pool_request {
    enum layer layer;
    struct metadata_kind *descriptor_kind; /* the layer's own; a structure that begins with struct pool */
    size_t bytes;     /* a multiple of SLICE_BYTES, or of the page size when as_mapping */
    size_t alignment; /* at least SLICE_BYTES; more only when as_mapping */
    bool as_mapping;
};

/* A new pool: memory, descriptor, key, entries in the pool map; not owned yet, all layer fields zero. NULL if memory is
 * refused. While the central lock is frozen the memory comes straight from the system. */
struct pool *dam_pool_create(const struct pool_request *request);

/* Ends the pool's life. The caller owns it, and no block of it is live. */
void dam_pool_retire(struct pool *pool);

/* Lengthens a pool in place to new_bytes. (This and the next two: for layers whose pools change size; pool_resize.c.) */
bool dam_pool_extend(struct pool *pool, size_t new_bytes);

/* Moves a pool that is a mapping of its own to a larger place, without touching its pages. */
bool dam_pool_move(struct pool *pool, size_t new_bytes);

/* Gives the end of a pool back. False if that is refused; nothing changed then. */
bool dam_pool_shorten(struct pool *pool, size_t new_bytes);

/* Bytes held by pools of each layer now and at most so far, and how many pools. Any thread, any time. */
struct layer_figures {
    size_t pool_count;
    size_t bytes;
    size_t bytes_peak;
};
void dam_pool_read_figures(enum layer layer, struct layer_figures *figures);

/* Keeps those figures when a pool's size changes. Private to this rung. */
void dam_pool_count_bytes(enum layer layer, size_t old_bytes, size_t new_bytes);

#endif
