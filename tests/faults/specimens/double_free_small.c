// SPDX-License-Identifier: MIT
/* double_free_small.c: a small block is released twice in a row. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: double free: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(100);
    dam_free(block);
    dam_free(opaque_pointer(block));
}

void behave(void) {
    unsigned char *block = specimen_block(100);
    dam_free(block);
    dam_free(specimen_block(100));
}
