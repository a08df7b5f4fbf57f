// SPDX-License-Identifier: MIT
/* small.c: the small layer beyond its common way: where free blocks come from when the list is empty, and what becomes of
 * pools. Pictures and rules are in small.h and small_fast.h. Not here: lists that several heaps share (heap/). */
#include "small/small.h"

#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/options_table.h"
#include "guard/fault.h"
#include "pool/ownership.h"
#include "region/metadata.h"
#include "small/small_fast.h"

/* Its cornerstone is a word that bears no tag: its key is 0, and so are all its tags. */
static uint64_t no_cornerstone = ~(uint64_t)0;
struct pool dam_small_no_pool = {.start = (uintptr_t)&no_cornerstone, .layer = LAYER_SMALL};

static struct metadata_kind small_descriptor = {.bytes = sizeof(struct pool)};

/* How much is carved at a time: fresh blocks are linked page by page, so that pages are touched when they are needed. */
#define CARVE_BYTES 4096u

/* How many usable pools one refill looks at before it asks for a pool more. It bounds the work; the list rotates, so
 * every pool gets its turn. */
#define USABLE_LOOKS_MAX 8

static struct pool *pool_of_link(struct list *link) {
    return container_of(link, struct pool, link);
}

static const struct small_class *class_of(const struct pool *pool) {
    return &dam_small_classes.of[pool->class_index];
}

static bool has_free_block(const struct pool *pool) {
    return pool->free_head != SMALL_LIST_END;
}

/* Relaxed: it only grows, and a block that anyone but the owner asks about was carved before it was given out. */
static uint32_t carved_count(const struct pool *pool) {
    return (uint32_t)RELAXED_LOAD(&pool->carved);
}

static bool has_uncarved_room(const struct pool *pool) {
    return carved_count(pool) < class_of(pool)->block_count;
}

/* Blocks that are not free to the owner. */
static uint32_t live_count(const struct pool *pool) {
    return pool->live - pool->is_current;
}

void dam_small_heap_init(struct small_heap *heap, struct heap *owner, bool keeps_pools) {
    heap->owner = owner;
    heap->keeps_pools = keeps_pools;
    for (size_t granule = 0; granule < SMALL_GRANULE_COUNT; granule++)
        heap->current[granule] = &dam_small_no_pool;
    for (uint32_t i = 0; i < SMALL_CLASS_COUNT_MAX; i++)
        list_init(&heap->usable[i]);
}

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

static struct dam_fault fault_in(const struct pool *pool, const void *address, const char *operation) {
    return (struct dam_fault){
        .address = address,
        .operation = operation,
        .layer = DAM_LAYER_SMALL,
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
        .block_bytes = pool->block_bytes,
    };
}

/* The block in front of a block that was written to. */
static void name_neighbour(struct dam_fault *fault, const struct pool *pool, const void *block) {
    size_t offset = pool_offset(pool, block);
    if (offset < 2 * (size_t)pool->block_bytes)
        return;
    const void *in_front = small_block_at(pool, (uint32_t)offset - pool->block_bytes);
    if (small_next_if_free(pool, in_front) > SMALL_CORNERSTONE_NEXT)
        fault->in_front = (struct fault_neighbour){.block = in_front, .state = "live"};
}

/* A list that led here is not followed any further. */
static void report_damaged_free_block(const struct pool *pool, const void *block) {
    struct dam_fault fault = fault_in(pool, block, "reuse");
    fault.kind = DAM_FAULT_WRITE_AFTER_FREE;
    if (small_block_index(pool, block) >= carved_count(pool)) {
        fault.detail = "no block is there: the first two bytes of a free block of this pool were overwritten, and led here";
        dam_fault_report(&fault);
        return;
    }
    fault.block = block;
    fault.state = "free";
    fault.has_words = true;
    fault.expected = small_tag(pool, block);
    fault.found = *(const uint64_t *)block;
    fault.detail = "the upper 48 bits of its first word should be as expected; the lower 16 lead to the next free block";
    name_neighbour(&fault, pool, block);
    dam_fault_report(&fault);
}

