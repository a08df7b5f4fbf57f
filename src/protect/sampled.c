// SPDX-License-Identifier: MIT
/* sampled.c: see sampled.h. The slots are few, so everything is under one lock. Not here: the signal (trap.c). */
#include "protect/sampled.h"

#include <stdatomic.h>
#include <string.h>

#include "base/bits.h"
#include "base/config.h"
#include "guard/fault.h"
#include "guard/stack_trace.h"
#include "heap/heap.h"
#include "os/lock.h"
#include "os/os.h"

#define SLOT_COUNT 256u

/* Fills the page around the block: what runs over before it reaches the guard is seen when the block is released. */
#define FILLING 0xa5

enum slot_state { SLOT_UNUSED, SLOT_LIVE, SLOT_RELEASED };

struct slot {
    enum slot_state state;
    char *block;
    size_t requested_bytes;
    struct stack_trace allocated_by;
    struct stack_trace released_by;
};

static struct {
    struct dam_lock lock;
    char *start; /* NULL: nothing is sampled */
    size_t bytes;
    size_t page_bytes;
    uint64_t chance; /* a state of next_random */
    _Atomic(uint64_t) heap_chance; /* what the next heap starts from */
    uint32_t next;   /* the slot to look at first: slots are used in turn */
    struct slot slots[SLOT_COUNT];
} area;

/* Xorshift: spreads samples, no more; nobody gains by guessing it. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- Places ------------------------------------------------------------------------------------------------------ */

static char *page_of_slot(uint32_t index) {
    return area.start + area.page_bytes * (2 * (size_t)index + 1);
}

static bool is_page_of_slot(size_t page) {
    return page % 2 == 1;
}

bool dam_sampled_owns(const void *address) {
    return area.start != NULL && (uintptr_t)address - (uintptr_t)area.start < area.bytes;
}

/* The slot whose page the address lies on; on a guard page, the nearer one of the two beside it, if it was ever used. */
static struct slot *slot_near(const void *address) {
    size_t offset = (size_t)((const char *)address - area.start);
    size_t page = offset / area.page_bytes;
    if (is_page_of_slot(page))
        return &area.slots[page / 2];
    struct slot *in_front = &area.slots[page == 0 ? 0 : page / 2 - 1];
    struct slot *behind = &area.slots[page / 2 == SLOT_COUNT ? SLOT_COUNT - 1 : page / 2];
    bool upper_half = offset % area.page_bytes >= area.page_bytes / 2;
    struct slot *nearer = upper_half ? behind : in_front;
    struct slot *other = upper_half ? in_front : behind;
    return nearer->state == SLOT_UNUSED ? other : nearer;
}

static uint32_t index_of(const struct slot *slot) {
    return (uint32_t)(slot - area.slots);
}

/* ---- Allocating -------------------------------------------------------------------------------------------------- */

bool dam_sampled_init(void) {
    area.page_bytes = dam_os_page_bytes();
    area.bytes = area.page_bytes * (2 * SLOT_COUNT + 1);
    area.start = dam_os_map(area.bytes, area.page_bytes);
    dam_os_random(&area.chance, sizeof area.chance);
    area.chance |= 1;
    atomic_store_explicit(&area.heap_chance, area.chance, memory_order_relaxed);
    if (area.start != NULL && !dam_os_protect(area.start, area.bytes, false)) {
        dam_os_unmap(area.start, area.bytes);
        area.start = NULL;
    }
    return area.start != NULL;
}

/* Each heap starts elsewhere, so that threads of few allocations each are sampled, too. Relaxed: nothing but the number is
 * shared. */
static uint64_t draw_chance(void) {
    uint64_t chance = atomic_fetch_add_explicit(&area.heap_chance, 0x9e3779b97f4a7c15u, memory_order_relaxed);
    chance = (chance ^ chance >> 31) * 0xbf58476d1ce4e5b9u;
    return chance ^ chance >> 27;
}

/* Distances from 1 to nearly twice the mean, so that no pattern of the program's stays unseen. */
static uint32_t draw_distance(struct heap *heap, uint64_t sample_every) {
    if (heap->sample_chance == 0)
        heap->sample_chance = draw_chance();
    return (uint32_t)(1 + next_random(&heap->sample_chance) % (2 * sample_every - 1));
}

