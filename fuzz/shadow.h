// SPDX-License-Identifier: MIT
/* shadow.h: what the blocks that DAM has given out must be like, kept apart from DAM: the judge of both targets.
 *
 *     slot     absent ---- asked for ----> busy ---- given ----> present ---- released, resized ----> busy ---> absent
 *
 * A block is busy while a call that makes or ends it is under way; then nobody else may touch it, and nothing is known
 * of it. A present block holds its pattern (an endless sequence of words made from its id) as far as it was written.
 *
 * The shadow's memory is static. The targets link the plain library, so nothing of libc's or libFuzzer's is DAM's. */
#ifndef DAM_FUZZ_SHADOW_H
#define DAM_FUZZ_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuzz/input.h"

#define SLOT_COUNT 1024u
#define GHOST_COUNT 64u
#define HEAP_COUNT 3
#define HEAP_OF_THREAD (-1)

enum slot_state { SLOT_ABSENT, SLOT_BUSY, SLOT_PRESENT };

/* How a block may be released besides free: free_sized and free_aligned_sized ask for what only some calls were told.
 */
enum release { RELEASE_PLAIN, RELEASE_SIZED, RELEASE_ALIGNED_SIZED };

struct slot {
    enum slot_state state;
    enum release release;
    int heap; /* index of a first-class heap, or HEAP_OF_THREAD */
    unsigned char *start;
    size_t size;
    size_t alignment;
    size_t written; /* so many bytes from the start hold the pattern */
    uint64_t id;
};

/* A block that was, and might be taken for one that is. */
struct ghost {
    unsigned char *start; /* NULL: none yet */
    size_t size;
    unsigned actor; /* who released it */
};

struct shadow {
    struct slot slots[SLOT_COUNT];
    struct ghost ghosts[GHOST_COUNT];
    unsigned next_ghost;
    size_t live_bytes;
    uint64_t next_id;
    bool damaged; /* DAM's memory is: it may say that a live block is none */
};

extern struct shadow shadow;

/* Forgets everything. */
void shadow_begin(void);

/* The slot that a step names: the next one from there on that is absent (to make a block), or present (to use one).
 * NULL if there is none. */
struct slot *shadow_find_absent(uint8_t from);
struct slot *shadow_find_present(uint8_t from);

/* The slot whose block starts there, present or busy; NULL if there is none. */
const struct slot *shadow_at(const void *start);

/* A size as a step gives it: of any layer, near any edge. Small ones only while much is live already. */
size_t shadow_size(uint16_t code);

/* The block is there: checks its alignment, that it lies in a pool whole, and its usable size. Nothing is written yet.
 * The slot's size, alignment, release and heap are the caller's to fill in before. */
void shadow_arrived(struct slot *slot, void *block);

/* Writes the block's first `bytes`, under a new id, so that old contents cannot pass for new ones. */
void shadow_write(struct slot *slot, size_t bytes);

/* Finds what changed in the first `bytes`, of those that were written. */
void shadow_check(const struct slot *slot, size_t bytes);

/* The block goes: its slot is busy from here on. Its contents are checked first. */
void shadow_leaving(struct slot *slot);

/* It is gone; remembered as a ghost of the actor's. */
void shadow_gone(struct slot *slot, unsigned actor);

/* The call was refused: the block is what it was when it was leaving. */
void shadow_stayed(struct slot *slot);

/* Checks each present block, and that no two of them overlap. */
void shadow_audit(void);

/* For findings: what is known of the block. */
void shadow_tell(const struct slot *slot);

/* The target's: ends the process with what was found; the block, if any, has been told about. */
_Noreturn void finding(const char *what);

#endif
