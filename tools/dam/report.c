// SPDX-License-Identifier: MIT
/* report.c: how the command fails. See report.h. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *report_name = "dam";

void report_set_name(const char *name) {
    report_name = name;
}

__attribute__((format(printf, 1, 0))) static void print_message(const char *format, va_list arguments) {
    fprintf(stderr, "%s: ", report_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void report_failure(enum exit_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
    exit((int)status);
}

void report_note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
}

char *format_text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        report_failure(EXIT_COMMAND_FAILED, "out of memory");
    return text;
}
