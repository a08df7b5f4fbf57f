// SPDX-License-Identifier: MIT
/* libc.c: the libc family of allocation functions, so that a program is served without being recompiled.
 *
 * Each is the front's function of that meaning; malloc and free are inlined whole. C++ operator new and delete are not
 * here on purpose: the C++ library's own call malloc, aligned_alloc and free, and so keep the new-handler and bad_alloc,
 * which a C library cannot throw.
 *
 * Contracts: ISO C (malloc, calloc, realloc, free, aligned_alloc, free_sized, free_aligned_sized), POSIX (posix_memalign,
 * reallocarray), and glibc's manual for the rest. Not here: figures about the heap (libc_figures.c). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>

#include "base/bits.h"
#include "front/front.h"
#include "front/front_fast.h"
#include "os/os.h"
#include "shim/export.h"
#include "shim/libc.h"


EXPORT void *malloc(size_t size) {
    return front_malloc(size);
}

EXPORT void free(void *block) {
    front_free(block);
}

EXPORT void *calloc(size_t count, size_t size) {
    return dam_front_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size) {
    return dam_front_realloc(block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    return dam_front_realloc(block, dam_front_product(count, size));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return dam_front_aligned_alloc(alignment, size);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size) {
    return dam_front_posix_memalign(block, alignment, size);
}

/* glibc's memalign takes any alignment and rounds it up to a power of two. */
EXPORT void *memalign(size_t alignment, size_t size) {
    size_t power = alignment;
    if (!is_power_of_two(power))
        power = alignment <= 1 ? 1 : alignment > ALIGNMENT_MAX ? 0 : (size_t)2 << highest_bit(alignment);
    return dam_front_aligned_alloc(power, size);
}

EXPORT void *valloc(size_t size) {
    return dam_front_aligned_alloc(dam_os_page_bytes(), size);
}

/* Whole pages; a size that cannot be rounded up is refused, not wrapped around. */
EXPORT void *pvalloc(size_t size) {
    size_t page_bytes = dam_os_page_bytes();
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return dam_front_aligned_alloc(page_bytes, round_up(size == 0 ? 1 : size, page_bytes));
}

EXPORT size_t malloc_usable_size(void *block) {
    return dam_front_usable_size(block);
}

EXPORT void free_sized(void *block, size_t size) {
    dam_front_free_sized(block, size, 1);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size) {
    dam_front_free_sized(block, size, alignment);
}
