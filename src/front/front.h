// SPDX-License-Identifier: MIT
/* front.h: every entry point's meaning, once, for dam.h (api.c) and for libc's names (shim/libc.c). Contracts are dam.h's.
 *
 * Files: front_fast.h malloc and free; alloc.c calloc and alignment; resize.c realloc and its kin; api.c the names. */
#ifndef DAM_FRONT_FRONT_H
#define DAM_FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>

struct heap;

/* count * size, or a number above PTRDIFF_MAX if that overflows, which every allocation refuses. */
size_t dam_front_product(size_t count, size_t size);

void *dam_front_calloc(size_t count, size_t size);

/* NULL with ENOMEM, or with EINVAL for an alignment that is no power of two or above 1 GiB. */
void *dam_front_aligned_alloc(size_t alignment, size_t size);

int dam_front_posix_memalign(void **block, size_t alignment, size_t size);

void *dam_front_realloc(void *block, size_t size);
bool dam_front_expand(void *block, size_t size);
void dam_front_free_sized(void *block, size_t size, size_t alignment);
size_t dam_front_usable_size(const void *block);
size_t dam_front_trim(void);

/* First-class heaps. */
void *dam_front_heap_alloc(struct heap *heap, size_t size, size_t alignment, bool zero);
void *dam_front_heap_realloc(struct heap *heap, void *block, size_t size);

#endif
