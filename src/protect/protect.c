// SPDX-License-Identifier: MIT
/* protect.c: the way of a call through this rung. What each part does stands in its own header; protect.h lists them. */
#include "protect/protect.h"

#include "base/describe.h"
#include "base/options_table.h"
#include "direct/direct.h"
#include "guard/fault.h"
#include "heap/heap_fast.h"
#include "pool/pool_map.h"
#include "protect/quarantine.h"
#include "protect/sampled.h"
#include "protect/stacks.h"
#include "protect/tail.h"
#include "protect/trap.h"

bool dam_protect_on;
bool dam_protect_has_tails;

/* Set once, at start, like those two. */
static bool is_full;
static uint64_t sample_every;

/* ---- Start and fork ---------------------------------------------------------------------------------------------- */

bool dam_protect_init(void) {
    if (DESCRIBES) /* the tools do what more than tails would do, and do not understand it */
        atomic_store_explicit(&dam_settings.guard, GUARD_TAIL, memory_order_relaxed);
    uint64_t profile = DAM_SETTING(guard);
    dam_protect_has_tails = profile >= GUARD_TAIL;
    is_full = profile == GUARD_FULL;
    if (DAM_SETTING(sample_every) > 0 && dam_sampled_init())
        sample_every = DAM_SETTING(sample_every);
    if (dam_protect_has_tails)
        dam_tail_init();
    if (is_full)
        (void)dam_stacks_init();
    if (is_full || sample_every > 0)
        dam_trap_init();
    dam_protect_on = dam_protect_has_tails || sample_every > 0;
    return dam_protect_on;
}

/* What was written to blocks that are still in quarantine would otherwise never be noticed. */
__attribute__((destructor)) static void look_at_quarantine(void) {
    if (is_full)
        dam_quarantine_check_all();
}

void dam_protect_freeze_all(void) {
    dam_sampled_freeze();
    dam_quarantine_freeze();
}

void dam_protect_thaw_all(void) {
    dam_quarantine_thaw();
    dam_sampled_thaw();
}

/* ---- Allocating -------------------------------------------------------------------------------------------------- */

static void *alloc_unprotected(struct heap *heap, size_t size, size_t alignment, bool *zeroed) {
    if (alignment > GRANULE_BYTES || heap == NULL)
        return dam_thread_alloc(size, alignment, zeroed);
    *zeroed = false;
    void *block = heap_alloc_fast(heap, size);
    return LIKELY(block != NULL) ? block : dam_thread_alloc(size, alignment, zeroed);
}

/* The bytes that the layer of a block would let the program have. */
static size_t room_of(const void *block) {
    size_t room = 0;
    (void)dam_check_usable_bytes(pool_of(block), block, "malloc", &room);
    return room;
}

/* What to ask a layer for. */
static size_t size_with_tail(size_t size, size_t alignment) {
    return dam_size_with_alignment(size + TAIL_BYTES_MIN, alignment);
}

/* A general block ends beyond its room: there is the layer's canary, and perhaps more. */
static bool has_slack(const struct pool *pool) {
    return pool_layer(pool) == LAYER_GENERAL && !DESCRIBES;
}

static void *finish_with_tail(void *block, size_t size, bool *zeroed) {
    if (block == NULL)
        return NULL;
    if (DESCRIBES) /* nobody knows yet whether zeros were asked for: calloc writes them, and then valgrind knows */
        *zeroed = false;
    size_t room = room_of(block);
    describe_room(block, room);
    dam_tail_write(block, size, room, TAIL_LIVE);
    if (has_slack(pool_of(block)))
        dam_general_fill_slack(block);
    if (is_full)
        dam_stacks_note_allocated(block, dam_thread_heap_or_make());
    describe_allocated(block, size, room);
    return block;
}