static void report_not_a_block(const struct pool *pool, const void *address, const char *operation) {
    struct dam_fault fault = fault_in(pool, address, operation);
    fault.kind = DAM_FAULT_NOT_A_BLOCK;
    size_t offset = pool_offset(pool, address);
    if (offset < pool->bytes && pool->block_bytes != 0) {
        fault.block = small_block_at(pool, (uint32_t)(offset / pool->block_bytes * pool->block_bytes));
        fault.state = offset / pool->block_bytes < carved_count(pool) ? "the block it lies in" : "never given out";
    }
    dam_fault_report(&fault);
}

static void report_double_free(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = DAM_FAULT_DOUBLE_FREE;
    fault.block = block;
    fault.state = "free";
    dam_fault_report(&fault);
}

bool dam_small_check_live(const struct pool *pool, const void *address, const char *operation) {
    uint64_t index = small_block_index(pool, address);
    if (UNLIKELY(index == 0 || index >= carved_count(pool))) {
        report_not_a_block(pool, address, operation);
        return false;
    }
    if (UNLIKELY(small_next_if_free(pool, address) <= SMALL_CORNERSTONE_NEXT)) {
        report_double_free(pool, address, operation);
        return false;
    }
    return true;
}

/* ---- Free blocks ------------------------------------------------------------------------------------------------- */

static void write_link(const struct pool *pool, void *block, uint32_t next_offset) {
    *(uint64_t *)block = small_tag(pool, block) ^ next_offset;
}

/* Links blocks first to last, lowest first, into a list that ends in the cornerstone. */
static void link_blocks(struct pool *pool, uint32_t first, uint32_t last) {
    for (uint32_t i = first; i < last; i++)
        write_link(pool, small_block_at(pool, i * pool->block_bytes), (i + 1) * pool->block_bytes);
    write_link(pool, small_block_at(pool, last * pool->block_bytes), SMALL_LIST_END);
}

/* Makes the blocks that start within the next CARVE_BYTES the free list, which is empty. */
static void carve(struct pool *pool) {
    DAM_ASSERT(!has_free_block(pool) && has_uncarved_room(pool));
    uint32_t first = carved_count(pool);
    uint32_t begin = first * pool->block_bytes;
    uint32_t end = (begin / CARVE_BYTES + 1) * CARVE_BYTES;
    uint32_t last = (end - 1) / pool->block_bytes;
    if (last >= class_of(pool)->block_count)
        last = class_of(pool)->block_count - 1;
    link_blocks(pool, first, last);
    pool->free_head = begin;
    RELAXED_STORE(&pool->carved, last + 1);
}

/* For guard=full: makes all blocks the free list at once, in an order that nobody can tell beforehand, and wipes them, so that
 * what a block holds beyond its link is known. */
static void carve_shuffled(struct pool *pool) {
    uint32_t count = class_of(pool)->block_count;
    uint16_t order[SLICE_BYTES / GRANULE_BYTES];
    uint64_t chance = pool->key;
    memset(small_block_at(pool, pool->block_bytes), 0, (size_t)(count - 1) * pool->block_bytes);
    for (uint32_t i = 1; i < count; i++) { /* each new one changes places with one of those before it, or none */
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        uint32_t other = 1 + (uint32_t)(((chance >> 32) * i) >> 32);
        order[i] = order[other];
        order[other] = (uint16_t)i;
    }
    uint32_t next = SMALL_LIST_END;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t offset = order[i] * pool->block_bytes;
        write_link(pool, small_block_at(pool, offset), next);
        next = offset;
    }
    pool->free_head = next;
    RELAXED_STORE(&pool->carved, count);
}

static void lay_cornerstone(struct pool *pool) {
    uint64_t *cornerstone = small_block_at(pool, SMALL_LIST_END);
    *cornerstone = small_tag(pool, cornerstone) ^ SMALL_CORNERSTONE_NEXT;
    pool->free_head = SMALL_LIST_END;
    pool->carved = 1;
}

/* The last block of a list of `count`, NULL if that is not what the list is; every link is checked on the way, and every
 * place it leads to. */
