// SPDX-License-Identifier: MIT
/* quarantine.h: where released blocks wait, in guard=full, before their memory may be used again.
 *
 *   release -> wiped to zero, tail quarantined -> last in the queue ... first -> still zero? -> given back to its layer
 *
 * A second release finds the quarantined tail; a write through a stale pointer is found when the block leaves, or at the
 * process's end. A direct block's pages are given back and made inaccessible instead: touching them is a report at once.
 *
 * Q1  The queue is bounded, in blocks and in bytes that it keeps from use.
 * Q2  A block is in the queue at most once. */
#ifndef DAM_PROTECT_QUARANTINE_H
#define DAM_PROTECT_QUARANTINE_H

#include <stdbool.h>
#include <stddef.h>

struct pool;

/* What the queue needs to know of a block: its place, request and room. */
struct quarantined {
    void *block;
    struct pool *pool;
    size_t size;
    size_t room; /* 0: a direct block, whose pages are hidden */
};

enum quarantine_outcome {
    QUARANTINE_TAKEN,
    QUARANTINE_REFUSED, /* it cannot take the block, or the time is bad: give it back as it is */
    QUARANTINE_TWICE,   /* another thread was faster: the block is in already */
};

/* Puts the block in. */
enum quarantine_outcome dam_quarantine_put(const struct quarantined *entry);

/* Takes out the block whose time has come, if there is one: it is wiped, and no longer marked. With `all`, as long as there
 * is any. What was written to it meanwhile is reported; such a block stays out of use for ever, as does one that the system
 * keeps hidden, and the next is looked at. */
bool dam_quarantine_take_due(struct quarantined *entry, bool all);

/* Looks at every block without taking it out. */
void dam_quarantine_check_all(void);

void dam_quarantine_freeze(void);
void dam_quarantine_thaw(void);

#endif
