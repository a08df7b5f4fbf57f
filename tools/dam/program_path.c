// SPDX-License-Identifier: MIT
/* program_path.c: which file a program's name means.
 *
 * execvp() would look for itself, but what is to be run has to be known beforehand: preload_check.c reads it. The rules
 * are the same: a name with a slash is a path; any other is looked for in each directory of PATH, where a file that may
 * not be executed is passed over but remembered for the message. */
#include "program_path.h"

#include "report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0, or why the file cannot be executed. */
static int find_obstacle(const char *path) {
    struct stat file;
    if (stat(path, &file) != 0)
        return errno;
    if (S_ISDIR(file.st_mode))
        return EISDIR;
    if (!S_ISREG(file.st_mode))
        return EACCES;
    return access(path, X_OK) == 0 ? 0 : errno;
}

static bool is_absence(int obstacle) {
    return obstacle == ENOENT || obstacle == ENOTDIR;
}

static _Noreturn void fail_for(const char *path, int obstacle) {
    if (is_absence(obstacle))
        report_failure(EXIT_PROGRAM_MISSING, "there is no program '%s'", path);
    if (obstacle == EISDIR)
        report_failure(EXIT_CANNOT_RUN, "'%s' is a directory, not a program", path);
    if (obstacle == EACCES)
        report_failure(EXIT_CANNOT_RUN, "'%s' may not be executed (see chmod(1))", path);
    report_failure(EXIT_CANNOT_RUN, "cannot run '%s': %s", path, strerror(obstacle));
}

/* PATH, or what the system takes for it when there is none. The text is the caller's. */
static char *search_path(void) {
    const char *path = getenv("PATH");
    if (path != NULL)
        return format_text("%s", path);
    size_t length = confstr(_CS_PATH, NULL, 0);
    char *text = malloc(length + 1);
    if (text == NULL)
        report_failure(EXIT_COMMAND_FAILED, "out of memory");
    text[confstr(_CS_PATH, text, length)] = '\0';
    return text;
}

static char *search(const char *name) {
    char *directories = search_path();
    char *not_executable = NULL;
    char *rest = directories;
    for (const char *directory; (directory = strsep(&rest, ":")) != NULL;) {
        char *path = format_text("%s/%s", directory[0] == '\0' ? "." : directory, name);
        int obstacle = find_obstacle(path);
        if (obstacle == 0) {
            free(directories);
            free(not_executable);
            return path;
        }
        /* A directory that may not be searched gives EACCES as well, and tells nothing about the program. */
        if (obstacle == EACCES && not_executable == NULL && access(path, F_OK) == 0)
            not_executable = path;
        else
            free(path);
    }
    if (not_executable != NULL)
        fail_for(not_executable, EACCES);
    report_failure(EXIT_PROGRAM_MISSING, "there is no program '%s' in PATH", name);
}

char *program_path_find(const char *name) {
    if (strchr(name, '/') == NULL)
        return search(name);
    int obstacle = find_obstacle(name);
    if (obstacle != 0)
        fail_for(name, obstacle);
    return format_text("%s", name);
}

void program_path_check_interpreter(const char *script, const char *interpreter) {
    int obstacle = find_obstacle(interpreter);
    if (obstacle == 0)
        return;
    report_failure(is_absence(obstacle) ? EXIT_PROGRAM_MISSING : EXIT_CANNOT_RUN,
                   "the script '%s' names '%s' as its interpreter, which cannot be run: %s", script, interpreter,
                   strerror(obstacle));
}
