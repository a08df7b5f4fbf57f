// SPDX-License-Identifier: MIT
/* free_of_static.c: a static variable is released. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not a DAM pointer: free of 0x";

static int variable;

void commit_misuse(void) {
    dam_free(opaque_pointer(&variable));
}

void behave(void) {
    variable = 1;
    dam_free(NULL);
}
