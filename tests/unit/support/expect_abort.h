// SPDX-License-Identifier: MIT
/* expect_abort.h: what a fault looks like from outside: the process ends by SIGABRT, and stderr holds the report and
 * nothing else. The body runs in a forked child, so addresses that the parent knows can stand in the text.
 *
 *     dam: fault: ...                               expected
 *     dam:   in thread N of process M               always the second line
 *     dam:   pool of ...                            expected
 *     dam:   at 0x...:                              )  allowed where a test expects nothing else:
 *     dam:     expected ... / found ... / changed   )  what guard/fault.c writes of what it is handed,
 *     dam:   in front of it: ...                    )  tested to the letter in guard/fault.c
 *     dam:   allocated by thread ..., #0 ...        )
 *     dam:   <hint>                                 expected
 *     dam:   to see more, run it again: ...         always the last line
 *
 * Every expected line must be there, whole and in order; between them only lines of these forms may stand. */
#ifndef DAM_TESTS_UNIT_SUPPORT_EXPECT_ABORT_H
#define DAM_TESTS_UNIT_SUPPORT_EXPECT_ABORT_H

#include "support/test.h"

#include "base/options_table.h"
#include "support/child.h"

#include <regex.h>
#include <signal.h>

#define PATIENCE_SECONDS 120

/* Text that is put together piece by piece. */
struct text {
    size_t length;
    char bytes[8192];
};

__attribute__((format(printf, 2, 3))) static inline void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof text->bytes - text->length);
    text->length += (size_t)length;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* Takes the first line off the text, without its end; NULL if there is no whole line. Writes into the text. */
