// SPDX-License-Identifier: MIT
/* overflow_found_by_shrink.c: one byte is written behind a general block; a resize to less finds it. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: write past the end of a block: realloc of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(3000);
    block[3000] = 0x42;
    dam_free(dam_realloc(block, 400));
}

void behave(void) {
    unsigned char *block = specimen_block(3000);
    block[2999] = 0x42;
    dam_free(dam_realloc(block, 400));
}
