// SPDX-License-Identifier: MIT
/* preload_check.h: can this library be preloaded into this program? */
#ifndef DAM_COMMAND_PRELOAD_CHECK_H
#define DAM_COMMAND_PRELOAD_CHECK_H

/* Comes back if nothing is known to stand in the way; otherwise ends the process with a message that says what does. */
void preload_check(const char *program_path, const char *library_path);

#endif
