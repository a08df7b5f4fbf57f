// SPDX-License-Identifier: MIT
/* double_free_mapping.c: a direct block with a mapping of its own is released twice in a row. Its pool went with the
 * first release, so nothing is known of the address any more. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not a DAM pointer: free of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(5000000);
    dam_free(block);
    dam_free(opaque_pointer(block));
}

void behave(void) {
    unsigned char *block = specimen_block(5000000);
    dam_free(block);
    dam_free(specimen_block(5000000));
}
