// SPDX-License-Identifier: MIT
/* small.c: the small layer beyond its common way: where free blocks come from when the list is empty, and what becomes of
 * pools. Pictures and rules are in small.h and small_fast.h. Not here: lists that several heaps share (heap/). */
#include "small/small.h"

#include "base/assert.h"
#include "base/config.h"
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

static bool is_current(const struct small_heap *heap, const struct pool *pool) {
    return heap->current[class_of(pool)->granule_first] == pool;
}

void dam_small_heap_init(struct small_heap *heap) {
    for (size_t granule = 0; granule < SMALL_GRANULE_COUNT; granule++)
        heap->current[granule] = &dam_small_no_pool;
    for (uint32_t i = 0; i < SMALL_CLASS_COUNT_MAX; i++)
        list_init(&heap->usable[i]);
}

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

static struct dam_fault fault_in(const struct pool *pool, const void *address) {
    return (struct dam_fault){
        .address = address,
        .layer = "small",
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
        .block_bytes = pool->block_bytes,
    };
}

_Noreturn static void report_damaged_free_block(const struct pool *pool, const void *block) {
    struct dam_fault fault = fault_in(pool, block);
    fault.kind = FAULT_WRITE_AFTER_FREE;
    fault.operation = "reuse";
    fault.block = block;
    fault.state = "free";
    fault.has_words = true;
    fault.expected = small_tag(pool, block);
    fault.found = *(const uint64_t *)block;
    dam_fault_report(&fault);
}

_Noreturn static void report_not_a_block(const struct pool *pool, const void *address, const char *operation) {
    struct dam_fault fault = fault_in(pool, address);
    fault.kind = FAULT_NOT_A_BLOCK;
    fault.operation = operation;
    size_t offset = pool_offset(pool, address);
    if (offset < pool->bytes && pool->block_bytes != 0) {
        fault.block = small_block_at(pool, (uint32_t)(offset / pool->block_bytes * pool->block_bytes));
        fault.state = offset / pool->block_bytes < carved_count(pool) ? "the block it lies in" : "never given out";
    }
    dam_fault_report(&fault);
}

_Noreturn static void report_double_free(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = fault_in(pool, block);
    fault.kind = FAULT_DOUBLE_FREE;
    fault.operation = operation;
    fault.block = block;
    fault.state = "free";
    dam_fault_report(&fault);
}

