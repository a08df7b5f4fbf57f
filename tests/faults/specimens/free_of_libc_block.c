// SPDX-License-Identifier: MIT
/* free_of_libc_block.c: a block of another allocator is released. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not a DAM pointer: free of 0x";

void commit_misuse(void) {
    dam_free(opaque_pointer(malloc(100)));
}

void behave(void) {
    free(malloc(100));
    dam_free(dam_malloc(100));
}
