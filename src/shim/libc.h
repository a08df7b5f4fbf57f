// SPDX-License-Identifier: MIT
/* libc.h: the functions of libc.c and libc_figures.c, declared as libc's headers declare them. We do not include those:
 * malloc.h and stdlib.h add attributes by which the compiler would take our definitions for calls of themselves. */
#ifndef DAM_SHIM_LIBC_H
#define DAM_SHIM_LIBC_H

#include <stddef.h>
#include <stdio.h>

void *malloc(size_t size);
void free(void *block);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void *reallocarray(void *block, size_t count, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
int posix_memalign(void **block, size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

#endif
