// SPDX-License-Identifier: MIT
/* wrong_size_mapping.c: a direct block with a mapping of its own is released with a size that is one byte too small. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: wrong size: free_sized of 0x";

void commit_misuse(void) {
    dam_free_sized(specimen_block(5000000), 4999999);
}

void behave(void) {
    dam_free_sized(specimen_block(5000000), 5000000);
}
