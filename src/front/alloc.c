// SPDX-License-Identifier: MIT
/* alloc.c: allocation beyond the common way: the slow way of malloc, zeroed blocks, aligned blocks, first-class heaps.
 *
 * Not here: resizing (resize.c). */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/bits.h"
#include "front/front.h"
#include "front/front_fast.h"
#include "os/os.h"
#include "protect/protect.h"

static void *out_of_memory(void) {
    errno = ENOMEM;
    return NULL;
}

/* A block of any layer, protected if that is asked for. size is at most PTRDIFF_MAX - ALIGNMENT_MAX. */
static void *alloc_any(size_t size, size_t alignment, bool *zeroed) {
    dam_start();
    return UNLIKELY(dam_protect_on) ? dam_protect_alloc(size, alignment, zeroed)
                                    : dam_thread_alloc(size, alignment, zeroed);
}

/* Behind a door without tails: not this time. */
static void *alloc_unsampled(size_t size) {
    struct heap *heap = dam_own_heap();
    if (heap->sample_countdown <= 1 || dam_protect_has_tails)
        return NULL;
    void *block = heap_alloc_fast(heap, size);
    heap->sample_countdown -= block != NULL;
    return block;
}

void *dam_front_alloc_slow(size_t size) {
    void *unsampled = alloc_unsampled(size);
    if (unsampled != NULL)
        return unsampled;
    bool zeroed;
    void *block = size > PTRDIFF_MAX ? NULL : alloc_any(size, GRANULE_BYTES, &zeroed);
    return block != NULL ? block : out_of_memory();
}

void dam_front_free_slow(void *block, struct pool *pool) {
    if (LIKELY(!dam_protect_on))
        dam_free_of_others(block, pool);
    else if (dam_protect_has_tails || !heap_free_own(dam_own_heap(), block, pool))
        dam_protect_free(block, pool);
}

size_t dam_front_product(size_t count, size_t size) {
    size_t product;
    return __builtin_mul_overflow(count, size, &product) ? SIZE_MAX : product;
}

/* Direct memory that is known to read as zero is not touched. */
void *dam_front_calloc(size_t count, size_t size) {
    size_t bytes = dam_front_product(count, size);
    bool zeroed = false;
    void *block;
    if (LIKELY(bytes <= GENERAL_SIZE_MAX)) {
        block = front_malloc(bytes);
        if (UNLIKELY(block == NULL))
            return NULL;
    } else {
        block = bytes > PTRDIFF_MAX ? NULL : alloc_any(bytes, GRANULE_BYTES, &zeroed);
        if (block == NULL)
            return out_of_memory();
    }
    if (!zeroed)
        memset(block, 0, bytes);
    return block;
}

/* ---- Alignment --------------------------------------------------------------------------------------------------- */

static bool is_valid_alignment(size_t alignment) {
    return is_power_of_two(alignment) && alignment <= ALIGNMENT_MAX;
}

static void *alloc_aligned(size_t alignment, size_t size) {
    bool zeroed;
    if (alignment < GRANULE_BYTES)
        alignment = GRANULE_BYTES;
    return size > PTRDIFF_MAX - alignment ? NULL : alloc_any(size, alignment, &zeroed);
}

void *dam_front_aligned_alloc(size_t alignment, size_t size) {
    if (!is_valid_alignment(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    void *block = alloc_aligned(alignment, size);
    return block != NULL ? block : out_of_memory();
}

int dam_front_posix_memalign(void **block, size_t alignment, size_t size) {
    if (!is_valid_alignment(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    void *aligned = alloc_aligned(alignment, size);
    if (aligned == NULL)
        return ENOMEM;
    *block = aligned;
    return 0;
}

/* ---- First-class heaps ------------------------------------------------------------------------------------------- */

void *dam_front_heap_alloc(struct heap *heap, size_t size, size_t alignment, bool zero) {
    if (size > PTRDIFF_MAX - ALIGNMENT_MAX)
        return out_of_memory();
    if (alignment < GRANULE_BYTES)
        alignment = GRANULE_BYTES;
    bool zeroed;
    void *block = UNLIKELY(dam_protect_on) ? dam_protect_heap_alloc(heap, size, alignment, &zeroed)
                                           : dam_first_class_alloc(heap, size, alignment, &zeroed);
    if (block == NULL)
        return out_of_memory();
    if (zero && !zeroed)
        memset(block, 0, size);
    return block;
}
