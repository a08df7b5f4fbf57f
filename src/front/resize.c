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
#include "base/describe.h"
#include "direct/direct.h"
#include "front/front.h"
#include "front/front_fast.h"
#include "guard/fault.h"
#include "protect/protect.h"
#include "region/central.h"
#include "region/region.h"

/* ---- In place ---------------------------------------------------------------------------------------------------- */

/* Whether something stands between the block and its layer (protect/). */
static bool is_protected(const void *block) {
    return UNLIKELY(dam_protect_on) && dam_protect_holds(block);
}

static bool check(struct pool *pool, const void *block, const char *operation, size_t *usable_bytes) {
    return is_protected(block) ? dam_protect_check(pool, block, operation, usable_bytes)
                               : dam_check_usable_bytes(pool, block, operation, usable_bytes);
}

/* Only the owner may rewrite a general block: its neighbours read the header. */
static bool resize_general(struct pool *pool, void *block, size_t size) {
    if (size > GENERAL_SIZE_MAX)
        return false;
    if (RELAXED_LOAD(&pool->general_owner) == dam_own_heap()) /* relaxed: T3 */
        return dam_general_resize(&dam_own_heap()->general, pool, block, size);
    return dam_general_check_live(pool, block, "realloc") == size; /* size is at least 1 */
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
    size_t usable_bytes;
    if (!check(pool, block, "expand", &usable_bytes))
        return false;
    if (is_protected(block))
        return size <= usable_bytes && dam_protect_shrink(pool, block, size);
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
    return pool_layer(pool) == LAYER_DIRECT ? dam_direct_move(pool, size) : NULL;
}

static void *fail_with(int error) {
    errno = error;
    return NULL;
}

/* Whether a small block was ever kept for a smaller size than its class serves. Relaxed: whoever releases such a block has
 * it from the thread that kept it. */
static atomic_bool small_kept_for_less;

/* There is no memory for a smaller block; this one is kept for the smaller size, so that shrinking never fails. */
static void *keep_instead(struct pool *pool, void *block, size_t size, int saved_errno) {
    if (is_protected(block)) {
        if (!dam_protect_shrink(pool, block, size))
            return NULL;
    } else if (pool_layer(pool) == LAYER_SMALL)
        atomic_store_explicit(&small_kept_for_less, true, memory_order_relaxed);
    else if (!resize_in_place(pool, block, size))
        return NULL;
    errno = saved_errno;
    return block;
}

/* Resizes where the block is, or with its pages; NULL if it has to be copied. */
static void *resize_uncopied(struct pool *pool, void *block, size_t size) {
    if (is_worth_moving_down(pool, size))
        return NULL;
    void *resized;
    if (is_protected(block))
        resized = dam_protect_resize(pool, block, size);
    else
        resized = resize_in_place(pool, block, size) ? block : move_pages(pool, size);
    if (resized != NULL && resized != block)
        dam_first_class_forget_direct(pool);
    return resized;
}

void *dam_front_realloc(void *block, size_t size) {
    if (block == NULL)
        return front_malloc(size);
    if (size == 0) {
        front_free(block);
        return NULL;
    }
    struct pool *pool = pool_of(block);
    size_t old_bytes;
    if (!check(pool, block, "realloc", &old_bytes))
        return fail_with(EINVAL);
    if (size > PTRDIFF_MAX)
        return fail_with(ENOMEM);
    void *resized = resize_uncopied(pool, block, size);
    if (resized != NULL)
        return resized;
    int saved_errno = errno;
    void *moved = move_to(front_malloc(size), block, old_bytes, size);
    return moved == NULL && size <= old_bytes ? keep_instead(pool, block, size, saved_errno) : moved;
}

/* A general block is resized by its heap's owner, which is the heap, under its lock; a direct block stays in its heap when
 * its pages move, since its pool does. */
