// SPDX-License-Identifier: MIT
/* double_free_small_later.c: a small block is released, then others beside it, then it once more. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: double free: free of 0x";

void commit_misuse(void) {
    unsigned char *blocks[50];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = specimen_block(100);
    for (size_t i = 10; i < 40; i++)
        dam_free(blocks[i]);
    dam_free(opaque_pointer(blocks[25]));
}

void behave(void) {
    unsigned char *blocks[50];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = specimen_block(100);
    for (size_t i = 10; i < 40; i++)
        dam_free(blocks[i]);
    dam_free(blocks[9]);
}
