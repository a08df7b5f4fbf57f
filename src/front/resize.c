// SPDX-License-Identifier: MIT
/* resize.c: realloc and what else asks a block for its size or tells it one.
 *
 *   realloc(p, n)   the layer that owns p resizes in place, if it can and it is worth it;
 *                   else the front allocates by the new size, copies min(old, new) bytes, and frees.
 *
 * So small -> general -> direct and back need no code of their own. Not here: how a layer resizes. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/bits.h"
#include "direct/direct.h"
#include "front/front.h"
#include "front/front_fast.h"
#include "guard/fault.h"
#include "region/central.h"
#include "region/region.h"

/* ---- In place ---------------------------------------------------------------------------------------------------- */

/* Only the owner may rewrite a general block: its neighbours read the header. */
static bool resize_general(struct pool *pool, void *block, size_t size) {
    if (size > GENERAL_SIZE_MAX)
        return false;
    if (front_owns_general(pool))
        return dam_general_resize(&dam_thread_heap->general, pool, block, size);
    return dam_general_check_live(pool, block, "realloc") == size;
}

/* A small block does not know its request, only its class, and dam_free_sized will ask; so it stays only for sizes that its
 * class serves. */
static bool is_of_same_class(const struct pool *pool, size_t size) {
    return size <= SMALL_SIZE_MAX && small_class_index(size) == pool->class_index;
}

static bool resize_in_place(struct pool *pool, void *block, size_t size) {
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        return is_of_same_class(pool, size);
    case LAYER_GENERAL:
        return resize_general(pool, block, size);
    case LAYER_DIRECT:
        return dam_direct_resize(pool, size);
    case LAYER_NONE:
        break;
    }
    return false;
}

/* Whether a block that could stay had better move: to a smaller class, or down a layer. */
static bool is_worth_moving_down(const struct pool *pool, size_t size) {
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        return false;
    case LAYER_GENERAL:
        return size <= SMALL_SIZE_MAX;
    case LAYER_DIRECT:
        return size <= GENERAL_SIZE_MAX && dam_direct_should_shrink(pool, size);
    case LAYER_NONE:
        break;
    }
    return false;
}

bool dam_front_expand(void *block, size_t size) {
    if (block == NULL || size == 0 || size > PTRDIFF_MAX)
        return false;
    struct pool *pool = pool_of(block);
    dam_checked_usable_bytes(pool, block, "expand");
    return resize_in_place(pool, block, size);
}

/* ---- By moving --------------------------------------------------------------------------------------------------- */

/* Allocates, copies, frees. The old block is untouched when that fails. */
static void *move_to(void *moved, void *block, size_t old_bytes, size_t size) {
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old_bytes < size ? old_bytes : size);
    front_free(block);
    return moved;
}

/* A large block that grows takes its pages along; NULL if it is not one or cannot. */
static void *move_pages(struct pool *pool, size_t size) {
    return pool_layer(pool) == LAYER_DIRECT && size > pool->bytes ? dam_direct_move(pool, size) : NULL;
}

static void *out_of_memory(void) {
    errno = ENOMEM;
    return NULL;
}

/* Whether a small block was ever kept for a smaller size than its class serves. Relaxed: whoever releases such a block has
 * it from the thread that kept it. */
static atomic_bool small_kept_for_less;

/* There is no memory for a smaller block; this one is kept for the smaller size, so that shrinking never fails. */
static void *keep_instead(struct pool *pool, void *block, size_t size, int saved_errno) {
    if (pool_layer(pool) == LAYER_SMALL)
        atomic_store_explicit(&small_kept_for_less, true, memory_order_relaxed);
    else if (!resize_in_place(pool, block, size))
        return NULL;
    errno = saved_errno;
    return block;
}

void *dam_front_realloc(void *block, size_t size) {
    if (block == NULL)
        return front_malloc(size);
    if (size == 0) {
        front_free(block);
        return NULL;
    }
    struct pool *pool = pool_of(block);
    size_t old_bytes = dam_checked_usable_bytes(pool, block, "realloc");
    if (size > PTRDIFF_MAX)
        return out_of_memory();
    bool move_down = is_worth_moving_down(pool, size);
    if (!move_down && resize_in_place(pool, block, size))
        return block;
    void *moved = move_pages(pool, size);
    if (moved != NULL) {
        dam_first_class_forget_direct(pool);
        return moved;
    }
    int saved_errno = errno;
    moved = move_to(front_malloc(size), block, old_bytes, size);
    return moved == NULL && size <= old_bytes ? keep_instead(pool, block, size, saved_errno) : moved;
}

