// SPDX-License-Identifier: MIT
/* first_class.c: heaps that the program makes and destroys, each behind a lock of its own.
 *
 * Their pools are never let go and never claimed: OWNED stays set, so what others free waits on the remote stacks until
 * the heap next allocates, or until it is destroyed with everything in it.
 *
 * Lock order: the list of heaps, then a heap, then the central lock. */
#include "base/describe.h"
#include "direct/direct.h"
#include "general/general_fast.h"
#include "heap/heap.h"
#include "region/central.h"
#include "region/metadata.h"

static struct metadata_kind first_class_kind = {.bytes = sizeof(struct heap)};

static struct {
    struct dam_lock lock;
    struct list heaps;
    struct heap *late; /* the one for threads whose own heap is gone; made when first needed */
} first_class = {.heaps = {&first_class.heaps, &first_class.heaps}};

/* Under the list's lock. Fork freezes that one first, so the central lock is not frozen here. */
static struct heap *make_listed_heap(void) {
    dam_central_enter();
    struct heap *heap = dam_metadata_take(&first_class_kind);
    dam_central_leave();
    if (heap == NULL)
        return NULL;
    dam_heap_init(heap, true);
    list_push_first(&first_class.heaps, &heap->link);
    return heap;
}

struct heap *dam_first_class_create(void) {
    dam_start();
    dam_lock_enter(&first_class.lock);
    struct heap *heap = make_listed_heap();
    dam_lock_leave(&first_class.lock);
    return heap;
}

static void *alloc_direct(struct heap *heap, size_t size, size_t alignment, bool *zeroed) {
    struct pool *pool = dam_direct_create(size, alignment);
    if (pool == NULL)
        return NULL;
    dam_direct_set_heap(pool, heap);
    list_push_first(&heap->direct_pools, &pool->link);
    *zeroed = pool->read_as_zero;
    return pool_start(pool);
}

static void *alloc_locked(struct heap *heap, size_t size, size_t alignment, bool *zeroed) {
    *zeroed = false;
    size = dam_size_with_alignment(size, alignment);
    if (dam_layer_of_request(size, alignment) == LAYER_DIRECT)
        return alloc_direct(heap, size, alignment, zeroed);
    return dam_heap_alloc(heap, size, alignment);
}

void *dam_first_class_alloc(struct heap *heap, size_t size, size_t alignment, bool *zeroed) {
    dam_lock_enter(&heap->lock);
    void *block = alloc_locked(heap, size, alignment, zeroed);
    dam_lock_leave(&heap->lock);
    return block;
}

bool dam_first_class_resize(struct heap *heap, struct pool *pool, void *block, size_t size) {
    bool done = false;
    dam_lock_enter(&heap->lock);
    if (RELAXED_LOAD(&pool->general_owner) == heap)
        done = dam_general_resize(&heap->general, pool, block, size);
    dam_lock_leave(&heap->lock);
    return done;
}

void dam_first_class_forget_direct(struct pool *pool) {
    struct heap *heap = dam_direct_heap(pool);
    if (heap == NULL)
        return;
    dam_lock_enter(&heap->lock);
    list_unlink(&pool->link);
    dam_lock_leave(&heap->lock);
    dam_direct_set_heap(pool, NULL);
}

/* What the tool has not heard of as a block, it ignores. */
static void describe_blocks_released(struct pool *pool) {
    if (!DESCRIBES)
        return;
    bool is_small = pool_layer(pool) == LAYER_SMALL;
    size_t step = is_small ? pool->block_bytes : GRANULE_BYTES;
    size_t bytes = is_small ? pool->carved * step : pool->bytes;
    for (size_t offset = 0; offset < bytes; offset += step)
        describe_released(pool_start(pool) + offset, step);
}

void dam_first_class_destroy(struct heap *heap) {
    dam_lock_enter(&first_class.lock);
    list_unlink(&heap->link);
    dam_lock_leave(&first_class.lock);
    describe_enter();
    struct pool *pool;
    while ((pool = dam_small_any_pool(&heap->small)) != NULL) {
        dam_small_disown(&heap->small, pool);
        describe_blocks_released(pool);
        dam_pool_retire(pool);
    }
    while ((pool = dam_general_any_pool(&heap->general)) != NULL) {
        dam_general_disown(&heap->general, pool);
        describe_blocks_released(pool);
        dam_general_forget_blocks(pool);
        dam_pool_retire(pool);
    }
    while (!list_is_empty(&heap->direct_pools)) {
        pool = container_of(heap->direct_pools.next, struct pool, link);
        list_unlink(&pool->link);
        describe_released(pool_start(pool), dam_direct_requested_bytes(pool));
        dam_direct_retire(pool);
    }
    describe_leave();
    dam_central_enter();
    dam_metadata_give(&first_class_kind, heap);
    dam_central_leave();
}

/* ---- Late allocations -------------------------------------------------------------------------------------------- */

/* A thread at its end may be inside stdio, so nothing here waits for a fork to be over. */
static struct heap *late_heap(void) {
    if (!dam_lock_try_enter(&first_class.lock))
        return NULL;
    if (first_class.late == NULL)
        first_class.late = make_listed_heap();
    struct heap *heap = first_class.late;
    dam_lock_leave(&first_class.lock);
    return heap;
}

void *dam_late_alloc(size_t size, size_t alignment) {
    struct heap *heap = late_heap();
    if (heap == NULL || !dam_lock_try_enter(&heap->lock))
        return NULL;
    void *block = dam_heap_alloc(heap, size, alignment);
    dam_lock_leave(&heap->lock);
    return block;
}

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

void dam_first_class_freeze_all(void) {
    dam_lock_freeze(&first_class.lock);
    for (struct list *link = first_class.heaps.next; link != &first_class.heaps; link = link->next)
        dam_lock_freeze(&container_of(link, struct heap, link)->lock);
}

void dam_first_class_thaw_all(void) {
    for (struct list *link = first_class.heaps.next; link != &first_class.heaps; link = link->next)
        dam_lock_thaw(&container_of(link, struct heap, link)->lock);
    dam_lock_thaw(&first_class.lock);
}