static inline char *next_line(char **text) {
    char *line = *text;
    char *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

static inline bool line_matches(const char *line, const char *pattern) {
    regex_t compiled;
    CHECK(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    bool matches = regexec(&compiled, line, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}

#define BYTES_OF_A_ROW "( [0-9a-f]{2}){1,16}$"

static inline bool is_extra_line(const char *line) {
    return line_matches(line, "^dam:   at 0x[0-9a-f]+:$") ||
           line_matches(line, "^dam:     (expected |found    )" BYTES_OF_A_ROW) ||
           line_matches(line, "^dam:     changed  (   | \\^\\^){1,16}$") ||
           line_matches(line, "^dam:   in front of it: block at 0x[0-9a-f]+(, requested [0-9]+ bytes?)?, "
                              "(live|free|free, by another thread); it most likely ran over$") ||
           line_matches(line, "^dam:   (found in|allocated by|released by) thread [1-9][0-9]*:$") ||
           line_matches(line, "^dam:     #[0-9]+ 0x[0-9a-f]+( \\(/.*\\+0x[0-9a-f]+\\))?$");
}

static inline bool is_line_of_process(const char *line, int process) {
    char pattern[80];
    CHECK(snprintf(pattern, sizeof pattern, "^dam:   in thread [1-9][0-9]* of process %d$", process) > 0);
    return line_matches(line, pattern);
}

#define NEXT_STEP "^dam:   to see more, run it again: DAM_OPTIONS=([^ ]+,)?(guard=full|stack_every=1) [^ ]"

/* No, if all that there is to see is seen already. */
static inline bool has_next_step(void) {
    return DAM_SETTING(guard) != GUARD_FULL || DAM_SETTING(stack_every) != 1;
}

/* The line of the output that is wrong, or of the expectation that is missing; NULL if all is well. */
static inline const char *first_wrong_line(char *output, char *expected, int process) {
    char *line = next_line(&output);
    char *wanted = next_line(&expected);
    if (line == NULL || strcmp(line, wanted) != 0)
        return wanted;
    line = next_line(&output);
    if (line == NULL || !is_line_of_process(line, process))
        return "dam:   in thread N of process M";
    wanted = next_line(&expected);
    while ((line = next_line(&output)) != NULL) {
        if (wanted != NULL && strcmp(line, wanted) == 0)
            wanted = next_line(&expected);
        else if (wanted == NULL && *output == '\0' && has_next_step())
            return line_matches(line, NEXT_STEP) ? NULL : line;
        else if (!is_extra_line(line))
            return line;
    }
    if (wanted != NULL)
        return wanted;
    return *output == '\0' && !has_next_step() ? NULL : "dam:   to see more ...";
}

static inline void expect_report(const struct child_result *result, const struct text *expected) {
    struct text output = {0};
    struct text wanted = *expected;
    assert_true(result->output_bytes < sizeof result->output);
    text_add(&output, "%s", result->output);
    const char *wrong = first_wrong_line(output.bytes, wanted.bytes, result->process);
    if (wrong == NULL)
        return;
    fprintf(stderr, "not as expected: \"%s\"\nexpected:\n%s\nfound:\n%s\n", wrong, expected->bytes, result->output);
    fail();
}

/* ---- What is expected -------------------------------------------------------------------------------------------- */

static inline void expect_abort_saying(void (*body)(void *), void *argument, const struct text *expected) {
    struct child_result result = child_run(body, argument, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    expect_report(&result, expected);
}

/* To the byte, for what is no report. */
static inline void expect_abort_saying_just(void (*body)(void *), void *argument, const struct text *expected) {
    struct child_result result = child_run(body, argument, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_string_equal(result.output, expected->bytes);
    assert_int_equal(result.output_bytes, expected->length);
}

/* The lines of a report, in the order in which they come. */

static inline struct text report_of(const char *words, const char *operation, const void *address) {
    struct text text = {0};
    text_add(&text, "dam: fault: %s: %s of 0x%zx\n", words, operation, (uintptr_t)address);
    return text;
}

static inline void report_pool(struct text *text, size_t pool_bytes, const void *pool_start, const char *layer) {
    text_add(text, "dam:   pool of %zu bytes at 0x%zx (%s layer)\n", pool_bytes, (uintptr_t)pool_start, layer);
}

/* The rest of the line is the caller's, as "24 bytes, requested 20 bytes, live". */
#define report_block(text, block, ...)                                                                                 \
    do {                                                                                                               \
        text_add(text, "dam:   block at 0x%zx of ", (uintptr_t)(block));                                               \
        text_add(text, __VA_ARGS__);                                                                                   \
        text_add(text, "\n");                                                                                          \
    } while (0)

static inline void report_words(struct text *text, uint64_t expected, uint64_t found) {
    text_add(text, "dam:   expected %016zx, found %016zx\n", (size_t)expected, (size_t)found);
}

static inline void report_row(struct text *text, const char *title, const unsigned char *bytes, size_t count) {
    text_add(text, "dam:     %s", title);
    for (size_t i = 0; i < count; i++)
        text_add(text, " %02x", bytes[i]);
    text_add(text, "\n");
}

/* At most sixteen bytes: those that should stand at the place, those that do, and a mark under each that differs. */
static inline void report_bytes(struct text *text, const void *place, const unsigned char *should_be,
                                const unsigned char *found, size_t count) {
    text_add(text, "dam:   at 0x%zx:\n", (uintptr_t)place);
    report_row(text, "expected ", should_be, count);
    report_row(text, "found    ", found, count);
    text_add(text, "dam:     changed  ");
    for (size_t i = 0; i < count; i++)
        text_add(text, "%s", should_be[i] == found[i] ? "   " : " ^^");
    text_add(text, "\n");
}

/* requested_bytes 0: not known. */
static inline void report_neighbour(struct text *text, const void *block, size_t requested_bytes, const char *state) {
    text_add(text, "dam:   in front of it: block at 0x%zx", (uintptr_t)block);
    if (requested_bytes != 0)
        text_add(text, ", requested %zu bytes", requested_bytes);
    text_add(text, ", %s; it most likely ran over\n", state);
}

/* A detail, or the hint at the end. */
static inline void report_hint(struct text *text, const char *hint) {
    text_add(text, "dam:   %s\n", hint);
}

#define HINT_DOUBLE_FREE "the block was already released; look for a second owner of the pointer"
#define HINT_FOREIGN_POINTER "no block is there: none ever was, or its pool is gone"
#define HINT_NOT_A_BLOCK "the address lies inside a DAM pool, but no block starts there"
#define HINT_OVERFLOW "the bytes behind the requested size were changed"
#define HINT_HEADER "something wrote just before this block: it, or the block in front of it"
#define HINT_WRITE_AFTER_FREE "a released block was written through a stale pointer"
#define HINT_WRONG_SIZE "the size or alignment given at release is not what the block was requested with"
#define HINT_ACCESS_PAST_END "no byte behind the requested size is the program's"
#define HINT_ACCESS_BEFORE_START "no byte in front of a block is its holder's"
#define HINT_ACCESS_AFTER_FREE "the block was used through a stale pointer"

#endif
