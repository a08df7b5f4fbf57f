// SPDX-License-Identifier: MIT
/* free_of_interior_mapping.c: a pointer into the middle of a direct block with a mapping of its own is released,
 * aligned as a block would be. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not the start of a block: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(5000000);
    dam_free(opaque_pointer(block + 1048576));
}

void behave(void) {
    unsigned char *block = specimen_block(5000000);
    unsigned char *inside = opaque_pointer(block + 1048576);
    dam_free(inside - 1048576);
}
