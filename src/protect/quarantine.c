// SPDX-License-Identifier: MIT
/* quarantine.c: see quarantine.h. One queue for the process, a ring under a lock of its own; nothing is allocated, and nothing
 * but memory of the queued blocks is touched under it. */
#include "protect/quarantine.h"

#include <stdint.h>
#include <string.h>

#include "direct/direct.h"
#include "guard/fault.h"
#include "os/lock.h"
#include "pool/pool.h"
#include "protect/tail.h"

#define BLOCK_COUNT_MAX ((size_t)8192)
#define KEPT_BYTES_MAX ((size_t)16 << 20)

static struct {
    struct dam_lock lock;
    size_t first;
    size_t count;
    size_t kept_bytes;
    struct quarantined ring[BLOCK_COUNT_MAX];
} queue;

/* ---- One block --------------------------------------------------------------------------------------------------- */

static bool is_direct(const struct quarantined *entry) {
    return pool_layer(entry->pool) == LAYER_DIRECT;
}

/* False if another thread has done so. */
static bool mark(const struct quarantined *entry) {
    size_t size;
    if (!dam_tail_read_size(entry->block, entry->room, TAIL_LIVE, &size))
        return false;
    memset(entry->block, 0, entry->size);
    dam_tail_write(entry->block, entry->size, entry->room, TAIL_QUARANTINED);
    return true;
}

/* The first byte that is not 0, or the size. */
static size_t first_written(const struct quarantined *entry) {
    const unsigned char *bytes = entry->block;
    for (size_t i = 0; i < entry->size; i++) {
        if (bytes[i] != 0)
            return i;
    }
    return entry->size;
}

static struct dam_fault write_after_free(const struct quarantined *entry) {
    return (struct dam_fault){
        .kind = DAM_FAULT_WRITE_AFTER_FREE,
        .operation = "quarantine",
        .address = entry->block,
        .layer = (enum dam_layer)pool_layer(entry->pool),
        .pool_start = pool_start(entry->pool),
        .pool_bytes = entry->pool->bytes,
        .block = entry->block,
        .block_bytes = entry->room,
        .requested_bytes = entry->size,
        .state = "released, in quarantine",
    };
}

/* False, and a report, if the block was written to. */
static bool check(const struct quarantined *entry) {
    if (is_direct(entry))
        return true;
    size_t written = first_written(entry);
    size_t size;
    bool tail_is_intact = dam_tail_read_size(entry->block, entry->room, TAIL_QUARANTINED, &size) &&
                          dam_tail_filling_is_intact(entry->block, size, entry->room, TAIL_QUARANTINED);
    if (written == entry->size && tail_is_intact)
        return true;
    struct dam_fault fault = write_after_free(entry);
    if (written < entry->size) {
        static const unsigned char zeroes[FAULT_SHOWN_BYTES_MAX];
        const char *place = (const char *)entry->block + written;
        fault.address = place;
        dam_fault_show_bytes(&fault, place, zeroes, entry->size - written);
    } else {
        dam_tail_show(&fault, entry->block, entry->size, entry->room, TAIL_QUARANTINED);
    }
    dam_fault_report(&fault);
    return false;
}

/* As its layer expects it, and nothing of its content left. False if the system keeps a direct block hidden. */
static bool unmark(const struct quarantined *entry) {
    if (is_direct(entry))
        return dam_direct_show(entry->pool);
    memset((char *)entry->block + entry->size, 0, entry->room - entry->size);
    return true;
}

/* ---- The queue --------------------------------------------------------------------------------------------------- */

static bool is_over_bounds(void) {
    return queue.count > BLOCK_COUNT_MAX - 1 || queue.kept_bytes > KEPT_BYTES_MAX;
}

enum quarantine_outcome dam_quarantine_put(const struct quarantined *entry) {
    if (!dam_lock_try_enter(&queue.lock))
        return QUARANTINE_REFUSED;
    enum quarantine_outcome outcome = QUARANTINE_REFUSED;
    if (queue.count < BLOCK_COUNT_MAX) {
        bool marked = is_direct(entry) ? dam_direct_hide(entry->pool) : mark(entry);
        outcome = marked ? QUARANTINE_TAKEN : is_direct(entry) ? QUARANTINE_REFUSED : QUARANTINE_TWICE;
    }
    if (outcome == QUARANTINE_TAKEN) {
        queue.ring[(queue.first + queue.count) % BLOCK_COUNT_MAX] = *entry;
        queue.count++;
        queue.kept_bytes += entry->room;
    }
    dam_lock_leave(&queue.lock);
    return outcome;
}

static bool take_first(struct quarantined *entry, bool all) {
    if (!dam_lock_try_enter(&queue.lock))
        return false;
    bool taken = queue.count > 0 && (all || is_over_bounds());
    if (taken) {
        *entry = queue.ring[queue.first];
        queue.first = (queue.first + 1) % BLOCK_COUNT_MAX;
        queue.count--;
        queue.kept_bytes -= entry->room;
    }
    dam_lock_leave(&queue.lock);
    return taken;
}

bool dam_quarantine_take_due(struct quarantined *entry, bool all) {
    while (take_first(entry, all)) {
        if (check(entry) && unmark(entry))
            return true;
    }
    return false;
}

void dam_quarantine_check_all(void) {
    if (!dam_lock_try_enter(&queue.lock))
        return;
    for (size_t i = 0; i < queue.count; i++)
        (void)check(&queue.ring[(queue.first + i) % BLOCK_COUNT_MAX]);
    dam_lock_leave(&queue.lock);
}

void dam_quarantine_freeze(void) {
    dam_lock_freeze(&queue.lock);
}

void dam_quarantine_thaw(void) {
    dam_lock_thaw(&queue.lock);
}
