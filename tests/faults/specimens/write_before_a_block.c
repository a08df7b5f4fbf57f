// SPDX-License-Identifier: MIT
/* write_before_a_block.c: one byte is written in front of a general block. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: damaged block header: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(3000);
    block[-1] ^= 0x42;
    dam_free(block);
}

void behave(void) {
    unsigned char *block = specimen_block(3000);
    block[0] ^= 0x42;
    dam_free(block);
}
