// SPDX-License-Identifier: MIT
/* region.h: slices, dirty memory, and when it goes back to the system.
 *
 * A region is a reservation of address space, cut into slices of 64 KiB:
 *
 *     region   | s0 | s1 | s2 | s3 | s4 | ... | s1023 |      used: belongs to a pool
 *                used used dirty clean used                  dirty: free, its pages hold old bytes and are paid for
 *                                                            clean: free, its pages read as zero and cost nothing
 *
 * R1  A slice is used by at most one pool.
 * R2  A slice that is not dirty and not used reads as zero.
 * R3  dirty_bytes counts the dirty slices of all regions and the bytes of stocked mappings.
 *
 * Memory that was touched once is precious, so dirty slices are taken before clean ones, at the lowest address first.
 * They are given back when older than purge_delay_ms, or when dirty_bytes passes dirty_max.
 *
 * Everything here runs under the central lock. Not here: what a pool is. */
#ifndef DAM_REGION_REGION_H
#define DAM_REGION_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region;

/* `count` consecutive slices. Stores their region and whether they read as zero. NULL if memory is refused. */
void *dam_region_take(size_t count, struct region **region, bool *zeroed);

/* Gives `count` slices from `start` back; their content is old from now on. */
void dam_region_give(struct region *region, void *start, size_t count);

/* Adds the slices behind [start, start + old_count) so that there are new_count. False if they are not free. */
bool dam_region_extend(struct region *region, const void *start, size_t old_count, size_t new_count);

/* Mappings of their own, for pools too large for slices. Aligned to `alignment`, at least a slice. The mapping may come
 * from the stock and then be up to a quarter larger than asked; its true size is stored. NULL if refused. */
void *dam_mapping_take(size_t bytes, size_t alignment, size_t *true_bytes, bool *zeroed);

/* Gives a mapping back: to the stock while that is within bounds, else to the system. */
void dam_mapping_give(void *start, size_t bytes);

/* Gives back what is older than purge_delay_ms or beyond dirty_max. Cheap when there is nothing to do. */
void dam_region_purge_due(void);

/* Gives every dirty byte back; returns how many. */
size_t dam_region_purge_all(void);

/* When the system refuses address space: gives back the stock of mappings and every region without a used slice. Returns how
 * many bytes of address space that was. */
size_t dam_region_release_unused(void);

struct region_figures {
    size_t reserved_bytes;    /* address space of all regions */
    size_t used_bytes;        /* slices that belong to pools */
    size_t dirty_bytes;       /* free, still paid for */
    size_t given_back_bytes;  /* in all, since the start */
};

void dam_region_read_figures(struct region_figures *figures);

/* Counts what contradicts R3 and the regions' own counts, and returns the number. (R1 shows in the pool map.) */
size_t dam_region_verify(void);

#endif
