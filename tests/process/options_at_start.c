// SPDX-License-Identifier: MIT
/* options_at_start.c: DAM_OPTIONS in the environment: what is right is taken, what is wrong is warned about once and
 * ignored, and a program with more rights than its caller does not listen at all.
 *
 * The test runs itself again with an environment; as that child it prints the options it finds. */
#include "dam/dam.h"
#include "support/child.h"
#include "support/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static const char *const NAMES[] = {"size_classes", "direct_shrink_percent", "purge_delay_ms", "dirty_max",    "guard",
                                    "on_fault",     "sample_every",          "stack_every",    "stats_at_exit"};

/* ---- The child --------------------------------------------------------------------------------------------------- */

static void *allocate_a_little(void *unused) {
    dam_free(dam_malloc(100));
    return unused;
}

/* Some threads allocate first, so that a warning which comes with each of them is noticed. */
static int print_options(void) {
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, allocate_a_little, NULL) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        char value[64];
        CHECK(dam_option_get(NAMES[i], value, sizeof value) == 0);
        printf("%s=%s\n", NAMES[i], value);
    }
    void *block = dam_malloc(33);
    printf("room for 33: %zu\n", dam_malloc_usable_size(block));
    dam_free(block);
    return 0;
}

/* ---- The parent -------------------------------------------------------------------------------------------------- */

static struct child_result run_with(const char *options, enum child_stream collected) {
    static char variable[200000];
    snprintf(variable, sizeof variable, "DAM_OPTIONS=%s", options);
    const char *arguments[] = {"print", NULL};
    const char *environment[] = {variable, NULL};
    struct child_result result = child_run_self(arguments, environment, collected, 60);
    assert_true(child_exited_with(&result, 0));
    return result;
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

static bool has_line(const struct child_result *result, const char *line) {
    char with_ends[200], text[sizeof result->output + 1];
    snprintf(with_ends, sizeof with_ends, "\n%s\n", line);
    snprintf(text, sizeof text, "\n%s", result->output);
    return strstr(text, with_ends) != NULL;
}

TEST(right_values_are_taken_without_a_word) {
    const char *options = "purge_delay_ms=77,dirty_max=3M,direct_shrink_percent=12";
    struct child_result output = run_with(options, CHILD_STDOUT);
    assert_true(has_line(&output, "purge_delay_ms=77"));
    assert_true(has_line(&output, "dirty_max=3145728"));
    assert_true(has_line(&output, "direct_shrink_percent=12"));
    struct child_result warnings = run_with(options, CHILD_STDERR);
    assert_string_equal(warnings.output, "");
}

TEST(no_options_give_the_defaults_without_a_word) {
    struct child_result warnings = run_with("", CHILD_STDERR);
    assert_string_equal(warnings.output, "");
    struct child_result output = run_with("", CHILD_STDOUT);
    assert_true(has_line(&output, "size_classes=steps4"));
    assert_true(has_line(&output, "guard=default"));
    assert_true(has_line(&output, "on_fault=abort"));
    assert_true(has_line(&output, "sample_every=0"));
    assert_true(has_line(&output, "stats_at_exit=0"));
}

TEST(guard_and_on_fault_take_their_words) {
    static const char *const TAKEN[] = {"guard=off",      "guard=default",   "guard=tail",      "guard=full",
                                        "on_fault=abort", "on_fault=report", "on_fault=ignore", "sample_every=1000000"};
    for (size_t i = 0; i < COUNT_OF(TAKEN); i++) {
        struct child_result output = run_with(TAKEN[i], CHILD_STDOUT);
        assert_true(has_line(&output, TAKEN[i]));
        struct child_result warnings = run_with(TAKEN[i], CHILD_STDERR);
        assert_string_equal(warnings.output, "");
    }
}

TEST(size_classes_decides_the_classes) {
    struct child_result steps = run_with("size_classes=steps4", CHILD_STDOUT);
    assert_true(has_line(&steps, "size_classes=steps4"));
    assert_true(has_line(&steps, "room for 33: 48"));
    struct child_result powers = run_with("size_classes=pow2", CHILD_STDOUT);
    assert_true(has_line(&powers, "size_classes=pow2"));
    assert_true(has_line(&powers, "room for 33: 64"));
}

TEST(the_last_value_of_an_option_counts) {
    struct child_result output = run_with("purge_delay_ms=1,purge_delay_ms=2", CHILD_STDOUT);
    assert_true(has_line(&output, "purge_delay_ms=2"));
}

TEST(an_unknown_option_is_named_once_and_the_others_are_taken) {
    struct child_result warnings = run_with("purge_delay_ms=5,no_such_thing=1,dirty_max=1M", CHILD_STDERR);
    assert_int_equal(count_of(warnings.output, "no_such_thing"), 1);
    struct child_result output = run_with("purge_delay_ms=5,no_such_thing=1,dirty_max=1M", CHILD_STDOUT);
    assert_true(has_line(&output, "purge_delay_ms=5"));
    assert_true(has_line(&output, "dirty_max=1048576"));
}

TEST(a_bad_value_is_named_once_and_ignored) {
    static const char *const BAD[] = {
        "direct_shrink_percent=abc",
        "direct_shrink_percent=101",
        "direct_shrink_percent=-1",
        "direct_shrink_percent=",
        "direct_shrink_percent",
        "direct_shrink_percent=5%",
        "direct_shrink_percent=9999999999999999999999",
    };
    struct child_result usual = run_with("", CHILD_STDOUT);
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct child_result output = run_with(BAD[i], CHILD_STDOUT);
        assert_string_equal(output.output, usual.output);
        struct child_result warnings = run_with(BAD[i], CHILD_STDERR);
        char quoted[200];
        snprintf(quoted, sizeof quoted, "\"%s\"", BAD[i]);
        assert_int_equal(count_of(warnings.output, quoted), 1);
        assert_int_equal(count_of(warnings.output, "dam: "), 1);
    }
}

