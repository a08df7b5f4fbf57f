// SPDX-License-Identifier: MIT
/* expect_abort.h: what a fault looks like from outside: the process ends by SIGABRT, and stderr holds the report and
 * nothing else, to the byte. The body runs in a forked child, so addresses that the parent knows can stand in the text. */
#ifndef DAM_TESTS_UNIT_SUPPORT_EXPECT_ABORT_H
#define DAM_TESTS_UNIT_SUPPORT_EXPECT_ABORT_H

#include "support/test.h"

#include "support/child.h"

#include <signal.h>

#define PATIENCE_SECONDS 120

/* Text that is put together piece by piece. */
struct text {
    size_t length;
    char bytes[4096];
};

__attribute__((format(printf, 2, 3))) static inline void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof text->bytes - text->length);
    text->length += (size_t)length;
}

static inline void expect_abort_saying(void (*body)(void *), void *argument, const struct text *expected) {
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

static inline void report_hint(struct text *text, const char *hint) {
    text_add(text, "dam:   %s\n", hint);
}

#define HINT_DOUBLE_FREE "the block was already released; look for a second owner of the pointer"
#define HINT_FOREIGN_POINTER "no block is there: it was never given out by DAM, or was a large block and is gone"
#define HINT_NOT_A_BLOCK "the address lies inside a DAM pool, but no block starts there"
#define HINT_OVERFLOW "the bytes behind the requested size were changed"
#define HINT_HEADER "something wrote just before this block: it, or the block in front of it"
#define HINT_WRITE_AFTER_FREE "a released block was written through a stale pointer"
#define HINT_WRONG_SIZE "the size given at release is not the size the block was requested with"

#endif
