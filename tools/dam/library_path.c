// SPDX-License-Identifier: MIT
/* library_path.c: which libdam-malloc.so to preload.
 *
 * The one that belongs to this executable is looked for from where the executable is, so an installed tree can be moved
 * and several can stand side by side:
 *
 *     prefix/bin/dam                           in the build tree, too: build/bin/dam
 *     prefix/lib/<this machine>/libdam-malloc.so.N     the directory of libraries of this installation, as configured
 *     prefix/lib64, prefix/lib                 the usual ones, should the tree have been rearranged
 *     prefix/bin/                              everything unpacked into one directory
 *
 * The name with the version of the interface comes first: it is the one that is always installed. Nothing is looked for
 * outside that tree: a libdam-malloc.so of the system may be another version than this command. */
#include "library_path.h"

#include "report.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_PLAIN_NAME "libdam-malloc.so"

static const char *const directories_from_executable[] = {DAM_LIBRARY_DIRECTORY_FROM_COMMAND, "../lib", "../lib64",
                                                          "."};
static const char *const file_names[] = {DAM_MALLOC_LIBRARY_SONAME, LIBRARY_PLAIN_NAME};

#define DIRECTORY_COUNT (sizeof directories_from_executable / sizeof directories_from_executable[0])
#define FILE_NAME_COUNT (sizeof file_names / sizeof file_names[0])

static bool is_readable_file(const char *path) {
    struct stat file;
    return stat(path, &file) == 0 && S_ISREG(file.st_mode) && access(path, R_OK) == 0;
}

/* The directory that this executable is in. The text is the caller's. */
static char *executable_directory(void) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        report_failure(EXIT_COMMAND_FAILED, "cannot find out where dam is installed: /proc/self/exe: %s; use --library",
                       strerror(errno));
    path[length] = '\0';
    char *last_slash = strrchr(path, '/');
    if (last_slash == NULL)
        report_failure(EXIT_COMMAND_FAILED, "cannot find out where dam is installed: '%s'; use --library", path);
    *last_slash = '\0';
    return format_text("%s", path);
}

static char *find_own(void) {
    char *from = executable_directory();
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        for (size_t j = 0; j < FILE_NAME_COUNT; j++) {
            char *path = format_text("%s/%s/%s", from, directories_from_executable[i], file_names[j]);
            if (is_readable_file(path)) {
                free(from);
                return path;
            }
            free(path);
        }
    }
    report_failure(EXIT_COMMAND_FAILED,
                   "there is no " LIBRARY_PLAIN_NAME " in %s/%s: install DAM as a whole, or name the library with "
                   "--library or " LIBRARY_PATH_VARIABLE,
                   from, directories_from_executable[0]);
}

/* The path as the loader gets it, however the program changes directory. */
static char *full_path(const char *path) {
    char *full = realpath(path, NULL);
    if (full == NULL)
        report_failure(EXIT_COMMAND_FAILED, "cannot use the library '%s': %s", path, strerror(errno));
    /* LD_PRELOAD is a list, separated by colons and spaces, with `$` for the loader's own words; nothing is quoted. */
    if (strpbrk(full, ": $") != NULL)
        report_failure(EXIT_COMMAND_FAILED,
                       "the library '%s' cannot be preloaded: LD_PRELOAD takes no path with a colon, a space or a "
                       "dollar sign in it; move it, or link to it from elsewhere with ln(1) without -s",
                       full);
    return full;
}

char *library_path_find(const char *chosen) {
    if (chosen == NULL)
        chosen = secure_getenv(LIBRARY_PATH_VARIABLE);
    if (chosen == NULL || chosen[0] == '\0') {
        char *own = find_own();
        char *full = full_path(own);
        free(own);
        return full;
    }
    char *full = full_path(chosen);
    if (!is_readable_file(full))
        report_failure(EXIT_COMMAND_FAILED, "cannot use the library '%s': it is not a readable file", chosen);
    return full;
}
