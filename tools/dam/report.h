// SPDX-License-Identifier: MIT
/* report.h: how the command fails, and what it says besides. Messages go to stderr, begin with the name of the
 * (sub)command, and say what to do. */
#ifndef DAM_COMMAND_REPORT_H
#define DAM_COMMAND_REPORT_H

/* As env(1), nice(1) and nohup(1) have it, so that a caller can tell our failure from the program's. */
enum exit_status {
    EXIT_COMMAND_FAILED = 125,  /* dam itself: a wrong option, no library, a program that cannot run on DAM */
    EXIT_CANNOT_RUN = 126,      /* the program was found and is not something that can be executed */
    EXIT_PROGRAM_MISSING = 127, /* the program was not found */
};

/* What messages begin with: "dam", then the subcommand's "dam run" and so on once it is known. */
void report_set_name(const char *name);

/* Prints "NAME: message" on stderr and ends the process. */
_Noreturn void report_failure(enum exit_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints "NAME: message" on stderr and goes on. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* asprintf that does not come back without memory. The text is the caller's. */
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2), malloc, warn_unused_result));

#endif
