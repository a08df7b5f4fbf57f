// SPDX-License-Identifier: MIT
/* shadow.c: slots, contents, and the audit. */
#include "fuzz/shadow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dam/dam.h"
#include "pool/pool_map.h"

struct shadow shadow;

/* More than this is not asked for at once: time goes into operations, not into touching pages. */
#define LIVE_BYTES_MAX ((size_t)24 << 20)

void shadow_begin(void) {
    memset(&shadow, 0, sizeof shadow);
}

void shadow_tell(const struct slot *slot) {
    fprintf(stderr, "  slot %zu: block %p of %zu bytes, %zu of them written, alignment %zu, id %" PRIu64 ", heap %d\n",
            (size_t)(slot - shadow.slots), (void *)slot->start, slot->size, slot->written, slot->alignment, slot->id,
            slot->heap);
}

_Noreturn static void broken(const struct slot *slot, const char *what) {
    shadow_tell(slot);
    finding(what);
}

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

static struct slot *find(uint8_t from, enum slot_state state) {
    size_t start = from * (SLOT_COUNT / 256);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &shadow.slots[(start + i) % SLOT_COUNT];
        if (slot->state == state)
            return slot;
    }
    return NULL;
}

struct slot *shadow_find_absent(uint8_t from) {
    return find(from, SLOT_ABSENT);
}

struct slot *shadow_find_present(uint8_t from) {
    return find(from, SLOT_PRESENT);
}

const struct slot *shadow_at(const void *start) {
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (shadow.slots[i].state != SLOT_ABSENT && shadow.slots[i].start == start)
            return &shadow.slots[i];
    }
    return NULL;
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

/* Where something changes: classes, layers, slices, pages, mappings. */
static const size_t EDGES[] = {0,     16,    32,    48,    64,     80,     96,     112,     128,     160,    192,
                               224,   256,   272,   496,   512,    1024,   2048,   4096,    8192,    16384,  32768,
                               65520, 65536, 69632, 98304, 131072, 262144, 983040, 1048576, 1052672, 2097152};