static void *last_of(const struct pool *pool, void *block, uint32_t count) {
    for (;; count--) {
        bool is_block = small_block_index(pool, block) < carved_count(pool);
        uint64_t next = is_block ? small_next_if_free(pool, block) : UINT64_MAX;
        bool is_last = count == 1;
        if (UNLIKELY(next > SMALL_NEXT_MAX || is_last != (next == SMALL_LIST_END))) {
            report_damaged_free_block(pool, block);
            return NULL;
        }
        if (is_last)
            return block;
        block = small_block_at(pool, (uint32_t)next);
    }
}

/* The stack has the free list's own form. Usually that list is empty, and the stack simply becomes it. A stack that is not
 * what it should be is left alone: its blocks count as live for ever (S3 holds). */
void dam_small_take_remote(struct pool *pool) {
    struct remote_stack stack = dam_pool_take_remote(pool);
    if (stack.head == NULL)
        return;
    DAM_ASSERT(stack.count > 0);
    if (UNLIKELY(stack.count > live_count(pool))) { /* freed more than was ever given out */
        report_double_free(pool, stack.head, "free");
        return;
    }
    if (has_free_block(pool)) {
        void *last = last_of(pool, stack.head, stack.count);
        if (UNLIKELY(last == NULL))
            return;
        write_link(pool, last, pool->free_head);
    }
    pool->free_head = (uint32_t)pool_offset(pool, stack.head);
    pool->live -= stack.count;
}

/* Whether every block bears its tag (S1). The count alone can be wrong: a block whose tag was overwritten can be released
 * twice. No list is followed, so the loads do not wait for each other; tags of equal distance differ equally. */
static bool all_blocks_are_free(const struct pool *pool) {
    const char *block = small_block_at(pool, pool->block_bytes);
    const char *end = small_block_at(pool, carved_count(pool) * pool->block_bytes);
    uint64_t tag = small_tag(pool, block);
    for (; block < end; block += pool->block_bytes, tag += pool->block_bytes * pool->key) {
        if (UNLIKELY((*(const uint64_t *)(const void *)block ^ tag) > SMALL_NEXT_MAX))
            return false;
    }
    return true;
}

/* The count says that the pool is empty, and it is not. Its blocks count as live for ever. */
static void report_wrong_count(struct pool *pool) {
    struct dam_fault fault = fault_in(pool, pool_start(pool), "retire");
    fault.kind = DAM_FAULT_DOUBLE_FREE;
    fault.detail = "a block of this pool was written to after its release, and released again";
    dam_fault_report(&fault);
    pool->free_head = SMALL_LIST_END;
    pool->live = carved_count(pool) - 1 + pool->is_current;
}

bool dam_small_retire(struct pool *pool) {
    if (LIKELY(all_blocks_are_free(pool))) {
        dam_pool_retire(pool);
        return true;
    }
    report_wrong_count(pool);
    return false;
}

static void write_remote_link(struct pool *pool, void *block, void *next) {
    write_link(pool, block, next == NULL ? SMALL_LIST_END : (uint32_t)pool_offset(pool, next));
}

bool dam_small_free_remote(struct pool *pool, void *block) {
    return dam_small_check_live(pool, block, "free") && dam_pool_push_remote(pool, block, write_remote_link);
}

/* ---- Pools ------------------------------------------------------------------------------------------------------- */

static void mark_current(struct pool *pool, bool is_current) {
    if (pool == &dam_small_no_pool)
        return;
    pool->live = live_count(pool) + is_current;
    RELAXED_STORE(&pool->is_current, is_current);
}

static void set_current(struct small_heap *heap, uint32_t class_index, struct pool *pool) {
    const struct small_class *class = &dam_small_classes.of[class_index];
    mark_current(heap->current[class->granule_first], false);
    mark_current(pool, true);
    for (uint32_t granule = class->granule_first; granule <= class->granule_last; granule++)
        heap->current[granule] = pool;
}

