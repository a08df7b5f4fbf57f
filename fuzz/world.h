// SPDX-License-Identifier: MIT
/* world.h: what the operations of one input share besides the blocks (shadow.h): heaps, the clock, what DAM says, and
 * how a call is made so that errno is looked at. */
#ifndef DAM_FUZZ_WORLD_H
#define DAM_FUZZ_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options_table.h"
#include "dam/dam.h"
#include "fuzz/shadow.h"

/* What the option on_fault says while an input is played. */
enum fault_mode { FAULTS_HANDLED, FAULTS_HANDLED_AND_REPORTED, FAULTS_REPORTED, FAULTS_IGNORED, FAULT_MODE_COUNT };

struct world {
    dam_heap *heaps[HEAP_COUNT];
    bool heap_busy[HEAP_COUNT];
    uint64_t now_ms; /* never goes back, not even from input to input */
    enum fault_mode fault_mode;
};

extern struct world world;

/* What the option guard, which is set at start, adds to the default profile. */
static inline bool world_has_tails(void) {
    return DAM_SETTING(guard) >= GUARD_TAIL;
}

static inline bool world_has_quarantine(void) {
    return DAM_SETTING(guard) == GUARD_FULL;
}

/* A value errno never takes by itself, to see whether a call touched it. */
#define ERRNO_MARK 12345

/* ---- What DAM says (system.c) ------------------------------------------------------------------------------------ */

#define SAID_BYTES_MAX 8192

/* The last fault report that DAM wrote to stderr; it goes no further. Whatever else it says does. */
struct said {
    size_t reports; /* how many so far */
    size_t bytes;
    char text[SAID_BYTES_MAX];
};

extern struct said said;

/* To stderr. */
void said_show(void);

#endif
