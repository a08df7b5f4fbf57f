// SPDX-License-Identifier: MIT
/* tail.c: see tail.h. */
#include "protect/tail.h"

#include <string.h>

#include "guard/fault.h"
#include "guard/secret.h"
#include "region/central.h"

#define SLACK_BITS 16

static uint64_t tail_secret;

void dam_tail_init(void) {
    tail_secret = dam_secret_odd_word();
}

/* What the state does to the trailer. */
static uint64_t state_code(enum tail_state state) {
    return state == TAIL_LIVE ? 0 : 0x5a3c96a5f00f0000;
}

static uint64_t trailer_for(const void *block, size_t slack, size_t room, enum tail_state state) {
    uint64_t proof = (((uintptr_t)block + room) ^ (uint64_t)slack << 48) * tail_secret ^ state_code(state);
    return proof >> SLACK_BITS << SLACK_BITS | slack;
}

/* Never 0, so a string's terminating zero is seen. */
static unsigned char filling_of(uint64_t trailer) {
    return (unsigned char)(trailer >> 56 | 1);
}

static uint64_t read_trailer(const void *block, size_t room) {
    uint64_t trailer;
    memcpy(&trailer, (const char *)block + room - sizeof trailer, sizeof trailer);
    return trailer;
}

void dam_tail_write(void *block, size_t size, size_t room, enum tail_state state) {
    uint64_t trailer = trailer_for(block, room - size, room, state);
    size_t filling_bytes = room - size - sizeof trailer;
    memset((char *)block + size, filling_of(trailer), filling_bytes);
    memcpy((char *)block + size + filling_bytes, &trailer, sizeof trailer);
}

bool dam_tail_read_size(const void *block, size_t room, enum tail_state state, size_t *size) {
    uint64_t trailer = read_trailer(block, room);
    size_t slack = trailer & TAIL_SLACK_MAX;
    if (slack < TAIL_BYTES_MIN || slack > room || trailer != trailer_for(block, slack, room, state))
        return false;
    *size = room - slack;
    return true;
}

bool dam_tail_filling_is_intact(const void *block, size_t size, size_t room, enum tail_state state) {
    unsigned char filling = filling_of(trailer_for(block, room - size, room, state));
    const unsigned char *bytes = block;
    for (size_t i = size; i < room - sizeof(uint64_t); i++) {
        if (bytes[i] != filling)
            return false;
    }
    return true;
}

void dam_tail_show(struct dam_fault *fault, const void *block, size_t size, size_t room, enum tail_state state) {
    unsigned char should_be[FAULT_SHOWN_BYTES_MAX];
    bool is_known = size != SIZE_MAX;
    size_t from = is_known ? size : room - sizeof(uint64_t);
    uint64_t trailer = is_known ? trailer_for(block, room - size, room, state)
                                : trailer_for(block, TAIL_BYTES_MIN, room, state);
    size_t count = room - from < sizeof should_be ? room - from : sizeof should_be;
    for (size_t i = 0; i < count; i++) {
        size_t to_end = room - from - i;
        should_be[i] = to_end > sizeof trailer ? filling_of(trailer)
                                               : (unsigned char)(trailer >> (8 * (sizeof trailer - to_end)));
    }
    dam_fault_show_bytes(fault, (const char *)block + from, should_be, count);
}
