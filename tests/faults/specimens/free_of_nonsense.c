// SPDX-License-Identifier: MIT
/* free_of_nonsense.c: a number that is no address at all is released. */
#include "faults/specimen.h"

const char expected_report[] = "dam: fault: not a DAM pointer: free of 0x";

void commit_misuse(void) {
    dam_free(opaque_pointer((void *)(uintptr_t)0xDEADBEEFDEADBEE0)); // NOLINT(performance-no-int-to-ptr)
}

void behave(void) {
    dam_free(opaque_pointer((void *)(uintptr_t)0)); // NOLINT(performance-no-int-to-ptr)
}
