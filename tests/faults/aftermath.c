// SPDX-License-Identifier: MIT
/* aftermath.c: see aftermath.h. The list of what is in use is static: it must not lie in the heap that it watches. */
#include "faults/aftermath.h"

#define IN_USE_MAX 400

/* Of large blocks, both ends are filled and looked at. */
#define END_BYTES ((size_t)8192)

static struct {
    unsigned char *start;
    size_t size;
    bool is_filled;
    unsigned char filling;
} in_use[IN_USE_MAX];

static size_t in_use_count;

static size_t end_bytes(size_t size) {
    return smaller_of(size, END_BYTES);
}

void hold_unfilled(void *start, size_t size) {
    CHECK(in_use_count < IN_USE_MAX);
    in_use[in_use_count].start = start;
    in_use[in_use_count].size = size;
    in_use_count++;
}

/* All fillings differ as far as a byte lets them. */
void hold(void *start, size_t size) {
    unsigned char filling = (unsigned char)(0x21 + in_use_count % 200);
    in_use[in_use_count].is_filled = true;
    in_use[in_use_count].filling = filling;
    hold_unfilled(start, size);
    memset(start, filling, end_bytes(size));
    memset((unsigned char *)start + size - end_bytes(size), filling, end_bytes(size));
}

static bool something_was_changed(void) {
    for (size_t i = 0; i < in_use_count; i++) {
        size_t ends = end_bytes(in_use[i].size);
        if (in_use[i].is_filled && (!all_bytes_are(in_use[i].start, ends, in_use[i].filling) ||
                                    !all_bytes_are(in_use[i].start + in_use[i].size - ends, ends, in_use[i].filling)))
            return true;
    }
    return false;
}

static bool overlaps_what_is_in_use(const unsigned char *block, size_t size) {
    for (size_t i = 0; i < in_use_count; i++) {
        if (block < in_use[i].start + in_use[i].size && in_use[i].start < block + size)
            return true;
    }
    return false;
}

static size_t blocks_to_take(size_t size) {
    return size <= 4096 ? 200 : size <= 65536 ? 60 : size <= MIB ? 12 : 4;
}

enum aftermath aftermath_of(size_t size) {
    unsigned char *blocks[200];
    size_t count = blocks_to_take(size);
    if (something_was_changed())
        return AFTERMATH_CHANGE;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = obtain(size);
        if (overlaps_what_is_in_use(blocks[i], size))
            return AFTERMATH_OVERLAP;
        hold(blocks[i], size);
    }
    if (something_was_changed())
        return AFTERMATH_CHANGE;
    for (size_t i = 0; i < count; i++)
        release(blocks[i]);
    return AFTERMATH_HARMLESS;
}
