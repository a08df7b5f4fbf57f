// SPDX-License-Identifier: MIT
/* stacks.c: see stacks.h. Each record has a latch that is tried, never waited for: two threads that meet at one record lose
 * one stack, no more. */
#include "protect/stacks.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/config.h"
#include "base/options_table.h"
#include "guard/fault.h"
#include "guard/stack_trace.h"
#include "heap/heap.h"
#include "os/os.h"

#define RECORD_COUNT_SHIFT 16
#define RECORD_COUNT ((size_t)1 << RECORD_COUNT_SHIFT)

/* Spreads the granules of addresses over the table. */
#define HASH_FACTOR 0x9e3779b97f4a7c15u

struct record {
    atomic_flag latch;
    _Atomic(const void *) block; /* relaxed: stored under the latch; who looks without it looks again */
    struct stack_trace allocated_by;
    struct stack_trace released_by;
};

static struct record *records;

static struct record *record_for(const void *block) {
    uint64_t hash = ((uintptr_t)block >> GRANULE_SHIFT) * HASH_FACTOR;
    return &records[hash >> (64 - RECORD_COUNT_SHIFT)];
}

static bool is_of(struct record *record, const void *block) {
    return atomic_load_explicit(&record->block, memory_order_relaxed) == block;
}

static void set_block(struct record *record, const void *block) {
    atomic_store_explicit(&record->block, block, memory_order_relaxed);
}

static bool try_latch(struct record *record) {
    return !atomic_flag_test_and_set_explicit(&record->latch, memory_order_acquire);
}

static void unlatch(struct record *record) {
    atomic_flag_clear_explicit(&record->latch, memory_order_release);
}

/* A thread's first allocation is due. */
static bool is_due(struct heap *heap) {
    if (heap == NULL)
        return true;
    if (heap->stack_countdown > 1) {
        heap->stack_countdown--;
        return false;
    }
    heap->stack_countdown = (uint32_t)DAM_SETTING(stack_every);
    return true;
}

static void record_allocation(struct record *record, const void *block) {
    set_block(record, block);
    record->released_by.depth = 0;
    dam_stack_capture(&record->allocated_by);
}

/* What is known of an earlier block in the same place is not this one's. */
void dam_stacks_note_allocated(const void *block, struct heap *heap) {
    bool due = is_due(heap);
    struct record *record = records == NULL ? NULL : record_for(block);
    if (record == NULL || (!due && !is_of(record, block)) || !try_latch(record))
        return;
    if (due)
        record_allocation(record, block);
    else
        set_block(record, NULL);
    unlatch(record);
}

void dam_stacks_note_released(const void *block) {
    struct record *record = records == NULL ? NULL : record_for(block);
    if (record == NULL || !is_of(record, block) || !try_latch(record))
        return;
    if (is_of(record, block))
        dam_stack_capture(&record->released_by);
    unlatch(record);
}

/* For the report: without the latch, since the fault may have been met while it was taken. */
static void find_stacks(const void *block, const struct stack_trace **allocated_by,
                        const struct stack_trace **released_by) {
    struct record *record = record_for(block);
    if (!is_of(record, block))
        return;
    *allocated_by = &record->allocated_by;
    *released_by = &record->released_by;
}

bool dam_stacks_init(void) {
    size_t bytes = round_up(RECORD_COUNT * sizeof(struct record), dam_os_page_bytes());
    records = dam_os_map(bytes, dam_os_page_bytes());
    if (records == NULL)
        return false;
    dam_fault_set_stack_finder(find_stacks);
    return true;
}