TEST(garbage_is_survived) {
    static const char *const GARBAGE[] = {"=", ",", ",,,,", "=,=,=", "=5", "a=b=c", "\xff\xfe", "   ", "size_classes"};
    struct child_result usual = run_with("", CHILD_STDOUT);
    for (size_t i = 0; i < COUNT_OF(GARBAGE); i++) {
        struct child_result output = run_with(GARBAGE[i], CHILD_STDOUT);
        assert_string_equal(output.output, usual.output);
    }
    static char endless[100000];
    memset(endless, 'x', sizeof endless - 1);
    struct child_result output = run_with(endless, CHILD_STDOUT);
    assert_string_equal(output.output, usual.output);
}

TEST(stats_at_exit_writes_a_summary_to_stderr) {
    struct child_result summary = run_with("stats_at_exit=1", CHILD_STDERR);
    assert_true(summary.output_bytes > 100);
    assert_non_null(strstr(summary.output, "small"));
    assert_non_null(strstr(summary.output, "general"));
    assert_non_null(strstr(summary.output, "direct"));
}

/* ---- More rights than the caller --------------------------------------------------------------------------------- */

enum { NOBODY = 65534 };

static void copy_self(const char *path) {
    struct stat self;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(from >= 0 && to >= 0);
    assert_int_equal(fstat(from, &self), 0);
    while (sendfile(to, from, NULL, (size_t)self.st_size) > 0)
        continue;
    assert_int_equal(close(from), 0);
    assert_int_equal(close(to), 0);
}

static void execute(void *path) {
    char argument[] = "print", options[] = "DAM_OPTIONS=purge_delay_ms=4321,nonsense=1";
    char *arguments[] = {path, argument, NULL};
    char *environment[] = {options, NULL};
    execve(path, arguments, environment);
    _exit(96);
}

#if defined(__SANITIZE_ADDRESS__)
#define LEAK_CHECK_AT_EXIT 1 /* which may not look at a setuid process, and fails */
#else
#define LEAK_CHECK_AT_EXIT 0
#endif

TEST(a_setuid_program_does_not_listen) {
    if (geteuid() != 0 || LEAK_CHECK_AT_EXIT) {
        printf("needs root, to make a program setuid to another user, and no leak checker in it\n");
        skip();
    }
    char path[] = "./setuid-copy-XXXXXX";
    int placeholder = mkstemp(path);
    assert_true(placeholder >= 0);
    assert_int_equal(close(placeholder), 0);
    copy_self(path);
    assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    assert_int_equal(chmod(path, 04755), 0);
    struct child_result result = child_run(execute, path, CHILD_BOTH, 60);
    assert_int_equal(unlink(path), 0);
    assert_true(child_exited_with(&result, 0));
    assert_true(has_line(&result, "purge_delay_ms=1000"));
    assert_int_equal(count_of(result.output, "nonsense"), 0);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "print") == 0)
        return print_options();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_values_are_taken_without_a_word),
        cmocka_unit_test(no_options_give_the_defaults_without_a_word),
        cmocka_unit_test(guard_and_on_fault_take_their_words),
        cmocka_unit_test(size_classes_decides_the_classes),
        cmocka_unit_test(the_last_value_of_an_option_counts),
        cmocka_unit_test(an_unknown_option_is_named_once_and_the_others_are_taken),
        cmocka_unit_test(a_bad_value_is_named_once_and_ignored),
        cmocka_unit_test(garbage_is_survived),
        cmocka_unit_test(stats_at_exit_writes_a_summary_to_stderr),
        cmocka_unit_test(a_setuid_program_does_not_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
