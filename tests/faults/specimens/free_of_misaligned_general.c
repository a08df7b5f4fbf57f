// SPDX-License-Identifier: MIT
/* free_of_misaligned_general.c: a pointer one byte behind the start of a block is released. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not the start of a block: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(3000);
    dam_free(opaque_pointer(block + 1));
}

void behave(void) {
    unsigned char *block = specimen_block(3000);
    unsigned char *inside = opaque_pointer(block + 1);
    dam_free(inside - 1);
}
