// SPDX-License-Identifier: MIT
/* run.c: `dam run`: a program, with DAM as its malloc.
 *
 *     find the library -> find the program -> can the one be preloaded into the other? -> environment -> exec
 *
 * The process becomes the program: same pid, same terminal, same signals, and the exit status is the program's own.
 * There is no dam left to pass anything on. The price is that everything after exec is the library's business, the
 * summary of --stats included (option stats_at_exit).
 *
 * What the program inherits is its environment with two changes:
 *     LD_PRELOAD    libdam-malloc.so in front of what was there
 *     DAM_OPTIONS   the options given here behind what was there, so that they win
 * Programs that it starts inherit both, and run on DAM too. */
#include "run.h"

#include "library_path.h"
#include "options.h"
#include "preload_check.h"
#include "program_path.h"
#include "report.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum run_key {
    KEY_LIBRARY = 0x100, /* beyond the characters: long options only */
    KEY_STATS,
};

struct run_arguments {
    char *options;       /* name=value,...: what is added to DAM_OPTIONS; NULL if nothing is */
    const char *library; /* as given with --library, or NULL */
    char **program;      /* the program's name and its arguments, ending with NULL */
};

/* prefix and suffix, whichever there are, with the separator if there are both. */
static char *join(const char *prefix, char separator, const char *suffix) {
    if (prefix == NULL || prefix[0] == '\0')
        return format_text("%s", suffix);
    if (suffix == NULL || suffix[0] == '\0')
        return format_text("%s", prefix);
    return format_text("%s%c%s", prefix, separator, suffix);
}

static void add_option(struct run_arguments *arguments, const char *assignment) {
    char *longer = join(arguments->options, ',', assignment);
    free(arguments->options);
    arguments->options = longer;
}

/* ---- The command line -------------------------------------------------------------------------------------------- */

static const struct argp_option run_options[] = {
    {"option", 'o', "NAME=VALUE", 0, "set an option of the allocator; may be given several times", 0},
    {"stats", KEY_STATS, NULL, 0, "print a summary of the heap on stderr when the program ends", 0},
    {"library", KEY_LIBRARY, "FILE", 0,
     "preload this libdam-malloc.so (default: $" LIBRARY_PATH_VARIABLE ", or the one that belongs to this dam)", 0},
    {0},
};

static const char run_doc[] = "Run PROGRAM with DAM as its malloc, and as that of the programs it starts.\n"
                              "\v"
                              "The process becomes the program: its signals and exit status are its own. Exit status "
                              "125 if dam itself fails, 126 "
                              "if the program cannot be executed, 127 if it is not found.\n"
                              "\n"
                              "Options of the allocator:";

static error_t parse_run_option(int key, char *argument, struct argp_state *state) {
    struct run_arguments *arguments = state->input;
    char *fault;
    switch (key) {
    case 'o':
        fault = options_find_fault(argument);
        if (fault != NULL)
            argp_error(state, "%s", fault);
        add_option(arguments, argument);
        return 0;
    case KEY_STATS:
        add_option(arguments, "stats_at_exit=1");
        return 0;
    case KEY_LIBRARY:
        arguments->library = argument;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->program = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no program to run");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* argp fills the lines of every paragraph anew, except of what is added at the end: the table keeps its lines there. */
static char *add_options_to_help(int key, const char *text, void *input) {
    (void)input;
    if (key == ARGP_KEY_HELP_EXTRA)
        return options_describe();
    return text == NULL ? NULL : format_text("%s", text); /* argp takes a text from malloc, and frees it */
}

static const struct argp run_argp = {
    .options = run_options,
    .parser = parse_run_option,
    .args_doc = "[--] PROGRAM [ARGUMENT...]",
    .doc = run_doc,
    .help_filter = add_options_to_help,
};

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static void set_variable(const char *name, const char *value) {
    if (setenv(name, value, 1) != 0)
        report_failure(EXIT_COMMAND_FAILED, "cannot set %s: %s", name, strerror(errno));
}

static void prepare_environment(const char *library_path, const char *options) {
    char *preload = join(library_path, ':', getenv("LD_PRELOAD"));
    set_variable("LD_PRELOAD", preload);
    free(preload);
    if (options == NULL)
        return;
    char *all_options = join(getenv("DAM_OPTIONS"), ',', options);
    set_variable("DAM_OPTIONS", all_options);
    free(all_options);
}

int run_main(int argc, char **argv) {
    struct run_arguments arguments = {0};
    argp_parse(&run_argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);

    char *library_path = library_path_find(arguments.library);
    char *program_path = program_path_find(arguments.program[0]);
    preload_check(program_path, library_path);
    prepare_environment(library_path, arguments.options);

    /* execvp, for a path with a slash in it, is execv that also runs a script without a `#!` line by /bin/sh. */
    execvp(program_path, arguments.program);
    int error = errno;
    report_failure(error == ENOENT ? EXIT_PROGRAM_MISSING : EXIT_CANNOT_RUN, "cannot run '%s': %s", program_path,
                   strerror(error));
}
