// SPDX-License-Identifier: MIT
/* wrong_size_of_another_layer.c: a small block is released with a size that only the general layer serves. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: wrong size: free_sized of 0x";

void commit_misuse(void) {
    dam_free_sized(specimen_block(100), 1000);
}

void behave(void) {
    dam_free_sized(specimen_block(100), 100);
}