size_t shadow_size(uint16_t code) {
    size_t value = code & 0x1fff;
    if (shadow.live_bytes > LIVE_BYTES_MAX)
        return value % 257;
    switch (code >> 13) {
    case 0:
    case 1:
        return value % 257;
    case 2:
        return value;
    case 3:
        return value * 8 + 9;
    case 4: {
        size_t edge = EDGES[value % (sizeof EDGES / sizeof EDGES[0])];
        size_t offset = value / (sizeof EDGES / sizeof EDGES[0]) % 3;
        return edge + offset == 0 ? 0 : edge + offset - 1;
    }
    case 5:
        return 65537 + value * 128;
    case 6:
        return ((size_t)1 << 20) + value * 384;
    default:
        return 4096 * (1 + value % 40) - value / 40 % 3;
    }
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

#define STEP UINT64_C(0x9E3779B97F4A7C15)
#define WORD_BYTES sizeof(uint64_t)

/* Up to here every byte is written; beyond, a word in each page and the last word, since pages are what can go wrong.
 */
#define DENSE_BYTES ((size_t)96 << 10)
#define SPARSE_STEP ((size_t)4096)

static uint64_t first_word(const struct slot *slot) {
    uint64_t x = slot->id * STEP + 1;
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return x ^ x >> 29;
}

static uint64_t word_at(uint64_t first, size_t offset) {
    return first + offset / WORD_BYTES * STEP;
}

/* Most of a target's time is spent in these two. Not instrumented: they go where shadow_arrived has looked. */
#define PLAIN __attribute__((noinline, no_sanitize("address", "undefined", "coverage")))

PLAIN static void write_run(const struct slot *slot, size_t from, size_t to) {
    uint64_t word = word_at(first_word(slot), from);
    for (; to - from >= WORD_BYTES; from += WORD_BYTES, word += STEP)
        memcpy(slot->start + from, &word, WORD_BYTES);
    for (; from < to; from++, word >>= 8)
        slot->start[from] = (unsigned char)word;
}

/* The first byte of the run that is not the pattern's, or `to`. */
PLAIN static size_t first_difference(const struct slot *slot, size_t from, size_t to) {
    uint64_t word = word_at(first_word(slot), from);
    uint64_t found;
    for (; to - from >= WORD_BYTES; from += WORD_BYTES, word += STEP) {
        memcpy(&found, slot->start + from, WORD_BYTES);
        if (found != word)
            break;
    }
    while (from < to && slot->start[from] == (unsigned char)(word >> from % WORD_BYTES * 8))
        from++;
    return from;
}

static void check_run(const struct slot *slot, size_t from, size_t to) {
    size_t different = first_difference(slot, from, to);
    if (different == to)
        return;
    fprintf(stderr, "  byte %zu is 0x%02x now\n", different, slot->start[different]);
    broken(slot, "a block's contents changed");
}

/* Calls visit for each run of the first `bytes` that bears the pattern. What is checked after a resize is a beginning
 * of what was written before it, so the runs depend on their place alone. */
static void each_run(const struct slot *slot, size_t bytes,
                     void (*visit)(const struct slot *slot, size_t from, size_t to)) {
    visit(slot, 0, bytes < DENSE_BYTES ? bytes : DENSE_BYTES);
    for (size_t from = DENSE_BYTES; from < bytes; from += SPARSE_STEP) {
        size_t page_end = from + SPARSE_STEP - WORD_BYTES;
        visit(slot, from, from + WORD_BYTES < bytes ? from + WORD_BYTES : bytes);
        if (page_end + WORD_BYTES <= bytes)
            visit(slot, page_end, page_end + WORD_BYTES);
    }
}

void shadow_write(struct slot *slot, size_t bytes) {
    slot->id = ++shadow.next_id;
    slot->written = bytes;
    each_run(slot, bytes, write_run);
}

void shadow_check(const struct slot *slot, size_t bytes) {
    each_run(slot, bytes < slot->written ? bytes : slot->written, check_run);
}

/* ---- A block's coming and going ---------------------------------------------------------------------------------- */

static void check_place(const struct slot *slot) {
    uintptr_t start = (uintptr_t)slot->start;
    if (start % slot->alignment != 0 || start % 16 != 0)
        broken(slot, "a block is not aligned");
    const struct pool *pool = pool_of(slot->start);
    size_t bytes = slot->size == 0 ? 1 : slot->size;
    if (pool_is_none(pool) || start < pool->start || start - pool->start > pool->bytes ||
        pool->bytes - (start - pool->start) < bytes)
        broken(slot, "a block lies outside of DAM's pools");
}

void shadow_arrived(struct slot *slot, void *block) {
    slot->start = block;
    slot->written = 0;
    check_place(slot);
    slot->state = SLOT_PRESENT;
    shadow.live_bytes += slot->size;
}

void shadow_leaving(struct slot *slot) {
    shadow_check(slot, slot->size);
    slot->state = SLOT_BUSY;
    shadow.live_bytes -= slot->size;
}

void shadow_stayed(struct slot *slot) {
    slot->state = SLOT_PRESENT;
    shadow.live_bytes += slot->size;
    shadow_check(slot, slot->size);
}

void shadow_gone(struct slot *slot, unsigned actor) {
    shadow.ghosts[shadow.next_ghost] = (struct ghost){slot->start, slot->size, actor};
    shadow.next_ghost = (shadow.next_ghost + 1) % GHOST_COUNT;
    slot->state = SLOT_ABSENT;
}

/* ---- Audit ------------------------------------------------------------------------------------------------------- */

struct interval {
    uintptr_t start;
    uintptr_t end;
    const struct slot *slot;
};

static int compare_intervals(const void *a, const void *b) {
    const struct interval *left = a;
    const struct interval *right = b;
    return (left->start > right->start) - (left->start < right->start);
}

/* A block of no bytes still takes one: its address is its own. */
static struct interval interval_of(const struct slot *slot) {
    size_t usable = dam_malloc_usable_size(slot->start);
    if (usable < slot->size && !shadow.damaged)
        broken(slot, "a block's usable size is less than was asked for");
    if (usable < slot->size)
        usable = slot->size;
    uintptr_t start = (uintptr_t)slot->start;
    return (struct interval){start, start + (usable == 0 ? 1 : usable), slot};
}

void shadow_audit(void) {
    static struct interval intervals[SLOT_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &shadow.slots[i];
        if (slot->state != SLOT_PRESENT)
            continue;
        shadow_check(slot, slot->size);
        intervals[count++] = interval_of(slot);
    }
    qsort(intervals, count, sizeof intervals[0], compare_intervals);
    for (size_t i = 1; i < count; i++) {
        if (intervals[i - 1].end <= intervals[i].start)
            continue;
        shadow_tell(intervals[i - 1].slot);
        broken(intervals[i].slot, "two live blocks overlap");
    }
}
