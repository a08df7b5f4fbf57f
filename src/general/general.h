// SPDX-License-Identifier: MIT
/* general.h: the general layer: blocks of variable size up to 64 KiB, split from and merged into growing pools.
 *
 *   quick[class] -> block -> block            freed lately, not merged yet: the common way (general_fast.h)
 *   by_largest[class] -> pool <-> pool        pools by the class of their largest free block; each has its free index
 *
 * G5  A pool that the heap owns is on the list of its largest free block's class.
 * G6  quick_room says how much more the quick lists may hold, and is not negative between calls. Its unit is that of a
 *     header's fields, 1/65536 granule, so that they are charged as they stand; the request in their low bits makes it
 *     inexact, by less than a granule for each block, until the next flush makes it exact.
 * G7  live counts a pool's blocks that are not free: live, quick or remote.
 * G8  The quick lists hold only blocks of pools that the heap owns: they are emptied before it lets any go. So nobody else
 *     ever reads the header of a block while it is written anew.
 *
 * Pools grow from 256 KiB to 4 MiB, each twice the last. A pool that is nearly full when the heap must grow is let go, with
 * its index, so that what others free there is theirs and waits for nobody. The layout of a block is in block.h. */
#ifndef DAM_GENERAL_GENERAL_H
#define DAM_GENERAL_GENERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "general/free_index.h"
#include "general/general_classes.h"
#include "pool/pool.h"

struct block_link;
struct heap;

/* A general pool's descriptor: the common part, then the index. */
struct general_pool {
    struct pool pool;
    uint32_t capacity_granules; /* payload of the pool when it is one free block */
    uint32_t listed_class;      /* the by_largest list it is on */
    size_t touched_bytes;       /* no block has reached beyond this offset yet */
    struct free_index index;
};

/* The general part of a heap. */
struct general_heap {
    struct block_link *quick[GENERAL_LIVE_CLASS_COUNT]; /* never NULL: dam_quick_end closes each */
    int64_t quick_room;  /* G6 */
    int64_t quick_limit;
    uint64_t flushed_ms; /* when the quick lists were last empty */
    uint64_t class_bits[GENERAL_CLASS_COUNT / 64]; /* which by_largest lists are not empty */
    struct list by_largest[GENERAL_CLASS_COUNT];   /* list 0: pools with nothing free */
    size_t pool_count;
    size_t pool_bytes;
    size_t next_pool_bytes;
    struct heap *owner; /* whose part this is: the name on its pools */
    bool keeps_pools;   /* never lets a pool go */
};

/* Stands at the end of every quick list. */
extern struct block_link dam_quick_end;

/* Draws the layer's secrets and fills its tables; once, before the first block. */
void dam_general_init(void);

void dam_general_heap_init(struct general_heap *heap, struct heap *owner, bool keeps_pools);

/* A block for `size` bytes, aligned to `alignment` (at least 16, at most GENERAL_SIZE_MAX), from what the heap owns; NULL
 * if that takes a pool more. */
void *dam_general_alloc(struct general_heap *heap, size_t size, size_t alignment);

/* What the heap does before it takes a new pool: lets go of those that have little left to give. */
void dam_general_let_go_nearly_full(struct general_heap *heap);

/* A new pool that can serve the request, owned by nobody yet. NULL if memory is refused. */
struct pool *dam_general_create_pool(struct general_heap *heap, size_t size, size_t alignment);

/* Frees a block of a pool that the heap owns, into the pool's index, after the common way has charged it and would not; if it
 * is not live and intact, reports a fault instead. */
void dam_general_free(struct general_heap *heap, struct pool *pool, void *block);

/* Frees a block of a pool that the caller does not own, if it is live and intact. True if the caller is the pool's owner
 * now. */
bool dam_general_free_remote(struct pool *pool, void *block);

/* Resizes in place, by the owner. False if there is no room; nothing has changed then. */
bool dam_general_resize(struct general_heap *heap, struct pool *pool, void *block, size_t size);

/* Lists a new pool, whose owner the heap is. */
void dam_general_enlist_new(struct general_heap *heap, struct pool *pool);

/* As in small.h. */
void dam_general_adopt(struct general_heap *heap, struct pool *pool);
void dam_general_disown(struct general_heap *heap, struct pool *pool);
struct pool *dam_general_any_pool(struct general_heap *heap);
bool dam_general_is_nearly_full(struct pool *pool);

/* By the owner, for a pool that is on no list: moves what others have freed into the index. */
void dam_general_take_remote_into_index(struct pool *pool);

/* Empties the quick lists into the pools. Retires pools that become empty, but one. */
void dam_general_flush(struct general_heap *heap);

/* The same, if the lists were last empty longer than purge_delay_ms ago: what a program does not ask for any more must not pin
 * pools for ever. */
void dam_general_flush_if_old(struct general_heap *heap);

/* Retires the pool the heap keeps although it is empty, if there is one. */
void dam_general_retire_empty(struct general_heap *heap);

/* The request of the live block at the address, at least 1. Reports a fault, and returns 0, unless there is one, with an intact
 * canary. */
size_t dam_general_check_live(const struct pool *pool, const void *address, const char *operation);

/* For guard=tail and guard=full (general_slack.c). The first fills what lies behind a live block's canary; the second reports a
 * fault, and returns false, if it has changed. */
void dam_general_fill_slack(void *block);
bool dam_general_check_slack(const struct pool *pool, const void *block, const char *operation);

/* Before a pool with live blocks goes (a destroyed heap's): checks each of them, and sees to it that no header is left that
 * could be taken for a live block's when other blocks lie there. */
void dam_general_forget_blocks(const struct pool *pool);

size_t dam_general_verify_pool(struct pool *pool);

/* Adds up the blocks of a pool; exact while the pool stands still. */
struct general_block_figures {
    size_t live_blocks, live_bytes; /* requests */
    size_t quick_bytes, free_bytes; /* payload */
};
void dam_general_read_figures(const struct pool *pool, struct general_block_figures *figures);

#endif
