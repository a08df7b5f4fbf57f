// SPDX-License-Identifier: MIT
/* specimen.h: one kind of misuse, preserved for study.
 *
 * A specimen is a program in specimens/ that defines the three names below. specimen_main.c runs it:
 *
 *   without arguments   both halves, each in a child; passes when the misuse produced exactly its report and SIGABRT,
 * and the clean twin produced nothing misuse              the misuse itself, to look at the report clean the clean twin
 * alone */
#ifndef DAM_TESTS_FAULTS_SPECIMEN_H
#define DAM_TESTS_FAULTS_SPECIMEN_H

#include "dam/dam.h"
#include "support/test.h"

/* What the report must begin with. */
extern const char expected_report[];

/* Does the wrong thing. Must not return: DAM ends the program. */
void commit_misuse(void);

/* Does nearly the same and nothing wrong. */
void behave(void);

/* dam_malloc, hidden from the compiler's own eyes for misuse, and filled. */
static inline unsigned char *specimen_block(size_t size) {
    unsigned char *block = opaque_pointer(dam_malloc(opaque_size(size)));
    CHECK(block != NULL);
    memset(block, 0x11, size);
    return block;
}

#endif
