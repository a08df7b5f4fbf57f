// SPDX-License-Identifier: MIT
/* player.h: one thread's part in a random game with the allocator, and the shadow model it keeps of its blocks.
 *
 *   struct record   a block as the test knows it: where, how large, which pattern it holds, how it may be released
 *   struct player   one thread: its random numbers, its first-class heaps, how much it holds
 *
 * Every block is filled with the pattern of its id when it is made or resized, and compared in full when it is
 * resized, released or audited. A record travels between threads whole, so that another player can do all of that.
 *
 * Whatever is wrong ends the program with the seed, the operation and the block. Not here: who plays, how often, and
 * when the heap itself is verified (single.c, threads.c, ../process/os_refusals.c). */
#ifndef DAM_TESTS_TORTURE_PLAYER_H
#define DAM_TESTS_TORTURE_PLAYER_H

#include "dam/dam.h"
#include "support/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the block was made decides which sized release is right for it. */
enum record_release {
    RELEASE_SIZED,         /* free or free_sized */
    RELEASE_ALIGNED_SIZED, /* free or free_aligned_sized */
    RELEASE_PLAIN          /* free alone */
};

enum { HEAP_OF_THREAD = 0, HEAP_SHARED = 1, HEAP_PRIVATE_FIRST = 2, HEAP_COUNT = 5 };

struct record {
    unsigned char *block; /* NULL: this record is empty */
    size_t size;          /* as last requested */
    size_t alignment;     /* as requested, until the block is resized; then 16 */
    uint64_t id;
    int heap; /* HEAP_OF_THREAD, HEAP_SHARED, or one of the player's own, which no other player may touch */
    enum record_release release;
};

struct player {
    const char *test;
    uint64_t seed;
    struct random random;
    uint64_t next_id;
    uint64_t operation; /* count of steps, for the report */
    dam_heap *heaps[HEAP_COUNT];
    size_t size_max;
    size_t live_bytes_max; /* above it, only small blocks are made */
    size_t live_bytes;     /* of blocks this player made; approximate once records travel */
    uint64_t refused;      /* allocations that gave NULL with ENOMEM */
    bool refusals_allowed; /* otherwise NULL is a failure */
};

/* `number` must differ between players of one game. Heaps are the caller's to create; a missing one is not used. */
void player_start(struct player *player, const char *test, uint64_t seed, uint64_t number);

/* One random operation on that record: make a block if it has none; else resize, expand, check or release it. */
void player_step(struct player *player, struct record *record);

/* Compares the block with its pattern, and its usable size and alignment with what was asked. */
void player_check(const struct player *player, const struct record *record);

/* Checks and releases the block, if there is one. */
void player_release(struct player *player, struct record *record);

/* Checks every block of that private heap among the records, forgets them, and destroys the heap. */
void player_destroy_heap(struct player *player, int heap, struct record *records, size_t count);

/* Checks all records, and that no two blocks share a byte. Only where nobody else changes the records. */
void player_audit(const struct player *player, const struct record *records, size_t count);

/* What may remain in memory when all blocks of a game are released: bookkeeping, and in full guard the table of stacks. */
size_t player_left_behind_max(void);

#endif
