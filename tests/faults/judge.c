// SPDX-License-Identifier: MIT
/* judge.c: plays the cases of a kind of misuse on DAM and judges the reports.
 *
 *   PROGRAM CASE           plays the misuse and its clean twin, each in a process of its own; exits with 0 if the
 *                          misuse produced exactly its report, and ended as it must, and the twin was silent
 *   PROGRAM CASE misuse    the misuse itself, to look at the report; a size may follow
 *   PROGRAM CASE clean     its clean twin
 *   PROGRAM cases NAME...  exits with 0 if these are all its cases
 *
 * A case is called scene.profile. Its report is given by lines that must be there, in this order, without what DAM puts
 * in front of each ("dam: fault: ", "dam:   "); others may be between them. In a line
 *
 *   *         stands for anything
 *   @name     for what the scene told under that name; @size for the size it was played with, @program its file */
#include "faults/aftermath.h"
#include "support/child.h"

#include <signal.h>

#define FIRST_LINE_START "dam: fault: "
#define LINE_START "dam:   "

/* Of the longest file name that a report's line can hold. */
#define TEXT_BYTES_MAX 512

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

static bool is_called(const struct specimen *specimen, const char *name) {
    size_t length = strlen(specimen->scene_name);
    return strncmp(name, specimen->scene_name, length) == 0 && name[length] == '.' &&
           strcmp(name + length + 1, specimen->profile) == 0;
}

static const struct specimen *find(const char *name) {
    for (const struct specimen *specimen = specimens; specimen->scene_name != NULL; specimen++) {
        if (is_called(specimen, name))
            return specimen;
    }
    return NULL;
}

/* A case that no test is named after would never be judged. */
static int check_cases(char **names) {
    size_t named = 0;
    size_t known = 0;
    for (; names[named] != NULL; named++) {
        if (find(names[named]) == NULL) {
            fprintf(stderr, "there is no case %s\n", names[named]);
            return 1;
        }
    }
    while (specimens[known].scene_name != NULL)
        known++;
    if (named == known)
        return 0;
    fprintf(stderr, "%zu cases, but %zu of them are tests\n", known, named);
    return 1;
}

/* ---- Playing ----------------------------------------------------------------------------------------------------- */

/* The options of a profile are read at start. */
static void set_options(const struct specimen *specimen) {
    char options[256];
    const char *given = getenv("DAM_OPTIONS");
    bool is_given = given != NULL && *given != '\0';
    int length =
        snprintf(options, sizeof options, "%s%s%s", is_given ? given : "", is_given ? "," : "", specimen->options);
    CHECK(length > 0 || specimen->options[0] == '\0');
    CHECK(setenv("DAM_OPTIONS", options, 1) == 0);
}

static int play(const struct specimen *specimen, bool is_misuse, size_t size) {
    struct act act = specimen->act;
    act.is_misuse = is_misuse;
    if (size != 0)
        act.size = size;
    specimen_let_tell(&act);
    specimen->play(&act);
    CHECK(aftermath_of(act.size) == AFTERMATH_HARMLESS);
    return 0;
}

static int play_in_this_process(const struct specimen *specimen, char **argv) {
    if (getenv("SPECIMEN_IS_SET_UP") == NULL) { /* played by hand */
        set_options(specimen);
        CHECK(setenv("SPECIMEN_IS_SET_UP", "1", 1) == 0);
        execv("/proc/self/exe", argv);
        check_failed(__FILE__, __LINE__, "the program can run itself");
    }
    size_t size = argv[3] == NULL ? 0 : (size_t)strtoul(argv[3], NULL, 10);
    if (size == 0 && specimen->sizes != NULL)
        size = specimen->sizes[0];
    return play(specimen, strcmp(argv[2], "misuse") == 0, size);
}

static struct child_result play_in_child(const char *name, const char *how, size_t size) {
    char size_text[32];
    snprintf(size_text, sizeof size_text, "%zu", size);
    const char *arguments[] = {name, how, size_text, NULL};
    const char *environment[] = {"SPECIMEN_IS_SET_UP=1", NULL};
    return child_run_self(arguments, environment, CHILD_BOTH, 120);
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

/* Copies what was last told under the name that the text begins with; returns the name's length, 0 if nothing was. */
static size_t find_told(const char *output, const char *name, char *told) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    char start[64];
    snprintf(start, sizeof start, "specimen: @%.*s ", (int)length, name);
    const char *at = NULL;
    for (const char *next = output; (next = strstr(next, start)) != NULL; next++)
        at = next;
    if (at == NULL)
        return 0;
    at += strlen(start);
    snprintf(told, TEXT_BYTES_MAX, "%.*s", (int)strcspn(at, "\n"), at);
    return length;
}

static size_t find_known(const char *output, const char *name, size_t size, char *text) {
    if (strncmp(name, "size", strlen("size")) == 0) {
        snprintf(text, TEXT_BYTES_MAX, "%zu", size);
        return strlen("size");
    }
    if (strncmp(name, "program", strlen("program")) == 0) {
        ssize_t length = readlink("/proc/self/exe", text, TEXT_BYTES_MAX - 1);
        CHECK(length > 0);
        text[length] = '\0';
        return strlen("program");
    }
    return find_told(output, name, text);
}

