// SPDX-License-Identifier: MIT
/* metadata.c: structures are cut from chunks one after the other, and recycled by kind.
 *
 *   chunk  | A | A | B | A | C | ... uncut, untouched ... |
 *
 * Not here: what the structures mean. */
#include "region/metadata.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "os/os.h"

/* Address space only: pages are touched as structures are cut. */
#define CHUNK_BYTES ((size_t)256 << 10)

static struct {
    char *uncut;
    size_t uncut_bytes;
    _Atomic(size_t) mapped_bytes; /* relaxed: a statistic */
} metadata;

static void *map_counted(size_t bytes) {
    void *start = dam_os_map(bytes, dam_os_page_bytes());
    if (start != NULL)
        atomic_fetch_add_explicit(&metadata.mapped_bytes, bytes, memory_order_relaxed);
    return start;
}

static void *cut(size_t bytes) {
    if (metadata.uncut_bytes < bytes) {
        char *chunk = map_counted(CHUNK_BYTES);
        if (chunk == NULL)
            return NULL;
        metadata.uncut = chunk;
        metadata.uncut_bytes = CHUNK_BYTES;
    }
    void *structure = metadata.uncut;
    metadata.uncut += bytes;
    metadata.uncut_bytes -= bytes;
    return structure;
}

void *dam_metadata_take(struct metadata_kind *kind) {
    void *structure = kind->free;
    if (structure == NULL)
        return cut(round_up(kind->bytes, CACHE_LINE_BYTES));
    kind->free = *(void **)structure;
    return structure;
}

void dam_metadata_give(struct metadata_kind *kind, void *structure) {
    *(void **)structure = kind->free;
    kind->free = structure;
}

void *dam_metadata_take_unlocked(const struct metadata_kind *kind) {
    return map_counted(round_up(kind->bytes, dam_os_page_bytes()));
}

size_t dam_metadata_mapped_bytes(void) {
    return atomic_load_explicit(&metadata.mapped_bytes, memory_order_relaxed);
}
