// SPDX-License-Identifier: MIT
/* code_file.h: what a program or library on disk says of the places in its code: which functions, which lines. */
#ifndef DAM_COMMAND_CODE_FILE_H
#define DAM_COMMAND_CODE_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct code_file;

/* The file at the path; one of its kind for each path, kept until the process ends. What is wrong with it (not there,
 * not code, nothing in it to tell) is said once on stderr, and then its places have no names. */
struct code_file *code_file_find(const char *path);

/* A shared library of DAM's. */
bool code_file_is_dam(const struct code_file *file);

/* At this offset in the file runs what the kernel puts between a signal's handler and the code that it interrupted. */
bool code_file_is_signal_return(const struct code_file *file, uint64_t offset);

/* A function, and where in it the place is. */
struct code_place {
    const char *function;
    const char *source; /* NULL if unknown */
    int line;           /* 0 if unknown */
};

/* Takes the functions that the code at this offset in the file belongs to, from the innermost, which is inlined in the
 * next, to the one that the machine calls. */
typedef void code_place_visitor(const struct code_place *place, void *context);

/* How many there were: none if nothing is known of the code there. */
unsigned code_file_visit_places(const struct code_file *file, uint64_t offset, code_place_visitor *visit,
                                void *context);

#endif