/* A general block is resized by its heap's owner, which is the heap, under its lock. */
static bool resize_in_heap(struct heap *heap, struct pool *pool, void *block, size_t size) {
    if (pool_layer(pool) == LAYER_GENERAL)
        return size <= GENERAL_SIZE_MAX && dam_first_class_resize(heap, pool, block, size);
    return resize_in_place(pool, block, size);
}

/* A direct block stays in its heap when its pages move, since its pool does. */
void *dam_front_heap_realloc(struct heap *heap, void *block, size_t size) {
    if (block == NULL)
        return dam_front_heap_alloc(heap, size, GRANULE_BYTES, false);
    if (size == 0) {
        front_free(block);
        return NULL;
    }
    struct pool *pool = pool_of(block);
    size_t old_bytes = dam_checked_usable_bytes(pool, block, "realloc");
    if (size > PTRDIFF_MAX)
        return out_of_memory();
    if (resize_in_heap(heap, pool, block, size))
        return block;
    void *moved = pool->direct_heap == heap ? move_pages(pool, size) : NULL;
    if (moved != NULL)
        return moved;
    return move_to(dam_front_heap_alloc(heap, size, GRANULE_BYTES, false), block, old_bytes, size);
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

size_t dam_front_usable_size(const void *block) {
    return block == NULL ? 0 : dam_checked_usable_bytes(pool_of(block), block, "malloc_usable_size");
}

/* What the program says the size was must be what a block of that size is: exactly, where the layer knows the request; a
 * small block knows only its class. What fits the small layer is asked for rounded up to its alignment (alloc.c), and a
 * direct pool that had to stand in for it remembers it so. */
static bool is_size_right(const struct pool *pool, size_t usable_bytes, size_t size, size_t alignment) {
    size_t asked = size;
    if (size <= SMALL_SIZE_MAX && alignment <= SMALL_SIZE_MAX && alignment > GRANULE_BYTES)
        asked = round_up(size == 0 ? 1 : size, alignment);
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        return is_of_same_class(pool, asked) ||
               (asked <= usable_bytes && atomic_load_explicit(&small_kept_for_less, memory_order_relaxed));
    case LAYER_GENERAL:
        return usable_bytes == (size == 0 ? 1 : size);
    case LAYER_DIRECT:
        return pool->requested_bytes == asked;
    case LAYER_NONE:
        break;
    }
    return false;
}

static const char *layer_name(enum layer layer) {
    switch (layer) {
    case LAYER_SMALL:
        return "small";
    case LAYER_GENERAL:
        return "general";
    case LAYER_DIRECT:
        return "direct";
    case LAYER_NONE:
        break;
    }
    return "no";
}

_Noreturn static void report_wrong_size(const struct pool *pool, const void *block, size_t usable_bytes, size_t size) {
    size_t requested = pool_layer(pool) == LAYER_DIRECT ? pool->requested_bytes : usable_bytes;
    struct dam_fault fault = {
        .kind = FAULT_WRONG_SIZE,
        .operation = "free_sized",
        .address = block,
        .layer = layer_name(pool_layer(pool)),
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
        .block = block,
        .block_bytes = usable_bytes,
        .state = "live",
        .has_words = true,
        .expected = requested,
        .found = size,
    };
    dam_fault_report(&fault);
}

void dam_front_free_sized(void *block, size_t size, size_t alignment) {
    if (block == NULL)
        return;
    struct pool *pool = pool_of(block);
    size_t usable_bytes = dam_checked_usable_bytes(pool, block, "free_sized");
    bool is_aligned = ((uintptr_t)block & (alignment - 1)) == 0;
    if (UNLIKELY(!is_aligned || !is_size_right(pool, usable_bytes, size, alignment)))
        report_wrong_size(pool, block, usable_bytes, size);
    front_free(block);
}

/* ---- Trimming ---------------------------------------------------------------------------------------------------- */

size_t dam_front_trim(void) {
    struct heap *heap = dam_thread_heap_or_make();
    if (heap != NULL)
        dam_heap_trim(heap);
    if (!dam_central_try_enter())
        return 0;
    size_t given_back = dam_region_purge_all();
    dam_central_leave();
    return given_back;
}
