// SPDX-License-Identifier: MIT
/* freed_lately.c: see freed_lately.h. By address, one entry for each place in the table. */
#include "guard/freed_lately.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/config.h"

#define ENTRY_COUNT 256

/* Relaxed: start and request may belong to two blocks when threads meet in one place; then a report's size is wrong. */
static struct {
    _Atomic(uintptr_t) start;
    _Atomic(size_t) requested_bytes;
} entries[ENTRY_COUNT];

static size_t place_of(const void *start) {
    return ((uintptr_t)start >> SLICE_SHIFT) % ENTRY_COUNT;
}

void dam_freed_lately_remember(const void *start, size_t requested_bytes) {
    size_t place = place_of(start);
    atomic_store_explicit(&entries[place].start, (uintptr_t)start, memory_order_relaxed);
    atomic_store_explicit(&entries[place].requested_bytes, requested_bytes, memory_order_relaxed);
}

bool dam_freed_lately_find(const void *address, size_t *requested_bytes) {
    size_t place = place_of(address);
    *requested_bytes = atomic_load_explicit(&entries[place].requested_bytes, memory_order_relaxed);
    return address != NULL && atomic_load_explicit(&entries[place].start, memory_order_relaxed) == (uintptr_t)address;
}
