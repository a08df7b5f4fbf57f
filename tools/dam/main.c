// SPDX-License-Identifier: MIT
/* main.c: the `dam` command: which subcommand, and nothing of what it does.
 *
 *     dam [--help] [--version] SUBCOMMAND argument...
 *                                  |
 *            +---------------+-----+-----+---------------+
 *          run.c       symbolize.c   options.c      help (here)
 *
 * A subcommand is a function that parses its own arguments; it stands in the table below and nowhere else. Its argv[0]
 * is "dam run" and so on, which argp puts in front of its messages and into its help.
 *
 * Not here: starting a program (run.c), names for a report (symbolize.c), the options of the library (options.c), how a
 * failure is told (report.c). */
#include "options.h"
#include "report.h"
#include "run.h"
#include "symbolize.h"

#include "dam/dam.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_OF_NUMBER(number) #number
#define TEXT_OF(macro) TEXT_OF_NUMBER(macro)

static int help_main(int argc, char **argv);

struct subcommand {
    const char *name;
    char *full_name; /* its argv[0] */
    int (*main)(int argc, char **argv);
};

static char run_name[] = "dam run", symbolize_name[] = "dam symbolize", options_name[] = "dam options",
            help_name[] = "dam help";

static const struct subcommand subcommands[] = {
    {"run", run_name, run_main},
    {"symbolize", symbolize_name, symbolize_main},
    {"options", options_name, options_main},
    {"help", help_name, help_main},
};

static const char main_doc[] =
    "Run programs on the DAM memory allocator, and read its reports.\n"
    "\n"
    "Subcommands:\n"
    "  run        run a program with DAM as its malloc\n"
    "  symbolize  name the functions and lines in a report of DAM's\n"
    "  options    list the options of the allocator\n"
    "  help       explain a subcommand: the same as SUBCOMMAND --help\n"
    "\v"
    "Exit status: that of the program run; 125 if dam itself fails, 126 if the program cannot be executed, 127 if it "
    "is not found.";

static const struct subcommand *find_subcommand(const char *name) {
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    report_failure(EXIT_COMMAND_FAILED, "there is no subcommand '%s' (see 'dam --help')", name);
}

static int enter_subcommand(const struct subcommand *subcommand, int argc, char **argv) {
    report_set_name(subcommand->full_name);
    argv[0] = subcommand->full_name;
    return subcommand->main(argc, argv);
}

/* What parsing leaves behind: the words from the subcommand's name on. */
struct main_arguments {
    int argc;
    char **argv;
};

static error_t parse_main_option(int key, char *argument, struct argp_state *state) {
    (void)argument;
    struct main_arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_ARGS:
        arguments->argc = state->argc - state->next;
        arguments->argv = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp main_argp = {
    .parser = parse_main_option,
    .args_doc = "SUBCOMMAND [ARGUMENT...]",
    .doc = main_doc,
};

static error_t parse_help_option(int key, char *argument, struct argp_state *state) {
    if (key != ARGP_KEY_ARG || state->arg_num > 0)
        return ARGP_ERR_UNKNOWN; /* argp turns a second argument into "Too many arguments" */
    *(char **)state->input = argument;
    return 0;
}

static const struct argp help_argp = {
    .parser = parse_help_option,
    .args_doc = "[SUBCOMMAND]",
    .doc = "Explain dam, or one of its subcommands.",
};

static int help_main(int argc, char **argv) {
    static char dam_name[] = "dam", help_option[] = "--help";
    char *name = NULL;
    argp_parse(&help_argp, argc, argv, 0, NULL, &name);
    char *help_arguments[] = {dam_name, help_option, NULL};
    if (name == NULL)
        return argp_parse(&main_argp, 2, help_arguments, 0, NULL, NULL); /* prints, and ends the process */
    return enter_subcommand(find_subcommand(name), 2, help_arguments);
}

static void print_version(FILE *stream, struct argp_state *state) {
    (void)state;
    fprintf(stream, "dam %s.%s.%s\n", TEXT_OF(DAM_VERSION_MAJOR), TEXT_OF(DAM_VERSION_MINOR),
            TEXT_OF(DAM_VERSION_PATCH));
}

/* Help that did not arrive, say on a full disk, is a failure. By _exit, because exit() is already running. */
static void check_that_stdout_arrived(void) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "dam: cannot write to standard output: %s\n", strerror(errno));
        _exit(EXIT_COMMAND_FAILED);
    }
}

int main(int argc, char **argv) {
    atexit(check_that_stdout_arrived);
    argp_err_exit_status = EXIT_COMMAND_FAILED;
    argp_program_version_hook = print_version;

    struct main_arguments arguments = {0};
    argp_parse(&main_argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
    return enter_subcommand(find_subcommand(arguments.argv[0]), arguments.argc, arguments.argv);
}