struct pool *dam_small_create_pool(uint32_t class_index) {
    struct pool_request request = {
        .layer = LAYER_SMALL,
        .descriptor_kind = &small_descriptor,
        .bytes = SLICE_BYTES,
        .alignment = SLICE_BYTES,
    };
    struct pool *pool = dam_pool_create(&request);
    if (pool == NULL)
        return NULL;
    const struct small_class *class = &dam_small_classes.of[class_index];
    pool->class_index = (uint8_t)class_index;
    pool->block_bytes = class->block_bytes;
    pool->block_shift = (uint8_t)class->block_shift;
    pool->block_inverse = class->block_inverse;
    lay_cornerstone(pool);
    if (DAM_SETTING(guard) == GUARD_FULL)
        carve_shuffled(pool);
    return pool;
}

static void set_owner(struct pool *pool, struct heap *owner) {
    RELAXED_STORE(&pool->small_owner, owner); /* relaxed: T3 */
}

bool dam_small_is_full(struct pool *pool) {
    return !has_free_block(pool) && !has_uncarved_room(pool);
}

/* Lets a full pool go (S5). False if blocks have arrived meanwhile; they are taken in, and the pool stays. */
static bool let_go_full_pool(const struct small_heap *heap, struct pool *pool) {
    set_owner(pool, NULL);
    if (dam_pool_let_go(pool))
        return true;
    set_owner(pool, heap->owner);
    dam_small_take_remote(pool);
    return false;
}

/* Pools with free blocks first, those that have only room to carve last. */
static void put_on_usable(struct small_heap *heap, struct pool *pool) {
    struct list *usable = &heap->usable[pool->class_index];
    if (has_free_block(pool))
        list_push_first(usable, &pool->link);
    else
        list_push_last(usable, &pool->link);
}

/* The current pool makes way. */
static void put_aside(struct small_heap *heap, struct pool *pool) {
    set_current(heap, pool->class_index, &dam_small_no_pool);
    bool full = dam_small_is_full(pool);
    if (full && !heap->keeps_pools && let_go_full_pool(heap, pool))
        return;
    put_on_usable(heap, pool);
}

/* Makes the pool, which is on no list, the current one. */
static void put_in_front(struct small_heap *heap, struct pool *pool) {
    struct pool *before = heap->current[class_of(pool)->granule_first];
    if (before != &dam_small_no_pool)
        put_aside(heap, before);
    set_current(heap, pool->class_index, pool);
}

/* A usable pool with a free block, taken off the list; NULL if the next few have none. */
static struct pool *find_usable(struct list *usable) {
    for (int looks = 0; looks < USABLE_LOOKS_MAX && !list_is_empty(usable); looks++) {
        struct pool *pool = pool_of_link(usable->next);
        list_unlink(&pool->link);
        if (!has_free_block(pool) && dam_pool_remote_count(pool) > 0)
            dam_small_take_remote(pool);
        /* Nothing lives in it, and others are partly used: fill those. */
        if (has_free_block(pool) && pool->live == 0 && !list_is_empty(usable) && dam_small_retire(pool))
            continue;
        if (has_free_block(pool))
            return pool;
        list_push_last(usable, &pool->link);
    }
    return NULL;
}

/* A usable pool that has nothing free but room to carve. */
static struct pool *find_uncarved(struct list *usable) {
    struct pool *pool = list_is_empty(usable) ? NULL : pool_of_link(usable->previous);
    if (pool == NULL || !has_uncarved_room(pool))
        return NULL;
    list_unlink(&pool->link);
    return pool;
}

void dam_small_check_free_list(const struct small_heap *heap, uint32_t class_index) {
    struct pool *pool = heap->current[dam_small_classes.of[class_index].granule_first];
    if (LIKELY(!has_free_block(pool)))
        return;
    report_damaged_free_block(pool, small_block_at(pool, pool->free_head));
    pool->free_head = SMALL_LIST_END;
    pool->live = carved_count(pool) - 1 + pool->is_current;
}