void dam_small_check_live(const struct pool *pool, const void *address, const char *operation) {
    uint64_t index = small_block_index(pool, address);
    if (UNLIKELY(index == 0 || index >= carved_count(pool)))
        report_not_a_block(pool, address, operation);
    if (UNLIKELY(small_next_if_free(pool, address) <= SMALL_CORNERSTONE_NEXT))
        report_double_free(pool, address, operation);
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

static void lay_cornerstone(struct pool *pool) {
    uint64_t *cornerstone = small_block_at(pool, SMALL_LIST_END);
    *cornerstone = small_tag(pool, cornerstone) ^ SMALL_CORNERSTONE_NEXT;
    pool->free_head = SMALL_LIST_END;
    pool->carved = 1;
}

/* The last block of a list of `count`; every link is checked on the way. */
static void *last_of(struct pool *pool, void *block, uint32_t count) {
    for (; count > 1; count--) {
        uint64_t next = small_next_if_free(pool, block);
        if (next > SMALL_NEXT_MAX || next == SMALL_LIST_END)
            report_damaged_free_block(pool, block);
        block = small_block_at(pool, (uint32_t)next);
    }
    return block;
}

/* The stack has the free list's own form. Usually that list is empty, and the stack simply becomes it. */
void dam_small_take_remote(struct pool *pool) {
    struct remote_stack stack = dam_pool_take_remote(pool);
    if (stack.count == 0)
        return;
    if (UNLIKELY(stack.count > pool->live)) /* freed more than was ever given out */
        report_double_free(pool, stack.head, "free");
    DAM_ASSERT(stack.head != NULL);
    if (has_free_block(pool))
        write_link(pool, last_of(pool, stack.head, stack.count), pool->free_head);
    pool->free_head = (uint32_t)pool_offset(pool, stack.head);
    pool->live -= stack.count;
}

static void write_remote_link(struct pool *pool, void *block, void *next) {
    write_link(pool, block, next == NULL ? SMALL_LIST_END : (uint32_t)pool_offset(pool, next));
}

bool dam_small_free_remote(struct pool *pool, void *block) {
    dam_small_check_live(pool, block, "free");
    return dam_pool_push_remote(pool, block, write_remote_link);
}

/* ---- Pools ------------------------------------------------------------------------------------------------------- */

static void set_current(struct small_heap *heap, uint32_t class_index, struct pool *pool) {
    const struct small_class *class = &dam_small_classes.of[class_index];
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
    return pool;
}

static void set_owner(struct pool *pool, struct heap *owner) {
    RELAXED_STORE(&pool->small_owner, owner); /* relaxed: T3 */
}

bool dam_small_is_full(struct pool *pool) {
    return !has_free_block(pool) && !has_uncarved_room(pool);
}

/* Lets a full pool go (S5). False if blocks have arrived meanwhile; they are taken in, and the pool stays. */
static bool let_go_full_pool(struct pool *pool, struct heap *owner) {
    set_owner(pool, NULL);
    if (dam_pool_let_go(pool))
        return true;
    set_owner(pool, owner);
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
static void put_aside(struct small_heap *heap, struct heap *owner, struct pool *pool) {
    set_current(heap, pool->class_index, &dam_small_no_pool);
    bool full = dam_small_is_full(pool);
    if (full && !pool->belongs_to_first_class_heap && let_go_full_pool(pool, owner))
        return;
    put_on_usable(heap, pool);
}

/* Makes the pool, which is on no list, the current one. */
static void put_in_front(struct small_heap *heap, struct heap *owner, struct pool *pool) {
    struct pool *before = heap->current[class_of(pool)->granule_first];
    if (before != &dam_small_no_pool)
        put_aside(heap, owner, before);
    set_current(heap, pool->class_index, pool);
}

/* A usable pool with a free block, taken off the list; NULL if the next few have none. */
static struct pool *find_usable(struct list *usable) {
    for (int looks = 0; looks < USABLE_LOOKS_MAX && !list_is_empty(usable); looks++) {
        struct pool *pool = pool_of_link(usable->next);
        list_unlink(&pool->link);
        if (!has_free_block(pool) && dam_pool_remote_count(pool) > 0)
            dam_small_take_remote(pool);
        if (has_free_block(pool) && pool->live == 0 && !list_is_empty(usable)) {
            dam_pool_retire(pool); /* nothing lives in it, and others are partly used: fill those */
            continue;
        }
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
    const struct pool *pool = heap->current[dam_small_classes.of[class_index].granule_first];
    if (has_free_block(pool))
        report_damaged_free_block(pool, small_block_at(pool, pool->free_head));
}

/* Touched memory first: what others freed here, then other pools' free blocks, and only then fresh ones. */
bool dam_small_refill(struct small_heap *heap, struct heap *owner, uint32_t class_index) {
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
    put_in_front(heap, owner, other);
    if (!has_free_block(other))
        carve(other);
    return true;
}

void dam_small_adopt(struct small_heap *heap, struct heap *owner, struct pool *pool) {
    set_owner(pool, owner);
    dam_small_take_remote(pool);
    if (pool->live == 0 && has_free_block(pool)) {
        dam_pool_retire(pool);
        return;
    }
    /* It may be full: somebody took it while it was on a shared list, filled it and let it go, and the entry stayed. */
    if (dam_small_is_full(pool) && let_go_full_pool(pool, owner))
        return;
    put_on_usable(heap, pool);
}

void dam_small_pool_emptied(struct small_heap *heap, struct pool *pool) {
    if (is_current(heap, pool))
        return;
    list_unlink(&pool->link);
    dam_pool_retire(pool);
}

void dam_small_enlist_new(struct small_heap *heap, struct heap *owner, struct pool *pool) {
    set_owner(pool, owner);
    put_in_front(heap, owner, pool);
    carve(pool);
}

static void retire_if_empty(struct small_heap *heap, struct pool *pool) {
    if (dam_pool_remote_count(pool) > 0)
        dam_small_take_remote(pool);
    if (pool->live > 0)
        return;
    dam_small_disown(heap, pool);
    dam_pool_retire(pool);
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
    if (is_current(heap, pool))
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
    broken += listed + pool->live + 1 != carved; /* S3 */
    return broken;
}
