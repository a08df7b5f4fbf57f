// SPDX-License-Identifier: MIT
/* write_after_free_small.c: a block is written after its release; its reuse finds it. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: write to a free block: reuse of 0x";

void commit_misuse(void) {
    unsigned char *block = specimen_block(100);
    unsigned char *neighbour = specimen_block(100);
    dam_free(block);
    block[3] ^= 0x42;
    for (int i = 0; i < 1000; i++)
        (void)specimen_block(100);
    dam_free(neighbour);
}

void behave(void) {
    unsigned char *block = specimen_block(100);
    unsigned char *neighbour = specimen_block(100);
    block[3] ^= 0x42;
    dam_free(block);
    for (int i = 0; i < 1000; i++)
        (void)specimen_block(100);
    dam_free(neighbour);
}
