// SPDX-License-Identifier: MIT
/* realloc_of_stack.c: a variable on the stack is resized. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not a DAM pointer: realloc of 0x";

void commit_misuse(void) {
    int variable = 1;
    dam_free(dam_realloc(opaque_pointer(&variable), 100));
}

void behave(void) {
    dam_free(dam_realloc(opaque_pointer(NULL), 100));
}
