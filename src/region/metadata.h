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
    _Atomic(void *) free;
};

/* A structure of this kind, aligned to a cache line, its content indeterminate. NULL if memory is refused. Under the
 * central lock. */
void *dam_metadata_take(struct metadata_kind *kind);

/* The same without the lock, for as long as it is frozen: when none is free, straight from the system, a page or more. */
void *dam_metadata_take_unlocked(struct metadata_kind *kind);

/* With the lock or without. */
void dam_metadata_give(struct metadata_kind *kind, void *structure);

/* Bytes mapped for metadata so far. */
size_t dam_metadata_mapped_bytes(void);

#endif
