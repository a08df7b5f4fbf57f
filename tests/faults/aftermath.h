// SPDX-License-Identifier: MIT
/* aftermath.h: what becomes of a program that misused its heap and was not stopped.
 *
 * It goes on: it takes blocks of the same size as before, writes to all of them, looks at what it has, and releases
 * them. That is when damage to free memory is found, or does harm:
 *
 *   overlap   memory that is in use was given out once more
 *   change    memory that is in use was written to by somebody else
 *
 * In use are the blocks of the aftermath itself and what a scene holds (hold, in specimen.h). */
#ifndef DAM_TESTS_AFTERMATH_H
#define DAM_TESTS_AFTERMATH_H

#include <stddef.h>

#include "faults/specimen.h"

enum aftermath { AFTERMATH_HARMLESS, AFTERMATH_OVERLAP, AFTERMATH_CHANGE };

/* The exit status of a witness. */
enum {
    WITNESS_SAW_NO_HARM = 0,
    WITNESS_SAW_OVERLAP = 40,
    WITNESS_SAW_CHANGE = 41,
    WITNESS_HAS_NO_SUCH_CALL = 42,
};

enum aftermath aftermath_of(size_t size);

/* tell_place and tell_thread are written to stderr while the misuse, not its twin, is played. */
void specimen_let_tell(const struct act *act);

#endif