bool dam_sampled_is_due(struct heap *heap, uint64_t sample_every) {
    if (UNLIKELY(heap->sample_countdown == 0)) /* the thread's first allocation */
        heap->sample_countdown = draw_distance(heap, sample_every);
    if (LIKELY(--heap->sample_countdown > 0))
        return false;
    heap->sample_countdown = draw_distance(heap, sample_every);
    return true;
}

static struct slot *take_slot(void) {
    for (uint32_t looks = 0; looks < SLOT_COUNT; looks++) {
        struct slot *slot = &area.slots[area.next];
        area.next = (area.next + 1) % SLOT_COUNT;
        if (slot->state != SLOT_LIVE)
            return slot;
    }
    return NULL;
}

/* At the page's end, as far as alignment lets it, or at its beginning. */
static char *place_block(char *page, size_t size, size_t alignment) {
    if (next_random(&area.chance) % 2 == 0)
        return page;
    return page + (area.page_bytes - (size == 0 ? 1 : size)) / alignment * alignment;
}

static void fill_around(const struct slot *slot, char *page) {
    char *end = slot->block + slot->requested_bytes;
    memset(page, FILLING, (size_t)(slot->block - page));
    memset(end, FILLING, (size_t)(page + area.page_bytes - end));
    memset(slot->block, 0, slot->requested_bytes);
}

static void *alloc_in_slot(size_t size, size_t alignment, const struct stack_trace *caller) {
    struct slot *slot = take_slot();
    if (slot == NULL)
        return NULL;
    char *page = page_of_slot(index_of(slot));
    if (!dam_os_protect(page, area.page_bytes, true))
        return NULL;
    slot->state = SLOT_LIVE;
    slot->requested_bytes = size;
    slot->block = place_block(page, size, alignment);
    slot->released_by.depth = 0;
    slot->allocated_by = *caller;
    fill_around(slot, page);
    return slot->block;
}

/* Stacks are captured (here and below) before the lock is taken: the unwinder may wait for whoever holds the dynamic linker's
 * lock, and that thread may be here, allocating. */
void *dam_sampled_alloc(size_t size, size_t alignment) {
    struct stack_trace caller;
    if (size > area.page_bytes || alignment > area.page_bytes)
        return NULL;
    dam_stack_capture(&caller);
    if (!dam_lock_try_enter(&area.lock))
        return NULL;
    void *block = alloc_in_slot(size, alignment < GRANULE_BYTES ? GRANULE_BYTES : alignment, &caller);
    dam_lock_leave(&area.lock);
    return block;
}

/* ---- Checking and freeing ---------------------------------------------------------------------------------------- */

static const char *const state_words[] = {
    [SLOT_UNUSED] = NULL,
    [SLOT_LIVE] = "live, alone between guard pages",
    [SLOT_RELEASED] = "released, alone between guard pages",
};

static struct dam_fault fault_at(const struct slot *slot, const void *address, const char *operation) {
    return (struct dam_fault){
        .address = address,
        .operation = operation,
        .block = slot->block,
        .block_bytes = slot->requested_bytes,
        .requested_bytes = slot->requested_bytes,
        .state = state_words[slot->state],
        .allocated_by = &slot->allocated_by,
        .released_by = &slot->released_by,
    };
}

/* The first byte from `from` to `to` that is not as it was filled, or NULL. */
static const char *first_changed(const char *from, const char *to) {
    for (; from < to; from++) {
        if ((unsigned char)*from != FILLING)
            return from;
    }
    return NULL;
}

/* The first byte around the block that was changed, or NULL; *limit is where its side of the page ends. */
static const char *find_change(const struct slot *slot, const char **limit) {
    const char *page = page_of_slot(index_of(slot));
    *limit = page + area.page_bytes;
    const char *changed = first_changed(slot->block + slot->requested_bytes, *limit);
    if (changed != NULL)
        return changed;
    *limit = slot->block;
    return first_changed(page, slot->block);
}

