// SPDX-License-Identifier: MIT
/* overflow_of_aligned.c: one byte is written behind a general block with an alignment of its own. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: write past the end of a block: free of 0x";

void commit_misuse(void) {
    unsigned char *block = opaque_pointer(dam_aligned_alloc(512, 3001));
    CHECK(block != NULL);
    block[3001] = 0x42;
    dam_free(block);
}

void behave(void) {
    unsigned char *block = opaque_pointer(dam_aligned_alloc(512, 3001));
    CHECK(block != NULL);
    block[3000] = 0x42;
    dam_free(block);
}
