// SPDX-License-Identifier: MIT
/* heap.c: where blocks come from when the common way has none, and where they go when it cannot take them.
 *
 * Each layer says what it can do with what the heap owns; here is what happens next: claim a pool that somebody left
 * behind, or make a new one. Not here: the layers' own business; threads coming and going (thread.c). */
#include "heap/heap.h"

#include "direct/direct.h"
#include "general/general_fast.h"
#include "guard/fault.h"
#include "pool/ownership.h"
#include "pool/shared_pools.h"
#include "small/small_fast.h"

/* How many left-behind general pools one request claims before it makes a new one. Those that do not fit it stay with the
 * heap and serve smaller requests. */
#define GENERAL_CLAIMS_MAX 4

static struct list shared_small[SMALL_CLASS_COUNT_MAX] = {
#define EMPTY_LIST(i) {&shared_small[i], &shared_small[i]}
    EMPTY_LIST(0), EMPTY_LIST(1), EMPTY_LIST(2), EMPTY_LIST(3), EMPTY_LIST(4),  EMPTY_LIST(5),
    EMPTY_LIST(6), EMPTY_LIST(7), EMPTY_LIST(8), EMPTY_LIST(9), EMPTY_LIST(10), EMPTY_LIST(11),
#undef EMPTY_LIST
};
static struct list shared_general = {&shared_general, &shared_general};

_Static_assert(SMALL_CLASS_COUNT_MAX == 12, "shared_small names each of its members");

void dam_heap_init(struct heap *heap, bool is_first_class) {
    *heap = (struct heap){.behind = heap, .is_first_class = is_first_class};
    dam_small_heap_init(&heap->small, heap, is_first_class);
    dam_general_heap_init(&heap->general, heap, is_first_class);
    list_init(&heap->link);
    list_init(&heap->direct_pools);
}

enum layer dam_layer_of_request(size_t size, size_t alignment) {
    if (size <= SMALL_SIZE_MAX && alignment <= SMALL_SIZE_MAX)
        return LAYER_SMALL;
    if (size <= GENERAL_SIZE_MAX && alignment <= GENERAL_SIZE_MAX)
        return LAYER_GENERAL;
    return LAYER_DIRECT;
}

/* ---- Allocating -------------------------------------------------------------------------------------------------- */

static void own_new(const struct heap *heap, struct pool *pool) {
    pool->stays_with_owner = heap->is_first_class;
    dam_pool_own_new(pool);
}

/* A pool more for the class: one that was left behind, or a new one. A first-class heap never takes what was left behind:
 * there are others' blocks in it, and it will be destroyed. */
static bool add_small_pool(struct heap *heap, uint32_t class_index) {
    struct pool *pool = heap->is_first_class ? NULL : dam_pool_claim_shared(&shared_small[class_index]);
    if (pool != NULL) {
        dam_small_adopt(&heap->small, pool);
        return true;
    }
    dam_general_flush_if_old(&heap->general);
    pool = dam_small_create_pool(class_index);
    if (pool == NULL)
        return false;
    own_new(heap, pool);
    dam_small_enlist_new(&heap->small, pool);
    return true;
}

static void *small_alloc(struct heap *heap, size_t size) {
    void *block = small_alloc_fast(&heap->small, size);
    while (block == NULL) {
        uint32_t class_index = small_class_index(size);
        dam_small_check_free_list(&heap->small, class_index);
        if (!dam_small_refill(&heap->small, class_index) && !add_small_pool(heap, class_index))
            return NULL;
        block = small_alloc_fast(&heap->small, size);
    }
    return block;
}

static void *general_alloc(struct heap *heap, size_t size, size_t alignment) {
    void *block = dam_general_alloc(&heap->general, size, alignment);
    for (int claims = 0; block == NULL && !heap->is_first_class && claims < GENERAL_CLAIMS_MAX; claims++) {
        struct pool *left_behind = dam_pool_claim_shared(&shared_general);
        if (left_behind == NULL)
            break;
        dam_general_adopt(&heap->general, left_behind);
        block = dam_general_alloc(&heap->general, size, alignment);
    }
    if (block != NULL)
        return block;
    dam_general_let_go_nearly_full(&heap->general);
    struct pool *pool = dam_general_create_pool(&heap->general, size, alignment);
    if (pool == NULL)
        return NULL;
    own_new(heap, pool);
    dam_general_enlist_new(&heap->general, pool);
    return dam_general_alloc(&heap->general, size, alignment);
}

void *dam_heap_alloc(struct heap *heap, size_t size, size_t alignment) {
    if (dam_layer_of_request(size, alignment) == LAYER_SMALL)
        return small_alloc(heap, size);
    return general_alloc(heap, size, alignment);
}

