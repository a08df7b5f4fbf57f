// SPDX-License-Identifier: MIT
/* wrong_size_small.c: a small block is released with the size of another class. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: wrong size: free_sized of 0x";

void commit_misuse(void) {
    dam_free_sized(specimen_block(100), 200);
}

void behave(void) {
    dam_free_sized(specimen_block(100), 100);
}