static void *resize_in_heap(struct heap *heap, struct pool *pool, void *block, size_t size) {
    bool is_ours = pool_layer(pool) == LAYER_DIRECT && dam_direct_heap(pool) == heap;
    if (is_protected(block))
        return is_ours ? dam_protect_resize(pool, block, size) : NULL;
    bool done = pool_layer(pool) == LAYER_GENERAL
                    ? size <= GENERAL_SIZE_MAX && dam_first_class_resize(heap, pool, block, size)
                    : resize_in_place(pool, block, size);
    if (done)
        return block;
    return is_ours ? move_pages(pool, size) : NULL;
}

void *dam_front_heap_realloc(struct heap *heap, void *block, size_t size) {
    if (block == NULL)
        return dam_front_heap_alloc(heap, size, GRANULE_BYTES, false);
    if (size == 0) {
        front_free(block);
        return NULL;
    }
    struct pool *pool = pool_of(block);
    size_t old_bytes;
    if (!check(pool, block, "realloc", &old_bytes))
        return fail_with(EINVAL);
    if (size > PTRDIFF_MAX)
        return fail_with(ENOMEM);
    void *resized = resize_in_heap(heap, pool, block, size);
    if (resized != NULL)
        return resized;
    return move_to(dam_front_heap_alloc(heap, size, GRANULE_BYTES, false), block, old_bytes, size);
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

size_t dam_front_usable_size(const void *block) {
    size_t usable_bytes;
    if (block == NULL || !check(pool_of(block), block, "malloc_usable_size", &usable_bytes))
        return 0;
    return usable_bytes;
}

/* What the program says the size was must be what a block of that size is: exactly, where the layer knows the request; a
 * small block knows only its class. What fits the small layer is asked for rounded up to its alignment (alloc.c), and a
 * direct pool that had to stand in for it remembers it so. */
static bool is_size_right(const struct pool *pool, size_t usable_bytes, size_t size, size_t alignment) {
    size_t asked = dam_size_with_alignment(size, alignment);
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        return is_of_same_class(pool, asked) ||
               (asked <= usable_bytes && atomic_load_explicit(&small_kept_for_less, memory_order_relaxed));
    case LAYER_GENERAL:
        return usable_bytes == (size == 0 ? 1 : size);
    case LAYER_DIRECT:
        return usable_bytes == asked;
    case LAYER_NONE:
        break;
    }
    return false;
}

static void report_wrong_size(const struct pool *pool, const void *block, size_t usable_bytes, size_t size,
                              const char *operation) {
    struct dam_fault fault = {
        .kind = DAM_FAULT_WRONG_SIZE,
        .operation = operation,
        .address = block,
        .layer = (enum dam_layer)pool_layer(pool),
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
        .block = block,
        .block_bytes = usable_bytes,
        .requested_bytes = pool_layer(pool) == LAYER_SMALL && !is_protected(block) ? 0 : usable_bytes,
        .state = "live",
        .has_words = true,
        .expected = usable_bytes,
        .found = size,
    };
    dam_fault_report(&fault);
}

void dam_front_free_sized(void *block, size_t size, size_t alignment) {
    if (block == NULL)
        return;
    struct pool *pool = pool_of(block);
    const char *operation = alignment == 1 ? "free_sized" : "free_aligned_sized";
    size_t usable_bytes;
    if (!check(pool, block, operation, &usable_bytes))
        return;
    bool is_aligned = ((uintptr_t)block & (alignment - 1)) == 0;
    bool is_right = is_protected(block) ? usable_bytes == size : is_size_right(pool, usable_bytes, size, alignment);
    if (LIKELY(is_aligned && is_right))
        front_free(block);
    else
        report_wrong_size(pool, block, usable_bytes, size, operation);
}

/* ---- Trimming ---------------------------------------------------------------------------------------------------- */

static size_t purge_all(void) {
    if (!dam_central_try_enter())
        return 0;
    size_t given_back = dam_region_purge_all();
    dam_central_leave();
    return given_back;
}

size_t dam_front_trim(void) {
    struct heap *heap = dam_thread_heap_or_make();
    (void)dam_protect_trim();
    describe_enter();
    if (heap != NULL)
        dam_heap_trim(heap);
    size_t given_back = purge_all();
    describe_leave();
    return given_back;
}
