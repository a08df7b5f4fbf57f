// SPDX-License-Identifier: MIT
/* tail.h: what stands behind the request in a block, up to the end of its room, in guard=tail and guard=full:
 *
 *     | program's bytes ... | filling ...            | trailer 8 |
 *     0                     request                              room
 *
 *     trailer   48 bits that only this place, room and state can bear | 16 bits: room - request
 *     filling   a byte of those 48 bits, over and over
 *
 * The room is what the layer gave for request + 8: a small block's size, a general or direct block's request. So the request
 * is known in every layer, small too, and every byte behind it is watched.
 *
 * L1  A block that the program holds bears a live tail; one in quarantine bears a quarantined one. */
#ifndef DAM_PROTECT_TAIL_H
#define DAM_PROTECT_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

struct dam_fault;

#define TAIL_SLACK_MAX ((size_t)0xffff)

enum tail_state { TAIL_LIVE, TAIL_QUARANTINED };

/* Draws the secret; once. */
void dam_tail_init(void);

/* room - size is from TAIL_BYTES_MIN to TAIL_SLACK_MAX. */
void dam_tail_write(void *block, size_t size, size_t room, enum tail_state state);

/* Stores the request if the trailer is that of the state. */
bool dam_tail_read_size(const void *block, size_t room, enum tail_state state, size_t *size);

/* Whether the filling is intact; the trailer is. */
bool dam_tail_filling_is_intact(const void *block, size_t size, size_t room, enum tail_state state);

/* Says in the fault what stands behind the request and should; size is SIZE_MAX if only the trailer can be shown. */
void dam_tail_show(struct dam_fault *fault, const void *block, size_t size, size_t room, enum tail_state state);

#endif
