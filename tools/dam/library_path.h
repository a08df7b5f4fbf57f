// SPDX-License-Identifier: MIT
/* library_path.h: which libdam-malloc.so to preload. */
#ifndef DAM_COMMAND_LIBRARY_PATH_H
#define DAM_COMMAND_LIBRARY_PATH_H

/* The environment variable that names the library, for when no --library does. */
#define LIBRARY_PATH_VARIABLE "DAM_MALLOC_LIBRARY"

/* The full path of the library: the one chosen (if not NULL), else the one in the environment variable, else the one
 * that belongs to this executable. Ends the process with a message when it cannot be had or cannot be preloaded from
 * there. The text is the caller's. */
char *library_path_find(const char *chosen);

#endif