/* Where memory is refused, what waits in quarantine makes way (here, and for first-class heaps below). */
static void *alloc_with_tail(struct heap *heap, size_t size, size_t alignment, bool *zeroed) {
    describe_enter();
    size_t asked = size_with_tail(size, alignment);
    void *block = alloc_unprotected(heap, asked, alignment, zeroed);
    if (UNLIKELY(block == NULL) && dam_protect_trim())
        block = alloc_unprotected(heap, asked, alignment, zeroed);
    block = finish_with_tail(block, size, zeroed);
    describe_leave();
    return block;
}

void *dam_protect_alloc(size_t size, size_t alignment, bool *zeroed) {
    struct heap *heap = dam_thread_heap_or_make();
    if (sample_every > 0 && heap != NULL && dam_sampled_is_due(heap, sample_every)) {
        void *block = dam_sampled_alloc(size, alignment);
        *zeroed = block != NULL;
        if (block != NULL)
            return block;
    }
    if (!dam_protect_has_tails)
        return alloc_unprotected(heap, size, alignment, zeroed);
    return alloc_with_tail(heap, size, alignment, zeroed);
}

void *dam_protect_heap_alloc(struct heap *heap, size_t size, size_t alignment, bool *zeroed) {
    if (!dam_protect_has_tails)
        return dam_first_class_alloc(heap, size, alignment, zeroed);
    describe_enter();
    size_t asked = size_with_tail(size, alignment);
    void *block = dam_first_class_alloc(heap, asked, alignment, zeroed);
    if (UNLIKELY(block == NULL) && dam_protect_trim())
        block = dam_first_class_alloc(heap, asked, alignment, zeroed);
    block = finish_with_tail(block, size, zeroed);
    describe_leave();
    return block;
}

/* ---- Checking ---------------------------------------------------------------------------------------------------- */

static struct dam_fault fault_in(const struct pool *pool, const void *block, const char *operation) {
    return (struct dam_fault){
        .operation = operation,
        .address = block,
        .layer = (enum dam_layer)pool_layer(pool),
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
        .block = block,
    };
}

static void report_in_quarantine(const struct pool *pool, const void *block, const char *operation, size_t size) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = DAM_FAULT_DOUBLE_FREE;
    fault.block_bytes = fault.requested_bytes = size;
    fault.state = "released, in quarantine";
    dam_fault_report(&fault);
}

static void report_tail(const struct pool *pool, const void *block, const char *operation, size_t size, size_t room) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = DAM_FAULT_OVERFLOW;
    fault.block_bytes = room;
    fault.requested_bytes = size == SIZE_MAX ? 0 : size;
    fault.state = "live";
    dam_tail_show(&fault, block, size, room, TAIL_LIVE);
    dam_fault_report(&fault);
}

/* The layer has found the block live, with so much room: its tail must say so, too. */
static bool check_tail(const struct pool *pool, const void *block, const char *operation, size_t room, size_t *size) {
    if (UNLIKELY(!dam_tail_read_size(block, room, TAIL_LIVE, size))) {
        if (dam_tail_read_size(block, room, TAIL_QUARANTINED, size))
            report_in_quarantine(pool, block, operation, *size);
        else
            report_tail(pool, block, operation, SIZE_MAX, room);
        return false;
    }
    if (UNLIKELY(!dam_tail_filling_is_intact(block, *size, room, TAIL_LIVE))) {
        report_tail(pool, block, operation, *size, room);
        return false;
    }
    return true;
}

bool dam_protect_holds(const void *block) {
    return dam_protect_has_tails || dam_sampled_owns(block);
}

static bool check_with_tail(struct pool *pool, const void *block, const char *operation, size_t *room, size_t *size) {
    describe_enter();
    bool is_live = dam_check_usable_bytes(pool, block, operation, room) &&
                   check_tail(pool, block, operation, *room, size) &&
                   (!has_slack(pool) || dam_general_check_slack(pool, block, operation));
    describe_leave();
    return is_live;
}

