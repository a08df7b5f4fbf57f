// SPDX-License-Identifier: MIT
/* test.h: what every test file includes first.
 *
 * Two ways to say that something must hold:
 *
 *   assert_*()       cmocka's; ends the present test and goes on with the next. Only on the thread that runs the tests.
 *   CHECK(condition) ours; says where, and abort()s the program. For threads, forked children, destructors and any
 *                    other place from which cmocka's longjmp would be wrong. It allocates nothing.
 *
 * The compiler knows what malloc and its kin promise, and drops or folds calls whose outcome it thinks it can tell
 * (two fresh blocks "cannot" be equal; an absurd size "must" be a mistake). The opaque_* functions hide a value from
 * it, so that the call is made and the answer is looked at. */
#ifndef DAM_TESTS_SUPPORT_TEST_H
#define DAM_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)
#define GIB ((size_t)1024 * 1024 * 1024)

/* A test: a sentence about what holds. */
#define TEST(sentence) static void sentence(void **state __attribute__((unused)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A value errno never takes by itself, to see whether a call touched it. */
#define ERRNO_MARK 12345

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            check_failed(__FILE__, __LINE__, #condition);                                                              \
        }                                                                                                              \
    } while (0)

/* Ends the program with one line on stderr. */
_Noreturn static inline void check_failed(const char *file, int line, const char *condition) {
    char text[512];
    int length = snprintf(text, sizeof text, "%s:%d: does not hold: %s\n", file, line, condition);
    if (length > 0) {
        size_t bytes = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
        ssize_t written = write(STDERR_FILENO, text, bytes);
        (void)written;
    }
    abort();
}

static inline size_t opaque_size(size_t size) {
    __asm__ volatile("" : "+r"(size));
    return size;
}

static inline void *opaque_pointer(void *pointer) {
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

static inline bool is_aligned(const void *pointer, size_t alignment) {
    return ((uintptr_t)pointer & (alignment - 1)) == 0;
}

static inline size_t smaller_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* True when `size` bytes from `bytes` on are all `value`. */
static inline bool all_bytes_are(const void *bytes, size_t size, unsigned char value) {
    const unsigned char *at = bytes;
    return size == 0 || (at[0] == value && memcmp(at, at + 1, size - 1) == 0);
}

#endif
