// SPDX-License-Identifier: MIT
/* program_path.h: which file a program's name means. */
#ifndef DAM_COMMAND_PROGRAM_PATH_H
#define DAM_COMMAND_PROGRAM_PATH_H

/* The file that execvp(name) would run, with a slash in its path. Ends the process with the status of env(1) when there
 * is none. The text is the caller's. */
char *program_path_find(const char *name);

/* Ends the process in the same way when the interpreter that a script names cannot be executed. */
void program_path_check_interpreter(const char *script, const char *interpreter);

#endif
