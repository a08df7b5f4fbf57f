// SPDX-License-Identifier: MIT
/* specimen_main.c: runs a specimen and judges it; specimen.h says how. */
#include "faults/specimen.h"

#include "support/child.h"

#include <signal.h>

static void run_misuse(void *unused) {
    (void)unused;
    commit_misuse();
}

static void run_clean_twin(void *unused) {
    (void)unused;
    behave();
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

static bool misuse_is_reported(void) {
    struct child_result result = child_run(run_misuse, NULL, CHILD_BOTH, 60);
    if (!child_was_killed_by(&result, SIGABRT))
        return false;
    if (strncmp(result.output, expected_report, strlen(expected_report)) == 0 &&
        count_of(result.output, "dam: fault:") == 1)
        return true;
    fprintf(stderr, "expected one report that begins with\n%s\nfound\n%s\n", expected_report, result.output);
    return false;
}

static bool clean_twin_is_silent(void) {
    struct child_result result = child_run(run_clean_twin, NULL, CHILD_BOTH, 60);
    if (!child_exited_with(&result, 0))
        return false;
    if (result.output_bytes == 0)
        return true;
    fprintf(stderr, "the clean twin wrote\n%s\n", result.output);
    return false;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "misuse") == 0) {
        commit_misuse();
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "clean") == 0) {
        behave();
        return 0;
    }
    bool reported = misuse_is_reported();
    bool silent = clean_twin_is_silent();
    return reported && silent ? 0 : 1;
}
