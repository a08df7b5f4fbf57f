// SPDX-License-Identifier: MIT
/* overflow_into_the_next_header.c: a write behind a general block goes on into the block after it, which is released
 * first. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: damaged block header: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(1000);
    unsigned char *next = specimen_block(1000);
    unsigned char *lower = block < next ? block : next;
    unsigned char *upper = block < next ? next : block;
    memset(lower, 0x42, (size_t)(upper - lower));
    dam_free(upper);
}

void behave(void) {
    unsigned char *block = specimen_block(1000);
    unsigned char *next = specimen_block(1000);
    memset(block, 0x42, 1000);
    memset(next, 0x42, 1000);
    dam_free(next);
    dam_free(block);
}
