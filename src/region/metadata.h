// SPDX-License-Identifier: MIT
/* metadata.h: memory for DAM's own structures, kept apart from the blocks of the program.
 *
 * Memory once used for one kind of structure is only ever used again for that kind, and is never unmapped. So a reader
 * that follows a stale pointer to a descriptor still finds a descriptor. */
#ifndef DAM_REGION_METADATA_H
#define DAM_REGION_METADATA_H

#include <stddef.h>

/* One kind of structure: its size, and those that are free, linked through their first word. */
struct metadata_kind {
    size_t bytes;
    void *free;
};

/* A structure of this kind, aligned to a cache line, its content indeterminate (zero when it is new). NULL if memory is
 * refused. Under the central lock. */
void *dam_metadata_take(struct metadata_kind *kind);

/* Under the central lock. */
void dam_metadata_give(struct metadata_kind *kind, void *structure);

/* The same without the lock, for as long as it is frozen: straight from the system, so at the cost of a page or more.
 * Such a structure can later be given to its kind like any other. */
void *dam_metadata_take_unlocked(const struct metadata_kind *kind);

/* Bytes mapped for metadata so far. */
size_t dam_metadata_mapped_bytes(void);

#endif
