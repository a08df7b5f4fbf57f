// SPDX-License-Identifier: MIT
/* before_main_library.c: the dynamic linker runs the constructors of a program's libraries in an order of its own, and
 * a preloaded library's are among the last: this one allocates before DAM's constructor, if it has one, has run. */
#include "process/before_main_library.h"

#include "process/stages.h"

static struct stage library_stage;

__attribute__((constructor)) static void use_in_library_constructor(void) {
    stage_use(&library_stage, BEFORE_MAIN_LIBRARY_ID);
}

struct stage *before_main_library_stage(void) {
    return &library_stage;
}
