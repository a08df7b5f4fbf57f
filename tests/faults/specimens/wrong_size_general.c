// SPDX-License-Identifier: MIT
/* wrong_size_general.c: a general block is released with a size that is one byte too small. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: wrong size: free_sized of 0x";

void commit_misuse(void) {
    dam_free_sized(specimen_block(3000), 2999);
}

void behave(void) {
    dam_free_sized(specimen_block(3000), 3000);
}
