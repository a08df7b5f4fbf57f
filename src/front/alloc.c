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

static void *out_of_memory(void) {
    errno = ENOMEM;
    return NULL;
}

void *dam_front_alloc_slow(size_t size) {
    if (size > PTRDIFF_MAX)
        return out_of_memory();
    void *block = dam_thread_alloc(size, GRANULE_BYTES, NULL);
    return block != NULL ? block : out_of_memory();
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
        block = bytes > PTRDIFF_MAX ? NULL : dam_thread_alloc(bytes, GRANULE_BYTES, &zeroed);
        if (block == NULL)
            return out_of_memory();
    }
    if (!zeroed)
        memset(block, 0, bytes);
    return block;
}

/* ---- Alignment --------------------------------------------------------------------------------------------------- */

/* What to ask for so that any block of that size is aligned, if it is small: small blocks start at multiples of their
 * size, from a pool's start. */
static size_t size_with_alignment(size_t size, size_t alignment) {
    if (size <= SMALL_SIZE_MAX && alignment <= SMALL_SIZE_MAX && alignment > GRANULE_BYTES)
        return round_up(size == 0 ? 1 : size, alignment);
    return size;
}

static bool is_valid_alignment(size_t alignment) {
    return is_power_of_two(alignment) && alignment <= ALIGNMENT_MAX;
}

static void *alloc_aligned(size_t alignment, size_t size) {
    if (alignment <= GRANULE_BYTES)
        return size > PTRDIFF_MAX ? NULL : dam_thread_alloc(size, GRANULE_BYTES, NULL);
    if (size > PTRDIFF_MAX - alignment)
        return NULL;
    return dam_thread_alloc(size_with_alignment(size, alignment), alignment, NULL);
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
    bool zeroed;
    void *block = dam_first_class_alloc(heap, size_with_alignment(size, alignment),
                                        alignment > GRANULE_BYTES ? alignment : GRANULE_BYTES, &zeroed);
    if (block == NULL)
        return out_of_memory();
    if (zero && !zeroed)
        memset(block, 0, size);
    return block;
}