/* Touched memory first: what others freed here, then other pools' free blocks, and only then fresh ones. */
bool dam_small_refill(struct small_heap *heap, uint32_t class_index) {
    struct list *usable = &heap->usable[class_index];
    struct pool *pool = heap->current[dam_small_classes.of[class_index].granule_first];
    bool has_pool = pool != &dam_small_no_pool;
    if (has_free_block(pool))
        return true;
    if (has_pool && dam_pool_remote_count(pool) > 0) {
        dam_small_take_remote(pool);
        return true;
    }
    struct pool *other = find_usable(usable);
    if (other == NULL && has_pool && has_uncarved_room(pool)) {
        carve(pool);
        return true;
    }
    if (other == NULL)
        other = find_uncarved(usable);
    if (other == NULL)
        return false;
    put_in_front(heap, other);
    if (!has_free_block(other))
        carve(other);
    return true;
}

void dam_small_adopt(struct small_heap *heap, struct pool *pool) {
    set_owner(pool, heap->owner);
    dam_small_take_remote(pool);
    if (pool->live == 0 && has_free_block(pool) && dam_small_retire(pool))
        return;
    /* It may be full: somebody took it while it was on a shared list, filled it and let it go, and the entry stayed. */
    if (dam_small_is_full(pool) && let_go_full_pool(heap, pool))
        return;
    put_on_usable(heap, pool);
}

void dam_small_pool_emptied(struct small_heap *heap, struct pool *pool) {
    if (UNLIKELY(pool->is_current)) { /* it never looks empty while its count is right */
        report_wrong_count(pool);
        return;
    }
    list_unlink(&pool->link);
    if (UNLIKELY(!dam_small_retire(pool)))
        put_on_usable(heap, pool);
}

void dam_small_enlist_new(struct small_heap *heap, struct pool *pool) {
    set_owner(pool, heap->owner);
    put_in_front(heap, pool);
    if (!has_free_block(pool))
        carve(pool);
}

static void retire_if_empty(struct small_heap *heap, struct pool *pool) {
    if (dam_pool_remote_count(pool) > 0)
        dam_small_take_remote(pool);
    if (live_count(pool) > 0)
        return;
    dam_small_disown(heap, pool);
    if (UNLIKELY(!dam_small_retire(pool))) {
        set_owner(pool, heap->owner);
        put_on_usable(heap, pool);
    }
}

void dam_small_retire_empty(struct small_heap *heap) {
    for (uint32_t i = 0; i < dam_small_classes.count; i++) {
        struct pool *current = heap->current[dam_small_classes.of[i].granule_first];
        if (current != &dam_small_no_pool)
            retire_if_empty(heap, current);
        struct list *link = heap->usable[i].next;
        while (link != &heap->usable[i]) {
            struct pool *pool = pool_of_link(link);
            link = link->next;
            retire_if_empty(heap, pool);
        }
    }
}

void dam_small_disown(struct small_heap *heap, struct pool *pool) {
    if (pool->is_current)
        set_current(heap, pool->class_index, &dam_small_no_pool);
    else
        list_unlink(&pool->link);
    set_owner(pool, NULL);
}

struct pool *dam_small_any_pool(struct small_heap *heap) {
    for (uint32_t i = 0; i < dam_small_classes.count; i++) {
        struct pool *pool = heap->current[dam_small_classes.of[i].granule_first];
        if (pool != &dam_small_no_pool)
            return pool;
        if (!list_is_empty(&heap->usable[i]))
            return pool_of_link(heap->usable[i].next);
    }
    return NULL;
}

/* ---- Verifying --------------------------------------------------------------------------------------------------- */

size_t dam_small_verify_pool(const struct pool *pool) {
    uint32_t carved = carved_count(pool);
    uint32_t listed = 0;
    size_t broken = carved > class_of(pool)->block_count;
    for (uint32_t offset = pool->free_head; offset != SMALL_LIST_END && listed <= carved; listed++) {
        const void *block = small_block_at(pool, offset);
        uint64_t next = small_next_if_free(pool, block);
        if (small_block_index(pool, block) >= carved || next > SMALL_NEXT_MAX)
            return broken + 1; /* S1 or S2: the rest of the list cannot be trusted */
        offset = (uint32_t)next;
    }
    broken += listed + live_count(pool) + 1 != carved; /* S3 */
    return broken;
}
