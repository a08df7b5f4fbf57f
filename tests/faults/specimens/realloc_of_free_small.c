// SPDX-License-Identifier: MIT
/* realloc_of_free_small.c: a block that was released is resized. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: double free: realloc of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(100);
    dam_free(block);
    dam_free(dam_realloc(opaque_pointer(block), 200));
}

void behave(void) {
    dam_free(dam_realloc(specimen_block(100), 200));
}