bool dam_protect_check(struct pool *pool, const void *block, const char *operation, size_t *requested_bytes) {
    size_t room;
    return dam_sampled_owns(block) ? dam_sampled_check(block, operation, requested_bytes)
                                   : check_with_tail(pool, block, operation, &room, requested_bytes);
}

/* ---- Freeing ----------------------------------------------------------------------------------------------------- */

static void free_unprotected(void *block, struct pool *pool) {
    if (!heap_free_own(dam_own_heap(), block, pool))
        dam_free_of_others(block, pool);
}

/* A first-class heap may be destroyed while its blocks wait. */
static bool belongs_to_first_class_heap(const struct pool *pool) {
    return pool_layer(pool) == LAYER_DIRECT ? dam_direct_heap(pool) != NULL : pool->stays_with_owner;
}

/* Whether there was any. */
static bool free_what_is_due(bool all) {
    struct quarantined due;
    bool any = false;
    for (; dam_quarantine_take_due(&due, all); any = true)
        free_unprotected(due.block, due.pool);
    return any;
}

static enum quarantine_outcome put_in_quarantine(void *block, struct pool *pool, size_t size, size_t room) {
    if (belongs_to_first_class_heap(pool))
        return QUARANTINE_REFUSED;
    struct quarantined entry = {
        .block = block,
        .pool = pool,
        .size = size,
        .room = pool_layer(pool) == LAYER_DIRECT ? 0 : room,
    };
    return dam_quarantine_put(&entry);
}

static void free_with_tail(void *block, struct pool *pool) {
    size_t room;
    size_t size;
    if (!check_with_tail(pool, block, "free", &room, &size))
        return;
    describe_released(block, size);
    if (!is_full) {
        free_unprotected(block, pool);
        return;
    }
    dam_stacks_note_released(block);
    switch (put_in_quarantine(block, pool, size, room)) {
    case QUARANTINE_TAKEN:
        break;
    case QUARANTINE_REFUSED: /* perhaps because it is full: a fork may have kept others from what was due */
        free_unprotected(block, pool);
        break;
    case QUARANTINE_TWICE:
        report_in_quarantine(pool, block, "free", size);
        break;
    }
    (void)free_what_is_due(false);
}

void dam_protect_free(void *block, struct pool *pool) {
    if (block == NULL)
        return;
    describe_enter();
    if (dam_sampled_owns(block))
        dam_sampled_free(block);
    else if (dam_protect_has_tails)
        free_with_tail(block, pool);
    else
        free_unprotected(block, pool);
    describe_leave();
}

bool dam_protect_trim(void) {
    return is_full && free_what_is_due(true);
}

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

/* Direct blocks alone are worth it: a block that moves makes stale pointers to its old place show. */
void *dam_protect_resize(struct pool *pool, void *block, size_t size) {
    if (is_full || DESCRIBES || dam_sampled_owns(block) || pool_layer(pool) != LAYER_DIRECT || size <= GENERAL_SIZE_MAX)
        return NULL;
    size_t with_tail = size + TAIL_BYTES_MIN;
    void *resized = dam_direct_resize(pool, with_tail) ? block : dam_direct_move(pool, with_tail);
    if (resized != NULL)
        dam_tail_write(resized, size, with_tail, TAIL_LIVE);
    return resized;
}

bool dam_protect_shrink(struct pool *pool, void *block, size_t size) {
    if (DESCRIBES) /* the tools know of no block that shrinks */
        return false;
    if (dam_sampled_owns(block))
        return dam_sampled_shrink(block, size);
    size_t room = room_of(block);
    if (size + TAIL_BYTES_MIN > room)
        return false;
    if (room - size > TAIL_SLACK_MAX) {
        if (pool_layer(pool) != LAYER_DIRECT || !dam_direct_resize(pool, size + TAIL_BYTES_MIN))
            return false;
        room = size + TAIL_BYTES_MIN;
    }
    dam_tail_write(block, size, room, TAIL_LIVE);
    return true;
}
