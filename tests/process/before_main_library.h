// SPDX-License-Identifier: MIT
/* before_main_library.h: a shared library whose constructor allocates. */
#ifndef DAM_TESTS_PROCESS_BEFORE_MAIN_LIBRARY_H
#define DAM_TESTS_PROCESS_BEFORE_MAIN_LIBRARY_H

#define BEFORE_MAIN_LIBRARY_ID 5

struct stage;

/* What its constructor allocated, under BEFORE_MAIN_LIBRARY_ID. */
struct stage *before_main_library_stage(void);

#endif
