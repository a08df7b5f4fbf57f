// SPDX-License-Identifier: MIT
/* free_of_interior_direct.c: a pointer into the middle of a direct block is released, aligned as a block would be. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not the start of a block: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(200000);
    dam_free(opaque_pointer(block + 4096));
}

void behave(void) {
    unsigned char *block = specimen_block(200000);
    unsigned char *inside = opaque_pointer(block + 4096);
    dam_free(inside - 4096);
}
