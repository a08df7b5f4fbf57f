// SPDX-License-Identifier: MIT
/* free_of_interior_small.c: a pointer into the middle of a small block is released, aligned as a block would be. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not the start of a block: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(100);
    dam_free(opaque_pointer(block + 16));
}

void behave(void) {
    unsigned char *block = specimen_block(100);
    unsigned char *inside = opaque_pointer(block + 16);
    dam_free(inside - 16);
}
