// SPDX-License-Identifier: MIT
/* config.h: the numbers that shape the heap, each with its reason. Nothing here depends on the machine's page size,
 * which is read at run time. */
#ifndef DAM_BASE_CONFIG_H
#define DAM_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

/* A slice: the unit of address space. 64 KiB is a multiple of every page size in use (4, 16, 64 KiB) and the granule
 * of the pool map. */
#define SLICE_SHIFT 16
#define SLICE_BYTES ((size_t)1 << SLICE_SHIFT)

/* The layers' limits, inclusive. */
#define SMALL_SIZE_MAX ((size_t)256)
#define GENERAL_SIZE_MAX ((size_t)65536)

/* Above this a direct pool is a mapping of its own; up to it, recycled slices. */
#define DIRECT_SLICES_SIZE_MAX ((size_t)1 << 20)

/* What every block is aligned to, and the unit in which sizes and offsets are kept. */
#define GRANULE_SHIFT 4
#define GRANULE_BYTES ((size_t)1 << GRANULE_SHIFT)

/* What guard=tail and guard=full ask the layers for beyond the request, at least (protect/tail.h). */
#define TAIL_BYTES_MIN sizeof(uint64_t)

#define ALIGNMENT_MAX ((size_t)1 << 30)

/* Addresses have at most 48 bits in user space on x86-64 and on aarch64 without opt-in. */
#define ADDRESS_BITS 48

_Static_assert(sizeof(void *) == 8, "DAM is written for 64-bit address spaces");

#endif
