// SPDX-License-Identifier: MIT
/* realloc_of_free_general.c: a block that was released is resized. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: double free: realloc of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(3000);
    dam_free(block);
    dam_free(dam_realloc(opaque_pointer(block), 6000));
}

void behave(void) {
    dam_free(dam_realloc(specimen_block(3000), 6000));
}
