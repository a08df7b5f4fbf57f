// SPDX-License-Identifier: MIT
/* free_of_stack.c: a variable on the stack is released. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not a DAM pointer: free of 0x";

void commit_misuse(void) {
    int variable = 1;
    dam_free(opaque_pointer(&variable));
}

void behave(void) {
    int variable = 1;
    int *block = dam_malloc(sizeof *block);
    CHECK(block != NULL);
    *block = variable;
    dam_free(block);
}
