// SPDX-License-Identifier: MIT
/* overflow_of_odd_size.c: one zero byte, the end of a string, is written behind a general block of odd size. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: write past the end of a block: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(1003);
    block[1003] = 0;
    dam_free(block);
}

void behave(void) {
    unsigned char *block = specimen_block(1003);
    block[1002] = 0;
    dam_free(block);
}
