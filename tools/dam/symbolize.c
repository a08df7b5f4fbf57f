// SPDX-License-Identifier: MIT
/* symbolize.c: `dam symbolize`: a report of DAM, with functions and lines for the frames in it.
 *
 *     dam:     #5 0x563e4c1ec1a3 (/usr/bin/program+0x11a3)      becomes
 *     dam:     #5 release_twice at program.c:12
 *              inlined into main at program.c:30                where the compiler inlined it
 *
 * The library writes what it can tell without memory and without reading files: the address, the file mapped there, and
 * the offset in that file, as the kernel's list of mappings has it. The names are in that file, or beside it
 * (code_file.c).
 *
 * A frame is a return address: it lies behind the call, which may be the last thing of its function, so one byte before
 * it is looked up. Not so where a signal came in: nothing was called there, and what the handler returns to is never
 * called.
 *
 * Frames of DAM's own library say where in DAM the fault was found; they come down to one line. All else, and every
 * frame of which nothing is known, stays as it is. */
#include "symbolize.h"

#include "code_file.h"
#include "demangle.h"
#include "report.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum symbolize_key {
    KEY_DEBUGINFOD = 0x100, /* beyond the characters: a long option only */
};

struct symbolize_arguments {
    const char *report; /* the file, or NULL: standard input */
    bool may_ask_servers;
};

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

/* What stands before may be anything: a log puts times and names there. */
static const char frame_expression[] = "dam: +(#[0-9]+ )(0x[0-9a-f]+ \\((/.*)\\+0x([0-9a-f]+)\\))";

enum frame_part { PART_ALL, PART_NUMBER, PART_PLACE, PART_PATH, PART_OFFSET, PART_COUNT };

/* A line with a frame in it. */
struct frame {
    const char *line;
    regmatch_t parts[PART_COUNT];
    struct code_file *file;
    uint64_t offset; /* in the file */
};

/* What the lines before say of the next. */
struct stack_state {
    bool is_inside_dam;   /* the frame before was DAM's */
    bool is_below_signal; /* the frame before was the return from a signal handler */
};

static const char *part_start(const struct frame *frame, enum frame_part part) {
    return frame->line + frame->parts[part].rm_so;
}

static int part_length(const struct frame *frame, enum frame_part part) {
    return (int)(frame->parts[part].rm_eo - frame->parts[part].rm_so);
}

/* False if the line has no frame. */
static bool find_frame(const regex_t *expression, const char *line, struct frame *frame) {
    frame->line = line;
    if (regexec(expression, line, PART_COUNT, frame->parts, 0) != 0)
        return false;
    char *path = format_text("%.*s", part_length(frame, PART_PATH), part_start(frame, PART_PATH));
    frame->file = code_file_find(path);
    free(path);
    errno = 0;
    frame->offset = strtoull(part_start(frame, PART_OFFSET), NULL, 16);
    return errno == 0;
}

/* ---- What is written in place of one ----------------------------------------------------------------------------- */

static void write_before(const struct frame *frame, enum frame_part part) {
    printf("%.*s", (int)frame->parts[part].rm_so, frame->line);
}

static void write_rest(const struct frame *frame) {
    fputs(frame->line + frame->parts[PART_ALL].rm_eo, stdout);
}

static void write_inside_dam(const struct frame *frame) {
    write_before(frame, PART_PLACE);
    fputs("(inside DAM)", stdout);
    write_rest(frame);
}

/* "function at file:line"; without a line, the function and the place in the file. */
static void write_place(const struct frame *frame, const struct code_place *place) {
    char *name = demangle(place->function);
    if (place->source == NULL)
        printf("%s (%.*s+0x%" PRIx64 ")", name, part_length(frame, PART_PATH), part_start(frame, PART_PATH),
               frame->offset);
    else if (place->line == 0)
        printf("%s at %s", name, place->source);
    else
        printf("%s at %s:%d", name, place->source, place->line);
    free(name);
}

struct place_writer {
    const struct frame *frame;
    bool has_written;
};

static void write_next_place(const struct code_place *place, void *context) {
    struct place_writer *writer = context;
    const struct frame *frame = writer->frame;
    if (!writer->has_written) {
        write_before(frame, PART_PLACE);
        write_place(frame, place);
        write_rest(frame);
    } else {
        putchar('\n');
        write_before(frame, PART_NUMBER);
        printf("%*sinlined into ", part_length(frame, PART_NUMBER), "");
        write_place(frame, place);
    }
    writer->has_written = true;
}