static bool check_around(const struct slot *slot, const char *operation) {
    const char *limit;
    const char *changed = find_change(slot, &limit);
    if (LIKELY(changed == NULL))
        return true;
    struct dam_fault fault = fault_at(slot, slot->block, operation);
    fault.kind = changed >= slot->block ? DAM_FAULT_OVERFLOW : DAM_FAULT_HEADER;
    unsigned char should_be[FAULT_SHOWN_BYTES_MAX];
    memset(should_be, FILLING, sizeof should_be);
    dam_fault_show_bytes(&fault, changed, should_be, (size_t)(limit - changed));
    dam_fault_report(&fault);
    return false;
}

static bool is_live_block(const struct slot *slot, const void *block) {
    return slot->state == SLOT_LIVE && slot->block == block;
}

bool dam_sampled_check(const void *block, const char *operation, size_t *requested_bytes) {
    const struct slot *slot = slot_near(block);
    if (is_live_block(slot, block)) {
        *requested_bytes = slot->requested_bytes;
        return check_around(slot, operation);
    }
    struct dam_fault fault = fault_at(slot, block, operation);
    fault.kind = slot->block == block ? DAM_FAULT_DOUBLE_FREE : DAM_FAULT_NOT_A_BLOCK;
    dam_fault_report(&fault);
    return false;
}

/* The page goes back to the system: what was in it is gone, and reads as zero when the slot is used again. */
static void release_slot(struct slot *slot, const struct stack_trace *caller) {
    char *page = page_of_slot(index_of(slot));
    (void)dam_os_protect(page, area.page_bytes, false);
    (void)dam_os_purge(page, area.page_bytes);
    slot->state = SLOT_RELEASED;
    slot->released_by = *caller;
}

/* Looked at and released in one go: another thread that releases it, too, would take the page away meanwhile. What is wrong is
 * reported outside of the lock. While a fork has frozen the lock the block stays as it is: it is one of few, and lost. */
void dam_sampled_free(void *block) {
    struct stack_trace caller;
    dam_stack_capture(&caller);
    if (!dam_lock_try_enter(&area.lock))
        return;
    struct slot *slot = slot_near(block);
    const char *limit;
    bool is_good = is_live_block(slot, block) && find_change(slot, &limit) == NULL;
    if (LIKELY(is_good))
        release_slot(slot, &caller);
    dam_lock_leave(&area.lock);
    size_t requested_bytes;
    if (UNLIKELY(!is_good))
        (void)dam_sampled_check(block, "free", &requested_bytes);
}

bool dam_sampled_shrink(void *block, size_t size) {
    if (!dam_lock_try_enter(&area.lock))
        return false;
    struct slot *slot = slot_near(block);
    bool is_smaller = is_live_block(slot, block) && size <= slot->requested_bytes;
    if (is_smaller) {
        memset(slot->block + size, FILLING, slot->requested_bytes - size);
        slot->requested_bytes = size;
    }
    dam_lock_leave(&area.lock);
    return is_smaller;
}

/* ---- Accesses that were caught ----------------------------------------------------------------------------------- */

void dam_sampled_explain(const void *address, struct dam_fault *fault) {
    const struct slot *slot = slot_near(address);
    const char *operation = fault->operation;
    *fault = fault_at(slot, address, operation);
    const char *at = address;
    if (slot->state == SLOT_UNUSED) {
        fault->kind = DAM_FAULT_FOREIGN_POINTER;
    } else if (slot->state == SLOT_RELEASED && at >= slot->block && at < slot->block + slot->requested_bytes) {
        fault->kind = DAM_FAULT_ACCESS_AFTER_FREE;
        fault->distance_bytes = (size_t)(at - slot->block);
    } else if (at < slot->block) {
        fault->kind = DAM_FAULT_ACCESS_BEFORE_START;
        fault->distance_bytes = (size_t)(slot->block - at);
    } else {
        fault->kind = DAM_FAULT_ACCESS_PAST_END;
        fault->distance_bytes = (size_t)(at - slot->block) - slot->requested_bytes;
    }
}

void dam_sampled_open(const void *address) {
    size_t page = (size_t)((const char *)address - area.start) / area.page_bytes;
    (void)dam_os_protect(area.start + page * area.page_bytes, area.page_bytes, true);
}

void dam_sampled_freeze(void) {
    dam_lock_freeze(&area.lock);
}

void dam_sampled_thaw(void) {
    dam_lock_thaw(&area.lock);
}
