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

/* ---- Free structures: a stack that anyone may push on and take from ------------------------------------------------ */

static void **link_in(void *structure) {
    return structure;
}

/* Puts a chain of structures on the stack. Release: who takes them sees their links. */
static void push_chain(struct metadata_kind *kind, void *first, void *last) {
    void *top = atomic_load_explicit(&kind->free, memory_order_relaxed);
    do
        *link_in(last) = top;
    while (!atomic_compare_exchange_weak_explicit(&kind->free, &top, first, memory_order_release,
                                                  memory_order_relaxed));
}

/* Puts back what is left of a chain whose first was taken. Usually the stack is still as empty as we made it. */
static void push_rest(struct metadata_kind *kind, void *rest) {
    void *none = NULL;
    if (rest == NULL || atomic_compare_exchange_strong_explicit(&kind->free, &none, rest, memory_order_release,
                                                                memory_order_relaxed))
        return;
    void *last = rest;
    while (*link_in(last) != NULL)
        last = *link_in(last);
    push_chain(kind, rest, last);
}

/* Takes the whole stack, keeps one, puts the rest back. Taking one off the top by itself would have to read the link of a
 * structure that somebody else may be taking, and could be fooled when it came back meanwhile (the ABA problem). */
static void *take_free(struct metadata_kind *kind) {
    void *structure = atomic_exchange_explicit(&kind->free, NULL, memory_order_acquire);
    if (structure != NULL)
        push_rest(kind, *link_in(structure));
    return structure;
}

void *dam_metadata_take(struct metadata_kind *kind) {
    void *structure = take_free(kind);
    return structure != NULL ? structure : cut(round_up(kind->bytes, CACHE_LINE_BYTES));
}

void *dam_metadata_take_unlocked(struct metadata_kind *kind) {
    void *structure = take_free(kind);
    return structure != NULL ? structure : map_counted(round_up(kind->bytes, dam_os_page_bytes()));
}

void dam_metadata_give(struct metadata_kind *kind, void *structure) {
    push_chain(kind, structure, structure);
}

size_t dam_metadata_mapped_bytes(void) {
    return atomic_load_explicit(&metadata.mapped_bytes, memory_order_relaxed);
}