static void write_frame(const struct frame *frame, bool is_exact) {
    struct place_writer writer = {.frame = frame};
    uint64_t offset = is_exact || frame->offset == 0 ? frame->offset : frame->offset - 1;
    if (code_file_visit_places(frame->file, offset, write_next_place, &writer) == 0)
        fputs(frame->line, stdout);
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* Whether something was written. The line has no end of line any more. */
static bool write_line(const regex_t *expression, const char *line, struct stack_state *state) {
    struct stack_state before = *state;
    struct frame frame;
    *state = (struct stack_state){0};
    if (!find_frame(expression, line, &frame)) {
        fputs(line, stdout);
        return true;
    }
    if (code_file_is_dam(frame.file)) {
        state->is_inside_dam = true;
        if (before.is_inside_dam)
            return false;
        write_inside_dam(&frame);
        return true;
    }
    state->is_below_signal = code_file_is_signal_return(frame.file, frame.offset);
    write_frame(&frame, before.is_below_signal || state->is_below_signal);
    return true;
}

static void write_report(FILE *report) {
    regex_t expression;
    if (regcomp(&expression, frame_expression, REG_EXTENDED) != 0)
        report_failure(EXIT_COMMAND_FAILED, "out of memory");
    struct stack_state state = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, report)) > 0) {
        bool has_end = line[length - 1] == '\n';
        if (strlen(line) != (size_t)length) { /* not text */
            fwrite(line, 1, (size_t)length, stdout);
            continue;
        }
        if (has_end)
            line[length - 1] = '\0';
        if (write_line(&expression, line, &state) && has_end)
            putchar('\n');
    }
    free(line);
    regfree(&expression);
}

/* ---- The command line -------------------------------------------------------------------------------------------- */

static const struct argp_option symbolize_options[] = {
    {"debuginfod", KEY_DEBUGINFOD, NULL, 0,
     "fetch debugging information that is not on this machine from the servers in $DEBUGINFOD_URLS", 0},
    {0},
};

static const char symbolize_doc[] =
    "Write the report of DAM in FILE, or on standard input, with functions and lines for the frames in it."
    "\v"
    "It needs the programs and libraries as they were when the report was made, with their debugging information (-g) "
    "in "
    "them or where the system keeps it. Frames of which nothing is known stay as they are; why is said on stderr.";

static error_t parse_symbolize_option(int key, char *argument, struct argp_state *state) {
    struct symbolize_arguments *arguments = state->input;
    switch (key) {
    case KEY_DEBUGINFOD:
        arguments->may_ask_servers = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN; /* argp says "Too many arguments" */
        arguments->report = strcmp(argument, "-") == 0 ? NULL : argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp symbolize_argp = {
    .options = symbolize_options,
    .parser = parse_symbolize_option,
    .args_doc = "[FILE]",
    .doc = symbolize_doc,
};

/* libdwfl asks whatever servers this variable names, which some systems set for every login. */
static void choose_servers(bool may_ask) {
    const char *servers = getenv("DEBUGINFOD_URLS");
    if (!may_ask)
        unsetenv("DEBUGINFOD_URLS");
    else if (servers == NULL || servers[0] == '\0')
        report_failure(EXIT_COMMAND_FAILED, "there is no server to ask: DEBUGINFOD_URLS is not set");
}

int symbolize_main(int argc, char **argv) {
    struct symbolize_arguments arguments = {0};
    argp_parse(&symbolize_argp, argc, argv, 0, NULL, &arguments);
    choose_servers(arguments.may_ask_servers);

    const char *name = arguments.report == NULL ? "/dev/stdin" : arguments.report;
    FILE *report = arguments.report == NULL ? stdin : fopen(arguments.report, "re");
    if (report == NULL)
        report_failure(EXIT_COMMAND_FAILED, "cannot read '%s': %s", name, strerror(errno));
    setvbuf(stdout, NULL, _IOLBF, 0); /* a program that is still running may be at the other end */
    errno = 0;
    write_report(report);
    if (ferror(report))
        report_failure(EXIT_COMMAND_FAILED, "cannot read '%s': %s", name, strerror(errno));
    if (report != stdin)
        fclose(report);
    return EXIT_SUCCESS;
}