void *dam_thread_alloc(size_t size, size_t alignment, bool *zeroed) {
    *zeroed = false;
    size = dam_size_with_alignment(size, alignment);
    struct heap *heap = dam_thread_heap_or_make();
    if (dam_layer_of_request(size, alignment) != LAYER_DIRECT) {
        void *block = NULL;
        if (heap != NULL)
            return dam_heap_alloc(heap, size, alignment);
        if (dam_thread_heap_is_gone())
            block = dam_late_alloc(size, alignment);
        if (block != NULL)
            return block;
        /* No heap to be had, or a fork in the way: a pool of its own needs neither. */
    }
    if (heap != NULL)
        dam_general_flush_if_old(&heap->general);
    struct pool *pool = dam_direct_create(size, alignment);
    if (pool == NULL)
        return NULL;
    *zeroed = pool->read_as_zero;
    return pool_start(pool);
}

/* ---- Freeing ----------------------------------------------------------------------------------------------------- */

void dam_thread_small_pool_emptied(struct pool *pool) {
    dam_small_pool_emptied(&dam_own_heap()->small, pool);
}

void dam_thread_small_free_failed(void *block, struct pool *pool) {
    (void)dam_small_check_live(pool, block, "free");
}

void dam_thread_general_free(void *block, struct pool *pool) {
    dam_general_free(&dam_own_heap()->general, pool, block);
}

/* The owner of a small pool that has no heap to keep it in gives it up: empty pools go, full ones wait for the next free,
 * the others are shared. Blocks may arrive while it does; then it looks again. */
static void give_up_small(struct pool *pool) {
    for (;;) {
        dam_small_take_remote(pool);
        if (pool->live == 0 && dam_small_retire(pool))
            return;
        bool gone = dam_small_is_full(pool) ? dam_pool_let_go(pool)
                                            : dam_pool_share(&shared_small[pool->class_index], pool);
        if (gone)
            return;
    }
}

static void give_up_general(struct pool *pool) {
    for (;;) {
        dam_general_take_remote_into_index(pool);
        if (pool->live == 0) {
            dam_pool_retire(pool);
            return;
        }
        bool gone =
            dam_general_is_nearly_full(pool) ? dam_pool_let_go(pool) : dam_pool_share(&shared_general, pool);
        if (gone)
            return;
    }
}

/* A free has made the calling thread the pool's owner. */
static void own_claimed(struct pool *pool) {
    struct heap *heap = dam_thread_heap_or_make();
    if (pool_layer(pool) == LAYER_SMALL) {
        if (heap != NULL)
            dam_small_adopt(&heap->small, pool);
        else
            give_up_small(pool);
    } else {
        if (heap != NULL)
            dam_general_adopt(&heap->general, pool);
        else
            give_up_general(pool);
    }
}

static void free_direct(struct pool *pool, void *block) {
    if (!dam_direct_check_live(pool, block, "free") || !dam_direct_begin_free(pool))
        return;
    dam_first_class_forget_direct(pool);
    dam_direct_retire(pool);
}

/* The address lies in no pool. */
static void report_foreign_pointer(const void *address, const char *operation) {
    struct dam_fault fault = {.kind = DAM_FAULT_FOREIGN_POINTER, .operation = operation, .address = address};
    dam_fault_report(&fault);
}

void dam_free_of_others(void *block, struct pool *pool) {
    switch (pool_layer(pool)) {
    case LAYER_NONE:
        if (block != NULL)
            report_foreign_pointer(block, "free");
        return;
    case LAYER_SMALL:
        if (dam_small_free_remote(pool, block))
            own_claimed(pool);
        return;
    case LAYER_GENERAL:
        if (dam_general_free_remote(pool, block))
            own_claimed(pool);
        return;
    case LAYER_DIRECT:
        free_direct(pool, block);
        return;
    }
}

bool dam_check_usable_bytes(struct pool *pool, const void *address, const char *operation, size_t *usable_bytes) {
    switch (pool_layer(pool)) {
    case LAYER_NONE:
        report_foreign_pointer(address, operation);
        return false;
    case LAYER_SMALL:
        *usable_bytes = pool->block_bytes;
        return dam_small_check_live(pool, address, operation);
    case LAYER_GENERAL:
        *usable_bytes = dam_general_check_live(pool, address, operation);
        return *usable_bytes != 0;
    case LAYER_DIRECT:
        *usable_bytes = dam_direct_requested_bytes(pool);
        return dam_direct_check_live(pool, address, operation);
    }
    __builtin_unreachable();
}

/* ---- Giving up --------------------------------------------------------------------------------------------------- */

void dam_heap_give_up(struct heap *heap) {
    dam_general_flush(&heap->general);
    struct pool *pool;
    while ((pool = dam_general_any_pool(&heap->general)) != NULL) {
        dam_general_disown(&heap->general, pool);
        give_up_general(pool);
    }
    while ((pool = dam_small_any_pool(&heap->small)) != NULL) {
        dam_small_disown(&heap->small, pool);
        give_up_small(pool);
    }
}

void dam_heap_trim(struct heap *heap) {
    dam_general_flush(&heap->general);
    dam_general_retire_empty(&heap->general);
    dam_small_retire_empty(&heap->small);
}