/* The line as it must be in this run; a name under which nothing was told stays as it is, and nothing is like it. */
static void fill_in(char *line, const char *pattern, const char *output, size_t size) {
    size_t at = 0;
    while (*pattern != '\0') {
        char text[TEXT_BYTES_MAX] = {*pattern, '\0'};
        size_t name_bytes = *pattern == '@' ? find_known(output, pattern + 1, size, text) : 0;
        pattern += 1 + name_bytes;
        int length = snprintf(line + at, TEXT_BYTES_MAX - at, "%s", text);
        CHECK(length >= 0 && (size_t)length < TEXT_BYTES_MAX - at);
        at += (size_t)length;
    }
    line[at] = '\0';
}

/* Whether the line, up to its end, is what the pattern says. */
static bool matches(const char *line, const char *pattern) {
    bool at_end = *line == '\0' || *line == '\n';
    if (*pattern == '\0')
        return at_end;
    if (*pattern == '*')
        return matches(line, pattern + 1) || (!at_end && matches(line + 1, pattern));
    return !at_end && *line == *pattern && matches(line + 1, pattern + 1);
}

static const char *next_line(const char *line) {
    const char *end = strchr(line, '\n');
    return end == NULL ? NULL : end + 1;
}

/* The line behind the first one that is as it must be; NULL if none is. */
static const char *find_line(const char *report, const char *start, const char *expected) {
    for (; report != NULL; report = next_line(report)) {
        if (strncmp(report, start, strlen(start)) == 0 && matches(report + strlen(start), expected))
            return next_line(report);
    }
    return NULL;
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

static bool report_is_right(const struct specimen *specimen, const char *output, size_t size) {
    const char *report = strstr(output, FIRST_LINE_START);
    const char *start = FIRST_LINE_START;
    if (count_of(output, FIRST_LINE_START) != 1) {
        fprintf(stderr, "expected one report, found\n%s\n", output);
        return false;
    }
    for (size_t i = 0; i < REPORT_LINES_MAX && specimen->report[i] != NULL; i++, start = LINE_START) {
        char expected[TEXT_BYTES_MAX];
        fill_in(expected, specimen->report[i], output, size);
        report = find_line(report, start, expected);
        if (report == NULL) {
            fprintf(stderr, "size %zu: expected a line\n%s%s\nin the report, found\n%s\n", size, start, expected,
                    output);
            return false;
        }
    }
    return true;
}

/* Whether nobody but the scene itself said anything. */
static bool is_silent(const struct child_result *result) {
    const char *line = result->output;
    while (line != NULL && strncmp(line, "specimen: ", strlen("specimen: ")) == 0)
        line = next_line(line);
    if (line != NULL && *line == '\0')
        return true;
    fprintf(stderr, "expected silence, found\n%s\n", result->output);
    return false;
}

static bool misuse_is_judged_right(const struct specimen *specimen, const char *name, size_t size) {
    struct child_result result = play_in_child(name, "misuse", size);
    switch (specimen->ending) {
    case ENDS_IN_ABORT:
        return child_was_killed_by(&result, SIGABRT) && report_is_right(specimen, result.output, size);
    case GOES_ON:
        return child_exited_with(&result, 0) && report_is_right(specimen, result.output, size);
    case IS_SILENT:
        return child_exited_with(&result, 0) && is_silent(&result);
    }
    return false;
}

static bool twin_is_judged_right(const char *name, size_t size) {
    struct child_result result = play_in_child(name, "clean", size);
    return child_exited_with(&result, 0) && is_silent(&result);
}

static bool judge_size(const struct specimen *specimen, const char *name, size_t size) {
    bool misuse_is_right = misuse_is_judged_right(specimen, name, size);
    bool twin_is_right = twin_is_judged_right(name, size);
    if (!misuse_is_right || !twin_is_right)
        fprintf(stderr, "%s: %s, size %zu\n", name, misuse_is_right ? "the clean twin" : "the misuse", size);
    return misuse_is_right && twin_is_right;
}

static int judge(const struct specimen *specimen, const char *name) {
    set_options(specimen);
    if (specimen->sizes == NULL)
        return judge_size(specimen, name, specimen->act.size) ? 0 : 1;
    for (const size_t *size = specimen->sizes; *size != 0; size++) {
        if (!judge_size(specimen, name, *size))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "cases") == 0)
        return check_cases(argv + 2);
    const struct specimen *specimen = argc >= 2 ? find(argv[1]) : NULL;
    if (specimen == NULL) {
        fprintf(stderr, "usage: %s CASE [misuse|clean [SIZE]]\n", argv[0]);
        return 2;
    }
    return argc == 2 ? judge(specimen, argv[1]) : play_in_this_process(specimen, argv);
}
