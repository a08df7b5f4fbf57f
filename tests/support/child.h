// SPDX-License-Identifier: MIT
/* child.h: runs part of a test in another process and tells how that ended. */
#ifndef DAM_TESTS_SUPPORT_CHILD_H
#define DAM_TESTS_SUPPORT_CHILD_H

#include <stdbool.h>
#include <stddef.h>

struct child_result {
    int process;         /* the child's number */
    int status;          /* as waitpid gives it */
    size_t output_bytes; /* how much was written, even where it did not fit below */
    char output[8192];   /* its beginning, terminated */
};

enum child_stream { CHILD_STDOUT = 1, CHILD_STDERR = 2, CHILD_BOTH = 3 };

/* Forks; the child runs body(argument) and ends by _exit(0) when that returns. Signals have their default meaning in
 * it, cores are not written, and an alarm ends it after `patience_seconds`. The named streams are collected. */
struct child_result child_run(void (*body)(void *), void *argument, enum child_stream collected,
                              unsigned patience_seconds);

/* Runs this same program again, from its beginning, with `arguments` (NULL at the end; not counting argv[0]) and with
 * `environment` ("NAME=value", NULL at the end; may be NULL) added to the present one. A stream that is not
 * collected is silenced. */
struct child_result child_run_self(const char *const *arguments, const char *const *environment,
                                   enum child_stream collected, unsigned patience_seconds);

/* The child exited with `code`; if not, says on stderr what it did and what it wrote. */
bool child_exited_with(const struct child_result *result, int code);

/* The same for death by `signal_number`. */
bool child_was_killed_by(const struct child_result *result, int signal_number);

#endif
