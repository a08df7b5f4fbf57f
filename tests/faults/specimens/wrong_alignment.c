// SPDX-License-Identifier: MIT
/* wrong_alignment.c: a block is released with an alignment it does not have. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: wrong size: free_sized of 0x";

void commit_misuse(void) {
    unsigned char *block = opaque_pointer(dam_aligned_alloc(16, 3000));
    CHECK(block != NULL);
    size_t alignment = 32;
    while (is_aligned(block, alignment))
        alignment *= 2;
    dam_free_aligned_sized(block, alignment, 3000);
}

void behave(void) {
    unsigned char *block = dam_aligned_alloc(512, 3000);
    CHECK(block != NULL);
    dam_free_aligned_sized(block, 512, 3000);
}
